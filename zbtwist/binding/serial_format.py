"""How characters are on a serial line: rate, data bits, parity, stop bits; as RFC 2217 names them,
and as the registers of a module do.

A module's line always has eight data bits. A character of seven with a parity bit has as many bits,
and is the same on the line if that bit is made here: so a module can have 7E1, 7O1, 7M1 and 7S1,
each also with two stop bits, and 7N2, but not 7N1, nor five bits or six.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

from zbtwist.xbee.at import BAUD_RATES, baud_rate_of


class Parity(IntEnum):
    """As RFC 2217 numbers them ("SET-PARITY")."""

    NONE = 1
    ODD = 2
    EVEN = 3
    MARK = 4
    SPACE = 5


#: NB by parity (90001539 and 90000982, "NB"). Only S1 has space; the others refuse it.
_NB = {Parity.NONE: 0, Parity.EVEN: 1, Parity.ODD: 2, Parity.MARK: 3, Parity.SPACE: 4}
_PARITY = {nb: parity for parity, nb in _NB.items()}

#: The least rate that is no entry of the table of BD (90000982 and 90000976, "BD").
_LEAST_RATE = 0x100

#: The registers of the line.
LINE_COMMANDS = ("BD", "NB", "SB")

#: The fields of a `SerialFormat`.
FORMAT: tuple[str, ...] = ("baud", "data_bits", "parity", "stop_bits")

#: Flow control of what goes to the device, and of what comes from it, and their pins: RTS stops the
#: module, and by CTS it stops its device (90001539, "D6" and "D7").
OUT_FLOW: str = "out_flow"
IN_FLOW: str = "in_flow"
FLOW_PINS: Mapping[str, str] = {OUT_FLOW: "D6", IN_FLOW: "D7"}


@dataclass(frozen=True, slots=True)
class SerialFormat:
    """
    @ivar baud: bits per second.
    @ivar data_bits: 8, or 7 if the gateway makes the parity bit.
    @ivar parity: a `Parity`.
    @ivar stop_bits: 1 or 2.
    """

    baud: int
    data_bits: int
    parity: Parity
    stop_bits: int

    @classmethod
    def of_registers(cls, bd: int, nb: int, sb: int) -> SerialFormat:
        """Return what a module's registers mean."""
        return cls(baud_rate_of(bd), 8, _PARITY.get(nb, Parity.NONE), 2 if sb else 1)

    @property
    def registers(self) -> Mapping[str, int] | None:
        """The registers of a module by their commands; None if it cannot have that."""
        if self.data_bits == 8:
            nb, sb = _NB[self.parity], self.stop_bits - 1
        elif self.parity is not Parity.NONE:
            # The bit of the parity is the eighth of the module's.
            nb, sb = 0, self.stop_bits - 1
        elif self.stop_bits == 2:
            # The first of them is.
            nb, sb = 0, 0
        else:
            return None
        bd = bd_of(self.baud)
        return None if bd is None else dict(zip(LINE_COMMANDS, (bd, nb, sb)))

    @property
    def bits_of_character(self) -> int:
        """With start, parity and stop bits."""
        return 1 + self.data_bits + (self.parity is not Parity.NONE) + self.stop_bits

    @property
    def compact(self) -> str:
        """The same as ser2net writes it: ``9600N81``."""
        return f"{self.baud}{self.parity.name[0]}{self.data_bits}{self.stop_bits}"

    def __str__(self) -> str:
        return f"{self.baud} {self.data_bits}{self.parity.name[0]}{self.stop_bits}"


def bd_of(baud: int) -> int | None:
    """Return the BD of a rate, which may be the rate itself; None if there is none."""
    if baud in BAUD_RATES:
        return BAUD_RATES.index(baud)
    return baud if _LEAST_RATE <= baud < 1 << 32 else None


def changed(now: SerialFormat, asked: Mapping[str, int]) -> SerialFormat:
    """Return a format with what is asked for, as far as a module can have it together.

    @param asked: new values of the fields, by their names; any numbers.
    """
    baud = asked.get("baud", now.baud)
    if bd_of(baud) is None:
        baud = now.baud
    data_bits = asked.get("data_bits", now.data_bits)
    parity = asked.get("parity", now.parity)
    stop_bits = asked.get("stop_bits", now.stop_bits)
    wanted = SerialFormat(
        baud,
        data_bits if data_bits in (7, 8) else now.data_bits,
        Parity(parity) if parity in _NB else now.parity,
        stop_bits if stop_bits in (1, 2) else now.stop_bits,
    )
    if wanted.registers is None and "data_bits" in asked:
        # Seven bits are what cannot be, and what else was asked for can.
        wanted = replace(wanted, data_bits=8)
    if wanted.registers is None:
        wanted = replace(now, baud=baud)
    return wanted


class SevenBits:
    """Seven data bits and a parity bit, in bytes as a module has them.

    @ivar to_line: a table for `bytes.translate`: what a client writes, with the bit of the parity.
    @ivar from_line: the contrary, without it.
    @ivar good: the bytes whose parity is right.
    """

    def __init__(self, parity: Parity) -> None:
        """
        @param parity: with `Parity.NONE` the bit is the first of two stop bits.
        """
        self.parity = parity
        self.to_line = bytes(_with_parity(byte & 0x7F, parity) for byte in range(256))
        self.from_line = bytes(byte & 0x7F for byte in range(256))
        self.good = self.to_line[:128]


def _with_parity(byte: int, parity: Parity) -> int:
    is_odd = bool(byte.bit_count() & 1)
    is_set = {
        Parity.NONE: True,
        Parity.MARK: True,
        Parity.SPACE: False,
        Parity.EVEN: is_odd,
        Parity.ODD: not is_odd,
    }[parity]
    return byte | is_set << 7
