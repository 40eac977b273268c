"""What a simulated network is to be like, as people say it: how many nodes, of which kinds.

`SimulatorOptions` holds checked values; `build` makes the network. The endpoint string and the
command line both end here.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.nodes import (
    SENSOR_LTH,
    WALL_ROUTER,
    EchoNode,
    MeterNode,
    Node,
    PtyNode,
    SensorNode,
)

#: The kinds of node, in the order in which they come by default; a pty only where it is asked for.
DEFAULT_KINDS = ("meter", "sensor", "echo")
KINDS = (*DEFAULT_KINDS, "pty")

#: The most nodes of one network.
MOST_NODES = 1000

#: NT of a real module: its minimum, and its limit, in seconds.
SHORTEST_DISCOVERY = 3.2
LONGEST_DISCOVERY = 25.5

_FIRST_ADDRESS64 = 0x0013_A200_400A_3E01


class OptionsError(ValueError):
    """An option is wrong. Its message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """
    @ivar kinds: what the nodes are, in their order; it is gone through again for more nodes.
    @ivar nodes: how many nodes; None for one of each of `kinds`.
    @ivar seed: where all chance comes from.
    @ivar api_mode: AP of the radio: 0, 1 or 2.
    @ivar discovery_time: NT of the radio, in seconds; less than a real module's minimum is good
        for tests.
    @ivar interval: seconds between two packets of a meter; 0 if it is to be asked.
    """

    kinds: tuple[str, ...] = DEFAULT_KINDS
    nodes: int | None = None
    seed: int = 0
    api_mode: int = 1
    discovery_time: float = SHORTEST_DISCOVERY
    interval: float = 2.0

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
        if not 0 <= self.number_of_nodes <= MOST_NODES:
            raise OptionsError(f"nodes is a number from 0 to {MOST_NODES}, not {self.nodes}")
        if self.api_mode not in (0, 1, 2):
            raise OptionsError(f"api_mode is 0, 1 or 2, not {self.api_mode}")
        if not 0.1 <= self.discovery_time <= LONGEST_DISCOVERY:
            raise OptionsError(
                f"nt is a number of seconds from 0.1 to {LONGEST_DISCOVERY}, "
                f"not {self.discovery_time:g}"
            )
        if not (self.interval == 0 or 0.01 <= self.interval <= 86400):
            raise OptionsError(
                f"interval is a number of seconds from 0.01 to 86400, or 0, not {self.interval:g}"
            )

    @classmethod
    def parse(
        cls,
        *,
        nodes: str | None = None,
        kinds: str | None = None,
        seed: str | None = None,
        api_mode: str | None = None,
        nt: str | None = None,
        interval: str | None = None,
    ) -> SimulatorOptions:
        """Read the options as text; None leaves a default.

        @param kinds: names with ``+`` between them.
        @raise OptionsError: a text is not what it should be.
        """
        defaults = cls()
        return cls(
            kinds=DEFAULT_KINDS if kinds is None else tuple(kinds.split("+")),
            nodes=None if nodes is None else _whole("nodes", nodes),
            seed=defaults.seed if seed is None else _whole("seed", seed),
            api_mode=defaults.api_mode if api_mode is None else _whole("api_mode", api_mode),
            discovery_time=defaults.discovery_time if nt is None else _seconds("nt", nt),
            interval=defaults.interval if interval is None else _seconds("interval", interval),
        )

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
        network = SimulatedNetwork(
            clock, self.seed, api_mode=self.api_mode, discovery_time=self.discovery_time
        )
        made: dict[str, int] = {}
        try:
            for number in range(self.number_of_nodes):
                kind = self.kinds[number % len(self.kinds)]
                made[kind] = made.get(kind, 0) + 1
                node = self._node(network, kind, made[kind], _FIRST_ADDRESS64 + number)
                network.add_node(node, announce=False)
        except BaseException:
            network.stop()
            raise
        return network

    def _node(self, network: SimulatedNetwork, kind: str, number: int, address64: int) -> Node:
        name = kind.upper() if number == 1 else f"{kind.upper()}{number}"
        if kind == "meter":
            return MeterNode(network, address64, name, interval=self.interval)
        if kind == "sensor":
            product = WALL_ROUTER if number % 2 else SENSOR_LTH
            return SensorNode(network, address64, name, device_type_identifier=product)
        if kind == "echo":
            return EchoNode(network, address64, name)
        return PtyNode(network, address64, name)


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise OptionsError(f"{name} is a whole number, not {text!r}") from None


def _seconds(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise OptionsError(f"{name} is a number of seconds, not {text!r}") from None
