"""Whether the line to the radio changes bytes, and what that mostly comes from.

Noise damages a frame now and then. A line that damages them again and again, or lets no frame
through at all, is set wrongly: a serial server that speaks telnet doubles FF (RFC 854), software
flow control takes 11 and 13 for itself, and with a parity or at another rate nothing is as it was.
Radios get a long way over such a line: neither the question by which they are looked for nor its
answer has any of these bytes.
"""

from __future__ import annotations

import re
from collections import deque

from twisted.internet.interfaces import IReactorTime

#: So many reads with damaged frames within so many seconds are more than noise.
MANY = 5
WITHIN = 60.0
#: Seconds without damage after which the line is taken to be well again.
WELL_AFTER = 300.0

#: What a telnet server says at the beginning, to agree on options (RFC 854, RFC 2217).
_NEGOTIATION = re.compile(rb"\xff[\xfb-\xfe].|\xff\xfa.*?(?:\xff\xf0|$)", re.DOTALL)


class LineHealth:
    """Counts what the line damages while the radio is up.

    @ivar is_server: whether the line ends at a serial server and not at a port of this computer.
    @ivar speaks_telnet: whether it has shown that it is no raw one.
    @ivar unsteady: what is wrong with a radio that does not stay as it is, a sentence; empty for
        nothing. Set by who knows.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._damages: deque[float] = deque(maxlen=MANY)
        self._problem = ""
        self.unsteady = ""
        self.is_server = False
        self.speaks_telnet = False

    def damaged(self) -> str:
        """A read had damaged frames.

        @return: what is wrong with the line, if that is news; else nothing.
        """
        is_known = bool(self._damage)
        now = self._clock.seconds()
        self._damages.append(now)
        if is_known or len(self._damages) < MANY or now - self._damages[0] > WITHIN:
            return ""
        self._problem = f"Frames of the radio come damaged again and again: {self.causes}."
        return self._problem

    @property
    def causes(self) -> str:
        """What damage on this line mostly comes from, as a clause."""
        return causes(self.is_server, self.speaks_telnet)

    def opened(self, is_server: bool) -> None:
        """The line is open."""
        self.is_server, self.speaks_telnet = is_server, False

    @property
    def problem(self) -> str:
        """What is wrong with the line, or with the radio, in a sentence; empty for nothing."""
        return self._damage or self.unsteady

    @property
    def _damage(self) -> str:
        if self._problem and self._clock.seconds() - self._damages[-1] > WELL_AFTER:
            self._problem = ""
            self._damages.clear()
        return self._problem

    def forget(self) -> None:
        """It is another line from now on."""
        self._problem = self.unsteady = ""
        self._damages.clear()


def causes(is_server: bool, speaks_telnet: bool = False) -> str:
    """Say what a line that changes bytes mostly comes from, as a clause."""
    if is_server and speaks_telnet:
        return (
            "the serial server speaks telnet, which changes bytes: set it to raw, or, if it speaks "
            "RFC 2217, write rfc2217:HOST:PORT in place of tcp:HOST:PORT"
        )
    if is_server:
        return (
            "the serial server must pass on every byte as it is (raw, not telnet; RFC 2217 as "
            "rfc2217:HOST:PORT; no XON/XOFF; 8 data bits, no parity; the radio's rate)"
        )
    return (
        "see that the radio has the port's parity (NB, --parity), that its rate is one that both "
        "sides hit, that nothing else reads the port, and that cable, hub and supply are good; "
        "with --rtscts no byte comes faster than it is read"
    )


def is_telnet(heard: bytes) -> bool:
    """Whether bytes are what a telnet server says at the beginning."""
    return _NEGOTIATION.match(heard) is not None


def words_of(heard: bytes) -> str:
    """Return the text that bytes are, on one line; empty if they are none."""
    text = _NEGOTIATION.sub(b"", heard).decode("utf-8", "replace")
    text = " ".join(text.split())
    return text if len(text) > 3 and text.isprintable() and "\ufffd" not in text else ""


def hang_up(heard: bytes, is_at_once: bool) -> str:
    """Say that a serial server has closed the connection while the radio was looked for.

    @param heard: what it said before, and was no frame.
    @param is_at_once: whether it had been open for a moment only.
    """
    words = words_of(heard).rstrip(".")
    when = " at once" if is_at_once else ""
    if words:
        return (
            f"The serial server closes the connection{when}, and says: {words}. See that nobody "
            "else is connected to it, and that it can open its serial port."
        )
    return (
        f"The serial server closes the connection{when}, without a word. See that nobody else is "
        "connected to it, and that it can open its serial port."
    )
