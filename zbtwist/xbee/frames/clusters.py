"""Endpoint, clusters and profile of what comes and goes (90000976, "Explicit Addressing")."""

from __future__ import annotations

SERIAL_ENDPOINT = 0xE8
DIGI_PROFILE = 0xC105
SERIAL_CLUSTER = 0x0011
IO_SAMPLE_CLUSTER = 0x0092
SENSOR_CLUSTER = 0x0094
NODE_IDENTIFICATION_CLUSTER = 0x0095
