"""How many lines of one kind, and of one node, are written into the log: so that nobody can fill a
disk with it, or drown what else it says.

All lines pass here, whoever says them: what is published on the bus, what the gateway says besides,
and what Twisted does. Each source, which is a kind of line and the node that it is about, may say
some at once and then some a minute. What is more is counted for a while, and one line says how many
there were, with the first of them. A line that is held back is not made into text.

One source takes nothing from another. What a radio invents are nodes, though, and each would be a
source of its own; and a client can bring about a warning at the port of each node that has one. So
what is said of nodes has a rate of its kind as well, for all of them together. It is one that a
network seldom reaches which nobody attacks. Warnings and errors have one of their own beside that
of the other lines of their kind: these hide no warning, however many they are.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from threading import RLock
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import ILogObserver, LogEvent, LogLevel
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.network.node import Node
from zbtwist.observing.event_log import text_of
from zbtwist.runtime.event_bus import Event

#: Seconds that lines are held back before it is said how many there were.
HOLD = 60.0

#: How many sources are remembered at once, and how many kinds. One is as good as forgotten when it
#: may say as much at once as in the beginning: after one line that is in ten seconds.
MAX_SOURCES = 10_000
MAX_KINDS = 1000


@dataclass(frozen=True)
class Rate:
    """
    @ivar at_once: how many lines there may be at once.
    @ivar a_minute: how many a minute after those.
    """

    at_once: int
    a_minute: int

    @property
    def a_second(self) -> float:
        return self.a_minute / 60


#: Of one kind and node. All 64 clients of a port may come back at once after an outage, and a
#: client that comes anew every ten seconds, or six of which each does so every minute, are told of
#: each time: what is more is a storm.
OF_ONE = Rate(100, 6)

#: Of one kind, of all nodes: a network of 4096 that is found for the first time is told of whole,
#: and so are 600 clients each of which comes anew every minute. A warning that some hundred nodes
#: have each, over and over, is all there.
OF_ALL = Rate(5000, 600)


class _Hold:
    """Lines that are held back.

    @ivar until: when it is said how many they were, in seconds of the clock.
    @ivar count: how many they are so far.
    @ivar level, namespace, text: of the first of them.
    """

    __slots__ = ("count", "level", "namespace", "text", "until")

    def __init__(self, until: float, event: LogEvent) -> None:
        self.until = until
        self.count = 0
        self.level = event.get("log_level") or LogLevel.info
        self.namespace = event.get("log_namespace")
        # At once, so that nothing it speaks of is kept alive.
        self.text = text_of(event)


class _Account:
    """What one source may say now.

    @ivar rate: what it may say in the long run.
    @ivar hold: the lines that are held back; None if none are.
    """

    __slots__ = ("_at", "_left", "hold", "rate")

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self.hold: _Hold | None = None
        self._left = float(rate.at_once)
        self._at = now

    def left(self, now: float) -> float:
        """How many lines it may say at once."""
        # A clock that was set back gives nothing.
        grown = max(0.0, now - self._at) * self.rate.a_second
        return min(self.rate.at_once, self._left + grown)

    def take(self, now: float) -> bool:
        """Return whether it may say a line; then it has said it."""
        left = self.left(now)
        may = left >= 1
        self._left, self._at = left - may, now
        return may

    def is_idle(self, now: float) -> bool:
        """Whether it is as one of which nothing is remembered."""
        return self.hold is None and self.left(now) >= self.rate.at_once


class _Accounts:
    """Those of a bounded number of sources."""

    def __init__(self, rate: Rate, maximum: int) -> None:
        self.rate = rate
        self._maximum = maximum
        self._accounts: dict[Hashable, _Account] = {}
        self._not_before = 0.0

    def __len__(self) -> int:
        return len(self._accounts)

    def get(self, source: Hashable, now: float) -> _Account | None:
        """Return the account of a source; None if there are too many others."""
        account = self._accounts.get(source)
        if account is None:
            if len(self._accounts) >= self._maximum and now >= self._not_before:
                self._forget_idle(now)
            if len(self._accounts) < self._maximum:
                account = self._accounts[source] = _Account(self.rate, now)
        return account

    def _forget_idle(self, now: float) -> None:
        # All are looked at, so not for each line: none is idle sooner than after one line's time.
        self._not_before = now + 1 / self.rate.a_second
        self._accounts = {
            source: account
            for source, account in self._accounts.items()
            if not account.is_idle(now)
        }


@implementer(ILogObserver)
class RatedLog:
    """Passes on to an observer of the log what its rate allows."""

    def __init__(
        self,
        observer: ILogObserver,
        reactor: Any,
        maximum: int = MAX_SOURCES,
        maximum_kinds: int = MAX_KINDS,
    ) -> None:
        """
        @param observer: writes the lines.
        @param reactor: keeps the time, by a clock that nobody sets; calls what comes from threads.
        @param maximum: how many sources are remembered; what there are more go by the rate of
            their kind.
        @param maximum_kinds: how many kinds; what there are more have one rate together.
        """
        self._observer = observer
        self._reactor = reactor
        self._sources = _Accounts(OF_ONE, maximum)
        self._kinds = _Accounts(OF_ALL, maximum_kinds)
        self._rest = _Account(OF_ALL, reactor.seconds())
        # Those with lines that are held back, in the order in which it is said. All wait as long.
        self._holding: deque[_Account] = deque()
        self._timer: IDelayedCall | None = None
        # Whoever logs in another thread calls the observers there; what writes may log as well.
        self._lock = RLock()

    def __call__(self, event: LogEvent) -> None:
        with self._lock:
            now = self._reactor.seconds()
            self._say_what_is_due(now)
            if self._may_say(event, now):
                self._observer(event)

    def _may_say(self, event: LogEvent, now: float) -> bool:
        kind, node = source_of(event)
        source = self._sources.get((kind, node), now)
        if source is not None and not self._take(source, event, now):
            return False
        if source is not None and node is None:
            return True
        of_all = self._kinds.get((kind, _is_warning(event)), now) or self._rest
        return self._take(of_all, event, now)

    def _take(self, account: _Account, event: LogEvent, now: float) -> bool:
        hold = account.hold
        if hold is None:
            if account.take(now):
                return True
            hold = account.hold = _Hold(now + HOLD, event)
            self._holding.append(account)
            if len(self._holding) == 1:
                self._reactor.callFromThread(self._set_timer)
        hold.count += 1
        return False

    def _set_timer(self) -> None:
        with self._lock:
            if self._timer is None and self._holding:
                hold = self._holding[0].hold
                assert hold is not None
                wait = max(0.0, hold.until - self._reactor.seconds())
                self._timer = self._reactor.callLater(wait, self._timer_is_over)

    def _timer_is_over(self) -> None:
        with self._lock:
            self._timer = None
            try:
                self._say_what_is_due(self._reactor.seconds())
            finally:
                # Also if it could not be written.
                self._set_timer()

    def _say_what_is_due(self, now: float) -> None:
        while self._holding:
            account = self._holding[0]
            hold = account.hold
            assert hold is not None
            if hold.until > now:
                break
            self._holding.popleft()
            account.hold = None
            self._say(hold, account.rate is OF_ALL, HOLD + now - hold.until)

    def _say(self, hold: _Hold, is_of_all: bool, seconds: float) -> None:
        self._observer(
            {
                "log_level": hold.level,
                "log_namespace": hold.namespace,
                "log_time": time.time(),
                "log_format": "… and {count} more like this{whose} in the last {seconds} s: {text}",
                "count": f"{hold.count:,}",
                "whose": " of several nodes" if is_of_all else "",
                "seconds": f"{seconds:.0f}",
                "text": hold.text,
            }
        )

    def finish(self) -> None:
        """Say what is held back, since the program ends."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            now = self._reactor.seconds()
            while self._holding:
                account = self._holding.popleft()
                hold, account.hold = account.hold, None
                assert hold is not None
                self._say(hold, account.rate is OF_ALL, max(1.0, HOLD + now - hold.until))


def rated(observer: ILogObserver, reactor: Any) -> ILogObserver:
    """Return what an observer of the log is to be called by, to the end of the program."""
    log = RatedLog(observer, reactor)
    reactor.addSystemEventTrigger("after", "shutdown", log.finish)
    return log


def source_of(event: LogEvent) -> tuple[Hashable, int | None]:
    """Return of which kind a line of the log is, and the address of the node that it is about; None
    if it is about none.
    """
    happened = event.get("event")
    if isinstance(happened, Event):
        return happened.name, _address(getattr(happened, "node", None))
    # What is said in a place of the program is one kind; an exception is one where it was raised.
    failure = event.get("log_failure") or event.get("failure")
    place: Hashable = None
    if isinstance(failure, Failure):
        raised_at = failure.frames[-1][1:3] if failure.frames else None
        place = (failure.type, raised_at)
    said = (event.get("log_namespace"), event.get("log_level"), event.get("log_format"))
    return (said, place), _address(event.get("node"))


def _address(node: object) -> int | None:
    return node.address64 if isinstance(node, Node) else None


def _is_warning(event: LogEvent) -> bool:
    level = event.get("log_level")
    return level is not None and level >= LogLevel.warn
