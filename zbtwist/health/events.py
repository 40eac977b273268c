"""What happens to the health of nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from twisted.logger import LogLevel

from zbtwist.health.state import PROBLEMS, Condition, Health
from zbtwist.network.events import NodeEvent
from zbtwist.runtime.event_bus import LogSeverity, Plain

#: What is said of a node that is no problem, followed by why if there is something to say.
_WORDS = {
    Health.WEAK: "is hard to reach.",
    Health.UNKNOWN: "was not heard yet.",
    Health.ASLEEP: "is asleep, as end devices are.",
    Health.OK: "is well.",
}

#: Between these and OK nothing has happened that a person wants to read in the log.
_QUIET = frozenset((Health.OK, Health.ASLEEP, Health.UNKNOWN))


@dataclass(frozen=True)
class HealthChanged(NodeEvent):
    """A node is not any more as it was.

    @ivar condition: how it is.
    @ivar before: how it was.
    """

    name: ClassVar = "health_changed"
    condition: Condition
    before: Condition

    @property
    def level(self) -> LogSeverity | None:
        if self.condition.health in PROBLEMS:
            return LogLevel.warn
        if self.condition.health in _QUIET and self.before.health in _QUIET:
            return LogLevel.debug
        return LogLevel.info

    def __str__(self) -> str:
        health, why = self.condition.health, self.condition.why
        if health in PROBLEMS:
            return f"{self.node}: {why}"
        words = _WORDS[health]
        if health is Health.OK and self.before.health in PROBLEMS:
            words = "is well again."
        return f"{self.node} {words} {why}".rstrip()

    def values(self) -> dict[str, Plain]:
        values = super().values()
        del values["condition"]
        return {
            **values,
            "health": self.condition.health.value,
            "before": self.before.health.value,
            "since": self.condition.since,
            "why": self.condition.why,
        }
