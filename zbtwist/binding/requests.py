"""What the configuration asks for nodes, found by a node's address and by its label at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from zbtwist.binding.listener import ListenAddress
from zbtwist.binding.port_settings import PortSettings
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.xbee.address import Address64


class NodeWish(Protocol):
    """What the settings say of one node; see `zbtwist.config.node_settings.NodeSettings`."""

    @property
    def address64(self) -> Address64 | None: ...
    @property
    def label(self) -> str | None: ...
    @property
    def port(self) -> int | None: ...
    @property
    def endpoint(self) -> str | None: ...
    @property
    def name(self) -> str | None: ...
    @property
    def port_settings(self) -> PortSettings | None: ...


class BindingSettings(Protocol):
    """What the ports need of the settings; see `zbtwist.config.settings.Settings`."""

    @property
    def base_port(self) -> int: ...
    @property
    def last_port(self) -> int: ...
    @property
    def control_port(self) -> int: ...
    @property
    def broadcast_port(self) -> int: ...
    @property
    def interface(self) -> str: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def port_settings(self) -> PortSettings: ...
    @property
    def nodes(self) -> Sequence[NodeWish]: ...
    def requests(self) -> PortRequests: ...


@dataclass(slots=True, eq=False)
class PortRequest:
    """What the configuration says of one node.

    @ivar address64: which node; None if it is named by its label.
    @ivar label: its node identifier; None if it is named by its address.
    @ivar slot: the port it is to have; None if the gateway chooses.
    @ivar name: what the user calls it; empty for nothing.
    @ivar settings: how its bytes are sent and kept; None for as those of all.
    @ivar problem: a sentence: why it does not have the port; empty if it has.
    """

    address64: Address64 | None = None
    label: str | None = None
    slot: ListenAddress | None = None
    name: str = ""
    settings: PortSettings | None = None
    problem: str = ""

    @classmethod
    def of(cls, wish: NodeWish) -> PortRequest:
        """Return what the settings say of a node as a request."""
        return cls(
            wish.address64,
            wish.label,
            wish.port or wish.endpoint,
            wish.name or "",
            wish.port_settings,
        )

    def is_for(self, node: Node) -> bool:
        """Whether the node is the one that is meant."""
        if self.address64 is not None:
            return node.address64 == self.address64
        return node.label == self.label


class PortRequests:
    """All of them, in the order of the configuration.

    @ivar slots: the ports that are asked for.
    @ivar labels: of nodes that are named beside those of the requests.
    @ivar pins: whose a label is, where that is known; what is asked for it is for no other.
    @ivar have_settings: whether any has settings of its own.
    """

    def __init__(self, requests: Iterable[PortRequest] = (), labels: Iterable[str] = ()) -> None:
        """
        @param labels: of nodes that are named beside those.
        """
        self._requests = list(requests)
        self.labels = frozenset(labels)
        self.pins: Mapping[str, Address64] = {}
        self._by_address: dict[Address64, list[PortRequest]] = {}
        self._by_label: dict[str, list[PortRequest]] = {}
        for request in self._requests:
            if request.address64 is not None:
                self._by_address.setdefault(request.address64, []).append(request)
            elif request.label is not None:
                self._by_label.setdefault(request.label, []).append(request)
        self.have_settings = any(request.settings for request in self._requests)
        self.slots = frozenset(
            request.slot for request in self._requests if request.slot is not None
        )

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[PortRequest]:
        return iter(self._requests)

    def at(self, address64: Address64) -> list[PortRequest]:
        """Return what is asked for the node with that address, by its address."""
        return self._by_address.get(address64, [])

    def labelled(self, label: str | None) -> list[PortRequest]:
        """Return what is asked for a node with that label, by its label."""
        return self._by_label.get(label, []) if label is not None else []

    def names(self, label: str | None) -> bool:
        """Whether the configuration names a node by that label."""
        return label is not None and (label in self._by_label or label in self.labels)

    def for_node(self, node: Node) -> list[PortRequest]:
        """Return what is asked for a node, by its address first."""
        by_address = self._by_address.get(node.address64, [])
        by_label = self._by_label.get(node.label or "")
        if by_label and self._has_its_label(node):
            return [*by_address, *by_label]
        return by_address

    def nodes_of(self, request: PortRequest, nodes: NodeTable) -> list[Node]:
        """Return the known nodes that a request is for."""
        return [
            node
            for node in nodes
            if request.is_for(node) and (request.address64 is not None or self._has_its_label(node))
        ]

    def _has_its_label(self, node: Node) -> bool:
        return self.pins.get(node.label or "", node.address64) == node.address64

    def settings_for(self, node: Node) -> PortSettings | None:
        """Return the settings that are asked for a node, None if there are none."""
        for request in self.for_node(node):
            if request.settings is not None:
                return request.settings
        return None

    def name_of(self, node: Node) -> str:
        """Return what the user calls a node; empty for nothing."""
        return next((request.name for request in self.for_node(node) if request.name), "")

    def with_nodes(self, nodes: NodeTable) -> Iterator[tuple[PortRequest, list[Node]]]:
        """Return each request with the nodes that it is for, all that are known.

        What changes while it is iterated over is not seen.
        """
        labelled: dict[str, list[Node]] = {}
        if self._by_label:
            for node in nodes:
                if node.label in self._by_label and self._has_its_label(node):
                    labelled.setdefault(node.label, []).append(node)
        for request in self._requests:
            if request.address64 is not None:
                known = nodes.get(request.address64)
                yield request, [known] if known is not None else []
            else:
                yield request, labelled.get(request.label or "", [])
