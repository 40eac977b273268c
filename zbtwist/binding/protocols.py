"""The protocols that a port can speak, by what they are called in the configuration."""

from __future__ import annotations

from zbtwist.binding.modbus.rtu import ModbusRTU
from zbtwist.binding.modbus.tcp import ModbusTCP
from zbtwist.binding.port_protocol import PortProtocol, Raw

PROTOCOLS: dict[str, type[PortProtocol]] = {
    "raw": Raw,
    "modbus-rtu": ModbusRTU,
    "modbus-tcp": ModbusTCP,
}
