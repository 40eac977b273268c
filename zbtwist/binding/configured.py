"""What the configuration asks for, followed node by node.

A node that is to have another port than it has is moved to it; a mapping that is not asked for any
more stays as it is. A request that cannot be followed is said once, and tried again; its node gets
no other port meanwhile, since who configured one looks for it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from zbtwist.binding.assignment import PortAssigner
from zbtwist.binding.errors import BindingError, Configured
from zbtwist.binding.events import MappingRefused
from zbtwist.binding.labels import Labels
from zbtwist.binding.listener import ListenAddress
from zbtwist.binding.node_ports import NodePorts
from zbtwist.binding.requests import PortRequest, PortRequests
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.runtime.event_bus import EventBus
from zbtwist.store.errors import StoreError
from zbtwist.xbee.address import Address64, format_address64


class ConfiguredPorts:
    """Follows the requests of the configuration.

    @ivar requests: they.
    """

    def __init__(
        self,
        nodes: NodeTable,
        ports: NodePorts,
        assigner: PortAssigner,
        labels: Labels,
        bus: EventBus,
    ) -> None:
        self._nodes = nodes
        self._ports = ports
        self._assigner = assigner
        self._labels = labels
        self._bus = bus
        self.requests = PortRequests()

    def take(self, requests: PortRequests) -> None:
        """Take new requests in place of those before. Nodes that are named by their address are
        known from now on; `apply_all` does the rest.
        """
        self.requests = requests
        for request in requests:
            if request.address64 is not None:
                self._nodes.add(request.address64)
        self.meet_nodes()

    def meet_nodes(self) -> None:
        """Let each node that is known be the one of the label that it is called by, if it is the
        only one; also those that the store knew.
        """
        self._pin()
        for node in self._nodes:
            node.name = self.requests.name_of(node)

    def _pin(self) -> None:
        for request, nodes in self.requests.with_nodes(self._nodes):
            if request.address64 is None and len(nodes) == 1:
                self._labels.pin(nodes[0], is_only=True)
        if self.requests.labels:
            owners: dict[str, list[Node]] = {}
            for node in self._nodes:
                if node.label in self.requests.labels:
                    owners.setdefault(node.label, []).append(node)
            for nodes in owners.values():
                if len(nodes) == 1:
                    self._labels.pin(nodes[0], is_only=True)

    # --- asking --------------------------------------------------------------------------------

    @property
    def has_problem(self) -> bool:
        """Whether there is a request that could not be followed."""
        return any(request.problem for request in self.requests)

    def names_port_of(self, node: Node) -> bool:
        """Whether a node is to have a certain port."""
        return any(request.slot is not None for request in self.requests.for_node(node))

    def problem_of(self, node: Node) -> str:
        """Return a sentence: why a node does not have what it is to have; empty if it has."""
        asked = self.requests.for_node(node)
        return next((request.problem for request in asked if request.problem), "")

    def check_free(self, address64: Address64, slot: ListenAddress | None) -> None:
        """Refuse to change by hand what the configuration says.

        @param slot: what the node is to have; None for nothing.
        @raise Configured: it says something else.
        """
        node = self._nodes.get(address64)
        asked = self.requests.at(address64) if node is None else self.requests.for_node(node)
        for request in asked:
            if request.slot not in (None, slot):
                raise Configured(
                    f"The configuration file gives {node or format_address64(address64)} the port "
                    f"{request.slot}: change it there, and send the gateway a SIGHUP."
                )

    def check_not_named(self, node: Node) -> None:
        """Refuse to forget a node that the configuration names by its address.

        @raise Configured: it does.
        """
        if self.requests.at(node.address64):
            raise Configured(
                f"The configuration file names {node}: take it out there, send the gateway a "
                "SIGHUP, and then forget it."
            )

    def check_replaceable(self, node: Node) -> None:
        """Refuse to give a port away that the configuration gives to that address.

        @raise Configured: it does.
        """
        for request in self.requests.at(node.address64):
            if request.slot is not None:
                raise Configured(
                    f"The configuration file gives {node} the port {request.slot}: write the new "
                    "address there, and send the gateway a SIGHUP."
                )

    # --- doing ---------------------------------------------------------------------------------

    async def apply_all(self) -> None:
        """Follow all requests."""
        pace = self._ports.pace()
        await pace.step(len(self.requests))
        # Together, so that nodes can exchange ports; what cannot be is said of each then.
        wanted = {}
        requests = self.requests
        for request, nodes in requests.with_nodes(self._nodes):
            slot = request.slot
            if len(nodes) == 1 and slot is not None and not self._assigner.has(nodes[0], slot):
                wanted[nodes[0].address64] = slot
        refused: dict[Address64, str] = {}
        if len(wanted) > 1 and self._ports.running:
            with suppress(StoreError):
                refused = await self._assigner.change_what_can_be(wanted)
        for request, nodes in requests.with_nodes(self._nodes):
            if requests is not self.requests:
                # There are others meanwhile, which are followed next.
                return
            await self._apply(request, nodes, refused)
            await pace.step()

    async def apply(self, request: PortRequest) -> None:
        """Follow one request: a node has been given the label that it names."""
        await self._apply(request, self.requests.nodes_of(request, self._nodes), {})

    async def try_again(self) -> None:
        """Follow the requests that could not be followed."""
        if self.has_problem:
            await self.apply_all()

    async def _apply(
        self, request: PortRequest, nodes: list[Node], refused: Mapping[Address64, str]
    ) -> None:
        """Give a node what the configuration says, if it is known and does not have it.

        @param nodes: all that the request is for.
        @param refused: why nodes cannot have theirs, as far as that has just been tried.
        """
        for node in nodes:
            node.name = request.name
        if request.address64 is None and len(nodes) == 1:
            # There may have been more of them before.
            self._labels.pin(nodes[0])
        if request.slot is None or not nodes or not self._ports.running:
            return
        before, request.problem = request.problem, ""
        if len(nodes) > 1:
            request.problem = (
                f"{len(nodes)} nodes are called {request.label}, and one of them is to have port "
                f"{request.slot}: name it by its address."
            )
        elif nodes[0].address64 in refused:
            request.problem = refused[nodes[0].address64]
        elif not self._assigner.has(nodes[0], request.slot):
            try:
                await self._assigner.change({nodes[0].address64: request.slot})
            except (BindingError, StoreError) as error:
                request.problem = str(error)
        if request.problem and request.problem != before:
            self._bus.publish(MappingRefused(nodes[0], request.slot, request.problem))
