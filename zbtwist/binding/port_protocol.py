"""What the bytes of a client mean: a protocol stands between one client and the node's stream.

Each is a class in a file of its own, and has a row in `zbtwist.binding.protocols`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zbtwist.binding.client import NodeClient
    from zbtwist.binding.port import NodePort

#: Takes bytes that go on.
Pass = Callable[[bytes], None]


class PortProtocol:
    """Passes all bytes as they are; others override `from_client`, `from_node` or both.

    @cvar hears_all: its clients hear all that the node says; else they ask, and hear the answers
        to that: see `zbtwist.binding.asking.askers`.
    @cvar is_framed: what a client says reaches the node only if it is what the protocol has, so
        that no browser can say anything to it.
    """

    hears_all = True
    is_framed = False

    def __init__(self, to_node: Pass, to_client: Pass) -> None:
        """
        @param to_node: takes what is to be sent to the node.
        @param to_client: takes what is to be sent to the client.
        """
        self.to_node = to_node
        self.to_client = to_client

    def lead_to(self, to_node: Pass) -> None:
        """Another one takes what is to be sent to the node from now on."""
        self.to_node = to_node

    def started(self, client: NodeClient, port: NodePort) -> None:
        """The client is there, and hears what is sent to it.

        @param port: that of the node.
        """

    @property
    def is_busy(self) -> bool:
        """Whether the protocol has something of the client that the node has not got, or that is to
        be answered.
        """
        return False

    def from_client(self, data: bytes) -> None:
        """The client has sent bytes."""
        self.to_node(data)

    def from_node(self, data: bytes) -> None:
        """The node has sent bytes."""
        self.to_client(data)

    def client_ended(self) -> None:
        """The client has ended its side, and may be gone; it may be said more than once."""

    def ended(self) -> None:
        """The client is gone."""


class Raw(PortProtocol):
    """Bytes as they are, and with no step on the way that does nothing."""

    def __init__(self, to_node: Pass, to_client: Pass) -> None:
        super().__init__(to_node, to_client)
        self.lead_to(to_node)
        self.from_node = to_client  # type: ignore[assignment, method-assign]

    def lead_to(self, to_node: Pass) -> None:
        super().lead_to(to_node)
        self.from_client = to_node  # type: ignore[assignment, method-assign]
