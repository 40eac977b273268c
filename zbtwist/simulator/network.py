"""The simulated network: its local radio, its nodes, and the way between them.

Everything is timed by the clock and every choice comes from seeded generators, so that a run on
`twisted.internet.task.Clock` repeats to the byte. What arrives at a module from another one arrives
in the order in which it was sent.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from zbtwist.simulator.air import IAir, SimpleAir, Transmission, TxResult
from zbtwist.simulator.medium import SEARCH_TIME, IMedium
from zbtwist.simulator.module import Module
from zbtwist.simulator.node import Node
from zbtwist.simulator.packet import IModule, Outcome, Packet
from zbtwist.simulator.questions import Questions, transmission
from zbtwist.simulator.radio import LocalRadio
from zbtwist.simulator.registers import Value
from zbtwist.simulator.timekeeper import Timekeeper
from zbtwist.xbee.address import (
    BROADCAST64,
    COORDINATOR64,
    UNKNOWN16,
    UNKNOWN64,
    Address16,
    Address64,
    format_address64,
)
from zbtwist.xbee.description import JOINED, SWITCHED_ON, NodeDescription

SELF_ADDRESSED = 0x23
ADDRESS_NOT_FOUND = 0x24

COORDINATOR_ADDRESS = Address64(0x0013_A200_415B_1A00)

#: What the addresses of two networks with numbers in a row are apart.
APART = 0x1_0000

#: 16-bit addresses that a node may get: 0 is the coordinator, FFF8 and above mean groups of nodes.
_FIRST_ADDRESS16, _LAST_ADDRESS16 = 1, 0xFFF7


@dataclass(frozen=True, slots=True)
class _Fault:
    delivery_status: int
    delivered: bool


@implementer(IMedium)
class SimulatedNetwork(Timekeeper):
    """A coordinator at a serial line, and the nodes that it talks to.

    @ivar radio: the local module; its `serial_output` is where its bytes go.
    @ivar nodes: the remote nodes by 64-bit address, in the order in which they came.
    """

    pan_id = 0x00D1_6900_0000_2A01
    pan_id16 = 0x5E21
    channel = 0x0F

    def __init__(
        self,
        clock: IReactorTime,
        seed: int = 0,
        *,
        api_mode: int = 1,
        discovery_time: float = 6.0,
        air: IAir | None = None,
        number: int = 0,
    ) -> None:
        """
        @param clock: the reactor, or a `task.Clock`; nodes with a pseudoterminal need the reactor.
        @param seed: where all chance comes from.
        @param api_mode: AP as the radio leaves the factory: 0, 1 or 2.
        @param discovery_time: NT as it leaves the factory, in seconds, 0.1 to 25.5; less than the
            3.2 seconds of a real module suits tests.
        @param air: what carries the packets; every node hears the radio if None.
        @param number: tells it from other networks: its radios have other addresses.
        """
        super().__init__(clock)
        self.seed = seed
        self.random = random.Random(f"{seed} network")
        self.nodes: dict[Address64, Node] = {}
        self._faults: dict[Address64, deque[_Fault]] = {}
        self._taken16: set[Address16] = set()
        self._announced = False
        self.air: IAir = SimpleAir() if air is None else air
        self.air.begin(self, self.generator("air"))
        self._questions = Questions(self, self.air, lambda: self.radio)
        discovery_tenths = round(discovery_time * 10)
        self._radio_settings: dict[str, Value] = {"AP": api_mode, "NT": discovery_tenths}
        self._radios = 1
        self._coordinator = Address64(COORDINATOR_ADDRESS + number * APART)
        self.radio = LocalRadio(self, self._coordinator, self._radio_settings)

    def generator(self, name: object) -> random.Random:
        return random.Random(f"{self.seed} {name}")

    # --- Who is there --------------------------------------------------------------------------

    def node(self, name: str) -> Node:
        """The node with the identifier `name`.

        @raise KeyError: there is none.
        """
        for node in self.nodes.values():
            if node.identifier == name.encode("utf-8"):
                return node
        raise KeyError(f"no node is called {name!r}")

    def add_node(self, node: Node, *, announce: bool = True) -> Node:
        """Let a node join.

        @param announce: whether it says so, with a frame 95.
        @raise ValueError: its 64-bit address is taken.
        """
        if node.address64 in self.nodes or node.address64 == self.radio.address64:
            raise ValueError(f"two nodes have the address {format_address64(node.address64)}")
        node.address16 = self._free_address16()
        node.start()
        self.nodes[node.address64] = node
        if announce:
            node.identify(JOINED)
        return node

    def remove_node(self, node: Node) -> None:
        """Take a node away for good; to switch it off for a while set its `reachable`."""
        del self.nodes[node.address64]
        self._faults.pop(node.address64, None)
        self._taken16.discard(node.address16)
        node.reachable = False
        node.stop()

    def move_node(self, node: Node, address16: int | None = None) -> None:
        """Give a node a new 16-bit address, as when it joins again.

        @param address16: which; a free one if None.
        """
        self._taken16.discard(node.address16)
        node.address16 = self._free_address16() if address16 is None else Address16(address16)
        self._taken16.add(node.address16)

    def swap_radio(self, address64: int | None = None, pan_id: int | None = None) -> LocalRadio:
        """Put another radio at the serial line, with the settings of the factory.

        @param address64: its address; one that no radio here had if None.
        @param pan_id: its extended PAN; that of the nodes if None.
        @raise ValueError: a node has the address.
        """
        address = self._coordinator + self._radios if address64 is None else address64
        if address in self.nodes:
            raise ValueError(f"a node has the address {format_address64(Address64(address))}")
        self._radios += 1
        old = self.radio
        old.power_off()
        self.radio = LocalRadio(self, address, self._radio_settings)
        if pan_id is not None:
            self.radio.pan_id = pan_id
        self.radio.serial_output, old.serial_output = old.serial_output, None
        return self.radio

    def announce(self) -> None:
        """All nodes were just switched on: within a second each says who it is, once."""
        if self._announced:
            return
        self._announced = True
        for node, delay in self._one_by_one(list(self.nodes.values()), 0.05, 1.0):
            self.call_later(delay, node.identify, SWITCHED_ON)

    def stop(self) -> None:
        """Switch everything off: nothing is left in the clock, all pseudoterminals are closed."""
        for node in self.nodes.values():
            node.stop()
        self.cancel_all()

    # --- Addresses -----------------------------------------------------------------------------

    def find(self, address64: int, address16: int = UNKNOWN16) -> Module | None:
        if address64 in (COORDINATOR64, self.radio.address64):
            return self.radio
        if address64 != UNKNOWN64:
            return self.nodes.get(Address64(address64))
        if address16 == self.radio.address16:
            return self.radio
        for node in self.nodes.values():
            if node.address16 == address16:
                return node
        return None

    def _others(self, module: IModule) -> list[Module]:
        """All modules of a module's PAN but itself."""
        everybody: tuple[Module, ...] = (self.radio, *self.nodes.values())
        return [one for one in everybody if one is not module and one.pan_id == module.pan_id]

    @property
    def nodes_in_pan(self) -> list[Node]:
        """The nodes in the radio's PAN: all of them, unless the radio was swapped."""
        return [node for node in self.nodes.values() if node.pan_id == self.radio.pan_id]

    @property
    def description_options(self) -> int:
        return self.radio.registers.number("NO")

    def _free_address16(self) -> Address16:
        while True:
            address16 = Address16(self.random.randint(_FIRST_ADDRESS16, _LAST_ADDRESS16))
            if address16 not in self._taken16:
                self._taken16.add(address16)
                return address16

    # --- Between them --------------------------------------------------------------------------

    def fail_next(
        self, node: Node, delivery_status: int, delivered: bool = False, times: int = 1
    ) -> None:
        """Let transmissions from the radio to a node end badly.

        @param delivery_status: what the radio reports.
        @param delivered: whether the node has the data all the same.
        @param times: how many transmissions.
        """
        faults = self._faults.setdefault(node.address64, deque())
        faults.extend([_Fault(delivery_status, delivered)] * times)

    def transmit(
        self,
        packet: Packet,
        address64: int,
        address16: int = UNKNOWN16,
        finished: Callable[[Outcome], None] | None = None,
        options: int = 0,
    ) -> Transmission | None:
        sender = packet.sender
        if address64 == BROADCAST64:
            return self._broadcast(replace(packet, broadcast=True), finished)
        receiver = self.find(address64, address16)
        if receiver is not None and receiver.pan_id != sender.pan_id:
            receiver = None
        if receiver is None or receiver is sender:
            status = ADDRESS_NOT_FOUND if receiver is None else SELF_ADDRESSED
            delay = SEARCH_TIME if receiver is None else 0.0
            if finished is not None:
                outcome = Outcome(UNKNOWN16, TxResult(status))
                way = (sender.address64, "nowhere")
                self.in_order(way, delay, partial(finished, outcome))
            return None
        fault = self._next_fault(sender, receiver)

        def arrive() -> None:
            if fault is None or fault.delivered:
                receiver.hear(packet)

        def finish(fate: TxResult) -> None:
            if fault is not None:
                fate = replace(fate, delivery_status=fault.delivery_status)
            if finished is not None:
                finished(Outcome(receiver.address16, fate))

        encrypted = self.radio.encrypts
        sent = transmission(sender, receiver, len(packet.data), arrive, finish, encrypted)
        sent.options = options
        sent.address_known = address16 != UNKNOWN16
        self.air.send(sent)
        return sent

    def remote_command(
        self,
        address64: Address64,
        command: str,
        parameter: bytes,
        apply: bool,
        answered: Callable[[int, bytes], None],
        options: int = 0,
    ) -> None:
        node = self.nodes[address64]
        self._questions.remote_command(node, command, parameter, apply, answered, options)

    def discover(
        self, duration: float, options: int, name: bytes, found: Callable[[NodeDescription], None]
    ) -> None:
        # The last part of the time is left for the way back.
        nodes = self._one_by_one(self.nodes_in_pan, 0.02 * duration, 0.9 * duration)
        self._questions.discover(nodes, options, name, found)

    def _one_by_one(
        self, nodes: list[Node], first: float, last: float
    ) -> Iterator[tuple[Node, float]]:
        """Give nodes moments by chance, but in their order: so they get the ports that are in the
        documentation.
        """
        return zip(nodes, sorted(self.random.uniform(first, last) for _ in nodes))

    def _next_fault(self, sender: IModule, receiver: IModule) -> _Fault | None:
        """What `fail_next` asked for."""
        faults = self._faults.get(receiver.address64)
        return faults.popleft() if faults and sender is self.radio else None

    def _broadcast(
        self, packet: Packet, finished: Callable[[Outcome], None] | None
    ) -> Transmission:
        def finish(fate: TxResult) -> None:
            if finished is not None:
                finished(Outcome(UNKNOWN16, fate))

        sent = Transmission(
            packet.sender,
            {other: partial(other.hear, packet) for other in self._others(packet.sender)},
            len(packet.data),
            finish,
            broadcast=True,
        )
        self.air.send(sent)
        return sent
