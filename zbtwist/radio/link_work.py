"""What is done in the states of the link: the radio is looked for, brought up, waited for, watched.

When which of it is done is for the machine of `zbtwist.radio.link`. The radio is found (see
`zbtwist.radio.probe`) and brought up (`zbtwist.radio.bring_up`); again and again while it does not
answer; and again when it says that it was reset or has joined, since what bring-up sets and reads
does not outlive that. A radio that is up is watched (`zbtwist.radio.link_watch`).

A line that is open to a radio that does not answer is closed now and then, to be opened anew: what
hangs may be the connection to a serial server, or the USB adapter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.radio.baud_rates import ISerialLine
from zbtwist.radio.bring_up import bring_up
from zbtwist.radio.busy_radio import when_ready
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.damage import Sender
from zbtwist.radio.errors import ATRefused, InBootloader, NoAnswer, RadioError
from zbtwist.radio.events import RadioSteady, RadioUnsteady
from zbtwist.radio.hearers import only
from zbtwist.radio.heartbeat import TRY_TIMEOUT
from zbtwist.radio.info import RadioInfo
from zbtwist.radio.interfaces import ILinkOwner, IProtocolOwner
from zbtwist.radio.last_radio import LastRadio
from zbtwist.radio.line_health import hang_up, is_telnet
from zbtwist.radio.link import make_link
from zbtwist.radio.link_log import LinkLog
from zbtwist.radio.link_watch import LinkWatch
from zbtwist.radio.probe import Probe, ProbeResult
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.radio.retrying_endpoint import OPEN_RETRY
from zbtwist.radio.steadiness import LAST_PAUSE
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.standstill import Standstill, StoodStill
from zbtwist.xbee.frames import Frame, ModemStatus

T = TypeVar("T")

#: Seconds before the first bring-up after one that failed, what they grow by, and up to what.
FIRST_RETRY = 0.25
LAST_RETRY = 1.0
RETRY_FACTOR = 1.5
_retry_delay = backoffPolicy(FIRST_RETRY, LAST_RETRY, RETRY_FACTOR, jitter=lambda: 0.0)
#: Up to what they grow while no radio was ever found: one in transparent mode sends the questions
#: over the air, to somebody's device.
LAST_RETRY_OF_A_STRANGER = 60.0
_strangers_delay = backoffPolicy(
    FIRST_RETRY, LAST_RETRY_OF_A_STRANGER, RETRY_FACTOR, jitter=lambda: 0.0
)
#: Up to how many seconds the time grows until a serial server that closes the connection is asked
#: again; it begins at `OPEN_RETRY` and doubles.
LAST_REOPEN = 5.0
#: A connection that was open for so many seconds was not closed at once.
AT_ONCE = 2.0
#: After so many bring-ups that failed on one connection it is opened anew.
REOPEN_AFTER = 5
#: Seconds that the radio may take to write its flash.
FLASH_TIMEOUT = 5.0
#: Seconds at most that the first answer of a radio is taken to have needed: if the line was silent
#: for longer, it was dead.
MAX_ANSWER_TIME = 5.0


@implementer(IProtocolOwner, ILinkOwner)
class LinkWork:
    """Does what a link's machine asks for, and hears what comes on the line.

    @ivar link: is told what happens to the link.
    @ivar hearers: see `IProtocolOwner`: the coordinator's, unless the radio is being looked for.
    @ivar protocol: the line while it is open, with its counters.
    @ivar last: what is known of the radio.
    @ivar log: says what becomes of the link.
    @ivar configure: see `zbtwist.radio.probe.ProbePlan`, as for `write_flash`. Both count from the
        next time on that the radio is looked for.
    @ivar watch: watches the radio, and asks it while it is up.
    """

    def __init__(
        self,
        clock: IReactorTime,
        coordinator: Coordinator,
        heartbeat: float,
        log: LinkLog,
        last: LastRadio,
        bus: EventBus,
        standstill: Standstill,
    ) -> None:
        """
        @param clock: times it.
        @param heartbeat: seconds, see `Heartbeat`.
        @param log: see `begin_with`, as for `last`.
        @param bus: tells that the gateway stood still.
        @param standstill: knows when it was running for certain.
        """
        self.configure = False
        self.write_flash = False
        self.hearers = coordinator.hearers
        self.protocol: RadioProtocol | None = None
        self.link = make_link(self)
        self.watch = LinkWatch(clock, coordinator, self.link, lambda: self.log, heartbeat)
        self._clock = clock
        self._coordinator = coordinator
        # What the link's state is for, where that takes time.
        self._under_way: Deferred[Any] | None = None
        self._standstill = standstill
        coordinator.unanswered = self._doubt_mode
        self.begin_with(log, last)
        bus.subscribe(StoodStill, self._stood_still)
        bus.subscribe(RadioUnsteady, self._note_steadiness)
        bus.subscribe(RadioSteady, self._note_steadiness)

    def begin_with(self, log: LinkLog, last: LastRadio) -> None:
        """It is about this radio from now on, of which nothing is known yet but what `last` says.
        What the old line still says is no news.
        """
        self.log = log
        self.last = last
        self.protocol = None
        self._failures = 0
        # The same, since a line was opened that nobody here had closed.
        self._failures_here = 0
        self._tries_left = REOPEN_AFTER
        self._left_at = 0.0
        self._opened_at = 0.0
        self._hang_ups = 0
        self._overheard = b""
        # Since the bring-up began, while one is under way.
        self._damages = 0
        self._is_setting_up = False
        # Whether nothing came on the line since it was opened.
        self._is_mute = False
        self._coordinator.line.forget()
        # When a radio that is unsteady, and left alone, is set up again.
        self._begins_at: float | None = None
        # Since when the radio is looked for without an answer.
        self._asked_since: float | None = None

    @property
    def baud_rate(self) -> int | None:
        """Bits per second of the serial port; None while it is closed, or where there is none."""
        if self.protocol is None:
            return None
        line = ISerialLine(self.protocol.transport, None)
        return None if line is None else line.baud_rate

    # --- the line ------------------------------------------------------------------------------

    def frames_damaged(self, senders: list[Sender] | None) -> None:
        self._damages += 1
        if self._is_mute:
            # A radio that was switched on says so, at its own rate.
            self._is_mute = False
            self.link.frame_came()
        if self._coordinator.facts is not None:
            problem = self._coordinator.line.damaged()
            if problem:
                self.log.damages(problem)
            self._doubt_mode()
        self._coordinator.frames_damaged(senders)

    def congestion_changed(self, congested: bool) -> None:
        self._coordinator.set_congested(congested)

    def protocol_made(self, protocol: RadioProtocol) -> None:
        self.protocol = protocol
        self._tries_left = REOPEN_AFTER
        self._opened_at = self._clock.seconds()
        self._is_mute = True
        line = ISerialLine(protocol.transport, None)
        self._coordinator.line.opened(line is None or line.is_remote)
        self._asked_since = None
        self.link.opened()

    def not_opened(self, sentence: str) -> None:
        """The line cannot be opened, as the sentence says: when it can, it is another one."""
        self._failures_here = 0
        self.last.bootloader = ""
        self.link.not_opened(sentence)

    def reopen_delay(self) -> float:
        """Say in how many seconds a line that is gone is to be opened again."""
        return min(OPEN_RETRY * 2.0 ** max(self._hang_ups - 1, 0), LAST_REOPEN)

    def protocol_lost(self, protocol: RadioProtocol, reason: Failure) -> None:
        if protocol is self.protocol:
            self.protocol = None
            self._overheard = protocol.overheard
            self.link.lost()

    def close_line(self) -> None:
        self._let_hear(self._pass_on)
        if self.protocol is not None:
            transport: Any = self.protocol.transport
            # Without writing what is buffered, where it can do that.
            getattr(transport, "abortConnection", transport.loseConnection)()

    # --- what is under way ---------------------------------------------------------------------

    def _begin(self, work: Deferred[T], done: Callable[[T], None]) -> None:
        self._under_way = work
        work.addCallback(done).addErrback(self._work_failed)

    def _end_work(self) -> None:
        self.watch.end()
        if self._under_way is not None:
            work, self._under_way = self._under_way, None
            work.cancel()

    def _work_failed(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        sentence = failure.getErrorMessage()
        if not failure.check(RadioError):
            self.log.broke(failure)
            sentence = "The radio could not be set up; see the log."
        elif failure.check(InBootloader):
            self.last.bootloader = sentence
        elif self.last.bootloader and not self._is_setting_up:
            # A bootloader has a rate of its own, and this time the radio may have been looked for
            # at that of its firmware alone.
            sentence = self.last.bootloader
        elif self._is_setting_up and self._damages and failure.check(NoAnswer):
            causes = self._coordinator.line.causes
            sentence = f"The radio answers, and its frames come damaged: {causes}."
        self._failures += 1
        self._failures_here += 1
        self._tries_left -= 1
        if self._tries_left > 0 or self.last.address64 is None:
            self.link.failed(sentence)
        else:
            self.link.given_up(sentence)

    def probe(self) -> None:
        self._end_work()
        self._begins_at = None
        self._is_setting_up = False
        if self.protocol is None:
            # That it is lost is said next.
            return
        self._coordinator.expect(True)
        if self._asked_since is None:
            self._asked_since = self._clock.seconds()
        plan = self.last.plan(self._failures, self.configure, self.write_flash)
        probe = Probe(self._clock, self.protocol, plan)

        def look(frame: Frame) -> None:
            if not probe.frame_received(frame):
                self._pass_on(frame)

        self._let_hear(look)
        self._begin(Deferred.fromCoroutine(probe.find()), self.link.found)

    def bring_up(self, found: ProbeResult) -> None:
        self._end_work()
        if self.protocol is None:
            return
        now = self._clock.seconds()
        since, self._asked_since = self._asked_since, None
        waited = 0.0 if since is None else min(now - since, MAX_ANSWER_TIME)
        self.protocol.set_api_mode(found.api_mode)
        self.last.found(found, self.baud_rate)
        self.hearers = self._coordinator.hearers
        self._is_setting_up = True
        self._coordinator.line.speaks_telnet = is_telnet(self.protocol.overheard)
        self._damages = 0
        self._coordinator.link_up(self.protocol.send)
        self._coordinator.set_congested(self.protocol.is_congested)
        self._begin(Deferred.fromCoroutine(self._bring_up(found, waited)), self._brought_up)

    async def _bring_up(self, found: ProbeResult, waited: float) -> RadioInfo:
        if found.to_be_written:
            try:
                await when_ready(
                    self._clock, lambda: self._coordinator.at("WR", timeout=FLASH_TIMEOUT)
                )
            except ATRefused as error:
                self.log.keeps_no_mode(error)
        return await bring_up(self._coordinator, self._clock, found.api_mode, waited)

    def _brought_up(self, facts: RadioInfo) -> None:
        if facts.joined:
            self.link.ready(facts)
        else:
            self.link.ready_alone(facts)

    def pause(self) -> None:
        self._end_work()

        def end(frame: Frame) -> None:
            self._pass_on(frame)
            self.link.frame_came()

        self._let_hear(end)
        if self.last.address64 is None:
            # That a radio is plugged in is seen by the line, which is lost before; and one that is
            # switched on says so, if it speaks in frames.
            delay = _strangers_delay(self._failures_here - 1)
        else:
            delay = _retry_delay(self._failures - 1)
        pause: Deferred[None] = deferLater(self._clock, delay)
        self._begin(pause, lambda _: self._pause_over())

    def _pause_over(self) -> None:
        if self._tries_left > 0:
            self.link.pause_over()
        else:
            self.link.given_up(self._coordinator.offline_reason)

    def _let_hear(self, hear: Callable[[Frame], None]) -> None:
        """Let nobody hear what comes but that, which looks at it first."""
        self.hearers = only(self._clock, hear)

    def _pass_on(self, frame: Frame) -> None:
        """Take what came while nobody knows whether there is a radio.

        At another rate, or in another mode, chance makes frames of what is none. So a frame counts
        only if the radio was there before and the line is as it was then; what it says of itself
        counts always, since looking again does no harm.
        """
        if self.last.was_at(self.baud_rate):
            self._coordinator.hearers.hear(frame)
        elif isinstance(frame, ModemStatus):
            self.watch.modem_status(frame)

    # --- what becomes of the link --------------------------------------------------------------

    def announce(self, facts: RadioInfo) -> None:
        self._failures = self._failures_here = self._hang_ups = 0
        self._tries_left = REOPEN_AFTER
        facts = replace(facts, line=self.log.name, baud_rate=self.baud_rate)
        self.log.up(facts, self.last)
        self.last.address64 = facts.address64
        if not facts.joined:
            self._left_at = self._coordinator.down_since
        self.watch.begin(facts.association)
        self._coordinator.ready(facts, self.log.is_news)

    def begin_again(self, reason: str, is_reset: bool = False) -> None:
        self._end_work()
        self._asked_since = None
        now = self._clock.seconds()
        # One that is left alone already is not so for longer by what happens meanwhile.
        begins_at = self._begins_at
        if (
            begins_at is None
            and (is_reset or self._coordinator.facts is not None)
            and self.log.pause
        ):
            begins_at = now + self.log.pause
        # What else comes while it is set up is part of the same.
        if begins_at is None:
            self._gone_since_last_frame(reason)
            self.probe()
            return
        self._gone_since_last_frame(
            f"{self.log.unsteady} The gateway sets it up again within {LAST_PAUSE:g} s."
        )
        self._begins_at = begins_at
        self._coordinator.expect(True)
        self._let_hear(self._pass_on)
        pause: Deferred[None] = deferLater(self._clock, max(begins_at - now, 0.0))
        self._begin(pause, lambda _: self.probe())

    def _gone_since_last_frame(self, reason: str) -> None:
        """A radio that was reset, is silent, or does not answer while it is set up may have been
        deaf for longer than that.
        """
        self._coordinator.link_down(reason, self._deaf_since(self._coordinator.last_frame))

    def no_radio(self, sentence: str) -> None:
        self._end_work()
        self._gone_since_last_frame(sentence)
        self._coordinator.expect(False)
        self.log.no_radio(sentence)

    def line_closed(self) -> None:
        self._failures_here = 0
        self.last.bootloader = ""
        if not self._coordinator.line.is_server:
            # It is said once more: frames of nodes may have come since it was said.
            self.link_down(None)
            return
        is_at_once = self._clock.seconds() - self._opened_at < AT_ONCE
        self._hang_ups = self._hang_ups + 1 if is_at_once else 1
        sentence = hang_up(self._overheard, is_at_once)
        self.link_down(sentence)
        # What it says may be another thing each time, such as who has the port since when.
        self.log.no_radio(sentence, "hang-up")

    def line_lost(self) -> None:
        self.log.lost()
        self._coordinator.expect(True)
        self.link_down("The link to the radio is lost; the gateway reopens it.")

    def link_down(self, reason: str | None) -> None:
        self._end_work()
        self._coordinator.link_down(
            reason or self._coordinator.offline_reason,
            # Not since now: the line may have been lost while the gateway stood still.
            self._deaf_since(self._standstill.ran_until),
        )

    def _note_steadiness(self, event: RadioUnsteady | RadioSteady) -> None:
        self._coordinator.line.unsteady = self.log.unsteady

    def _deaf_since(self, moment: float) -> float:
        """Since when no node could be heard: that moment, or when the radio left its network."""
        facts = self._coordinator.facts
        return moment if facts is None or facts.joined else self._left_at

    # --- watching ------------------------------------------------------------------------------

    def _stood_still(self, event: StoodStill) -> None:
        """The line may have lost what came, or the radio may have been away and be back."""
        self._coordinator.stood_still(event.since)
        self.watch.heartbeat.ask_now()

    def _doubt_mode(self) -> None:
        self.watch.doubt_mode(self.protocol)

    def say_other_mode(self, api_mode: int) -> None:
        self.log.in_other_mode(api_mode, self.last.api_mode)

    def say_silent(self) -> None:
        says_something = self._clock.seconds() - self._coordinator.last_frame < TRY_TIMEOUT
        self.log.silent(says_something)
        self._tries_left = 1

    def announce_left(self, association: int) -> None:
        self._left_at = self._coordinator.last_frame
        self.log.left(association)
        self._watch_alone(association)

    def watch_alone(self, association: int) -> None:
        self.log.stays_out(association)
        self._watch_alone(association)

    def _watch_alone(self, association: int) -> None:
        # It is there and answers, but reaches nobody.
        if self._coordinator.facts is not None:
            self._coordinator.left(replace(self._coordinator.facts, association=association))
        self.watch.heartbeat.start(association)
