"""What holds with every broker: each test runs with all of them."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.support import left_out, record_log
from tests.system.brokers import Broker
from tests.system.support import free_ports
from zbtwist.mqtt import protocol
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.pauses import Pauses
from zbtwist.mqtt.service import BrokerService
from zbtwist.mqtt.settings import MQTTSettings

WILL = Message("t/state", b"offline", retained=True)

#: Seconds between tries.
PAUSE = 0.1

EVERYTHING = Message(
    "t/all",
    bytes(range(256)),
    content_type="application/octet-stream",
    user_properties=(("n", "1"), ("run", "x")),
    response_topic="t/answers",
    correlation_data=b"\0\xff",
)


class Impatient(Pauses):
    """Tries again soon."""

    def after(self, *_: object) -> float:
        return PAUSE


class BrokerTestCase(TestCase):
    timeout = 30
    skip = left_out() or None

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.log = record_log(self)
        self.heard: list[Message] = []

    def run_broker(self, broker: Broker) -> None:
        self.broker = broker
        broker.start()
        self.addCleanup(broker.remove)

    def client(self, name: str, **settings: Any) -> BrokerService:
        """A client that connects from now on."""
        values = {"broker": f"tcp:127.0.0.1:{self.broker.port}", **settings}
        client = BrokerService(self.reactor, MQTTSettings(**values), Impatient())
        client.startService()
        self.addCleanup(client.stopService)
        client.identify(name, WILL if name == "one" else None)
        return client

    async def connected(self, name: str, **settings: Any) -> BrokerService:
        client = self.client(name, **settings)
        await self.until(lambda: client.is_connected)
        return client

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait until that is so; the test's timeout is the patience."""
        while not is_so():
            await deferLater(self.reactor, 0.01)

    async def hears(self, client: BrokerService, topic_filter: str = "t/#") -> None:
        """Have what a client hears in `heard`, from now on."""
        client.subscribe(topic_filter, self.heard.append)
        ready: Deferred[None] = Deferred()

        def hear(message: Message) -> None:
            if not ready.called:
                ready.callback(None)

        client.subscribe("ready", hear)
        # It is heard behind the answer to the subscriptions.
        other = await self.connected("ready")
        while not ready.called:
            other.publish(Message("ready", b""))
            await deferLater(self.reactor, 0.02)
        client.unsubscribe("ready")
        await other.stopService()

    def warnings(self) -> list[str]:
        return self.log.lines("warn", "zbtwist.mqtt")


class AnyBroker(BrokerTestCase):
    """What holds with each broker."""

    make: Any = None

    async def test_everything_arrives_as_it_was(self) -> None:
        self.run_broker(self.make())
        one, other = await self.connected("one"), await self.connected("other")
        await self.hears(other)
        for qos in (False, True):
            one.publish(EVERYTHING, qos)
        await self.until(lambda: len(self.heard) == 2)
        self.assertEqual(self.heard, [EVERYTHING, EVERYTHING])

    async def test_what_one_has_said_oneself_is_not_heard(self) -> None:
        self.run_broker(self.make())
        one, other = await self.connected("one"), await self.connected("other")
        await self.hears(one)
        for number in range(10):
            one.publish(Message("t/x", str(number).encode(), retained=True), True)
        heard: list[Message] = []
        other.subscribe("t/x", heard.append)
        await self.until(lambda: heard and heard[-1].payload == b"9")
        other.publish(Message("t/x", b"last"))
        await self.until(lambda: self.heard)
        self.assertEqual([message.payload for message in self.heard], [b"last"])

    async def test_order_of_many(self) -> None:
        """Those of both kinds, more than may be under way at once."""
        self.run_broker(self.make())
        one, other = await self.connected("one"), await self.connected("other")
        await self.hears(other)
        for number in range(2000):
            self.assertTrue(one.publish(Message("t/x", str(number).encode()), True))
        await self.until(lambda: len(self.heard) == 2000)
        self.assertEqual([int(message.payload) for message in self.heard], list(range(2000)))

    async def test_a_will_and_what_is_kept(self) -> None:
        self.run_broker(self.make())
        one, other = await self.connected("one"), await self.connected("other")
        one.publish(Message("t/state", b"online", retained=True))
        one.publish(Message("t/gone", b"x", retained=True))
        one.publish(Message("t/gone", b"", retained=True))
        await self.hears(other, "t/state")
        await self.until(lambda: self.heard)
        self.assertEqual(self.heard.pop().payload, b"online")
        connection: Any = one._connection
        connection.transport.abortConnection()
        await self.until(lambda: self.heard)
        self.assertEqual(self.heard.pop().payload, b"offline")
        late = await self.connected("late")
        await self.hears(late)
        await self.until(lambda: self.heard)
        self.assertEqual(self.heard[0], WILL)
        self.assertNotIn("t/gone", [message.topic for message in self.heard])

    async def test_an_end_in_good_order(self) -> None:
        self.run_broker(self.make())
        one, other = await self.connected("one"), await self.connected("other")
        await self.hears(other, "t/state")
        await one.stopService()
        await self.until(lambda: self.heard)
        self.assertEqual([message.payload for message in self.heard], [b"offline"])

    async def test_it_is_killed_and_comes_back(self) -> None:
        self.run_broker(self.make())
        one, other = await self.connected("one"), await self.connected("other")
        await self.hears(other)
        self.broker.stop()
        await self.until(lambda: not one.is_connected and not other.is_connected)
        self.assertFalse(one.publish(Message("t/a", b"")))
        await deferLater(self.reactor, 3 * PAUSE)
        self.broker.start()
        await self.until(lambda: one.is_connected and other.is_connected)
        # All that was subscribed to is so again.
        await self.hears(other)
        one.publish(Message("t/b", b""))
        await self.until(lambda: self.heard)
        self.assertEqual(self.heard[0].topic, "t/b")

    async def test_it_stands_still(self) -> None:
        self.patch(protocol, "ANSWER_TIMEOUT", 0.3)
        self.run_broker(self.make())
        one = await self.connected("one", keepalive=1)
        self.broker.tell(signal.SIGSTOP)
        count = 0
        while one.is_connected:
            # Whatever is said meanwhile waits within its bound.
            one.publish(Message("t/x", bytes(20_000)))
            count += 1
            await deferLater(self.reactor, 0.005)
        self.assertIn("did not answer within", one.reason)
        self.assertEqual(one.counters.published + one.counters.dropped, count)
        self.broker.tell(signal.SIGCONT)
        await self.until(lambda: one.is_connected)

    async def test_another_client_with_the_same_name(self) -> None:
        self.run_broker(self.make())
        one = await self.connected("same")
        other = await self.connected("same")
        await self.until(lambda: not one.is_connected or not other.is_connected)
        await self.until(lambda: one.reason or other.reason)

    async def test_a_port_where_nobody_listens(self) -> None:
        self.run_broker(self.make())
        client = self.client("one", broker=f"tcp:127.0.0.1:{free_ports(1)}")
        await self.until(lambda: client.reason == "nothing listens there")
