"""A broker in memory, for tests of what is said and heard on one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from zbtwist.mqtt import topics
from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.topics import is_filter, is_shared, is_topic, levels_of


def fits(topic_filter: str, topic: str) -> bool:
    """Return whether messages of a topic are for those who subscribed to a filter."""
    return topics.fits(levels_of(topic_filter), tuple(topic.split("/")))


class MemoryBroker:
    """A broker, and the network before it.

    Each message arrives whole before `publish` returns, but not within another that is just being
    heard. With a clock it arrives `delay` seconds later.

    @ivar published: all that clients have published, and wills, in their order.
    @ivar kept: the messages that are retained, by topic.
    @ivar passes: what becomes of one on its way to a hearer: return it, or none, or it twice.
    """

    def __init__(self, clock: IReactorTime | None = None, delay: float = 0.0) -> None:
        self.published: list[Message] = []
        self.kept: dict[str, Message] = {}
        self.passes: Callable[[Message], Iterable[Message]] = lambda message: (message,)
        self._clients: list[MemoryClient] = []
        self._clock = clock
        self._delay = delay
        self._turns: dict[str, int] = {}
        self._on_the_way: deque[tuple[MemoryClient, str, Message]] = deque()
        self._is_delivering = False

    def client(self) -> MemoryClient:
        """Return a new client, which is not connected yet."""
        client = MemoryClient(self)
        self.add(client)
        return client

    def add(self, client: MemoryClient) -> None:
        """Have one more client, which is not connected yet."""
        self._clients.append(client)

    def joined(self) -> MemoryClient:
        """Return a new client, which is connected."""
        client = self.client()
        client.join()
        return client

    def payloads(self, topic_filter: str) -> list[bytes]:
        """Return what was published under topics that fit, in its order."""
        return [message.payload for message in self.published if fits(topic_filter, message.topic)]

    def cut(self) -> None:
        """Lose all connections; what is retained stays."""
        for client in self._clients:
            client.cut()

    def join(self) -> None:
        """Let all clients be connected."""
        for client in self._clients:
            client.join()

    def accept(self, message: Message, by: MemoryClient) -> None:
        """Take a message of a client, and hand it to all that want it."""
        self.published.append(message)
        if message.retained:
            if message.payload:
                self.kept[message.topic] = message
            else:
                self.kept.pop(message.topic, None)
        heard = replace(message, retained=False)
        groups: dict[str, list[MemoryClient]] = {}
        for client in self._clients:
            for topic_filter in client.filters:
                if not client.is_connected or not fits(topic_filter, message.topic):
                    continue
                if is_shared(topic_filter):
                    groups.setdefault(topic_filter, []).append(client)
                elif client is not by:
                    self._send(client, topic_filter, heard)
        for topic_filter, members in groups.items():
            turn = self._turns[topic_filter] = self._turns.get(topic_filter, -1) + 1
            self._send(members[turn % len(members)], topic_filter, heard)
        self._deliver()

    def send_kept(self, client: MemoryClient, topic_filter: str) -> None:
        """Hand out what is retained, to one who has subscribed just now."""
        if not is_shared(topic_filter):
            for topic, message in list(self.kept.items()):
                if fits(topic_filter, topic):
                    self._send(client, topic_filter, message)
        self._deliver()

    def _send(self, client: MemoryClient, topic_filter: str, message: Message) -> None:
        for passed in self.passes(message):
            if self._clock is None:
                self._on_the_way.append((client, topic_filter, passed))
            else:
                arrive = client.arrival(topic_filter, passed)
                self._clock.callLater(self._delay, arrive)

    def _deliver(self) -> None:
        if self._is_delivering:
            return
        self._is_delivering = True
        try:
            while self._on_the_way:
                client, topic_filter, message = self._on_the_way.popleft()
                client.arrival(topic_filter, message)()
        finally:
            self._is_delivering = False


@implementer(IBroker)
class MemoryClient:
    """A client of the broker in memory.

    @ivar client_id: as was said last; it is connected also if none was.
    @ivar will: what is published when it is cut.
    @ivar is_full: as a test says.
    @ivar published: what it has published itself.
    @ivar dropped: messages that it could not publish.
    """

    def __init__(self, broker: MemoryBroker) -> None:
        self.is_connected = self.is_full = False
        self.connected: list[Callable[[], None]] = []
        self.lost: list[Callable[[], None]] = []
        self.drained: list[Callable[[], None]] = []
        self.client_id = ""
        self.will: Message | None = None
        self.published: list[Message] = []
        self.dropped = 0
        self.filters: dict[str, Callable[[Message], None]] = {}
        self._broker = broker
        self._connection = 0

    def identify(self, client_id: str, will: Message | None = None) -> None:
        changes = (client_id, will) != (self.client_id, self.will)
        was_connected = changes and self.is_connected
        if was_connected:
            self.cut()
        self.client_id, self.will = client_id, will
        if was_connected:
            self.join()

    def join(self) -> None:
        """Let it be connected, if it is not."""
        if self.is_connected:
            return
        self.is_connected = True
        self._connection += 1
        for call in list(self.connected):
            call()
        for topic_filter in list(self.filters):
            self._broker.send_kept(self, topic_filter)

    def cut(self) -> None:
        """Lose its connection, if there is one."""
        if not self.is_connected:
            return
        self.is_connected = False
        if self.will is not None:
            self._broker.accept(self.will, self)
        for call in list(self.lost):
            call()

    def publish(self, message: Message, at_least_once: bool = False) -> bool:
        if not is_topic(message.topic):
            raise ValueError(f"{message.topic!r} cannot be a topic.")
        if not self.is_connected:
            self.dropped += 1
            return False
        self.published.append(message)
        self._broker.accept(message, self)
        return True

    def subscribe(
        self, topic_filter: str, heard: Callable[[Message], None], at_most_once: bool = False
    ) -> None:
        if not is_filter(topic_filter):
            raise ValueError(f"{topic_filter!r} cannot be a filter of topics.")
        self.filters[topic_filter] = heard
        if self.is_connected:
            self._broker.send_kept(self, topic_filter)

    def unsubscribe(self, topic_filter: str) -> None:
        self.filters.pop(topic_filter, None)

    def arrival(self, topic_filter: str, message: Message) -> Callable[[], None]:
        """Return what lets a message be heard, if the connection is then still the same."""
        connection = self._connection

        def arrive() -> None:
            heard = self.filters.get(topic_filter)
            if heard is not None and self.is_connected and connection == self._connection:
                heard(message)

        return arrive
