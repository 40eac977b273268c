"""The values of AT commands: bytes to Python's and back, by the table of `zbtwist.xbee.at_table`.

A command that is not in it has plain bytes.
"""

from __future__ import annotations

from zbtwist.xbee.at_table import BAUD_RATES, PARAMETERS, Kind, Parameter
from zbtwist.xbee.description import label_text

__all__ = [
    "BAUD_RATES",
    "PARAMETERS",
    "Kind",
    "Value",
    "baud_rate_of",
    "bits_of_character",
    "decode_value",
    "encode_as",
    "encode_value",
]

Value = int | str | bytes | None


def baud_rate_of(bd: int) -> int:
    """Return bits per second by the value of BD, which may be the rate itself (90001539, "BD")."""
    return BAUD_RATES[bd] if bd < len(BAUD_RATES) else bd


def bits_of_character(nb: int, sb: int) -> int:
    """Return the bits of a character on a serial line, by the values of NB and SB: start, eight,
    parity, and one stop bit or two. Mark parity, NB = 3, is a ninth bit, too (90001539, "NB").
    """
    return 10 + (nb > 0) + (sb > 0)


def decode_value(command: str, value: bytes) -> Value:
    """
    @param command: two characters, such as ``NI``.
    @param value: the value of the command's answer.
    @return: an int, a str or bytes by the command's kind; None for an empty value of a number.
    """
    parameter = PARAMETERS.get(command)
    if parameter is None or parameter.kind is Kind.BYTES:
        return value
    if parameter.kind is Kind.TEXT:
        return label_text(value)
    return parameter.number_of(value) if value else None


def encode_value(command: str, value: Value) -> bytes:
    """
    @param command: two characters, such as ``NT``.
    @param value: what to set: an int for a number, a str for a text; bytes go as they are.
    @return: the parameter of an AT command frame; empty for None, which reads or executes.
    @raise ValueError: the value is not of the command's kind, or too large. The message is a
        sentence for the user.
    """
    return encode_as(PARAMETERS.get(command), command, value)


def encode_as(parameter: Parameter | None, command: str, value: Value) -> bytes:
    """The same by another row than that of Zigbee modules; None if there is none.

    @raise ValueError: as `encode_value`.
    """
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    if parameter is None:
        if isinstance(value, str):
            return value.encode("utf-8")
        size = max(1, (value.bit_length() + 7) // 8)
        return _integer(command, value, size, signed=False)
    if isinstance(value, str):
        encoded = value.encode("utf-8")
        if parameter.kind is not Kind.TEXT:
            raise ValueError(f"{command} takes a number or bytes, not the text {value!r}")
        if parameter.size and len(encoded) > parameter.size:
            raise ValueError(
                f"{command} takes at most {parameter.size} bytes, and {value!r} has {len(encoded)}"
            )
        return encoded
    if parameter.kind not in (Kind.UNSIGNED, Kind.SIGNED):
        raise ValueError(f"{command} takes no number, and was given {value}")
    return _integer(command, value, parameter.size, parameter.kind is Kind.SIGNED)


def _integer(command: str, value: int, size: int, signed: bool) -> bytes:
    try:
        return value.to_bytes(size, "big", signed=signed)
    except OverflowError:
        least = -(1 << 8 * size - 1) if signed else 0
        most = least + (1 << 8 * size) - 1
        range_ = f"{least} to {most}" if signed else f"0 to {most:#x}"
        raise ValueError(f"{command} takes a number, {range_}, and {value} is none") from None
