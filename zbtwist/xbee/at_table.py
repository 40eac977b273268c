"""The AT commands as data: what each is called, its kind of value, range, unit and words, which
modules have it, and whether setting it can cut a node off.

One table for all: values are read and written by it (`zbtwist.xbee.at`), the settings of a node are
asked for and shown by it, and simulated modules answer by it. A command that differs between
protocols has a row for each of them. Whether a module really has a command is for the module to
say: it answers "invalid command" where not.

Sources, by the modules of a row: 90000976 (S2, S2B), 90002002 (S2C) and 90001539 (XBee 3) for
Zigbee; 90000982 (S1), 90001500 (S2C) and 90002273 (XBee 3) for 802.15.4; 90000991 (S1), 90001506
(S2C), 90002277 (XBee 3) and 90002173 (900 MHz) for DigiMesh; in each of them the chapter "AT
commands", under the command's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

from zbtwist.xbee.modules import Kind as K
from zbtwist.xbee.modules import Module


class Kind(Enum):
    """What a command's value is."""

    UNSIGNED = "unsigned integer, most significant byte first"
    SIGNED = "signed integer, most significant byte first"
    TEXT = "text"
    BYTES = "bytes"
    ACTION = "none: the command does something"


_U, _S, _T, _B, _A = Kind.UNSIGNED, Kind.SIGNED, Kind.TEXT, Kind.BYTES, Kind.ACTION

ZIGBEE = K.S2_ZIGBEE | K.S2C_ZIGBEE | K.XBEE3_ZIGBEE
#: Zigbee modules since S2C.
LATER = K.S2C_ZIGBEE | K.XBEE3_ZIGBEE
IEEE802154 = K.S1_802154 | K.S2C_802154 | K.XBEE3_802154
DIGIMESH = K.S1_DIGIMESH | K.S2C_DIGIMESH | K.XBEE3_DIGIMESH | K.SUB_GHZ_DIGIMESH
XBEE3 = K.XBEE3_ZIGBEE | K.XBEE3_802154 | K.XBEE3_DIGIMESH
S1 = K.S1_802154 | K.S1_DIGIMESH
ALL = ZIGBEE | IEEE802154 | DIGIMESH
SINCE_S2C = LATER | K.S2C_802154 | K.S2C_DIGIMESH | XBEE3 | K.SUB_GHZ_DIGIMESH

#: The groups, in the order in which they are shown.
MODULE, NETWORK, SECURITY, ADDRESSES, RADIO, SERIAL, SLEEP, PINS = GROUPS = (
    "Module",
    "Network",
    "Security",
    "Addresses and names",
    "Radio",
    "Serial line",
    "Sleep",
    "Pins and samples",
)

#: Bits per second by the value of BD; a value above 10 is the rate itself (90001539, "BD").
BAUD_RATES = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)

#: Commands that make a module start anew, or leave its network and look for one (90002002, "FR" and
#: "NR").
RESTARTING_COMMANDS = frozenset(("FR", "NR"))

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """
    @ivar name: the command, two characters.
    @ivar size: bytes of a value of a fixed size; for text the longest value; 0 for any size.
    @ivar meaning: what it is.
    @ivar group: one of `GROUPS`; empty for what is no part of a table of settings.
    @ivar read_only: setting it is refused.
    @ivar write_only: it can be set, and nothing reads it.
    @ivar of: the modules that have it.
    @ivar default: as it leaves the factory, of a Zigbee module; None if nobody says.
    @ivar ranges: the numbers that it takes, each pair inclusive; empty for all that fit.
    @ivar factor: of `unit`: milliseconds of a value of 100 ms are as many hundreds.
    @ivar unit: of a number; empty for none.
    @ivar words: what its values mean, of an enumerated one.
    @ivar bits: what its bits mean, bit 0 first, of a field of them; empty for one without meaning.
    @ivar is_hexadecimal: people write it so.
    @ivar why: what may cut the node off when it is set, a sentence; empty if nothing does.
    """

    name: str
    kind: Kind
    size: int
    meaning: str
    group: str = ""
    read_only: bool = False
    write_only: bool = False
    of: K = ALL
    default: int | bytes | None = None
    ranges: Ranges = ()
    factor: int = 1
    unit: str = ""
    words: Mapping[int, str] = field(default_factory=dict)
    bits: tuple[str, ...] = ()
    is_hexadecimal: bool = False
    why: str = ""

    @property
    def is_number(self) -> bool:
        """Whether its value is a number."""
        return self.kind in (_U, _S)

    def number_of(self, value: bytes) -> int:
        """Return the number that a value stands for, if it `is_number`."""
        return int.from_bytes(value, "big", signed=self.kind is _S)

    @property
    def is_setting(self) -> bool:
        """Whether a backup has it: it can be set, and has a value that can be read."""
        return bool(self.group) and not (self.read_only or self.write_only)

    def takes(self, value: int) -> bool:
        """Whether a number is in its range."""
        return any(low <= value <= high for low, high in self.limits)

    @property
    def limits(self) -> Ranges:
        """Its ranges, also of one that takes all that fits."""
        return self.ranges or ((0, (1 << 8 * self.size) - 1),)

    @property
    def range_text(self) -> str:
        """What it takes, for people; empty if nothing can be set."""
        if self.read_only or self.kind is _A:
            return ""
        if not self.is_number:
            return f"at most {self.size} bytes"
        shown = ("{:#x}" if self.is_hexadecimal else "{}").format
        return ", ".join(
            shown(low) if low == high else f"{shown(low)} to {shown(high)}"
            for low, high in self.limits
        )

    @property
    def unit_text(self) -> str:
        """What one of its numbers is, such as ``100 ms``; empty for none."""
        return f"{self.factor} {self.unit}" if self.factor > 1 else self.unit

    def text_of(self, value: int) -> str:
        """Return what a number means, for people."""
        if value in self.words:
            return self.words[value]
        if self.bits:
            named = [bit for number, bit in enumerate(self.bits) if bit and value >> number & 1]
            return " ".join(named) or "none"
        if self.unit:
            return f"{value * self.factor} {self.unit}"
        return f"{value:#x}" if self.is_hexadecimal else str(value)


def _row(
    kind: Kind, name: str, size: int, meaning: str, group: str = "", **more: object
) -> Parameter:
    return Parameter(name=name, kind=kind, size=size, meaning=meaning, group=group, **more)  # type: ignore[arg-type]


def _fact(name: str, size: int, meaning: str, group: str, **more: object) -> Parameter:
    return _row(_U, name, size, meaning, group, read_only=True, **more)


def _number(
    name: str, size: int, meaning: str, group: str, default: int | None, *ranges: tuple[int, int],
    **more: object,
) -> Parameter:  # fmt: skip
    return _row(_U, name, size, meaning, group, default=default, ranges=ranges, **more)


def _switch(name: str, meaning: str, group: str, default: int, **more: object) -> Parameter:
    words = more.pop("words", {0: "off", 1: "on"})
    return _number(name, 1, meaning, group, default, (0, 1), words=words, **more)


_LEAVES = "The node looks for a network by this: it leaves the one that it is in, and comes back only to one that fits."  # noqa: E501
_KEY = "A node whose keys differ from its network's cannot join it any more."
_SECURE = "All nodes of a network must have the same: the node is not understood any more."
_DEVICE = (
    "What is connected to the node's serial line is not understood any more, unless it changes too."
)
_FLOW = "With flow control that is not wired, or that its device relies on, the node's serial line stops."  # noqa: E501
_PIN_OF_LINE = "It is a pin of the node's serial line: with another use nothing passes between the node and its device."  # noqa: E501
_API = "In another mode the node's device gets and must send frames instead of its bytes, or the other way round."  # noqa: E501
_ASLEEP = "A node that sleeps hears only when it wakes up, and another sleep mode may never wake up by itself."  # noqa: E501

#: What a pin can be used for by its value, beside what `_pin` adds (90002002, "I/O settings").
_PIN_WORDS = {0: "off", 3: "digital input", 4: "output low", 5: "output high"}


def _pin(
    name: str, line: str, default: int, of: K = ALL, *, special: str = "", analog: str = "",
    words: Mapping[int, str] | None = None, why: str = "",
) -> Parameter:  # fmt: skip
    all_words = {
        **_PIN_WORDS,
        **({1: special} if special else {}),
        **({2: analog} if analog else {}),
        **(words or {}),
    }
    numbers = sorted(all_words)
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return _number(
        name, 1, f"what the pin {line} is used for", PINS if not why else SERIAL, default, *ranges,
        of=of, words=dict(sorted(all_words.items())), why=why,
    )  # fmt: skip


#: The bits of PR and PD are not in the order of the lines (90002002, "PR").
_PULLED = (
    *("DIO4", "DIO3", "DIO2", "DIO1", "DIO0", "DIO6", "DIO8", "DIO14", "DIO5", "DIO9", "DIO12"),
    *("DIO10", "DIO11", "DIO7", "DIO13"),
)
_LINES = tuple(f"DIO{number}" for number in range(15))
_CHANNELS = tuple(str(number) for number in range(11, 27))

ROWS: tuple[Parameter, ...] = (
    # --- what can only be read -----------------------------------------------------------------
    _fact("HV", 2, "hardware version", MODULE, is_hexadecimal=True),
    _fact("VR", 2, "firmware version", MODULE, is_hexadecimal=True),
    _fact("SH", 4, "64-bit address, high half", "", is_hexadecimal=True),
    _fact("SL", 4, "64-bit address, low half", "", is_hexadecimal=True),
    _fact("%V", 2, "supply voltage", MODULE, of=LATER | XBEE3 | DIGIMESH, unit="mV"),
    _fact("%V", 2, "supply voltage, in units of 1200/1024 mV", MODULE, of=K.S2_ZIGBEE),
    _row(_S, "TP", 2, "temperature of the module", MODULE, read_only=True, unit="°C",
         of=ZIGBEE | XBEE3 | K.SUB_GHZ_DIGIMESH),
    _fact("OP", 8, "PAN identifier in use", NETWORK, of=ZIGBEE, is_hexadecimal=True),
    _fact("OI", 2, "16-bit PAN identifier in use", NETWORK, of=ZIGBEE, is_hexadecimal=True),
    _fact("CH", 1, "channel in use", NETWORK, of=ZIGBEE),
    _fact("AI", 1, "association: 0 is joined", NETWORK, of=ZIGBEE | IEEE802154,
          is_hexadecimal=True, words={0: "joined"}),
    _fact("MY", 2, "16-bit address", NETWORK, of=ZIGBEE, is_hexadecimal=True),
    _fact("MP", 2, "16-bit address of the parent", NETWORK, of=ZIGBEE, is_hexadecimal=True),
    _fact("NC", 1, "end devices that may still join it", NETWORK, of=ZIGBEE),
    _fact("NP", 2, "longest payload of a packet", NETWORK, of=ALL & ~S1, unit="bytes"),
    _fact("DB", 1, "strength of the last packet that it heard, -dBm", RADIO),
    # --- network -------------------------------------------------------------------------------
    _number("ID", 8, "PAN identifier that it looks for, 0 for any", NETWORK, 0, of=ZIGBEE,
            is_hexadecimal=True, why=_LEAVES),
    _number("ID", 2, "network identifier", NETWORK, None, of=IEEE802154 | DIGIMESH,
            is_hexadecimal=True, why=_LEAVES),
    _number("CH", 1, "channel", NETWORK, None, (0x0B, 0x1A), of=IEEE802154 | DIGIMESH
            & ~K.SUB_GHZ_DIGIMESH, why=_LEAVES),
    _number("SC", 2, "channels that it looks on", NETWORK, 0x7FFF, (1, 0xFFFF), of=ZIGBEE
            | IEEE802154, is_hexadecimal=True, bits=_CHANNELS, why=_LEAVES),
    _number("SD", 1, "how long it looks on each channel, an exponent", NETWORK, 3, (0, 7),
            of=ZIGBEE),
    _number("SD", 1, "how long it looks on each channel, an exponent", NETWORK, None, (0, 0x0F),
            of=IEEE802154),
    _number("ZS", 1, "Zigbee stack profile", NETWORK, 0, (0, 2), of=ZIGBEE,
            words={0: "Digi's own", 1: "Zigbee 2006", 2: "Zigbee PRO"}, why=_LEAVES),
    _switch("CE", "forms the network", NETWORK, 0, of=LATER, why=_LEAVES,
            words={0: "joins a network", 1: "forms a network: coordinator"}),
    _number("CE", 1, "role in the network", NETWORK, None, (0, 2), of=IEEE802154 | DIGIMESH,
            why=_LEAVES),
    _number("NJ", 1, "how long others may join through it", NETWORK, 0xFF, of=ZIGBEE, unit="s",
            words={0: "never", 0xFF: "always"}),
    _number("CR", 1, "reports of a PAN conflict that make it move", NETWORK, 3, (1, 0x3F),
            of=ZIGBEE),
    _number("NH", 1, "hops that a packet may take", NETWORK, 0x1E, of=ZIGBEE | DIGIMESH),
    _number("BH", 1, "hops that a broadcast may take, 0 for all", NETWORK, 0, (0, 0x1E),
            of=ZIGBEE | DIGIMESH),
    _number("AR", 1, "time between two route broadcasts of a concentrator", NETWORK, 0xFF,
            of=ZIGBEE, factor=10, unit="s", words={0xFF: "none", 0: "one only"}),
    _number("NT", 1, "time that a search takes", NETWORK, 0x3C, (0x20, 0xFF), of=ZIGBEE,
            factor=100, unit="ms"),
    _number("NT", 1, "time that a search takes", NETWORK, None, (1, 0xFC), of=IEEE802154,
            factor=100, unit="ms"),
    _number("NT", 2, "time that a search takes", NETWORK, None, (0x20, 0x2EE0), of=DIGIMESH,
            factor=100, unit="ms"),
    _number("NO", 1, "what answers to a search have", NETWORK, 0, (0, 7), of=ALL,
            bits=("device type", "own answer", "RSSI")),
    _number("NW", 2, "time without a coordinator until it looks for another network", NETWORK, 0,
            (0, 0x64FF), of=ZIGBEE, unit="min", words={0: "off"}, why=_LEAVES),
    _switch("JV", "looks for the coordinator when it starts, and leaves without one", NETWORK, 0,
            of=ZIGBEE, why=_LEAVES),
    _switch("JN", "tells everybody when it has joined", NETWORK, 0, of=ZIGBEE),
    _switch("DJ", "leaves the network no more by itself", NETWORK, 0, of=LATER),
    _number("DC", 2, "how it joins, bits", NETWORK, 0, of=LATER, is_hexadecimal=True),
    _number("DO", 1, "miscellaneous options, bits", NETWORK, 0, of=ZIGBEE, is_hexadecimal=True),
    _number("MM", 1, "MAC mode", NETWORK, None, (0, 3), of=IEEE802154, why=_SECURE,
            words={0: "Digi's, with acknowledgements", 1: "802.15.4, none",
                   2: "802.15.4, with acknowledgements", 3: "Digi's, none"}),
    _number("A1", 1, "association of an end device, bits", NETWORK, None, (0, 0x0F),
            of=IEEE802154, is_hexadecimal=True, why=_LEAVES),
    _number("A2", 1, "association of a coordinator, bits", NETWORK, None, (0, 7), of=IEEE802154,
            is_hexadecimal=True, why=_LEAVES),
    _number("C8", 1, "compatibility, bits", NETWORK, None, of=K.S2C_802154 | K.XBEE3_802154,
            is_hexadecimal=True, why=_SECURE),
    _number("RR", 1, "retries of a packet", NETWORK, None, (0, 0x0F), of=IEEE802154 | DIGIMESH),
    _number("RN", 1, "random delay before a retry, an exponent", NETWORK, None, (0, 5),
            of=IEEE802154 | DIGIMESH),
    _number("MR", 1, "retries of a packet through the mesh", NETWORK, None, (0, 7), of=DIGIMESH),
    _number("NN", 1, "delay of a hop", NETWORK, None, of=DIGIMESH),
    _number("MT", 1, "repetitions of a broadcast", NETWORK, None, (0, 0x0F), of=DIGIMESH),
    _number("HP", 1, "hopping sequence", NETWORK, None, of=K.SUB_GHZ_DIGIMESH, why=_LEAVES),
    _number("CM", 8, "channels that it hops on", NETWORK, None, of=K.SUB_GHZ_DIGIMESH,
            is_hexadecimal=True, why=_LEAVES),
    _number("BR", 1, "rate in the air", NETWORK, None, (0, 2), of=K.SUB_GHZ_DIGIMESH, why=_LEAVES),
    # --- security ------------------------------------------------------------------------------
    _switch("EE", "encryption", SECURITY, 0, why=_SECURE),
    _number("EO", 1, "how keys are given, bits", SECURITY, 0, of=ZIGBEE, is_hexadecimal=True,
            why=_SECURE),
    _row(_B, "KY", 16, "link key, or the key of the network", SECURITY, write_only=True,
         default=b"", why=_KEY),
    _row(_B, "NK", 16, "network key, of the coordinator", SECURITY, write_only=True, of=ZIGBEE,
         default=b"", why=_KEY),
    # --- addresses and names -------------------------------------------------------------------
    _row(_T, "NI", 20, "node identifier", ADDRESSES, default=b" "),
    _number("DD", 4, "device type", ADDRESSES, 0x00030000, is_hexadecimal=True),
    _number("MY", 2, "16-bit address", ADDRESSES, None, of=IEEE802154, is_hexadecimal=True,
            why="Others reach it by this address, and answers to it come by it."),
    _number("DH", 4, "where its device's bytes go, high half", ADDRESSES, 0, is_hexadecimal=True),
    _number("DL", 4, "where its device's bytes go, low half; 0 with DH 0: the coordinator",
            ADDRESSES, 0, is_hexadecimal=True),
    _number("SE", 1, "endpoint that its device's bytes come from", ADDRESSES, 0xE8, of=ZIGBEE
            | K.XBEE3_DIGIMESH, is_hexadecimal=True),
    _number("DE", 1, "endpoint that they go to", ADDRESSES, 0xE8, of=ZIGBEE | K.XBEE3_DIGIMESH,
            is_hexadecimal=True),
    _number("CI", 2, "cluster of its device's bytes", ADDRESSES, 0x11, of=ZIGBEE
            | K.XBEE3_DIGIMESH, is_hexadecimal=True),
    _number("TO", 1, "options of its device's packets, bits", ADDRESSES, 0, of=LATER | DIGIMESH,
            is_hexadecimal=True),
    # --- radio ---------------------------------------------------------------------------------
    _number("PL", 1, "transmit power, 4 is the highest", RADIO, 4, (0, 4)),
    _switch("PM", "boost of power and sensitivity", RADIO, 1, of=K.S2_ZIGBEE | K.S2C_ZIGBEE),
    _number("CA", 1, "how loud a channel may be to be free, -dBm", RADIO, None, of=IEEE802154
            | DIGIMESH),
    # --- serial line ---------------------------------------------------------------------------
    _number("BD", 4, "rate", SERIAL, 3, (0, 0x0A), (0x4B0, 0xE1000), unit="bit/s", why=_DEVICE,
            words={n: f"{rate} bit/s" for n, rate in enumerate(BAUD_RATES)}),
    _number("NB", 1, "parity", SERIAL, 0, (0, 3), why=_DEVICE,
            words={0: "none", 1: "even", 2: "odd", 3: "mark"}),
    _switch("SB", "stop bits", SERIAL, 0, of=ALL & ~S1, why=_DEVICE, words={0: "one", 1: "two"}),
    _number("RO", 1, "pause that ends a packet, in characters", SERIAL, 3),
    _pin("D7", "DIO7/CTS", 1, special="CTS flow control", why=_FLOW,
         words={6: "RS-485, enable low", 7: "RS-485, enable high"}),
    _pin("D6", "DIO6/RTS", 0, special="RTS flow control", why=_FLOW),
    _pin("P3", "DIO13/DOUT", 1, SINCE_S2C, special="serial data out", why=_PIN_OF_LINE),
    _pin("P4", "DIO14/DIN", 1, SINCE_S2C, special="serial data in", why=_PIN_OF_LINE),
    _number("AP", 1, "API mode", SERIAL, 0, (0, 2), why=_API,
            words={0: "transparent", 1: "API", 2: "API with escapes"}),
    _number("AO", 1, "which frames it gives out in an API mode", SERIAL, 0, (0, 0x0B), of=ALL
            & ~K.S1_802154 & ~K.S2C_802154),
    _number("FT", 2, "bytes in its buffer at which CTS stops its device", SERIAL, None, of=LATER
            | XBEE3 | K.SUB_GHZ_DIGIMESH),
    _number("CC", 1, "character that leads into command mode", SERIAL, 0x2B, is_hexadecimal=True),
    _number("GT", 2, "silence around it", SERIAL, 0x3E8, (1, 0xCE4), unit="ms"),
    _number("CT", 2, "time until command mode ends by itself", SERIAL, 0x64, (2, 0x28F),
            factor=100, unit="ms"),
    # --- sleep ---------------------------------------------------------------------------------
    _number("SM", 1, "sleep mode", SLEEP, 0, (0, 0), (4, 5), of=LATER, why=_ASLEEP,
            words={0: "none: router", 4: "cyclic", 5: "cyclic, and by pin"}),
    _number("SM", 1, "sleep mode", SLEEP, 0, (0, 1), (4, 5), of=K.S2_ZIGBEE, why=_ASLEEP,
            words={0: "none: router", 1: "by pin", 4: "cyclic", 5: "cyclic, and by pin"}),
    _number("SM", 1, "sleep mode", SLEEP, None, (0, 8), of=IEEE802154 | DIGIMESH, why=_ASLEEP,
            words={0: "none", 1: "by pin", 4: "cyclic", 5: "cyclic, and by pin",
                   7: "sleep support", 8: "synchronous"}),
    _number("SP", 2, "how long it sleeps at a time", SLEEP, 0x20, (0x20, 0xAF0), of=ZIGBEE,
            factor=10, unit="ms"),
    _number("SP", 2, "how long it sleeps at a time", SLEEP, None, of=IEEE802154 | DIGIMESH,
            factor=10, unit="ms"),
    _number("ST", 2, "how long it stays awake", SLEEP, 0x1388, (1, 0xFFFE), unit="ms"),
    _number("SN", 2, "sleeps between two times at which it wakes its device", SLEEP, 1,
            (1, 0xFFFF)),
    _number("SO", 1, "sleep options, bits", SLEEP, 0, is_hexadecimal=True),
    _number("WH", 2, "time that its device has to wake up", SLEEP, 0, of=ZIGBEE, unit="ms"),
    _number("PO", 2, "time between two questions of an end device to its parent", SLEEP, 0,
            (0, 0x3E8), of=ZIGBEE, factor=10, unit="ms"),
    # --- pins ----------------------------------------------------------------------------------
    _pin("D0", "DIO0/AD0", 1, special="commissioning button", analog="analog input"),
    _pin("D1", "DIO1/AD1", 0, special="SPI attention", analog="analog input"),
    _pin("D2", "DIO2/AD2", 0, special="SPI clock", analog="analog input"),
    _pin("D3", "DIO3/AD3", 0, special="SPI select", analog="analog input"),
    _pin("D4", "DIO4", 0, ALL & ~S1, special="SPI data in"),
    _pin("D4", "DIO4/AD4", 0, S1, analog="analog input"),
    _pin("D5", "DIO5/ASSOC", 1, special="associate LED"),
    _pin("D8", "DIO8/SLEEP_RQ", 1, SINCE_S2C | S1, special="sleep request"),
    _pin("D9", "DIO9/ON_SLEEP", 1, SINCE_S2C, special="shows whether it is awake"),
    _pin("P0", "DIO10/PWM0", 1, special="shows RSSI", analog="PWM output"),
    _pin("P1", "DIO11/PWM1", 0, special="SPI", analog="PWM output"),
    _pin("P2", "DIO12", 0, ALL & ~S1, special="SPI data out", analog="PWM"),
    _number("PR", 2, "pins with a pull resistor", PINS, 0x1FFF, of=ALL & ~S1,
            is_hexadecimal=True, bits=_PULLED),
    _number("PD", 2, "pins that are pulled up, not down", PINS, 0x1FFF, of=LATER | XBEE3,
            is_hexadecimal=True, bits=_PULLED),
    _number("PR", 1, "pins with a pull-up resistor, bits", PINS, None, of=S1, is_hexadecimal=True),
    _number("IC", 2, "pins whose change sends a sample", PINS, 0, of=ALL & ~S1,
            is_hexadecimal=True, bits=_LINES),
    _number("IC", 1, "pins whose change sends a sample", PINS, None, of=S1, is_hexadecimal=True,
            bits=_LINES[:8]),
    _number("IR", 2, "time between two samples", PINS, 0, (0, 0), (0x32, 0xFFFF),
            of=ZIGBEE | XBEE3, unit="ms", words={0: "none"}),
    _number("IR", 2, "time between two samples", PINS, None, of=ALL & ~ZIGBEE & ~XBEE3, unit="ms",
            words={0: "none"}),
    _number("AV", 1, "what its analog inputs are measured against", PINS, 0, (0, 2), of=XBEE3,
            words={0: "1.25 V", 1: "2.5 V", 2: "supply voltage"}),
    _number("V+", 2, "supply voltage below which samples have it", PINS, 0, of=ZIGBEE | DIGIMESH,
            is_hexadecimal=True),
    _number("RP", 1, "how long RSSI is shown", PINS, 0x28, factor=100, unit="ms"),
    _number("LT", 1, "how fast the associate LED blinks", PINS, 0, (0, 0), (0x14, 0xFF),
            of=ALL & ~S1, factor=10, unit="ms", words={0: "as usual"}),
    # --- what is done --------------------------------------------------------------------------
    _row(_B, "ND", 0, "search for nodes: one answer a node"),
    _row(_T, "DN", 20, "find one node by its identifier"),
    _row(_B, "IS", 0, "force an I/O sample"),
    _row(_A, "AC", 0, "apply queued changes"),
    _row(_A, "WR", 0, "write the settings to flash"),
    _row(_A, "RE", 0, "go back to the factory settings"),
    _row(_A, "FR", 0, "restart the module"),
    _row(_U, "NR", 1, "leave the network: 0 this node, 1 all nodes"),
    _row(_U, "CB", 1, "press the commissioning button so many times"),
    _row(_A, "CN", 0, "leave command mode"),
)  # fmt: skip


def _first(rows: Iterable[Parameter]) -> dict[str, Parameter]:
    table: dict[str, Parameter] = {}
    for row in rows:
        table.setdefault(row.name, row)
    return table


#: Every command by its name, as Zigbee modules have it if they do.
PARAMETERS: Mapping[str, Parameter] = _first(
    sorted(ROWS, key=lambda row: not row.of & ZIGBEE)  # which leaves the rest in order
)


@lru_cache(256)
def rows_of(module: Module) -> Mapping[str, Parameter]:
    """Return the commands that a module may have, by name; all if nobody knows which."""
    kind = module.kind
    if kind is None:
        return _first(ROWS)
    return _first(row for row in ROWS if row.of & kind)


def table_of(module: Module) -> list[Parameter]:
    """Return those of them that its table of settings has, in the order of `GROUPS`."""
    rows = [row for row in rows_of(module).values() if row.group]
    return sorted(rows, key=lambda row: GROUPS.index(row.group))
