"""What clients of the broker want to be done, whether it is a request for an operation or a setting
of a node: in a bounded number, in time that the streams can spare, and answered where they say.

Whatever comes is a stranger's word. What the broker has kept is no request of anybody's who is
there now: it is ignored. What has waited here until it was out of date is not done. An answer goes
to no topic under which gateways listen or speak, so that nobody can have them talk to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from zbtwist.control.faults import (
    BAD_REQUEST,
    GATEWAY_FAILED,
    NOT_ALLOWED,
    ControlFault,
    bad_request,
    shown,
)
from zbtwist.control.operations.table import Operation
from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.settings import ALL_COMMANDS, NO_COMMANDS
from zbtwist.mqtt.site_topics import is_of_gateways
from zbtwist.mqtt.topics import is_topic
from zbtwist.runtime.repeats import Interval
from zbtwist.runtime.serial_queue import SerialQueue
from zbtwist.runtime.work_turns import WorkTurns
from zbtwist.site.in_json import CONTENT_TYPE, written

#: Bytes that one brings, with its topics, and those of an answer.
MAX_REQUEST = 1 << 17
MAX_ANSWER = 1 << 19

#: How many are in hand, and how many of those for one thing that has them one after the other.
MAX_IN_HAND = 64
MAX_IN_LINE = 8

#: How many more are told in a second that there are too many; the rest is dropped.
MAX_REFUSALS = 20

#: Seconds from one line of the log on requests that are not as they should be to the next of their
#: kind: requests, settings, and bytes for nodes.
SAID_EACH = 10.0

#: What is to be done: an operation, and its arguments.
Wanted: TypeAlias = tuple[Operation, list[object]]


class DeskSettings(Protocol):
    """What this needs of the settings; see `zbtwist.mqtt.settings.MQTTSettings`."""

    @property
    def base(self) -> str: ...
    @property
    def commands(self) -> str: ...


@dataclass(slots=True)
class _Job:
    """
    @ivar message: who asks, and how he is answered.
    @ivar understand: returns what is wanted, or raises a `ControlFault`.
    @ivar came: when it came, seconds of the clock.
    """

    message: Message
    understand: Callable[[], Wanted]
    came: float


class _Line:
    """What is done one after the other.

    @ivar length: how many are in hand.
    """

    __slots__ = ("length", "queue")

    def __init__(self) -> None:
        self.queue = SerialQueue()
        self.length = 0


class Desk:
    """Takes it, and has it done.

    @ivar settings: those in force.
    @ivar in_hand: how many are.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        broker: IBroker,
        settings: DeskSettings,
        operations: object,
        turns: WorkTurns,
    ) -> None:
        """
        @param operations: what has the methods of the operations.
        @param turns: has work done for all strangers.
        """
        self._clock = clock
        self._broker = broker
        self.settings = settings
        self._operations = operations
        self._turns = turns
        self.in_hand = 0
        self._lines: dict[Hashable, _Line] = {}
        self._refusals = 0
        self._second = clock.seconds()
        # By the level of their topics that says so, those of requests, and those of settings.
        self._intervals: dict[str, Interval] = {}
        self._has_said_kept = False

    def take(
        self, message: Message, understand: Callable[[], Wanted], in_order: Hashable = None
    ) -> None:
        """Have done what a message asks for.

        @param understand: is called when its turn has come; returns an operation and its arguments,
            or raises a `ControlFault`.
        @param in_order: what it is for, if one is to be done after the other of those.
        """
        if message.retained:
            self._say_kept(message)
            return
        if not (message.payload or message.response_topic):
            # That is how what the broker keeps is removed, whoever it is that does so.
            return
        if self.settings.commands == NO_COMMANDS:
            why = "is not done: the settings ([mqtt], commands) let nobody ask."
            self._refuse(message, why, NOT_ALLOWED)
            return
        if self._broker.is_full:
            self._say(message, "is not done: there is no way to answer at the moment.")
            return
        line = self._lines.get(in_order)
        if self.in_hand >= MAX_IN_HAND or (line is not None and line.length >= MAX_IN_LINE):
            self._refuse(message, "is not done: too much else is in hand; ask again later.")
            return
        size = len(message.payload) + len(message.correlation_data or b"")
        if size > MAX_REQUEST:
            self._refuse(message, f"has {size} bytes, and {MAX_REQUEST} are the most.", BAD_REQUEST)
            return
        if not self._can_answer(message):
            return
        self.in_hand += 1
        doing = self._do(_Job(message, understand, self._clock.seconds()))
        if in_order is None:
            Deferred.fromCoroutine(doing).addBoth(self._done)
        else:
            line = self._lines.setdefault(in_order, _Line())
            line.length += 1
            line.queue.run(doing).addBoth(self._done_in_order, in_order, line)

    def _done(self, result: object) -> None:
        self.in_hand -= 1

    def _done_in_order(self, result: object, in_order: Hashable, line: _Line) -> None:
        self._done(result)
        line.length -= 1
        if not line.length:
            del self._lines[in_order]

    # --- doing -----------------------------------------------------------------------------------

    async def _do(self, job: _Job) -> None:
        message = job.message
        await self._turns.turn()
        waited = self._clock.seconds() - job.came
        if message.expires_after is not None and waited > message.expires_after:
            return
        try:
            answer = await self._result(job)
        except ControlFault as fault:
            self._fail(message, fault)
        except Exception:
            self.log.failure("What came to {topic} failed", topic=shown(message.topic))
            self._fail(
                message,
                ControlFault(
                    GATEWAY_FAILED, "The gateway failed; look into its log for the reason."
                ),
            )
        else:
            self._answer(message, answer)

    async def _result(self, job: _Job) -> bytes:
        operation, arguments = job.understand()
        if self.settings.commands != ALL_COMMANDS and not operation.is_harmless(arguments):
            raise ControlFault(
                NOT_ALLOWED,
                f"{operation.name} changes something or reaches a node, and the settings ([mqtt], "
                "commands) let clients of the broker only look.",
            )
        return await operation.call(self._operations, arguments, self._written)

    @staticmethod
    def _written(result: Any) -> bytes:
        answer = written({"result": result})
        if len(answer) > MAX_ANSWER:
            raise bad_request(
                f"The answer has {len(answer)} bytes, and {MAX_ANSWER} are the most here: ask at "
                "the control port."
            )
        return answer

    # --- answering -------------------------------------------------------------------------------

    def _can_answer(self, message: Message) -> bool:
        topic = message.response_topic
        if not topic:
            return True
        if is_topic(topic) and not topic.startswith("$"):
            if not is_of_gateways(self.settings.base, topic):
                return True
            why = "gateways listen or speak there"
        else:
            why = "it is none"
        self._say(message, f"is to be answered at {shown(topic)}, and is not done: {why}.")
        return False

    def _fail(self, message: Message, fault: ControlFault) -> None:
        if message.response_topic:
            self._answer(message, _written_fault(fault))
        else:
            self._say(message, f"was not done: {fault.sentence}")

    def _answer(self, message: Message, answer: bytes) -> None:
        if not message.response_topic:
            return
        if not self._publish(message, answer):
            # There may be room for less.
            fault = ControlFault(GATEWAY_FAILED, "It is done; the answer was too large to be sent.")
            self._publish(message, _written_fault(fault))

    def _publish(self, message: Message, answer: bytes) -> bool:
        said = Message(
            message.response_topic,
            answer,
            content_type=CONTENT_TYPE,
            correlation_data=message.correlation_data,
        )
        return self._broker.publish(said)

    def _refuse(self, message: Message, why: str, number: int = GATEWAY_FAILED) -> None:
        """Tell that it is not done, and not as often as anybody can ask."""
        self._say(message, why)
        now = self._clock.seconds()
        if not 0 <= now - self._second < 1.0:
            self._second, self._refusals = now, 0
        self._refusals += 1
        if message.response_topic and self._refusals <= MAX_REFUSALS and self._can_answer(message):
            self._publish(message, _written_fault(ControlFault(number, f"It {why}")))

    def _say(self, message: Message, why: str) -> None:
        kind = message.topic.rpartition("/")[0].rpartition("/")[2]
        interval = self._intervals.setdefault(kind, Interval(SAID_EACH))
        if interval.is_over(self._clock.seconds()):
            self.log.warn(
                "What a client of the broker asks for at {topic} {why} Others may follow that are "
                "not said.",
                topic=shown(message.topic),
                why=why,
            )

    def _say_kept(self, message: Message) -> None:
        if not self._has_said_kept:
            self._has_said_kept = True
            self.log.warn(
                "The broker keeps what a client asked for at {topic} some time ago, and it is not "
                "done: whoever asks must not have it retained. This is said once.",
                topic=shown(message.topic),
            )


def _written_fault(fault: ControlFault) -> bytes:
    return written({"fault": fault.number, "text": fault.sentence})
