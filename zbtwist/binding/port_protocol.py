"""What the bytes of a client mean: a protocol stands between one client and the node's stream.

Each is a class in a file of its own, and has a row in `zbtwist.binding.protocols`.
"""

from __future__ import annotations

from collections.abc import Callable

#: Takes bytes that go on.
_Pass = Callable[[bytes], None]


class PortProtocol:
    """Passes all bytes as they are; others override `from_client`, `from_node` or both."""

    def __init__(self, to_node: _Pass, to_client: _Pass) -> None:
        """
        @param to_node: takes what is to be sent to the node.
        @param to_client: takes what is to be sent to the client.
        """
        self.to_node = to_node
        self.to_client = to_client

    def lead_to(self, to_node: _Pass) -> None:
        """Another one takes what is to be sent to the node from now on."""
        self.to_node = to_node

    def from_client(self, data: bytes) -> None:
        """The client has sent bytes."""
        self.to_node(data)

    def from_node(self, data: bytes) -> None:
        """The node has sent bytes."""
        self.to_client(data)

    def ended(self) -> None:
        """The client is gone."""


class Raw(PortProtocol):
    """Bytes as they are, and with no step on the way that does nothing."""

    def __init__(self, to_node: _Pass, to_client: _Pass) -> None:
        super().__init__(to_node, to_client)
        self.lead_to(to_node)
        self.from_node = to_client  # type: ignore[assignment, method-assign]

    def lead_to(self, to_node: _Pass) -> None:
        super().lead_to(to_node)
        self.from_client = to_node  # type: ignore[assignment, method-assign]
