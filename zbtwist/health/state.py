"""How a node can be: the one definition of it. docs/health.rst says the same to people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Health(Enum):
    """How a node is, the worst first. The values are the names that programs know."""

    NOT_ANSWERING = "not-answering"
    LOSING = "losing"
    SILENT = "silent"
    WEAK = "weak"
    UNKNOWN = "unknown"
    ASLEEP = "asleep"
    OK = "ok"


#: What somebody should look after.
PROBLEMS = frozenset((Health.NOT_ANSWERING, Health.LOSING, Health.SILENT))

#: A moment: seconds of the reactor's clock, and seconds since 1970.
Moment: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Condition:
    """How a node is, and why.

    @ivar since: since when, seconds since 1970; 0 if that is not known.
    @ivar why: in a sentence.
    """

    health: Health
    since: float
    why: str
