"""A radio on the other end of a coordinator, as far as a test needs one."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from zbtwist.interfaces import IRadioListener
from zbtwist.radio.bring_up import RadioFacts
from zbtwist.radio.coordinator import Coordinator
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frames import Frame

LOCAL = Address64(0x0013A200_00000001)
REMOTE = Address64(0x0013A200_400A3EFF)
REMOTE16 = Address16(0x1A2B)

FACTS = RadioFacts(LOCAL, api_mode=1, payload_limit=84, discovery_time=6.0)


@implementer(IRadioListener)
class Listener:
    """Remembers what a radio's listener hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def radio_up(self, facts: RadioFacts) -> None:
        self.heard.append(facts)

    def radio_down(self, reason: str) -> None:
        self.heard.append(reason)

    def frame_received(self, frame: Frame) -> None:
        self.heard.append(frame)


class Wire:
    """A coordinator whose link is up, and what it sent."""

    def __init__(self, ready: bool = True) -> None:
        self.clock = Clock()
        self.coordinator = Coordinator(self.clock)
        self.sent: list[Any] = []
        self.listener = Listener()
        self.coordinator.add_listener(self.listener)
        self.coordinator.link_up(self.sent.append)
        if ready:
            self.coordinator.ready(FACTS)
            self.listener.heard.clear()

    @property
    def last(self) -> Any:
        """The frame that was sent last."""
        return self.sent[-1]

    def receive(self, frame: Frame) -> None:
        """The radio sends a frame."""
        self.coordinator.frame_received(frame)


def start(request: Awaitable[Any]) -> Deferred[Any]:
    """Start a request, which may be a coroutine."""
    if isinstance(request, Deferred):
        return request
    return Deferred.fromCoroutine(request)  # type: ignore[arg-type]
