"""What is asked of the radio: each request has a frame id, or waits for one.

A request takes a frame id from the pool (`zbtwist.radio.frame_ids`) and gives it back when its
answer is in. An answer is matched by id, frame type, and where it has them command and address; one
that matches nothing is counted and ignored.

Requests that find no free id wait, and their time runs. Remote AT commands, of which many may be
under way to nodes that sleep, leave `IDS_FOR_DATA` ids to the rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.radio.errors import (
    ATRefused,
    NoAnswer,
    RadioError,
    RadioOffline,
    TooManyRequests,
)
from zbtwist.radio.frame_ids import LAST_ID, FrameIds
from zbtwist.radio.hearers import FrameHearers, Taker
from zbtwist.radio.request import Request
from zbtwist.runtime.early import EARLY
from zbtwist.xbee.address import UNKNOWN64, format_address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import ATCommandResponse, Frame, RemoteATCommandResponse
from zbtwist.xbee.status import ATStatus

F = TypeVar("F", bound=Frame)

#: Seconds after which the answer to a patient request is late, whatever else was answered.
MAX_PATIENCE = 120.0
#: Seconds after which it is said that a packet or a command for a node has no answer yet: a sign
#: that the radio may not understand what it is told, and no more than that.
OVERDUE = 2.0
#: Frame ids that remote AT commands leave for packets and the local radio.
IDS_FOR_DATA = 63
#: Requests that may wait for a frame id.
MAX_WAITING = 4096


def _nobody_asks() -> None:
    """Nobody wants to hear it."""


class Requests:
    """What is asked of the radio.

    It is the base of the coordinator and not a part of it, since each packet would pay for the call
    from one to the other.

    @ivar late_answers: answers that no request waited for: late, doubled, or to someone else.
    @ivar hearers: who hears the frames of the radio, the requests among them.
    @ivar last_answer: when the last answer to a request came, in time or not; what the radio says
        by itself is no sign that it takes what it is told.
    @ivar offline_reason: a sentence: why nothing can be sent; empty when it can.
    @ivar unanswered: set by who watches the radio: called when a packet or a command for a node has
        had no answer for `OVERDUE` seconds, once for all that were sent until then.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, first_id: int | None = None) -> None:
        """
        @param clock: times the requests.
        @param first_id: see `FrameIds`.
        """
        self._clock = clock
        self._send: Callable[[Frame], None] | None = None
        self._pending: dict[int, Request] = {}
        self._waiting: deque[Request] = deque()
        self._ids = FrameIds(clock, self._pending, self._start_waiting, first_id)
        # One call for all: when the first of them is overdue, or at the first deadline of the
        # packets that were sent at once. Nearly all are done long before, and making and cancelling
        # one for each takes its time.
        self._packet_call: IDelayedCall | None = None
        self._packet_call_at = 0.0
        self._is_closed = False
        self._remote_commands = 0
        self._congested = False
        self.late_answers = 0
        self.offline_reason = "The gateway has not opened the radio yet."
        # Who asked is answered first. What is news of a node is news even if it is an answer.
        self.hearers = FrameHearers(clock)
        self.hearers.subscribe(ATCommandResponse, self._command_answered)
        self.hearers.subscribe(RemoteATCommandResponse, self._command_answered)
        self.last_answer = clock.seconds()
        self.unanswered: Callable[[], None] = _nobody_asks
        # Of what was sent until then it was said that it has no answer, if it has none.
        self._overdue_until = -inf

    def subscribe(self, frame_type: type[F], received: Callable[[F], None]) -> None:
        """See `zbtwist.radio.interfaces.IRadio`."""
        self.hearers.subscribe(frame_type, received)

    def take(self, frame_type: type[Frame], taker: Taker) -> None:
        """See `zbtwist.radio.interfaces.IRadio`."""
        self.hearers.takers[frame_type.frame_type] = taker

    @property
    def last_frame(self) -> float:
        """When the last frame came, seconds of the clock."""
        return self.hearers.last_frame

    @property
    def outstanding(self) -> int:
        """Requests that the radio has not answered yet."""
        return len(self._pending)

    @property
    def waiting(self) -> int:
        """Requests that wait for a frame id, or for a line that takes no more."""
        return len(self._waiting)

    def set_congested(self, congested: bool) -> None:
        """The serial line takes no more at the moment (or again): packets wait, commands do not."""
        self._congested = congested
        if not congested:
            self._start_waiting()

    def _fail_all(self, reason: str) -> None:
        """Nothing can be sent any more: fail what is outstanding with `RadioOffline(reason)`."""
        self._send = None
        self._congested = False
        self.offline_reason = reason
        pending, waiting = list(self._pending.values()), self._waiting
        self._pending.clear()
        self._waiting = deque()
        for request in pending:
            self._retire(request)
        for request in [*pending, *waiting]:
            self._finish(request, RadioOffline(reason))

    def close(self) -> None:
        """Let go of the clock, after `link_down`: nothing more will be asked."""
        self._is_closed = True
        self._watch_no_more()
        self.forget_packets()

    def forget_packets(self) -> None:
        """The radio has restarted: of what it had before it reports nothing more, so that the ids
        of packets need no rest.
        """
        self._ids.keep_no_more()
        self._start_waiting()

    # --- requests ------------------------------------------------------------------------------

    def _request(self, request: Request) -> Deferred[Any]:
        if self._send is None:
            return fail(RadioOffline(self.offline_reason))
        if len(self._waiting) >= MAX_WAITING:
            return fail(
                TooManyRequests(
                    f"{MAX_WAITING} requests wait for the radio already: try again later."
                )
            )
        finished = request.finished = Deferred(lambda _: self._give_up(request))
        # First it is sent, and then its time begins: that is sooner on the line.
        if not self._start(request):
            self._waiting.append(request)
        if not finished.called:
            request.timer = self._clock.callLater(request.timeout, self._timed_out, request)
        return finished

    def _start(self, request: Request) -> bool:
        """Send a request, if it may have a frame id now. Return whether it may."""
        frame_id = self._id_for(request)
        if not frame_id or self._send is None:
            return False
        request.frame_id = request.frame.frame_id = frame_id
        request.sent_at = self._clock.seconds()
        self._pending[frame_id] = request
        self._remote_commands += request.is_remote_command
        try:
            self._send(request.frame)
        except Exception:
            self._give_up(request)
            self._finish(request, Failure())
        if request.is_for_node:
            self._watch_packets(request.sent_at + OVERDUE)
        return True

    def _id_for(self, request: Request) -> int:
        """Take a frame id out of the pool, 0 if there is none for this request."""
        if request.is_packet:
            free = self._ids.free
            return free.popleft() if free and not self._congested else 0
        if request.is_remote_command and self._remote_commands >= LAST_ID - IDS_FOR_DATA:
            return 0
        return self._ids.for_command()

    def _finish(self, request: Request, result: object) -> None:
        if request.timer is not None and request.timer.active():
            request.timer.cancel()
        finished = request.finished
        if finished.called:
            return
        if isinstance(result, RadioError):
            result.sent = request.frame_id != 0
        if isinstance(result, (Exception, Failure)):
            finished.errback(result)
        else:
            finished.callback(result)

    def _timed_out(self, request: Request) -> None:
        if request.is_patient and request.frame_id:
            end = min(self.last_answer + request.timeout, request.sent_at + MAX_PATIENCE)
            more = end - self._clock.seconds()
            if more > EARLY:
                request.timer = self._clock.callLater(more, self._timed_out, request)
                return
        self._give_up(request)
        if request.found is not None:
            self._finish(request, request.found)
            return
        what = f"{request.command} command" if request.command else "packet"
        who = "the radio" if request.address64 == UNKNOWN64 else format_address64(request.address64)
        self._finish(
            request, NoAnswer(f"No answer to a {what} for {who} within {request.timeout:g} s.")
        )

    def _watch_packets(self, deadline: float) -> None:
        """Look at what is under way at that moment of the clock, unless that is done sooner."""
        if self._packet_call is not None:
            if deadline >= self._packet_call_at:
                return
            self._packet_call.cancel()
        self._packet_call_at = deadline
        self._packet_call = self._clock.callLater(
            max(0.0, deadline - self._clock.seconds()), self._look_at_packets
        )

    def _watch_no_more(self) -> None:
        if self._packet_call is not None:
            self._packet_call.cancel()
            self._packet_call = None

    def _command_done(self) -> None:
        """Leave nothing in the clock for a command that was the last. After a packet there is
        mostly another soon.
        """
        if not self._pending:
            self._watch_no_more()

    def _look_at_packets(self) -> None:
        """The time of a packet may be up."""
        self._packet_call = None
        now = self._clock.seconds() + EARLY
        for request in list(self._pending.values()):
            if 0 < request.deadline <= now and self._pending.get(request.frame_id) is request:
                self._timed_out(request)
        if self._is_closed:
            return
        if self._first_overdue <= now:
            self._overdue_until = self._clock.seconds()
            self.unanswered()
        deadlines = [request.deadline for request in self._pending.values() if request.deadline]
        first = min([*deadlines, self._first_overdue])
        if first < inf:
            self._watch_packets(first)

    @property
    def _first_overdue(self) -> float:
        """When the next packet or command for a node is overdue, if it has no answer until then;
        seconds of the clock.
        """
        # They are in the order in which they were sent.
        for request in self._pending.values():
            if request.sent_at >= self._overdue_until and request.is_for_node:
                return request.sent_at + OVERDUE
        return inf

    def _give_up(self, request: Request) -> None:
        """A request ends without an answer: its time is up, or nobody wants it any more."""
        if request.timer is not None and request.timer.active():
            request.timer.cancel()
        if self._pending.pop(request.frame_id, None) is not None:
            self._retire(request)
            self._start_waiting()
            self._command_done()
        elif request in self._waiting:
            self._waiting.remove(request)

    def _retire(self, request: Request) -> None:
        """Take back the id of a request that had no answer, which may still come."""
        self._remote_commands -= request.is_remote_command
        if request.is_packet:
            in_time = max(0.0, request.sent_at + request.timeout - self._clock.seconds())
            self._ids.keep_back(request.frame_id, in_time)
        else:
            self._ids.give_back(request.frame_id)

    def _start_waiting(self) -> None:
        """Start what waits and may start now, in its order."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, deque()
        while waiting and self._ids.are_left:
            request = waiting.popleft()
            if not self._start(request):
                self._waiting.append(request)
        self._waiting.extend(waiting)

    def awaits(self, frame: ATCommandResponse) -> bool:
        """Whether a request waits for an answer."""
        request = self._pending.get(frame.frame_id)
        return request is not None and request.matches(frame)

    # --- answers -------------------------------------------------------------------------------

    def _command_answered(self, frame: ATCommandResponse | RemoteATCommandResponse) -> None:
        # Who asked whether the radio is there looks at it at once.
        self.hearers.last_frame = self.last_answer = self._clock.seconds()
        request = self._pending.get(frame.frame_id)
        if request is None or not request.matches(frame):
            self.late_answers += 1
        elif request.found is None or not isinstance(frame, ATCommandResponse):
            self._answer(request, frame)
        elif frame.outcome != ATStatus.OK:
            self._answer(request, ATRefused("ND", frame.outcome, "The radio"))
        elif not frame.value:
            self._answer(request, request.found)
        else:
            # Who keeps the nodes hears the answer, too, and says what makes no sense in it.
            with suppress(ValueError):
                request.found.append(NodeDescription.parse_plausible(frame.value))

    def _answer(self, request: Request, result: object) -> None:
        """A request has its answer."""
        del self._pending[request.frame_id]
        self._remote_commands -= request.is_remote_command
        self._ids.give_back(request.frame_id)
        self._finish(request, result)
        if self._waiting:
            self._start_waiting()
        self._command_done()
