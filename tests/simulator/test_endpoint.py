"""``sim:`` as an endpoint: its options, and the line between a protocol and the radio."""

from __future__ import annotations

from twisted.internet import error
from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IAddress, IPushProducer, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.clock import Clock, MemoryReactorClock
from tests.simulator.line import run
from tests.support import present
from zbtwist.simulator.channel import ChannelAir
from zbtwist.simulator.endpoint import (
    BACKLOG,
    WRITE_LIMIT,
    SimulatorEndpoint,
    SimulatorTransport,
)
from zbtwist.simulator.endpoint_parser import SimulatorEndpointParser
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.nodes import EchoNode, MeterNode, SensorNode
from zbtwist.simulator.options import OptionsError, SimulatorOptions
from zbtwist.xbee.frames import (
    ATCommand,
    ATCommandResponse,
    ModemStatus,
    NodeIdentification,
    parse_frame,
)
from zbtwist.xbee.framing import decoder_for, encode

READ_AP = encode(ATCommand(1, "AP").to_bytes(), 1)
AP_IS_1 = encode(ATCommandResponse(1, "AP", 0, b"\1").to_bytes(), 1)


class Recorder(Protocol):
    """Keeps all that happens to it."""

    def __init__(self) -> None:
        self.data = b""
        self.lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason

    @property
    def line(self) -> SimulatorTransport:
        """Its end of the line."""
        assert isinstance(self.transport, SimulatorTransport)
        return self.transport

    def assert_lost(self, why: type[Exception]) -> None:
        """It was told that the connection is lost."""
        present(self.lost).trap(why)


@implementer(IPushProducer)
class Producer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def pauseProducing(self) -> None:
        self.events.append("pause")

    def resumeProducing(self) -> None:
        self.events.append("resume")

    def stopProducing(self) -> None:
        self.events.append("stop")


class Refusing(Factory):
    """A factory that wants no connection."""

    def buildProtocol(self, addr: IAddress | None) -> None:
        return None


class EndpointTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.endpoint = SimulatorEndpoint(self.clock, SimulatorOptions(nodes=0))

    def connect(self) -> Recorder:
        connected = self.endpoint.connect(Factory.forProtocol(Recorder))
        self.assertNoResult(connected)
        run(self.clock, 0)
        protocol = self.successResultOf(connected)
        assert isinstance(protocol, Recorder)
        return protocol

    @property
    def network(self) -> SimulatedNetwork:
        """What the first connection has made."""
        return present(self.endpoint.network)

    def test_interface(self) -> None:
        verifyObject(IStreamClientEndpoint, self.endpoint)

    def test_nothing_before_the_first_connection(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIsNone(self.endpoint.network)

    def test_talk(self) -> None:
        protocol = self.connect()
        protocol.line.writeSequence([READ_AP[:3], READ_AP[3:]])
        run(self.clock, 0.1)
        self.assertEqual(protocol.data, AP_IS_1)
        self.assertEqual(repr(protocol.line.getPeer()), "SimulatorAddress()")

    def test_nothing_within_the_call(self) -> None:
        """Neither side is called from within its own call."""
        protocol = self.connect()
        self.network.radio.emit_modem_status(0)
        self.assertEqual(protocol.data, b"")
        run(self.clock, 0)
        self.assertNotEqual(protocol.data, b"")

    def test_busy(self) -> None:
        first = self.connect()
        second = self.endpoint.connect(Factory.forProtocol(Recorder))
        run(self.clock, 0)
        failure = self.failureResultOf(second, error.ConnectError)
        self.assertIn("in use by another connection", str(failure.value))
        self.assertIsNone(first.lost)

    def test_reconnect(self) -> None:
        """The network lives on: what was set is still set."""
        first = self.connect()
        first.line.write(encode(ATCommand(1, "NI", b"SET").to_bytes(), 1))
        first.line.loseConnection()
        run(self.clock, 0.1)
        first.assert_lost(error.ConnectionDone)
        network = self.network
        self.connect()
        self.assertIs(self.endpoint.network, network)
        self.assertEqual(network.radio.identifier, b"SET")

    def test_dropped_while_nobody_listens(self) -> None:
        first = self.connect()
        first.line.loseConnection()
        run(self.clock, 0.1)
        self.network.radio.emit_modem_status(0)
        second = self.connect()
        run(self.clock, 0.1)
        self.assertEqual((first.data, second.data), (b"", b""))

    def test_abort(self) -> None:
        protocol = self.connect()
        protocol.line.write(encode(ATCommand(1, "NI", b"NEVER").to_bytes(), 1))
        protocol.line.abortConnection()
        self.assertIsNone(protocol.lost)
        run(self.clock, 0.1)
        protocol.assert_lost(error.ConnectionAborted)
        self.assertEqual(self.network.radio.identifier, b"COORDINATOR")
        protocol.line.write(b"too late")
        protocol.line.loseConnection()
        run(self.clock, 0.1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lose_after_abort_is_lost_once(self) -> None:
        protocol = self.connect()
        protocol.line.abortConnection()
        protocol.line.abortConnection()
        protocol.line.loseConnection()
        run(self.clock, 0.1)
        protocol.assert_lost(error.ConnectionAborted)

    def test_cancel(self) -> None:
        connected = self.endpoint.connect(Factory.forProtocol(Recorder))
        connected.cancel()
        run(self.clock, 0.1)
        self.failureResultOf(connected)
        self.assertIsNone(self.endpoint.network)
        self.connect()

    def test_no_protocol(self) -> None:
        connected = self.endpoint.connect(Refusing())
        run(self.clock, 0)
        self.failureResultOf(connected, error.ConnectError)
        self.connect()

    def test_pause(self) -> None:
        protocol = self.connect()
        protocol.line.pauseProducing()
        self.network.radio.emit_modem_status(0)
        run(self.clock, 1)
        self.assertEqual(protocol.data, b"")
        protocol.line.resumeProducing()
        run(self.clock, 0)
        self.assertEqual(protocol.data, encode(ModemStatus(0).to_bytes(), 1))

    def test_pause_is_bounded(self) -> None:
        protocol = self.connect()
        protocol.line.pauseProducing()
        frame = encode(ModemStatus(0).to_bytes(), 1)
        for _ in range(BACKLOG // len(frame) + 1000):
            self.network.radio.emit_modem_status(0)
        protocol.line.resumeProducing()
        run(self.clock, 0)
        self.assertEqual(len(protocol.data), BACKLOG)

    def test_producer(self) -> None:
        """One that writes too much in one turn is paused until the next."""
        protocol, producer = self.connect(), Producer()
        protocol.line.registerProducer(producer, True)
        protocol.line.write(bytes(1000))
        self.assertEqual(producer.events, [])
        protocol.line.write(bytes(100_000))
        self.assertEqual(producer.events, ["pause"])
        run(self.clock, 0)
        self.assertEqual(producer.events, ["pause", "resume"])
        protocol.line.abortConnection()
        run(self.clock, 0)
        self.assertEqual(producer.events, ["pause", "resume", "stop"])

    def test_stuck_line(self) -> None:
        """A radio that takes nothing makes its writer wait, and gets all of it in the end."""
        protocol, producer = self.connect(), Producer()
        protocol.line.registerProducer(producer, True)
        self.endpoint.line.stick()
        # The radio reads over what is no frame.
        write = READ_AP + bytes(1000)
        written = 0
        while not producer.events:
            protocol.line.write(write)
            written += len(write)
            run(self.clock, 0.1)
        self.assertEqual(producer.events, ["pause"])
        self.assertEqual(self.endpoint.line.to_radio.buffered, written)
        self.assertTrue(WRITE_LIMIT < written <= WRITE_LIMIT + len(write))
        self.endpoint.line.release()
        run(self.clock, 1)
        self.assertEqual(producer.events, ["pause", "resume"])
        self.assertEqual(protocol.data, AP_IS_1 * (written // len(write)))

    def test_stuck_line_is_aborted(self) -> None:
        protocol = self.connect()
        self.endpoint.line.stick()
        protocol.line.write(READ_AP)
        protocol.line.loseConnection()
        run(self.clock, 10)
        self.assertIsNone(protocol.lost)
        protocol.line.abortConnection()
        run(self.clock, 0)
        protocol.assert_lost(error.ConnectionAborted)
        self.endpoint.line.release()
        self.assertEqual(self.connect().data, b"")

    def test_baud(self) -> None:
        self.endpoint.line.baud = 9600
        protocol = self.connect()
        protocol.line.write(READ_AP * 60)
        run(self.clock, 0.4)
        self.assertLess(len(protocol.data), 400)
        run(self.clock, 2.0)
        self.assertEqual(protocol.data, AP_IS_1 * 60)

    def test_packets_without_room(self) -> None:
        """A radio whose line is slower than the air drops what does not fit into its buffer."""
        self.endpoint = SimulatorEndpoint(self.clock, SimulatorOptions(nodes=4, interval=0))
        protocol = self.connect()
        lost: list[bytes] = []
        said = [bytes([number]) * 60 for number in (1, 2, 3, 4)]
        for baud, passed in ((0, 4), (9600, 2)):
            self.endpoint.line.baud = baud
            self.network.radio.dropped = lambda packet: lost.append(packet.data)
            protocol.data = b""
            for node, data in zip(self.network.nodes.values(), said):
                node.send(data)
            run(self.clock, 2.0)
            heard = [data for data in said if data in protocol.data]
            self.assertEqual((len(heard), sorted(heard + lost)), (passed, said))
        self.assertEqual(self.network.radio.dropped_packets, 2)

    def test_unplug(self) -> None:
        protocol = self.connect()
        self.endpoint.unplug()
        self.assertIsNone(protocol.lost)
        run(self.clock, 0)
        protocol.assert_lost(error.ConnectionLost)
        for _ in range(2):
            failed = self.endpoint.connect(Factory.forProtocol(Recorder))
            run(self.clock, 1)
            failure = self.failureResultOf(failed, error.ConnectError)
            self.assertIn("the simulated radio is unplugged", str(failure.value))
        self.endpoint.plug_in()
        again = self.connect()
        run(self.clock, 1)
        self.assertEqual(again.data, b"".join(encode(ModemStatus(n).to_bytes(), 1) for n in (0, 6)))

    def test_unplug_and_plug_in_at_once(self) -> None:
        first = self.connect()
        self.endpoint.unplug()
        self.endpoint.plug_in()
        second = self.connect()
        self.assertIsNotNone(first.lost)
        run(self.clock, 1)
        second.line.write(READ_AP)
        run(self.clock, 1)
        self.assertTrue(second.data.endswith(AP_IS_1))

    def test_unplugged_before_the_first_connection(self) -> None:
        self.endpoint.unplug()
        failed = self.endpoint.connect(Factory.forProtocol(Recorder))
        run(self.clock, 0)
        self.failureResultOf(failed, error.ConnectError)
        self.endpoint.plug_in()
        self.connect()

    def test_swap_radio(self) -> None:
        self.assertRaises(ValueError, self.endpoint.swap_radio)
        protocol = self.connect()
        before = self.network.radio
        after = self.endpoint.swap_radio()
        run(self.clock, 0)
        self.assertIsNotNone(protocol.lost)
        self.assertNotEqual(before.address64, after.address64)
        protocol = self.connect()
        run(self.clock, 1)
        protocol.line.write(READ_AP)
        run(self.clock, 1)
        self.assertTrue(protocol.data.endswith(AP_IS_1))

    def test_announcements(self) -> None:
        """The nodes say who they are within a second of the first connection, and once."""
        self.endpoint = SimulatorEndpoint(self.clock)
        first = self.connect()
        run(self.clock, 1.1)
        said = set()
        for found in decoder_for(1).feed(first.data):
            frame = parse_frame(found)
            assert isinstance(frame, NodeIdentification)
            said.add((frame.description.label, frame.description.event))
        self.assertEqual(said, {("METER", 3), ("SENSOR", 3), ("ECHO", 3)})
        first.line.loseConnection()
        run(self.clock, 0)
        second = self.connect()
        run(self.clock, 0.8)
        self.assertEqual(second.data, b"")

    def test_stop(self) -> None:
        self.endpoint = SimulatorEndpoint(self.clock)
        protocol = self.connect()
        self.endpoint.stop()
        run(self.clock, 0)
        self.assertIsNotNone(protocol.lost)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ParserTests(TestCase):
    def parse(self, **options: str) -> SimulatorOptions:
        endpoint = SimulatorEndpointParser().parseStreamClient(Clock(), "", **options)
        return endpoint.options

    def test_default(self) -> None:
        network = self.parse().build(Clock())
        self.addCleanup(network.stop)
        self.assertEqual(
            [(type(node), node.identifier) for node in network.nodes.values()],
            [(MeterNode, b"METER"), (SensorNode, b"SENSOR"), (EchoNode, b"ECHO")],
        )
        self.assertEqual(network.radio.api_mode, 1)
        self.assertEqual(network.radio.registers.number("NT"), 0x20)

    def test_plugin(self) -> None:
        """The string alone is enough, where the plugin is installed."""
        endpoint = clientFromString(MemoryReactorClock(), "sim:nodes=5")
        self.assertIsInstance(endpoint, SimulatorEndpoint)

    def test_options(self) -> None:
        network = self.parse(
            nodes="5", kinds="echo+sensor", api_mode="2", nt="0.5", interval="0", seed="9"
        ).build(Clock())
        self.addCleanup(network.stop)
        self.assertEqual(
            [(n.identifier, f"{n.registers.number('DD'):08x}") for n in network.nodes.values()],
            [
                (b"ECHO", "00030005"),
                (b"SENSOR", "00030008"),
                (b"ECHO2", "00030005"),
                (b"SENSOR2", "0003000d"),
                (b"ECHO3", "00030005"),
            ],
        )
        self.assertEqual((network.radio.api_mode, network.seed), (2, 9))
        self.assertEqual(network.radio.discovery_seconds, 0.5)

    def test_bad_air(self) -> None:
        network = self.parse(
            air="20k",
            loss="0.1",
            lost_ack="0.2",
            duplicate="0.3",
            reorder="0.4",
            late_status="0.5",
            late_by="6",
            lost_status="0.7",
            buffers="8",
            hops="1+4",
        ).build(Clock())
        self.addCleanup(network.stop)
        air, radio = network.air, network.radio
        assert isinstance(air, ChannelAir)
        self.assertEqual(
            (air.rate, air.loss, air.acknowledgement_loss, air.duplicate, air.reorder),
            (20_000, 0.1, 0.2, 0.3, 0.4),
        )
        self.assertEqual(
            (radio.late_statuses, radio.lateness, radio.lost_statuses, radio.buffers),
            (0.5, 6.0, 0.7, 8),
        )
        self.assertEqual([node.hops for node in network.nodes.values()], [1, 4, 1])

    def test_which_air(self) -> None:
        for options, rate, buffers in (
            ({}, None, 255),
            ({"air": "simple"}, None, 255),
            ({"air": "digi"}, 35_000, 5),
            ({"air": "9600"}, 9600, 5),
            ({"loss": "0.1"}, 35_000, 5),
            ({"hops": "4"}, 35_000, 5),
            ({"lost_status": "0.1"}, None, 255),
        ):
            network = self.parse(**options).build(Clock())
            self.addCleanup(network.stop)
            self.assertEqual(getattr(network.air, "rate", None), rate, options)
            self.assertEqual(network.radio.buffers, buffers, options)

    def test_bad_line(self) -> None:
        endpoint = SimulatorEndpointParser().parseStreamClient(
            Clock(),
            "",
            baud="9600",
            bit_errors="0.1",
            lost_bytes="0.2",
            garbage="0.3",
            pieces="7",
            piece_delay="0.5",
        )
        for wire in endpoint.line.directions:
            self.assertEqual(
                (
                    wire.baud,
                    wire.bit_errors,
                    wire.lost_bytes,
                    wire.garbage,
                    wire.largest_piece,
                    wire.piece_delay,
                ),
                (9600, 0.1, 0.2, 0.3, 7, 0.5),
            )

    def test_many_nodes(self) -> None:
        network = self.parse(nodes="10000", kinds="echo").build(Clock())
        self.addCleanup(network.stop)
        self.assertEqual(len({node.address16 for node in network.nodes.values()}), 10_000)

    def test_fixed_addresses(self) -> None:
        addresses = []
        for seed in "12":
            network = self.parse(seed=seed).build(Clock())
            self.addCleanup(network.stop)
            addresses.append(list(network.nodes))
        self.assertEqual(addresses[0], addresses[1])
        self.assertEqual(addresses[0][0], 0x0013A200400A3E01)

    def test_networks_have_different_addresses(self) -> None:
        addresses: set[int] = set()
        for number in ("0", "1", "255"):
            network = self.parse(network=number, nodes="100").build(Clock())
            self.addCleanup(network.stop)
            addresses |= {network.radio.address64, *network.nodes}
        self.assertEqual(len(addresses), 3 * 101)

    def test_wrong_options(self) -> None:
        for options, sentence in (
            ({"nodes": "many"}, "nodes is a whole number, not 'many'"),
            ({"nodes": "-1"}, "nodes is a number from 0 to 10000, not -1"),
            ({"nodes": "10001"}, "nodes is a number from 0 to 10000, not 10001"),
            ({"kinds": "toaster"}, "'toaster' is no kind of simulated node"),
            ({"kinds": ""}, "'' is no kind of simulated node"),
            ({"network": "256"}, "network is a number from 0 to 255, not 256"),
            ({"api_mode": "3"}, "api_mode is 0, 1 or 2, not 3"),
            ({"nt": "0"}, "nt is a number of seconds from 0.1 to 25.5, not 0"),
            ({"nt": "nan"}, "nt is a number of seconds from 0.1 to 25.5, not nan"),
            ({"nt": "soon"}, "nt is a number of seconds, not 'soon'"),
            ({"interval": "-1"}, "interval is a number of seconds from 0.01 to 86400, or 0"),
            ({"air": "thick"}, "air is simple, digi, or a rate in bit/s such as 35k, not 'thick'"),
            ({"air": "1"}, "air is a rate from 100 to 250000 bit/s, such as 35k, not 1"),
            ({"air": "nan"}, "air is a rate from 100"),
            ({"air": "simple", "loss": "0.1"}, "loss needs an air with a rate: say air=digi"),
            ({"loss": "2"}, "loss is a probability from 0 to 1, not 2"),
            ({"loss": "nan"}, "loss is a probability from 0 to 1, not nan"),
            ({"bit_errors": "few"}, "bit_errors is a probability from 0 to 1, not 'few'"),
            ({"hops": "0"}, "hops are numbers from 1 to 30, not 0"),
            ({"hops": "1+x"}, "hops is a whole number, or several with + between them, not '1+x'"),
            ({"buffers": "0"}, "buffers is a number from 1 to 255, not 0"),
            ({"baud": "75"}, "baud is a number from 300 to 4000000, or 0 for no limit, not 75"),
            ({"node_baud": "75"}, "node_baud is a number from 1200 to 921600, not 75"),
            ({"pieces": "-1"}, "pieces is a number of bytes from 1 to 65536, or 0, not -1"),
            ({"late_by": "-1"}, "late_by is a number of seconds from 0 to 3600, not -1"),
            ({"color": "red"}, "sim: does not know 'color'"),
        ):
            error = self.assertRaises(OptionsError, self.parse, **options)
            self.assertIn(sentence, str(error))

    def test_positional_argument(self) -> None:
        parser = SimulatorEndpointParser()
        error = self.assertRaises(ValueError, parser.parseStreamClient, Clock(), "5")
        self.assertIn("sim: does not know '5'", str(error))

    def test_pty_without_reactor(self) -> None:
        """What cannot be built fails the connection, and is tried again by the next."""
        clock = Clock()
        endpoint = SimulatorEndpointParser().parseStreamClient(clock, "", kinds="meter+pty")
        connected = endpoint.connect(Factory.forProtocol(Recorder))
        run(clock, 0)
        self.failureResultOf(connected, ValueError)
        self.assertEqual(clock.getDelayedCalls(), [])
