"""Twisted's epoll reactor, with a shorter way to what can be read.

Twisted looks up a log prefix and enters a context for each event, and looks through its timed calls
twice. For the gateway that is a good part of the time that a message takes, most of all when the
processor has slept before and finds its caches cold. Nearly every event says just that something
can be read, and is followed by another one: it is read here, at once, and the next is waited for.
All else is left to Twisted.

It leans on some private names of `EPollReactor`. If one of them is missing, it is not used.
"""

from __future__ import annotations

import sys
from select import EPOLLIN

import twisted
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.logger import Logger
from twisted.python import log

#: Events that are taken at once. The kernel keeps the rest for the next time.
MAX_EVENTS = 256

#: Seconds that are waited at once. What is due later has its turn of the loop then.
MAX_WAIT = 3600.0


class QuickReactor(EPollReactor):
    """See `twisted.internet.epollreactor.EPollReactor`."""

    _quick_log = Logger()

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events and handle them.

        @param timeout: seconds to wait for the first, None for as long as it takes.
        """
        selectables = self._selectables
        for descriptor, event in self._poller.poll(timeout, MAX_EVENTS):
            # One that came before it may have closed it.
            selectable = selectables.get(descriptor)
            if selectable is None:
                continue
            if event != EPOLLIN:
                log.callWithLogger(selectable, self._doReadOrWrite, selectable, descriptor, event)
                continue
            try:
                why = selectable.doRead()
            except BaseException as error:
                self._quick_log.failure("What came to {what} was not handled", what=selectable)
                why = error
            if why:
                log.callWithLogger(selectable, self._disconnectSelectable, selectable, why, True)

    def doIteration(self, timeout: float | None) -> None:
        """What the reactor's loop calls: wait for events and handle them, until there is something
        else to do: a timed call that is due or new, a call from another thread, the end.

        @param timeout: seconds to wait for the first, None for as long as it takes.
        """
        self.doPoll(timeout)
        while timeout and timeout > 0:
            if self._newTimedCalls or self.threadCallQueue or self._justStopped or not self.running:
                return
            timed = self._pendingTimedCalls
            timeout = min(timed[0].time - self.seconds(), MAX_WAIT) if timed else 0
            if timeout > 0:
                self.doPoll(timeout)


#: What it leans on of Twisted's, and what no release of it has promised to keep.
LEANED_ON = (
    *("_selectables", "_poller", "_doReadOrWrite", "_disconnectSelectable"),
    *("_newTimedCalls", "_pendingTimedCalls", "_justStopped", "threadCallQueue"),
)


def make() -> EPollReactor:
    """Return the reactor; Twisted's own if that one has not all that ours leans on."""
    own = EPollReactor()
    missing = [name for name in LEANED_ON if not hasattr(own, name)]
    if not missing:
        return QuickReactor()
    QuickReactor._quick_log.warn(
        "Twisted {version} is built otherwise than ours of its reactors expects (there is no "
        "{missing}): its own is used, and each message takes a little longer.",
        version=twisted.__version__,
        missing=", ".join(missing),
    )
    return own


def install() -> None:
    """Make it the reactor, unless there is one: `twistd --reactor` may have named another."""
    if "twisted.internet.reactor" not in sys.modules:
        installReactor(make())
