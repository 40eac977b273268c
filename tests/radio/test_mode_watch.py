"""A radio whose API mode has changed, and whose word of it is lost."""

from __future__ import annotations

from typing import Any

from tests.radio.support import start
from tests.radio.test_service import QUICK, LinkCase
from tests.support import present
from zbtwist.radio.mode_watch import PAUSE
from zbtwist.radio.requests import OVERDUE
from zbtwist.simulator.node import Node
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frames import ReceivePacket
from zbtwist.xbee.framing import encode

#: As all of Digi's, it has a byte that is escaped in API mode 2.
NODE = Address64(0x0013A200_12345678)

#: Seconds until it is noticed, at the latest.
NOTICED = 5.0


class OtherModeCase(LinkCase):
    def begin(self, api_mode: int, **settings: Any) -> None:
        self.build(api_mode, heartbeat=30.0, **settings)
        self.service.startService()
        self.run_for(QUICK)
        self.assertEqual(present(self.coordinator.facts).api_mode, api_mode)
        self.written = self.watch_line()

    def change_mode(self, api_mode: int) -> None:
        """As from the other interface: the line hears nothing of it."""
        self.network.radio.execute("AP", bytes([api_mode]))
        self.network.radio.apply()

    def send(self, data: bytes = b"x") -> None:
        self.coordinator.transmit(NODE, data, Address16(0x1234)).addErrback(lambda _: None)

    def hear(self, data: bytes = b"x") -> None:
        self.network.radio.write_frame(ReceivePacket(NODE, Address16(0x1234), 1, data))

    def questions(self) -> int:
        """How often the radio was asked for its mode."""
        return sum(b"AP" in data for data in self.written)

    def assertIsUpIn(self, api_mode: int) -> None:
        self.assertEqual(present(self.coordinator.facts).api_mode, api_mode)
        self.assertEqual(present(self.service.protocol).api_mode, api_mode)
        self.assertEqual(len(self.ups()), 2)


class OtherModeTests(OtherModeCase):
    def test_nothing_that_is_sent_arrives(self) -> None:
        """From 2 to 1: the radio does not know what to do with escapes, and says nothing of it;
        what has none gets through, the questions of the heartbeat among it.
        """
        self.begin(api_mode=2)
        self.run_for(20, 0.05)
        self.change_mode(1)
        for _ in range(round(NOTICED)):
            self.send()
            self.run_for(1)
        self.assertIsUpIn(1)
        self.assertEqual(
            self.lines("warn"),
            [
                (
                    "The radio on sim: is in API mode 1 now, and was in 2: somebody has set it "
                    "(AP), or it has restarted with what is in its flash memory. The gateway sets "
                    "the link up anew."
                )
            ],
        )
        answered = self.coordinator.transmit(NODE, b"x")
        self.run_for(6)
        self.successResultOf(answered)
        self.stop()
        self.network.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_commands_that_do_not_arrive(self) -> None:
        """The same, with nothing but commands to nodes."""
        self.begin(api_mode=2)
        self.change_mode(1)
        asked = self.coordinator.remote_at(NODE, "NI")
        start(asked).addErrback(lambda _: None)
        self.run_for(NOTICED)
        self.assertIsUpIn(1)
        self.stop()

    def test_a_node_says_what_would_have_to_be_escaped(self) -> None:
        """From 2 to 1, and nothing is sent."""
        self.begin(api_mode=2)
        self.change_mode(1)
        for _ in range(round(NOTICED)):
            self.hear(b"a}b~c")
            self.run_for(1)
        self.assertIsUpIn(1)
        self.stop()

    def test_what_comes_is_escaped(self) -> None:
        """From 1 to 2: no frame with a Digi address can be read any more."""
        self.begin(api_mode=1)
        self.change_mode(2)
        self.hear()
        self.run_for(NOTICED)
        self.assertIsUpIn(2)
        # It would be a line that damages frames, else.
        self.assertEqual(len(self.lines("warn")), 1)
        self.stop()

    def test_noticed_by_what_is_sent(self) -> None:
        """From 1 to 2: a byte of the data is taken for a frame's beginning."""
        self.begin(api_mode=1)
        self.change_mode(2)
        self.send(b"~~~")
        self.run_for(NOTICED)
        self.assertIsUpIn(2)
        self.stop()

    def test_it_is_moved_where_it_is_wanted(self) -> None:
        self.begin(api_mode=2, wanted=2, configure=True)
        self.change_mode(1)
        self.send()
        self.run_for(NOTICED)
        self.assertEqual(self.network.radio.api_mode, 2)
        self.assertIsUpIn(2)
        self.stop()

    def test_while_it_is_in_no_network(self) -> None:
        self.begin(api_mode=1)
        self.network.radio.leave()
        self.run_for(0.1)
        self.change_mode(2)
        self.hear()
        self.run_for(NOTICED)
        self.assertIsUpIn(2)
        self.stop()

    def test_it_goes_to_and_fro(self) -> None:
        """The log is told so, and not of each time."""
        self.begin(api_mode=1)
        for number in range(100):
            self.change_mode(1 + (number + 1) % 2)
            self.hear(b"a}b~c")
            self.run_for(NOTICED, 0.05)
        self.assertGreater(len(self.ups()), 10)
        self.assertLess(len(self.lines("warn")), 6, self.lines("warn"))
        self.stop()


class FalseAlarmTests(OtherModeCase):
    """What is no change of mode: asking does no harm, and is bounded."""

    def assertIsAsBefore(self) -> None:
        self.assertEqual(len(self.ups()), 1)
        self.assertNotIn("LinkDown", [type(one).__name__ for one in self.listener.heard])
        self.assertEqual(
            [one for one in self.listener.heard if isinstance(one, str) and one != "deaf"], []
        )
        self.assertIsNotNone(self.coordinator.facts)

    def test_nothing_is_asked_while_all_is_well(self) -> None:
        for api_mode in (1, 2):
            self.begin(api_mode)
            node = self.network.add_node(Node(self.network, NODE, "NODE"), announce=False)
            for number in range(250):
                self.coordinator.transmit(node.address64, bytes([number]), node.address16)
                self.hear(bytes([number]))
                self.run_for(0.1)
            self.assertEqual(self.questions(), 0)
            self.assertEqual(len(self.ups()), 1)
            self.stop()

    def test_noise(self) -> None:
        """Frames that were damaged: the radio is asked every few seconds, and is as it was."""
        for api_mode in (1, 2):
            self.begin(api_mode)
            frame = bytearray(
                encode(ReceivePacket(NODE, Address16(1), 1, b"abc").to_bytes(), api_mode)
            )
            frame[-3] ^= 1
            for _ in range(100):
                self.network.radio.write(bytes(frame))
                self.run_for(0.3)
            self.assertTrue(5 <= self.questions() <= 30 / PAUSE + 1, self.questions())
            self.assertIsAsBefore()
            self.stop()

    def test_statuses_that_take_their_time(self) -> None:
        """Of a node that sleeps."""
        self.begin(api_mode=2)
        self.network.radio.late_statuses = 1.0
        self.network.radio.lateness = 9.0
        node = self.network.add_node(Node(self.network, NODE, "NODE"), announce=False)
        for _ in range(60):
            self.coordinator.transmit(node.address64, b"x", node.address16, sleeps=True)
            self.run_for(0.5)
        self.assertTrue(5 <= self.questions() <= 30 / PAUSE + 1, self.questions())
        self.assertIsAsBefore()
        # One that was sent before the answer says nothing more.
        self.run_for(OVERDUE + PAUSE)
        asked = self.questions()
        self.run_for(60, 0.1)
        self.assertLessEqual(self.questions(), asked + 1)
        self.stop()

    def test_a_search_takes_its_time(self) -> None:
        self.begin(api_mode=2)
        searching = start(self.coordinator.discover())
        self.run_for(10)
        self.successResultOf(searching)
        self.assertEqual(self.questions(), 0)
        self.stop()

    def test_an_answer_that_says_nothing(self) -> None:
        """An error, or none at all: that is for the heartbeat."""
        self.begin(api_mode=1)
        execute = self.network.radio.execute
        self.patch(
            self.network.radio,
            "execute",
            lambda c, p: (1, b"") if c == "AP" else execute(c, p),
        )
        self.network.radio.write(b"~\x00\x02\x8a\x00\x00")
        self.run_for(10)
        self.assertIsAsBefore()
        self.assertLessEqual(self.questions(), 3)
        self.stop()

    def test_an_answer_that_noise_has_made(self) -> None:
        """One that says the other mode, and a good checksum: the radio is asked once more."""
        self.begin(api_mode=1)
        execute = self.network.radio.execute
        answers = iter((b"\x02",))

        def say(command: str, parameter: bytes) -> Any:
            usual = execute(command, parameter)
            return (0, next(answers, usual[1])) if command == "AP" else usual

        self.patch(self.network.radio, "execute", say)
        self.network.radio.write(b"~\x00\x02\x8a\x00\x00")
        self.run_for(10)
        self.assertEqual(self.questions(), 2)
        self.assertIsAsBefore()
        self.stop()

    def test_somebody_else_asks_for_the_mode(self) -> None:
        """With the same frame id: each has the answer."""
        self.begin(api_mode=1)
        while self.coordinator._ids.free[0] != 1:
            self.coordinator._ids.free.rotate()
        asked = start(self.coordinator.at("AP"))
        self.network.radio.write(b"~\x00\x02\x8a\x00\x00")
        self.run_for(1)
        self.assertEqual(self.successResultOf(asked), b"\x01")
        self.assertIsAsBefore()
        self.stop()

    def test_stop_while_it_is_asked(self) -> None:
        self.begin(api_mode=1)
        self.patch(self.network.radio, "receive_bytes", lambda data: None)
        for _ in range(2):
            self.network.radio.write(b"~\x00\x02\x8a\x00\x00")
            self.run_for(0.05)
        self.stop()
        self.network.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertNotIn(0x88, self.coordinator.hearers.takers)
