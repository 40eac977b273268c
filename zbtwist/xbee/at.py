"""AT commands: what each is called, what kind of value it takes, in which unit.

`encode_value` and `decode_value` turn a command's value into Python's and back by this table; a
command that is not in it has plain bytes. Sources: 90000976, 90002002 and 90001539, "AT commands".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from zbtwist.xbee.description import label_text

Value = int | str | bytes | None


class Kind(Enum):
    """What a command's value is."""

    UNSIGNED = "unsigned integer, most significant byte first"
    SIGNED = "signed integer, most significant byte first"
    TEXT = "text"
    BYTES = "bytes"
    ACTION = "none: the command does something"


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    @ivar name: the command, two characters.
    @ivar size: bytes of a value of a fixed size; for text the longest value; 0 for any size.
    @ivar meaning: what it is, with its unit.
    @ivar read_only: setting it is refused.
    """

    name: str
    kind: Kind
    size: int
    meaning: str
    read_only: bool = False


def _table(*rows: Parameter) -> dict[str, Parameter]:
    return {row.name: row for row in rows}


_U, _S, _T, _B, _A = Kind.UNSIGNED, Kind.SIGNED, Kind.TEXT, Kind.BYTES, Kind.ACTION

PARAMETERS = _table(
    # Serial line
    Parameter("AP", _U, 1, "API mode: 0 transparent, 1 plain, 2 escaped"),
    Parameter("AO", _U, 1, "API output: 0 frames 90, other values frames 91"),
    Parameter("BD", _U, 4, "serial rate: 0 to 10, or bits per second"),
    Parameter("NB", _U, 1, "parity: 0 none, 1 even, 2 odd, 3 mark"),
    Parameter("SB", _U, 1, "stop bits: 0 one, 1 two"),
    Parameter("RO", _U, 1, "pause that ends a packet in transparent mode, character times"),
    # Lines
    *(Parameter(f"D{n}", _U, 1, f"what line DIO{n} does") for n in range(6)),
    Parameter("D6", _U, 1, "pin DIO6: 1 is RTS flow control"),
    Parameter("D7", _U, 1, "pin DIO7: 1 is CTS flow control"),
    Parameter("D8", _U, 1, "what line DIO8 does"),
    Parameter("D9", _U, 1, "what line DIO9 does"),
    *(Parameter(f"P{n}", _U, 1, f"what line DIO{n + 10} does") for n in range(5)),
    Parameter("IR", _U, 2, "time between two I/O samples, ms; 0 for none"),
    Parameter("IC", _U, 2, "lines whose change sends an I/O sample, bit 0 for DIO0"),
    Parameter("PR", _U, 2, "lines with a pull-up resistor"),
    # Sleep
    Parameter("SP", _U, 2, "sleep period, 10 ms"),
    Parameter("SN", _U, 2, "sleep periods between two wake-ups of the host"),
    Parameter("ST", _U, 2, "time awake, ms"),
    Parameter("SO", _U, 1, "sleep options"),
    # Addresses and names
    Parameter("SH", _U, 4, "64-bit address, high half", read_only=True),
    Parameter("SL", _U, 4, "64-bit address, low half", read_only=True),
    Parameter("MY", _U, 2, "16-bit address", read_only=True),
    Parameter("MP", _U, 2, "16-bit address of the parent", read_only=True),
    Parameter("DH", _U, 4, "destination of transparent mode, high half"),
    Parameter("DL", _U, 4, "destination of transparent mode, low half"),
    Parameter("NI", _T, 20, "node identifier"),
    Parameter("DD", _U, 4, "device type identifier"),
    Parameter("HV", _U, 2, "hardware version", read_only=True),
    Parameter("VR", _U, 2, "firmware version", read_only=True),
    Parameter("%V", _U, 2, "supply voltage, mV; S2, S2B: 1200/1024 mV", read_only=True),
    Parameter("TP", _S, 2, "temperature of the module, °C", read_only=True),
    # Network
    Parameter("ID", _U, 8, "PAN identifier asked for, 0 for any"),
    Parameter("OP", _U, 8, "PAN identifier in use", read_only=True),
    Parameter("OI", _U, 2, "16-bit PAN identifier in use", read_only=True),
    Parameter("CH", _U, 1, "channel in use", read_only=True),
    Parameter("CE", _U, 1, "1 makes the radio a coordinator"),
    Parameter("AI", _U, 1, "association: 0 joined", read_only=True),
    Parameter("NP", _U, 2, "longest unicast payload, bytes", read_only=True),
    Parameter("NT", _U, 1, "discovery time, 100 ms"),
    Parameter("NO", _U, 1, "discovery options: 1 adds DD, 2 the radio's own answer, 4 RSSI"),
    Parameter("DB", _U, 1, "strength of the last hop, -dBm", read_only=True),
    Parameter("SM", _U, 1, "sleep mode: 0 router, else end device"),
    Parameter("EE", _U, 1, "1 switches encryption on"),
    Parameter("SC", _U, 2, "channels to scan, bit 0 for channel 11"),
    Parameter("SD", _U, 1, "scan duration, an exponent"),
    Parameter("NJ", _U, 1, "time for joining, s; FF for ever"),
    Parameter("AR", _U, 1, "time between route broadcasts, 10 s; FF for none"),
    Parameter("NH", _U, 1, "hops a unicast may take"),
    Parameter("BH", _U, 1, "hops a broadcast may take, 0 for all"),
    Parameter("PL", _U, 1, "transmit power, 0 to 4"),
    Parameter("PM", _U, 1, "1 boosts the power"),
    # Actions
    Parameter("ND", _B, 0, "search for nodes: one answer a node"),
    Parameter("DN", _T, 20, "find one node by its identifier"),
    Parameter("IS", _B, 0, "force an I/O sample"),
    Parameter("AC", _A, 0, "apply queued changes"),
    Parameter("WR", _A, 0, "write the settings to flash"),
    Parameter("FR", _A, 0, "restart the radio"),
    Parameter("NR", _U, 1, "leave the network: 0 this node, 1 all nodes"),
    Parameter("CB", _U, 1, "press the commissioning button so many times"),
    Parameter("CN", _A, 0, "leave command mode"),
)

#: Bits per second by the value of BD; a value above 10 is the rate itself (90001539, "BD").
BAUD_RATES = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)


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
    kind = parameter.kind if parameter else Kind.BYTES
    if kind is Kind.TEXT:
        return label_text(value)
    if kind is Kind.BYTES:
        return value
    if not value:
        return None
    return int.from_bytes(value, "big", signed=kind is Kind.SIGNED)


def encode_value(command: str, value: Value) -> bytes:
    """
    @param command: two characters, such as ``NT``.
    @param value: what to set: an int for a number, a str for a text; bytes go as they are.
    @return: the parameter of an AT command frame; empty for None, which reads or executes.
    @raise ValueError: the value is not of the command's kind, or too large. The message is a
        sentence for the user.
    """
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    parameter = PARAMETERS.get(command)
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
        raise ValueError(f"{command} takes a number of {size} bytes, and {value} is none") from None
