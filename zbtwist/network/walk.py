"""Asking all routers whom they hear, slowly, in the order in which the table of nodes has them.

A router with 16 neighbours is about ten questions. One a minute over the whole network, as many as
`zbtwist.health.questions` asks, is less than a thousandth of the air; whoever is in a hurry says
so. The local radio comes first, which costs no air. While the radio is away the walk waits for it.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.network.events import WalkBegan, WalkEnded
from zbtwist.network.neighbours import Neighbours, NotAsked
from zbtwist.network.table import NodeTable
from zbtwist.radio.errors import RadioError, RadioOffline
from zbtwist.radio.interfaces import IRadio
from zbtwist.xbee import devices
from zbtwist.xbee.address import Address64

#: Seconds between two questions, if nobody says another number; and what he may say.
PAUSE = 60.0
MIN_PAUSE, MAX_PAUSE = 0.25, 3600.0
#: Seconds until it is tried again, when the radio is away.
AWAY_PAUSE = 10.0


class Walk:
    """
    @ivar running: whether one goes on.
    @ivar began: when the last one began, seconds since 1970; 0 if there was none.
    @ivar pause: seconds between two of its questions.
    @ivar total: how many modules it has to ask.
    @ivar asked: how many it has asked.
    @ivar told: how many of them have told.
    @ivar problem: why the last one ended before its time, or does not go on, in a sentence.
    """

    log = Logger()

    def __init__(
        self, clock: IReactorTime, radio: IRadio, nodes: NodeTable, neighbours: Neighbours
    ) -> None:
        self._clock = clock
        self._radio = radio
        self._nodes = nodes
        self._neighbours = neighbours
        self._work: Deferred[None] | None = None
        self._began_at = 0.0
        self.began = 0.0
        self.pause = PAUSE
        self.total = self.asked = self.told = 0
        self.problem = ""

    @property
    def running(self) -> bool:
        return self._work is not None

    @property
    def seconds_left(self) -> float:
        """How long it will go on, by how long it has taken so far; 0 if nobody can say."""
        if self._work is None or not self.asked:
            return 0.0
        took = self._clock.seconds() - self._began_at
        return took / self.asked * (self.total - self.asked)

    def begin(self, pause: float = PAUSE) -> None:
        """Begin anew, unless one goes on: that has this pause then.

        @param pause: seconds between two questions, `MIN_PAUSE` to `MAX_PAUSE`.
        """
        self.pause = pause
        facts = self._radio.facts
        if self._work is not None or facts is None:
            return
        routers = [
            node.address64
            for node in self._nodes
            if node.role in (devices.ROUTER, devices.COORDINATOR)
        ]
        todo = [facts.address64, *routers]
        self.began, self._began_at = self._nodes.wall(), self._clock.seconds()
        self.total, self.asked, self.told = len(todo), 0, 0
        self.problem = ""
        self._nodes.bus.publish(WalkBegan(self.total, pause))
        work = self._work = Deferred.fromCoroutine(self._walk(todo))
        work.addErrback(self._failed).addBoth(self._ended)

    def end(self) -> None:
        """End it, if it goes on."""
        if self._work is not None:
            self._work.cancel()

    async def _walk(self, todo: list[Address64]) -> None:
        for address64 in todo:
            # At first as well: nothing of it happens before who began it knows that it runs.
            await deferLater(self._clock, self.pause if self.asked else 0.0)
            while not await self._ask(address64):
                await deferLater(self._clock, AWAY_PAUSE)
            self.asked += 1

    async def _ask(self, address64: Address64) -> bool:
        """Ask one module. Return whether it is done with."""
        try:
            await self._neighbours.ask(address64, self.pause)
            self.told += 1
        except RadioOffline as error:
            self.problem = str(error)
            return False
        except (NotAsked, RadioError):
            # What became of it is with its tables.
            pass
        self.problem = ""
        return True

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.problem = "The gateway failed; look into its log for the reason."
            self.log.failure("The walk over the routers failed", failure=failure)

    def _ended(self, result: object) -> None:
        self._work = None
        seconds = self._clock.seconds() - self._began_at
        self._nodes.bus.publish(WalkEnded(self.asked, self.told, seconds, self.asked == self.total))
