"""The protocols that a port can speak, by what they are called in the configuration."""

from __future__ import annotations

from zbtwist.binding.port_protocol import PortProtocol, Raw

PROTOCOLS: dict[str, type[PortProtocol]] = {"raw": Raw}
