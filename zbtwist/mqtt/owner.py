"""Whoever has a connection to a broker: what it is given, and what he is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from zbtwist.mqtt.interfaces import Message


@dataclass(frozen=True)
class Login:
    """Who connects.

    @ivar keepalive: seconds of silence.
    @ivar keeps: the broker keeps messages, as far as is known.
    @ivar confirms: it knows QoS 1, the same.
    """

    client_id: str
    user: str
    password: bytes | None = field(repr=False)
    keepalive: int
    will: Message | None
    keeps: bool = True
    confirms: bool = True


@dataclass(frozen=True)
class Ending:
    """Why a connection has ended.

    @ivar why: a clause about the broker.
    @ivar code: the reason that the broker gave, 0 for none.
    """

    why: str
    code: int = 0


class Owner:
    """Who has the connection. These do nothing."""

    def opened(self) -> None:
        """The broker has taken this client in; nothing was heard yet."""

    def heard(self, message: Message) -> None:
        """A message has come."""

    def not_taken(self, topic: str, why: str) -> None:
        """The broker does not take a message.

        @param why: a clause about the broker.
        """

    def not_subscribed(self, topic_filter: str, why: str) -> None:
        """The broker gives no messages of a filter."""

    def drained(self) -> None:
        """Nothing waits any more, after more than half of the bound did."""

    def ended(self, ending: Ending) -> None:
        """It is over. Nothing else is called after that."""
