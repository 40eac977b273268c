"""What happens in a whole gateway: every event as it is documented, and observers of streams."""

from __future__ import annotations

import json
import re
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

import zbtwist.binding.client_events
import zbtwist.binding.events
import zbtwist.binding.stream_events
import zbtwist.fleet.events
import zbtwist.health.events
import zbtwist.network.events
import zbtwist.radio.events
import zbtwist.runtime.standstill
from tests.clock import MemoryReactorClock
from tests.pages import DOCS
from tests.radio.support import FACTS
from zbtwist.app.gateway import Gateway
from zbtwist.binding.client_events import (
    ClientBarred,
    ClientClosed,
    ClientDropped,
    ClientIdle,
    ClientIgnored,
    ClientOpened,
    ClientRefused,
    ClientsEnded,
)
from zbtwist.binding.connected_client import ConnectedClient
from zbtwist.binding.events import (
    DatagramsLost,
    EndpointFailed,
    EndpointOpened,
    LabelClaimed,
    MappingChanged,
    MappingRefused,
    PortFailed,
    PortSkipped,
)
from zbtwist.binding.stream_events import (
    AnswersDropped,
    LinkTested,
    LossesCounted,
    PollAnswered,
    PollUnanswered,
    StreamBroken,
)
from zbtwist.config.settings import Settings
from zbtwist.fleet.events import NodeMoved, SiteDown, SiteRestarted, SiteUp
from zbtwist.health.events import HealthChanged
from zbtwist.health.state import Condition, Health
from zbtwist.network.events import (
    FROM_NODE,
    TO_NODE,
    BytesPassed,
    DescriptionRefused,
    NameOdd,
    NeighboursTold,
    NodeAdded,
    NodeEvent,
    NodeForgotten,
    NodeIdentified,
    NodeNamed,
    NodesWaiting,
    SearchEnded,
    SenderUnknown,
    WalkBegan,
    WalkEnded,
)
from zbtwist.network.node import Node
from zbtwist.radio.events import (
    LineDamages,
    LineSlow,
    LinkDown,
    LinkFailed,
    LinkLost,
    LinkUp,
    ModemStatusCame,
    NetworkLeft,
    RadioModeChanged,
    RadioReplaced,
    RadioSilent,
    RadioSteady,
    RadioUnsteady,
)
from zbtwist.runtime.event_bus import Event
from zbtwist.runtime.standstill import StoodStill
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frames import ReceivePacket

ROOMS = (
    zbtwist.radio.events,
    zbtwist.fleet.events,
    zbtwist.health.events,
    zbtwist.network.events,
    zbtwist.binding.client_events,
    zbtwist.binding.events,
    zbtwist.binding.stream_events,
    zbtwist.runtime.standstill,
)

#: The values that every event of a node has.
OF_A_NODE = {"address", "label"}


def kinds() -> list[type[Event]]:
    """Every class of events that has a name."""
    found = {
        one
        for room in ROOMS
        for one in vars(room).values()
        if isinstance(one, type) and issubclass(one, Event) and hasattr(one, "name")
    }
    return sorted(found, key=lambda kind: kind.name)


class GatewayTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.gateway = Gateway(Settings(serial="sim:nt=0.3:interval=0"), self.reactor)
        self.events: list[Event] = []
        self.gateway.bus.subscribe(Event, self.events.append)
        self.gateway.startService()
        self.addCleanup(self.gateway.stopService)
        self.run_for(2)
        self.events.clear()

    def run_for(self, seconds: float) -> None:
        self.reactor.pump([0.01] * round(seconds / 0.01))

    def names(self) -> list[str]:
        names = [event.name for event in self.events]
        self.events.clear()
        return names

    def connect(self, port: int) -> tuple[ConnectedClient, StringTransport]:
        (factory,) = (server[1] for server in self.reactor.tcpServers if server[0] == port)
        client = factory.buildProtocol(None)
        transport = StringTransport()
        client.makeConnection(transport)
        return client, transport

    def port(self, label: str) -> int:
        rows = self.gateway.api.list_nodes()
        return next(int(row["tcp_port"]) for row in rows if row["label"] == label)

    def move(self, label: str, port: int) -> None:
        moving = Deferred.fromCoroutine(self.gateway.api.create_mapping(label, port))
        self.successResultOf(moving)


class Documented(GatewayTestCase):
    def test_page_has_every_event(self) -> None:
        """Each that those who follow are told of, with its values."""
        page = (DOCS / "events.rst").read_text()
        node = Node(Address64(1), label="E1")
        samples: list[Event] = [
            LinkUp(FACTS),
            LinkDown("Why."),
            LinkLost("sim:"),
            LinkFailed("sim:", "Why."),
            LineDamages("sim:", "Why."),
            LineSlow(9600, 84),
            RadioUnsteady("sim:"),
            RadioSteady("sim:", 300, 598.0),
            RadioSilent("sim:"),
            RadioModeChanged("sim:", 1, 2),
            RadioReplaced("sim:", Address64(1), Address64(2)),
            ModemStatusCame(6),
            NetworkLeft(0xFF, was_joined=True),
            NodeAdded(node),
            NodesWaiting(node, 2, "Why."),
            SearchEnded(1, (node,)),
            DescriptionRefused(Address64(1), "why"),
            NameOdd(Address64(1), "is not UTF-8", "E"),
            NodeNamed(node, "E0"),
            NodeIdentified(node, 2),
            MappingChanged(node, 27001),
            PortFailed(node, "Why."),
            PortSkipped(node, 27001, "why"),
            LabelClaimed(node, Address64(1)),
            MappingRefused(node, 27001, "Why."),
            SenderUnknown(Address16(1), 1, (Address64(1),)),
            NodeForgotten(node),
            DatagramsLost(node, "udp:1", "10.0.0.1:2", "why"),
            EndpointOpened(node, "unix:/x"),
            EndpointFailed(node, "unix:/x", "Why."),
            ClientOpened(node, 27001, "peer"),
            ClientClosed(node, 27001, "peer"),
            ClientDropped(node, 27001, "peer", "why"),
            ClientIdle(node, 27001, "peer", 300.0),
            ClientIgnored(node, 27001, "peer", "none"),
            ClientRefused(node, 27001, 64),
            ClientBarred(node, 27001, "peer"),
            ClientsEnded(node, 1, "why"),
            StreamBroken(node, TO_NODE, 1, "Why."),
            AnswersDropped(node, 3),
            PollUnanswered(node, "Why."),
            PollAnswered(node),
            LossesCounted(node, 58, 1234, 600.0, "Why.", is_over=False),
            NeighboursTold(Address64(1), 3, 2),
            WalkBegan(4, 60.0),
            WalkEnded(4, 3, 2.5, is_whole=False),
            LinkTested(node, 10, 10, 9, "Why."),
            HealthChanged(
                node, Condition(Health.SILENT, 1.0, "Why."), Condition(Health.OK, 0.0, "")
            ),
            StoodStill(1.0, 3.0),
            SiteUp("house", 3),
            SiteDown("house", "Why."),
            SiteRestarted("house"),
            NodeMoved(Address64(1), "house", "barn"),
        ]
        followed = {kind for kind in kinds() if kind.severity is not None}
        self.assertEqual({type(sample) for sample in samples}, followed)
        for sample in samples:
            values = set(sample.values())
            if isinstance(sample, NodeEvent):
                # What they all have is said once.
                values -= OF_A_NODE
            match = re.search(rf"(?m)^``{sample.name}``((?:.*\n)(?:  +.*\n)*)", page)
            assert match is not None, sample.name
            if "the same" not in match[1]:
                self.assertLessEqual(values, set(re.findall("``([a-z_0-9]+)``", match[1])), sample)
            self.assertTrue(str(sample).endswith("."), sample)

    def test_a_client_and_a_move(self) -> None:
        """Values are what JSON can say, and sentences are sentences."""
        client, _ = self.connect(self.port("ECHO"))
        self.move("ECHO", 30000)
        client.connectionLost()
        for event in self.events:
            values = event.values()
            json.dumps(values)
            self.assertLessEqual(OF_A_NODE, set(values))
            self.assertTrue(str(event).endswith("."), event)
        self.assertEqual(
            self.names(), ["client_opened", "clients_ended", "mapping_changed", "client_closed"]
        )

    def test_which_way_a_stream_broke(self) -> None:
        """What is lost on the way to a node is a line of the log; the other is for who follows."""
        node = next(iter(self.gateway.network.nodes))
        self.assertIs(StreamBroken(node, TO_NODE, 5, "Why.").level, LogLevel.warn)
        broken = StreamBroken(node, FROM_NODE, None, "The radio was away")
        self.assertIs(broken.level, LogLevel.debug)
        self.assertEqual(
            (str(broken), broken.values()["bytes_lost"]), ("The radio was away.", None)
        )


class Observers(GatewayTestCase):
    """Whoever observes streams is no client of them."""

    def setUp(self) -> None:
        super().setUp()
        self.seen: list[tuple[str, str | None, bytes]] = []
        self.gateway.network.nodes.wall = lambda: 1e9
        self.gateway.bus.subscribe(BytesPassed, self.observe)

    def observe(self, event: BytesPassed) -> None:
        self.seen.append((event.direction, event.node.label, event.data))
        self.assertEqual(event.time, 1e9)

    def passes(self, data: bytes) -> None:
        """Bytes go to the echo node and come back."""
        client, transport = self.connect(self.port("ECHO"))
        client.received(data)
        self.run_for(1)
        self.assertEqual(transport.value(), data)
        client.connectionLost()

    def test_both_directions(self) -> None:
        self.passes(b"hello")
        self.assertEqual(self.seen, [(TO_NODE, "ECHO", b"hello"), (FROM_NODE, "ECHO", b"hello")])

    def test_not_closed_when_the_port_moves(self) -> None:
        self.passes(b"before")
        self.reactor.tcpServers.clear()
        self.move("ECHO", 30000)
        self.passes(b"after")
        self.assertEqual([data for *_, data in self.seen], [b"before"] * 2 + [b"after"] * 2)

    def test_no_client(self) -> None:
        """It is not counted, and takes nothing from what is kept for the next client."""
        (node,) = (node for node in self.gateway.network.nodes if node.label == "ECHO")
        port = self.gateway.bindings.port_of(node)
        assert port is not None and node.receiver is not None
        node.receiver(b"nobody reads this")
        self.assertEqual((port.clients, port.bytes_unread), (0, len(b"nobody reads this")))

    def test_a_node_without_a_port(self) -> None:
        """It is heard all the same."""
        self.successResultOf(Deferred.fromCoroutine(self.gateway.api.remove_mapping("ECHO")))
        (node,) = (node for node in self.gateway.network.nodes if node.label == "ECHO")
        frame = ReceivePacket(node.address64, node.address16, 1, b"alone")
        self.gateway.radio.coordinator.hearers.hear(frame)
        self.assertEqual(self.seen, [(FROM_NODE, "ECHO", b"alone")])

    def test_a_packet_that_is_sent_again_is_seen_once(self) -> None:
        client, _ = self.connect(self.port("ECHO"))
        client.received(b"x" * 10)
        self.gateway.radio.coordinator.link_down("It is gone.")
        self.run_for(3)
        sent = [data for direction, _, data in self.seen if direction == TO_NODE]
        self.assertEqual(b"".join(sent), b"x" * 10)
        client.connectionLost()
