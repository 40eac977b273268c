"""Tells the service manager how the gateway is: that it is ready, that it turns, and in words how
the radio is.

The watchdog is about the program alone: it is told from a timed call of the reactor, so that a
program that is caught in anything is started anew. A radio that is away or silent is no reason to
end the program, which looks for it anyway, and keeps the clients meanwhile: it is said in words.
"""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.app.gateway import Gateway
from zbtwist.radio.events import LinkDown, LinkFailed, LinkUp, NetworkLeft
from zbtwist.runtime.service_manager import ServiceManager

#: Seconds between two looks at how the gateway is, where no watchdog sets the pace.
LOOK = 10.0

#: Seconds after which the gateway is ready, though ports do not open: what waits for it waits long
#: enough, and systemd does not take it for one that does not start.
READY_LIMIT = 20.0


class Supervised(Service):
    """Tells the manager. It starts after the rest of the gateway, and stops before it."""

    log = Logger()

    def __init__(self, gateway: Gateway, clock: IReactorTime, manager: ServiceManager) -> None:
        self._gateway = gateway
        self._clock = clock
        self._manager = manager
        self._said = ""
        self._call: IDelayedCall | None = None
        self._opening: Deferred[None] | None = None
        if manager.is_there:
            for kind in (LinkUp, LinkFailed, NetworkLeft):
                gateway.bus.subscribe(kind, lambda event: self._say())
            gateway.bus.subscribe(LinkDown, self._down)

    def startService(self) -> None:
        super().startService()
        if self._manager.is_there:
            # Not at once: the reactor does not turn yet, and heeds no signals.
            self._call = self._clock.callLater(0, self._begin)

    def _begin(self) -> None:
        # Whoever waits for the gateway to be ready wants its ports.
        self._opening = self._gateway.bindings.settled().addTimeout(READY_LIMIT, self._clock)
        self._opening.addErrback(lambda failure: failure.trap(TimeoutError) and None)
        self._opening.addCallback(self._ready).addErrback(self._failed)
        self._tick()

    def stopService(self) -> None:
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._opening is not None:
            opening, self._opening = self._opening, None
            opening.cancel()
        self._manager.tell(STOPPING="1", STATUS="The gateway stops.")

    def _ready(self, _: None) -> None:
        self._opening = None
        self._manager.ready()

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("The service manager was not told that it is ready", failure=failure)

    def _tick(self) -> None:
        watchdog = self._manager.watchdog
        self._call = self._clock.callLater(watchdog / 2 or LOOK, self._tick)
        if watchdog:
            self._manager.tell(WATCHDOG="1")
        self._say()

    def _down(self, event: LinkDown) -> None:
        if not event.is_noise:
            self._say()

    def _say(self) -> None:
        """Say how the gateway is, if that is news."""
        status = self._status()
        if self.running and status != self._said:
            self._said = status
            self._manager.tell(STATUS=status)

    def _status(self) -> str:
        radio = self._gateway.radio
        facts = radio.coordinator.facts
        if facts is None:
            said = f"No radio on {radio.radio_name}: {radio.coordinator.offline_reason}"
        elif facts.problem:
            said = f"The radio on {radio.radio_name} is in no network."
        else:
            said = (
                f"The radio on {radio.radio_name} is up. {radio.coordinator.line.problem}".rstrip()
            )
        bindings = self._gateway.bindings
        said += f" Nodes: {len(self._gateway.network.nodes)}, clients: {bindings.clients}."
        return f"{said} {bindings.store_problem}".rstrip()
