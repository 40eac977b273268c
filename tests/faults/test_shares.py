"""What a client gets of the air, when all goes well: nearly all of it, or a fair share."""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from tests.faults.connection import pour
from tests.faults.world import Device, Echo, World
from zbtwist.simulator.channel import FULL_PACKET
from zbtwist.xbee.devices import COORDINATOR, ROUTER

#: Seconds that are measured.
SECONDS = 10.0


class ShareTests(SynchronousTestCase):
    def start(self, nodes: int, make: type[Device] = Device) -> None:
        self.world = World(nodes=nodes, make=make)
        self.addCleanup(self.world.stop)
        self.packet_time = self.world.air.seconds_for(FULL_PACKET, 1, COORDINATOR, ROUTER)
        self.heard = dict.fromkeys(self.world.devices, 0)
        for device in self.world.devices:
            device.listener = lambda data, device=device: self.count(device, data)

    def count(self, device: Device, data: bytes) -> None:
        self.heard[device] += len(data)

    def measure(self) -> list[int]:
        """Bytes that each node gets."""
        self.world.run(1.0)
        before = dict(self.heard)
        self.world.run(SECONDS)
        return [self.heard[device] - before[device] for device in self.world.devices]

    def test_one_stream(self) -> None:
        """At least 97 % of what the air carries."""
        self.start(1)
        pour(self.world.connect(self.world.devices[0]))
        (got,) = self.measure()
        self.assertGreaterEqual(got, 0.97 * SECONDS / self.packet_time * FULL_PACKET)

    def test_ten_streams(self) -> None:
        """Equal shares, within 5 %, of all there is."""
        self.start(10)
        for device in self.world.devices:
            pour(self.world.connect(device))
        shares = self.measure()
        equal = sum(shares) / len(shares)
        for share in shares:
            self.assertLess(abs(share - equal), 0.05 * equal)
        self.assertGreaterEqual(sum(shares), 0.97 * SECONDS / self.packet_time * FULL_PACKET)

    def test_exchange_beside_bulk(self) -> None:
        """A question of 10 bytes waits for a packet of each other node at most; when its turn has
        come it is answered within the time of two packets.
        """
        self.start(10, Echo)
        asked, *busy = self.world.devices
        for device in busy:
            device.send = lambda data: None  # type: ignore[method-assign]
            pour(self.world.connect(device))
        world = self.world
        last_end = turn = 0.0

        def heard(device: Device) -> None:
            nonlocal last_end, turn
            if device is asked:
                turn = last_end
            last_end = world.now

        for device in self.world.devices:
            device.listener = lambda data, device=device: heard(device)
        connection = world.connect(asked)
        answers: list[bytes] = []
        connection.received = answers.append
        chance = random.Random(4)
        world.run(1.0)
        for number in range(50):
            world.run(chance.uniform(0.2, 0.5))
            began = world.now
            question = b"question %d" % (number % 10)
            connection.write(question)
            self.assertTrue(world.run_until(lambda: bool(answers), 5.0))
            self.assertEqual(answers.pop(), question)
            self.assertLessEqual(world.now - turn, 2 * self.packet_time)
            self.assertLessEqual(world.now - began, (len(busy) + 2) * self.packet_time)
