"""Who is out there."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.radio.support import FACTS, LOCAL, REMOTE, REMOTE16, Wire
from zbtwist.network.admission import Admit
from zbtwist.network.events import BytesPassed, NodeAdded, NodeChanged, SearchEnded
from zbtwist.network.inquiries import INQUIRY_PAUSE
from zbtwist.network.node import Node
from zbtwist.network.service import MAX_HOPS, NetworkService
from zbtwist.network.table import NodeTable
from zbtwist.radio.coordinator import DISCOVERY_MARGIN
from zbtwist.radio.errors import RadioOffline
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import UNKNOWN16, UNKNOWN64, Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.devices import END_DEVICE, ROUTER
from zbtwist.xbee.frames import (
    ATCommand,
    ATCommandResponse,
    ExplicitReceive,
    IODataSample,
    NodeIdentification,
    ReceivePacket,
    RemoteATCommand,
    RemoteATCommandResponse,
    RouteRecord,
    SensorRead,
    TransmitStatus,
)
from zbtwist.xbee.samples import IOSample
from zbtwist.xbee.sensor_reading import SensorReading

DESCRIPTION = NodeDescription(
    REMOTE16, REMOTE, b"E1", Address16(0), 2, device_type_identifier=0x30005
)
SEARCH = FACTS.discovery_time + DISCOVERY_MARGIN


class Listener:
    def __init__(self, bus: EventBus) -> None:
        self.added: list[Node] = []
        self.changed: list[Node] = []
        bus.subscribe(NodeAdded, lambda event: self.added.append(event.node))
        bus.subscribe(NodeChanged, lambda event: self.changed.append(event.node))


class NodeTableTests(SynchronousTestCase):
    def setUp(self) -> None:
        bus = EventBus()
        self.wall, self.steady = 1e9, 5.0
        self.table = NodeTable(bus, wall=lambda: self.wall, steady=lambda: self.steady)
        self.listener = Listener(bus)

    def test_seen(self) -> None:
        node = self.table.seen(REMOTE, REMOTE16, 5.0)
        assert node is not None
        self.assertEqual(self.listener.added, [node])
        self.assertEqual((node.address64, node.address16), (REMOTE, REMOTE16))
        self.assertEqual((node.heard_at, self.table.last_seen(node)), (5.0, 1e9))
        self.assertIs(self.table.seen(REMOTE, REMOTE16, 6.0), node)
        self.assertEqual(self.listener.added, [node])
        self.assertEqual(len(self.table), 1)
        self.assertEqual(str(node), "00:13:a2:00:40:0a:3e:ff")

    def test_last_seen(self) -> None:
        """Who was heard in this run was so as long ago as the steady clock says."""
        node = self.table.add(REMOTE)
        assert node is not None
        self.assertEqual((self.table.last_seen(node), node.was_heard), (0.0, False))
        node.seen_before = 1.5e9
        self.assertEqual((self.table.last_seen(node), node.was_heard), (1.5e9, True))
        self.table.heard(REMOTE, REMOTE16, 5.0)
        self.steady += 9
        # The time of day is set by two months.
        self.wall += 9 + 60 * 86400
        self.assertEqual(self.table.last_seen(node), self.wall - 9)
        self.wall -= 3600
        self.assertEqual(self.table.last_seen(node), self.wall - 9)

    def test_last_seen_is_the_same_each_time(self) -> None:
        """Clocks are not read at the same moment: who was not heard since is not another one."""
        node = self.table.seen(REMOTE, REMOTE16, 5.0)
        assert node is not None
        self.wall += 10.0001
        self.steady += 10
        self.assertEqual(self.table.last_seen(node), 1e9)

    def test_moves(self) -> None:
        node = self.table.seen(REMOTE, REMOTE16, 0.0)
        assert node is not None
        self.table.seen(REMOTE, Address16(0x5555), 1.0)
        self.assertEqual(node.address16, 0x5555)
        self.table.seen(REMOTE, UNKNOWN16, 2.0)
        self.assertEqual(node.address16, 0x5555)
        # Its old address is free for another.
        self.assertIsNone(self.table.seen(UNKNOWN64, REMOTE16, 3.0))

    def test_address_passes_to_another_node(self) -> None:
        first = self.table.seen(REMOTE, REMOTE16, 0.0)
        second = self.table.seen(LOCAL, REMOTE16, 1.0)
        assert first is not None
        self.assertEqual(first.address16, UNKNOWN16)
        self.assertIs(self.table.seen(UNKNOWN64, REMOTE16, 2.0), second)

    def test_sender_without_64_bit_address(self) -> None:
        node = self.table.seen(REMOTE, REMOTE16, 0.0)
        self.assertIs(self.table.seen(UNKNOWN64, REMOTE16, 1.0), node)
        self.assertIsNone(self.table.seen(UNKNOWN64, Address16(1), 1.0))
        self.assertEqual(len(self.table), 1)

    def test_addresses_that_are_nobodys(self) -> None:
        """A node with the address of everybody would have its port's bytes broadcast."""
        for nobody in (0, 0xFFFF, UNKNOWN64):
            self.assertIsNone(self.table.seen(Address64(nobody), Address16(5), 0.0))
        self.assertEqual(len(self.table), 0)

    def test_located(self) -> None:
        node = self.table.seen(REMOTE, REMOTE16, 0.0)
        assert node is not None
        self.table.located(node, UNKNOWN16)
        self.assertEqual(node.address16, UNKNOWN16)
        self.assertIsNone(self.table.seen(UNKNOWN64, REMOTE16, 1.0))
        self.assertIsNone(self.table.seen(UNKNOWN64, UNKNOWN16, 1.0))

    def test_described(self) -> None:
        self.assertIsNone(self.table.described(DESCRIPTION, 1.0))
        self.table.seen(REMOTE, REMOTE16, 1.0)
        node = self.table.described(DESCRIPTION, 1.0)
        assert node is not None
        self.assertEqual(node.label, "E1")
        self.assertEqual(node.role, 2)
        self.assertEqual(node.parent16, 0)
        self.assertEqual(node.profile_id, 0xC105)
        self.assertEqual(node.manufacturer_id, 0x101E)
        self.assertEqual(node.device_type_identifier, 0x30005)
        self.assertEqual(str(node), "E1 (00:13:a2:00:40:0a:3e:ff)")
        changes = len(self.listener.changed)
        self.table.described(DESCRIPTION, 2.0)
        self.assertEqual(len(self.listener.changed), changes)

    def test_description_without_dd_keeps_the_known_one(self) -> None:
        self.table.seen(REMOTE, REMOTE16, 0.0)
        self.table.described(DESCRIPTION, 1.0)
        node = self.table.described(NodeDescription(REMOTE16, REMOTE, b"new"), 2.0)
        assert node is not None
        self.assertEqual((node.label, node.device_type_identifier), ("new", 0x30005))

    def test_bound(self) -> None:
        table = NodeTable(EventBus(), maximum=2)
        for address in (1, 2, 3, 4):
            table.seen(Address64(address), Address16(address), 0.0)
        self.assertEqual([node.address64 for node in table], [1, 2])


class NetworkServiceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire(ready=False)
        self.network = NetworkService(
            self.wire.clock, self.wire.coordinator, self.wire.bus, admit=Admit.ALL
        )
        self.network.startService()
        self.received: list[bytes] = []

    def up(self) -> None:
        """The radio comes up, and the first search finds nothing."""
        self.wire.coordinator.ready(FACTS)
        self.wire.clock.advance(SEARCH)
        self.wire.sent.clear()

    def node(self) -> Node:
        node = self.network.nodes.get(REMOTE)
        assert node is not None
        return node

    def answer(self, status: int, value: bytes = b"") -> None:
        sent = self.wire.last
        self.wire.receive(
            RemoteATCommandResponse(
                sent.frame_id, sent.address64, REMOTE16, sent.command, status, value
            )
        )

    def discover(self) -> Deferred[list[Node]]:
        return Deferred.fromCoroutine(self.network.discover())

    def test_searches_when_the_radio_comes_up(self) -> None:
        self.wire.coordinator.ready(FACTS)
        self.assertEqual([type(f) for f in self.wire.sent], [ATCommand])
        frame_id = self.wire.last.frame_id
        self.wire.receive(ATCommandResponse(frame_id, "ND", 0, DESCRIPTION.to_bytes()))
        self.assertEqual(self.node().label, "E1")

    def test_two_searches_share_one(self) -> None:
        self.up()
        first, second = self.discover(), self.discover()
        self.assertEqual(len(self.wire.sent), 1)
        self.wire.clock.advance(SEARCH)
        self.successResultOf(first)
        self.successResultOf(second)
        third = self.discover()
        self.assertEqual(len(self.wire.sent), 2)
        self.wire.clock.advance(SEARCH)
        self.successResultOf(third)

    def search_answered_by(self, *descriptions: NodeDescription) -> SearchEnded:
        ended: list[SearchEnded] = []
        self.wire.bus.subscribe(SearchEnded, ended.append)
        search = self.discover()
        frame_id = self.wire.last.frame_id
        for each in descriptions:
            self.wire.receive(ATCommandResponse(frame_id, "ND", 0, each.to_bytes()))
        self.wire.clock.advance(SEARCH)
        self.successResultOf(search)
        return ended[0]

    def test_who_did_not_answer(self) -> None:
        """Of end devices nothing is said: they may have slept."""
        self.up()
        router = replace(DESCRIPTION, address64=Address64(1), address16=Address16(1), role=1)
        ended = self.search_answered_by(router, DESCRIPTION)
        self.assertEqual((ended.answered, ended.missing), (2, ()))
        ended = self.search_answered_by()
        (missing,) = ended.missing
        self.assertEqual((ended.answered, missing.address64), (0, 1))
        self.assertTrue(missing.missed_search)
        self.assertFalse(self.node().missed_search)
        self.assertIn(
            "0 nodes answered, 1 that is known did not: E1 (00:00:00:00:00:00:00:01).", str(ended)
        )
        self.assertEqual(self.search_answered_by(router).missing, ())
        self.assertFalse(missing.missed_search)

    def test_names_of_many_that_did_not_answer_are_bounded(self) -> None:
        ended = SearchEnded(3, tuple(Node(Address64(number)) for number in range(12)))
        self.assertTrue(str(ended).endswith(":09, and 2 more."), str(ended))
        values = ended.values()
        self.assertEqual((values["answered"], values["missing"]), (3, 12))
        self.assertEqual(len(cast("list[str]", values["nodes"])), 10)
        self.assertEqual(
            str(SearchEnded(1, ())), "The search for nodes has ended: 1 node answered."
        )

    def test_search_that_a_caller_gave_up_goes_on_for_the_other(self) -> None:
        self.up()
        first, second = self.discover(), self.discover()
        first.cancel()
        self.failureResultOf(first)
        self.wire.clock.advance(SEARCH)
        self.successResultOf(second)

    def test_search_offline(self) -> None:
        self.wire.coordinator.link_down("It is gone.")
        self.failureResultOf(self.discover(), RadioOffline)

    def test_search_loses_the_link(self) -> None:
        self.up()
        searches = [self.discover(), self.discover()]
        self.wire.coordinator.link_down("It is gone.")
        for search in searches:
            self.failureResultOf(search, RadioOffline)

    def test_join(self) -> None:
        self.up()
        self.wire.receive(NodeIdentification(REMOTE, REMOTE16, 2, DESCRIPTION))
        self.assertEqual(self.node().label, "E1")
        # Nothing is left to ask.
        self.assertEqual(self.wire.sent, [])

    def test_join_as_explicit_frame(self) -> None:
        self.up()
        self.wire.receive(self.explicit(0x0095, DESCRIPTION.to_bytes()))
        self.assertEqual(self.node().label, "E1")

    def test_join_that_makes_no_sense(self) -> None:
        self.up()
        self.wire.receive(self.explicit(0x0095, b"nonsense"))
        self.assertEqual(len(self.network.nodes), 0)

    def test_data_of_an_unknown_node(self) -> None:
        """It is in the table at once, and asked for NI and DD then."""
        self.up()
        self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 1, b"x"))
        node = self.node()
        self.assertIsNone(node.label)
        sent: Any = self.wire.last
        self.assertEqual(sent, RemoteATCommand(sent.frame_id, REMOTE, REMOTE16, 2, "NI"))
        self.answer(0, b"METER")
        self.assertEqual(self.wire.last.command, "DD")
        self.answer(0, b"\x00\x03\x00\x05")
        self.assertEqual((node.label, node.device_type_identifier), ("METER", 0x30005))
        self.assertEqual(self.wire.last.command, "SM")
        self.answer(0, b"\0")
        self.assertEqual(node.role, 1)
        self.assertTrue(node.is_described)

    def test_inquiry_is_repeated_but_not_often(self) -> None:
        self.up()
        packet = ReceivePacket(REMOTE, REMOTE16, 1, b"x")
        self.wire.receive(packet)
        self.answer(4)
        self.wire.receive(packet)
        self.assertEqual(len(self.wire.sent), 1)
        self.wire.clock.advance(INQUIRY_PAUSE)
        self.wire.receive(packet)
        self.assertEqual(len(self.wire.sent), 2)

    def test_inquiries_are_few_at_a_time(self) -> None:
        self.up()
        for number in range(1, 11):
            self.wire.receive(ReceivePacket(Address64(number), Address16(number), 1, b"x"))
        self.assertEqual(len(self.wire.sent), 4)
        self.answer(4)
        self.assertEqual(len(self.wire.sent), 5)

    def explicit(self, cluster: int, data: bytes, endpoint: int = 0xE8) -> ExplicitReceive:
        return ExplicitReceive(REMOTE, REMOTE16, endpoint, 0xE8, cluster, 0xC105, 1, data)

    def test_stream(self) -> None:
        """Frames 90 and 91 on the serial cluster are the stream, other clusters are not."""
        self.up()
        self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 1, b"first"))
        self.node().receiver = self.received.append
        self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 1, b"1"))
        self.wire.receive(self.explicit(0x0011, b"2"))
        self.wire.receive(self.explicit(0x0012, b"loopback"))
        self.wire.receive(self.explicit(0x0011, b"other endpoint", endpoint=0x01))
        self.wire.receive(self.explicit(0x0092, IOSample(1, 1).to_bytes()))
        self.assertEqual(self.received, [b"1", b"2"])

    def test_stream_without_64_bit_address(self) -> None:
        self.up()
        self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 1, b"first"))
        self.node().receiver = self.received.append
        self.wire.receive(ReceivePacket(UNKNOWN64, REMOTE16, 1, b"1"))
        self.wire.receive(ReceivePacket(UNKNOWN64, Address16(0x7777), 1, b"whose?"))
        self.assertEqual(self.received, [b"1"])

    def up_with_a_router(self) -> None:
        """The radio comes up, and a router says who it is."""
        self.up()
        self.wire.receive(NodeIdentification(REMOTE, REMOTE16, 2, DESCRIPTION))
        self.node().role = ROUTER

    def when_received(self) -> list[tuple[bytes, Address16, float, int | None]]:
        """What is known of the node when its receiver gets its bytes: its 16-bit address, when it
        was heard last, and its role.
        """
        node = self.node()
        found: list[tuple[bytes, Address16, float, int | None]] = []

        def receive(data: bytes) -> None:
            found.append((data, node.address16, node.heard_at, node.role))

        node.receiver = receive
        return found

    def test_who_waits_has_the_bytes_first(self) -> None:
        """Before it is noted when they came, which matters to nobody yet."""
        self.up_with_a_router()
        self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 1, b"0"))
        found, before = self.when_received(), self.node().heard_at
        self.wire.clock.advance(1)
        self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 1, b"1"))
        self.assertEqual(found, [(b"1", REMOTE16, before, ROUTER)])
        self.assertEqual(self.node().heard_at, before + 1)
        self.assertEqual(self.node().spoke_at, before + 1)
        self.assertIs(self.network.signals.last_heard, self.node())

    def test_who_waits_for_an_end_device_has_the_bytes_first_too(self) -> None:
        """Once it is known to be one."""
        self.up_with_a_router()
        self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 0x41, b"0"))
        found, before = self.when_received(), self.node().heard_at
        self.wire.clock.advance(1)
        self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 0x41, b"1"))
        self.assertEqual(found, [(b"1", REMOTE16, before, END_DEVICE)])

    def test_when_the_device_spoke(self) -> None:
        """What its module says by itself is nothing of its device; and bytes are handed on before
        it is noted when they came: who gets them may ask when the last ones did.
        """
        self.up_with_a_router()
        node, clock = self.node(), self.wire.clock
        found: list[float] = []
        node.receiver = lambda data: found.append(node.data_at)
        began = clock.seconds()
        for frame in (
            ReceivePacket(REMOTE, REMOTE16, 1, b"0"),
            ReceivePacket(REMOTE, REMOTE16, 1, b"1"),
            IODataSample(REMOTE, REMOTE16, 1, IOSample(1, 1)),
            self.explicit(0x0011, b"2"),
        ):
            clock.advance(1)
            self.wire.receive(frame)
        self.assertEqual(found, [-inf, began + 1, began + 2])
        self.assertEqual(node.data_at, began + 4)

    def test_what_is_new_of_a_node_is_noted_first(self) -> None:
        self.up_with_a_router()
        self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 1, b"0"))
        found, before = self.when_received(), self.node().heard_at
        self.wire.clock.advance(1)
        moved = Address16(0x7777)
        self.wire.receive(ReceivePacket(REMOTE, moved, 1, b"2"))
        self.wire.clock.advance(1)
        self.wire.receive(ReceivePacket(REMOTE, moved, 0x41, b"3"))
        self.assertEqual(
            found,
            [(b"2", moved, before + 1, ROUTER), (b"3", moved, before + 2, END_DEVICE)],
        )

    def test_node_that_has_not_said_who_it_is_is_noted_first(self) -> None:
        """It is asked."""
        self.up()
        self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 1, b"first"))
        found, before = self.when_received(), self.node().heard_at
        self.wire.clock.advance(INQUIRY_PAUSE)
        self.wire.sent.clear()
        self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 1, b"6"))
        self.assertEqual(found, [(b"6", REMOTE16, before + INQUIRY_PAUSE, None)])
        self.assertEqual(type(self.wire.last), RemoteATCommand)

    def test_it_is_noted_first_while_somebody_looks_on(self) -> None:
        self.up_with_a_router()
        found, before = self.when_received(), self.node().heard_at
        seen: list[float] = []
        self.wire.bus.subscribe(BytesPassed, lambda event: seen.append(event.node.heard_at))
        self.wire.clock.advance(1)
        self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 1, b"4"))
        self.assertEqual(found, [(b"4", REMOTE16, before + 1, ROUTER)])
        self.assertEqual(seen, [before + 1])

    def test_node_that_is_known_and_was_not_heard_is_noted_first(self) -> None:
        self.up()
        self.network.nodes.add(REMOTE)
        self.network.nodes.located(self.node(), REMOTE16)
        found, now = self.when_received(), self.wire.clock.seconds()
        self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 1, b"5"))
        self.assertEqual(found, [(b"5", REMOTE16, now, None)])

    def test_answer_of_a_node_that_moved(self) -> None:
        self.up()
        self.wire.receive(NodeIdentification(REMOTE, REMOTE16, 2, DESCRIPTION))
        moved = Address16(0x7777)
        self.wire.receive(RemoteATCommandResponse(9, REMOTE, moved, "NI", 0, b"E1"))
        self.assertEqual(self.node().address16, moved)
        self.wire.receive(RemoteATCommandResponse(9, REMOTE, UNKNOWN16, "NI", 4))
        self.assertEqual(self.node().address16, moved)

    def test_status_of_a_packet_for_another_node(self) -> None:
        """The radio is told whose the 16-bit addresses are, and so knows whom a status is about."""
        self.up()
        other16 = Address16(0x0B0B)
        for address64, address16 in ((REMOTE, REMOTE16), (Address64(7), other16)):
            self.wire.receive(ReceivePacket(address64, address16, 1, b"x"))
        sending = self.wire.coordinator.transmit(REMOTE, b"x", REMOTE16)
        frame_id = self.wire.last.frame_id
        self.wire.receive(TransmitStatus(frame_id, other16, 0, 0, 0))
        self.assertNoResult(sending)
        self.wire.receive(TransmitStatus(frame_id, REMOTE16, 0, 0, 0))
        self.successResultOf(sending)

    def test_samples_and_routes_make_a_node_known(self) -> None:
        self.up()
        self.wire.receive(IODataSample(Address64(1), Address16(1), 1, IOSample(1, 1)))
        self.wire.receive(RouteRecord(Address64(2), Address16(2), 1, []))
        self.assertEqual([node.address64 for node in self.network.nodes], [1, 2])

    def test_the_last_route_is_kept(self) -> None:
        self.up()
        node = self.heard()
        self.assertIsNone(node.route)
        for hops in ([1, 2], [], list(range(100))):
            self.wire.receive(RouteRecord(REMOTE, REMOTE16, 1, [Address16(hop) for hop in hops]))
            self.assertEqual(node.route, tuple(hops[:MAX_HOPS]))

    def test_a_sample_tells_the_temperature(self) -> None:
        """If the device is known, and is one that has a sensor."""
        self.up()
        node = self.heard()
        sample = IOSample(analog={2: 0x3FF})
        self.wire.receive(IODataSample(REMOTE, REMOTE16, 1, sample))
        self.assertIsNone(node.temperature)
        node.device_type_identifier = 0x3000E
        self.wire.receive(IODataSample(REMOTE, REMOTE16, 1, sample))
        self.assertEqual(node.temperature, 70.0)
        self.wire.receive(IODataSample(REMOTE, REMOTE16, 1, IOSample()))
        self.assertEqual(node.temperature, 70.0)

    def test_sensor_adapters(self) -> None:
        """A frame 94 makes its sender known, and tells the temperature."""
        self.up()
        reading = SensorReading(3, (2, 0xCE, 0xEA, 0x52), 0x16A)
        self.wire.receive(SensorRead(REMOTE, REMOTE16, 1, reading))
        self.assertEqual(self.node().temperature, 22.625)
        self.assertEqual(self.wire.last.command, "NI")
        self.wire.receive(SensorRead(REMOTE, REMOTE16, 1, SensorReading(1)))
        self.assertEqual(self.node().temperature, 22.625)

    def test_samples_as_explicit_frames(self) -> None:
        """As they come while AO is not 0."""
        self.up()
        self.wire.receive(self.explicit(0x0094, SensorReading(2, thermometer=0x150).to_bytes()))
        node = self.node()
        self.assertEqual(node.temperature, 21.0)
        node.device_type_identifier = 0x3000E
        self.wire.receive(self.explicit(0x0092, IOSample(analog={2: 0x3FF}).to_bytes()))
        self.assertEqual(node.temperature, 70.0)
        for cluster in (0x0092, 0x0094):
            self.wire.receive(self.explicit(cluster, b"nonsense"))
        self.assertEqual(node.temperature, 70.0)

    def test_searches_tell_the_signal_if_the_radio_is_set_so(self) -> None:
        self.up()
        self.wire.receive(
            ATCommandResponse(
                0,
                "ND",
                0,
                NodeDescription(REMOTE16, REMOTE, b"E1", rssi=0x30).to_bytes(),
            )
        )
        node = self.network.nodes.get(REMOTE)
        assert node is not None
        self.assertEqual((node.signal, self.network.search_answers), (0x30, 1))
        # With NO=2 the radio says who it is, too.
        own = NodeDescription(Address16(0), LOCAL, b"GATE").to_bytes()
        self.wire.receive(ATCommandResponse(0, "ND", 0, own))
        self.assertEqual((len(self.network.nodes), self.network.search_answers), (1, 1))
        # An answer without it takes nothing back.
        self.network.nodes.described(NodeDescription(REMOTE16, REMOTE, b"E1"), 1.0)
        self.assertEqual(node.signal, 0x30)

    def test_own_radio_is_no_node(self) -> None:
        self.up()
        self.wire.receive(ReceivePacket(LOCAL, Address16(0), 1, b"x"))
        self.wire.receive(
            NodeIdentification(LOCAL, Address16(0), 1, NodeDescription(Address16(0), LOCAL, b""))
        )
        self.assertEqual(len(self.network.nodes), 0)

    def heard(self) -> Node:
        """A node that has sent a byte."""
        self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 1, b"x"))
        node = self.network.nodes.get(REMOTE)
        assert node is not None
        return node

    def test_stop(self) -> None:
        self.up()
        search = self.discover()
        self.wire.receive(ReceivePacket(REMOTE, REMOTE16, 1, b"x"))
        self.network.stopService()
        self.failureResultOf(search)
        self.wire.coordinator.close()
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])
