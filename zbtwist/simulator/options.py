"""What a simulated network is to be like, as people say it: how many nodes, how bad the air.

`SimulatorOptions` holds checked values; `build` makes the network, and `set_up_line` its serial
line. `OPTIONS` says how each is written; the endpoint string and the command line both come from
it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from zbtwist.simulator.channel import DIGI_RATE, ChannelAir
from zbtwist.simulator.meter_models import ECM1220Model, ECM1240Model, GEMModel, MeterModel
from zbtwist.simulator.network import APART, SimulatedNetwork
from zbtwist.simulator.node import Node
from zbtwist.simulator.nodes import (
    SENSOR_LTH,
    WALL_ROUTER,
    EchoNode,
    MeterNode,
    PtyNode,
    SensorNode,
)
from zbtwist.simulator.radio import MAX_TRANSMISSIONS
from zbtwist.simulator.serial_line import SerialLine

#: The kinds of node, in the order in which they come by default; others are there to be asked for.
DEFAULT_KINDS = ("meter", "sensor", "echo")
KINDS = (*DEFAULT_KINDS, "ecm1240", "gem", "pty")

#: The kinds that are meters.
METERS: Mapping[str, type[MeterModel]] = {
    "meter": ECM1220Model,
    "ecm1240": ECM1240Model,
    "gem": GEMModel,
}

#: The most nodes of one network.
MAX_NODES = 10_000

#: The highest number of a network.
MAX_NETWORK = 255

#: How many packets the radio keeps in flight where the air has a rate. Digi does not say; this is
#: plausible, as a module has few buffers.
BUFFERS = 5

#: The most hops that a node may be away.
MAX_HOPS = 30

#: NT of a real module: its minimum, and its limit, in seconds.
SHORTEST_DISCOVERY = 3.2
MAX_DISCOVERY = 25.5

#: Its multiples are well spread over an interval.
_GOLDEN_RATIO = 0.618034

_FIRST_ADDRESS64 = 0x0013_A200_400A_3E01


class OptionsError(ValueError):
    """An option is wrong. Its message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """
    @ivar kinds: what the nodes are, in their order; it is gone through again for more nodes.
    @ivar nodes: how many nodes; None for one of each of `kinds`.
    @ivar network: tells it from other networks, which have other addresses.
    @ivar seed: where all chance comes from.
    @ivar api_mode: AP of the radio: 0, 1 or 2.
    @ivar discovery_time: NT of the radio, in seconds; less than a real module's minimum is good
        for tests.
    @ivar interval: seconds between two packets of a meter; 0 if it is to be asked.
    @ivar rate: of the channel that all share, in bit/s; None for an air in which nothing waits. If
        something is to go wrong in the air, it is Digi's.
    @ivar hops: how many hops the nodes are away; it is gone through again for more nodes.
    @ivar buffers: how many packets the radio keeps in flight; None for `BUFFERS` where the air has
        a rate, else for as many as there are frame ids.
    @ivar lateness: seconds by which a late status is late.
    @ivar baud: rate of the serial line, in bit/s; 0 for no limit.
    @ivar node_baud: rate of each node's line to its device, in bit/s: its BD.
    @ivar largest_piece: bytes come over the line in pieces of 1 to so many; 0 for all at once.
    @ivar piece_delay: up to so many seconds pass before each piece.

    All others are probabilities: see `zbtwist.simulator.channel.Chances`, `LocalRadio` and
    `zbtwist.simulator.serial_line.Wire`.
    """

    kinds: tuple[str, ...] = DEFAULT_KINDS
    nodes: int | None = None
    network: int = 0
    seed: int = 0
    api_mode: int = 1
    discovery_time: float = SHORTEST_DISCOVERY
    interval: float = 2.0
    rate: float | None = None
    hops: tuple[int, ...] = (1,)
    loss: float = 0.0
    acknowledgement_loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    late_statuses: float = 0.0
    lateness: float = 5.0
    lost_statuses: float = 0.0
    buffers: int | None = None
    baud: int = 0
    node_baud: int = 9600
    bit_errors: float = 0.0
    lost_bytes: float = 0.0
    garbage: float = 0.0
    largest_piece: int = 0
    piece_delay: float = 0.0

    def __post_init__(self) -> None:
        """
        @raise OptionsError: a value is out of its range.
        """
        if not self.kinds:
            raise OptionsError("say at least one kind of node, such as kinds=meter+echo")
        for kind in self.kinds:
            if kind not in KINDS:
                raise OptionsError(
                    f"{kind!r} is no kind of simulated node: there are {', '.join(KINDS)}"
                )
        if not 0 <= self.number_of_nodes <= MAX_NODES:
            raise OptionsError(f"nodes is a number from 0 to {MAX_NODES}, not {self.nodes}")
        if not 0 <= self.network <= MAX_NETWORK:
            raise OptionsError(f"network is a number from 0 to {MAX_NETWORK}, not {self.network}")
        if self.api_mode not in (0, 1, 2):
            raise OptionsError(f"api_mode is 0, 1 or 2, not {self.api_mode}")
        if not 0.1 <= self.discovery_time <= MAX_DISCOVERY:
            raise OptionsError(
                f"nt is a number of seconds from 0.1 to {MAX_DISCOVERY}, "
                f"not {self.discovery_time:g}"
            )
        if not (self.interval == 0 or 0.01 <= self.interval <= 86400):
            raise OptionsError(
                f"interval is a number of seconds from 0.01 to 86400, or 0, not {self.interval:g}"
            )

        for name, option in OPTIONS.items():
            if option.read is _probability and not 0 <= getattr(self, option.field) <= 1:
                value = getattr(self, option.field)
                raise OptionsError(f"{name} is a probability from 0 to 1, not {value:g}")
        if self.rate is not None and not 100 <= self.rate <= 250_000:
            raise OptionsError(
                f"air is a rate from 100 to 250000 bit/s, such as 35k, not {self.rate:g}"
            )
        if not self.hops or not all(1 <= hops <= MAX_HOPS for hops in self.hops):
            raise OptionsError(f"hops are numbers from 1 to {MAX_HOPS}, not {_plus(self.hops)}")
        if self.buffers is not None and not 1 <= self.buffers <= MAX_TRANSMISSIONS:
            raise OptionsError(
                f"buffers is a number from 1 to {MAX_TRANSMISSIONS}, not {self.buffers}"
            )
        if self.baud and not 300 <= self.baud <= 4_000_000:
            raise OptionsError(
                f"baud is a number from 300 to 4000000, or 0 for no limit, not {self.baud}"
            )
        if not 1200 <= self.node_baud <= 921_600:
            raise OptionsError(f"node_baud is a number from 1200 to 921600, not {self.node_baud}")
        if not 0 <= self.largest_piece <= 65536:
            raise OptionsError(
                f"pieces is a number of bytes from 1 to 65536, or 0, not {self.largest_piece}"
            )
        for name, seconds in (("late_by", self.lateness), ("piece_delay", self.piece_delay)):
            if not 0 <= seconds <= 3600:
                raise OptionsError(f"{name} is a number of seconds from 0 to 3600, not {seconds:g}")

    @classmethod
    def parse(cls, **texts: str | None) -> SimulatorOptions:
        """Read the options as text; None leaves a default.

        @param texts: the options by their names in `OPTIONS`.
        @raise OptionsError: a text is not what it should be, or there is no such option.
        """
        values: dict[str, object] = {}
        for name, text in texts.items():
            option = OPTIONS.get(name)
            if option is None:
                raise OptionsError(f"{name!r} is no option: there are {', '.join(OPTIONS)}")
            if text is not None:
                values[option.field] = option.read(name, text)
        if values.get("rate", DIGI_RATE) is None:
            told = [n for n, o in OPTIONS.items() if o.field in _CHANCES and values.get(o.field)]
            if told:
                raise OptionsError(f"{told[0]} needs an air with a rate: say air=digi")
        return cls(**values)  # type: ignore[arg-type]

    @property
    def number_of_nodes(self) -> int:
        """How many nodes the network will have."""
        return len(self.kinds) if self.nodes is None else self.nodes

    def build(self, clock: IReactorTime) -> SimulatedNetwork:
        """Make the network.

        @param clock: the reactor, or a `task.Clock`.
        @raise ValueError: there is to be a pty, and the clock watches no file descriptors.
        @raise OSError: there is no pseudoterminal to be had.
        """
        air = self._air()
        network = SimulatedNetwork(
            clock,
            self.seed,
            api_mode=self.api_mode,
            discovery_time=self.discovery_time,
            air=air,
            number=self.network,
        )
        radio = network.radio
        radio.buffers = self.buffers or (MAX_TRANSMISSIONS if air is None else BUFFERS)
        radio.lost_statuses = self.lost_statuses
        radio.late_statuses = self.late_statuses
        radio.lateness = self.lateness
        # Let it tell the ways of the nodes.
        radio.registers.store("AR", b"\0")
        radio.apply()
        first = _FIRST_ADDRESS64 + self.network * APART
        made: dict[str, int] = {}
        last_at: dict[int, Node] = {}
        try:
            for number in range(self.number_of_nodes):
                kind = self.kinds[number % len(self.kinds)]
                made[kind] = made.get(kind, 0) + 1
                node = self._node(network, kind, made[kind], first + number)
                node.set_baud(self.node_baud)
                node.hops = self.hops[number % len(self.hops)]
                relay = last_at.get(node.hops - 1)
                node.relays = () if relay is None else (relay, *relay.relays)
                last_at[node.hops] = node
                network.add_node(node, announce=False)
        except BaseException:
            network.stop()
            raise
        return network

    def _air(self) -> ChannelAir | None:
        """The air; None for the simple one."""
        chances = {name: getattr(self, name) for name in _CHANCES}
        if self.rate is None and not any(chances.values()) and set(self.hops) == {1}:
            return None
        air = ChannelAir(self.rate or DIGI_RATE)
        for name, value in chances.items():
            setattr(air, name, value)
        return air

    def set_up_line(self, line: SerialLine) -> None:
        """Let a line be as the options say."""
        for name in _LINE:
            setattr(line, name, getattr(self, name))

    def _node(self, network: SimulatedNetwork, kind: str, number: int, address64: int) -> Node:
        name = kind.upper() if number == 1 else f"{kind.upper()}{number}"
        model = METERS.get(kind)
        if model is not None:
            # Real ones do not begin together.
            phase = self.interval * (number * _GOLDEN_RATIO % 1) if number > 1 else None
            return MeterNode(
                network, address64, name, interval=self.interval, phase=phase, model=model
            )
        if kind == "sensor":
            product = WALL_ROUTER if number % 2 else SENSOR_LTH
            return SensorNode(network, address64, name, device_type_identifier=product)
        if kind == "echo":
            return EchoNode(network, address64, name)
        return PtyNode(network, address64, name)


def _plus(numbers: tuple[int, ...]) -> str:
    return "+".join(map(str, numbers))


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise OptionsError(f"{name} is a whole number, not {text!r}") from None


def _number_of(what: str) -> Callable[[str, str], float]:
    def read(name: str, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise OptionsError(f"{name} is a {what}, not {text!r}") from None

    return read


_seconds = _number_of("number of seconds")
_probability = _number_of("probability from 0 to 1")


def _kinds(name: str, text: str) -> tuple[str, ...]:
    return tuple(text.split("+"))


def _hops(name: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split("+"))
    except ValueError:
        raise OptionsError(
            f"hops is a whole number, or several with + between them, not {text!r}"
        ) from None


def _rate(name: str, text: str) -> float | None:
    if text == "simple":
        return None
    if text == "digi":
        return DIGI_RATE
    try:
        return float(text[:-1]) * 1000 if text.endswith("k") else float(text)
    except ValueError:
        raise OptionsError(
            f"air is simple, digi, or a rate in bit/s such as 35k, not {text!r}"
        ) from None


@dataclass(frozen=True, slots=True)
class Option:
    """How an option is written.

    @ivar field: the attribute of `SimulatorOptions`.
    @ivar read: makes its value of its name and its text, or raises `OptionsError`.
    @ivar metavar: what stands for the value in a help.
    @ivar help: what it is, in a few words.
    """

    field: str
    read: Callable[[str, str], object]
    metavar: str
    help: str


#: What can be said, by its name.
OPTIONS: Mapping[str, Option] = {
    "nodes": Option("nodes", _whole, "N", "how many remote nodes (default: one of each kind)"),
    "kinds": Option(
        "kinds",
        _kinds,
        "KINDS",
        f"what they are, with + between them: {', '.join(KINDS)} (default: meter+sensor+echo)",
    ),
    "network": Option(
        "network", _whole, "N", "another network has other addresses: 0 to 255 (default: 0)"
    ),
    "seed": Option("seed", _whole, "SEED", "a whole number; the same run each time (default: 0)"),
    "api_mode": Option("api_mode", _whole, "MODE", "AP of the radio: 0, 1 or 2 (default: 1)"),
    "nt": Option(
        "discovery_time", _seconds, "SECONDS", "how long a discovery takes (default: 3.2)"
    ),
    "interval": Option(
        "interval", _seconds, "SECONDS", "between a meter's packets; 0: only when asked"
    ),
    "air": Option(
        "rate", _rate, "RATE", "digi, or bit/s such as 35k: one channel for all (default: simple)"
    ),
    "hops": Option("hops", _hops, "HOPS", "how far the nodes are, such as 1+4 (default: 1)"),
    "loss": Option("loss", _probability, "P", "of each try to be lost, on each hop"),
    "lost_ack": Option(
        "acknowledgement_loss", _probability, "P", "of the other end's acknowledgement to be lost"
    ),
    "duplicate": Option("duplicate", _probability, "P", "of a packet to arrive twice"),
    "reorder": Option("reorder", _probability, "P", "of a packet to be overtaken by the next"),
    "lost_status": Option(
        "lost_statuses", _probability, "P", "of a Transmit Status never to be said"
    ),
    "late_status": Option("late_statuses", _probability, "P", "of a Transmit Status to be late"),
    "late_by": Option("lateness", _seconds, "SECONDS", "how late (default: 5)"),
    "buffers": Option(
        "buffers", _whole, "N", f"how many packets the radio holds (default: {BUFFERS} with a rate)"
    ),
    "baud": Option("baud", _whole, "BAUD", "rate of the serial line (default: no limit)"),
    "node_baud": Option(
        "node_baud", _whole, "BAUD", "rate of the nodes' own serial lines, BD (default: 9600)"
    ),
    "bit_errors": Option("bit_errors", _probability, "P", "of each byte on the line to be spoiled"),
    "lost_bytes": Option("lost_bytes", _probability, "P", "of each byte on the line to be lost"),
    "garbage": Option(
        "garbage", _probability, "P", "of each byte on the line to be followed by a false one"
    ),
    "pieces": Option(
        "largest_piece", _whole, "N", "bytes arrive in random pieces of at most so many"
    ),
    "piece_delay": Option("piece_delay", _seconds, "SECONDS", "at most, before each piece"),
}

#: What goes wrong in the air, and what there is about the line.
_CHANCES = ("loss", "acknowledgement_loss", "duplicate", "reorder")
_LINE = ("baud", "bit_errors", "lost_bytes", "garbage", "largest_piece", "piece_delay")
