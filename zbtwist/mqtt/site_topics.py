"""The names of all topics of a gateway, which is a site at the broker; docs/mqtt.rst has what is
said there.

Nodes stand there by their 64-bit address, as 16 hexadecimal digits in lower case; names that people
give them are data. This room knows no node: an address is a number here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: The first levels below a site.
_OF_GATEWAYS = frozenset(("state", "info", "nodes", "events", "request", "streams"))

_ADDRESS = re.compile(r"[0-9a-f]{16}")


def address_level(address64: int) -> str:
    """Return an address as it stands in topics, such as ``0013a200400a3e01``."""
    return f"{address64:016x}"


def address_of_level(level: str) -> int | None:
    """Return the address that stands in a topic, None if it is none."""
    return int(level, 16) if _ADDRESS.fullmatch(level) else None


@dataclass(frozen=True, slots=True)
class SiteTopics:
    """
    @ivar base: what stands before all topics of all sites.
    @ivar site: what the gateway is called there; ``+`` makes filters for all sites of the topics.
    """

    base: str
    site: str

    @property
    def root(self) -> str:
        """What stands before all others, without the last ``/``."""
        return f"{self.base}/{self.site}"

    @property
    def state(self) -> str:
        """Whether the gateway is there: ``online`` or ``offline``."""
        return f"{self.root}/state"

    @property
    def info(self) -> str:
        """What it says of itself, and of its radio."""
        return f"{self.root}/info"

    @property
    def events(self) -> str:
        """What happens."""
        return f"{self.root}/events"

    @property
    def streams(self) -> str:
        """Where it is asked how many packets of which nodes it has counted."""
        return f"{self.root}/streams"

    def node(self, address64: int) -> str:
        """What it says of a node."""
        return f"{self.root}/nodes/{address64:016x}"

    def rx(self, address64: int) -> str:
        """The bytes of a node, packet by packet."""
        return f"{self.node(address64)}/rx"

    def tx(self, address64: int) -> str:
        """Bytes to a node."""
        return f"{self.node(address64)}/tx"

    def value(self, address64: int, name: str) -> str:
        """A value that a node has told.

        @param name: as `zbtwist.decoding.value.Value` has it, which makes it fit for a topic.
        """
        return f"{self.node(address64)}/values/{name}"

    def setting(self, address64: int, name: str) -> str:
        """Where something of a node is set.

        @param name: a line of it (``D1``), or what it is told to do.
        """
        return f"{self.node(address64)}/set/{name}"

    def request(self, operation: str) -> str:
        """Where an operation of the control interface is asked for."""
        return f"{self.root}/request/{operation}"

    @property
    def all_nodes(self) -> str:
        """A filter: `node` of all."""
        return f"{self.root}/nodes/+"

    @property
    def all_rx(self) -> str:
        """A filter: `rx` of all nodes."""
        return f"{self.root}/nodes/+/rx"

    @property
    def all_tx(self) -> str:
        """A filter: `tx` of all nodes."""
        return f"{self.root}/nodes/+/tx"

    @property
    def all_values(self) -> str:
        """A filter: `value` of all nodes and names."""
        return f"{self.root}/nodes/+/values/+"

    @property
    def all_settings(self) -> str:
        """A filter: `setting` of all nodes and names."""
        return f"{self.root}/nodes/+/set/+"

    @property
    def all_requests(self) -> str:
        """A filter: `request` of all operations."""
        return f"{self.root}/request/+"


def site_of(base: str, topic: str) -> str | None:
    """Return the site that a topic is of, None if it is of none below that base."""
    levels = _below(base, topic)
    return levels[0] if levels is not None and len(levels) > 1 else None


def node_of(base: str, topic: str) -> tuple[str, int, list[str]] | None:
    """Return what a topic of a node is made of, None if it is none.

    @return: the site, the node's address, and the levels below it, such as ``["values", "power"]``.
    """
    levels = _below(base, topic)
    if levels is None or len(levels) < 3 or levels[1] != "nodes":
        return None
    address64 = address_of_level(levels[2])
    return None if address64 is None else (levels[0], address64, levels[3:])


def is_of_gateways(base: str, topic: str) -> bool:
    """Return whether gateways say or hear something under a topic, so that nobody else may let them
    say something there.
    """
    levels = _below(base, topic)
    return levels is not None and len(levels) > 1 and levels[1] in _OF_GATEWAYS


def _below(base: str, topic: str) -> list[str] | None:
    if not topic.startswith(f"{base}/"):
        return None
    return topic[len(base) + 1 :].split("/")
