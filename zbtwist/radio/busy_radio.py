"""A radio that answers a command with an error since it is busy, mostly with its start: it is asked
again before that is believed.

The status says "error", and not why (01: 90000976 and 90001539, "AT Command Response"). A command
that the firmware does not have is answered in another way (02), at once and for good.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.application.internet import backoffPolicy
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from zbtwist.radio.errors import ATRefused
from zbtwist.xbee.status import ATStatus

T = TypeVar("T")

#: So many errors, one after the other, are believed.
ERRORS = 5
_pause = backoffPolicy(0.1, 0.8, 2.0, jitter=lambda: 0.0)
#: Seconds from each of them to the next question.
PAUSES = tuple(map(_pause, range(ERRORS - 1)))


async def when_ready(clock: IReactorTime, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask a radio something, some times if it answers with an error.

    @param clock: times the pauses.
    @param ask: asks, as `zbtwist.radio.coordinator.Coordinator.at` does.
    @return: what `ask` returned.
    @raise RadioError: what `ask` raised the last time.
    """
    for pause in PAUSES:
        try:
            return await ask()
        except ATRefused as error:
            if error.status != ATStatus.ERROR:
                raise
        await deferLater(clock, pause)
    return await ask()
