"""One connection to a broker, from CONNECT to its end; MQTT 5, chapters 3 and 4."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from zbtwist.mqtt import codec, reasons
from zbtwist.mqtt.failures import why_lost
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.outbox import MAX_WINDOW, Counters, Outbox
from zbtwist.mqtt.owner import Ending, Login, Owner
from zbtwist.mqtt.packet_reader import MAX_PACKET, PacketReader, TooLarge
from zbtwist.mqtt.reasons import clause_of

#: Seconds from the connection until the broker has taken this client in; TLS is within them.
GREETING_TIMEOUT = 20.0

#: Seconds for a broker's answer to a question whether it is there, and to a subscription; and for
#: the same as long as it says other things: what it has kept may come before over a slow line. As
#: long may it take to confirm a message.
ANSWER_TIMEOUT = 20.0
ANSWER_LIMIT = 120.0

#: The share of the time that it may be silent for, after which it is asked.
PING_AFTER = 0.75

#: Messages with QoS 1 that the broker may have under way here.
RECEIVE_MAXIMUM = 100

#: Seconds for which what has come is read before everything else of the program has its turn: a
#: broker has whatever its other clients say, as fast as they can.
READING_TIME = 0.005

#: Filters in one packet.
MAX_FILTERS = 50

#: Seconds that the end of a connection may take.
FAREWELL_TIMEOUT = 2.0

# Bytes of the longest packet that there can be, if the broker does not say what it takes.
_LONGEST = 0x1000_0004


class Connection(Protocol):
    """
    @ivar owner: who is told of it.
    @ivar is_open: messages can be published.
    @ivar keeps: the broker keeps messages.
    @ivar confirms: it knows QoS 1.
    @ivar ending: why it ends, or has ended; None while it does not.
    @ivar takes_wildcards: it takes filters with + and #.
    """

    def __init__(self, clock: IReactorTime, login: Login, owner: Owner, counters: Counters) -> None:
        self._clock = clock
        self._login = login
        self.owner = owner
        self._counters = counters
        self.is_open = False
        self.keeps, self.confirms = login.keeps, login.confirms
        self.takes_wildcards = True
        self.outbox = Outbox(clock, counters, owner.drained)
        self.ending: Ending | None = None
        self._packets = PacketReader()
        # What reads the rest of what has come.
        self._reading: IDelayedCall | None = None
        self._heard_at = self._asked_at = 0.0
        self._unacknowledged = 0
        # The filters that the broker was told of, and has not answered to.
        self._asked: dict[int, tuple[str, ...]] = {}
        self.outbox.asked = self._asked
        self._largest = _LONGEST
        self._keepalive = float(login.keepalive)
        # What comes next by itself; and until when there must be an answer.
        self._timer: IDelayedCall | None = None
        self._answer_timer: IDelayedCall | None = None

    # --- beginning and end ---------------------------------------------------------------------

    def connectionMade(self) -> None:
        login = self._login
        # What is said is written once a turn of the reactor: to wait for more would only delay it.
        # A Unix socket has no such thing.
        getattr(self.transport, "setTcpNoDelay", bool)(True)
        self.outbox.begin(self.transport)
        self.outbox.put_first(
            codec.connect(
                login.client_id,
                login.user,
                login.password,
                login.keepalive,
                login.will,
                receive_maximum=RECEIVE_MAXIMUM,
                maximum_packet_size=MAX_PACKET,
                keeps=login.keeps,
                confirms=login.confirms,
            )
        )
        self._timer = self._clock.callLater(
            GREETING_TIMEOUT, self._fail, f"it did not answer within {GREETING_TIMEOUT:g} s"
        )

    def close(self, last: Message | None = None) -> None:
        """End it in good order.

        @param last: what is published before that: the will, which the broker does not publish
            then.
        """
        if self.ending is None:
            # With QoS 0, since the broker may take no more of the other at the moment.
            farewell = [] if last is None else [codec.publish(last, None, self.keeps)]
            self._end(Ending("this gateway has ended the connection"), [*farewell, b""])

    def _fail(self, why: str, code: int = 0) -> None:
        """End it since the broker does not do as it should.

        @param code: what it is told; 0 if it does not listen.
        """
        if self.ending is None:
            self._end(Ending(why), [b""] if code and self.is_open else None, code)

    def _end(self, ending: Ending, farewell: list[bytes] | None, code: int = 0) -> None:
        """
        @param farewell: what is written before; nothing in it stands for DISCONNECT. None to wait
            for nothing.
        """
        self.ending = ending
        was_open, self.is_open = self.is_open, False
        self._stop_timers()
        self._stop_reading()
        transport: Any = self.transport
        if farewell is None:
            self.outbox.end()
            transport.abortConnection()
            return
        if was_open:
            self.outbox.unsent += [packet or codec.disconnect(code) for packet in farewell]
            self.outbox.flush(at_any_rate=True)
        self.outbox.end()
        transport.loseConnection()
        self._timer = self._clock.callLater(FAREWELL_TIMEOUT, transport.abortConnection)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        was_open, self.is_open = self.is_open, False
        self._stop_timers()
        self._stop_reading()
        self.outbox.end()
        why = why_lost(reason.value or ConnectionDone())
        if not was_open and reason.check(ConnectionDone, ConnectionLost):
            why += " without a word: see that it speaks MQTT 5 at that port, and whether with TLS"
        # From now on there is nothing to be ended.
        self.ending = self.ending or Ending(why)
        self.owner.ended(self.ending)

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._answer_timer):
            if timer is not None and timer.active():
                timer.cancel()
        self._timer = self._answer_timer = None

    # --- what comes ----------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        if self.ending is None:
            self._packets.add(data)
            if self._reading is None:
                self._read()

    def _read(self) -> None:
        now = self._heard_at = self._clock.seconds()
        until = now + READING_TIME
        self.outbox.hold()
        try:
            while (packet := self._packets.next()) is not None:
                self._take(packet)
                if self.ending is not None:
                    break
                if self._clock.seconds() >= until:
                    self._read_later()
                    break
        except TooLarge as error:
            self._fail(
                f"it has sent a packet of {error} bytes, and was told that {MAX_PACKET} is the "
                "most",
                reasons.PACKET_TOO_LARGE,
            )
        except codec.MalformedPacket as error:
            self._fail(self._what_is_malformed(error), reasons.MALFORMED_PACKET)
        finally:
            self.outbox.flush()
            if not self.outbox.unsent:
                self._unacknowledged = 0

    def _read_later(self) -> None:
        """Read on in the reactor's next turn, and let nothing more come until then."""
        transport: Any = self.transport
        transport.pauseProducing()
        self._reading = self._clock.callLater(0, self._read_on)

    def _read_on(self) -> None:
        self._reading = None
        self._read()
        if self._reading is None and self.ending is None:
            transport: Any = self.transport
            transport.resumeProducing()

    def _stop_reading(self) -> None:
        self._packets.clear()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _what_is_malformed(self, error: object) -> str:
        if not self.is_open:
            # CONNACK of MQTT 3 has two bytes.
            if self._packets.next_begins_with(b"\x20\x02"):
                return clause_of(reasons.UNSUPPORTED_VERSION)
            # An alert of TLS (RFC 8446, sections 5.1 and 6).
            if self._packets.next_begins_with(b"\x15\3"):
                return "it speaks TLS at that port: name it as tls:HOST:PORT"
        return f"what it says is no MQTT 5: {error}"

    def _take(self, packet: Any) -> None:
        kind = type(packet)
        if kind is codec.DisconnectPacket:
            self._take_reason(packet)
        elif self.is_open and kind in _TAKEN:
            _TAKEN[kind](self, packet)
        elif not self.is_open and kind is codec.ConnAckPacket:
            self._take_in(packet)
        else:
            self._fail(
                f"what it says is against the protocol ({kind.__name__})", reasons.PROTOCOL_ERROR
            )

    def _take_reason(self, packet: Any) -> None:
        code = int(packet.reason_code)
        is_greeting = type(packet) is codec.ConnAckPacket
        why = clause_of(code, packet.reason_str, packet.server_reference, is_greeting)
        self._end(Ending(why, code), [])

    def _take_in(self, packet: codec.ConnAckPacket) -> None:
        if int(packet.reason_code):
            self._take_reason(packet)
            return
        self._stop_timers()
        self.is_open = True
        self.outbox.window = max(1, min(packet.receive_max, MAX_WINDOW))
        self._largest = packet.max_packet_size or _LONGEST
        self.keeps = bool(packet.retain_available)
        self.confirms = int(packet.max_qos) > 0
        self.takes_wildcards = bool(packet.wildcard_subscription_available)
        if packet.server_keep_alive:
            self._keepalive = min(self._keepalive, float(packet.server_keep_alive))
        self._look_in(self._keepalive * PING_AFTER)
        self.owner.opened()

    def _take_message(self, packet: codec.PublishPacket) -> None:
        qos = int(packet.qos)
        if qos > 1 or not packet.topic:
            self._fail("it has sent what was not asked for", reasons.PROTOCOL_ERROR)
            return
        self._counters.received += 1
        if qos:
            self._unacknowledged += 1
            # Where it is written at once, it does no harm.
            if self._unacknowledged > RECEIVE_MAXIMUM and self.outbox.is_paused:
                self._fail(
                    "it has sent more at once than it was told that may be",
                    reasons.RECEIVE_MAXIMUM_EXCEEDED,
                )
                return
        self.owner.heard(codec.message_of(packet))
        # The hearer may have ended it.
        if qos and packet.packet_id is not None and self.ending is None:
            self.outbox.put(codec.puback(packet.packet_id))

    def _take_confirmation(self, packet: codec.PubAckPacket) -> None:
        topic = self.outbox.confirmed(packet.packet_id)
        code = int(packet.reason_code)
        if topic is not None and code >= reasons.FIRST_FAILURE:
            self._counters.refused += 1
            self.owner.not_taken(topic, clause_of(code, packet.reason_str))

    def _take_subscribed(self, packet: Any) -> None:
        filters = self._asked.pop(packet.packet_id, ())
        if not self._asked:
            self._take_answer(packet)
        for topic_filter, code in zip(filters, map(int, packet.reason_codes)):
            if code >= reasons.FIRST_FAILURE:
                self.owner.not_subscribed(topic_filter, clause_of(code, packet.reason_str))

    # --- whether it is there -------------------------------------------------------------------

    def _look_in(self, seconds: float) -> None:
        self._timer = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        if self.outbox.unconfirmed_for > ANSWER_LIMIT:
            self._fail(f"it has confirmed no message for {ANSWER_LIMIT:g} s")
            return
        # Whoever only hears must say something, and whoever only speaks must hear something.
        silent = self._clock.seconds() - min(self._heard_at, self.outbox.last_sent)
        left = self._keepalive * PING_AFTER - silent
        # A clock that was set back says nothing.
        if 0 < left <= self._keepalive:
            self._look_in(left)
            return
        # Before what waits: it is asked whether it takes anything.
        self.outbox.put_first(codec.PINGREQ)
        self._wait_for_answer()
        self._look_in(self._keepalive * PING_AFTER)

    def _wait_for_answer(self) -> None:
        if self._answer_timer is None:
            self._asked_at = self._clock.seconds()
            self._answer_timer = self._clock.callLater(ANSWER_TIMEOUT, self._no_answer)

    def _no_answer(self) -> None:
        now = self._clock.seconds()
        if now - self._heard_at < ANSWER_TIMEOUT and now - self._asked_at < ANSWER_LIMIT:
            self._answer_timer = self._clock.callLater(ANSWER_TIMEOUT, self._no_answer)
        else:
            self._fail(f"it did not answer within {now - self._asked_at:.0f} s")

    def _take_answer(self, packet: object) -> None:
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None

    # --- what goes -----------------------------------------------------------------------------

    def subscribe(self, filters: Iterable[str], at_most_once: bool = False) -> None:
        """Ask for messages.

        @param at_most_once: with QoS 0.
        """
        self._ask(partial(codec.subscribe, at_most_once=at_most_once), tuple(filters))

    def unsubscribe(self, filters: Iterable[str]) -> None:
        """Ask for them no more."""
        self._ask(codec.unsubscribe, tuple(filters))

    def _ask(
        self, encode: Callable[[int, tuple[str, ...]], bytes], filters: tuple[str, ...]
    ) -> None:
        for at in range(0, len(filters), MAX_FILTERS):
            some = filters[at : at + MAX_FILTERS]
            packet_id = self.outbox.next_id()
            self._asked[packet_id] = some
            self.outbox.put(encode(packet_id, some))
            self._wait_for_answer()

    def publish(self, message: Message, at_least_once: bool) -> bool:
        """Send a message as soon as may be.

        @return: whether it is on its way; else it is dropped.
        @raise ValueError: there can be no such message.
        """
        packet_id = self.outbox.next_id() if at_least_once and self.confirms else 0
        data = codec.publish(message, packet_id or None, self.keeps)
        if len(data) > self._largest:
            self._counters.dropped += 1
            self.outbox.give_back(packet_id)
            self.owner.not_taken(
                message.topic,
                f"it takes {self._largest} bytes at the most, and those are {len(data)}",
            )
            return False
        return self.outbox.publish(message.topic, data, packet_id)


#: What is done with packets of an open connection.
_TAKEN: dict[type, Callable[[Connection, Any], None]] = {
    codec.PublishPacket: Connection._take_message,
    codec.PubAckPacket: Connection._take_confirmation,
    codec.PingRespPacket: Connection._take_answer,
    codec.SubAckPacket: Connection._take_subscribed,
    codec.UnsubAckPacket: Connection._take_subscribed,
}
