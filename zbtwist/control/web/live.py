"""``/live``: tells pages what there is and what changes, and takes their calls.

All viewers share one look at the gateway a second; nobody looks while there is no viewer. What is
sent is what has changed since the look before. A viewer that has not taken the last message yet is
passed over, and gets everything anew when it has: nothing piles up for it, and nothing has to be
remembered for it.

A page that calls more often than people do is read more slowly, so that it costs the nodes' streams
nothing that they would feel.
"""

from __future__ import annotations

import json
from collections import deque
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.web.server import Request

from zbtwist.binding.client_events import ClientClosed, ClientOpened
from zbtwist.binding.events import MappingChanged, PortFailed
from zbtwist.control.faults import GATEWAY_FAILED, ControlFault
from zbtwist.control.http.users import user_of
from zbtwist.control.web.calls import Calls
from zbtwist.control.web.sockets import POLICY, Session
from zbtwist.control.web.view import Changes, View
from zbtwist.health.events import HealthChanged
from zbtwist.network.events import NodeAdded, NodeForgotten, NodeNamed
from zbtwist.network.service import NetworkService
from zbtwist.radio.events import LinkDown, LinkUp
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.event_bus import Event, EventBus
from zbtwist.runtime.work_turns import Turn

#: Seconds from one look to the next.
INTERVAL = 1.0

#: Seconds until the next look when a page's call may have changed something.
SOON = 0.05

#: A look may take this part of a core's time; with more nodes than that allows, there is more time
#: between looks.
MAX_LOAD = 0.05

#: Seconds from one message on a search's progress to the next.
PROGRESS_INTERVAL = 0.5

#: How many calls of one page may be in hand.
MAX_CALLS = 16

#: How many calls of one page are taken in a second, and how many of them at once.
CALLS_PER_SECOND = 50.0
CALLS_AT_ONCE = 4

#: The longest text id of a call.
MAX_ID = 64


#: What pages show at once; the rest waits for the next look.
_SEEN_SOON: tuple[type[Event], ...] = (
    *(LinkUp, LinkDown),
    *(NodeAdded, NodeNamed, NodeForgotten, HealthChanged),
    *(MappingChanged, PortFailed, ClientOpened, ClientClosed),
)


def message(kind: str, values: dict[str, Any]) -> str:
    """Write a message to the page."""
    return json.dumps({"type": kind, **values}, separators=(",", ":"))


class Feed:
    """Looks at the gateway for all viewers."""

    log = Logger()

    def __init__(
        self, clock: IReactorTime, view: View, network: NetworkService, bus: EventBus
    ) -> None:
        self._clock = clock
        self._view = view
        self._network = network
        self._viewers: dict[LiveSession, None] = {}
        self._timer: IDelayedCall | None = None
        # When the next look may be, by what the last one took.
        self._earliest = 0.0
        self._snapshot: str | None = None
        for kind in _SEEN_SOON:
            bus.subscribe(kind, lambda event: self.soon())

    def add(self, viewer: LiveSession) -> None:
        """Show a viewer everything, and from now on what changes."""
        if not self._viewers:
            began = perf_counter()
            self._look()
            self._plan(perf_counter() - began)
        else:
            # What it is shown is as old as the last look.
            self.soon()
        self._viewers[viewer] = None
        viewer.send_text(self._everything())

    def remove(self, viewer: LiveSession) -> None:
        """Show it nothing more."""
        self._viewers.pop(viewer, None)
        if not self._viewers:
            if self._timer is not None and self._timer.active():
                self._timer.cancel()
            self._snapshot = None
            self._view.forget()
            self._network.signals.stop()

    def soon(self) -> None:
        """Something that a page asked for is done: do not let it wait to see that."""
        timer = self._timer
        if timer is not None and timer.active():
            # Not later than it is planned, however often this is called.
            now = self._clock.seconds()
            timer.reset(max(0.0, min(timer.getTime(), max(now + SOON, self._earliest)) - now))

    def _plan(self, took: float) -> None:
        """
        @param took: seconds of work for the look that was.
        """
        rest = took / MAX_LOAD
        self._earliest = self._clock.seconds() + rest
        self._timer = self._clock.callLater(max(INTERVAL, rest), self._tick)

    def _tick(self) -> None:
        # The machine's time, not the clock's: this is about work.
        began = perf_counter()
        try:
            self._show(self._look())
        except Exception:
            self.log.failure("The console's pages could not be told what is new")
        if self._viewers:
            self._plan(perf_counter() - began)

    def _look(self) -> Changes:
        self._snapshot = None
        self._network.signals.sample()
        return self._view.look()

    def _show(self, changes: Changes) -> None:
        text = message("changes", _values(changes)) if changes else ""
        for viewer in list(self._viewers):
            if viewer.blocked:
                viewer.missed_something = viewer.missed_something or bool(text)
            elif viewer.missed_something:
                viewer.missed_something = False
                viewer.send_text(self._everything())
            elif text:
                viewer.send_text(text)

    def _everything(self) -> str:
        if self._snapshot is None:
            values = _values(self._view.all())
            del values["gone"]
            # Ages are told by it: the clocks of two computers differ.
            values["time"] = int(self._network.nodes.wall())
            self._snapshot = message("snapshot", values)
        return self._snapshot


def _values(changes: Changes) -> dict[str, Any]:
    return {
        "gateway": changes.gateway,
        "radio": changes.radio,
        "nodes": changes.nodes,
        "gone": changes.gone,
        "traffic": changes.traffic,
    }


class LiveSession(Session):
    """One page that looks.

    @ivar missed_something: a message was not sent to it, so that it needs everything anew.
    """

    def __init__(
        self,
        request: Request,
        clock: IReactorTime,
        feed: Feed,
        calls: Calls,
        radio: IRadio,
        network: NetworkService,
    ) -> None:
        super().__init__(request, clock)
        self._feed = feed
        self._calls = calls
        self._radio = radio
        self._network = network
        self._user = user_of(request)
        self._in_hand = 0
        # What is given up when the page is gone; at most `MAX_CALLS`.
        self._ending: set[Deferred[None]] = set()
        # Messages of the one piece that was read last (see `zbtwist.control.web.sockets`).
        self._messages: deque[str] = deque()
        self._room = float(CALLS_AT_ONCE)
        self._room_at = clock.seconds()
        self._next_call: IDelayedCall | None = None
        self._calls_turn: Turn | None = None
        self.missed_something = False

    def opened(self) -> None:
        self._feed.add(self)

    def ended(self) -> None:
        if self._next_call is not None and self._next_call.active():
            self._next_call.cancel()
        if self._calls_turn is not None:
            self._calls_turn.cancel()
        for call in list(self._ending):
            call.cancel()
        self._feed.remove(self)

    def text_received(self, message: str) -> None:
        self._messages.append(message)
        if self._next_call is None and not (self._calls_turn and self._calls_turn.is_waiting):
            self._ask_for_calls()

    def _ask_for_calls(self) -> None:
        self._next_call = None
        self._calls_turn = self._turns.ask(self._take_calls, is_long=True)
        if self._calls_turn.is_waiting:
            self.hold(True)

    def _take_calls(self) -> None:
        """Take as many calls as there is room for, and hear nothing more until all are taken."""
        now = self._clock.seconds()
        room = self._room + (now - self._room_at) * CALLS_PER_SECOND
        self._room, self._room_at = min(room, CALLS_AT_ONCE), now
        while self._messages and self._room >= 1 and not self.over:
            self._room -= 1
            self._take_call(self._messages.popleft())
        if self._messages and not self.over:
            self._next_call = self._clock.callLater(1 / CALLS_PER_SECOND, self._ask_for_calls)
        self.hold(self._next_call is not None)

    def _take_call(self, message: str) -> None:
        try:
            call = json.loads(message)
        except (ValueError, RecursionError):
            call = None
        match call:
            case {"id": int() | str() as number, "call": str(name), "arguments": list(arguments)}:
                if isinstance(number, int) or len(number) <= MAX_ID:
                    answered = Deferred.fromCoroutine(self._answer(number, name, arguments))
                    if self._calls.ends_with_asker(name) and not answered.called:
                        self._ending.add(answered)
                        answered.addBoth(self._done, answered)
                    answered.addErrback(
                        lambda failure: self.log.failure("A page's call failed", failure=failure)
                    )
                    return
        self.end(POLICY)

    def _done(self, result: Any, answered: Deferred[None]) -> Any:
        self._ending.discard(answered)
        return result

    async def _answer(self, number: int | str, name: str, arguments: list[Any]) -> None:
        progress = self._start_progress(number) if name == "discover" else None
        self._in_hand += 1
        try:
            if self._in_hand > MAX_CALLS:
                raise ControlFault(
                    GATEWAY_FAILED,
                    f"{MAX_CALLS} calls of this page are running; wait for some to end.",
                )
            answer = {"id": number, "result": await self._calls.call(name, arguments, self._user)}
            if self._calls.may_change_something(name):
                self._feed.soon()
        except ControlFault as fault:
            answer = {"id": number, "fault": {"code": fault.number, "text": fault.sentence}}
        finally:
            self._in_hand -= 1
            if progress is not None and progress.running:
                progress.stop()
        self.send_text(message("answer", answer))

    def _start_progress(self, number: int | str) -> LoopingCall | None:
        facts = self._radio.facts
        if facts is None:
            return None
        began = self._clock.seconds()
        answers = self._network.search_answers

        def tell() -> None:
            if self.blocked:
                return
            values = {
                "id": number,
                "elapsed": round(self._clock.seconds() - began, 1),
                "total": facts.discovery_time,
                "found": self._network.search_answers - answers,
            }
            self.send_text(message("progress", values))

        progress = LoopingCall(tell)
        progress.clock = self._clock
        progress.start(PROGRESS_INTERVAL).addErrback(
            lambda failure: self.log.failure("A search's progress failed", failure=failure)
        )
        return progress
