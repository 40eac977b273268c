"""How fast a node's own serial line takes bytes, so that its radio's buffer never overflows.

"Delivered" means that the node's radio has a packet, not that its serial line has sent it. What is
not sent yet waits in the radio's serial transmit buffer, and a packet that finds no room there is
dropped whole, after it was reported as delivered (90002180, 90001539, 90000976, "Serial transmit
buffer"). Nobody is told. A line of 9600 baud takes 0.96 bytes a millisecond, the air brings four
times as many. So the gateway keeps count of what can be in that buffer at the most, a leaky bucket,
and sends a packet only when it has room.

How fast the bucket leaks say the node's BD, NB and SB; AP says whether each packet becomes a frame
there. They are asked for when it first matters: when more is to be sent than the slowest line would
have room for. A node that gets a question now and then is never asked, and no message waits for
the answer whose bytes fit into the buffer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import inf

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.binding.port_values import AUTO
from zbtwist.binding.retransmits import Packet
from zbtwist.binding.scheduler import TransmitScheduler
from zbtwist.binding.serial_format import SerialFormat
from zbtwist.network.node import Node
from zbtwist.radio.buffers import RECEIVE_BUFFER
from zbtwist.radio.errors import ATRefused, RadioError, RadioOffline, TooManyRequests
from zbtwist.radio.interfaces import IWay
from zbtwist.xbee.at import BAUD_RATES, baud_rate_of, bits_of_character
from zbtwist.xbee.status import ATStatus

#: Bytes that a module's serial transmit buffer holds for sure. Digi prints the size of the receive
#: buffer only, and only of some modules; this is the smallest of them, "1.5 full packets". Two
#: packets of Zigbee's 84 bytes fit in.
BUFFER = RECEIVE_BUFFER

#: A module with larger packets has a larger buffer: so many packets fit in, as there.
BUFFER_PACKETS = 1.5

#: The part of a line's rate that is made use of. Both ends' clocks may be off by some parts in a
#: hundred before a line garbles what it carries, and a device may have RTS off for a moment.
SHARE = 0.98

#: What is set is not always what it is: modules of the first two series divide their clock into
#: this (forums.digi.com, "Using the XBee at 115,200 Baud").
REAL_RATES = {115200: 111111}

#: Bits per second of a line that takes bytes as fast as any air brings them: at 250 kbit/s with a
#: packet's headers, its acknowledgement and the pause before it.
AS_FAST_AS_THE_AIR = 230400

#: Bits of a character where NB and SB are not known, with parity and two stop bits; and of a line
#: of which a person says the rate, with neither.
MOST_BITS = bits_of_character(1, 1)
USUAL_BITS = bits_of_character(0, 0)

#: Bytes that a node in an API mode adds to each packet: a frame 91, which is longer than a 90
#: (90001539, "Explicit Receive Indicator"). What escapes add in mode 2 is within `SHARE`.
FRAME_BYTES = 22

#: Bits per second of the slowest line; what is safe for it is safe for all.
SLOWEST = BAUD_RATES[0]

#: What a node is asked, in this order.
COMMANDS = ("BD", "NB", "SB", "AP")

#: Commands after which a node's line may be another one.
CHANGING_COMMANDS = frozenset((*COMMANDS, "AC", "FR", "RE"))

#: How often a node is asked that does not answer, and the seconds in between. After that it is sent
#: to at the pace of the air, and asked once more after `RENEWAL_PAUSE`.
TRIES = 3
TRY_PAUSE = 1.0

#: Seconds after which a node is asked again that is still written to: somebody may have set it in
#: another way, and most modules do not say when they are switched on (JN).
RENEWAL = 600.0
RENEWAL_PAUSE = 60.0


def seconds_for_byte(baud: int, bits: int = USUAL_BITS) -> float:
    """Return the seconds that a line is given for a byte; 0 if none have to be counted.

    @param baud: its rate, bits per second.
    @param bits: of a character, with start, parity and stop bits.
    """
    if baud >= AS_FAST_AS_THE_AIR:
        return 0.0
    return bits / (SHARE * REAL_RATES.get(baud, baud))


class NodeLine:
    """The serial line of one node, as far as what is sent to it is concerned.

    It takes turns at the radio as its node's packets do, since a question is in the radio's queue
    as they are: see `zbtwist.binding.scheduler.Sender`.

    @ivar pace: what the settings say of it; see `follow`.
    @ivar seconds_per_byte: how long the line is given for a byte; 0 if none have to be counted, and
        the buffer has room for whatever comes.
    """

    log = Logger()

    __slots__ = (
        "_ask_at",
        "_asked_at",
        "_asking",
        "_clock",
        "_empty_at",
        "_format",
        "_has_refused",
        "_has_room",
        "_is_known",
        "_known",
        "_next",
        "_node",
        "_overhead",
        "_radio",
        "_stopped",
        "_tries",
        "_turns",
        "_under_way",
        "_values",
        "pace",
        "seconds_per_byte",
    )

    def __init__(
        self,
        clock: IReactorTime,
        radio: IWay,
        node: Node,
        turns: TransmitScheduler,
        has_room: Callable[[], object],
        under_way: Collection[Packet],
    ) -> None:
        """
        @param has_room: called when there may be room sooner than was said.
        @param under_way: the packets on their way, now and later. They may come at any moment, and
            the buffer is full of them until then: of the rest it is known when the line will have
            sent it.
        """
        self._clock = clock
        self._radio = radio
        self._node = node
        self._turns = turns
        self._has_room = has_room
        self.pace: int | None = 0
        self._under_way = under_way
        self.seconds_per_byte = 0.0
        # Bytes that each packet has on the line beside its own.
        self._overhead = 0
        self._empty_at = -inf
        # What the node said the last time, of both of these; as many as the air carries at first.
        self._known = (0.0, 0)
        # Whether there is nothing to be asked before more is sent.
        self._is_known = True
        # Since when the answer is waited for; when the node is to be asked again.
        self._asked_at = self._ask_at = inf
        # The question that is to be asked next, None for none, and the one that is under way.
        self._next: int | None = None
        self._asking: Deferred[bytes] | None = None
        self._values: list[int] = []
        self._tries = 0
        self._has_refused = False
        self._format = ""
        self._stopped = False

    @property
    def rate(self) -> float:
        """Bytes per second that are sent at the most; infinite for as many as the air carries."""
        return 1 / self.seconds_per_byte if self.seconds_per_byte else inf

    @property
    def empty_at(self) -> float:
        """When all that has arrived is with the device, as far as is known; seconds of the clock,
        in the past if that is so.
        """
        return self._empty_at if self.seconds_per_byte else -inf

    @property
    def format(self) -> str:
        """How characters are on it, such as ``9600N81``, as far as is known: what a person says of
        its rate, or a question mark, if the node was not asked yet.
        """
        return self._format or (str(self.pace) if self.pace else "?")

    @property
    def known_rate(self) -> float:
        """The same, if the node has said it, or a person; else infinite."""
        return self.rate if self._is_known else inf

    def want_to_know(self) -> None:
        """Ask the node how fast its line is, if it has not said and was not asked."""
        if not self._is_known:
            self._want_to_know(self._clock.seconds())

    # --- what is on its way, and in the buffer -------------------------------------------------

    def room_at(self, size: int, now: float) -> float:
        """Return when the buffer has room for a packet, as far as is known now.

        @param size: its bytes.
        @param now: seconds of the clock, here and below.
        """
        if not self.seconds_per_byte or (self._empty_at <= now and not self._under_way):
            return now
        when = self._room_at(size)
        if when > now and not self._is_known:
            self._want_to_know(now)
        return when

    def _room_at(self, size: int) -> float:
        size += self._overhead
        buffer = max(BUFFER, BUFFER_PACKETS * size)
        room = buffer - size
        for packet in self._under_way:
            room -= len(packet.data) + self._overhead
        # The others have to arrive before anything leaves the buffer that they need.
        return self._empty_at - room * self.seconds_per_byte if room >= 0 else inf

    def _want_to_know(self, now: float) -> None:
        """Ask the node how fast its line is, unless it was asked. Until it has answered, or was
        silent too often, its line is taken for the slowest there is.
        """
        if self._asked_at == inf:
            self._asked_at = now
            self._ask()

    def settled(self, size: int, may_have_arrived: bool, now: float) -> None:
        """It is known what became of a packet, or nobody knows; it is not under way any more."""
        if self.seconds_per_byte and may_have_arrived:
            size += self._overhead
            self._empty_at = max(self._empty_at, now) + size * self.seconds_per_byte
        if now >= self._ask_at:
            self._ask()

    def _use(self, seconds: float, overhead: int = 0) -> None:
        """Let the line be as fast as that from now on; what is in the buffer stays there."""
        now = self._clock.seconds()
        if self.seconds_per_byte and self._empty_at > now:
            self._empty_at = now + (self._empty_at - now) / self.seconds_per_byte * seconds
        self.seconds_per_byte = seconds
        self._overhead = overhead

    # --- how fast the line is ------------------------------------------------------------------

    def follow(self, pace: int | None) -> None:
        """Follow the settings: see `zbtwist.binding.port_settings.PortSettings`."""
        self.pace = pace
        self._ask_no_more()
        self._is_known = True
        if pace is AUTO:
            self.changed()
        else:
            self._use(seconds_for_byte(pace) if pace else 0.0)
        self._has_room()

    def changed(self) -> None:
        """The line may be another one: the node was switched on, or has been given a setting."""
        self._format = ""
        if self.pace is AUTO and (self._is_known or self._asked_at < inf):
            self._ask_no_more()
            self._is_known = False
            self._use(seconds_for_byte(SLOWEST, MOST_BITS), FRAME_BYTES)

    def told(self, baud: int, bits: int, is_set: bool, format: str = "") -> None:
        """The line has this format, as the node has just said. What was set counts until something
        else is known, also where the settings say another rate; not where they say that there is
        none.

        @param baud: its rate, bits per second.
        @param bits: of a character, with start, parity and stop bits.
        @param is_set: whether it was set, and not only read.
        @param format: the same in words; see `format`.
        """
        self._format = format
        if self.pace is AUTO and (is_set or not self._is_known):
            self._ask_no_more()
            # Whether its bytes are in frames (AP) is asked for when it matters.
            self._is_known = False
            self._use(seconds_for_byte(baud, bits), FRAME_BYTES)
        elif self.pace and is_set:
            self._use(seconds_for_byte(baud, bits))
        self._has_room()

    def stop(self) -> None:
        """Ask nothing more."""
        self._stopped = True
        self._ask_no_more()

    def _ask_no_more(self) -> None:
        self._next = None
        self._asked_at = self._ask_at = inf
        self._tries = 0
        if self._asking is not None:
            self._asking.cancel()

    def _ask(self) -> None:
        self._ask_at = inf
        if self._next is None and not self._stopped:
            self._next = 0
            self._values.clear()
            self._turns.ask(self)

    def send_next(self) -> None:
        """It is this line's turn: ask the next question."""
        if self._next is None or self._asking is not None:
            return
        node, command = self._node, COMMANDS[self._next]
        asking: Deferred[bytes] = Deferred.fromCoroutine(
            self._radio.remote_at(  # type: ignore[arg-type]
                node.address64, command, b"", node.address16
            )
        )
        self._asking = asking
        self._turns.sent(self, self._clock.seconds())
        asking.addBoth(self._answered)

    def _answered(self, result: bytes | Failure) -> None:
        self._asking = None
        self._turns.done(self)
        if self._next is None:
            # Nobody wants to know any more; or somebody does again, for another reason.
            return
        try:
            self._heard(result)
        except Exception:
            self._next = None
            self.log.failure("The line of {node} could not be asked for", node=self._node)

    def _heard(self, result: bytes | Failure) -> None:
        assert self._next is not None
        is_first = not self._next
        if isinstance(result, Failure):
            error = result.value
            refused = isinstance(error, ATRefused) and error.status in _NODE_REFUSES
            if refused and not is_first:
                # Such as S2, which has no SB: it is as if that was 0.
                result = b""
            elif isinstance(error, RadioError):
                self._failed(error, refused)
                return
            else:
                result.raiseException()
        value = int.from_bytes(result, "big")
        if is_first and not value and not result:
            self._failed(RadioError("The answer to BD is empty."), True)
            return
        self._values.append(value)
        self._next += 1
        if self._next < len(COMMANDS):
            if is_first and not self._is_known:
                self._use(seconds_for_byte(_baud(value), MOST_BITS), FRAME_BYTES)
            self._turns.ask(self)
            return
        self._learnt(*self._values)

    def _learnt(self, bd: int, nb: int, sb: int, ap: int) -> None:
        """All questions are answered."""
        self._ask_no_more()
        self._format = SerialFormat.of_registers(bd, nb, sb).compact
        seconds = seconds_for_byte(_baud(bd), bits_of_character(nb, sb))
        self._known = seconds, FRAME_BYTES if ap in (1, 2) else 0
        self._is_known = True
        self._ask_at = self._clock.seconds() + RENEWAL
        self._use(*self._known)
        self._has_room()

    def _failed(self, error: RadioError, refused: bool) -> None:
        """The node did not say how fast its line is."""
        now = self._clock.seconds()
        self._next = None
        if isinstance(error, (RadioOffline, TooManyRequests)):
            self._ask_at = now
            return
        self._tries += 1
        if self._tries < TRIES and not refused:
            self._ask_at = now + TRY_PAUSE
            return
        # Only what the node itself has said is worth being held back for.
        self._tries = TRIES
        self._is_known = True
        self._ask_at = now + RENEWAL_PAUSE
        self._use(*self._known)
        if not self._has_refused:
            self._has_refused = True
            self.log.debug(
                "{node} does not say how fast its serial line is: {reason} What is sent to it is "
                "not held back; if its device misses bytes, say the rate: pace = 9600.",
                node=self._node,
                reason=str(error),
            )
        self._has_room()


#: What a node answers that does not know a command or does not want it to be known. Else the
#: answer or the question was lost.
_NODE_REFUSES = (ATStatus.ERROR, ATStatus.INVALID_COMMAND, ATStatus.INVALID_PARAMETER)


def _baud(bd: int) -> int:
    """Return bits per second by the value of BD."""
    return max(baud_rate_of(bd), SLOWEST)
