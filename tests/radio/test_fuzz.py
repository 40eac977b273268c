"""Ten million hostile bytes on the serial line, in either API mode, through all that hears of it:
the line, the radio's service, the nodes and their ports. Nothing reaches the log as a failure, and
nothing grows.
"""

from __future__ import annotations

import gc
import random
import resource
from collections.abc import Iterator

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.binding.support import Computer
from tests.clock import Clock
from tests.support import without_log_of_the_runner
from zbtwist.binding.service import BindingService
from zbtwist.network.service import NetworkService
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.service import RadioService
from zbtwist.runtime.event_bus import EventBus
from zbtwist.simulator.endpoint import SimulatorEndpoint
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.nodes import EchoNode
from zbtwist.store.store import Store
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    FRAME_CLASSES,
    ATCommandResponse,
    ExplicitReceive,
    Frame,
    IODataSample,
    ModemStatus,
    NodeIdentification,
    ReceivePacket,
    RemoteATCommandResponse,
    RouteRecord,
    TransmitStatus,
)
from zbtwist.xbee.framing import MAX_FRAME_DATA, encode
from zbtwist.xbee.samples import IOSample

TOTAL = 10_000_000
NODES = [Address64(0x0013A200_400A3E01 + n) for n in range(8)]
#: Nodes that there are not: each gets a port all the same.
INVENTED = 50
#: Frames of every kind and bytes that are none, which are put together again and again.
PIECES = 4000


class Hostile:
    """A seeded source of bytes that a line may bring, from noise to frames that lie."""

    def __init__(self, seed: int, api_mode: int) -> None:
        self._chance = random.Random(seed)
        self._mode = api_mode
        self._invented = [self._chance.getrandbits(64) for _ in range(INVENTED)]
        self._pieces = [self._piece() for _ in range(PIECES)]

    def reads(self, total: int) -> Iterator[bytes]:
        """So many bytes, in reads of 1 to 65536."""
        chance = self._chance
        while total > 0:
            count = 1 << chance.randrange(0, 11)
            stream = b"".join(chance.choices(self._pieces, k=count))[: min(total, 0x10000)]
            total -= len(stream)
            # Sometimes the end is a read of its own.
            cut = chance.randrange(len(stream) + 1)
            yield stream[:cut]
            yield stream[cut:]

    def _piece(self) -> bytes:
        chance = self._chance
        kind = chance.randrange(16)
        if kind == 0:
            return chance.randbytes(chance.randrange(1, 1000))
        if kind == 1:
            return chance.choice((b"\x7e", b"\x7d", b"\x7e\x7d", b"\x00")) * chance.randrange(
                1, 700
            )
        if kind == 2:
            length = chance.choice((0, 1, MAX_FRAME_DATA, MAX_FRAME_DATA + 1, 0xFFFF))
            return b"\x7e" + length.to_bytes(2, "big") + chance.randbytes(chance.randrange(300))
        good = encode(self._frame().to_bytes(), self._mode)
        if kind == 3:
            return good[: chance.randrange(1, len(good))]
        if kind == 4:
            spoiled = bytearray(good)
            for _ in range(chance.randrange(1, 4)):
                spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
            return bytes(spoiled)
        if kind == 5:
            return encode(self._lie(), self._mode)
        return good

    def _lie(self) -> bytes:
        """A frame with a good checksum, whose fields are not what they should be."""
        chance = self._chance
        if chance.random() < 0.3:
            frame_type = chance.choice([*FRAME_CLASSES, chance.randrange(256)])
            address = chance.choice(self._invented).to_bytes(8, "big")
            return bytes([frame_type]) + address + chance.randbytes(chance.randrange(100))
        data = bytearray(self._frame().to_bytes())
        # Behind the addresses, so that the liars are not more and more.
        for _ in range(chance.randrange(1, 5)):
            data[chance.randrange(len(data))] ^= 0 if len(data) < 13 else 1 << chance.randrange(8)
        if len(data) > 13:
            data[1:9] = chance.choice(self._invented).to_bytes(8, "big")
            del data[chance.randrange(9, len(data)) :]
        return bytes(data)

    def _frame(self) -> Frame:
        chance = self._chance
        node = chance.choice(NODES)
        short = Address16(node & 0xFF)
        data = chance.randbytes(chance.randrange(100))
        name = chance.randbytes(5).replace(b"\0", b"1")
        described = NodeDescription(short, node, name, Address16(0), 1, 1, 0xC105, 0x101E)
        frame_id = chance.randrange(256)
        frames: list[Frame] = [
            ReceivePacket(node, short, 1, data),
            ExplicitReceive(node, short, 0xE8, 0xE8, chance.choice((0x11, 0x95)), 0xC105, 1, data),
            IODataSample(node, short, 1, IOSample(0, None, {1: 512})),
            NodeIdentification(node, short, 2, described),
            RouteRecord(node, short, 1, [short, short]),
            TransmitStatus(frame_id, short, 0, chance.randrange(256), 0),
            RemoteATCommandResponse(frame_id, node, short, chance.choice(("NI", "DD")), 0, data),
            ATCommandResponse(frame_id, "ND", 0, chance.choice((described.to_bytes(), data))),
            ATCommandResponse(frame_id, chance.choice(("AP", "AI", "NP", "SH")), 0, data[:9]),
        ]
        # Rarely, since each of them costs a bring-up.
        if chance.random() < 0.02:
            return ModemStatus(chance.randrange(256) if chance.random() < 0.5 else 0)
        return chance.choice(frames)


@implementer(ILogObserver)
class Failures:
    """Keeps what the log says of failures, and nothing else: there is a lot."""

    def __init__(self, failures: list[str]) -> None:
        self._failures = failures

    def __call__(self, event: LogEvent) -> None:
        if "log_failure" in event or event["log_level"].name in ("error", "critical"):
            self._failures.append(str(event.get("log_format")))


class FuzzTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.failures: list[str] = []
        without_log_of_the_runner(self)
        failures = Failures(self.failures)
        globalLogPublisher.addObserver(failures)
        self.addCleanup(globalLogPublisher.removeObserver, failures)

    def start(self, api_mode: int) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.simulated = SimulatedNetwork(self.clock, api_mode=api_mode, discovery_time=0.1)
        for number, address64 in enumerate(NODES):
            self.simulated.add_node(EchoNode(self.simulated, address64, f"E{number}"))
        bus = EventBus()
        self.coordinator = Coordinator(self.clock, bus, first_id=1)
        self.network = NetworkService(self.clock, self.coordinator, bus)
        self.store = Store().open()
        self.addCleanup(self.store.close)
        self.bindings = BindingService(
            self.clock,
            self.coordinator,
            self.network.nodes,
            self.store,
            Computer().endpoint,
            bus,
        )
        self.bindings.configure([], 27001, 65535)
        self.radio = RadioService(
            self.clock,
            SimulatorEndpoint(self.clock, self.simulated),
            self.coordinator,
            bus,
            "sim:",
            heartbeat=1.0,
        )
        for service in (self.bindings, self.network, self.radio):
            service.startService()
        self.clock.pump([0.01] * 100)
        self.assertIsNotNone(self.coordinator.facts)

    def attack(self, seed: int, api_mode: int, total: int) -> None:
        """So many bytes, between which the true radio goes on answering."""
        for data in Hostile(seed, api_mode).reads(total):
            protocol = self.radio.protocol
            assert protocol is not None
            protocol.dataReceived(data)
            self.clock.advance(0.005)
            self.assertLess(len(protocol.decoder.pending), 2 * MAX_FRAME_DATA + 10)
            self.assertLess(len(self.clock.getDelayedCalls()), 1000)

    def check(self, api_mode: int) -> None:
        self.start(api_mode)
        total = TOTAL // 2
        # The same bytes twice: what they can make grow has grown after the first time.
        self.attack(1, api_mode, total // 2)
        before = self.sizes()
        self.attack(1, api_mode, total // 2)
        after = self.sizes()
        self.assertEqual(self.failures, [])
        self.assertLess(after[0], before[0] * 1.1 + 5000)
        # Who was asked the first time may answer the second time.
        self.assertLess(after[1], before[1] + 10)
        self.assertLess(after[2], before[2] + 10_000_000)
        # And it works.
        self.clock.pump([0.1] * 100)
        self.assertIsNotNone(self.coordinator.facts)
        protocol = self.radio.protocol
        assert protocol is not None
        self.assertGreater(protocol.decoder.bad_frames, 10_000)
        self.assertGreater(protocol.decoder.good_frames, 10_000)
        self.assertGreater(protocol.malformed_frames, 1000)
        for service in (self.radio, self.network, self.bindings):
            service.stopService()
        self.clock.advance(1)
        self.simulated.stop()
        self.assertEqual(self.flushLoggedErrors(), [])

    def sizes(self) -> tuple[int, int, int]:
        """How many objects there are, how many nodes, and the bytes of memory in use."""
        gc.collect()
        with open("/proc/self/statm") as numbers:
            pages = int(numbers.read().split()[1])
        return len(gc.get_objects()), len(self.network.nodes), pages * resource.getpagesize()

    def test_mode_1(self) -> None:
        self.check(1)

    def test_mode_2(self) -> None:
        self.check(2)
