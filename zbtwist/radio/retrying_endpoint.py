"""An endpoint that tries until it is connected, and says each time why it is not."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.task import deferLater
from zope.interface import implementer

from zbtwist.radio.errors import SerialOpenError
from zbtwist.runtime.one_try import connect_within

#: Seconds between two tries to open the radio. An open that fails costs next to nothing.
OPEN_RETRY = 0.3
#: Seconds that one try may take: a serial server that is there answers sooner, or not at all.
OPEN_TIMEOUT = 5.0


@implementer(IStreamClientEndpoint)
class RetryingEndpoint:
    """Connects by another endpoint, sooner or later."""

    def __init__(
        self,
        clock: IReactorTime,
        endpoint: IStreamClientEndpoint,
        name: str,
        failed: Callable[[str], None],
    ) -> None:
        """
        @param endpoint: what is tried.
        @param name: the endpoint, as the user wrote it.
        @param failed: called after each try that failed, with a sentence that says why.
        """
        self._clock = clock
        self._endpoint = endpoint
        self._name = name
        self._failed = failed

    def __repr__(self) -> str:
        return self._name

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        @return: fires with the protocol; only cancelling it ends the tries.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        while True:
            try:
                return await connect_within(OPEN_TIMEOUT, self._clock, self._endpoint, factory)
            except CancelledError:
                raise
            except TimeoutError:
                self._failed(_sentence(f"There was no connection within {OPEN_TIMEOUT:g} s"))
            except SerialOpenError as error:
                self._failed(str(error))
            except Exception as error:
                self._failed(_sentence(str(error) or type(error).__name__))
            await deferLater(self._clock, OPEN_RETRY)


def _sentence(text: str) -> str:
    return f"{text.rstrip('.')}: see that it is there and reachable."
