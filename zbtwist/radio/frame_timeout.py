"""How long a frame's beginning is waited for.

A radio sends a frame without a pause, and the longest takes half a second at 9600 baud. So a
beginning is given up when the line is silent behind it, and also when it is too old: other frames
may go by behind a false start, one after the other, without the line ever being silent.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.xbee.framing import FrameDecoder

#: Seconds of silence after which a frame's beginning is given up.
SILENCE = 1.0

#: Seconds after which it is given up in any case. A frame of 255 bytes takes 2.3 s at 1200 baud.
MAX_FRAME = 2.5


class FrameTimeout:
    """Watches a decoder; whoever feeds it calls `fed` each time that something is pending then."""

    def __init__(self, clock: IReactorTime, give_up: Callable[[], None]) -> None:
        """
        @param give_up: called when what is pending is to be given up.
        """
        self._clock = clock
        self._give_up = give_up
        self._call: IDelayedCall | None = None
        self._feeds = 0
        self._since = 0.0
        self._beginning = 0

    def fed(self, decoder: FrameDecoder) -> None:
        """The decoder was fed, and something is pending."""
        self._feeds += 1
        if decoder.beginnings != self._beginning:
            self._beginning = decoder.beginnings
            self._since = self._clock.seconds()
        if self._call is None:
            self._watch(decoder)

    def stop(self) -> None:
        """Watch no more, until the next beginning; the decoder may be another one then."""
        self._beginning = 0
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _watch(self, decoder: FrameDecoder) -> None:
        self._call = self._clock.callLater(SILENCE, self._look, decoder, self._feeds)

    def _look(self, decoder: FrameDecoder, feeds: int) -> None:
        self._call = None
        if not decoder.pending:
            return
        age = self._clock.seconds() - self._since
        if feeds == self._feeds or age >= MAX_FRAME:
            self._give_up()
        if decoder.pending and self._call is None:
            self._watch(decoder)
