"""A node's own line is slower than the air, and its buffer is small: nothing is lost in it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.faults.connection import Client, pour
from tests.faults.world import World
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.port_values import AUTO, OFF
from zbtwist.simulator.channel import FULL_PACKET
from zbtwist.xbee.address import format_address64
from zbtwist.xbee.at import encode_value

BAUD = 9600

#: Bytes of the stream of a test, and of the one that the promise is about.
BRIEF, LONG = 20_000, 200_000

#: Seconds that a stream is given at the most, for each that its line needs.
PATIENCE = 3.0


class PaceTests(SynchronousTestCase):
    def start(self, baud: int = BAUD, registers: dict[str, int] | None = None, **port: Any) -> None:
        """
        @param registers: of the node, where they are not as they leave the factory.
        @param port: the settings of all ports, where they are not the default.
        """
        settings = {"port_settings": PortSettings(**port)}
        self.world = World(baud=baud, settings=settings)
        self.addCleanup(self.world.stop)
        (self.device,) = self.world.devices
        self.heard = bytearray()
        self.first_at = self.last_at = 0.0
        self.device.listener = self._hear
        for command, value in (registers or {}).items():
            self.set(command, value)

    def set(self, command: str, value: int) -> None:
        """Change a register by hand, at the node itself."""
        self.device.registers.store(command, encode_value(command, value))
        self.device.apply()

    def _hear(self, data: bytes) -> None:
        if not self.heard:
            # When its first byte was there.
            self.first_at = self.world.now - len(data) * self.device.uart.seconds_for_byte
        self.heard += data
        self.last_at = self.world.now

    def write(self, size: int, client: Client | None = None) -> bytes:
        """Let a client write so many bytes as fast as it is let; return them."""
        client = client or self.world.connect(self.device)
        data = b"".join(number.to_bytes(4, "big") for number in range(size // 4))
        written = 0

        def go_on() -> None:
            nonlocal written
            while taken := client.write(data[written : written + 8192]):
                written += taken

        client.has_room = go_on
        go_on()
        return data

    def finish(self, size: int) -> None:
        """Wait until so many bytes were heard, or long enough."""
        seconds = PATIENCE * size * self.device.uart.seconds_for_byte
        self.world.run_until(lambda: len(self.heard) >= size, seconds)

    @property
    def share(self) -> float:
        """The part of its rate that the line carried, from its first byte to its last."""
        seconds = self.last_at - self.first_at
        return len(self.heard) * self.device.uart.seconds_for_byte / seconds

    def check_stream(self, least_share: float = 0.97, size: int = BRIEF) -> None:
        sent = self.write(size)
        self.finish(size)
        self.assertEqual(self.device.uart.dropped_packets, 0)
        self.assertEqual(bytes(self.heard), sent)
        self.assertGreater(self.share, least_share)

    def test_200_kilobytes(self) -> None:
        """All of it leaves the far line, at 97 % of what that carries."""
        self.start()
        self.check_stream(size=LONG)

    def test_off(self) -> None:
        """The same without it: most is lost, and the gateway cannot know."""
        self.start(pace=OFF)
        pour(self.world.connect(self.device))
        self.world.run(60.0)
        outbound = self.world.binding_of(self.device).outbound
        self.assertEqual((outbound.bytes_lost, outbound.failures), (0, 0))
        self.assertGreater(self.device.uart.dropped_bytes, outbound.bytes_sent / 2)

    def test_every_rate(self) -> None:
        for baud in (1200, 2400, 4800, 14400, 19200):
            self.start(baud)
            self.check_stream(size=4000 if baud < BAUD else BRIEF)

    def test_line_that_is_faster_than_the_air(self) -> None:
        """It makes no difference."""
        got = []
        for pace in (AUTO, OFF):
            self.start(115200, pace=pace)
            pour(self.world.connect(self.device))
            self.world.run(1.0)
            before = len(self.heard)
            self.world.run(20.0)
            got.append(len(self.heard) - before)
            self.assertEqual(self.device.uart.dropped_packets, 0)
        self.assertAlmostEqual(got[0], got[1], delta=FULL_PACKET)

    def test_parity_and_two_stop_bits(self) -> None:
        self.start(registers={"NB": 1, "SB": 1})
        self.check_stream()

    def test_rate_that_a_person_says(self) -> None:
        self.start(4800, pace=4800)
        self.check_stream()

    def test_window(self) -> None:
        """Packets that are in the air together may all arrive before one byte has left."""
        self.start(window=4)
        self.check_stream()

    def test_bad_air(self) -> None:
        """Whatever may have arrived has its place, also if it is sent again."""
        self.start(at_least_once=True)
        self.world.air.loss = self.world.air.acknowledgement_loss = 0.4
        self.write(BRIEF)
        self.world.run(300.0)
        self.assertEqual(self.device.uart.dropped_packets, 0)
        self.assertGreaterEqual(len(self.heard), BRIEF)

    def test_several_clients(self) -> None:
        self.start()
        clients = [self.world.connect(self.device) for _ in range(3)]
        for client in clients:
            self.write(BRIEF // 4, client)
        self.finish(3 * (BRIEF // 4))
        self.assertEqual(self.device.uart.dropped_packets, 0)
        self.assertEqual(len(self.heard), 3 * (BRIEF // 4))
        self.assertGreater(self.share, 0.97)

    def test_end_device(self) -> None:
        """It is asked when it is awake, and hears what it misses nothing of."""
        self.start()
        self.device.fall_asleep(5.0)
        self.check_stream(0.5)

    def test_device_that_has_RTS_off_for_a_moment(self) -> None:
        """As long as what the buffer holds beside a packet and the margin last."""
        self.start()
        self.write(BRIEF)
        self.world.run(2.0)
        for _ in range(3):
            self.device.uart.rts = False
            self.world.run(0.002)
            self.device.uart.rts = True
            self.world.run(5.0)
        self.finish(BRIEF)
        self.assertEqual((self.device.uart.dropped_packets, len(self.heard)), (0, BRIEF))

    def test_rate_changed_over_the_air(self) -> None:
        """By this gateway, while a client writes: nothing is lost on the way from fast to slow."""
        self.start(115200)
        self.write(BRIEF)
        self.world.run(1.0)
        address = format_address64(self.device.address64)
        answered = Deferred.fromCoroutine(self.world.gateway.api.at(address, "BD", 3))
        self.world.run(1.0)
        self.successResultOf(answered)
        self.finish(BRIEF)
        self.assertEqual((self.device.uart.dropped_packets, len(self.heard)), (0, BRIEF))
