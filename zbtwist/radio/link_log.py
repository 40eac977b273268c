"""What is said of the link to the radio, as often as it is news."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.radio.baud_rates import AIR_RATE, payload_rate
from zbtwist.radio.errors import ATRefused
from zbtwist.radio.events import (
    LineDamages,
    LineSlow,
    LinkFailed,
    LinkLost,
    ModemStatusCame,
    NetworkLeft,
    RadioModeChanged,
    RadioReplaced,
    RadioSilent,
)
from zbtwist.radio.info import RadioInfo
from zbtwist.radio.last_radio import LastRadio
from zbtwist.radio.steadiness import Steadiness, Upset
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.repeats import Thinned
from zbtwist.xbee.status import ModemStatusCode

#: What a radio says when it begins anew.
RESETS = (ModemStatusCode.HARDWARE_RESET, ModemStatusCode.WATCHDOG_RESET)

#: Different reasons for not being up that are remembered, so that each is said once.
MAX_REASONS = 50


class LinkLog:
    """Publishes what becomes of the link to one radio, and says what is the gateway's own affair.

    @ivar name: the endpoint of the radio, as the user wrote it.
    """

    log = Logger()

    def __init__(self, name: str, bus: EventBus, clock: IReactorTime) -> None:
        self.name = name
        self._bus = bus
        self._clock = clock
        self._steadiness = Steadiness(clock, name, bus)
        self._said: set[str] = set()
        # The rate of the line of which it was said whether it is slow.
        self._rate: int | None = None
        # The firmware of which it was said that it is another one's than Zigbee's.
        self._firmware: int | None = None
        # By the status, which is a byte, and of moves.
        self._statuses: dict[int, Thinned] = {}
        self._moves = Thinned()

    def no_radio(self, sentence: str, reason: str = "") -> None:
        """The radio cannot be had, and the sentence says why: each is said once until it is up.

        @param reason: what several sentences have in common of which one is to be said; the
            sentence itself if nothing.
        """
        reason = reason or sentence
        if reason not in self._said and len(self._said) < MAX_REASONS:
            self._said.add(reason)
            self._bus.publish(LinkFailed(self.name, sentence))

    def damages(self, problem: str) -> None:
        """The line changes bytes of a radio that is up."""
        self._bus.publish(LineDamages(self.name, problem))

    def broke(self, failure: Failure) -> None:
        """Bringing the radio up failed by a mistake of ours."""
        self.log.failure("Bringing the radio up failed", failure=failure)

    @property
    def is_news(self) -> bool:
        """Whether what becomes of the radio is to be said: not if it is so again and again."""
        return self._steadiness.is_steady

    @property
    def pause(self) -> float:
        """Seconds that the radio is to be left alone before it is set up again."""
        return self._steadiness.pause

    @property
    def unsteady(self) -> str:
        """What is wrong with a radio to which the same happens again and again, a sentence; empty
        if that is not so.
        """
        return self._steadiness.problem

    def stop(self) -> None:
        """The link is wanted no more."""
        self._steadiness.forget()

    def keeps_no_mode(self, error: ATRefused) -> None:
        """The radio did not write its new mode to its flash."""
        if not self.is_news:
            return
        self.log.warn("{error}; it goes back to its old mode when it restarts.", error=error)

    def up(self, facts: RadioInfo, last: LastRadio) -> None:
        """The radio is up: say what is not as one might expect.

        @param last: what is known of the one before.
        """
        if self.is_news:
            self._said.clear()
        if last.address64 is not None and last.address64 != facts.address64:
            self._bus.publish(RadioReplaced(self.name, facts.address64, last.address64))
        if self.is_news and last.wanted_mode not in (None, facts.api_mode):
            self.log.warn(
                "The radio is in API mode {mode}, not {wanted} as --api-mode says; it is taken "
                "as it is.",
                mode=facts.api_mode,
                wanted=last.wanted_mode,
            )
        rate, payload = facts.baud_rate, facts.payload_limit
        if rate is not None and rate != self._rate:
            self._rate = rate
            if payload_rate(rate, payload) < AIR_RATE:
                self._bus.publish(LineSlow(rate, payload))
        if not facts.is_zigbee and facts.firmware_version != self._firmware:
            self._firmware = facts.firmware_version
            self.log.warn(
                "The radio's firmware ({firmware}) is not Zigbee's: it refuses OP. That of "
                "802.15.4 and DigiMesh is not supported yet; bytes and commands go to 64-bit "
                "addresses only.",
                firmware=f"{facts.firmware_version:04x}",
            )
        if facts.problem:
            self.stays_out(facts.association)

    def says(self, status: int) -> None:
        """A modem status came."""
        if status in RESETS:
            self._steadiness.happened(Upset.RESET)
        elif status == ModemStatusCode.LEFT:
            self._steadiness.happened(Upset.LEFT)
        unsaid = None
        if self.is_news:
            # Its network may have it say the same for ever, and nothing is wrong with it.
            said = self._statuses.setdefault(status, Thinned())
            unsaid = said.happened(self._clock.seconds())
        self._bus.publish(ModemStatusCame(status, unsaid or 0, is_news=unsaid is not None))

    def network_upset(self) -> None:
        """The radio has left its network and did not say so, or joins it and did not say before
        that it was away.
        """
        self._steadiness.happened(Upset.LEFT)

    def left(self, association: int) -> None:
        """The radio was in its network, and is no more."""
        self._bus.publish(NetworkLeft(association, was_joined=True, is_news=self.is_news))

    def stays_out(self, association: int) -> None:
        """The radio is still in no network; each reason is said once until it is in one."""
        news = NetworkLeft(association, was_joined=False, is_news=self.is_news)
        if str(news) not in self._said and len(self._said) < MAX_REASONS:
            self._said.add(str(news))
            self._bus.publish(news)

    def moved(self, before: RadioInfo, facts: RadioInfo) -> None:
        """The network was read anew; say so if it is somewhere else."""
        if (before.operating_pan_id, before.channel) != (
            facts.operating_pan_id,
            facts.channel,
        ) and self._moves.happened(self._clock.seconds()) is not None:
            self.log.info(
                "The network has PAN {pan:016x} and channel {channel} now.",
                pan=facts.operating_pan_id,
                channel=facts.channel,
            )

    def in_other_mode(self, api_mode: int, before: int) -> None:
        """The radio was up, and is in another API mode."""
        self._steadiness.happened(Upset.LOST)
        self._bus.publish(RadioModeChanged(self.name, api_mode, before, is_news=self.is_news))

    def silent(self, says_something: bool) -> None:
        """The radio was up, and answers no more.

        @param says_something: whether frames of it still come.
        """
        self._steadiness.happened(Upset.LOST)
        self._bus.publish(RadioSilent(self.name, says_something, is_news=self.is_news))

    def lost(self) -> None:
        """The line of a radio that was up is gone."""
        self._steadiness.happened(Upset.LOST)
        self._bus.publish(LinkLost(self.name, is_news=self.is_news))
