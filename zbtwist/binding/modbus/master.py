"""What masters of both kinds of Modbus have in common: they ask in whole frames, and hear what they
have asked alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbtwist.binding.port_protocol import Pass, PortProtocol

if TYPE_CHECKING:
    from zbtwist.binding.client import NodeClient
    from zbtwist.binding.port import NodePort


class ModbusMaster(PortProtocol):
    """What one master asks, and is answered."""

    is_framed = True
    hears_all = False

    def __init__(self, to_node: Pass, to_client: Pass) -> None:
        super().__init__(to_node, to_client)
        # How many of its requests are neither answered nor given up.
        self._open = 0

    def started(self, client: NodeClient, port: NodePort) -> None:
        self._client = client
        self._port = port

    @property
    def is_busy(self) -> bool:
        return self._open > 0

    def from_node(self, data: bytes) -> None:
        """What is kept for the next client is nothing that it has asked."""
