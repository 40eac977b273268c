"""When the gateway asks which node: see `zbtwist.binding.asking.poll`.

Each node is asked in its own interval, and has one question under way at the most: what was not
answered in time is not asked for twice. The air is shared by all, so all nodes together are asked
no more often than every `PAUSE` seconds, and `MAX_UNDER_WAY` of them at once. Who is too many for
that is asked later, and as often as the others. A node that does not answer, or says nothing that
its decoder finds values in, is asked less and less often, and such nodes have one place for
themselves alone: they keep nobody waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import count

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from zbtwist.binding.asking.poll import Poller
from zbtwist.binding.port import NodePort
from zbtwist.binding.stream_events import PollAnswered, PollUnanswered
from zbtwist.decoding.events import ValuesDecoded
from zbtwist.network.node import Node
from zbtwist.runtime.early import EARLY
from zbtwist.runtime.event_bus import EventBus

#: Seconds from one question to the next, to whichever nodes. A question to a meter and its answer
#: have the air for 40 to 170 ms over one hop (9 to 19 ms a packet).
PAUSE = 0.25

#: Nodes that are asked at once, and how many of them may be such as do not answer.
MAX_UNDER_WAY = 4
MAX_DOUBTFUL = 1

#: Questions in a row without an answer from which on a node is said not to answer, and is asked
#: less often; by how much more each time, and the longest time, in seconds, unless its own is
#: longer.
UNANSWERED = 2
BACKOFF_FACTOR = 2
MAX_BACKOFF = 3600.0

#: Seconds within which all are asked for the first time, if they are not too many.
SPREAD = 30.0

#: Seconds until it is looked again whether a radio is back.
AWAY_LOOK = 1.0

# Its multiples are well spread over an interval.
_GOLDEN_RATIO = 0.6180339887


class _Asked:
    """A node that is asked.

    @ivar every: seconds from one question to the next.
    @ivar due: when the next one is, seconds of the clock.
    @ivar begun: when the last one was.
    @ivar decoder: what makes values of the answers; empty for nothing.
    @ivar failures: questions in a row that were not answered.
    @ivar has_told: it has told values since it was asked last.
    """

    __slots__ = (
        *("begun", "decoder", "due", "every", "failures"),
        *("has_told", "is_gone", "pieces", "poller"),
    )

    def __init__(self, poller: Poller, every: float, pieces: Sequence[bytes], decoder: str) -> None:
        self.poller = poller
        self.decoder = decoder
        self.has_told = False
        self.every = every
        self.pieces = pieces
        self.due = self.begun = 0.0
        self.failures = 0
        self.is_gone = False

    @property
    def is_doubtful(self) -> bool:
        return self.failures >= UNANSWERED


class Schedule:
    """Asks the nodes of which the settings say so. Without one there is no timer."""

    log = Logger()

    def __init__(self, clock: IReactorTime, bus: EventBus) -> None:
        self._clock = clock
        self._bus = bus
        self._nodes: dict[NodePort, _Asked] = {}
        self._by_poller: dict[Poller, _Asked] = {}
        self._by_node: dict[Node, _Asked] = {}
        # Those that wait: who answers, and who does not. What is not up to date any more is left
        # out when its turn comes.
        self._good: list[tuple[float, int, _Asked]] = []
        self._doubtful: list[tuple[float, int, _Asked]] = []
        self._numbers = count()
        self._under_way = 0
        self._doubtful_under_way = 0
        self._next_at = 0.0
        self._timer: IDelayedCall | None = None
        # Questions a second that all nodes together want, and whether they are said to be too many.
        self._demand = 0.0
        self._is_too_much = False
        self._going = False

    # --- who is asked --------------------------------------------------------------------------

    def look_at(self, port: NodePort) -> None:
        """A port is new, or has other settings."""
        settings = port.outbound.settings
        pieces = settings.question if settings.ask_every else ()
        asked = self._nodes.get(port)
        if not pieces:
            if asked is not None:
                self.end(port)
            return
        wanted = (settings.ask_every, pieces, settings.decoder)
        if asked is not None and (asked.every, asked.pieces, asked.decoder) == wanted:
            return
        self.end(port)
        if not self._nodes:
            self._bus.subscribe(ValuesDecoded, self._decoded)
        poller = Poller(port, self._ended)
        asked = self._nodes[port] = _Asked(poller, *wanted)
        self._by_poller[poller] = self._by_node[port.node] = asked
        phase = (port.node.address64 & 0xFFFF) * _GOLDEN_RATIO % 1
        asked.due = self._clock.seconds() + phase * min(asked.every, SPREAD)
        self._demanded(1 / asked.every)
        self._put(asked)
        self._go_on()

    def end(self, port: NodePort) -> None:
        """A port goes away, or its node is not to be asked any more."""
        asked = self._nodes.pop(port, None)
        if asked is None:
            return
        asked.is_gone = True
        self._demanded(-1 / asked.every)
        asked.poller.stop()
        del self._by_poller[asked.poller], self._by_node[port.node]
        if not self._nodes:
            self._bus.unsubscribe(ValuesDecoded, self._decoded)
            self._stop_waiting()

    def _decoded(self, event: ValuesDecoded) -> None:
        asked = self._by_node.get(event.node)
        if asked is not None:
            asked.has_told = True

    def _demanded(self, more: float) -> None:
        self._demand += more
        is_too_much = self._demand > 1 / PAUSE + EARLY
        if is_too_much and not self._is_too_much:
            self.log.warn(
                "Nodes are to be asked more than {rate:g} times a second in all, which is more "
                "than the air is given for that: each is asked less often than ask-every says.",
                rate=1 / PAUSE,
            )
        self._is_too_much = is_too_much

    # --- asking --------------------------------------------------------------------------------

    def _put(self, asked: _Asked) -> None:
        heap = self._doubtful if asked.is_doubtful else self._good
        heappush(heap, (asked.due, next(self._numbers), asked))

    def _first(self, heap: list[tuple[float, int, _Asked]]) -> float | None:
        """Return when the first one that waits there is due; None if nobody does."""
        while heap and heap[0][2].is_gone:
            heappop(heap)
        return heap[0][0] if heap else None

    def _next(self) -> tuple[float, list[tuple[float, int, _Asked]]] | None:
        """Return when and where the next one is taken from; None if nobody can be asked now."""
        if self._under_way >= MAX_UNDER_WAY:
            return None
        heaps = [self._good]
        if self._doubtful_under_way < MAX_DOUBTFUL:
            heaps.append(self._doubtful)
        waiting = [(due, heap) for heap in heaps if (due := self._first(heap)) is not None]
        return min(waiting, key=lambda each: each[0], default=None)

    def _go_on(self) -> None:
        """Ask who is due, and wait for the next one. Whoever is asked may call back meanwhile."""
        if self._going:
            return
        self._going = True
        try:
            while (found := self._next()) is not None:
                now = self._clock.seconds()
                when = max(found[0], self._next_at)
                if when > now + EARLY:
                    self._wait(when - now)
                    return
                asked = found[1][0][2]
                if asked.poller.port.outbound.is_radio_away:
                    self._wait(AWAY_LOOK)
                    return
                heappop(found[1])
                self._ask(asked, now)
            self._stop_waiting()
        finally:
            self._going = False

    def _ask(self, asked: _Asked, now: float) -> None:
        self._next_at = now + PAUSE
        asked.begun = now
        asked.has_told = False
        self._under_way += 1
        self._doubtful_under_way += asked.is_doubtful
        asked.poller.ask(asked.pieces)

    def _ended(self, poller: Poller, why: str | None) -> None:
        asked = self._by_poller[poller]
        self._under_way -= 1
        self._doubtful_under_way -= asked.is_doubtful
        node = poller.port.node
        wait = asked.every
        if why == "" and asked.decoder and not asked.has_told:
            why = (
                f"It answers, and the decoder {asked.decoder} finds nothing in that. Is its serial "
                "line set up as its device's (BD, NB)?"
            )
        if why == "":
            if asked.is_doubtful:
                self._bus.publish(PollAnswered(node))
            asked.failures = 0
        elif why is not None:
            asked.failures += 1
            if asked.failures == UNANSWERED:
                self._bus.publish(PollUnanswered(node, why))
            more = BACKOFF_FACTOR ** min(max(0, asked.failures - UNANSWERED + 1), 16)
            wait = max(wait, min(wait * more, MAX_BACKOFF))
        if not asked.is_gone:
            # Not in the same moment, however late it is.
            asked.due = max(asked.begun + wait, self._clock.seconds() + PAUSE)
            self._put(asked)
            self._go_on()

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = self._clock.callLater(seconds, self._awake)

    def _awake(self) -> None:
        self._timer = None
        self._go_on()

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
