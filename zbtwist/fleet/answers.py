"""Questions to gateways at the broker, and what is answered.

An answer is told by its correlation data, which nobody else can know: so one that comes twice, or
late, or from somebody who was not asked, is of no question.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.stream_messages import MAX_ANSWER
from zbtwist.radio.errors import NoAnswer, RadioError, RadioOffline, TooManyRequests

#: Questions that may be under way; a packet to a node is one of its own kind, see
#: `zbtwist.fleet.way`.
MAX_QUESTIONS = 4096

#: Seconds between two looks whose time is up.
LOOK = 0.5


@dataclass(slots=True, eq=False)
class _Question:
    answered: Deferred[bytes]
    deadline: float
    who: str


class Answers:
    """
    @ivar late: answers that nobody waited for.
    """

    def __init__(self, clock: IReactorTime, broker: IBroker, topic: str) -> None:
        """
        @param topic: where answers are to go.
        """
        self._clock = clock
        self._broker = broker
        self.topic = topic
        # No other client of the broker can guess it.
        self._secret = secrets.token_hex(8)
        self._next = 0
        self._questions: dict[bytes, _Question] = {}
        self._timer: IDelayedCall | None = None
        self.late = 0
        broker.subscribe(topic, self._heard)

    def __len__(self) -> int:
        return len(self._questions)

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._broker.unsubscribe(self.topic)
        self.fail_all("The gateway stops.")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def fail_all(self, reason: str) -> None:
        """Nothing is answered any more of what was asked: it may have been done.

        @param reason: a sentence.
        """
        questions, self._questions = self._questions, {}
        for question in questions.values():
            error = RadioOffline(reason)
            error.sent = True
            question.answered.errback(error)

    def ask(self, message: Message, seconds: float, who: str) -> Deferred[bytes]:
        """Publish a message, and wait for the answer.

        @param seconds: for so long.
        @param who: who is asked, for a sentence.
        @return: the answer's payload; fails with `RadioError`.
        """
        if len(self._questions) >= MAX_QUESTIONS:
            return fail(TooManyRequests(f"{MAX_QUESTIONS} questions are under way: try again."))
        self._next += 1
        name = f"{self._secret}{self._next:x}".encode()
        asked = replace(
            message,
            response_topic=self.topic,
            correlation_data=name,
            expires_after=max(1, int(seconds)),
        )
        answered: Deferred[bytes] = Deferred(lambda _: self._forget(name))
        self._questions[name] = _Question(answered, self._clock.seconds() + seconds, who)
        if not self._broker.publish(asked, at_least_once=True):
            del self._questions[name]
            return fail(RadioOffline("The broker takes no more at the moment, or is away."))
        if self._timer is None:
            self._timer = self._clock.callLater(LOOK, self._look)
        return answered

    def _forget(self, name: bytes) -> None:
        self._questions.pop(name, None)

    def _heard(self, message: Message) -> None:
        question = self._questions.pop(message.correlation_data or b"", None)
        if question is None:
            self.late += 1
        elif len(message.payload) > MAX_ANSWER:
            question.answered.errback(RadioError(f"The answer of {question.who} is too large."))
        else:
            question.answered.callback(message.payload)

    def _look(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        for name, question in list(self._questions.items()):
            if question.deadline <= now and self._questions.get(name) is question:
                del self._questions[name]
                error = NoAnswer(f"{question.who} does not answer.")
                error.sent = True
                question.answered.errback(error)
        if self._questions and self._timer is None:
            self._timer = self._clock.callLater(LOOK, self._look)
