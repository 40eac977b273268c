"""The gateway's process: it may stand still, sleep with its computer, or be killed.

The world goes on meanwhile. What comes to the process waits as it would in the kernel, and its
timed calls come late, all at once. `Process` is the reactor as the gateway sees it;
`ProcessEndpoint` is its way to the radio.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer, providedBy

from zbtwist.simulator.endpoint import SimulatorEndpoint

#: Bytes that the kernel keeps for a program that does not read its serial port: a terminal's
#: flip buffers hold as many (Linux, drivers/tty/tty_buffer.c).
KERNEL_BUFFER = 65536

#: Bytes that a USB adapter keeps while its computer asks for none (FT232R data sheet: 256 bytes).
ADAPTER_BUFFER = 256

#: Seconds between what a process that goes on does first and what it does then.
_THEN = 1e-6

#: Seconds, the least that the clock of the world goes on by.
_SHORTEST = 1e-9


class Process:
    """A reactor that runs while the process does.

    @ivar is_running: False while it stands still, and when it is dead.
    @ivar is_dead: it was killed.
    """

    def __init__(self, clock: Any) -> None:
        """
        @param clock: the time of the world, which does not stand still.
        """
        self._clock = clock
        self._goes_on_at = 0.0
        self._lag = 0.0
        self._waiting: list[tuple[object, Callable[[], object]]] = []
        self._room = KERNEL_BUFFER
        self.is_running = True
        self.is_dead = False
        directlyProvides(self, providedBy(clock))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clock, name)

    # --- IReactorTime ---------------------------------------------------------------------------

    def seconds(self) -> float:
        """What its monotonic clock says."""
        seconds: float = self._clock.seconds()
        return seconds - self._lag

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kw: object
    ) -> IDelayedCall:
        if not self.is_running:
            delay = max(delay, self._goes_on_at + _THEN - self._clock.seconds())
        if 0 < delay < _SHORTEST:
            # A process that has slept has a finer clock than the world, which would not go on.
            delay = _SHORTEST
        call: Any = self._clock.callLater(delay, callable, *args, **kw)
        call.process = self
        delayed: IDelayedCall = call
        return delayed

    def getDelayedCalls(self) -> list[Any]:
        return [call for call in self._clock.calls if getattr(call, "process", None) is self]

    # --- standing still -------------------------------------------------------------------------

    def stand_still(
        self, seconds: float, *, clock_goes_on: bool = True, room: int = KERNEL_BUFFER
    ) -> None:
        """Do nothing for a while.

        @param clock_goes_on: whether its monotonic clock does, as that of a process which was
            stopped; that of a computer which sleeps stands still.
        @param room: bytes of its serial line that are kept for it.
        """
        if not self.is_running:
            return
        self.is_running = False
        self._room = room
        self._goes_on_at = now = self._clock.seconds() + seconds
        # What has come is looked at first, and then the clock, as a reactor does that waited.
        self._clock.callLater(seconds, self._go_on, 0.0 if clock_goes_on else seconds)
        for call in self.getDelayedCalls():
            if not clock_goes_on:
                call.time += seconds
            call.time = max(call.time, now + _THEN)
        self._clock.calls.sort(key=lambda call: call.time)

    def _go_on(self, lag: float) -> None:
        if self.is_dead:
            return
        self.is_running = True
        self._lag += lag
        waiting, self._waiting = self._waiting, []
        for _, function in waiting:
            function()

    def kill(self) -> None:
        """Nothing of it runs any more."""
        self.is_running = False
        self.is_dead = True
        self._waiting.clear()
        for call in self.getDelayedCalls():
            call.cancel()

    # --- what comes from outside ----------------------------------------------------------------

    def enter(self, key: object, function: Callable[[], object]) -> None:
        """Let the process do something, now or when it goes on again.

        @param key: what it is about, for `forget`.
        """
        if self.is_running:
            function()
        elif not self.is_dead:
            self._waiting.append((key, function))

    def keep(self, data: bytes) -> bytes:
        """Return what is kept of bytes that come while it stands still."""
        kept = data[: self._room]
        self._room -= len(kept)
        return kept

    def forget(self, key: object) -> None:
        """What waits and is about this does not come any more."""
        self._waiting = [one for one in self._waiting if one[0] is not key]


class _Way(Protocol):
    """Between the serial line and the gateway's protocol."""

    def __init__(self, process: Process, inner: IProtocol) -> None:
        self._process = process
        self._inner = inner

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        self._process.enter(None, lambda: self._inner.makeConnection(transport))

    def dataReceived(self, data: bytes) -> None:
        if self._process.is_running:
            self._inner.dataReceived(data)
            return
        data = self._process.keep(data)
        if data:
            self._process.enter(self, lambda: self._inner.dataReceived(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # A terminal that hangs up forgets what nobody has read.
        self._process.forget(self)
        self._process.enter(None, lambda: self._inner.connectionLost(reason))


@implementer(IProtocolFactory)
class _WayFactory:
    noisy = False

    def __init__(self, process: Process, inner: IProtocolFactory) -> None:
        self._process = process
        self._inner = inner
        self.made: IProtocol | None = None
        self.way: _Way | None = None

    def doStart(self) -> None:
        self._inner.doStart()

    def doStop(self) -> None:
        self._inner.doStop()

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        self.made = self._inner.buildProtocol(addr)
        if self.made is not None:
            self.way = _Way(self._process, self.made)
        return self.way


@implementer(IStreamClientEndpoint)
class ProcessEndpoint:
    """The radio, as a process that may stand still connects to it."""

    def __init__(self, process: Process, endpoint: SimulatorEndpoint) -> None:
        self._process = process
        self._endpoint = endpoint
        self._factory: _WayFactory | None = None

    def close(self) -> None:
        """Close what the process had open; it is no more."""
        way = None if self._factory is None else self._factory.way
        if way is not None and way.transport is not None:
            transport: Any = way.transport
            transport.abortConnection()

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        self._factory = factory = _WayFactory(self._process, protocolFactory)
        attempt = self._endpoint.connect(factory)
        connected: Deferred[IProtocol] = Deferred(lambda _: attempt.cancel())

        def made(protocol: object) -> None:
            if not connected.called:
                connected.callback(factory.made)  # type: ignore[arg-type]

        def failed(failure: Failure) -> None:
            if not connected.called:
                connected.errback(failure)

        attempt.addCallbacks(
            lambda protocol: self._process.enter(None, lambda: made(protocol)),
            lambda failure: self._process.enter(None, lambda: failed(failure)),
        )
        return connected
