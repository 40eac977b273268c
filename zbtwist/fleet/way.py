"""The way to one node and from it, over the site at which it is heard.

From the node: the numbers of its packets show what was lost and what comes twice. To the node: each
packet is a message of a stream, which the site sends in order and each once, and answers when it is
known what became of it. One that is not answered is said again, with the same number, when the site
is back, or after a while: only the site knows whether it had it. Before, the site answers a
question: what stands between may have begun to take the numbers away. It is not said any more when
nobody wants it, since the stream has broken: the next packet begins a new stream, and the site is
told to forget the old one.

All of that is QoS 0. What QoS 1 would add is done by the numbers; and it would let a broker hold
commands back for a site that is away, and bound what is under way by its Receive Maximum.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.fleet.packets import Packets, Pending
from zbtwist.fleet.site import ANSWER_TIMEOUT, Site
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.stream_messages import (
    BYTES,
    END,
    NUMBER,
    RUN,
    STREAM,
    Answer,
    Numbered,
    Outcome,
)
from zbtwist.radio.errors import NoAnswer, RadioError, RadioOffline
from zbtwist.radio.info import RadioInfo
from zbtwist.radio.interfaces import IWay
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64
from zbtwist.xbee.frames import TransmitStatus
from zbtwist.xbee.status import DeliveryStatus

if TYPE_CHECKING:
    from zbtwist.fleet.radio import FleetRadio

#: Seconds after which a packet is not sent by a site that has not done so.
EXPIRY = 10

#: Seconds for the answer to a packet: the site tries as often as it tries for its own clients. And
#: for that of one to a node that sleeps.
TRANSMIT_TIMEOUT = 30.0
EXTENDED_TRANSMIT_TIMEOUT = 330.0

#: A stream that nothing is sent in, of which it is asked what became.
NO_STREAM = "none"

#: What is said of a node of which no site has said anything, and of one that is not said.
NOWHERE = "No site hears the node."
NOT_SAID = (
    "Its site does not have its stream at the broker: the settings of the gateway there need "
    'mqtt = "stream".'
)


def _question(message: Message) -> Message:
    """Return what asks what became of a packet, and says that nothing more of its stream is wanted:
    to say the packet again would have it sent, if it had not come.
    """
    return replace(message, payload=b"", user_properties=(*message.user_properties, (END, "1")))


@implementer(IWay)
class NodeWay:
    """
    @ivar address64: the node's.
    @ivar site: where it is heard; None if it is nowhere.
    @ivar number: that of its last packet, as its site counts them; None until one was heard, or the
        site has said how many there were.
    @ivar is_said: whether its site says its stream.
    @ivar is_described: whether a site has said who it is.
    @ivar other: another site that has it in its table, the one that has said so last, and when that
        has heard it; None if there is none.
    @ivar seen: when its site has heard it last, as that says; seconds since 1970.
    @ivar proven_at: when it was certainly at that site, seconds of the clock.
    """

    __slots__ = (
        "_broken",
        "_current",
        "_is_asking",
        "_number",
        "_packets",
        "_pending",
        "_radio",
        "_topic",
        "address64",
        "is_described",
        "is_said",
        "number",
        "other",
        "proven_at",
        "seen",
        "site",
    )

    has_its_pace = True

    def __init__(self, radio: FleetRadio, address64: Address64) -> None:
        self._radio = radio
        self._packets: Packets = radio.packets
        self.address64 = address64
        self.site: Site | None = None
        self.number: int | None = None
        self.is_said = True
        self.is_described = False
        self.other: tuple[Site, float] | None = None
        self.seen = 0.0
        self.proven_at = float("-inf")
        # The name of the stream to it, empty until something is sent; the next number in it.
        self._current = ""
        self._number = 0
        # What is on its way in that stream, by correlation data; and in those that have broken, of
        # which it is only waited for what became of it.
        self._pending: dict[bytes, Pending] = {}
        self._broken: dict[bytes, Pending] = {}
        self._topic = ""
        # Whether it is asked if messages come to the site with their properties.
        self._is_asking = False

    # --- the site ------------------------------------------------------------------------------

    def is_at(self, site: Site | None) -> None:
        """It is heard there from now on, and nowhere else."""
        self._end_stream()
        self.is_not_at(site)
        if self.site is not None:
            if site is not None:
                self.other = self.site, self.seen
            self.site.ways.pop(self.address64, None)
        self.site = site
        self.number = None
        self._topic = ""
        if site is not None:
            site.ways[self.address64] = self
            self._topic = site.topics.tx(self.address64)
        self.lose_pending("The node is heard at another site now.")

    def is_not_at(self, site: Site | None) -> None:
        """It is not in that other site's table, or at that site."""
        if self.other is not None and self.other[0] is site:
            self.other = None

    @property
    def facts(self) -> RadioInfo | None:
        """See `zbtwist.radio.interfaces.IWay`, as for the next ones."""
        return None if self.site is None else self.site.facts

    @property
    def is_away(self) -> bool:
        site = self.site
        return site is None or site.is_away or not self.is_said

    @property
    def offline_since(self) -> float:
        return self._radio.offline_since if self.site is None else self.site.offline_since

    @property
    def offline_reason(self) -> str:
        site = self.site
        if site is None:
            return self._radio.offline_reason or NOWHERE
        return site.offline_reason or ("" if self.is_said else NOT_SAID)

    def remote_at(
        self,
        address64: Address64,
        command: str,
        parameter: bytes = b"",
        address16: Address16 = UNKNOWN16,
    ) -> Awaitable[bytes]:
        return cast(
            Awaitable[bytes], self._radio.remote_at(address64, command, parameter, address16)
        )

    # --- to the node ---------------------------------------------------------------------------

    def transmit(
        self,
        address64: Address64,
        data: bytes,
        address16: Address16 = UNKNOWN16,
        sleeps: bool = False,
    ) -> Deferred[TransmitStatus]:
        site, packets = self.site, self._packets
        if site is None or self.is_away:
            return fail(RadioOffline(self.offline_reason))
        if not self._current:
            self._current, self._number = packets.new_stream(), 0
        name = b"%s.%d" % (self._current.encode(), self._number)
        message = Message(
            self._topic,
            data,
            content_type=BYTES,
            user_properties=(
                (STREAM, self._current),
                (NUMBER, str(self._number)),
                (RUN, site.run),
            ),
            response_topic=packets.topic,
            correlation_data=name,
            expires_after=EXPIRY,
        )
        if not packets.publish(message):
            return fail(RadioOffline("The broker takes no more at the moment, or is away."))
        self._number += 1
        settled: Deferred[TransmitStatus] = Deferred(lambda _: self._forget(name))
        seconds = EXTENDED_TRANSMIT_TIMEOUT if sleeps else TRANSMIT_TIMEOUT
        pending = Pending(message, self, settled, packets.now(), seconds)
        self._pending[name] = pending
        packets.add(name, pending)
        return settled

    def _forget(self, name: bytes) -> None:
        self._pending.pop(name, None)
        self._broken.pop(name, None)
        self._packets.pending.pop(name, None)

    def answered(self, name: bytes, pending: Pending, answer: Answer) -> None:
        """It is known what became of a packet."""
        self._forget(name)
        if self.site is not None:
            self.site.heard_at = self._packets.now()
        if answer.outcome is Outcome.DELIVERED:
            self.proven_at = now = self._packets.now()
            self._packets.seconds.observe(now - pending.sent_at)
            pending.settled.callback(TransmitStatus(0, UNKNOWN16, 0, DeliveryStatus.DELIVERED, 0))
            return
        if name.rpartition(b".")[0] == self._current.encode():
            # The site takes nothing more of that stream. What waits there was before a packet that
            # is missing: it must not come between those of the next stream.
            self._end_stream()
        error = RadioError(answer.text or f"The site says: {answer.outcome.value}.")
        error.sent = True
        pending.settled.errback(error)

    def timed_out(self, name: bytes, pending: Pending) -> None:
        """Nothing was answered in time."""
        if name in self._pending:
            self.stream_broken()
        if pending.settled.called:
            # Its site is away: it is lost with the stream.
            return
        self._forget(name)
        site = "" if self.site is None else self.site.name
        seconds = pending.deadline - pending.sent_at
        error = NoAnswer(f"Site {site} has not said within {seconds:g} s what became of a packet.")
        error.sent = True
        pending.settled.errback(error)

    def ask_and_say_again(self, before: float) -> None:
        """As `say_again`, once the site has answered a question: without its properties a packet is
        of no stream, and would go to the node each time that it is said.
        """
        site = self.site
        if self._is_asking or site is None or site.is_away:
            return
        self._is_asking = True
        asked = Message(self._topic, b"", user_properties=((STREAM, NO_STREAM), (END, "1")))
        answered = self._radio.answers.ask(asked, ANSWER_TIMEOUT, f"Site {site.name}")
        answered.addCallback(self._may_say_again, before)
        answered.addErrback(self._may_not)

    def _may_say_again(self, answer: bytes, before: float) -> None:
        self._is_asking = False
        said = Answer.parse(answer)
        # Without its properties the question would be an empty packet, which is refused.
        if said is not None and said.outcome is Outcome.UNKNOWN:
            self.say_again(before)

    def _may_not(self, failure: Failure) -> None:
        self._is_asking = False
        failure.trap(RadioError)

    def say_again(self, before: float) -> None:
        """Publish once more what was published before that moment and is not answered; and ask
        again what became of what is not wanted any more. The site must have shown that messages
        come to it with their properties.
        """
        site, packets = self.site, self._packets
        if site is None or site.is_away:
            return
        for pending in [*self._broken.values(), *self._pending.values()]:
            if pending.said_at <= before:
                if not packets.publish(pending.message):
                    return
                pending.said_at = packets.now()

    def stream_broken(self) -> None:
        """What is on its way is not wanted any more."""
        self._end_stream()
        for name, pending in self._pending.items():
            pending.message = _question(pending.message)
            self._broken[name] = pending
        self._pending = {}
        if self.site is None or self.site.is_away:
            self.site_gone()

    def site_gone(self) -> None:
        """The site is away. It sends nothing more of streams that have broken, or has done so
        before whatever comes next: nothing waits for what became of that.
        """
        self._lose(self._broken, self.offline_reason)

    def _end_stream(self) -> None:
        """The next packet begins another stream; the site is to send nothing more of this one."""
        stream, self._current = self._current, ""
        site = self.site
        if stream and self._pending and site is not None and not site.is_away:
            end = ((STREAM, stream), (NUMBER, str(self._number)), (RUN, site.run), (END, "1"))
            self._packets.publish(Message(self._topic, b"", user_properties=end))

    def lose_pending(self, why: str) -> None:
        """Nobody can say any more what became of what is on its way.

        @param why: a sentence.
        """
        self._current = ""
        self._lose(self._broken, why)
        self._lose(self._pending, why)

    def _lose(self, some: dict[bytes, Pending], why: str) -> None:
        for name, pending in list(some.items()):
            if pending.settled.called:
                # The stream broke with one before it.
                continue
            self._forget(name)
            error = NoAnswer(why)
            error.sent = True
            pending.settled.errback(error)

    # --- from the node -------------------------------------------------------------------------

    def counts(self, said: Numbered) -> str | None:
        """A packet has come. Return a clause if bytes were lost before it, empty if none were; None
        if it has come before. The count must have begun.
        """
        number, before = said.number, self.number
        if before is not None and number <= before:
            return None
        self.number = number
        if said.has_hole:
            return "its site has lost some of them"
        if before is not None and number > before + 1:
            missing = number - before - 1
            packets = "a packet" if missing == 1 else f"{missing} packets"
            return f"{packets} did not come over the broker"
        return ""

    def begins_at(self, count: int) -> bool:
        """So many packets were counted by now. Return whether the count begins here: nobody here
        knows what was said before.
        """
        if self.number is not None:
            return False
        self.number = count
        return True

    def is_behind(self, count: int) -> bool:
        """Its site says how many packets there were. Return whether some did not come yet."""
        return self.number is not None and count > self.number

    def missed(self, count: int) -> str:
        """Return a clause if some of so many did not come, which are not waited for any more."""
        before = self.number
        if before is None or count <= before:
            return ""
        self.number = count
        return f"{count - before} of its packets did not come over the broker"
