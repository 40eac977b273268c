"""What docs/modbus.rst has of numbers, in short: ``python -m tests.modbus`` has all of it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.modbus.masters import Master, Tally, read
from tests.modbus.runs import (
    MOST_WRITTEN,
    fit,
    long_writes,
    reads,
    requests_in_pieces,
    slave_of,
    two_masters,
    world_of,
    writes,
)


class MasterTests(SynchronousTestCase):
    """Whatever the air loses, nobody gets what was not asked for."""

    def check(self, tally: Tally, asked: int, none: int = 0) -> None:
        self.assertEqual((tally.asked, tally.wrong), (asked, 0))
        self.assertLessEqual(tally.none, none)

    def test_reads(self) -> None:
        for protocol in ("modbus-rtu", "modbus-tcp"):
            self.check(reads(protocol, 60), 60)

    def test_requests_in_pieces(self) -> None:
        self.check(requests_in_pieces(15), 15)

    def test_two_masters(self) -> None:
        for protocol in ("modbus-rtu", "modbus-tcp"):
            for tally in two_masters(protocol, 50):
                self.check(tally, 50)

    def test_two_masters_in_a_bad_air(self) -> None:
        """An answer may come later than its master asks again; it is none to the next question."""
        for protocol in ("modbus-rtu", "modbus-tcp"):
            for tally in two_masters(protocol, 60, 0.4):
                self.check(tally, 60, none=59)

    def test_two_masters_without_turns(self) -> None:
        """What it is for: everybody hears all."""
        for tally in two_masters("raw", 30):
            self.assertGreater(tally.wrong, 10)

    def test_turns_of_any_protocol(self) -> None:
        for tally in two_masters("raw", 60, turns=True, reply_silence=0.1):
            self.check(tally, 60, none=59)

    def test_slow_slave(self) -> None:
        """Its late answer is nobody's."""
        world = world_of("modbus-rtu", reply_timeout=0.5)
        slave = slave_of(world)
        seconds = iter([0.8, *[0.01] * 10])
        slave.thinking = lambda: next(seconds)
        master = Master(world, slave, timeout=0.6)
        outcomes = [master.ask(read(1, register, 2)) for register in (0, 10, 20, 30)]
        self.assertEqual(outcomes, ["none", "right", "right", "right"])
        world.stop()


class StrictSlaveTests(SynchronousTestCase):
    """A pause ends a frame for it."""

    def test_what_one_packet_holds(self) -> None:
        for payload in (66, 84):
            self.assertEqual(writes(payload, 115200, strict=True), fit(payload))

    def test_firmware_that_fragments(self) -> None:
        self.assertEqual(writes(255, 115200, strict=True), MOST_WRITTEN)

    def test_line_that_is_slower_than_the_air(self) -> None:
        self.assertEqual(writes(84, 9600, strict=True), MOST_WRITTEN)

    def test_what_would_be_torn(self) -> None:
        """It is refused, and not sent in vain; else it is sent, and this slave does not answer."""
        for strict in (True, False):
            world = world_of("modbus-tcp", baud=115200, strict=strict, reply_timeout=0.5)
            slave = slave_of(world)
            request = bytes.fromhex("01 10 0000 0064 c8") + bytes(200)
            master = Master(world, slave, is_tcp=True)
            self.assertEqual(master.ask((request, request[:6])), "none")
            self.assertEqual(slave.torn > 0, not strict)
            world.stop()

    def test_bad_air(self) -> None:
        """Where the line is slower than the air, pieces come without a pause mostly there, too."""
        tally = long_writes(84, 2400, 10)
        self.assertEqual((tally.wrong, tally.right), (0, 10))
