"""Which ports need a look when something happens to all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zbtwist.binding.port import NodePort
    from zbtwist.binding.stream import NodeStream


class Noted:
    """Which ports damage, outages and retries concern. There are thousands, mostly of nodes that
    are silent and that nobody is connected to, and noise on the line must not cost a look at each.

    @ivar busy: the ports that may have something to lose; see `NodeStream.has_something_to_lose`.
    @ivar awake: the ports that are new, or whose node was heard, since the radio went away the
        last time.
    @ivar closed: the ports that do not open where their clients look for them.
    @ivar portless: the ports of nodes for which there was none to give; who has waited longest is
        first.
    """

    def __init__(self) -> None:
        # Dicts keep the order, and forget a port as quickly as sets.
        self.busy: dict[NodeStream, None] = {}
        self.awake: dict[NodeStream, None] = {}
        self.closed: dict[NodePort, None] = {}
        self.portless: dict[NodePort, None] = {}

    def forget(self, port: NodePort) -> None:
        """It is no port any more."""
        for kept in (self.busy, self.awake, self.closed, self.portless):
            kept.pop(port, None)
