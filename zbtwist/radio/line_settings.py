"""How a serial line is opened, on this computer or at a serial server, and the words by which
endpoint strings say it.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_BAUD_RATE = 9600

#: What a character may have behind its eight data bits.
PARITIES = ("none", "even", "odd", "mark", "space")

#: What becomes of the lines DTR and RTS when the port is opened: they stay as they are, or are set.
HOLD, ON, OFF = "hold", "on", "off"
LINE_STATES = (HOLD, ON, OFF)


@dataclass(frozen=True)
class LineSettings:
    """
    @ivar baud_rate: bits per second, None if it is to be found out.
    @ivar rtscts: honour the RTS and CTS lines.
    @ivar low_latency: have the driver pass on what comes at once, if it can.
    @ivar parity: one of `PARITIES`; there are eight data bits beside it.
    @ivar stop_bits: 1 or 2.
    @ivar dtr: what becomes of DTR, one of `LINE_STATES`.
    @ivar rts: the same of RTS; it does not count with `rtscts`.
    """

    baud_rate: int | None = DEFAULT_BAUD_RATE
    rtscts: bool = False
    low_latency: bool = True
    parity: str = PARITIES[0]
    stop_bits: int = 1
    dtr: str = ON
    rts: str = ON

    @property
    def first_rate(self) -> int:
        """Bits per second with which the line is opened."""
        return self.baud_rate or DEFAULT_BAUD_RATE

    def words(self) -> dict[str, str]:
        """Return what an endpoint string says for it."""
        return {
            "baudrate": str(self.baud_rate or "auto"),
            "rtscts": "yes" if self.rtscts else "no",
            "lowlatency": "yes" if self.low_latency else "no",
            "parity": self.parity,
            "stopbits": str(self.stop_bits),
            "dtr": self.dtr,
            "rts": self.rts,
        }


def settings_of(words: dict[str, str], kind: str) -> LineSettings:
    """Return what the words of an endpoint string say; what is not said is as by default.

    @param kind: of the endpoint, such as ``serial``.
    @raise ValueError: a word is wrong.
    """
    said = {**LineSettings().words(), **words}
    choices = {
        "rtscts": ("yes", "no"),
        "lowlatency": ("yes", "no"),
        "parity": PARITIES,
        "stopbits": ("1", "2"),
        "dtr": LINE_STATES,
        "rts": LINE_STATES,
    }
    unknown = [name for name in words if name != "baudrate" and name not in choices]
    if unknown:
        *others, last = ("baudrate", *choices)
        raise ValueError(
            f"{kind}: has no option {', '.join(unknown)}; it takes {', '.join(others)} and {last}"
        )
    rate = said["baudrate"]
    if rate != "auto" and (not rate.isdecimal() or int(rate) == 0):
        raise ValueError(f"baudrate must be auto or a number of bits per second, not {rate!r}")
    for name, allowed in choices.items():
        if said[name] not in allowed:
            *others, last = allowed
            raise ValueError(f"{name} must be {', '.join(others)} or {last}, not {said[name]!r}")
    return LineSettings(
        None if rate == "auto" else int(rate),
        said["rtscts"] == "yes",
        said["lowlatency"] == "yes",
        said["parity"],
        int(said["stopbits"]),
        said["dtr"],
        said["rts"],
    )
