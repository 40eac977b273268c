"""Packets of which it is known whose they are by what they begin with."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.network.support import NetworkTestCase
from tests.radio.support import REMOTE, REMOTE16
from zbtwist.network.node import Node
from zbtwist.network.settled import HEAD_SIZE, SettledNodes
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64
from zbtwist.xbee.frames import ReceivePacket

OTHER = Address64(0x0013A200400A0B0B)


def packet(options: int, data: bytes = b"bytes") -> ReceivePacket:
    return ReceivePacket(REMOTE, REMOTE16, options, data)


class SettledNodesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.settled = SettledNodes()
        self.node = Node(REMOTE, REMOTE16)

    def of(self, options: int) -> Node | None:
        return self.settled.of(packet(options, b"others").to_bytes()[:HEAD_SIZE])

    def test_packets_of_it(self) -> None:
        self.settled.add(self.node, packet(1))
        self.assertEqual((self.of(1), self.of(2)), (self.node, None))

    def test_one_beginning_of_each(self) -> None:
        """Options are a stranger's byte: the last is kept, and not all that ever were."""
        for options in (1, 2, 2):
            self.settled.add(self.node, packet(options))
        self.assertEqual((self.of(1), self.of(2)), (None, self.node))

    def test_no_more(self) -> None:
        self.settled.add(self.node, packet(1))
        self.settled.discard(self.node)
        self.settled.discard(self.node)
        self.assertIsNone(self.of(1))


class ChangesTests(NetworkTestCase):
    """What is to be looked at closely again."""

    def setUp(self) -> None:
        super().setUp()
        self.up()
        self.got = self.known()
        self.hear(b"1")

    def test_forgotten(self) -> None:
        self.network.nodes.remove(self.node())
        self.hear(b"2")
        self.assertEqual(self.got, [b"1"])

    def test_forgotten_by_who_gets_its_bytes(self) -> None:
        node = self.node()

        def receive(data: bytes) -> None:
            self.got.append(data)
            self.network.nodes.remove(node)

        node.receiver = receive
        # It is looked at closely, for its options, and not the next time.
        for _ in range(2):
            self.hear(b"2", options=2)
        self.assertEqual(self.got, [b"1", b"2"])

    def test_its_address_was_anothers(self) -> None:
        self.hear(b"", OTHER, REMOTE16)
        self.assertEqual(self.node().address16, UNKNOWN16)
        self.hear(b"2")
        self.assertEqual(self.node().address16, REMOTE16)
        self.assertEqual(self.got, [b"1", b"2"])

    def test_it_leads_nowhere(self) -> None:
        """A packet to its address did not arrive, and then it is heard with that."""
        self.network.nodes.located(self.node(), UNKNOWN16)
        self.hear(b"2")
        self.assertEqual(self.node().address16, REMOTE16)

    def test_known_no_more(self) -> None:
        """Such as when a module is another one in the place of the old: it is asked."""
        self.node().label = None
        self.network.nodes.changed(self.node())
        self.wire.sent.clear()
        self.hear(b"2")
        self.assertTrue(self.wire.sent)

    def test_another_object_of_the_same_address(self) -> None:
        """Who has it forgotten may hold one that was forgotten long before."""
        node = self.node()
        self.network.nodes.remove(Node(REMOTE, REMOTE16))
        self.assertEqual(node.head, b"")

    def test_mistake_when_it_moves(self) -> None:
        """Who is told of it may fail: it is not taken to be where it was."""

        def fail(node: Node) -> None:
            raise ValueError

        self.network.nodes.moved = fail
        node = self.node()
        self.assertRaises(ValueError, self.network.nodes.located, node, Address16(0x7777))
        self.assertEqual((node.head, node.address16), (b"", 0x7777))
