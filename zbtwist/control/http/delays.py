"""How long whoever tried wrong passwords must wait for the next try.

It is counted by address, and for IPv6 by what one subscriber has. A try counts when it begins, so
that many at once are many, and a right one takes nothing but its own count back: who has one
password must not use it to try others.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network

from twisted.internet.interfaces import IReactorTime

from zbtwist.runtime.allowed import NETWORK_BITS, address_of

#: Tries for which nobody waits.
FREE = 5

#: Seconds to wait after the one that follows, and at the most; each further one doubles them.
FIRST = 1.0
LONGEST = 60.0

#: Seconds after the last try until all are forgotten, and how many addresses are remembered.
FORGOTTEN = 600.0
MAX_ADDRESSES = 1024


def place_of(peer: object) -> str:
    """Return what the tries of a peer are counted by.

    @param peer: an `IAddress`.
    """
    address = address_of(peer)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, NETWORK_BITS), strict=False))
    return str(address) if address is not None else type(peer).__name__


@dataclass(slots=True)
class _Tries:
    count: int = 0
    last: float = 0.0
    until: float = 0.0


class Delays:
    """The tries of all addresses."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        # Who tried last is the last.
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tries)

    def wait(self, place: str) -> float:
        """Return the seconds until a try may be; 0 for now."""
        tries = self._tries.get(place)
        return max(0.0, tries.until - self._clock.seconds()) if tries is not None else 0.0

    def begin(self, place: str) -> None:
        """A try begins: it is wrong until it is right."""
        now = self._clock.seconds()
        tries = self._tries.pop(place, None)
        if tries is None or now - tries.last > FORGOTTEN:
            tries = _Tries()
        self._tries[place] = tries
        tries.count += 1
        tries.last = now
        surplus = tries.count - FREE
        if surplus > 0:
            tries.until = now + min(LONGEST, FIRST * 2 ** min(surplus - 1, 16))
        while len(self._tries) > MAX_ADDRESSES:
            self._tries.popitem(last=False)

    def right(self, place: str) -> None:
        """A try that has begun was right, or could not be made."""
        tries = self._tries.get(place)
        if tries is not None:
            tries.count -= 1
            tries.until = 0.0
            if tries.count <= 0:
                del self._tries[place]
