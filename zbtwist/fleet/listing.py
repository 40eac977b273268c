"""Nodes whose streams a site counts, and of which it has not said who they are.

What is kept of them may be lost: a broker drops what is more than it lets wait for one client, and
that may be less than there are nodes. So a site of which any is missing is asked for its list.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.fleet.site import Site
from zbtwist.fleet.site_requests import rows_in, said_in_row
from zbtwist.radio.errors import RadioError
from zbtwist.xbee.address import Address64

#: How many sites are asked at once.
AT_ONCE = 8

#: Takes what a site says of a node; None if it has forgotten it.
Described: TypeAlias = Callable[[Site, Address64, dict[str, Any] | None], None]


class Listing:
    """Asks for it."""

    log = Logger()

    def __init__(self, ask: Callable[[Site], Deferred[bytes]], described: Described) -> None:
        """
        @param ask: asks a site for ``list()``.
        @param described: is told what it says of a node.
        """
        self._ask = ask
        self._described = described
        self._turns = DeferredSemaphore(AT_ONCE)

    def look_at(self, site: Site) -> None:
        """Ask a site for its nodes, if any is missing."""
        if not site.is_away and not all(way.is_described for way in site.ways.values()):
            listing = self._turns.run(self._ask, site)
            listing.addCallback(partial(self._listed, site)).addErrback(self._failed)

    def _listed(self, site: Site, payload: bytes) -> None:
        for address64, row in rows_in(payload).items():
            way = site.ways.get(address64)
            if way is not None and not way.is_described:
                self._described(site, address64, said_in_row(row))

    def _failed(self, failure: Failure) -> None:
        if not failure.check(RadioError, CancelledError):
            self.log.failure("A site's nodes could not be listed", failure)
