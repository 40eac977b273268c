"""Endpoint, clusters and profile of what comes and goes (90000976, "Explicit Addressing")."""

from __future__ import annotations

SERIAL_ENDPOINT = 0xE8
DIGI_PROFILE = 0xC105
SERIAL_CLUSTER = 0x0011
#: What is sent to it comes back to its sender, and does not reach the serial line (90001539, "Test
#: links in a network - loopback cluster"; 90000991, "Network Link Testing").
LOOPBACK_CLUSTER = 0x0012
IO_SAMPLE_CLUSTER = 0x0092
SENSOR_CLUSTER = 0x0094
NODE_IDENTIFICATION_CLUSTER = 0x0095
