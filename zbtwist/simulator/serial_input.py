"""What the radio makes of the bytes on its serial line: frames, data to be sent, or commands.

AP says which: in transparent mode (0) bytes are collected until a packet is full or the line
pauses, in the API modes they are frames. In all of them ``+++`` opens command mode.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall

from zbtwist.simulator.command_mode import CommandMode, EscapeWatch
from zbtwist.simulator.interfaces import ILocalRadio
from zbtwist.xbee.frames import Frame, parse_frame
from zbtwist.xbee.framing import FrameDecoder, decoder_for

#: Seconds of silence on the serial line that end a frame that is not complete.
FRAME_TIMEOUT = 0.5


class SerialInput:
    """Takes bytes."""

    def __init__(
        self,
        radio: ILocalRadio,
        frame_received: Callable[[Frame], None],
        data_received: Callable[[bytes], None],
    ) -> None:
        """
        @param frame_received: called with each frame.
        @param data_received: called with data for one packet.
        """
        self._radio = radio
        self._frame_received = frame_received
        self._data_received = data_received
        self._escape_watch = EscapeWatch(
            radio.network, radio.registers, self._received, self._enter_command_mode
        )
        self._command_mode: CommandMode | None = None
        self._decoder: FrameDecoder | None = None
        self._frame_timer: IDelayedCall | None = None
        self._buffer = b""
        self._pause: IDelayedCall | None = None
        self.mode_changed()

    @property
    def is_in_command_mode(self) -> bool:
        """Whether somebody types commands."""
        return self._command_mode is not None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the serial line."""
        if self._command_mode is not None:
            data = self._command_mode.feed(data)
            self._escape_watch.touch()
        if data:
            self._escape_watch.feed(data)

    def mode_changed(self) -> None:
        """AP is another one now."""
        rest = self._decoder.pending if self._decoder else b""
        self._radio.network.cancel(self._frame_timer)
        self._decoder = decoder_for(self._radio.api_mode) if self._radio.api_mode else None
        if rest:
            self._received(rest)

    def stop(self) -> None:
        """Forget what was to be sent, and end command mode, as a restart does."""
        if self._command_mode is not None:
            self._command_mode.stop()
        self._radio.network.cancel(self._pause)
        self._buffer = b""

    def restart(self) -> None:
        """Forget the beginning of a frame: the radio has started again."""
        if self._decoder is not None:
            self._decoder.give_up()

    def _enter_command_mode(self) -> None:
        self._command_mode = CommandMode(self._radio, self._leave_command_mode)

    def _leave_command_mode(self) -> None:
        self._command_mode = None

    def _received(self, data: bytes) -> None:
        if self._decoder is None:
            self._collect(data)
            return
        decoder = self._decoder
        self._radio.network.cancel(self._frame_timer)
        for frame_data in decoder.feed(data):
            self._frame_received(parse_frame(frame_data))
        if decoder.pending and decoder is self._decoder:
            self._frame_timer = self._radio.network.call_later(FRAME_TIMEOUT, self._give_up)

    def _give_up(self) -> None:
        if self._decoder is not None:
            for frame_data in self._decoder.give_up():
                self._frame_received(parse_frame(frame_data))

    def _collect(self, data: bytes) -> None:
        """Collect bytes until the packet is full or the line pauses (RO)."""
        self._radio.network.cancel(self._pause)
        self._buffer += data
        size = self._radio.longest_payload
        while len(self._buffer) >= size:
            self._hand_over(size)
        if self._buffer:
            # RO counts characters; one takes about 1 ms at 9600 baud.
            pause = self._radio.registers.number("RO") / 1000
            self._pause = self._radio.network.call_later(pause, self._hand_over, size)

    def _hand_over(self, size: int) -> None:
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        if data:
            self._data_received(data)
