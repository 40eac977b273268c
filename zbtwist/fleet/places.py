"""At which site a node is that several have in their tables.

It is at the one that has heard it last, and to be heard itself is worth more than what sites say of
that: their clocks may differ. At a site that is away a node is of no use: after as long as bytes
wait for one it is at the other site that knows it, if that is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.fleet.site import Site
from zbtwist.fleet.way import NodeWay

#: Seconds for which a node is at the site over which it was heard, or got a packet, whatever
#: another one says.
PROOF = 60.0

#: Seconds by which another site must have heard it later.
LATER = 5.0

#: Seconds for which a site is waited for that is away: its gateway may just be started anew, and to
#: move resets clients. Bytes for its nodes wait as long, unless `outage` is another one.
PATIENCE = 10.0

#: Seconds between two looks at the nodes, at least.
LOOK = 1.0


class Places:
    """Says it, and looks at all nodes again when a site has come or gone."""

    def __init__(
        self,
        clock: IReactorTime,
        ways: Callable[[], Iterable[NodeWay]],
        place: Callable[[NodeWay, Site | None], None],
    ) -> None:
        """
        @param ways: those to all nodes.
        @param place: is told at which site one is from now on.
        """
        self._clock = clock
        self._ways = ways
        self._place = place
        self._connected_at = clock.seconds()
        self._call: IDelayedCall | None = None

    def begin(self) -> None:
        """The broker is connected: since then sites are known to be away."""
        self._connected_at = self._clock.seconds()
        self.look_soon()

    def stop(self) -> None:
        """Look no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def look_soon(self, seconds: float = PATIENCE) -> None:
        """A site has come or gone."""
        if self._call is None:
            self._call = self._clock.callLater(seconds, self._look)

    def is_at(self, way: NodeWay, site: Site, last_seen: float, is_said: bool) -> bool:
        """Return whether a node is at a site that says when it has heard it, though it is at
        another one as far as is known. If not, that is remembered, if it is of use.

        @param is_said: whether the site says its stream.
        """
        if self._is_better(way, site, last_seen, is_said):
            return True
        if is_said:
            way.other = site, last_seen
        else:
            way.is_not_at(site)
        return False

    def _is_better(self, way: NodeWay, site: Site, last_seen: float, is_said: bool = True) -> bool:
        here = way.site
        if here is None or (is_said and self._left(here) <= 0 and not site.is_away):
            return True
        if site.is_known_away and not here.is_known_away:
            return False
        if self._clock.seconds() - way.proven_at < PROOF:
            return False
        return last_seen > way.seen + LATER

    def _left(self, site: Site) -> float:
        """Return for how many seconds a site is still waited for."""
        if not site.is_known_away:
            return PATIENCE
        return max(site.offline_since, self._connected_at) + PATIENCE - self._clock.seconds()

    def _look(self) -> None:
        self._call = None
        lefts = []
        for way in list(self._ways()):
            if way.other is None:
                continue
            site, last_seen = way.other
            here = way.site
            if not site.is_away and self._is_better(way, site, last_seen):
                self._place(way, site)
                way.seen = last_seen
                # What was proven was so elsewhere.
                way.proven_at = float("-inf")
                # How many packets there were, and whether its stream is said there.
                site.look()
            elif here is not None and here.is_known_away:
                left = self._left(here)
                if left > 0:
                    lefts.append(left)
        if lefts:
            self.look_soon(max(LOOK, min(lefts)))
