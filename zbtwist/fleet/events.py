"""What happens to the sites of a fleet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from twisted.logger import LogLevel

from zbtwist.radio.events import Repeatable
from zbtwist.runtime.event_bus import Event, Plain
from zbtwist.xbee.address import Address64, format_address64


@dataclass(frozen=True)
class SiteUp(Repeatable):
    """The gateway of a site is there, and its nodes can be sent to.

    @ivar nodes: how many are known of it.
    """

    name: ClassVar = "site_up"
    site: str
    nodes: int

    def __str__(self) -> str:
        return f"Site {self.site} is there, {self.nodes} nodes are known of it."


@dataclass(frozen=True)
class SiteDown(Event):
    """It is not there any more.

    @ivar reason: a sentence.
    """

    name: ClassVar = "site_down"
    severity: ClassVar = LogLevel.warn
    site: str
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class SiteRestarted(Event):
    """The gateway of a site was started anew: what its nodes said meanwhile is lost, and their
    clients are reset.
    """

    name: ClassVar = "site_restarted"
    severity: ClassVar = LogLevel.warn
    site: str

    def __str__(self) -> str:
        return f"The gateway of site {self.site} was started anew."


@dataclass(frozen=True)
class NodeMoved(Event):
    """A node is heard at another site than before.

    @ivar before: that one.
    @ivar site: where it is heard now.
    """

    name: ClassVar = "node_moved"
    address64: Address64
    before: str
    site: str

    def __str__(self) -> str:
        node = format_address64(self.address64)
        return f"{node} is heard at site {self.site} now, and no more at {self.before}."

    def values(self) -> dict[str, Plain]:
        address = format_address64(self.address64)
        return {"address": address, "before": self.before, "site": self.site}
