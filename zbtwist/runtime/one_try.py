"""One try to connect, which takes so long at the most."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)


async def connect_within(
    seconds: float,
    clock: IReactorTime,
    endpoint: IStreamClientEndpoint,
    factory: IProtocolFactory,
) -> IProtocol:
    """Connect by an endpoint.

    @return: the protocol.
    @raise TimeoutError: it took too long.
    @raise CancelledError: whoever waits for it was cancelled.
    @raise Exception: what the endpoint fails with.
    """
    connecting = endpoint.connect(factory)
    # What an endpoint fails with when it is cancelled is its own affair: that of TCP has an error
    # of its own for it, which would look like a try that failed.
    connected: Deferred[IProtocol] = Deferred()
    connecting.addBoth(connected.callback)
    try:
        return await connected.addTimeout(seconds, clock)
    except (CancelledError, TimeoutError):
        connecting.cancel()
        raise
