"""Who hears whom, and how well: what the tables of the simulated modules tell.

Who is the first relay of a node hears it with the node's own `rssi`, as the coordinator hears those
that have none: it is what the radio measures when they speak. Beside these, routers hear each other
that are as far away from the coordinator or one hop nearer, and whose places on the circle, which
come from their addresses, are close together. An end device is heard by its parent alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2s
from typing import NamedTuple

from zbtwist.simulator.medium import IMedium
from zbtwist.simulator.packet import IModule
from zbtwist.xbee.address import Address64
from zbtwist.xbee.devices import END_DEVICE

#: Entries of a table of neighbours, the strongest; a real one has room for about as many.
MAX_NEIGHBOURS = 16

#: How far apart on the circle two may be who hear each other, in turns; and how strongly they hear
#: each other at no distance and at that one, in -dBm.
REACH = 0.12
NEAR, FAR = 45, 90

#: Signals at which the LQI is 255 and 0, in -dBm. The manuals do not say how it is measured.
_BEST, _WORST = 30, 100


class Heard(NamedTuple):
    """
    @ivar rssi: how strongly it is heard, in -dBm.
    """

    module: IModule
    rssi: int

    @property
    def lqi(self) -> int:
        """How well it is heard, 0 to 255."""
        share = (_WORST - self.rssi) / (_WORST - _BEST)
        return round(255 * min(1.0, max(0.0, share)))


def parent_of(module: IModule, network: IMedium) -> IModule | None:
    """Return whom a module gives its packets; None for the coordinator, which has none."""
    if module is network.radio:
        return None
    return module.relays[0] if module.relays else network.radio


def heard_by(module: IModule, network: IMedium) -> list[Heard]:
    """Return whom a module hears, the strongest first."""
    others: Iterable[IModule] = (network.radio, *network.nodes_in_pan)
    heard = [
        Heard(other, rssi)
        for other in others
        if other is not module
        and other.listening
        and (rssi := _rssi(module, other, network)) is not None
    ]
    # Its parent and its children it knows in any case.
    heard.sort(key=lambda one: (not _are_linked(module, one.module, network), one.rssi))
    return sorted(heard[:MAX_NEIGHBOURS], key=lambda one: one.rssi)


def _are_linked(one: IModule, other: IModule, network: IMedium) -> bool:
    return parent_of(one, network) is other or parent_of(other, network) is one


def _rssi(listener: IModule, speaker: IModule, network: IMedium) -> int | None:
    """How strongly one hears the other, in -dBm; None if not at all."""
    if parent_of(speaker, network) is listener:
        return speaker.rssi
    if parent_of(listener, network) is speaker:
        # It is as far in the other direction; how strong the transmitters are differs a little.
        return min(_WORST, listener.rssi + _turns(speaker.address64) % 5)
    if END_DEVICE in (listener.role, speaker.role) or network.radio in (listener, speaker):
        return None
    if abs(listener.hops - speaker.hops) > 1:
        return None
    apart = abs(_turns(listener.address64) - _turns(speaker.address64)) / 2**16
    apart = min(apart, 1 - apart)
    return round(NEAR + (FAR - NEAR) * apart / REACH) if apart <= REACH else None


def _turns(address64: Address64) -> int:
    """Where on the circle a module is, 0 to 65535."""
    digest = blake2s(address64.to_bytes(8, "big"), digest_size=2).digest()
    return int.from_bytes(digest, "big")
