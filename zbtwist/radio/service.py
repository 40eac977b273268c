"""Keeps the link to the radio: open, bring up, watch, reopen.

Twisted's ClientService opens and reopens. Its wait between tries starts short, so that a radio that
is plugged in again is found at once, and grows while opening or bring-up go on failing. Bring-up
runs when the port is open, and again on the same link when the radio says that it was reset, since
what bring-up sets does not outlive a reset.
"""

from __future__ import annotations

from typing import Any

from twisted.application.internet import ClientService, backoffPolicy
from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.radio.bring_up import bring_up
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.errors import RadioError
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.xbee.address import format_address64
from zbtwist.xbee.frames import Frame, ModemStatus
from zbtwist.xbee.status import MODEM_HARDWARE_RESET, MODEM_WATCHDOG_RESET, modem_status_text

#: Seconds before the first and between the last tries to open the radio, and what they grow by.
FIRST_RETRY = 0.25
LAST_RETRY = 5.0
RETRY_FACTOR = 1.5


def abort_connection(transport: Any) -> None:
    """Close a transport without writing what is buffered, where it can do that."""
    getattr(transport, "abortConnection", transport.loseConnection)()


_RESETS = (MODEM_HARDWARE_RESET, MODEM_WATCHDOG_RESET)


class _RadioFactory(Factory):
    noisy = False

    def __init__(self, service: RadioService) -> None:
        self._service = service

    def buildProtocol(self, addr: object) -> RadioProtocol:
        return self._service._build_protocol()


@implementer(IStreamClientEndpoint)
class _ReportingEndpoint:
    """Tells the service why a connection failed, which ClientService keeps to itself."""

    def __init__(self, endpoint: IStreamClientEndpoint, service: RadioService) -> None:
        self._endpoint = endpoint
        self._service = service

    def __repr__(self) -> str:
        return repr(self._endpoint)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        connecting: Deferred[IProtocol] = self._endpoint.connect(protocolFactory)
        connecting.addErrback(self._service._open_failed)
        return connecting


class RadioService(MultiService):
    """
    @ivar coordinator: the radio, for the rest of the program; it outlives every link.
    @ivar protocol: the serial line while it is open, with its counters.
    """

    log = Logger()

    def __init__(
        self,
        clock: Any,
        endpoint: IStreamClientEndpoint,
        coordinator: Coordinator,
        name: str,
        api_mode: int | None = None,
    ) -> None:
        """
        @param clock: the reactor.
        @param endpoint: where the radio is.
        @param name: the endpoint, as the user wrote it, for the log.
        @param api_mode: 1 or 2 if the user named one; what the radio says counts all the same.
        """
        super().__init__()
        self.coordinator = coordinator
        self.protocol: RadioProtocol | None = None
        self._clock = clock
        self._name = name
        self._wanted_mode = api_mode
        self._last_mode = api_mode or 1
        self._bringing_up: Deferred[None] | None = None
        self._failures = 0
        self._reported = ""
        self._connect_to(endpoint)

    def _connect_to(self, endpoint: IStreamClientEndpoint) -> None:
        backoff = backoffPolicy(FIRST_RETRY, LAST_RETRY, RETRY_FACTOR, jitter=lambda: 0.0)
        self._connecting = ClientService(
            _ReportingEndpoint(endpoint, self),
            _RadioFactory(self),
            # ClientService forgets its failures once a port is open; ours include bring-up.
            retryPolicy=lambda attempt: backoff(self._failures),
            clock=self._clock,
        )
        self._connecting.setServiceParent(self)

    def replace_endpoint(
        self, endpoint: IStreamClientEndpoint, name: str, api_mode: int | None
    ) -> None:
        """The radio is somewhere else from now on: leave the old one and open the new one."""
        left = maybeDeferred(self._connecting.disownServiceParent)
        if self.protocol is not None:
            abort_connection(self.protocol.transport)
        self._name = name
        self._wanted_mode = api_mode
        self._failures = 0
        self._reported = ""
        left.addCallback(lambda _: self._connect_to(endpoint))

    def stopService(self) -> Deferred[Any]:
        stopped: Deferred[Any] = super().stopService()
        self._stop_bring_up()
        self.coordinator.link_down("The gateway is stopping.")
        self.coordinator.close()
        if self.protocol is not None:
            # Nobody reads the rest any more, and a line that takes nothing must not hold us up.
            abort_connection(self.protocol.transport)
        return stopped

    # --- opening -------------------------------------------------------------------------------

    def _build_protocol(self) -> RadioProtocol:
        return RadioProtocol(
            self._clock, self._last_mode, self._frame_received, self._opened, self._lost
        )

    def _open_failed(self, failure: Failure) -> Failure:
        if not failure.check(CancelledError):
            self._failed(failure.getErrorMessage() or str(failure.type))
        return failure

    def _failed(self, sentence: str) -> None:
        self._failures += 1
        self.coordinator.link_down(sentence)
        if sentence != self._reported:
            self._reported = sentence
            self.log.warn(
                "No radio on {name}: {sentence} The gateway goes on trying.",
                name=self._name,
                sentence=sentence,
            )

    def _opened(self, protocol: RadioProtocol) -> None:
        self.protocol = protocol
        self.coordinator.link_up(protocol.send)
        self._start_bring_up(protocol)

    def _lost(self, protocol: RadioProtocol, reason: Failure) -> None:
        if protocol is not self.protocol:
            return
        self.protocol = None
        self._stop_bring_up()
        if self.coordinator.facts is not None:
            self.log.warn("The link to the radio on {name} is lost.", name=self._name)
            self.coordinator.link_down("The link to the radio is lost; the gateway reopens it.")
        elif self.running:
            self.coordinator.link_down(self.coordinator.offline_reason)

    # --- bring-up ------------------------------------------------------------------------------

    def _start_bring_up(self, protocol: RadioProtocol) -> None:
        self._stop_bring_up()
        self._bringing_up = Deferred.fromCoroutine(self._bring_up(protocol))
        self._bringing_up.addErrback(self._bring_up_failed, protocol)

    def _stop_bring_up(self) -> None:
        if self._bringing_up is not None:
            self._bringing_up.cancel()
            self._bringing_up = None

    async def _bring_up(self, protocol: RadioProtocol) -> None:
        facts = await bring_up(self.coordinator, protocol.set_api_mode)
        self._last_mode = facts.api_mode
        self._failures = 0
        self._reported = ""
        if self._wanted_mode not in (None, facts.api_mode):
            self.log.warn(
                "The radio is in API mode {mode}, not {wanted} as --api-mode says; it is taken "
                "as it is.",
                mode=facts.api_mode,
                wanted=self._wanted_mode,
            )
        self.log.info(
            "The radio {address} on {name} is up: firmware {firmware}, API mode {mode}, "
            "PAN {pan}, payloads of {payload} bytes.",
            address=format_address64(facts.address64),
            name=self._name,
            firmware=f"{facts.firmware_version:04x}",
            mode=facts.api_mode,
            pan=f"{facts.operating_pan_id:016x}",
            payload=facts.payload_limit,
        )
        if not facts.joined:
            self.log.warn(
                "The radio is not in a network yet (AI={association}); nodes appear when it is.",
                association=f"{facts.association:02x}",
            )
        self.coordinator.ready(facts)

    def _bring_up_failed(self, failure: Failure, protocol: RadioProtocol) -> None:
        if protocol is not self.protocol or failure.check(CancelledError):
            return
        if failure.check(RadioError):
            self._failed(failure.getErrorMessage())
        else:
            self.log.failure("Bringing the radio up failed", failure=failure)
            self._failed("The radio could not be set up; see the log.")
        abort_connection(protocol.transport)

    def _frame_received(self, frame: Frame) -> None:
        if isinstance(frame, ModemStatus):
            self.log.info("The radio says: {status}.", status=modem_status_text(frame.status))
            if frame.status in _RESETS and self.protocol is not None:
                self._stop_bring_up()
                self.coordinator.link_down("The radio was reset; the gateway sets it up again.")
                self.coordinator.link_up(self.protocol.send)
                self._start_bring_up(self.protocol)
                return
        self.coordinator.frame_received(frame)
