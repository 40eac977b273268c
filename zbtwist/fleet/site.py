"""A site of the fleet: a gateway at the broker, with its radio and its nodes.

That the broker says it is online is not enough: its connection may be half open, the word old. So
it is asked for the counts of its streams (`zbtwist.mqtt.stream_messages`). When it has answered
it is there, and it is known what was missed of it meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.fleet.answers import Answers
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.mqtt.stream_messages import Counts
from zbtwist.radio.errors import NoAnswer, RadioError
from zbtwist.radio.info import DEFAULT_PAYLOAD_LIMIT, RadioInfo
from zbtwist.runtime.repeats import Interval
from zbtwist.xbee.address import Address64

if TYPE_CHECKING:
    from zbtwist.fleet.way import NodeWay

#: Seconds for the answer, and from one that did not come to the next question, up to the longest.
ANSWER_TIMEOUT = 5.0
FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0

#: Runs of a site's gateway that are remembered as past: what is still said of them came late.
PAST_RUNS = 8

#: Why a site does not answer whose messages come without properties.
STRIPPED = (
    "Messages of site {site} come without their properties: something between it and this hub "
    "speaks MQTT 3.1.1, which has none. Let it speak MQTT 5; a bridge of mosquitto needs the line "
    "bridge_protocol_version mqttv50."
)


class Site:
    """
    @ivar name: what it is called at the broker.
    @ivar topics: its topics.
    @ivar ways: the ways to the nodes that are heard there, by address.
    @ivar run: stands for the run of its gateway; empty until it is known.
    @ivar facts: what is known of its radio; None while it is not there.
    @ivar is_away: whether its nodes cannot be sent to.
    @ivar offline_since: since when, or was the last time; seconds of the clock.
    @ivar offline_reason: why, a sentence; empty if it is there.
    @ivar heard_at: when something of it came last; seconds of the clock.
    @ivar is_said_away: whether it is news when it is there.
    @ivar is_stripped: whether what came of it last had lost its properties on the way. Then neither
        does a question come to it as it was asked, nor an answer back.
    @ivar counted: called with it and its counts when it has answered, before anything is sent.
    @ivar changed: called when it has come, or gone.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        answers: Answers,
        topics: SiteTopics,
        counted: Callable[[Site, Counts], None],
        changed: Callable[[Site], None],
    ) -> None:
        self._clock = clock
        self._answers = answers
        self.topics = topics
        self.name = topics.site
        self.counted = counted
        self.changed = changed
        self.ways: dict[Address64, NodeWay] = {}
        self.run = ""
        self._past_runs: deque[str] = deque(maxlen=PAST_RUNS)
        self.facts: RadioInfo | None = None
        self.heard_at = float("-inf")
        self.is_said_away = True
        self.is_away = True
        self.offline_since = clock.seconds()
        self.offline_reason = f"Site {self.name} has not answered yet."
        # Whether it has said that it is there, or is not.
        self._was_told = False
        self.is_stripped = False
        self._stripped_looks = Interval()
        # Why it was asked in vain since it answered last, as was said; empty if it was not.
        self._silence = ""
        self._asking: Deferred[bytes] | None = None
        self._retry: IDelayedCall | None = None
        self._pause = FIRST_PAUSE

    @property
    def is_known_away(self) -> bool:
        """Whether it is away by what was said of it on this connection to the broker, or since it
        was asked in vain.
        """
        is_asked = self._asking is not None and not self._silence
        return self.is_away and self._was_told and not is_asked

    def stop(self) -> None:
        """Ask it nothing more."""
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def is_past(self, run: str) -> bool:
        """Whether a run of its gateway is over."""
        return run in self._past_runs

    def runs(self, run: str) -> bool:
        """Its gateway says which run it is in. Return whether it was in another one before."""
        before, self.run = self.run, run
        if not before or before == run:
            return False
        self._past_runs.append(before)
        return True

    def is_online(self) -> None:
        """It says that it is there, perhaps once more: ask it."""
        self.stop()
        self._was_told = True
        self._pause = FIRST_PAUSE
        self._ask()

    def begin_anew(self) -> None:
        """There is another connection, on which nothing was said of it yet."""
        self._was_told = False

    def speaks(self) -> None:
        """Something of it has come: if nothing is known of whether it is there, or it has not
        answered, ask it.
        """
        self.heard_at = self._clock.seconds()
        if not self._was_told:
            self.is_online()
        elif self._retry is not None:
            self._retry.cancel()
            self._ask()

    def comes_stripped(self) -> None:
        """Something of it has come without its properties, and is not taken: see whether it still
        answers, but not each time: anybody may publish such things.
        """
        self.is_stripped = True
        if not self.is_away and self._stripped_looks.is_over(self._clock.seconds()):
            self.look()

    def look(self) -> None:
        """Something of a site that is there is not known, or whether it still is: ask it, unless
        that is under way.
        """
        if not self.is_away and self._asking is None:
            self._ask()

    def gone(self, reason: str) -> None:
        """It is not there, or cannot be reached.

        @param reason: a sentence.
        """
        self.stop()
        self._was_told = True
        self.offline_reason = reason
        if not self.is_away:
            self.is_away = True
            self.facts = None
            self.offline_since = self._clock.seconds()
            for way in list(self.ways.values()):
                way.site_gone()
            self.changed(self)

    def _ask(self) -> None:
        self._retry = None
        asked = Message(self.topics.streams, b"")
        self._asking = self._answers.ask(asked, ANSWER_TIMEOUT, f"Site {self.name}")
        self._asking.addCallbacks(self._answered, self._not_answered)
        self._asking.addErrback(self._broke)

    def _answered(self, payload: bytes) -> None:
        self._asking = None
        counts = Counts.parse(payload)
        if counts is None:
            self._not_answered(Failure(RadioError(f"What site {self.name} answers is nothing.")))
            return
        self.facts = RadioInfo(
            Address64(0),
            api_mode=0,
            payload_limit=counts.payload_limit or DEFAULT_PAYLOAD_LIMIT,
            is_zigbee=False,
            is_fleet=True,
        )
        self._silence = ""
        self.is_stripped = False
        self._pause = FIRST_PAUSE
        self.heard_at = self._clock.seconds()
        self.counted(self, counts)
        if self.is_away:
            self.is_away = False
            self.offline_reason = ""
            self.changed(self)

    def _not_answered(self, failure: Failure) -> None:
        self._asking = None
        failure.trap(RadioError, CancelledError)
        if failure.check(CancelledError):
            return
        reason = failure.getErrorMessage()
        if self.is_stripped and failure.check(NoAnswer):
            reason = STRIPPED.format(site=self.name)
        was_there, is_news = not self.is_away, reason != self._silence
        self._silence = reason
        self.gone(reason)
        if is_news and not was_there:
            # It has said that it is there.
            self.changed(self)
        self._retry = self._clock.callLater(self._pause, self._ask)
        self._pause = min(2 * self._pause, LAST_PAUSE)

    def _broke(self, failure: Failure) -> None:
        self.log.failure("Site {site} could not be looked at", failure, site=self.name)
