"""One value that a node has said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite

#: The longest name and text of a value, characters.
MAX_NAME = 40
MAX_TEXT = 255

#: What a number measures, by its unit. The words are those of Home Assistant's device classes,
#: which other programs know as well.
KINDS = {
    "V": "voltage",
    "mV": "voltage",
    "A": "current",
    "mA": "current",
    "W": "power",
    "kW": "power",
    "Wh": "energy",
    "kWh": "energy",
    "VA": "apparent_power",
    "Hz": "frequency",
    "°C": "temperature",
    "°F": "temperature",
    "hPa": "pressure",
    "dBm": "signal_strength",
    "lx": "illuminance",
}

#: What matters most of several values, where there is room for one or few of them; numbers of other
#: kinds come behind those of the first two.
_FIRST = ("power", "temperature", "", "pressure", "illuminance", "apparent_power", "energy")

_UNFIT = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Value:
    """
    @ivar name: lower case letters, digits and underscores; at most `MAX_NAME`.
    @ivar value: a number that is finite, a text of at most `MAX_TEXT` characters, or a truth.
    @ivar unit: as `KINDS` writes it where it is there; empty for none.
    @ivar is_total: it only grows, until its counter begins anew: what it grows by can be added up.
    """

    name: str
    value: float | str | bool
    unit: str = ""
    is_total: bool = False

    @property
    def kind(self) -> str:
        """What it measures, empty if that is not known."""
        return KINDS.get(self.unit, "")

    @property
    def rank(self) -> int:
        """How much it matters among others, the least first."""
        if isinstance(self.value, str):
            return len(_FIRST) + 3
        if isinstance(self.value, bool) or not self.unit:
            return len(_FIRST) + 1 + isinstance(self.value, bool)
        return _FIRST.index(self.kind) if self.kind in _FIRST else len(_FIRST)

    @property
    def is_fit(self) -> bool:
        """Whether it is as said above: decoders may be anybody's."""
        if not self.name or len(self.name) > MAX_NAME or self.name != name_of(self.name):
            return False
        if isinstance(self.value, str):
            return len(self.value) <= MAX_TEXT
        return isinstance(self.value, bool | int | float) and isfinite(self.value)


def name_of(text: str) -> str:
    """Return a name for what a device calls something; empty if nothing is left of it."""
    return _UNFIT.sub("_", text[: 4 * MAX_NAME].lower()).strip("_")[:MAX_NAME].rstrip("_")
