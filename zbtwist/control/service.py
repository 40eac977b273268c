"""Listens for the control API, and goes on trying while its port is taken."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IDelayedCall,
    IListeningPort,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.logger import Logger

from zbtwist.listening import advice

#: Seconds between two tries.
RETRY = 5.0


class ControlService(Service):
    """Serves a site at an endpoint. A taken port is a line in the log, not the end."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        endpoint: IStreamServerEndpoint,
        site: IProtocolFactory,
        name: str,
    ) -> None:
        """
        @param name: the endpoint as the user wrote it, for the log.
        """
        self._clock = clock
        self._endpoint = endpoint
        self._site = site
        self._name = name
        self._listening: IListeningPort | None = None
        self._retry: IDelayedCall | None = None
        self._reported = False

    def startService(self) -> None:
        super().startService()
        Deferred.fromCoroutine(self._listen()).addErrback(
            lambda failure: self.log.failure("The control port failed", failure=failure)
        )

    async def _listen(self) -> None:
        self._retry = None
        try:
            self._listening = await self._endpoint.listen(self._site)
        except (CannotListenError, OSError) as error:
            if not self._reported:
                self._reported = True
                self.log.error(
                    "The control API cannot listen on {name}: {reason}; --control names another "
                    "port. The gateway goes on trying.",
                    name=self._name,
                    reason=advice(error),
                )
            if self.running:
                self._retry = self._clock.callLater(RETRY, self.startService)
        else:
            self._reported = False
            self.log.info("The control API is on {name}.", name=self._name)

    def replace_endpoint(self, endpoint: IStreamServerEndpoint, name: str) -> None:
        """Listen somewhere else from now on."""
        self._endpoint = endpoint
        self._name = name
        self._reported = False
        if self.running:
            maybeDeferred(self.stopService).addCallback(lambda _: self.startService())

    def stopService(self) -> Any:
        super().stopService()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        listening, self._listening = self._listening, None
        return listening.stopListening() if listening is not None else None
