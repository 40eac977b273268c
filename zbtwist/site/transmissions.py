"""What programs at the broker have for a node: sent in order, each once, and answered when it is
known what became of it.

To the node's `Outbound` each message is a writer of its own, so that it is known of each when the
node has it. Of one stream the next goes when the one before it has arrived; when one has not, or is
missing, all behind it are refused: they would come behind a hole. Those before it are sent. Whoever
wrote them begins a new stream, and ends the old one first if nothing of it is to come later. A
message that comes twice is sent once; its answer is said again.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.binding.port_settings import ALL
from zbtwist.binding.send_buffer import Writer
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.stream_messages import Answer, InStream, Outcome, in_stream
from zbtwist.xbee.address import Address64

if TYPE_CHECKING:
    from zbtwist.binding.port import NodePort

#: Bytes of one message.
MAX_MESSAGE = 4096

#: Streams to one node; those that are past are remembered, of all nodes together.
MAX_STREAMS = 64
MAX_PAST = 4096

#: Messages, and bytes, that wait in one stream; and messages of no stream that wait for one node.
MAX_WAITING = 64
MAX_BYTES = 16384
MAX_LOOSE = 64

#: Answers of one stream that are remembered, to be said again.
MAX_ANSWERS = 64

#: Repeats in one stream that ask for the answer at another topic, or with other correlation data.
MAX_REPEATS = 64

#: Seconds between two looks whether what waits is too late.
LOOK = 1.0

TOO_LATE = "It came too late."
FORGOTTEN = "It is not known any more what became of it."
TOO_MANY_REPEATS = "It was sent before; too many wait already to hear what becomes of that."

#: Says what became of a message.
Tell: TypeAlias = Callable[[Message, Answer], None]


class PastStreams:
    """The streams of which nothing else is remembered: one that begins once more is a message that
    comes twice, and too late.
    """

    def __init__(self) -> None:
        self._names: OrderedDict[tuple[Address64, str], None] = OrderedDict()

    def add(self, address64: Address64, name: str) -> None:
        """It is past."""
        self._names[address64, name] = None
        if len(self._names) > MAX_PAST:
            self._names.popitem(last=False)

    def has(self, address64: Address64, name: str) -> bool:
        """Whether it is."""
        return (address64, name) in self._names


class Transmission:
    """One message, which to `Outbound` is a writer."""

    __slots__ = ("expires_at", "message", "number", "stream")

    share = "mqtt"
    writes_no_more = True

    def __init__(
        self, message: Message, expires_at: float, stream: _Stream | None = None, number: int = 0
    ) -> None:
        """
        @param expires_at: after that it is not sent, seconds of the clock.
        @param stream: the one that it is of, None for none.
        """
        self.message = message
        self.expires_at = expires_at
        self.stream = stream
        self.number = number

    def pause(self) -> None:
        """Nothing more comes."""

    def resume(self) -> None:
        """The same."""


class _Stream:
    """
    @ivar next: the number of the next message.
    @ivar current: what `Outbound` has; None for nothing.
    @ivar waiting: what waits for that.
    @ivar problem: a sentence: why nothing more of it is taken; empty if it is.
    @ivar answers: what was answered last, by number.
    @ivar repeats: what else is to be answered then: by number, response topic and correlation data.
    """

    __slots__ = (
        "answers",
        "current",
        "name",
        "next",
        "problem",
        "repeats",
        "size",
        "waiting",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.next = 0
        self.current: Transmission | None = None
        self.waiting: deque[Transmission] = deque()
        self.size = 0
        self.problem = ""
        self.answers: OrderedDict[int, Answer] = OrderedDict()
        self.repeats: dict[tuple[int, str, bytes | None], Message] = {}

    @property
    def is_idle(self) -> bool:
        return self.current is None and not self.waiting

    def pending(self, number: int) -> Transmission | None:
        """Return one of which it is not known yet what became of it."""
        current = (self.current,) if self.current is not None else ()
        return next((one for one in (*current, *self.waiting) if one.number == number), None)

    def remember(self, number: int, answer: Answer) -> None:
        self.answers[number] = answer
        if len(self.answers) > MAX_ANSWERS:
            self.answers.popitem(last=False)

    def take_repeats(self, number: int) -> list[Message]:
        """Return what of a number is to be answered besides, which is now."""
        return [self.repeats.pop(key) for key in list(self.repeats) if key[0] == number]


class Transmissions:
    """Those to one node.

    @ivar port: the node's.
    """

    def __init__(
        self,
        clock: IReactorTime,
        port: NodePort,
        run: str,
        tell: Tell,
        past: PastStreams,
    ) -> None:
        """
        @param run: the word for this run of the gateway.
        @param tell: says what became of messages.
        @param past: the streams that are past, of all nodes.
        """
        self._clock = clock
        self.port = port
        self._run = run
        self._tell = tell
        self._past = past
        # The one that was used last is the last.
        self._streams: OrderedDict[str, _Stream] = OrderedDict()
        # What `Outbound` has.
        self._handed: dict[Writer, None] = {}
        self._loose = 0
        self._is_stopped = False
        # While something is handed over: looks whether it is too late for it.
        self._watch: IDelayedCall | None = None
        port.outbound.tell_arrivals(self._arrived)

    def stop(self) -> None:
        """The node is heard at the broker no more, or has no port any more."""
        self._is_stopped = True
        self.port.outbound.tell_arrivals_no_more(self._arrived)
        self._end_watch()
        why = "The node's stream is not at the broker any more."
        for stream in self._streams.values():
            self._break(stream, why)
        handed = self._all_handed()
        self._handed.clear()
        for transmission in handed:
            self.port.outbound.purge(transmission)
            self._settle(transmission, Answer(Outcome.UNKNOWN, None, why))

    # --- what comes ------------------------------------------------------------------------------

    def take(self, message: Message) -> None:
        """Take a message for the node."""
        try:
            place = in_stream(message)
        except ValueError as error:
            self._refuse(message, str(error))
            return
        if place is not None:
            self._take_of_stream(message, place)
        elif not self._why_not(message):
            if self._loose >= MAX_LOOSE:
                self._refuse(message, f"{MAX_LOOSE} messages wait for the node already.")
            else:
                self._loose += 1
                self._hand(Transmission(message, self._end_of(message)))
        else:
            self._refuse(message, self._why_not(message))

    def _refuse(self, message: Message, why: str) -> None:
        """Say that a message is not sent, and why, in a sentence."""
        self._tell(message, Answer(Outcome.REFUSED, None, why))

    def _why_not(self, message: Message) -> str:
        """Say why a message cannot be sent, a sentence; empty if it can."""
        size = len(message.payload)
        if not size:
            return "It has no bytes."
        if size > MAX_MESSAGE:
            return f"It has {size} bytes, and may have {MAX_MESSAGE}."
        writers = self.port.outbound.settings.writers
        return "" if writers == ALL else f"Not all may write to the node (writers = {writers})."

    def _end_of(self, message: Message) -> float:
        after = message.expires_after
        return inf if after is None else self._clock.seconds() + after

    def _take_of_stream(self, message: Message, place: InStream) -> None:
        if place.run and place.run != self._run:
            self._refuse(message, "The gateway was started anew since that stream began.")
            return
        stream = self._streams.get(place.stream) or self._begin(message, place)
        if stream is None:
            return
        self._streams.move_to_end(place.stream)
        number = place.number
        if place.is_end:
            self._end(stream)
            self._tell_at_end(message, stream, number)
        elif number < stream.next:
            self._came_again(message, stream, number)
        elif stream.problem:
            self._refuse(message, stream.problem)
        elif number > stream.next:
            # What waits is before it.
            stream.problem = f"Packet {stream.next} of its stream is missing."
            self._refuse(message, stream.problem)
        else:
            self._take_next(message, stream)

    def _begin(self, message: Message, place: InStream) -> _Stream | None:
        """Return a new stream; None if there can be none of that name, which is said."""
        address64 = self.port.node.address64
        if place.is_end:
            # Nothing of it is here, and nothing of it is to come later.
            self._past.add(address64, place.stream)
            self._tell(message, Answer(Outcome.UNKNOWN, None, FORGOTTEN))
            return None
        if place.number or self._past.has(address64, place.stream):
            self._refuse(message, "Nothing is known here of the stream that it continues.")
            return None
        if len(self._streams) >= MAX_STREAMS:
            idle = next((one for one in self._streams.values() if one.is_idle), None)
            if idle is None:
                self._refuse(message, f"There are {MAX_STREAMS} streams to the node already.")
                return None
            del self._streams[idle.name]
            self._past.add(address64, idle.name)
        stream = self._streams[place.stream] = _Stream(place.stream)
        return stream

    def _came_again(self, message: Message, stream: _Stream, number: int) -> None:
        if not message.response_topic:
            # It was said when it came first.
            return
        if number in stream.answers:
            self._tell(message, stream.answers[number])
            return
        pending = stream.pending(number)
        if pending is None:
            self._tell(message, Answer(Outcome.UNKNOWN, None, FORGOTTEN))
            return
        key = number, message.response_topic, message.correlation_data
        first = pending.message
        if key == (number, first.response_topic, first.correlation_data):
            return
        if key in stream.repeats or len(stream.repeats) < MAX_REPEATS:
            # Its bytes are here already.
            stream.repeats[key] = replace(message, payload=b"")
        else:
            self._tell(message, Answer(Outcome.UNKNOWN, None, TOO_MANY_REPEATS))

    def _tell_at_end(self, message: Message, stream: _Stream, number: int) -> None:
        """Say what became of a packet of a stream that has ended, if that is asked."""
        if number < stream.next:
            self._came_again(message, stream, number)
        elif message.response_topic:
            self._refuse(message, stream.problem)

    def _take_next(self, message: Message, stream: _Stream) -> None:
        why = self._why_not(message)
        size = len(message.payload)
        is_full = len(stream.waiting) >= MAX_WAITING or stream.size + size > MAX_BYTES
        if is_full and not why:
            why = f"{len(stream.waiting)} messages of its stream wait for the node already."
        number = stream.next
        stream.next += 1
        if why:
            # What waits is before it.
            stream.problem = why
            answer = Answer(Outcome.REFUSED, None, why)
            stream.remember(number, answer)
            self._tell(message, answer)
            return
        stream.waiting.append(Transmission(message, self._end_of(message), stream, number))
        stream.size += size
        self._go_on(stream)

    def _end(self, stream: _Stream) -> None:
        """What was not sent of it is not wanted any more."""
        current, why = stream.current, "Its stream was ended."
        self._break(stream, why)
        if current is not None:
            # What is in the air is not sent again; whether it arrives is said when it is known.
            self.port.outbound.purge(current)
            if not self.port.outbound.has_bytes_of(current):
                self._handed.pop(current, None)
                self._settle(current, Answer(Outcome.REFUSED, None, why))

    # --- what becomes of it ----------------------------------------------------------------------

    def _go_on(self, stream: _Stream) -> None:
        """Send the next message of a stream if none is under way."""
        if stream.current is None and stream.waiting and not self._is_stopped:
            transmission = stream.current = stream.waiting.popleft()
            stream.size -= len(transmission.message.payload)
            self._hand(transmission)

    def _hand(self, transmission: Transmission) -> None:
        if self._clock.seconds() >= transmission.expires_at:
            self._settle(transmission, Answer(Outcome.EXPIRED, None, TOO_LATE))
            return
        self._handed[transmission] = None
        if self._watch is None and transmission.expires_at < inf:
            self._watch = self._clock.callLater(LOOK, self._look_at_handed)
        # If it is too late for the radio, that is told as a loss before this returns, or soon.
        self.port.outbound.write(transmission, transmission.message.payload, is_whole=True)

    def _look_at_handed(self) -> None:
        """What waits for the radio, or for its turn, may be too late by now."""
        self._watch = None
        now, outbound = self._clock.seconds(), self.port.outbound
        for transmission in self._all_handed():
            if now >= transmission.expires_at and outbound.is_waiting(transmission):
                del self._handed[transmission]
                outbound.purge(transmission)
                self._settle(transmission, Answer(Outcome.EXPIRED, None, TOO_LATE))
        if self._watch is None and self._handed:
            self._watch = self._clock.callLater(LOOK, self._look_at_handed)

    def _end_watch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()

    def _arrived(self, writer: Writer) -> None:
        """The node has a packet of a writer's."""
        if writer in self._handed and not self.port.outbound.has_bytes_of(writer):
            del self._handed[writer]
            assert isinstance(writer, Transmission)
            self._settle(writer, Answer(Outcome.DELIVERED, 0))

    def look_for_losses(self, why: str) -> None:
        """Bytes for the node were lost: see whose.

        @param why: a sentence.
        """
        outbound = self.port.outbound
        for transmission in self._all_handed():
            if transmission in self._handed and not outbound.goes_on_with(transmission):
                del self._handed[transmission]
                is_in_the_air = outbound.has_bytes_of(transmission)
                outcome = Outcome.UNKNOWN if is_in_the_air else Outcome.FAILED
                self._settle(transmission, Answer(outcome, None, why))

    def _all_handed(self) -> list[Transmission]:
        return [one for one in self._handed if isinstance(one, Transmission)]

    def _settle(self, transmission: Transmission, answer: Answer) -> None:
        """It is known what became of a message."""
        stream = transmission.stream
        if stream is None:
            self._loose -= 1
        else:
            stream.remember(transmission.number, answer)
            if stream.current is transmission:
                stream.current = None
        self._tell_all(transmission, answer)
        if stream is not None:
            if answer.outcome is Outcome.DELIVERED:
                self._go_on(stream)
            else:
                self._break(stream, "A packet before it in its stream did not arrive.")

    def _break(self, stream: _Stream, why: str) -> None:
        """Send nothing more of a stream, and refuse what waits: it would come behind a hole.

        @param why: a sentence.
        """
        stream.problem = stream.problem or why
        waiting, stream.waiting, stream.size = stream.waiting, deque(), 0
        answer = Answer(Outcome.REFUSED, None, why)
        for transmission in waiting:
            stream.remember(transmission.number, answer)
            self._tell_all(transmission, answer)

    def _tell_all(self, transmission: Transmission, answer: Answer) -> None:
        """Answer a message, and those that were the same."""
        stream = transmission.stream
        repeats = [] if stream is None else stream.take_repeats(transmission.number)
        for message in (transmission.message, *repeats):
            self._tell(message, answer)
