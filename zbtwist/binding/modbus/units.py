"""Which slave is meant by a unit identifier of Modbus TCP, where a port leads to several nodes."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass

from zbtwist.runtime.option import Context, Mistake
from zbtwist.xbee.address import Address64, AddressError, parse_address64

#: The unit identifiers that there are.
MAX_UNIT = 255

_FORM = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?=(?:(\d{1,3})@)?(.+)")


@dataclass(frozen=True)
class Units:
    """Unit identifiers in a row, which are slaves behind one node.

    @ivar first: the first of them.
    @ivar last: the last.
    @ivar slave: the address of the slave that they all are; None if each is its own.
    @ivar node: which node: its address, or its node identifier.
    """

    first: int
    last: int
    slave: int | None
    node: Address64 | str

    def __contains__(self, unit: int) -> bool:
        return self.first <= unit <= self.last


def units(text: str, context: Context) -> tuple[Units, ...]:
    """What an option has, a line each: ``UNIT=NODE``, ``UNIT-LAST=NODE`` or ``UNIT=SLAVE@NODE``."""
    return tuple(_units(line.strip()) for line in text.split("\n") if line.strip())


def _units(text: str) -> Units:
    form = _FORM.fullmatch(text)
    if form is None:
        raise Mistake(f"must be such as 1=PUMP, 2-9=TANK or 10=1@MIXER, and {text!r} is not.")
    first = int(form[1])
    last = int(form[2] or first)
    slave = int(form[3]) if form[3] else None
    if not (first <= last <= MAX_UNIT and (slave is None or slave <= MAX_UNIT)):
        raise Mistake(
            f"must have units from 0 to {MAX_UNIT}, in their order, and {text!r} has not."
        )
    node: Address64 | str = form[4].strip()
    with suppress(AddressError):
        node = parse_address64(str(node))
    return Units(first, last, slave, node)


def labels_of(table: tuple[Units, ...]) -> list[str]:
    """Return the node identifiers in a table."""
    return [row.node for row in table if isinstance(row.node, str)]
