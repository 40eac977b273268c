"""Says that the gateway stops already, to whoever tells it so once more.

Closing what is open and saving what is known may take some seconds, in which Control-C is pressed
again. Twisted would answer with a traceback: its reactor cannot be stopped twice.
"""

from __future__ import annotations

import signal
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger


class Stopping(Service):
    """From the stop on, takes what would stop the program."""

    log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def stopService(self) -> None:
        super().stopService()
        for number in (signal.SIGINT, signal.SIGTERM):
            # What is ignored, as by nohup, or ends the program at once, stays as it is.
            if callable(signal.getsignal(number)):
                signal.signal(number, lambda *_: self._reactor.callFromThread(self._say))

    def _say(self) -> None:
        self.log.info("The gateway stops already: it closes what is open and saves what it knows.")
