"""Requests of Modbus masters, and answers to them."""

from __future__ import annotations

from struct import pack

from zbtwist.binding.modbus.frames import with_crc


def read(unit: int, address: int, count: int, function: int = 3) -> bytes:
    """A request for registers."""
    return with_crc(pack(">BBHH", unit, function, address, count))


def answer(unit: int, count: int, value: bytes = b"\0", function: int = 3) -> bytes:
    """An answer to it: each byte of each register is `value`."""
    return with_crc(bytes([unit, function, 2 * count]) + value * (2 * count))


def write(unit: int, address: int, count: int) -> bytes:
    """A request that writes registers."""
    return with_crc(pack(">BBHHB", unit, 16, address, count, 2 * count) + bytes(2 * count))
