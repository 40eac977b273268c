"""Between a transport and frames: bytes in, typed frames up; frames down, bytes out."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.radio.damage import sender_of_half, senders_of
from zbtwist.radio.frame_timeout import FrameTimeout
from zbtwist.radio.hearers import FrameHearers
from zbtwist.radio.interfaces import IProtocolOwner
from zbtwist.radio.statistics import Traffic
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.standstill import Standstill
from zbtwist.runtime.write_batch import WriteBatch
from zbtwist.xbee.frames import Frame, UnparsedFrame, parse_frame
from zbtwist.xbee.framing import START_BYTE, FrameDecoder, decoder_for, encode, unescape

#: Damaged frames of one piece of the line that are looked at.
_MAX_BAD = 16
#: Bytes without a frame that are remembered: what a serial server says in place of a radio.
MAX_OVERHEARD = 100


@implementer(IPushProducer)
class RadioProtocol(Protocol):
    """The serial line of one radio.

    It is the producer of what it writes: a line that takes nothing (CTS, a stuck server) makes the
    transport say so when its buffer is over its mark, and its owner hears of it.

    @ivar is_congested: whether what was written waits in the transport, and more should not follow.
    @ivar gone: fires when the transport is gone, and all who hear of that have heard of it.
    @ivar overheard: the first bytes that came and belong to no frame, on a line on which no frame
        came yet; at most `MAX_OVERHEARD`.
    @ivar malformed_frames: good checksum, but an unknown type or fields that do not fit.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        api_mode: int,
        owner: IProtocolOwner,
        traffic: Traffic | None = None,
        batch: WriteBatch | None = None,
        standstill: Standstill | None = None,
    ) -> None:
        """
        @param clock: times how long a frame's beginning is waited for.
        @param api_mode: 1 or 2, to begin with.
        @param owner: who is told of frames and of the line.
        @param traffic: counts the frames, and shows them.
        @param batch: told when frames that were read at once begin and end.
        @param standstill: looks whether the program stood still before what comes was read.
        """
        self._owner = owner
        self._bad: list[bytes] = []
        self._decoder = self._new_decoder(api_mode)
        self._discarded = 0
        self._traffic = traffic or Traffic(EventBus())
        self._batch = batch or WriteBatch()
        self._clock = clock
        self._standstill = standstill or Standstill(clock, EventBus())
        self._patience = FrameTimeout(clock, self._silence)
        self._raw: Callable[[bytes], None] | None = None
        self.gone: Deferred[None] = Deferred()
        self.overheard = b""
        self._heard_last = b""
        # How many good frames there were then.
        self._heard_after = 0
        self.malformed_frames = 0
        self.is_congested = False

    @property
    def decoder(self) -> FrameDecoder:
        """The decoder in use, with its counters."""
        return self._decoder

    @property
    def api_mode(self) -> int:
        """The API mode in use, 1 or 2."""
        return self._decoder.api_mode

    def set_api_mode(self, api_mode: int) -> None:
        """Read and write in API mode 1 or 2 from now on; the counters go on."""
        if api_mode != self.api_mode:
            self._renew_decoder(api_mode)

    def start_over(self) -> None:
        """Forget the beginning of a frame that is waited for; the counters go on."""
        self._renew_decoder(self.api_mode)

    def _renew_decoder(self, api_mode: int) -> None:
        self._give_up_half()
        self._heard_last = b""
        old = self._decoder
        self._decoder = self._new_decoder(api_mode)
        self._decoder.good_frames = old.good_frames
        self._decoder.bad_frames = old.bad_frames
        self._decoder.discarded_bytes = old.discarded_bytes

    def _give_up_half(self) -> None:
        """The rest of a frame whose beginning is waited for will not come: it is a damaged one."""
        self._patience.stop()
        decoder = self._decoder
        pending, decoder.pending = decoder.pending, b""
        if not pending:
            return
        decoder.bad_frames += 1
        decoder.discarded_bytes += len(pending)
        self._discarded += len(pending)
        if decoder.api_mode == 2:
            pending = START_BYTE + unescape(pending[1:])
        self._owner.frames_damaged(sender_of_half(pending))

    def _new_decoder(self, api_mode: int) -> FrameDecoder:
        return decoder_for(api_mode, on_bad_frame=self._note_bad)

    def _note_bad(self, candidate: bytes) -> None:
        # With more than that, whose they were cannot be told anyway.
        if len(self._bad) < _MAX_BAD:
            self._bad.append(candidate)

    def listen_raw(self, received: Callable[[bytes], None] | None) -> None:
        """Give all bytes that come to `received` and look for no frames in them; None ends it."""
        self._raw = received
        self.start_over()

    def connectionMade(self) -> None:
        if IConsumer.providedBy(self.transport):
            IConsumer(self.transport).registerProducer(self, True)
        self._owner.protocol_made(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # Before the line is said to be gone: what was lost with it concerns whose it was, however
        # long ago they were heard.
        self._give_up_half()
        # Nobody is told: to go on writing now would be to write into nothing.
        self.is_congested = False
        traffic, decoder = self._traffic, self._decoder
        traffic.malformed_frames += self.malformed_frames
        traffic.bad_frames += decoder.bad_frames
        traffic.discarded_bytes += decoder.discarded_bytes
        self._owner.protocol_lost(self, reason)
        self.gone.callback(None)

    def send(self, frame: Frame) -> None:
        """Write a frame to the radio."""
        assert self.transport is not None
        frame_data = frame.to_bytes()
        api_mode = self._decoder.api_mode
        self.transport.write(encode(frame_data, api_mode))
        traffic = self._traffic
        kind = frame_data[0]
        traffic.frames_out[kind] += 1
        traffic.bytes_out[kind] += len(frame_data)
        if traffic.watchers:
            traffic.show(True, frame_data, api_mode)

    def write(self, data: bytes) -> None:
        """Write bytes that are no frame."""
        assert self.transport is not None
        self.transport.write(data)

    def pauseProducing(self) -> None:
        self._set_congested(True)

    def resumeProducing(self) -> None:
        self._set_congested(False)

    def stopProducing(self) -> None:
        # The connection is being lost, and says so itself.
        pass

    def _set_congested(self, congested: bool) -> None:
        if congested != self.is_congested:
            self.is_congested = congested
            self._owner.congestion_changed(congested)

    def dataReceived(self, data: bytes) -> None:
        """Take what came, and hand the frames up that are complete now.

        @param data: the next bytes; none if what is pending is no frame's beginning after all, and
            frames may be behind it.
        """
        now = self._clock.seconds()
        if now >= self._standstill.late_at:
            self._standstill.look()
        if self._raw is not None:
            self._raw(data)
            return
        decoder = self._decoder
        frames = decoder.feed(data) if data else decoder.give_up()
        is_damaged = decoder.discarded_bytes != self._discarded
        if is_damaged:
            self._overhear(data)
        batch = self._batch
        # One frame is no batch. If others were lost, whose they were is said before anything is
        # written: nobody may read what was behind the hole as if it followed.
        is_batch = len(frames) > 1 or is_damaged
        if is_batch:
            batch.begin()
        traffic, hearers = self._traffic, self._owner.hearers
        watchers, frames_in, bytes_in = traffic.watchers, traffic.frames_in, traffic.bytes_in
        for frame_data in frames:
            if watchers:
                traffic.show(False, frame_data, self._decoder.api_mode)
            kind = frame_data[0]
            try:
                take = hearers.taker_of(kind)
                if take is None or not take(frame_data, now):
                    self._hear(frame_data, hearers)
            except Exception:
                # A mistake of ours must not cost the link and with it every other node.
                frame = parse_frame(frame_data)
                self.log.failure("A frame could not be handled: {frame}", frame=frame)
            # Behind those who wait for it.
            frames_in[kind] += 1
            bytes_in[kind] += len(frame_data)
            # Not sooner: who hears that the radio was reset asks when it was heard before that.
            hearers.last_frame = now
            # Whoever has heard it may have others hear what follows.
            hearers = self._owner.hearers
        if is_damaged:
            self._look_at_damage()
        if is_batch:
            batch.end()
        # A frame may have told that the mode is another.
        decoder = self._decoder
        if decoder.pending:
            self._patience.fed(decoder)

    def _overhear(self, data: bytes) -> None:
        """Remember what came and is no frame, or not only."""
        good_frames = self._decoder.good_frames
        if not good_frames and len(self.overheard) < MAX_OVERHEARD:
            self.overheard = (self.overheard + data)[:MAX_OVERHEARD]
        self._heard_last = (self.not_frames + data)[-MAX_OVERHEARD:]
        self._heard_after = good_frames

    @property
    def not_frames(self) -> bytes:
        """The last bytes since the last good frame, at the rate that the line has now; at most
        `MAX_OVERHEARD`, and none if all that came were frames.
        """
        return self._heard_last if self._heard_after == self._decoder.good_frames else b""

    def _hear(self, frame_data: bytes, hearers: FrameHearers) -> None:
        frame = parse_frame(frame_data)
        if isinstance(frame, UnparsedFrame):
            self.malformed_frames += 1
        hearers.tell(frame)

    def _silence(self) -> None:
        """What is pending was waited for long enough."""
        self.dataReceived(b"")

    def _look_at_damage(self) -> None:
        decoder = self._decoder
        bad = self._bad[:]
        self._bad.clear()
        lost, self._discarded = decoder.discarded_bytes - self._discarded, decoder.discarded_bytes
        self._owner.frames_damaged(senders_of(bad, lost, decoder.api_mode))
