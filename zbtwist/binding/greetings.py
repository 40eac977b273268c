"""What is said by itself when clients come and go: a banner to each of them, and strings to the
device when the first one comes and when the last one is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbtwist.network.node import Node
from zbtwist.runtime.substitutions import About, Template

if TYPE_CHECKING:
    from zbtwist.binding.client import NodeClient
    from zbtwist.binding.port import NodePort


def greet(port: NodePort, client: NodeClient) -> None:
    """A client has come, and hears the node; nothing was said to it yet."""
    settings = port.outbound.settings
    if settings.banner is not None:
        client.deliver(_filled(settings.banner, port, client.peer))
    if settings.open_string is not None and port.clients == 1:
        port.outbound.write(client, _filled(settings.open_string, port, client.peer))


def take_leave(port: NodePort, client: NodeClient) -> None:
    """The last client is gone."""
    string = port.outbound.settings.close_string
    if string is not None:
        # As if it had written that: it comes behind what it has, and not in the middle.
        port.outbound.write(client, _filled(string, port, ""))
        port.outbound.closed(client)


def about(node: Node, port: NodePort | None, peer: str, when: float) -> About:
    """Return what a text may say of a node.

    @param port: its port; None for none.
    @param peer: the client; empty for none.
    @param when: seconds since 1970.
    """
    device = f"{node.address64:016x}"
    # Of a client its address alone; the port of its end is another each time.
    host = (peer.rpartition(":")[0] or peer).strip("[]")
    name = node.name or node.label or device
    if port is None:
        return About(device, name, 0, "", host, when)
    return About(device, name, port.number, port.outbound.line.format, host, when)


def _filled(text: Template, port: NodePort, peer: str) -> bytes:
    return text.filled(about(port.node, port, peer, port.outbound.wall()), _printable)


def _printable(text: str) -> str:
    """Return what a node says of itself without what a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)
