"""What clients get of the air.

The gateway on a simulated network whose channel carries what Digi measured, on a clock of its own:
the same run gives the same numbers on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from benchmarks.report import Options, Table
from tests.faults.connection import pour
from tests.faults.world import Device, Echo, World
from zbtwist.binding.port_settings import PortSettings
from zbtwist.simulator.channel import DIGI_RATE, FULL_PACKET
from zbtwist.xbee.devices import COORDINATOR, ROUTER

#: How a gateway serves its ports if nothing else is said.
DEFAULTS = PortSettings()

EXPLANATION = f"""\
Routers one hop away, in an air that carries {DIGI_RATE / 1000:g} kbit/s and loses nothing; one
client for each node. The limit is the model's, with full packets and never a moment of silence.
"share" says how much of it the streams together get; the last column, how far the smallest and the
largest are from an equal share.
"""

LINE = """\
The same, and the line between the gateway and the radio has a rate. With a window of one packet,
the next one of the same node goes onto the line when the report of the last has come back over it,
and the air waits meanwhile. The packets of several nodes fill that gap for each other. Digi
measured with lines of 115200 baud, so that the model's air has a line's time in it already: a real
radio loses less than these shares say.
"""

EXCHANGE = """\
A client asks one node with 10 bytes, and the node answers with as many, while clients of the others
send without end. The times are in packet times: for how long one full packet has the channel.
"""

#: Bytes of a question, and of its answer.
QUESTION = 10


def versions(options: Options) -> Iterable[tuple[str, str]]:
    return ()


def tables(options: Options) -> Iterator[Table]:
    seconds = 2.0 if options.quick else 60.0
    rows = [
        [f"{count} {way}", *Streams(count, is_outward).measure(seconds)]
        for way, is_outward in (("to the nodes", True), ("from the nodes", False))
        for count in (1, 10)
    ]
    header = ["streams", "goodput, kbit/s", "limit, kbit/s", "share", "unequal by"]
    yield Table("Goodput", EXPLANATION, header, rows)
    rows = [
        [f"{count} to the nodes", f"{baud}", f"{window}", *on_a_line(count, baud, window, seconds)]
        for count in (1, 10)
        for baud in (115200, 230400)
        for window in (1, 2)
    ]
    header = ["streams", "baud", "window", "goodput, kbit/s", "share"]
    yield Table("Goodput with a serial line that takes its time", LINE, header, rows)
    rows = [[f"{others}", *exchange(others, 2 if options.quick else 100)] for others in (0, 1, 9)]
    header = ["others", "median", "longest"]
    yield Table("A question beside bulk transfers", EXCHANGE, header, rows)


class Talker(Device):
    """Says something without end, once it has begun."""

    talks = False

    def sent(self) -> None:
        super().sent()
        if self.talks:
            self.send(bytes(2 * FULL_PACKET - self.waiting_bytes))


class Streams:
    """A stream between a client and each node, in one direction."""

    def __init__(
        self, count: int, is_outward: bool, port: PortSettings = DEFAULTS, baud: int = 0
    ) -> None:
        """
        @param port: the settings of all ports.
        @param baud: the serial line's rate; 0 for a line that takes no time.
        """
        self._world = World(nodes=count, make=Talker, settings={"port_settings": port})
        self._world.endpoint.line.baud = baud
        self._got = dict.fromkeys(self._world.devices, 0)
        for device in self._world.devices:
            assert isinstance(device, Talker)
            connection = self._world.connect(device)
            if is_outward:
                device.listener = partial(self._count, device)
                pour(connection)
            else:
                connection.received = partial(self._count, device)
                device.talks = True
                device.sent()

    def _count(self, device: Device, data: bytes) -> None:
        self._got[device] += len(data)

    def measure(self, seconds: float) -> list[str]:
        """A row: goodput, limit, share, how unequal."""
        world = self._world
        world.run(1.0)
        before = dict(self._got)
        world.run(seconds)
        got = [self._got[device] - before[device] for device in world.devices]
        limit = FULL_PACKET / packet_time(world) * seconds
        world.stop()
        equal = sum(got) / len(got)
        unequal = max(max(got) - equal, equal - min(got)) / equal
        return [
            *(f"{8 * amount / seconds / 1000:.2f}" for amount in (sum(got), limit)),
            f"{100 * sum(got) / limit:.1f} %",
            f"{100 * unequal:.1f} %",
        ]


def on_a_line(count: int, baud: int, window: int, seconds: float) -> tuple[str, str]:
    """The end of a row: goodput, share."""
    streams = Streams(count, True, PortSettings(window=window), baud)
    goodput, _, share, _ = streams.measure(seconds)
    return goodput, share


def packet_time(world: World) -> float:
    """For how many seconds a full packet has the channel."""
    seconds: float = world.air.seconds_for(FULL_PACKET, 1, COORDINATOR, ROUTER)
    return seconds


def exchange(others: int, times: int) -> list[str]:
    """Ask one node so often, while others are busy. A row: median and longest, in packet times."""
    world = World(nodes=others + 1, make=Echo)
    asked, *busy = world.devices
    for device in busy:
        # They hear and do not answer: the bulk is to them.
        device.serial_received = lambda data: None  # type: ignore[method-assign]
        pour(world.connect(device))
    answers: list[float] = []
    connection = world.connect(asked)
    connection.received = lambda data: answers.append(world.now)
    world.run(1.0)
    took = []
    for number in range(times):
        begun = world.now
        connection.write(bytes(QUESTION))
        world.run_until(partial(_has_more, answers, number), 60.0)
        took.append((answers[-1] - begun) / packet_time(world))
        # Not always at the same moment of the others' packets.
        world.run(1 + 0.137 * (number % 7))
    world.stop()
    took.sort()
    return [f"{took[len(took) // 2]:.2f}", f"{took[-1]:.2f}"]


def _has_more(answers: list[float], number: int) -> bool:
    return len(answers) > number
