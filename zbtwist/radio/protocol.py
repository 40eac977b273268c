"""Between a transport and frames: bytes in, typed frames up; frames down, bytes out."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.radio.patience import Patience
from zbtwist.radio.traffic import Traffic
from zbtwist.xbee.frames import Frame, UnparsedFrame, parse_frame
from zbtwist.xbee.framing import FrameDecoder, decoder_for, encode


class RadioProtocol(Protocol):
    """The serial line of one radio.

    @ivar malformed_frames: good checksum, but an unknown type or fields that do not fit.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        api_mode: int,
        frame_received: Callable[[Frame], None],
        made: Callable[[RadioProtocol], None] = lambda protocol: None,
        lost: Callable[[RadioProtocol, Failure], None] = lambda protocol, reason: None,
        traffic: Traffic | None = None,
    ) -> None:
        """
        @param clock: times how long a frame's beginning is waited for.
        @param api_mode: 1 or 2, to begin with.
        @param frame_received: called with each frame that comes, also unknown and malformed ones.
        @param made: called when the transport is there.
        @param lost: called when it is gone, with the reason.
        @param traffic: counts the frames, and may trace them.
        """
        self._clock = clock
        self._decoder = decoder_for(api_mode)
        self._frame_received = frame_received
        self._made = made
        self._lost = lost
        self._traffic = traffic or Traffic()
        self._patience = Patience(clock, self._deliver)
        self.malformed_frames = 0

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
        if api_mode == self.api_mode:
            return
        old = self._decoder
        self._patience.stop()
        self._decoder = decoder_for(api_mode)
        self._decoder.good_frames = old.good_frames
        self._decoder.bad_frames = old.bad_frames
        self._decoder.discarded_bytes = old.discarded_bytes + len(old.pending)

    def connectionMade(self) -> None:
        self._made(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._patience.stop()
        traffic, decoder = self._traffic, self._decoder
        traffic.malformed_frames += self.malformed_frames
        traffic.bad_frames += decoder.bad_frames
        traffic.discarded_bytes += decoder.discarded_bytes
        self._lost(self, reason)

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
        if traffic.trace is not None:
            traffic.trace(True, frame_data, api_mode)

    def dataReceived(self, data: bytes) -> None:
        decoder = self._decoder
        frames = decoder.feed(data)
        if frames:
            self._deliver(frames)
        self._patience.fed(decoder)

    def _deliver(self, frames: list[bytes]) -> None:
        traffic = self._traffic
        for frame_data in frames:
            kind = frame_data[0]
            traffic.frames_in[kind] += 1
            traffic.bytes_in[kind] += len(frame_data)
            if traffic.trace is not None:
                traffic.trace(False, frame_data, self._decoder.api_mode)
            frame = parse_frame(frame_data)
            if isinstance(frame, UnparsedFrame):
                self.malformed_frames += 1
            try:
                self._frame_received(frame)
            except Exception:
                # A mistake of ours must not cost the link and with it every other node.
                self.log.failure("A frame could not be handled: {frame}", frame=frame)
