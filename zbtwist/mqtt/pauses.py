"""How long it takes until the next try to connect to a broker.

The pause grows, since a broker may have thousands of clients that all come back at once; for the
same reason chance makes it longer. It is longer still where only a person can help: a wrong
password, or another client with the same client id, with which this one would take turns for ever.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from twisted.application.internet import backoffPolicy

from zbtwist.mqtt.owner import Ending
from zbtwist.mqtt.reasons import LASTING, SESSION_TAKEN_OVER

#: Seconds before the first and between the last tries; and where a person has to do something.
FIRST, LAST = 1.0, 60.0
FIRST_SLOW, LAST_SLOW = 10.0, 600.0
_pause = backoffPolicy(FIRST, LAST, 2.0, jitter=lambda: 0.0)
_slow_pause = backoffPolicy(FIRST_SLOW, LAST_SLOW, 2.0, jitter=lambda: 0.0)

#: The share of a pause that chance adds to it at the most.
JITTER = 0.25

#: A connection that lasted for so many seconds, and for twice the pause before it, was a good one:
#: the next pause is a first one.
STEADY = 10.0


class Pauses:
    """Those of one broker."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        """
        @param chance: returns numbers from 0 to 1.
        """
        self._chance = chance
        self._tries = 0
        self._last = 0.0

    def begin_anew(self) -> None:
        """The next one is a first one: it is another broker, or a person wants it."""
        self._tries = 0

    def after(self, ending: Ending, lasted: float) -> float:
        """Return the seconds until the next try.

        @param ending: what came of the last.
        @param lasted: seconds for which there was a connection, 0 for none.
        """
        if lasted >= max(STEADY, 2 * self._last):
            self._tries = 0
        is_slow = ending.code in LASTING or ending.code == SESSION_TAKEN_OVER
        pause = (_slow_pause if is_slow else _pause)(self._tries)
        self._tries += 1
        self._last = pause * (1 + JITTER * self._chance())
        return self._last
