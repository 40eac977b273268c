"""Whether clients are still there: those whose computer or network died say nothing of it, and some
stay without a word.

TCP asks silent ends whether they are there, but none to which something is on its way: of a
node that talks, clients that died would stay for a quarter of an hour. So all are looked at now and
then, and at once when a port is full. While nobody is connected there is no timer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, IReactorTime

if TYPE_CHECKING:
    from zbtwist.binding.client import NodeClient

#: Seconds between two looks, unless there is something to be seen sooner; and at the least.
LOOK_INTERVAL = 15.0
MIN_INTERVAL = 0.1


class Presence:
    """Of all clients of all nodes."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._clients: dict[NodeClient, None] = {}
        self._timer: IDelayedCall | None = None

    def opened(self, client: NodeClient) -> None:
        """A client is there."""
        self._clients[client] = None
        self._look_in(client.next_look(self._clock.seconds()))

    def closed(self, client: NodeClient) -> None:
        """It is gone."""
        self._clients.pop(client, None)
        if not self._clients and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def look_soon(self) -> None:
        """The settings have changed."""
        if self._clients:
            self._look_in(MIN_INTERVAL)

    def look_at(self, clients: Iterable[NodeClient]) -> float:
        """End those that are not there any more.

        @return: in how many seconds another one may not be.
        """
        now = self._clock.seconds()
        # They may be gone on the way.
        return min((client.next_look(now) for client in list(clients)), default=LOOK_INTERVAL)

    def _look_in(self, seconds: float) -> None:
        seconds = min(max(seconds, MIN_INTERVAL), LOOK_INTERVAL)
        if self._timer is None:
            self._timer = self._clock.callLater(seconds, self._look)
        elif self._timer.getTime() > self._clock.seconds() + seconds:
            self._timer.reset(seconds)

    def _look(self) -> None:
        self._timer = None
        wait = self.look_at(self._clients)
        if self._clients:
            self._look_in(wait)
