"""The link goes and comes, and frames are damaged: whose clients are reset, and whose are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.binding.support import A, B, BindingTestCase, C, D, say
from tests.radio.support import FACTS
from zbtwist.binding.port import NodePort
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.stream_events import StreamBroken
from zbtwist.network.events import SenderUnknown
from zbtwist.radio.damage import Sender
from zbtwist.radio.events import StreamHole
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64
from zbtwist.xbee.frames import TransmitStatus


def count_calls(case: BindingTestCase, kind: type, name: str) -> list[Any]:
    """Return a list of the objects of a class whose method is called from now on."""
    called: list[Any] = []
    method = getattr(kind, name)

    def note(self: Any, *arguments: Any) -> Any:
        called.append(self)
        return method(self, *arguments)

    case.patch(kind, name, note)
    return called


class InterruptionTests(BindingTestCase):
    """Where bytes of a node may have been lost, its clients are reset, and nobody else's."""

    def setUp(self) -> None:
        super().setUp()
        self.wire.coordinator.ready(FACTS)
        self.see(A, B)
        self.clients = {A: self.connect(27001), B: self.connect(27002)}

    def hear(self, address64: Address64) -> None:
        say(self.node(address64), b"something", self.wire.clock)

    def outage(self, seconds: float) -> None:
        self.wire.coordinator.link_down("It is gone.")
        self.wire.clock.advance(seconds)
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)

    def reset(self) -> list[Address64]:
        return [address64 for address64, client in self.clients.items() if client.disconnected]

    def test_in_the_middle_of_something(self) -> None:
        """A node that spoke shortly before an outage may have gone on in it."""
        self.hear(A)
        self.wire.clock.advance(2.0)
        self.hear(B)
        self.wire.clock.advance(0.9)
        self.outage(0.5)
        self.assertEqual(self.reset(), [B])
        self.assertIn("away for 0.5 s, and bytes of", self.lines()[-1])

    def test_a_hole_is_said_once(self) -> None:
        """Bytes to the node are lost for the same reason, which is no sentence on lost bytes."""
        why = "site cellar was not heard until now"
        for is_certain, are in ((True, "are"), (False, "may be")):
            client = self.connect(27001)
            for data in (b"in the air", b"waiting"):
                client.protocol.dataReceived(data)
            broken: list[StreamBroken] = []
            self.wire.bus.subscribe(StreamBroken, broken.append)
            self.wire.bus.publish(StreamHole(A, why, is_certain))
            self.wire.bus.unsubscribe(StreamBroken, broken.append)
            node = self.node(A)
            self.assertEqual(
                [str(event) for event in broken],
                [
                    f"Bytes of {node} {are} lost: {why}.",
                    f"{broken[-1].bytes_lost} bytes for {node} are lost: {why}",
                ],
            )

    def test_the_longer_the_outage_the_more_may_be_lost(self) -> None:
        self.hear(A)
        self.wire.clock.advance(5.0)
        self.outage(4.9)
        self.assertEqual(self.reset(), [])
        self.outage(20.0)
        self.assertEqual(self.reset(), [A])

    def test_question_without_an_answer(self) -> None:
        """The answer may have come while the radio was away, from a node that does answer."""
        self.hear(A)
        self.wire.clock.advance(60.0)
        for client in self.clients.values():
            client.protocol.dataReceived(b"question")
            self.wire.receive(TransmitStatus(self.wire.last.frame_id, Address16(1), 0, 0, 0))
        self.wire.clock.advance(0.9)
        self.outage(0.5)
        self.assertEqual(self.reset(), [A])

    def test_outage_that_was_noticed_late(self) -> None:
        """A radio that hung was deaf from some moment on after its last frame."""
        self.hear(A)
        last_frame = self.wire.clock.seconds()
        self.wire.clock.advance(30.0)
        self.hear(B)
        self.wire.coordinator.link_down("It has fallen silent.", last_frame)
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.assertEqual(self.reset(), [A, B])
        self.assertIn("away for 30.0 s", self.lines()[-1])

    def test_outage_that_began_before_it_was_noticed(self) -> None:
        """A radio that had left its network hung as well: what counts is the first of it."""
        self.hear(A)
        self.wire.clock.advance(5.0)
        left_at = self.wire.clock.seconds()
        self.wire.clock.advance(9.0)
        self.wire.coordinator.mark_unresponsive(self.wire.clock.seconds())
        self.wire.clock.advance(3.0)
        self.wire.coordinator.link_down("It has fallen silent.", left_at)
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.assertEqual(self.reset(), [A])

    def test_radio_that_does_not_answer(self) -> None:
        """Whoever was busy is reset when the radio is heard again, or the node, and not before."""
        self.hear(A)
        self.hear(B)
        last_frame = self.wire.clock.seconds()
        self.wire.clock.advance(5.0)
        self.wire.coordinator.mark_unresponsive(last_frame)
        self.assertEqual(self.reset(), [])
        self.hear(A)
        self.assertEqual(self.reset(), [A])
        self.wire.coordinator.mark_responsive()
        self.assertEqual(self.reset(), [A, B])

    def test_what_clients_sent_is_kept(self) -> None:
        self.clients[A].protocol.dataReceived(b"one")
        frame = self.wire.last
        self.wire.receive(TransmitStatus(frame.frame_id, Address16(1), 0, 0, 0))
        self.wire.coordinator.link_down("It is gone.")
        self.clients[A].protocol.dataReceived(b"two")
        self.wire.clock.advance(1.0)
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.assertEqual(self.wire.last.data, b"two")
        self.assertEqual(self.reset(), [])

    def test_what_is_to_be_sent_again_waits_for_the_radio(self) -> None:
        """Not for ever, also if nobody writes any more."""
        self.clients[A].protocol.dataReceived(b"one")
        self.wire.receive(TransmitStatus(self.wire.last.frame_id, Address16(1), 0, 0x24, 0))
        self.wire.coordinator.link_down("It is gone.")
        self.wire.clock.advance(PortSettings.outage - 0.1)
        self.assertEqual(self.reset(), [])
        self.wire.clock.advance(0.1)
        self.assertEqual(self.reset(), [A])

    @staticmethod
    def says(address64: Address64, address16: int | None = None) -> Sender:
        """What a damaged frame says of its sender."""
        return Sender(address64, Address16(address64 & 0xFFFF if address16 is None else address16))

    def test_damaged_frame(self) -> None:
        self.wire.coordinator.frames_damaged([self.says(A)])
        self.assertEqual(self.reset(), [A])

    def test_damaged_frame_of_anybody(self) -> None:
        self.wire.coordinator.frames_damaged(None)
        self.assertEqual(self.reset(), [A, B])

    def test_damaged_address(self) -> None:
        self.wire.coordinator.frames_damaged([self.says(C)])
        self.assertEqual(self.reset(), [A, B])

    def test_address_that_became_that_of_another_node(self) -> None:
        """Then the other address is not the other node's, and it may have been anybody's."""
        for damaged in (self.says(A, B & 0xFFFF), self.says(A, UNKNOWN16)):
            self.setUp()
            self.wire.coordinator.frames_damaged([damaged])
            self.assertEqual(self.reset(), [A, B])

    def test_damage_costs_no_look_at_all_nodes(self) -> None:
        """Thousands are silent and have no clients; noise comes many times a second."""
        self.crowd(500, first=D)
        self.clients[B].protocol.connectionLost()
        interrupted = count_calls(self, NodePort, "interrupted")
        for _ in range(10):
            self.wire.coordinator.frames_damaged(None)
        self.assertEqual({port.node.address64 for port in interrupted}, {A})
        self.assertEqual(self.reset(), [A])

    def test_noise_while_the_radio_is_away_costs_no_look_at_all_nodes(self) -> None:
        self.crowd(500, first=D)
        self.wire.clock.advance(1)
        self.wire.coordinator.link_down("It is gone.")
        deaf = count_calls(self, NodePort, "radio_is_deaf")
        for _ in range(10):
            self.wire.coordinator.frames_damaged(None)
        self.assertEqual(deaf, [])
        # One that was heard meanwhile, and a new one, are concerned.
        self.see(C)
        self.hear(A)
        self.wire.coordinator.frames_damaged(None)
        self.assertEqual([port.node.address64 for port in deaf], [C, A])

    def test_what_a_client_left_behind(self) -> None:
        """It waits for its turn, and nobody is connected any more: it is dropped all the same."""
        writer = self.clients[A].protocol
        writer.dataReceived(b"in the air")
        writer.dataReceived(b"waiting")
        writer.connectionLost()
        self.wire.coordinator.frames_damaged(None)
        port = self.bindings.port_of(self.node(A))
        assert port is not None
        self.assertEqual((port.outbound.bytes_lost, port.outbound.buffered), (7, 0))

    def test_observer(self) -> None:
        """Who hears of all streams hears of the hole in one that nobody reads."""
        broken: list[Address64] = []
        self.clients[B].protocol.connectionLost()
        self.wire.bus.subscribe(StreamBroken, lambda event: broken.append(event.node.address64))
        self.wire.coordinator.frames_damaged(None)
        self.assertEqual(broken, [A, B])

    def test_damage_that_concerns_nobody(self) -> None:
        self.wire.coordinator.frames_damaged([])
        self.assertEqual(self.reset(), [])

    def test_backlog(self) -> None:
        """What is kept for the next client must not have a hole either."""
        self.bindings.configure([], 27001, settings=PortSettings(backlog=100))
        self.clients[A].protocol.connectionLost()
        self.hear(A)
        self.wire.coordinator.frames_damaged([self.says(A)])
        self.hear(A)
        self.assertEqual(self.connect(27001).value(), b"something")

    def test_bytes_of_those_that_are_reset_are_not_sent(self) -> None:
        """Who is reset sends again what is to be sent, and it must not arrive twice."""
        writer = self.clients[A].protocol
        writer.dataReceived(b"in the air")
        writer.dataReceived(b"waiting")
        frame = self.wire.last
        self.wire.coordinator.frames_damaged([self.says(A)])
        self.wire.receive(TransmitStatus(frame.frame_id, Address16(1), 0, 0, 0))
        self.wire.clock.advance(1.0)
        self.assertIs(self.wire.last, frame)
        port = self.bindings.port_of(self.node(A))
        assert port is not None
        self.assertEqual(port.outbound.bytes_lost, 7)

    def test_waiting_bytes_go_out_when_the_radio_is_up(self) -> None:
        self.see(A)
        self.wire.coordinator.link_down("gone")
        transport = self.connect(27001)
        transport.protocol.dataReceived(b"data")
        self.assertEqual(self.wire.sent, [])
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)
        self.assertEqual(self.wire.last.data, b"data")


class UnknownSenderTests(BindingTestCase):
    """Bytes came, and nobody knows of which node."""

    def test_all_that_may_have_sent_them(self) -> None:
        self.wire.coordinator.ready(FACTS)
        self.see(A, B)
        clients = {A: self.connect(27001), B: self.connect(27002)}
        # One of them has no port.
        candidates = (B, Address64(99))
        self.wire.bus.publish(SenderUnknown(Address16(1), 5, candidates))
        self.assertEqual([one for one in clients if clients[one].disconnected], [B])
        [line] = [line for line in self.lines() if "could not be told, and" in line]
        self.assertIn("may have been of 00:13:a2:00:40:00:00:02", line)


class NoNetworkTests(BindingTestCase):
    """The radio's link is up, and it reaches nobody."""

    def setUp(self) -> None:
        super().setUp()
        self.wire.coordinator.ready(FACTS)
        self.see(A)
        self.client = self.connect(27001)
        self.wire.coordinator.left(replace(FACTS, association=0x21))
        self.wire.sent.clear()

    def join(self) -> None:
        self.wire.coordinator.link_down("The radio has just joined its network.")
        self.wire.coordinator.link_up(self.wire.sent.append)
        self.wire.coordinator.ready(FACTS)

    def test_what_is_written_soon(self) -> None:
        self.wire.clock.advance(PortSettings.outage - 1)
        self.client.protocol.dataReceived(b"open")
        self.assertEqual(self.wire.sent, [])
        self.join()
        self.assertEqual(self.wire.last.data, b"open")

    def test_what_is_written_late(self) -> None:
        """A device does not get an old command when the radio has joined."""
        self.wire.clock.advance(PortSettings.outage + 1)
        self.client.protocol.dataReceived(b"open")
        self.assertTrue(self.client.disconnected)
        self.join()
        self.assertEqual(self.wire.sent, [])

    def test_what_waits_too_long(self) -> None:
        self.client.protocol.dataReceived(b"open")
        self.wire.clock.advance(PortSettings.outage)
        self.assertTrue(self.client.disconnected)
        self.assertIn("4 bytes for", " ".join(self.lines()))

    def test_radio_that_comes_up_in_no_network(self) -> None:
        self.wire.coordinator.link_down("It is gone.")
        self.wire.coordinator.ready(replace(FACTS, association=0x21))
        self.client.protocol.dataReceived(b"open")
        self.assertEqual(self.wire.sent, [])
        self.wire.clock.advance(PortSettings.outage)
        self.assertTrue(self.client.disconnected)
