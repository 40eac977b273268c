"""The local radio, as the rest of the program sees it: its link, and who wants its frames.

Each request is one awaitable; `zbtwist.radio.requests` has how they are sent and answered, and
`zbtwist.radio.transmissions` how packets are. The coordinator outlives links. `link_up` and
`link_down` are for `zbtwist.radio.link_work`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf
from typing import TYPE_CHECKING, TypeVar

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from zbtwist.radio.damage import Sender
from zbtwist.radio.errors import ATRefused, RadioOffline
from zbtwist.radio.events import FramesDamaged, LinkDown, LinkHeard, LinkSilent, LinkUp, NetworkAway
from zbtwist.radio.info import DEFAULT_DISCOVERY_TIME
from zbtwist.radio.interfaces import IRadio, IWay
from zbtwist.radio.line_health import LineHealth
from zbtwist.radio.request import RemoteCommand, Request
from zbtwist.radio.transmissions import Transmissions
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import UNKNOWN16, UNKNOWN64, Address16, Address64, format_address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    OPTION_APPLY,
    ATCommand,
    ATCommandResponse,
    Frame,
    QueuedATCommand,
    RemoteATCommand,
    RemoteATCommandResponse,
)
from zbtwist.xbee.status import ATStatus

if TYPE_CHECKING:
    from zbtwist.radio.info import RadioInfo

#: Seconds that the local radio has for an AT command; it answers in milliseconds, but while it is
#: busy with the air it may take its time.
AT_TIMEOUT = 3.0
#: Seconds for a remote AT command: there and back over several hops, with address and route search.
REMOTE_AT_TIMEOUT = 10.0
#: Seconds for the answer of a quick radio; one that needs longer is far away, or slow.
SLOW_ANSWER = 1.0
#: Seconds after the start in which the radio is expected, also if it was not there at first.
START_PATIENCE = 5.0
#: Seconds that a search goes on after NT, for answers that are still on the serial line.
DISCOVERY_MARGIN = 0.5


F = TypeVar("F", bound=Frame)


@implementer(IRadio)
class Coordinator(Transmissions):
    """The local XBee, as the rest of the program sees it.

    @ivar line: how the line to it is.
    """

    has_its_pace = False

    def __init__(self, clock: IReactorTime, bus: EventBus, first_id: int | None = None) -> None:
        """
        @param clock: times the requests.
        @param bus: is told what becomes of the link.
        @param first_id: see `zbtwist.radio.frame_ids.FrameIds`.
        """
        super().__init__(clock, first_id)
        self._bus = bus
        self._expected_until = inf
        self._is_expected = True
        self._expecting: list[Deferred[None]] = []
        self.down_since = self.offline_since = clock.seconds()
        self.facts: RadioInfo | None = None
        self.is_away = True
        self.line = LineHealth(clock)

    # --- the link ------------------------------------------------------------------------------

    def link_up(self, send: Callable[[Frame], None]) -> None:
        """Frames can be sent; the radio is not set up yet."""
        self._send = send

    def ready(self, facts: RadioInfo, is_news: bool = True) -> None:
        """The radio is set up: say so.

        @param is_news: whether that is a line of the log.
        """
        self.facts = facts
        self.is_away = bool(facts.problem)
        self.address16_counts = facts.is_zigbee
        self._expected_until = 0.0
        self.offline_reason = ""
        self._bus.publish(LinkUp(facts, is_news=is_news))
        self._expect_no_more()

    def left(self, facts: RadioInfo) -> None:
        """The radio is in no network, though its link is up: it reaches nobody.

        @param facts: with the reason.
        """
        self.facts = facts
        if not self.is_away and facts.problem:
            self._goes_away()
            self._bus.publish(NetworkAway())

    def _goes_away(self) -> None:
        self.is_away = True
        self.offline_since = self._clock.seconds()

    def starting(self) -> None:
        """The radio is looked for from now on. Until it was up, or for `START_PATIENCE`, it is
        expected whatever comes between.
        """
        self._expected_until = self._clock.seconds() + START_PATIENCE
        self._is_expected = True

    def expect(self, is_expected: bool) -> None:
        """Say whether the radio is being brought up, or is not to be had at the moment."""
        self._is_expected = is_expected or self._clock.seconds() < self._expected_until
        if not self._is_expected:
            self._expect_no_more()

    def _expect_no_more(self) -> None:
        expecting, self._expecting = self._expecting, []
        for waiting in expecting:
            waiting.callback(None)

    async def until_up(self, seconds: float) -> None:
        """See `zbtwist.radio.interfaces.IRadio`."""
        if self.facts is not None or not self._is_expected:
            return
        waiting: Deferred[None] = Deferred()
        self._expecting.append(waiting)
        try:
            await waiting.addTimeout(seconds, self._clock)
        except TimeoutError:
            pass
        finally:
            if waiting in self._expecting:
                self._expecting.remove(waiting)

    def link_down(self, reason: str, since: float | None = None) -> None:
        """Fail what is outstanding with `RadioOffline(reason)`, and all that comes until `link_up`.

        @param reason: a sentence.
        @param since: for `down_since`; now if None.
        """
        # Nodes may have been heard while the radio was being set up, too.
        was_heard = self.facts is not None or self.last_frame > self.down_since
        if was_heard:
            self.down_since = self._clock.seconds() if since is None else since
        if not self.is_away:
            self._goes_away()
        self.facts = None
        self._fail_all(reason)
        if was_heard:
            self._bus.publish(LinkDown(reason))

    def mark_unresponsive(self, since: float) -> None:
        """The radio does not answer, though its link is up.

        @param since: from when on it may have heard nobody, by the clock.
        """
        self.down_since = since
        self._bus.publish(LinkSilent())

    def stood_still(self, since: float) -> None:
        """The gateway itself stood still: what nodes said since then may be lost.

        @param since: seconds of the clock.
        """
        was_heard = self.facts is not None or self.last_frame > self.down_since
        # What was noticed behind it may have begun in it.
        if was_heard or since < self.down_since:
            self.mark_unresponsive(since)

    def mark_responsive(self) -> None:
        """After `mark_unresponsive`: it says something again."""
        self._bus.publish(LinkHeard())

    def frames_damaged(self, senders: list[Sender] | None) -> None:
        """Frames of the radio were lost on the serial line; see `FramesDamaged`.

        While it is being set up that is a part of the outage: the rest of a frame that was cut off
        by it concerns nobody who was not busy before.
        """
        if self.facts is None:
            self.down_since = self._clock.seconds()
            self._bus.publish(LinkDown(self.offline_reason, is_noise=True))
        else:
            self._bus.publish(FramesDamaged(senders))

    def close(self) -> None:
        super().close()
        self._is_expected = False
        self._expect_no_more()

    # --- the nodes -----------------------------------------------------------------------------

    def way_to(self, address64: Address64) -> IWay:
        """See `zbtwist.radio.interfaces.IRadio`: there is one for all."""
        return self

    def site_of(self, address64: Address64) -> str | None:
        """The same: there is none."""
        return None

    def why_site_is_away(self, address64: Address64) -> str:
        """The same."""
        return ""

    def stream_broken(self) -> None:
        """What the radio has it cannot be told to forget."""

    # --- requests ------------------------------------------------------------------------------

    @property
    def allowance(self) -> int:
        """Seconds that a command has beyond those of a quick radio, whose answers are here within a
        second.
        """
        answer_time = 0.0 if self.facts is None else self.facts.answer_time
        return ceil(2 * answer_time) if answer_time > SLOW_ANSWER else 0

    async def at(
        self,
        command: str,
        parameter: bytes = b"",
        timeout: float | None = None,
        is_patient: bool = False,
    ) -> bytes:
        """Read (no parameter), set or execute an AT command on the local radio.

        @param command: two characters.
        @param timeout: seconds; `AT_TIMEOUT`, and `allowance`, if None.
        @param is_patient: see `Request`.
        @return: the value of the answer, empty unless the command was a read.
        @raise ATRefused: the radio answered with another status than OK.
        @raise NoAnswer, RadioOffline, TooManyRequests: as their names say.
        """
        return await self._local(ATCommand, command, parameter, timeout, is_patient)

    async def queued_at(
        self, command: str, parameter: bytes = b"", timeout: float | None = None
    ) -> bytes:
        """Like `at`, but the new value takes effect at the next AC, or the next `at`."""
        return await self._local(QueuedATCommand, command, parameter, timeout)

    async def _local(
        self,
        kind: type[ATCommand],
        command: str,
        parameter: bytes,
        timeout: float | None,
        is_patient: bool = False,
    ) -> bytes:
        answer: ATCommandResponse = await self._request(
            Request(
                kind(0, command, parameter),
                ATCommandResponse,
                command,
                UNKNOWN64,
                AT_TIMEOUT + self.allowance if timeout is None else timeout,
                is_patient=is_patient,
            )
        )
        if answer.outcome != ATStatus.OK:
            raise ATRefused(command, answer.outcome, "The radio")
        return answer.value

    async def remote_at(
        self,
        address64: Address64,
        command: str,
        parameter: bytes = b"",
        address16: Address16 = UNKNOWN16,
        timeout: float | None = None,
        apply: bool = True,
    ) -> bytes:
        """Read, set or execute an AT command on another node.

        @param timeout: seconds; `REMOTE_AT_TIMEOUT`, and `allowance`, if None.
        @param apply: what is set has effect at once; else when the node gets AC.
        @return: the value of the answer.
        @param address16: for Zigbee; any other firmware finds the node by `address64` alone, if
            that is known.
        @raise ATRefused: the node refused, or could not be reached (status 4).
        @raise NoAnswer, RadioOffline, TooManyRequests: as their names say.
        """
        if not self.address16_counts and address64 != UNKNOWN64:
            address16 = UNKNOWN16
        answer: RemoteATCommandResponse = await self._request(
            RemoteCommand(
                RemoteATCommand(
                    0, address64, address16, OPTION_APPLY if apply else 0, command, parameter
                ),
                RemoteATCommandResponse,
                command,
                address64,
                REMOTE_AT_TIMEOUT + self.allowance if timeout is None else timeout,
            )
        )
        if answer.outcome != ATStatus.OK:
            raise ATRefused(command, answer.outcome, format_address64(address64))
        return answer.value

    async def discover(self) -> list[NodeDescription]:
        """Search the network with ND. Listeners get each answer as it comes. A radio that is in no
        network is not asked: all that it says is "error".

        Zigbee sends no end mark, so this takes NT and a margin; 802.15.4's empty OK ends it early.

        @return: the nodes that answered in time.
        """
        facts = self.facts
        if facts is not None and facts.problem:
            raise RadioOffline(facts.problem)
        seconds = facts.discovery_time if facts else DEFAULT_DISCOVERY_TIME
        request = Request(
            ATCommand(0, "ND"),
            ATCommandResponse,
            "ND",
            UNKNOWN64,
            seconds + DISCOVERY_MARGIN + self.allowance,
            found=[],
        )
        found: list[NodeDescription] = await self._request(request)
        return found
