"""Masters that ask when they like, of a slave that answers when it likes, over a radio that says
what it likes: nobody gets an answer to what he has not asked.
"""

from __future__ import annotations

import random

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from tests.binding.asking.support import AskingTestCase
from tests.binding.modbus.support import read
from tests.radio.support import REMOTE16
from zbtwist.binding.asking.askers import LATE_TIME, REPLY_TIMEOUT
from zbtwist.binding.modbus.frames import with_crc
from zbtwist.xbee.frames import TransmitStatus
from zbtwist.xbee.status import DeliveryStatus

MASTERS = 3
STEPS = 3000

#: Seconds that the slave takes at the most: of later answers nothing is promised. They count from
#: when the gateway knows that the question has arrived, or else that nobody knows.
LONGEST = REPLY_TIMEOUT + LATE_TIME - 0.2
LONGEST_UNKNOWN = LATE_TIME - 0.1


class RandomTests(AskingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.follow(protocol="modbus-rtu")
        self.chance = random.Random(1)
        self.carried = self.answered = 0
        self.asked = [0] * MASTERS
        self.masters = [self.connect() for _ in range(MASTERS)]

    def value_of(self, number: int) -> bytes:
        return with_crc(b"\1\3\2" + number.to_bytes(2, "big"))

    def carry(self) -> None:
        """Carry what was sent: the slave has it, and will answer; the radio may not know that."""
        while self.carried < len(self.wire.sent):
            frame = self.wire.sent[self.carried]
            self.carried += 1
            is_known = self.chance.random() < 0.75
            status = (
                DeliveryStatus.DELIVERED if is_known else DeliveryStatus.NO_NETWORK_ACKNOWLEDGEMENT
            )
            seconds = self.chance.choice((0.05, 0.1, 0.3, 1.0, 3.0, LONGEST)) * self.chance.random()
            seconds = 0.01 + min(seconds, LONGEST if is_known else LONGEST_UNKNOWN)
            value = self.value_of(int.from_bytes(frame.data[2:4], "big"))
            self.clock.callLater(seconds, self.port.deliver, value)
            report = TransmitStatus(frame.frame_id, REMOTE16, 0, status, 0)
            self.clock.callLater(0.02, self.wire.receive, report)

    def look(self) -> None:
        for number, (_, transport) in zip(self.asked, self.masters):
            heard = transport.take()
            if heard:
                self.assertEqual(heard, self.value_of(number))
                self.answered += 1

    def test_nobody_gets_what_he_has_not_asked(self) -> None:
        for number in range(1, STEPS):
            which = self.chance.randrange(MASTERS)
            if self.chance.random() < 0.05:
                self.masters[which][0].connectionLost(Failure(ConnectionLost()))
                self.masters[which] = self.connect()
            self.asked[which] = number
            self.masters[which][0].dataReceived(read(1, number, 1))
            self.carry()
            if self.chance.random() < 0.5:
                for _ in range(self.chance.randrange(30)):
                    self.clock.advance(0.1)
                    self.carry()
                    self.look()
        self.assertGreater(self.answered, STEPS / 10)
        for _ in range(100):
            # What is on its way arrives, and nothing is left.
            self.clock.advance(0.2)
            self.carry()
            self.look()
        self.assertEqual(self.port.outbound.unconfirmed, 0)
