"""Frames in words, who gets to see them, and that nobody pays who does not."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from hypothesis import given
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.radio.support import REMOTE, REMOTE16, Owner
from tests.support import mistake, record_log
from tests.xbee.strategies import any_frame
from zbtwist.config.settings import Settings
from zbtwist.network.table import NodeTable
from zbtwist.observing.event_log import FRAME, EventLog, one_line
from zbtwist.observing.tracer import (
    MAX_TRACED,
    FrameTracer,
    TooManyTraced,
    TraceFileService,
    describe,
)
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.radio.statistics import Traffic
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import UNKNOWN64, Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    ATCommand,
    ATCommandResponse,
    Frame,
    MalformedFrame,
    ModemStatus,
    NodeIdentification,
    QueuedATCommand,
    ReceivePacket,
    RegisterJoiningDevice,
    RemoteATCommand,
    RemoteATCommandResponse,
    RouteRecord,
    TransmitRequest,
    TransmitStatus,
    UnknownFrame,
)
from zbtwist.xbee.framing import encode

OTHER = Address64(0x0013A200_400A3E02)
DATA = ReceivePacket(REMOTE, REMOTE16, 1, b"12.5 C\r\n")


class Words(SynchronousTestCase):
    """What a frame reads like."""

    def assertWords(self, frame: Frame, text: str, outgoing: bool = False, name: str = "") -> None:
        self.assertEqual(describe(outgoing, frame, name), text)

    def test_data(self) -> None:
        self.assertWords(
            TransmitRequest(5, REMOTE, REMOTE16, 0, 0x40, b"\x01\x03\x00\xff"),
            "sent TransmitRequest to E2: frame_id=5, address64=00:13:a2:00:40:0a:3e:ff, "
            "address16=1a2b, broadcast_radius=0, options=40, data=010300ff",
            outgoing=True,
            name="E2",
        )
        self.assertWords(
            DATA,
            "received ReceivePacket from E2: address64=00:13:a2:00:40:0a:3e:ff, address16=1a2b, "
            r"options=01, data='12.5 C\r\n'",
            name="E2",
        )
        self.assertTrue(
            describe(False, ReceivePacket(REMOTE, REMOTE16, 1, b"")).endswith("data=(nothing)")
        )

    def test_statuses(self) -> None:
        self.assertWords(
            TransmitStatus(5, REMOTE16, 2, 0x24, 1),
            "received TransmitStatus: frame_id=5, address16=1a2b, retries=2, "
            "delivery_status=24 (address not found), discovery_status=01",
        )
        self.assertWords(ModemStatus(2), "received ModemStatus: status=02 (joined the network)")

    def test_commands(self) -> None:
        self.assertWords(
            ATCommandResponse(1, "NT", 0, b"\x3c"),
            "received ATCommandResponse: frame_id=1, command=NT, status=00 (OK), value=60 (3c)",
        )
        self.assertWords(
            ATCommandResponse(1, "ZZ", 2),
            "received ATCommandResponse: frame_id=1, command=ZZ, status=02 (invalid command), "
            "value=(nothing)",
        )
        self.assertWords(
            ATCommand(1, "NI", "Küche".encode()),
            "sent ATCommand: frame_id=1, command=NI, parameter='Küche'",
            outgoing=True,
        )

    def test_keys_are_not_shown(self) -> None:
        secret = b"0123456789abcdef"
        for frame in (
            ATCommand(1, "KY", secret),
            QueuedATCommand(1, "NK", secret),
            RemoteATCommand(1, REMOTE, REMOTE16, 2, "KY", secret),
            ATCommandResponse(1, "KY", 0, secret),
            RemoteATCommandResponse(1, REMOTE, REMOTE16, "NK", 0, secret),
            RegisterJoiningDevice(1, REMOTE, REMOTE16, 0, secret),
        ):
            text = describe(True, frame)
            self.assertIn("(16 bytes, not shown)", text)
            self.assertNotIn(secret.hex(), text)
            self.assertNotIn(secret.decode(), text)

    def test_nodes(self) -> None:
        description = NodeDescription(
            REMOTE16, REMOTE, b"E2", role=2, event=2, device_type_identifier=0x30005
        )
        text = describe(False, NodeIdentification(REMOTE, REMOTE16, 2, description))
        self.assertIn("'E2' parent fffe role 2 event 2 DD 00030005", text)
        hops = [Address16(1), Address16(0xA0B)]
        self.assertIn("hops=0001 0a0b", describe(False, RouteRecord(REMOTE, REMOTE16, 1, hops)))

    def test_what_cannot_be_read(self) -> None:
        self.assertWords(
            UnknownFrame(b"\xee\x01", "a frame of type ee"),
            "received UnknownFrame: a frame of type ee: ee01",
        )

    @given(any_frame)
    def test_every_frame_is_a_line(self, frame: Frame) -> None:
        text = describe(False, frame, "name")
        self.assertTrue(text.startswith(f"received {type(frame).__name__} from name: "))
        self.assertTrue(one_line(text).isprintable())


class TracerTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1234.5)
        self.events = EventLog(EventBus())
        self.nodes = NodeTable(EventBus(), wall=self.clock.seconds)
        self.bus = EventBus()
        self.traffic = Traffic(self.bus)
        self.tracer = FrameTracer(self.bus, self.events, self.nodes)
        self.protocol = RadioProtocol(self.clock, 1, Owner(), self.traffic)
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)
        self.addCleanup(self.protocol.connectionLost)

    def receive(self, frame: Frame) -> None:
        self.protocol.dataReceived(encode(frame.to_bytes(), self.protocol.api_mode))

    def texts(self) -> list[str]:
        return [event.text for event in self.events.since(0)]


class Switching(TracerTestCase):
    """Which frames are events."""

    def heads(self) -> list[str]:
        return [text.partition(":")[0] for text in self.texts()]

    def test_off(self) -> None:
        """Off is no tracer at all: the serial line has nobody to call."""
        self.assertFalse(self.traffic.watchers)
        self.receive(DATA)
        self.tracer.switch(True)
        self.assertTrue(self.traffic.watchers)
        self.tracer.switch(True, REMOTE)
        self.tracer.switch(False)
        self.assertFalse(self.traffic.watchers)
        self.tracer.switch(True, REMOTE)
        self.assertTrue(self.traffic.watchers)
        self.tracer.switch(False, REMOTE)
        self.assertFalse(self.traffic.watchers)
        self.receive(DATA)
        self.assertEqual(self.texts(), [])

    def test_all(self) -> None:
        self.tracer.switch(True)
        node = self.nodes.add(REMOTE)
        assert node is not None
        node.label = "E2"
        self.protocol.send(TransmitRequest(1, REMOTE, REMOTE16, 0, 0, b"x"))
        self.receive(TransmitStatus(1, REMOTE16, 0, 0, 0))
        self.receive(DATA)
        self.receive(ModemStatus(2))
        self.receive(UnknownFrame(b"\xee", ""))
        self.assertEqual(
            self.heads(),
            [
                "sent TransmitRequest to E2",
                "received TransmitStatus from E2",
                "received ReceivePacket from E2",
                "received ModemStatus",
                "received UnknownFrame",
            ],
        )
        event = self.events.since(0)[0]
        self.assertEqual((event.time, event.level, event.kind), (1234.5, "debug", FRAME))

    def test_one_node(self) -> None:
        self.tracer.switch(True, REMOTE)
        self.nodes.seen(REMOTE, REMOTE16, 0.0)
        description = NodeDescription(REMOTE16, REMOTE, b"E2")
        for address64, frame_id in ((OTHER, 1), (REMOTE, 2)):
            self.protocol.send(TransmitRequest(frame_id, address64, REMOTE16, 0, 0, b"x"))
            self.protocol.send(RemoteATCommand(frame_id, address64, REMOTE16, 2, "NI"))
            self.receive(TransmitStatus(frame_id, REMOTE16, 0, 0, 0))
            self.receive(ReceivePacket(address64, REMOTE16, 1, b"x"))
        self.receive(ReceivePacket(UNKNOWN64, REMOTE16, 1, b"x"))
        self.receive(ReceivePacket(UNKNOWN64, Address16(7), 1, b"x"))
        self.receive(NodeIdentification(OTHER, REMOTE16, 2, description))
        self.receive(ATCommandResponse(1, "ND", 0, description.to_bytes()))
        self.receive(ATCommandResponse(1, "ND", 0, b"?"))
        self.receive(ATCommandResponse(1, "NI", 0, b"x"))
        self.receive(ModemStatus(2))
        self.assertEqual(
            self.heads(),
            [
                "sent TransmitRequest",
                "sent RemoteATCommand",
                "received TransmitStatus",
                "received ReceivePacket",
                "received ReceivePacket",
                "received NodeIdentification",
                "received ATCommandResponse",
            ],
        )

    def test_the_number_of_nodes_is_bounded(self) -> None:
        for number in range(MAX_TRACED):
            self.tracer.switch(True, Address64(number))
        self.tracer.switch(True, Address64(0))
        self.assertRaises(TooManyTraced, self.tracer.switch, True, REMOTE)
        self.tracer.switch(True)

    def test_long_data_is_cut(self) -> None:
        self.tracer.switch(True)
        self.receive(ReceivePacket(REMOTE, REMOTE16, 1, bytes(490)))
        (text,) = self.texts()
        self.assertEqual(len(text.encode()), 1024)

    def test_a_mistake_of_ours(self) -> None:
        """It costs no frame, and fills no log."""
        log = record_log(self)
        received: list[Frame] = []
        protocol = RadioProtocol(self.clock, 1, Owner(received.append), self.traffic)
        self.patch(self.events, "frame", mistake)
        self.tracer.switch(True)
        for _ in range(3):
            protocol.dataReceived(encode(DATA.to_bytes(), 1))
        self.assertEqual(received, [DATA] * 3)
        (line,) = log.lines()
        self.assertIn("tracing is off", line)
        self.assertEqual(list(self.traffic.watchers), [])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class Files(TracerTestCase):
    """The trace file has everything, as long as it can be written."""

    def setUp(self) -> None:
        super().setUp()
        directory = self.mktemp()
        os.mkdir(directory)
        self.path = os.path.join(directory, "trace.pcapng")
        self.log = record_log(self)

    def start(self, path: str = "") -> TraceFileService:
        service = TraceFileService(self.tracer, path or self.path, "sim:")
        service.startService()
        self.addCleanup(service.stopService)
        return service

    def lines(self) -> list[str]:
        return self.log.lines()

    def content(self) -> bytes:
        with open(self.path, "rb") as file:
            return file.read()

    def test_all_frames_as_on_the_wire(self) -> None:
        service = self.start()
        self.protocol.set_api_mode(2)
        frame = TransmitRequest(0x7E, REMOTE, REMOTE16, 0, 0, b"\x11")
        self.protocol.send(frame)
        self.receive(DATA)
        self.assertEqual(self.texts(), [])
        content = self.content()
        self.assertIn(self.transport.value(), content)
        self.assertIn(b"\x7d\x5e", content)
        self.assertIn(encode(DATA.to_bytes(), 2), content)
        self.assertIn(b"received ReceivePacket: ", content)
        service.stopService()
        self.assertFalse(self.traffic.watchers)
        self.receive(DATA)
        self.assertEqual(self.content(), content)
        self.assertEqual(self.lines(), [f"All frames are written to {self.path}."])

    def test_events_can_be_switched_meanwhile(self) -> None:
        self.start()
        self.tracer.switch(True)
        self.receive(DATA)
        self.tracer.switch(False)
        before = self.content()
        self.receive(DATA)
        self.assertEqual(len(self.texts()), 1)
        self.assertGreater(len(self.content()), len(before))

    def test_another_file(self) -> None:
        service = self.start()
        old = Settings(serial="sim:", trace_file=self.path)
        first = self.content()
        self.path += "2"
        new = replace(old, trace_file=self.path)
        service.reconfigure(old, new)
        service.reconfigure(new, new)
        self.receive(DATA)
        self.assertGreater(len(self.content()), len(first))
        service.reconfigure(new, replace(old, trace_file=None))
        self.assertFalse(self.traffic.watchers)
        service.stopService()
        service.reconfigure(old, replace(old, trace_file=self.path + "3"))
        self.assertFalse(os.path.exists(self.path + "3"))

    def test_a_file_that_cannot_be_made(self) -> None:
        self.start("/nowhere/trace")
        (line,) = self.lines()
        self.assertEqual(
            line,
            "The trace file /nowhere/trace cannot be written: No such file or directory. "
            "The gateway runs without it.",
        )
        self.assertFalse(self.traffic.watchers)

    def test_a_full_disk(self) -> None:
        """One line in the log, and no end of anything else."""
        self.start()
        self.log.events.clear()
        full = OSError(28, "No space left on device")

        def write(*_: Any) -> int:
            raise full

        self.patch(os, "write", write)
        for _ in range(3):
            self.receive(DATA)
        self.assertEqual(len(self.lines()), 1)
        self.assertIn("No space left on device. No more frames", self.lines()[0])
        self.assertFalse(self.traffic.watchers)
        self.assertEqual(self.protocol.decoder.good_frames, 3)


class Names(TracerTestCase):
    def test_a_name_from_the_air(self) -> None:
        self.tracer.switch(True)
        self.nodes.described(
            NodeDescription(REMOTE16, REMOTE, b"\x1b[31m" + "\u202e".encode()), 0.0
        )
        self.receive(DATA)
        self.assertTrue(all(text.isprintable() for text in self.texts()))

    def test_a_malformed_frame(self) -> None:
        self.tracer.switch(True)
        self.receive(MalformedFrame(b"\x90\x01", ""))
        self.assertIn("does not fit its layout", self.texts()[0])
        self.assertTrue(self.texts()[0].endswith(": 9001"))
