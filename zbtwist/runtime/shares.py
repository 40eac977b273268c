"""Whose turn it is to go when all places are taken: nobody may lock all others out.

A place is what there is a bounded number of: a connection, a stream, a client of a node. While
there are enough, anybody has as many as he likes. When there are none left, whoever has the most
gives one up for somebody who has fewer. Places go by the address of the other end, since nothing
else tells strangers apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

from zbtwist.runtime.allowed import NETWORK_BITS, address_of

T = TypeVar("T")


def peer_of(address: object) -> str:
    """Return who is at an address, as far as it tells: empty if it says nothing.

    @param address: as a transport's ``getPeer`` returns it.
    """
    host = getattr(address, "host", None)
    if not isinstance(host, str):
        return ""
    number = address_of(address)
    if number is None:
        return host
    if number.version == 4:
        return str(number)
    return f"{int(number) >> (128 - NETWORK_BITS):x}::"


def who_gives_way(holders: Iterable[tuple[str, T]], newcomer: str) -> T | None:
    """Return who gives up a place for a newcomer; None if the newcomer gets none.

    @param holders: who has a place, by their `peer_of`, the oldest first. Of those of an address
        that has the most the latest one goes.
    @param newcomer: who wants one.
    """
    places = list(holders)
    counts = Counter(peer for peer, _ in places)
    most = max(counts.values(), default=0)
    if most <= counts[newcomer] + 1:
        return None
    return next(place for peer, place in reversed(places) if counts[peer] == most)
