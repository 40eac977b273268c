"""What is remembered of a node to tell how it is, and how it is by that.

Everything comes from what passes anyway: when the node was heard, and how many packets to it
arrived, were sent again, or were given up. A look compares that with the look before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Protocol

from zbtwist.health.rhythm import Rhythm
from zbtwist.health.state import Condition, Health, Moment
from zbtwist.network.node import Node
from zbtwist.xbee import devices

#: Packets to a node that were given up in a row, after which it does not answer.
GIVEN_UP = 3

#: Seconds for which packets count, and looks of them that are remembered.
MEMORY = 600.0
_LOOKS = 120

#: A node loses packets if so many of them were given up, and so much of all of them; and does so no
#: more when so many have arrived behind the last one that was.
LOST_PACKETS = 2
LOST_SHARE = 0.1
GOOD_PACKETS = 10

#: It is weak if so much of at least so many packets had to be sent again.
WEAK_PACKETS = 10
WEAK_SHARE = 0.3

#: It is weak if it is heard with less than this, in -dBm, and no more with so much. A module hears
#: down to about -100 dBm (90001539, "Performance specifications"), and half of it comes and goes.
WEAK_SIGNAL = 80
FAIR_SIGNAL = 77

#: A node is silent after so many of its own pauses, and never sooner than that many seconds. It is
#: asked after one and a bit: an answer is awaited in the time that is left.
SILENT_PAUSES = 2.0
DOUBTFUL_PAUSES = 1.2
SHORTEST_SILENCE = 12.0

#: Seconds for which a node is not silent that was told to restart, or to leave the network: it
#: looks for one then, and its device says meanwhile what nobody hears.
RESTART_PATIENCE = 60.0

_NOT_HEARD = "It was not heard since the gateway started."
_SLEEPS = "It is an end device: what is sent to it waits until it wakes up."

#: An end device with a shorter pause than that is hardly ever asleep when somebody looks, seconds.
_AWAKE_PAUSE = 5.0


def _nothing_known(node: Node) -> str:
    return ""


def first_condition(node: Node) -> Condition:
    """Return how a node is that was not looked at yet."""
    if node.heard_at == -inf:
        return Condition(Health.UNKNOWN, 0.0, _NOT_HEARD)
    if node.role == devices.END_DEVICE:
        return Condition(Health.ASLEEP, 0.0, _SLEEPS)
    return Condition(Health.OK, 0.0, "")


class Deliveries(Protocol):
    """What became of the packets to a node; see `zbtwist.binding.outbound.Outbound`."""

    packets_sent: int
    failures: int
    retries: int


@dataclass(slots=True)
class _Look:
    at: float
    sent: int
    failures: int
    retries: int


class Record:
    """One node.

    @ivar condition: how it was at the last look.
    @ivar asked_at: when it was asked for the last time, seconds of the clock.
    @ivar unanswered: questions in a row that it did not answer.
    @ivar away_until: when its site was away last, seconds of the clock.
    """

    __slots__ = (
        "_doubted",
        "_given_up",
        "_good",
        "_heard_at",
        "_looks",
        "_rhythm",
        "_silent_since",
        "_spoke_at",
        "asked_at",
        "away_until",
        "condition",
        "node",
        "unanswered",
    )

    def __init__(self, node: Node) -> None:
        self.node = node
        self.condition = first_condition(node)
        self.asked_at = -inf
        self.unanswered = 0
        self.away_until = -inf
        self._rhythm = Rhythm()
        # When it was heard, and when it has said something by itself.
        self._heard_at, self._spoke_at = node.heard_at, node.spoke_at
        # An empty list takes less than an empty deque, for each node.
        self._looks: list[_Look] = []
        # Packets in a row that were given up, and those that arrived since the last one was.
        self._given_up = 0
        self._good = 0
        # When it began not to answer.
        self._doubted: Moment | None = None
        self._silent_since = -inf

    # --- what has passed -------------------------------------------------------------------------

    def look(self, deliveries: Deliveries | None, now: Moment, since: float) -> None:
        """Take note of what has passed since the last look.

        @param deliveries: None if the node has no port.
        @param since: when the radio, or the node's site, came up: what was not heard before that
            says nothing; seconds of the clock.
        """
        last = self._looks[-1] if self._looks else _Look(now[0], 0, 0, 0)
        sent, failures, retries = last.sent, last.failures, last.retries
        if deliveries is not None:
            sent, failures = deliveries.packets_sent, deliveries.failures
            retries = deliveries.retries
        if sent < last.sent or failures < last.failures:
            # The port is another one, with counters of its own.
            self._looks.clear()
            last = _Look(now[0], 0, 0, 0)
        arrived, lost = sent - last.sent, failures - last.failures
        was_sent_to = bool(arrived or lost)
        if was_sent_to or not self._looks:
            self._looks.append(_Look(now[0], sent, failures, retries))
            del self._looks[:-_LOOKS]
        while len(self._looks) > 1 and self._looks[1].at < now[0] - MEMORY:
            del self._looks[0]
        heard_at, spoke_at = self.node.heard_at, self.node.spoke_at
        is_heard = heard_at > self._heard_at
        self._heard_at = heard_at
        if spoke_at > self._spoke_at:
            if was_sent_to:
                # It may have been an answer of its device.
                self._rhythm.forget()
            elif self._spoke_at > since:
                self._rhythm.heard(spoke_at - self._spoke_at)
            self._spoke_at = spoke_at
        if is_heard or arrived:
            self._is_there()
        if lost and not is_heard:
            self._doubt(now)
            self._given_up += lost
        self._good = 0 if lost else self._good + arrived
        self._silent_since = max(self._spoke_at, since)

    def asked(self, now: Moment) -> None:
        """The node is asked whether it is there."""
        self.asked_at = now[0]

    def not_answered(self, now: Moment) -> None:
        """It did not answer, and nothing was heard of it meanwhile."""
        if self.node.heard_at < self.asked_at:
            self._doubt(now)
            self.unanswered += 1

    def tested(self, sent: int, delivered: int, now: Moment) -> None:
        """The way to it was tested by so many packets, of which so many have arrived."""
        if delivered:
            self._is_there()
        elif sent:
            self._doubt(now)
            self._given_up += sent

    def time_was_set(self, seconds: float) -> None:
        """The time of day was set, by so many seconds: what has begun did so by the new one."""
        condition = self.condition
        if condition.since:
            since = condition.since + seconds
            self.condition = Condition(condition.health, since, condition.why)
        if self._doubted is not None:
            moment, wall = self._doubted
            self._doubted = moment, wall + seconds

    def _is_there(self) -> None:
        self.unanswered = 0
        self._given_up = 0
        self._doubted = None

    def _doubt(self, now: Moment) -> None:
        if self._doubted is None:
            # With a rhythm it may not have been there since it was last heard.
            self._doubted = now if self._rhythm.seconds is None else self._since_when(now)

    # --- how it is -------------------------------------------------------------------------------

    @property
    def is_doubtful(self) -> bool:
        """Whether it was not heard when it should have been."""
        return self._doubted is not None or self.condition.health in (
            Health.SILENT,
            Health.NOT_ANSWERING,
        )

    def is_late(self, now: float) -> bool:
        """Whether it should have said something by now."""
        pause = self._rhythm.seconds
        # It may have been heard since the last look.
        return pause is not None and now > max(self._silent_since, self.node.heard_at) + max(
            DOUBTFUL_PAUSES * pause, SHORTEST_SILENCE / SILENT_PAUSES
        )

    def judge(self, now: Moment, way_of: Callable[[Node], str] = _nothing_known) -> Condition:
        """Tell how it is.

        @param way_of: returns what is known of the node that its packets go through, a clause.
        """
        health, why = self._judged(now, way_of)
        before = self.condition
        if health is before.health and before.since:
            if why != before.why:
                self.condition = Condition(health, before.since, why)
        else:
            self.condition = Condition(health, self._begin(health, now), why)
        return self.condition

    def _begin(self, health: Health, now: Moment) -> float:
        if health is Health.NOT_ANSWERING and self._doubted is not None:
            return self._doubted[1]
        if health is Health.SILENT:
            return self._since_when(now)[1]
        return now[1]

    def _since_when(self, now: Moment) -> Moment:
        """Return since when nothing was heard that it says by itself."""
        return self._silent_since, now[1] - (now[0] - self._silent_since)

    def _judged(self, now: Moment, way_of: Callable[[Node], str]) -> tuple[Health, str]:
        if (
            self._given_up >= GIVEN_UP
            or self.unanswered >= 2
            or (self.unanswered and (self._given_up or self._is_silent(now[0])))
        ):
            return Health.NOT_ANSWERING, self._why_not_answering(now, way_of(self.node))
        lost, packets, again = self._packets()
        if lost >= LOST_PACKETS and lost >= LOST_SHARE * packets and self._good < GOOD_PACKETS:
            return Health.LOSING, f"Of the last {packets} packets to it {lost} were given up."
        if self._is_silent(now[0]):
            return Health.SILENT, self._why_silent(now)
        if self.node.heard_at == -inf and not packets:
            return Health.UNKNOWN, _NOT_HEARD
        signal, limit = self.node.signal, WEAK_SIGNAL
        if self.condition.health is Health.WEAK:
            limit = FAIR_SIGNAL
        if signal is not None and signal > limit:
            return (
                Health.WEAK,
                f"It is heard with −{signal} dBm; a module hears down to about −100.",
            )
        if packets >= WEAK_PACKETS and again >= WEAK_SHARE * packets:
            return Health.WEAK, f"{packets} packets to it took {again} more tries."
        if self.node.role == devices.END_DEVICE and (self._rhythm.seconds or inf) > _AWAKE_PAUSE:
            return Health.ASLEEP, _SLEEPS
        return Health.OK, self._why_ok()

    def _is_silent(self, now: float) -> bool:
        pause = self._rhythm.seconds
        return (
            pause is not None
            and now > self._silent_since + max(SILENT_PAUSES * pause, SHORTEST_SILENCE)
            and now > self.node.told_to_restart_at + RESTART_PATIENCE
        )

    def _packets(self) -> tuple[int, int, int]:
        """Return how many packets were given up of late, of how many, and how many tries more they
        took.
        """
        first, last = self._looks[0], self._looks[-1]
        lost = last.failures - first.failures
        return lost, last.sent - first.sent + lost, last.retries - first.retries

    # --- in words --------------------------------------------------------------------------------

    def _why_not_answering(self, now: Moment, is_passing: str) -> str:
        assert self._doubted is not None
        reasons = []
        if self._rhythm.seconds is not None:
            reasons.append(f"it used to say something every {in_words(self._rhythm.seconds)}")
        if self._given_up:
            reasons.append(f"{counted(self._given_up, 'packet')} got no acknowledgement")
        if self.unanswered:
            reasons.append(f"{counted(self.unanswered, 'question')} got no answer")
        if is_passing:
            reasons.append(is_passing)
        since = clock_time(self._doubted[1], now[1])
        return f"Does not answer since {since}: {', '.join(reasons)}."

    def _why_silent(self, now: Moment) -> str:
        since = clock_time(self._since_when(now)[1], now[1])
        usual = in_words(self._rhythm.seconds or 0.0)
        answers = ""
        if self.node.heard_at > self._silent_since:
            answers = " Its radio answers: look at the device behind it."
        return f"Has said nothing since {since}; it used to say something every {usual}.{answers}"

    def _why_ok(self) -> str:
        usual = self._rhythm.seconds
        return f"It says something every {in_words(usual)}." if usual is not None else ""


def counted(number: int, thing: str) -> str:
    """Return a number of things, in words."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def in_words(seconds: float) -> str:
    """Return how long something takes, in the unit that a person would choose."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


def clock_time(then: float, now: float) -> str:
    """Return a time of the day, with the day if it is not today's; both seconds since 1970."""
    local = time.localtime(then)
    is_today = local[:3] == time.localtime(now)[:3]
    return time.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S", local)
