"""Keeps the radio's line open: opens it, and opens it again when it is lost.

Twisted's ClientService does that, too, but writes a line into the log for each time, and looks up
each attribute of the protocol on its way to it.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.radio.protocol import RadioProtocol


class _RadioFactory(Factory):
    noisy = False

    def __init__(self, built: Callable[[], RadioProtocol]) -> None:
        self._built = built

    def buildProtocol(self, addr: object) -> RadioProtocol:
        return self._built()


class KeptLine(Service):
    """Has a line while it runs, sooner or later."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        endpoint: IStreamClientEndpoint,
        build: Callable[[], RadioProtocol],
        delay: Callable[[], float],
    ) -> None:
        """
        @param endpoint: goes on until it is connected, or cancelled.
        @param build: makes the protocol of a line.
        @param delay: says, when a line is lost, in how many seconds it is to be opened again.
        """
        self._clock = clock
        self._endpoint = endpoint
        self._factory = _RadioFactory(self._build)
        self._make = build
        self._delay = delay
        # The last one that was made, and the one that is connected.
        self._made: RadioProtocol | None = None
        self._line: RadioProtocol | None = None
        self._keeping: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        if self._keeping is None:
            self._keeping = Deferred.fromCoroutine(self._keep())
            self._keeping.addErrback(self._failed)

    def stopService(self) -> Deferred[None]:
        """
        @return: fires when the line is closed.
        """
        super().stopService()
        if self._line is None:
            if self._keeping is not None:
                self._keeping.cancel()
            return succeed(None)
        closed: Deferred[None] = Deferred()
        self._line.gone.addCallback(lambda _: closed.callback(None))
        if self._line.transport is not None:
            self._line.transport.loseConnection()
        return closed

    async def _keep(self) -> None:
        try:
            while self.running:
                await self._endpoint.connect(self._factory)
                self._line = self._made
                assert self._line is not None
                await self._line.gone
                self._line = None
                if self.running:
                    await deferLater(self._clock, self._delay())
        finally:
            self._line = self._keeping = None

    def _build(self) -> RadioProtocol:
        self._made = self._make()
        return self._made

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("The line of the radio is not opened any more", failure=failure)
