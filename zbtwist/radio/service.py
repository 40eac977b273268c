"""Keeps the link to the radio: open, bring up, watch, reopen.

Twisted's ClientService opens and reopens. The wait between tries starts short, so that a radio that
is plugged in again is found at once, and grows while opening or bring-up go on failing. Bring-up
runs when the port is open; again while the radio does not answer; and again when the radio says
that it was reset or has joined, since what bring-up sets and reads does not outlive that.
"""

from __future__ import annotations

from typing import Any

from twisted.application.internet import ClientService
from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.radio.bring_up import bring_up
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.errors import RadioError, SerialOpenError
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.radio.traffic import Traffic
from zbtwist.xbee.address import format_address64
from zbtwist.xbee.frames import Frame, ModemStatus
from zbtwist.xbee.status import (
    MODEM_COORDINATOR_STARTED,
    MODEM_HARDWARE_RESET,
    MODEM_JOINED,
    MODEM_WATCHDOG_RESET,
    modem_status_text,
)

#: Seconds before the first and between the last tries to open the radio, and what they grow by.
FIRST_RETRY = 0.25
LAST_RETRY = 5.0
RETRY_FACTOR = 1.5


def abort_connection(transport: Any) -> None:
    """Close a transport without writing what is buffered, where it can do that."""
    getattr(transport, "abortConnection", transport.loseConnection)()


_RESETS = (MODEM_HARDWARE_RESET, MODEM_WATCHDOG_RESET)
_JOINS = (MODEM_JOINED, MODEM_COORDINATOR_STARTED)


class _RadioFactory(Factory):
    noisy = False

    def __init__(self, service: RadioService) -> None:
        self._service = service

    def buildProtocol(self, addr: object) -> RadioProtocol:
        return self._service._build_protocol()


@implementer(IStreamClientEndpoint)
class _PatientEndpoint:
    """Tries until it is connected. ClientService would write a line into the log for each try, and
    keep the reason to itself.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, service: RadioService) -> None:
        self._endpoint = endpoint
        self._service = service

    def __repr__(self) -> str:
        return self._service.radio_name

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        while True:
            try:
                protocol: IProtocol = await self._endpoint.connect(factory)
            except CancelledError:  # noqa: PERF203
                raise
            except Exception as error:
                await self._service.open_failed(error)
            else:
                return protocol


class RadioService(MultiService):
    """
    @ivar coordinator: the radio, for the rest of the program; it outlives every link.
    @ivar protocol: the serial line while it is open, with its counters.
    @ivar traffic: what has passed on the serial line, over all links.
    @ivar radio_name: the endpoint of the radio, as the user wrote it.
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
        self.traffic = Traffic()
        self._clock = clock
        self.radio_name = name
        self._wanted_mode = api_mode
        self._last_mode = api_mode or 1
        self._bringing_up: Deferred[None] | None = None
        self._failures = 0
        self._reported = ""
        self._connect_to(endpoint)

    def _connect_to(self, endpoint: IStreamClientEndpoint) -> None:
        self._connecting = ClientService(
            _PatientEndpoint(endpoint, self),
            _RadioFactory(self),
            retryPolicy=lambda attempt: FIRST_RETRY,
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
        self.radio_name = name
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
            self._clock,
            self._last_mode,
            self._frame_received,
            self._opened,
            self._lost,
            self.traffic,
        )

    def open_failed(self, error: Exception) -> Deferred[None]:
        """The radio could not be connected: say why, and fire when it is time to try again."""
        text = str(error) or type(error).__name__
        if not isinstance(error, SerialOpenError):
            text = f"{text.rstrip('.')}: see that it is there and reachable."
        self._failed(text)
        return deferLater(self._clock, self._delay())

    def _delay(self) -> float:
        return min(FIRST_RETRY * RETRY_FACTOR ** min(self._failures - 1, 50), LAST_RETRY)

    def _failed(self, sentence: str) -> None:
        self._failures += 1
        self.coordinator.link_down(sentence)
        if sentence != self._reported:
            self._reported = sentence
            self.log.warn(
                "No radio on {name}: {sentence} The gateway goes on trying.",
                name=self.radio_name,
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
            self.log.warn("The link to the radio on {name} is lost.", name=self.radio_name)
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
            name=self.radio_name,
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

    def _bring_up_again(self, reason: str) -> None:
        protocol = self.protocol
        if protocol is not None:
            self._stop_bring_up()
            self.coordinator.link_down(reason)
            self.coordinator.link_up(protocol.send)
            self._start_bring_up(protocol)

    def _bring_up_failed(self, failure: Failure, protocol: RadioProtocol) -> None:
        if protocol is not self.protocol or failure.check(CancelledError):
            return
        if failure.check(RadioError):
            self._failed(failure.getErrorMessage())
        else:
            self.log.failure("Bringing the radio up failed", failure=failure)
            self._failed("The radio could not be set up; see the log.")
        # The port stays open: what does not answer now may in a moment, and would not sooner if the
        # port was closed in between.
        self._bringing_up = Deferred.fromCoroutine(self._bring_up_later(protocol))
        self._bringing_up.addErrback(self._bring_up_failed, protocol)

    async def _bring_up_later(self, protocol: RadioProtocol) -> None:
        await deferLater(self._clock, self._delay())
        self.coordinator.link_up(protocol.send)
        await self._bring_up(protocol)

    def _frame_received(self, frame: Frame) -> None:
        if isinstance(frame, ModemStatus):
            self.log.info("The radio says: {status}.", status=modem_status_text(frame.status))
            if frame.status in _RESETS:
                self._bring_up_again("The radio was reset; the gateway sets it up again.")
                return
            facts = self.coordinator.facts
            if frame.status in _JOINS and (facts is None or not facts.joined):
                # What was read of the network before is not so any more.
                self._bring_up_again("The radio has just joined its network.")
                return
        self.coordinator.frame_received(frame)
