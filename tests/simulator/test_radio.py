"""The simulated radio as a program at its serial line sees it: modes, AT commands, frames."""

from __future__ import annotations

from tests.clock import Clock
from tests.simulator.support import NetworkTestCase, widen
from zbtwist.simulator.options import SimulatorOptions
from zbtwist.simulator.radio import MAX_TRANSMISSIONS
from zbtwist.xbee.address import BROADCAST64, UNKNOWN16, UNKNOWN64, Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    ATCommand,
    ATCommandResponse,
    CreateSourceRoute,
    ExplicitReceive,
    ExplicitTransmitRequest,
    IODataSample,
    ModemStatus,
    NodeIdentification,
    QueuedATCommand,
    ReceivePacket,
    RegisterJoiningDevice,
    RegisterJoiningDeviceStatus,
    RemoteATCommand,
    RemoteATCommandResponse,
    RouteRecord,
    TransmitRequest,
    TransmitStatus,
    UserDataRelay,
)
from zbtwist.xbee.framing import encode


class RadioTestCase(NetworkTestCase):
    options = SimulatorOptions(interval=0)

    def setUp(self) -> None:
        self.use(self.options.build(Clock()), self.options.api_mode)
        self.echo = self.network.node("ECHO")
        # No routes, unless the test is about them.
        self.radio.registers.store("AR", b"\xff")
        self.radio.apply()


class RegisterTests(RadioTestCase):
    def test_bring_up(self) -> None:
        """What a gateway reads when the link comes up."""
        expected = {
            "AP": "01",
            "AO": "00",
            "SH": "0013a200",
            "SL": "415b1a00",
            "NP": "0054",
            "NT": "20",
            "NO": "00",
            "HV": "4241",
            "VR": "1012",
            "ID": "0000000000000000",
            "OP": "00d1690000002a01",
            "OI": "5e21",
            "AI": "00",
            "MY": "0000",
            "MP": "fffe",
            "CE": "01",
            "CH": "0f",
            "BD": "00000003",
            "%V": "0ce4",
        }
        read = {command: self.line.at(command) for command in expected}
        self.assertEqual(
            read, {command: (0, bytes.fromhex(value)) for command, value in expected.items()}
        )

    def test_unknown_command(self) -> None:
        self.assertEqual(self.line.at("N?"), (2, b""))
        self.assertEqual(self.line.at("XX", b"\1"), (2, b""))
        self.assertEqual(self.line.at("CN"), (2, b""))

    def test_read_only(self) -> None:
        for command in ("SH", "SL", "MY", "NP", "HV", "VR", "TP", "OP"):
            before = self.line.at(command)
            self.assertEqual(self.line.at(command, b"\1"), (3, b""), command)
            self.assertEqual(self.line.at(command), before)

    def test_ranges(self) -> None:
        for command, good, bad in (
            ("NT", 0x20, 0x1F),
            ("AP", 2, 3),
            ("NB", 3, 4),
            ("D6", 5, 2),
            ("NO", 7, 8),
            ("CT", 0x28F, 0x290),
            ("BD", 0x1C200, 0xB),
        ):
            good_bytes, bad_bytes = good.to_bytes(4, "big"), bad.to_bytes(4, "big")
            self.assertEqual(self.line.at(command, bad_bytes, queued=True), (3, b""), command)
            self.assertEqual(self.line.at(command, good_bytes, queued=True), (0, b""), command)
            status, value = self.line.at(command, queued=True)
            self.assertEqual((status, int.from_bytes(value, "big")), (0, good), command)

    def test_node_identifier(self) -> None:
        self.assertEqual(self.line.at("NI", b"twenty bytes exactly"), (0, b""))
        self.assertEqual(self.line.at("NI"), (0, b"twenty bytes exactly"))
        self.assertEqual(self.line.at("NI", b"one byte more than it"), (3, b""))
        self.assertEqual(self.line.at("NI"), (0, b"twenty bytes exactly"))

    def test_lower_case_command(self) -> None:
        self.assertEqual(self.line.at("ap"), (0, b"\1"))

    def test_frame_id_zero_asks_for_no_answer(self) -> None:
        self.assertEqual(self.line.say(ATCommand(0, "NI", b"SILENT")), [])
        self.assertEqual(self.line.at("NI"), (0, b"SILENT"))

    def test_flash(self) -> None:
        """What is not written does not outlive a restart."""
        self.line.at("NI", b"KEPT")
        self.assertEqual(self.radio.flash_writes, 0)
        self.assertEqual(self.line.at("WR"), (0, b""))
        self.assertEqual(self.radio.flash_writes, 1)
        self.line.at("NI", b"LOST")
        self.line.at("FR")
        self.line.run(1)
        self.assertEqual(self.line.at("NI"), (0, b"KEPT"))
        self.assertEqual(self.radio.flash_writes, 1)

    def test_factory_settings(self) -> None:
        self.line.at("NI", b"MINE")
        self.assertEqual(self.line.at("RE"), (0, b""))
        self.assertEqual(self.line.at("NI"), (0, b"COORDINATOR"))

    def test_sample(self) -> None:
        self.assertEqual(self.line.at("IS"), (1, b""))
        self.line.at("D4", b"\5")
        self.assertEqual(self.line.at("IS"), (0, bytes.fromhex("01 0010 00 0010")))

    def test_strength_of_the_last_packet(self) -> None:
        self.line.transmit(self.echo.address64)
        self.assertEqual(self.line.at("DB"), (0, bytes([self.echo.rssi])))


class ModeTests(RadioTestCase):
    def test_answer_in_old_mode(self) -> None:
        """The answer to AP=2 is not escaped, the next one is."""
        # Frame id 11 is one that mode 2 escapes.
        self.line.type(encode(ATCommand(0x11, "AP", b"\2").to_bytes(), 1))
        self.assertEqual(self.line.raw, bytes.fromhex("7e 0005 88 11 4150 00 d5"))
        self.line.type(encode(ATCommand(0x11, "AP").to_bytes(), 2))
        self.assertEqual(self.line.raw, bytes.fromhex("7e 0006 88 7d31 4150 00 02 d3"))

    def test_queued_mode_waits(self) -> None:
        self.assertEqual(self.line.at("AP", b"\2", queued=True), (0, b""))
        self.assertEqual(self.radio.api_mode, 1)
        self.assertEqual(self.line.at("AC", queued=True), (0, b""))
        self.assertEqual(self.radio.api_mode, 2)

    def test_queued_mode_applied_by_next_command(self) -> None:
        self.line.at("AP", b"\2", queued=True)
        self.assertEqual(self.line.at("NI"), (0, b"COORDINATOR"))
        self.assertEqual(self.radio.api_mode, 2)

    def test_escaped(self) -> None:
        self.line.at("AP", b"\2")
        self.line.use_mode(2)
        data = bytes(range(0x60)) * 2
        self.assertEqual(self.line.transmit(self.echo.address64, data[:84]).delivery_status, 0)
        self.assertEqual([f.data for f in self.line.of(ReceivePacket)], [data[:84]])
        self.assertEqual(self.line.transmit(self.echo.address64, data[84:160]).delivery_status, 0)
        self.assertEqual([f.data for f in self.line.of(ReceivePacket)], [data[84:160]])

    def test_back_to_plain(self) -> None:
        self.line.at("AP", b"\2")
        self.line.use_mode(2)
        self.line.at("AP", b"\1")
        self.line.use_mode(1)
        self.assertEqual(self.line.at("AP"), (0, b"\1"))

    def test_one_byte_at_a_time(self) -> None:
        for value in encode(ATCommand(7, "NI").to_bytes(), 1):
            self.radio.receive_bytes(bytes([value]))
        self.line.run(0.1)
        self.assertEqual(self.line.frames, [ATCommandResponse(7, "NI", 0, b"COORDINATOR")])

    def test_bad_input_is_ignored(self) -> None:
        good = encode(ATCommand(7, "AP").to_bytes(), 1)
        bad = good[:-1] + b"\0"
        unknown = encode(b"\xee\1\2\3", 1)
        short = encode(b"\x10\1", 1)
        relay = encode(UserDataRelay(1, 0, b"x").to_bytes(), 1)
        for garbage in (b"\0\xff noise", bad, unknown, short, relay):
            self.line.type(garbage + good)
            self.assertEqual(self.line.frames, [ATCommandResponse(7, "AP", 0, b"\1")], garbage)

    def test_silence_ends_a_frame(self) -> None:
        """The beginning of a frame does not swallow the frames of the next program."""
        self.line.type(b"\x7e\x00\xff", seconds=1.0)
        self.assertEqual(self.line.at("AP"), (0, b"\1"))


class TransmitTests(RadioTestCase):
    def test_delivered(self) -> None:
        echo = self.echo
        status = self.line.transmit(echo.address64, b"hello")
        # The 16-bit address was asked to be found.
        self.assertEqual(status, TransmitStatus(0x33, echo.address16, 0, 0, 1))
        self.assertEqual(
            self.line.of(ReceivePacket),
            [ReceivePacket(echo.address64, echo.address16, 1, b"hello")],
        )
        self.assertEqual(echo.heard, b"hello")

    def test_known_address16(self) -> None:
        echo = self.echo
        self.line.say(TransmitRequest(1, echo.address64, echo.address16, 0, 0, b"x"))
        self.assertEqual(self.line.of(TransmitStatus), [TransmitStatus(1, echo.address16, 0, 0, 0)])

    def test_by_address16_alone(self) -> None:
        self.line.say(TransmitRequest(1, UNKNOWN64, self.echo.address16, 0, 0, b"short"))
        self.assertEqual(self.line.of(TransmitStatus)[0].delivery_status, 0)
        self.assertEqual(self.echo.heard, b"short")

    def test_no_status_asked_for(self) -> None:
        frames = self.line.say(TransmitRequest(0, self.echo.address64, UNKNOWN16, 0, 0, b"x"))
        self.assertEqual([type(frame) for frame in frames], [ReceivePacket])

    def test_in_order(self) -> None:
        """Packets in flight together arrive as they were sent, and so do their statuses."""
        widen(self.echo)
        self.line.say(
            *(
                TransmitRequest(n, self.echo.address64, UNKNOWN16, 0, 0, bytes([n]) * 20)
                for n in range(1, 40)
            ),
            seconds=1.0,
        )
        self.assertEqual([f.frame_id for f in self.line.of(TransmitStatus)], list(range(1, 40)))
        self.assertEqual(self.line.data, b"".join(bytes([n]) * 20 for n in range(1, 40)))

    def test_too_large(self) -> None:
        address = self.echo.address64
        self.assertEqual(self.line.transmit(address, bytes(84)).delivery_status, 0)
        self.assertEqual(self.line.transmit(address, bytes(85)).delivery_status, 0x74)

    def test_not_there(self) -> None:
        status = self.line.transmit(Address64(0x0013A20012345678), seconds=1.0)
        self.assertEqual((status.address16, status.delivery_status), (UNKNOWN16, 0x24))

    def test_self_addressed(self) -> None:
        for address in (Address64(0), self.radio.address64):
            self.assertEqual(self.line.transmit(address).delivery_status, 0x23)

    def test_encryption_without_key(self) -> None:
        self.assertEqual(
            self.line.transmit(self.echo.address64, options=0x20).delivery_status, 0x2E
        )
        self.assertEqual(self.line.transmit(BROADCAST64, options=0x20).delivery_status, 0x2D)
        self.line.at("EE", b"\1")
        self.assertEqual(self.line.transmit(self.echo.address64, options=0x20).delivery_status, 0)

    def test_unreachable(self) -> None:
        self.echo.reachable = False
        status = self.line.transmit(self.echo.address64, seconds=1.0)
        self.assertEqual((status.delivery_status, status.retries), (0x21, 2))
        self.assertEqual(self.echo.heard, b"")

    def test_every_failure_on_demand(self) -> None:
        statuses = [0x01, 0x02, 0x15, 0x21, 0x22, 0x24, 0x25, 0x26, 0x2B, 0x2C, 0x32, 0x75]
        for status in statuses:
            self.network.fail_next(self.echo, status)
        self.assertEqual(
            [self.line.transmit(self.echo.address64).delivery_status for _ in statuses], statuses
        )
        self.assertEqual(self.echo.heard, b"")
        self.assertEqual(self.line.transmit(self.echo.address64).delivery_status, 0)

    def test_failure_that_was_delivered(self) -> None:
        self.network.fail_next(self.echo, 0x21, delivered=True, times=2)
        self.assertEqual(self.line.transmit(self.echo.address64, b"a").delivery_status, 0x21)
        self.assertEqual(self.line.transmit(self.echo.address64, b"b").delivery_status, 0x21)
        self.assertEqual(self.echo.heard, b"ab")

    def test_failure_is_for_one_node(self) -> None:
        self.network.fail_next(self.network.node("METER"), 0x25)
        self.assertEqual(self.line.transmit(self.echo.address64).delivery_status, 0)

    def test_broadcast(self) -> None:
        status = self.line.transmit(BROADCAST64, b"all")
        self.assertEqual((status.address16, status.delivery_status), (UNKNOWN16, 0))
        for node in self.network.nodes.values():
            self.assertEqual(node.heard, b"all")

    def test_too_many_at_once(self) -> None:
        self.echo.reachable = False
        request = TransmitRequest(1, self.echo.address64, UNKNOWN16, 0, 0, b"x")
        self.line.say(*[request] * (MAX_TRANSMISSIONS + 2))
        self.assertEqual([f.delivery_status for f in self.line.of(TransmitStatus)], [0x32, 0x32])
        self.line.run(1)
        self.echo.reachable = True
        self.assertEqual(self.line.transmit(self.echo.address64).delivery_status, 0)

    def test_explicit(self) -> None:
        def explicit(cluster: int, endpoint: int = 0xE8) -> ExplicitTransmitRequest:
            return ExplicitTransmitRequest(
                1, self.echo.address64, UNKNOWN16, 0xE8, endpoint, cluster, 0xC105, 0, 0, b"data"
            )

        for cluster in (0x0011, 0x0012):
            self.line.say(explicit(cluster))
            self.assertEqual([f.delivery_status for f in self.line.of(TransmitStatus)], [0])
            self.assertEqual([f.data for f in self.line.of(ReceivePacket)], [b"data"], cluster)
        # The loopback cluster never reaches the serial line.
        self.assertEqual(self.echo.heard, b"data")
        for frame in (explicit(0x0006), explicit(0x0011, 0x01)):
            self.line.say(frame)
            self.assertEqual([f.delivery_status for f in self.line.of(TransmitStatus)], [0])
            self.assertEqual(self.line.of(ReceivePacket), [])

    def test_source_route_needs_no_answer(self) -> None:
        route = CreateSourceRoute(1, self.echo.address64, self.echo.address16, 0, [])
        self.assertEqual(self.line.say(route), [])

    def test_register_joining_device(self) -> None:
        frame = RegisterJoiningDevice(1, self.echo.address64, UNKNOWN16, 0, b"key")
        self.assertEqual(self.line.say(frame), [RegisterJoiningDeviceStatus(1, 0)])


class RemoteATTests(RadioTestCase):
    def test_read(self) -> None:
        echo = self.echo
        answer = self.line.remote_at(echo.address64, "NI")
        self.assertEqual(
            answer,
            RemoteATCommandResponse(0x32, echo.address64, echo.address16, "NI", 0, b"ECHO"),
        )

    def test_set(self) -> None:
        self.assertEqual(self.line.remote_at(self.echo.address64, "D1", b"\5").status, 0)
        self.assertEqual(self.line.remote_at(self.echo.address64, "D1").value, b"\5")
        self.assertEqual(self.line.remote_at(self.echo.address64, "D1", b"\6").status, 3)
        self.assertEqual(self.line.remote_at(self.echo.address64, "SL", b"\6").status, 3)
        self.assertEqual(self.line.remote_at(self.echo.address64, "N?").status, 2)

    def test_apply(self) -> None:
        self.line.remote_at(self.echo.address64, "D1", b"\5", apply=False)
        self.assertEqual(self.echo.registers.number("D1"), 0)
        self.line.remote_at(self.echo.address64, "AC", apply=False)
        self.assertEqual(self.echo.registers.number("D1"), 5)

    def test_unreachable(self) -> None:
        self.echo.reachable = False
        answer = self.line.remote_at(self.echo.address64, "NI", seconds=1.0)
        self.assertEqual(
            answer, RemoteATCommandResponse(0x32, self.echo.address64, UNKNOWN16, "NI", 4)
        )
        ((when, _),) = self.line.heard
        self.assertGreater(when, 0.4)

    def test_unknown_node(self) -> None:
        for address in (Address64(0x0013A20012345678), Address64(0)):
            answer = self.line.remote_at(address, "NI", seconds=1.0)
            self.assertEqual((answer.status, answer.address16), (4, UNKNOWN16))

    def test_no_answer_asked_for(self) -> None:
        frame = RemoteATCommand(0, self.echo.address64, UNKNOWN16, 2, "NI", b"QUIET")
        self.assertEqual(self.line.say(frame), [])
        self.assertEqual(self.echo.identifier, b"QUIET")

    def test_broadcast(self) -> None:
        self.line.say(RemoteATCommand(1, BROADCAST64, UNKNOWN16, 2, "NI"))
        self.assertEqual(
            sorted(frame.value for frame in self.line.of(RemoteATCommandResponse)),
            [b"ECHO", b"METER", b"SENSOR"],
        )

    def test_temperature(self) -> None:
        """The modules of the adapters have a thermometer, that of the sensor has none."""
        value = self.line.remote_at(self.echo.address64, "TP").value
        self.assertTrue(20 <= int.from_bytes(value, "big", signed=True) <= 35)
        sensor = self.network.node("SENSOR").address64
        self.assertEqual(self.line.remote_at(sensor, "TP").status, 2)

    def test_restart(self) -> None:
        """A node that restarts forgets what it did not write, and says that it is back."""
        address = self.echo.address64
        self.line.remote_at(address, "NI", b"NEW")
        self.line.remote_at(address, "FR")
        self.line.run(0.2)
        self.assertEqual(self.line.transmit(address).delivery_status, 0x21) if False else None
        self.line.run(1.0)
        (frame,) = self.line.of(NodeIdentification)
        self.assertEqual((frame.description.label, frame.description.event), ("ECHO", 3))
        self.line.remote_at(address, "NI", b"NEW")
        self.line.remote_at(address, "WR")
        self.line.remote_at(address, "FR", seconds=1.0)
        self.assertEqual(self.line.remote_at(address, "NI").value, b"NEW")
        self.assertEqual(self.echo.registers.flash_writes, 1)

    def test_button(self) -> None:
        self.line.remote_at(self.echo.address64, "CB", b"\1")
        (frame,) = self.line.of(NodeIdentification)
        self.assertEqual((frame.address64, frame.description.event), (self.echo.address64, 1))


class DiscoveryTests(RadioTestCase):
    def discover(self, name: bytes = b"") -> list[NodeDescription]:
        self.line.say(ATCommand(1, "ND", name), seconds=3.2)
        answers = self.line.of(ATCommandResponse)
        self.assertEqual({(a.frame_id, a.command, a.status) for a in answers}, {(1, "ND", 0)})
        return [NodeDescription.parse(answer.value) for answer in answers]

    def test_all(self) -> None:
        found = {description.label: description for description in self.discover()}
        self.assertEqual(set(found), {"METER", "SENSOR", "ECHO"})
        echo = self.echo
        self.assertEqual(
            found["ECHO"], NodeDescription(echo.address16, echo.address64, b"ECHO", UNKNOWN16)
        )
        times = [when for when, _ in self.line.heard]
        self.assertEqual(len(set(times)), 3)

    def test_options(self) -> None:
        for options, parts in ((1, (True, False)), (4, (False, True)), (5, (True, True))):
            self.line.at("NO", bytes([options]))
            for found in self.discover():
                node = self.network.nodes[found.address64]
                identifier = node.registers.number("DD")
                self.assertEqual(
                    (found.device_type_identifier, found.rssi),
                    (identifier if parts[0] else None, node.rssi if parts[1] else None),
                )

    def test_own_answer(self) -> None:
        """90000976, "NO": bit 1 has the radio itself answer, too."""
        self.line.at("NO", b"\2")
        found = self.discover()
        self.assertEqual(
            sorted(one.label for one in found), ["COORDINATOR", "ECHO", "METER", "SENSOR"]
        )
        self.assertEqual([one.rssi for one in found], [None] * 4)

    def test_by_name(self) -> None:
        (found,) = self.discover(b"SENSOR")
        self.assertEqual(found.label, "SENSOR")

    def test_by_unknown_name(self) -> None:
        self.assertEqual(self.line.say(ATCommand(1, "ND", b"NOBODY"), seconds=5.0), [])

    def test_overlapping(self) -> None:
        self.line.say(ATCommand(1, "ND"), seconds=1.0)
        first = self.line.of(ATCommandResponse)
        self.line.say(ATCommand(2, "ND"), seconds=4.0)
        answers = first + self.line.of(ATCommandResponse)
        for frame_id in (1, 2):
            labels = [
                NodeDescription.parse(a.value).label for a in answers if a.frame_id == frame_id
            ]
            self.assertEqual(sorted(labels), ["ECHO", "METER", "SENSOR"])

    def test_unreachable_node_is_silent(self) -> None:
        self.echo.reachable = False
        self.assertEqual({d.label for d in self.discover()}, {"METER", "SENSOR"})

    def test_destination_node(self) -> None:
        self.line.say(ATCommand(1, "DN", b"ECHO"), seconds=3.5)
        address16, address64 = self.echo.address16, self.echo.address64
        self.assertEqual(
            self.line.frames,
            [
                ATCommandResponse(
                    1, "DN", 0, address16.to_bytes(2, "big") + address64.to_bytes(8, "big")
                )
            ],
        )
        self.assertEqual(
            self.line.at("DH")[1] + self.line.at("DL")[1], address64.to_bytes(8, "big")
        )

    def test_destination_node_that_is_not_there(self) -> None:
        self.line.say(ATCommand(1, "DN", b"NOBODY"), seconds=3.5)
        ((when, frame),) = self.line.heard
        self.assertEqual(frame, ATCommandResponse(1, "DN", 1))
        self.assertAlmostEqual(when, 3.2, places=1)
        self.assertEqual(self.line.at("DN"), (1, b""))


class NewsTests(RadioTestCase):
    def test_restart(self) -> None:
        self.line.say(ATCommand(1, "FR"), seconds=1.0)
        self.assertEqual(
            self.line.frames, [ATCommandResponse(1, "FR", 0), ModemStatus(0), ModemStatus(6)]
        )

    def test_restart_returns_to_the_mode_in_flash(self) -> None:
        self.line.at("AP", b"\2")
        self.line.use_mode(2)
        self.line.say(ATCommand(1, "FR"), seconds=1.0)
        self.line.use_mode(1)
        self.assertEqual(self.line.at("AP"), (0, b"\1"))

    def test_not_joined_meanwhile(self) -> None:
        self.line.say(ATCommand(1, "NR", b"\0"), seconds=0.15)
        self.assertEqual(self.line.frames[-1], ModemStatus(3))
        self.assertEqual(
            self.line.transmit(self.echo.address64, seconds=0.05).delivery_status, 0x22
        )
        self.assertEqual(self.line.at("AI"), (0, b"\xff"))
        self.line.run(0.5)
        self.assertEqual(self.line.frames[-1], ModemStatus(6))
        self.assertEqual(self.line.transmit(self.echo.address64).delivery_status, 0)

    def test_modem_status(self) -> None:
        self.radio.emit_modem_status(0x0D)
        self.assertEqual(self.line.frames, [ModemStatus(0x0D)])

    def test_route_record(self) -> None:
        hops = [Address16(0x1234), Address16(0x5678)]
        self.radio.emit_route_record(self.echo, hops)
        self.assertEqual(
            self.line.frames,
            [RouteRecord(self.echo.address64, self.echo.address16, 1, hops)],
        )

    def test_route_is_told_when_it_is_news(self) -> None:
        """Before the first packet that came by it, if the radio collects routes (AR)."""
        sensor = self.network.node("SENSOR")
        self.echo.relays = (sensor,)
        self.line.at("AR", b"\0")
        self.line.clear()
        for _ in range(2):
            self.echo.send(b"data")
            self.line.run(0.1)
        told, *data = self.line.frames
        self.assertEqual(
            told, RouteRecord(self.echo.address64, self.echo.address16, 1, [sensor.address16])
        )
        self.assertEqual([type(frame) for frame in data], [ReceivePacket, ReceivePacket])
        # It is the last hop that is measured.
        self.assertEqual(self.line.at("DB"), (0, bytes([sensor.rssi])))
        self.echo.relays = ()
        self.echo.send(b"data")
        self.line.run(0.1)
        direct = RouteRecord(self.echo.address64, self.echo.address16, 1, [])
        self.assertEqual(self.line.frames[-2], direct)

    def test_ways_of_a_network_from_options(self) -> None:
        network = SimulatorOptions(("echo",), nodes=7, hops=(1, 2, 3)).build(Clock())
        self.addCleanup(network.stop)
        nodes = list(network.nodes.values())
        self.assertEqual([len(node.relays) for node in nodes], [0, 1, 2, 0, 1, 2, 0])
        self.assertEqual(nodes[5].relays, (nodes[4], nodes[3]))

    def speak(self) -> None:
        """Have a node send data, one a sample, and one who it is."""
        self.echo.send(b"data")
        self.line.run(0.1)
        self.network.node("SENSOR").emit_sample()
        self.line.run(0.1)
        self.echo.press_button()
        self.line.run(0.1)

    def test_explicit_output(self) -> None:
        """With AO=1 all arrives as frames 91, each on its cluster."""
        self.line.at("AO", b"\1")
        sensor = self.network.node("SENSOR")
        self.line.clear()
        self.speak()
        frames = self.line.of(ExplicitReceive)
        self.assertEqual(self.line.frames, frames)
        self.assertEqual(
            [(f.address64, f.cluster_id, f.options) for f in frames],
            [
                (self.echo.address64, 0x0011, 1),
                (sensor.address64, 0x0092, 1),
                (self.echo.address64, 0x0095, 2),
            ],
        )
        for frame in frames:
            self.assertEqual(
                (frame.source_endpoint, frame.destination_endpoint, frame.profile_id),
                (0xE8, 0xE8, 0xC105),
            )
        self.assertEqual(frames[0].data, b"data")
        self.assertEqual(NodeDescription.parse(frames[2].data).label, "ECHO")

    def test_plain_output(self) -> None:
        self.speak()
        self.assertEqual(
            [type(frame) for frame in self.line.frames],
            [ReceivePacket, IODataSample, NodeIdentification],
        )

    def test_queued_output_mode(self) -> None:
        self.line.at("AO", b"\1", queued=True)
        self.echo.send(b"data")
        self.line.run(0.1)
        self.assertEqual(len(self.line.of(ReceivePacket)), 1)
        self.line.say(QueuedATCommand(1, "AC"))
        self.echo.send(b"data")
        self.line.run(0.1)
        self.assertEqual(len(self.line.of(ExplicitReceive)), 1)
