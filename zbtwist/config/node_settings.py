"""What the file says about one node: a ``[[node]]`` table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from zbtwist.binding.port_settings import PortSettings
from zbtwist.config import values
from zbtwist.runtime.option import option, options_of, printable
from zbtwist.xbee.address import Address64

#: Characters of a node identifier (NI has 20 bytes), and of a name in the file.
MAX_LABEL = 20
MAX_NAME = 64


@dataclass(frozen=True)
class NodeSettings:
    """What the file says about one node, which either `address64` or `label` names.

    @ivar address64: its address.
    @ivar label: its node identifier.
    @ivar port: the TCP port that it has; None for the gateway's choice.
    @ivar endpoint: a Twisted server endpoint string in place of a port.
    @ivar name: what lists and the log call it, in place of its node identifier.
    @ivar own: what it has of its own in place of the settings of all ports, by their names.
    @ivar port_settings: with these, all those of its port; None if they are those of all. What is
        said of the others is not of this node.
    """

    address64: Address64 | None = option(None, values.address, name="address", is_unique=True)
    label: str | None = option(None, printable(MAX_LABEL), is_unique=True)
    port: int | None = option(None, values.port, (int,), is_unique=True)
    endpoint: str | None = option(None, values.endpoint, is_unique=True)
    name: str | None = option(None, values.name(MAX_NAME), is_unique=True)
    own: tuple[tuple[str, Any], ...] = ()
    port_settings: PortSettings | None = field(default=None, compare=False)


#: The keys of such a table: its own, and what may be set for one node of its port.
NODE_KEYS = {
    **options_of(NodeSettings),
    **{name: each for name, each in options_of(PortSettings).items() if each.per_node},
}
