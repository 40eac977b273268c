"""``/events``: the gateway's events as server-sent events, each as soon as it comes.

Each stream has nothing but a number, and looks every `INTERVAL` whether there is more (see
`zbtwist.observing.event_log.Follower`); so an event costs the same however many look on. A client
that does not read is not written to; what it misses meanwhile it is told in one line. If it stays
so it is dropped: a browser comes back by itself, and says where it was.

The format is that of the HTML standard, "Server-sent events".
"""

from __future__ import annotations

import json
import re
from typing import Any

from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from zbtwist.control.http.answers import header_of, not_found, refuse_method, text_answer
from zbtwist.observing.event_log import Entry, EventLog, Follower, told_of_gap
from zbtwist.runtime.shares import who_gives_way

#: How many streams may be open at once.
MAX_STREAMS = 32

#: Seconds between two looks for new events.
INTERVAL = 0.2

#: Seconds without an event after which a comment shows both ends that the other is there.
HEARTBEAT = 15.0

#: Seconds that a client may read nothing while there is something for it.
STALL_TIMEOUT = 30.0

#: How many events are written at once: with 1 KiB of text each, that and what the transport holds
#: before it says that it is full are the most that ever waits for a client.
MAX_BATCH = 50

#: Milliseconds after which a browser comes back.
RETRY = 2000

_ID = re.compile(r"([0-9]{1,15})(?:-([0-9a-f]{1,32}))?")

log = Logger()


class EventStreams(Resource):
    """All streams there are; a GET begins one.

    @ivar streams: those that are open.
    """

    def __init__(self, clock: IReactorTime, events: EventLog) -> None:
        """
        @param clock: times the looks for new events.
        @param events: what is streamed.
        """
        super().__init__()
        self._clock = clock
        self._events = events
        self._ticking = LoopingCall(self._tick)
        self._ticking.clock = clock
        self.streams: dict[_Stream, None] = {}

    def getChild(self, path: bytes, request: Request) -> IResource:
        return not_found(request)

    def render(self, request: Request) -> bytes | int:
        if request.method not in (b"GET", b"HEAD"):
            return refuse_method(request)
        if not self._make_room(request):
            return text_answer(
                request,
                http.SERVICE_UNAVAILABLE,
                f"{len(self.streams)} streams of events are open already; close some.",
            )
        try:
            follower, is_new_run = self._where(request)
        except ValueError as error:
            return text_answer(request, http.BAD_REQUEST, str(error))
        request.setHeader(b"content-type", b"text/event-stream; charset=utf-8")
        # For a proxy in front, which would wait for more.
        request.setHeader(b"x-accel-buffering", b"no")
        if request.method == b"HEAD":
            return b""
        self._begin(_Stream(request, follower, self._events.run, self._clock), is_new_run)
        return NOT_DONE_YET

    def _make_room(self, request: Request) -> bool:
        """Have a place for one more stream, if there is one or another gives way."""
        channel: Any = request.channel
        if channel.is_spare:
            return False
        if len(self.streams) < MAX_STREAMS:
            return True
        holders = [(stream.peer, stream) for stream in self.streams]
        leaving = who_gives_way(holders, channel.peer)
        if leaving is not None:
            del self.streams[leaving]
            leaving.abort()
        return leaving is not None

    def _where(self, request: Request) -> tuple[Follower, bool]:
        """Return what follows the events from where a client was, and whether that was in another
        run of the gateway.

        @raise ValueError: a sentence.
        """
        events = self._events
        words = request.args.get(b"from", [b""])[-1].decode("latin-1")
        # It comes from a browser that comes back, with the address that it had at first.
        said = header_of(request, b"last-event-id")
        match = _ID.fullmatch(said or words)
        if match is None:
            if words and not said:
                raise ValueError("from is the number of an event, or the id of one: a number.")
            return Follower(events), False
        seq, run = int(match[1]), match[2]
        if seq > events.last_seq or run not in (None, events.run):
            return Follower(events), True
        return Follower(events, seq), False

    def _begin(self, stream: _Stream, is_new_run: bool) -> None:
        self.streams[stream] = None
        stream.request.notifyFinish().addBoth(self._ended, stream)
        stream.begin(is_new_run)
        if not self._ticking.running:
            self._ticking.start(INTERVAL, now=False).addErrback(self._failed)

    def _ended(self, result: object, stream: _Stream) -> None:
        self.streams.pop(stream, None)
        if not self.streams and self._ticking.running:
            self._ticking.stop()

    def end_all(self) -> None:
        """End all streams: whose they are must be asked anew."""
        for stream in list(self.streams):
            stream.abort()

    def _failed(self, failure: Failure) -> None:
        log.failure("The streams of events failed", failure=failure)
        self.end_all()

    def _tick(self) -> None:
        # A stream may end on the way.
        for stream in list(self.streams):
            stream.look()


@implementer(IPushProducer)
class _Stream:
    """One client's stream.

    @ivar peer: who reads it, see `zbtwist.runtime.shares.peer_of`.
    """

    def __init__(self, request: Request, follower: Follower, run: str, clock: IReactorTime) -> None:
        self.request = request
        channel: Any = request.channel
        self.peer: str = channel.peer
        self._follower = follower
        self._run = run
        self._clock = clock
        self._written = clock.seconds()
        self._paused_at: float | None = None

    def begin(self, is_new_run: bool) -> None:
        """Write what there is already."""
        request: Any = self.request
        request.registerProducer(self, True)
        self._write(f"retry: {RETRY}\n\n")
        if is_new_run:
            self._write(_message("restart", {"text": "The gateway was restarted."}))
        self.look()

    def look(self) -> None:
        """Write what is new, if the client reads."""
        while self._paused_at is None:
            lost, events = self._follower.take(MAX_BATCH)
            if not events:
                break
            gap = _message("gap", told_of_gap(lost)) if lost else ""
            self._write(gap + "".join(map(self._event, events)))
        now = self._clock.seconds()
        if self._paused_at is None:
            if now - self._written >= HEARTBEAT:
                self._write(": still here\n\n")
        elif now - self._paused_at >= STALL_TIMEOUT:
            self.abort()

    def _event(self, entry: Entry) -> str:
        return f"id: {entry.seq}-{self._run}\n" + _message(entry.kind, entry.told())

    def _write(self, text: str) -> None:
        self._written = self._clock.seconds()
        self.request.write(text.encode())

    def abort(self) -> None:
        """The client reads no more, or there is nothing more to read."""
        channel: Any = self.request.channel
        channel.transport.abortConnection()

    def pauseProducing(self) -> None:
        self._paused_at = self._clock.seconds()

    def resumeProducing(self) -> None:
        self._paused_at = None

    def stopProducing(self) -> None:
        """The connection is going away, and the request says so."""


def _message(name: str, data: dict[str, object]) -> str:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n"
