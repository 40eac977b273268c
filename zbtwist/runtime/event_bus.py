"""What happens in the gateway, told to whoever wants to hear it.

An event is an object of a class of its own, which stands in the room where such things happen. Who
wants to hear of one kind subscribes to its class, and who wants to hear of all to `Event`. Nobody
has to come in a certain order: all subscribers are told of an event before anybody is told of the
next, also of one that a subscriber's own doing brings about.

An event that nobody wants costs a look into a dictionary, and its sentence is made only where
somebody reads it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import fields
from typing import Any, ClassVar, TypeAlias, TypeVar

from constantly import NamedConstant  # type: ignore[import-untyped]
from twisted.logger import Logger, LogLevel

#: A level of Twisted's log.
LogSeverity: TypeAlias = NamedConstant

#: A plain value: what JSON can say.
Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]


class Event:
    """Something that has happened; a frozen dataclass.

    @cvar name: what it is called for programs; it does not change.
    @cvar severity: how much it matters. What is `LogLevel.debug` is no line of the log, but told to
        those who follow the events; None is for subscribers alone.
    """

    name: ClassVar[str]
    severity: ClassVar[LogSeverity | None] = LogLevel.info

    @property
    def level(self) -> LogSeverity | None:
        """How much this one matters; see `severity`."""
        return self.severity

    @property
    def occurrences(self) -> int:
        """How often it has happened, if it is not told each time."""
        return 1

    @property
    def is_repeat(self) -> bool:
        """Whether it happens again and again, and the last of these tells as much as all."""
        return False

    def __str__(self) -> str:
        """What has happened, in a sentence."""
        raise NotImplementedError

    def values(self) -> dict[str, Plain]:
        """Return what is to be known of it, for programs."""
        return {each.name: plain(getattr(self, each.name)) for each in fields(self)}  # type: ignore[arg-type]


def plain(value: Any) -> Plain:
    """Return a value as JSON can say it: as it is, or in words."""
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


#: How often it is said that somebody failed who was told of a kind of events.
MAX_FAILURES = 10

E = TypeVar("E", bound=Event)
_Hear = Callable[[Any], None]


class EventBus:
    """Where events are published, and subscribed to."""

    log = Logger()

    def __init__(self) -> None:
        self._subscribers: dict[type[Event], list[_Hear]] = {Event: []}
        # What has happened while subscribers were being told of something else.
        self._untold: deque[Event] = deque()
        self._is_telling = False
        # There are no more of them than classes of events.
        self._failures: Counter[str] = Counter()

    def subscribe(self, kind: type[E], hear: Callable[[E], None]) -> None:
        """Call `hear` with each event of a class from now on; of `Event` for all of them."""
        self.subscribers(kind).append(hear)

    def unsubscribe(self, kind: type[E], hear: Callable[[E], None]) -> None:
        """Call it no more."""
        self.subscribers(kind).remove(hear)

    def subscribers(self, kind: type[Event]) -> list[_Hear]:
        """Return those who hear of a class of events, now and later: for who would rather not make
        an event that nobody wants.
        """
        return self._subscribers.setdefault(kind, [])

    def publish(self, event: Event) -> None:
        """Tell all who want to hear of it. One who fails is a line in the log."""
        self._untold.append(event)
        if self._is_telling:
            return
        self._is_telling = True
        try:
            while self._untold:
                self._tell(self._untold.popleft())
        finally:
            self._is_telling = False

    def _tell(self, event: Event) -> None:
        # A copy: who hears of something may be told to hear no more. The log comes first: what
        # others say when they hear of it is to be read behind it.
        for hear in [*self._subscribers[Event], *self._subscribers.get(type(event), ())]:
            try:
                hear(event)
            except Exception:  # noqa: PERF203
                self._failed(event)

    def _failed(self, event: Event) -> None:
        self._failures[event.name] += 1
        if self._failures[event.name] < MAX_FAILURES:
            self.log.failure("Somebody could not be told of {name}", name=event.name)
        elif self._failures[event.name] == MAX_FAILURES:
            self.log.failure(
                "Somebody could not be told of {name} for the {count}th time; it is said no more",
                name=event.name,
                count=MAX_FAILURES,
            )
