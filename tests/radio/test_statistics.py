"""What passes on the serial line is counted, whether anybody looks or not."""

from __future__ import annotations

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.radio.support import REMOTE, REMOTE16, Owner
from zbtwist.radio.events import FramePassed
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.radio.statistics import Traffic
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.frames import ReceivePacket, TransmitRequest
from zbtwist.xbee.framing import encode

DATA = ReceivePacket(REMOTE, REMOTE16, 1, b"12.5 C\r\n")


class Counting(SynchronousTestCase):
    def setUp(self) -> None:
        self.bus = EventBus()
        self.traffic = Traffic(self.bus)

    def connect(self, api_mode: int) -> RadioProtocol:
        protocol = RadioProtocol(Clock(), api_mode, Owner(), self.traffic)
        protocol.makeConnection(StringTransport())
        return protocol

    def test_frames_and_bytes(self) -> None:
        for api_mode in (1, 2):
            protocol = self.connect(api_mode)
            protocol.send(TransmitRequest(1, REMOTE, REMOTE16, 0, 0, b"\x7e\x11z"))
            protocol.dataReceived(encode(DATA.to_bytes(), api_mode))
        protocol.dataReceived(encode(b"\xee", 2))
        traffic = self.traffic
        self.assertEqual((traffic.frames_out[0x10], traffic.bytes_out[0x10]), (2, 2 * 17))
        self.assertEqual((traffic.frames_in[0x90], traffic.bytes_in[0x90]), (2, 2 * 20))
        self.assertEqual(traffic.frames_in[0xEE], 1)
        self.assertEqual((sum(traffic.frames_out), sum(traffic.frames_in)), (2, 3))

    def test_what_was_wrong_outlives_the_link(self) -> None:
        for _ in range(2):
            protocol = self.connect(2)
            protocol.dataReceived(b"noise" + b"\x7e\x00\x01\x01\x00" + encode(b"\xee", 2))
            protocol.connectionLost()
        traffic = self.traffic
        self.assertEqual((traffic.bad_frames, traffic.malformed_frames), (2, 2))
        self.assertGreaterEqual(traffic.discarded_bytes, 10)

    def test_tracing(self) -> None:
        seen: list[FramePassed] = []
        protocol = self.connect(2)
        self.assertFalse(self.traffic.watchers)
        self.bus.subscribe(FramePassed, seen.append)
        request = TransmitRequest(1, REMOTE, REMOTE16, 0, 0, b"x")
        protocol.send(request)
        protocol.dataReceived(encode(DATA.to_bytes(), 2))
        self.assertEqual(
            seen,
            [FramePassed(True, request.to_bytes(), 2), FramePassed(False, DATA.to_bytes(), 2)],
        )
