"""Turns: fair to all nodes, and bounded by what the radio can hold."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from zbtwist.binding.scheduler import MAX_IN_FLIGHT, SLOW, TransmitScheduler


class Sender:
    """Has so many packets to send, and asks for a turn for each."""

    def __init__(self, turns: TransmitScheduler, clock: Clock, name: str, packets: int) -> None:
        self.turns = turns
        self.clock = clock
        self.name = name
        self.packets = packets

    def send_next(self) -> None:
        if not self.packets:
            return
        self.packets -= 1
        packet = (self.name, self.packets)
        self.turns.sent(packet, self.clock.seconds())
        SENT.append(packet)
        if self.packets:
            self.turns.ask(self)


SENT: list[tuple[str, int]] = []


class TurnsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.turns = TransmitScheduler(self.clock, 2)
        SENT.clear()

    def start(self, name: str, packets: int) -> Sender:
        sender = Sender(self.turns, self.clock, name, packets)
        self.turns.ask(sender)
        return sender

    def test_limit(self) -> None:
        self.start("a", 5)
        self.assertEqual(len(SENT), 2)
        self.turns.done(SENT[0])
        self.assertEqual(len(SENT), 3)
        self.assertEqual(self.turns.in_flight, 2)

    def test_round_robin(self) -> None:
        for name in "abc":
            self.start(name, 4)
        for position in range(10):
            self.turns.done(SENT[position])
        self.assertEqual("".join(name for name, _ in SENT), "aaabcabcbcbc")

    def test_newcomer_waits_for_one_round(self) -> None:
        for name in "abcdefghi":
            self.start(name, 100)
        self.start("j", 1)
        for position in range(20):
            self.turns.done(SENT[position])
        self.assertLessEqual([name for name, _ in SENT].index("j"), 2 + 9)

    def test_asking_twice_is_asking_once(self) -> None:
        self.start("a", 2)
        sender = self.start("b", 5)
        self.turns.ask(sender)
        self.assertEqual(self.turns.waiting, 1)

    def test_slow_packets_give_their_places_away(self) -> None:
        self.start("a", 2)
        self.start("b", 3)
        self.clock.advance(SLOW - 0.1)
        self.assertEqual(len(SENT), 2)
        self.clock.advance(0.1)
        self.assertEqual([name for name, _ in SENT], ["a", "a", "b", "b"])
        self.assertEqual(self.turns.in_flight, 4)
        # A slow one that lands gives nothing.
        self.turns.done(SENT[0])
        self.assertEqual(len(SENT), 4)
        self.turns.done(SENT[2])
        self.assertEqual(len(SENT), 5)

    def test_nobody_waits_so_nobody_watches(self) -> None:
        self.start("a", 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slow_packets_are_bounded(self) -> None:
        self.start("a", 1000)
        for _ in range(100):
            self.clock.advance(SLOW)
        self.assertEqual(self.turns.in_flight, MAX_IN_FLIGHT)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.turns.done(SENT[0])
        self.assertEqual(len(SENT), MAX_IN_FLIGHT + 1)

    def test_stop(self) -> None:
        self.start("a", 5)
        self.turns.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.turns.done(SENT[0])
        self.assertEqual(len(SENT), 2)
