"""The protocols that a port can speak, by what they are called in the configuration."""

from __future__ import annotations

from zbtwist.binding.modbus.rtu import ModbusRTU
from zbtwist.binding.modbus.tcp import ModbusTCP
from zbtwist.binding.port_protocol import PortProtocol, Raw
from zbtwist.binding.rfc2217 import Rfc2217
from zbtwist.binding.telnet import Telnet

#: What passes bytes as they are.
RAW = "raw"

PROTOCOLS: dict[str, type[PortProtocol]] = {
    RAW: Raw,
    "telnet": Telnet,
    "rfc2217": Rfc2217,
    "modbus-rtu": ModbusRTU,
    "modbus-tcp": ModbusTCP,
}
