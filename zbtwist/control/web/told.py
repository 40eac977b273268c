"""What a node's decoder makes of what it says, for a page that sees the bytes: told behind them.

A message has the time and, the most telling first, up to `MAX_SHOWN` values, each with its name and
unit; and how many more there are. What comes quickly is told together, each name once.
"""

from __future__ import annotations

import json
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.decoding.events import ValuesDecoded
from zbtwist.decoding.value import Value
from zbtwist.network.node import Node
from zbtwist.runtime.event_bus import EventBus

#: Values in a message.
MAX_SHOWN = 8

#: Seconds until they are told: a tap's packets are told together within a tenth of a second.
DELAY = 0.15


class Page(Protocol):
    """Who is told; see `zbtwist.control.web.sockets.Session`."""

    blocked: bool

    def send_text(self, text: str) -> None: ...


class Told:
    """Tells one page of one node, until it is stopped."""

    def __init__(self, clock: IReactorTime, bus: EventBus, node: Node, page: Page) -> None:
        self._clock = clock
        self._bus = bus
        self._node = node
        self._page = page
        # By name; a decoder has no more of them than are kept of a node.
        self._untold: dict[str, Value] = {}
        self._time = 0.0
        self._soon: IDelayedCall | None = None
        bus.subscribe(ValuesDecoded, self._decoded)

    def stop(self) -> None:
        """Tell no more."""
        self._bus.unsubscribe(ValuesDecoded, self._decoded)
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None

    def _decoded(self, event: ValuesDecoded) -> None:
        if event.node is not self._node:
            return
        self._untold.update((value.name, value) for value in event.decoded)
        self._time = event.time
        if self._soon is None:
            self._soon = self._clock.callLater(DELAY, self._tell)

    def _tell(self) -> None:
        self._soon = None
        if self._page.blocked:
            # With the next ones: the last of each name are told.
            return
        values = sorted(self._untold.values(), key=lambda value: value.rank)
        self._untold.clear()
        shown = [(value.name, value.value, value.unit) for value in values[:MAX_SHOWN]]
        self._page.send_text(
            json.dumps(
                {
                    "type": "values",
                    "time": self._time,
                    "values": shown,
                    "more": len(values) - len(shown),
                }
            )
        )
