"""What the gateway has of a broker: nothing, unless its settings name one."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import mqtt5
from prometheus_client import CollectorRegistry, generate_latest
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.clock import Clock
from tests.control.support import GatewayTestCase
from tests.mqtt.wire import BrokerEnd
from tests.support import present
from zbtwist.app.brokerage import Brokerage
from zbtwist.config.settings import Settings
from zbtwist.control.http.broker_metrics import BrokerCollector
from zbtwist.mqtt import service as module
from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.settings import MQTTSettings

PLACE = MQTTSettings(broker="tcp:broker:1883", site="home")


@implementer(IStreamClientEndpoint)
class Network:
    """A network with one broker.

    @ivar ends: its ends of the connections.
    """

    def __init__(self) -> None:
        self.ends: list[BrokerEnd] = []

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        connection: Any = protocolFactory.buildProtocol(None)
        self.ends.append(BrokerEnd(connection))
        return succeed(connection)


class Part(Service):
    """Somebody who speaks there."""

    def __init__(self, broker: IBroker, settings: MQTTSettings) -> None:
        self.broker = broker
        self.followed: list[MQTTSettings] = []
        broker.identify(settings.site)

    def reconfigure(self, settings: MQTTSettings) -> None:
        self.followed.append(settings)

    def stopService(self) -> None:
        super().stopService()
        self.broker.publish(Message("bye", b""))


class BrokerageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network()
        self.patch(module, "endpoint_of", lambda reactor, settings: self.network)
        self.parts: list[Part] = []

    def start(self, settings: MQTTSettings) -> None:
        self.brokerage = Brokerage(self.clock, settings, self.make)
        self.brokerage.startService()

    def make(self, broker: IBroker, settings: MQTTSettings) -> list[Part]:
        self.parts.append(Part(broker, settings))
        return self.parts[-1:]

    def take_in(self) -> None:
        self.network.ends[-1].take_in()

    def test_none(self) -> None:
        self.start(MQTTSettings())
        self.assertIsNone(self.brokerage.broker)
        self.brokerage.reconfigure(MQTTSettings())
        self.assertEqual((self.parts, list(self.brokerage)), ([], []))

    def test_one(self) -> None:
        """Who speaks there is stopped while there is a connection."""
        self.start(PLACE)
        self.take_in()
        self.assertTrue(present(self.brokerage.broker).is_connected)
        stopping = self.brokerage.stopService()
        self.assertEqual(self.network.ends[0].names(), ["Publish", "Disconnect"])
        self.network.ends[0].hang_up()
        self.successResultOf(stopping)

    def test_it_comes_and_goes_with_the_settings(self) -> None:
        self.start(MQTTSettings())
        self.brokerage.reconfigure(PLACE)
        self.take_in()
        self.assertEqual(len(self.parts), 1)
        other = replace(PLACE, nodes="off")
        self.brokerage.reconfigure(other)
        self.assertEqual(self.parts[0].followed, [other])
        self.brokerage.reconfigure(MQTTSettings())
        self.assertIsNone(self.brokerage.broker)
        self.assertEqual(self.network.ends[0].names(), ["Publish", "Disconnect"])
        self.network.ends[0].hang_up()
        self.assertEqual(list(self.brokerage), [])
        self.brokerage.reconfigure(PLACE)
        self.assertEqual((len(self.parts), len(self.network.ends)), (2, 2))
        self.assertEqual(self.clock.getDelayedCalls()[1:], [])

    def test_metrics(self) -> None:
        registry = CollectorRegistry()
        self.start(MQTTSettings())
        registry.register(BrokerCollector(lambda: self.brokerage.broker))
        self.assertEqual(generate_latest(registry), b"")
        self.brokerage.reconfigure(PLACE)
        self.take_in()
        present(self.brokerage.broker).publish(Message("a", b""))
        text = generate_latest(registry).decode()
        for line in (
            "zbtwist_mqtt_connected 1.0",
            "zbtwist_mqtt_published_total 1.0",
            "zbtwist_mqtt_dropped_total 0.0",
            "zbtwist_mqtt_waiting 0.0",
        ):
            self.assertIn(f"\n{line}\n", text)


class GatewayWithBrokerTests(GatewayTestCase):
    def setUp(self) -> None:
        self.broker_network = Network()
        self.patch(module, "endpoint_of", lambda reactor, settings: self.broker_network)

    def test_status(self) -> None:
        self.build(Settings(serial="sim:", mqtt=PLACE))
        self.run_for(3)
        self.broker_network.ends[-1].take()
        self.broker_network.ends[-1].say(mqtt5.ConnAckPacket())
        self.run_for(0.1)
        said = self.api.status()["mqtt"]
        self.assertEqual(
            (said["broker"], said["site"], said["connected"], said["reason"]),
            ("broker:1883", "home", True, ""),
        )
        self.run_for(10, 0.1)
        self.broker_network.ends[-1].hang_up()
        said = self.api.status()["mqtt"]
        self.assertEqual(
            (said["connected"], said["reason"]),
            (False, "The broker is not connected: it has closed the connection."),
        )

    def test_a_new_configuration(self) -> None:
        self.build()
        self.run_for(3)
        self.assertEqual(self.api.status()["mqtt"], {})
        self.gateway.reconfigure(Settings(serial="sim:", mqtt=PLACE))
        self.assertEqual(self.api.status()["mqtt"]["broker"], "broker:1883")
        self.gateway.reconfigure(Settings(serial="sim:"))
        self.assertEqual(self.api.status()["mqtt"], {})
        self.broker_network.ends[-1].hang_up()


class ImportTests(SynchronousTestCase):
    def test_nothing_of_it_is_imported_before_there_is_a_broker(self) -> None:
        import subprocess

        code = (
            "import sys, zbtwist.app.gateway, zbtwist.app.command_line; "
            "print(*sorted(n for n in sys.modules if n.startswith(('zbtwist.mqtt', 'mqtt5', "
            "'zbtwist.site', 'zbtwist.home_assistant', 'zbtwist.fleet'))))"
        )
        found = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        # What the configuration is made of.
        self.assertEqual(found, ["zbtwist.mqtt", "zbtwist.mqtt.settings", "zbtwist.mqtt.topics"])
