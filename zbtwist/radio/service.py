"""Keeps the link to the radio: open, find, bring up, watch, reopen.

Twisted's ClientService opens and reopens; opening is tried a few times a second for as long as it
takes, so that a radio that is plugged in again is found at once. When the port is open the radio is
found (see `zbtwist.radio.probe`) and brought up (`zbtwist.radio.bring_up`); again and again while
it does not answer; and again when it says that it was reset or has joined, since what bring-up sets
and reads does not outlive that. A radio that is up is watched (`zbtwist.radio.heartbeat`).

A port that opens to a radio that does not answer is closed and opened anew now and then: what hangs
may be the connection to a serial server, or the USB adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from twisted.application.internet import ClientService, backoffPolicy
from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.radio.baud_rates import ISerialLine, rates_to_try
from zbtwist.radio.bring_up import bring_up
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.endpoints import SerialEndpoint
from zbtwist.radio.errors import ATRefused, RadioError
from zbtwist.radio.heartbeat import Heartbeat
from zbtwist.radio.info import RadioInfo
from zbtwist.radio.interfaces import IProtocolOwner
from zbtwist.radio.probe import AS_IT_IS, Probe, ProbePlan
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.radio.retrying_endpoint import OPEN_RETRY, RetryingEndpoint
from zbtwist.radio.statistics import Traffic
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.write_batch import WriteBatch
from zbtwist.xbee.address import Address64, format_address64
from zbtwist.xbee.frames import Frame, ModemStatus
from zbtwist.xbee.status import (
    ASSOCIATED,
    MODEM_COORDINATOR_STARTED,
    MODEM_HARDWARE_RESET,
    MODEM_JOINED,
    MODEM_LEFT,
    MODEM_WATCHDOG_RESET,
    modem_status_text,
)

#: Seconds before the first bring-up after one that failed, what they grow by, and up to what.
FIRST_RETRY = 0.25
LAST_RETRY = 1.0
RETRY_FACTOR = 1.5
_retry_delay = backoffPolicy(FIRST_RETRY, LAST_RETRY, RETRY_FACTOR, jitter=lambda: 0.0)
#: After so many bring-ups that failed on one connection it is opened anew.
REOPEN_AFTER = 5
#: After so many, an odd number, a radio that was there before is looked for everywhere.
EVERYWHERE = 7
#: Seconds that the radio may take to write its flash.
FLASH_TIMEOUT = 5.0
#: Seconds of silence after which the radio is asked whether it is there, unless the user says so.
DEFAULT_HEARTBEAT = 30.0
#: Different reasons for not being up that are remembered, so that each is said once.
_MAX_REASONS = 50
#: AI of a radio that left its network and was not asked yet; any but `ASSOCIATED` would do.
_LEFT = 0xFF


def abort_connection(transport: Any) -> None:
    """Close a transport without writing what is buffered, where it can do that."""
    getattr(transport, "abortConnection", transport.loseConnection)()


_RESETS = (MODEM_HARDWARE_RESET, MODEM_WATCHDOG_RESET)
_JOINS = (MODEM_JOINED, MODEM_COORDINATOR_STARTED)


class LinkSettings(Protocol):
    """What the link needs of the settings; see `zbtwist.config.settings.Settings`."""

    @property
    def serial(self) -> str: ...
    @property
    def baud_rate(self) -> int | None: ...
    @property
    def api_mode(self) -> int | None: ...
    @property
    def rtscts(self) -> bool: ...
    @property
    def configure(self) -> bool: ...
    @property
    def write_flash(self) -> bool: ...
    @property
    def heartbeat(self) -> float: ...
    def radio_endpoint(self, reactor: Any) -> IStreamClientEndpoint: ...


def _place(settings: LinkSettings) -> tuple[object, ...]:
    """Where the radio is, and how it is spoken to."""
    return settings.serial, settings.baud_rate, settings.api_mode, settings.rtscts


class _RadioFactory(Factory):
    noisy = False

    def __init__(self, service: RadioService) -> None:
        self._service = service

    def buildProtocol(self, addr: object) -> RadioProtocol:
        return self._service._build_protocol()


@implementer(IProtocolOwner)
class RadioService(MultiService):
    """
    @ivar frame_received: see `zbtwist.radio.interfaces.IProtocolOwner`: the coordinator's, unless
        the radio is being looked for.
    @ivar coordinator: the radio, for the rest of the program; it outlives every link.
    @ivar protocol: the serial line while it is open, with its counters.
    @ivar traffic: what has passed on the serial line, over all links.
    @ivar radio_name: the endpoint of the radio, as the user wrote it.
    @ivar configure: change the radio's API mode where it is not as wanted, and move it there from
        transparent mode. Counts from the next time on that the radio is looked for, as the
        following does.
    @ivar write_flash: with `configure`: let the radio keep its mode when it restarts.
    """

    log = Logger()

    def __init__(
        self,
        clock: Any,
        endpoint: IStreamClientEndpoint,
        coordinator: Coordinator,
        bus: EventBus,
        name: str,
        api_mode: int | None = None,
        *,
        configure: bool = False,
        write_flash: bool = False,
        heartbeat: float = DEFAULT_HEARTBEAT,
        burst: WriteBatch | None = None,
    ) -> None:
        """
        @param clock: the reactor.
        @param endpoint: where the radio is.
        @param bus: is told what passes on the line.
        @param name: the endpoint, as the user wrote it, for the log.
        @param api_mode: 1 or 2 if the user named one. Without `configure`, what the radio says
            counts all the same.
        @param heartbeat: seconds of silence after which the radio is asked whether it is there; 0
            for never.
        @param burst: told when frames that were read at once begin and end.
        """
        super().__init__()
        self._burst = burst or WriteBatch()
        self.coordinator = coordinator
        self.frame_received: Callable[[Frame], None] = coordinator.frame_received
        coordinator.subscribe(ModemStatus, self._modem_status)
        self.protocol: RadioProtocol | None = None
        self.traffic = Traffic(bus)
        self.configure = configure
        self.write_flash = write_flash
        self._clock = clock
        self._heartbeat = Heartbeat(
            clock,
            coordinator,
            self._fallen_silent,
            self._association_changed,
            heartbeat,
        )
        self._last_mode = api_mode or 1
        self._begin_with(endpoint, name, api_mode)
        self._connect_to(endpoint)

    def _begin_with(self, endpoint: IStreamClientEndpoint, name: str, api_mode: int | None) -> None:
        """Nothing is known yet of the radio behind that endpoint."""
        self.radio_name = name
        self._wanted_mode = api_mode
        self._searches_rate = isinstance(endpoint, SerialEndpoint) and endpoint.baud_rate is None
        self._last_rate: int | None = None
        self._last_address: Address64 | None = None
        self._forgets = False
        self._left_at = 0.0
        self._finder: Probe | None = None
        self._bringing_up: Deferred[None] | None = None
        self._is_pausing = False
        self._failures = 0
        self._failures_on_connection = 0
        self._reported: set[str] = set()

    def _connect_to(self, endpoint: IStreamClientEndpoint) -> None:
        self._connecting = ClientService(
            RetryingEndpoint(self._clock, endpoint, self.radio_name, self._failed),
            _RadioFactory(self),
            retryPolicy=lambda attempt: OPEN_RETRY,
            clock=self._clock,
        )
        self._connecting.setServiceParent(self)

    def reconfigure(self, old: LinkSettings, new: LinkSettings) -> None:
        """Follow new settings."""
        self.configure = new.configure
        self.write_flash = new.write_flash
        if new.heartbeat != old.heartbeat:
            self.heartbeat = new.heartbeat
        if _place(new) != _place(old):
            self.replace_endpoint(new.radio_endpoint(self._clock), new.serial, new.api_mode)

    def replace_endpoint(
        self, endpoint: IStreamClientEndpoint, name: str, api_mode: int | None
    ) -> None:
        """The radio is somewhere else from now on: leave the old one and open the new one."""
        left = maybeDeferred(self._connecting.disownServiceParent)
        self._stop_bring_up()
        self._heartbeat.stop()
        if self.protocol is not None:
            abort_connection(self.protocol.transport)
            self.protocol = None
        self.coordinator.link_down("The gateway opens the radio that the configuration names now.")
        self._begin_with(endpoint, name, api_mode)
        left.addCallback(lambda _: self._connect_to(endpoint))

    def stopService(self) -> Deferred[Any]:
        stopped: Deferred[Any] = super().stopService()
        self._stop_bring_up()
        self._heartbeat.stop()
        self.coordinator.link_down("The gateway is stopping.")
        self.coordinator.close()
        if self.protocol is not None:
            # Nobody reads the rest any more, and a line that takes nothing must not hold us up.
            abort_connection(self.protocol.transport)
        return stopped

    @property
    def heartbeat(self) -> float:
        """Seconds of silence after which the radio is asked whether it is there; 0 for never."""
        return self._heartbeat.seconds

    @heartbeat.setter
    def heartbeat(self, seconds: float) -> None:
        self._heartbeat.seconds = seconds
        facts = self.coordinator.facts
        if facts is not None:
            self._heartbeat.start(facts.association)

    @property
    def baud_rate(self) -> int | None:
        """Bits per second of the serial port; None while it is closed, or where there is none."""
        if self.protocol is None:
            return None
        line = ISerialLine(self.protocol.transport, None)
        return None if line is None else line.baud_rate

    # --- opening -------------------------------------------------------------------------------

    def _build_protocol(self) -> RadioProtocol:
        return RadioProtocol(self._clock, self._last_mode, self, self.traffic, self._burst)

    def frames_damaged(self, senders: list[Address64] | None) -> None:
        self.coordinator.frames_damaged(senders)

    def congestion_changed(self, congested: bool) -> None:
        self.coordinator.set_congested(congested)

    def _failed(self, sentence: str) -> None:
        self.coordinator.link_down(sentence)
        if sentence not in self._reported and len(self._reported) < _MAX_REASONS:
            self._reported.add(sentence)
            self.log.warn(
                "No radio on {name}: {sentence} The gateway goes on trying.",
                name=self.radio_name,
                sentence=sentence,
            )

    def protocol_made(self, protocol: RadioProtocol) -> None:
        self.protocol = protocol
        self._start_bring_up(protocol)

    def protocol_lost(self, protocol: RadioProtocol, reason: Failure) -> None:
        if protocol is not self.protocol:
            return
        self.protocol = None
        self._failures_on_connection = 0
        self._stop_bring_up()
        self._heartbeat.stop()
        if self.coordinator.facts is not None:
            self.log.warn("The link to the radio on {name} is lost.", name=self.radio_name)
            self.coordinator.link_down(
                "The link to the radio is lost; the gateway reopens it.",
                self._deaf_since(self._clock.seconds()),
            )
        elif self.running:
            self.coordinator.link_down(self.coordinator.offline_reason)

    # --- bring-up ------------------------------------------------------------------------------

    def _start_bring_up(self, protocol: RadioProtocol) -> None:
        self._stop_bring_up()
        self._bringing_up = Deferred.fromCoroutine(self._bring_up(protocol))
        self._bringing_up.addErrback(self._bring_up_failed, protocol)

    def _stop_bring_up(self) -> None:
        if self._bringing_up is not None:
            bringing_up, self._bringing_up = self._bringing_up, None
            bringing_up.cancel()

    def _search(self) -> ProbePlan:
        """Where to look for the radio this time.

        One that was there before is most likely there again, as it was. So it is looked for there
        alone at first and every second time, and it does not take a round of all rates and of
        ``+++`` until it is noticed that it is back. But a radio that was moved to its mode and did
        not write it to its flash may have forgotten it: there ``+++`` is tried at once.
        """
        rates: Sequence[int] = rates_to_try(self._last_rate) if self._searches_rate else ()
        transparent_rates: Sequence[int] = rates or AS_IT_IS
        here = rates[:1]
        everywhere = self._failures % (2 * EVERYWHERE) == EVERYWHERE
        if self._last_address is not None and not everywhere:
            transparent_rates = here or AS_IT_IS
            if self._forgets and not self._failures:
                rates = here
            elif self._failures % 2 == 0:
                rates, transparent_rates = here, ()
        return ProbePlan(
            rates,
            transparent_rates if self.configure else (),
            self._searches_rate,
            self._last_address is not None,
            self._wanted_mode,
            self.configure,
            self.write_flash,
        )

    async def _bring_up(self, protocol: RadioProtocol) -> None:
        self._finder = finder = Probe(self._clock, protocol, self._search())
        self.frame_received = self._unsorted
        try:
            found = await finder.find()
        finally:
            self._finder = None
            self.frame_received = self.coordinator.frame_received
        protocol.set_api_mode(found.api_mode)
        self._last_mode, self._last_rate = found.api_mode, self.baud_rate
        self._forgets |= found.forgets
        self.coordinator.link_up(protocol.send)
        self.coordinator.set_congested(protocol.is_congested)
        if found.to_be_written:
            await self._write_flash()
        facts = await bring_up(self.coordinator, found.api_mode)
        self._failures = self._failures_on_connection = 0
        self._reported.clear()
        self._say_up(facts)
        self._last_address = facts.address64
        if not facts.joined:
            self._left_at = self.coordinator.down_since
        self._heartbeat.start(facts.association)
        self.coordinator.ready(facts)

    async def _write_flash(self) -> None:
        try:
            await self.coordinator.at("WR", timeout=FLASH_TIMEOUT)
        except ATRefused as error:
            self.log.warn("{error}; it goes back to its old mode when it restarts.", error=error)

    def _say_up(self, facts: RadioInfo) -> None:
        address = format_address64(facts.address64)
        if self._last_address not in (None, facts.address64):
            self.log.warn(
                "The radio on {name} is another one: {address}, not {old} as before. Nodes that "
                "are in its network keep their ports; the others stay silent.",
                name=self.radio_name,
                address=address,
                old=format_address64(self._last_address),
            )
        if self._wanted_mode not in (None, facts.api_mode):
            self.log.warn(
                "The radio is in API mode {mode}, not {wanted} as --api-mode says; it is taken "
                "as it is.",
                mode=facts.api_mode,
                wanted=self._wanted_mode,
            )
        self.log.info(
            "The radio {address} on {name} is up: firmware {firmware}, API mode {mode}{rate}, "
            "PAN {pan}, payloads of {payload} bytes.",
            address=address,
            name=self.radio_name,
            firmware=f"{facts.firmware_version:04x}",
            mode=facts.api_mode,
            rate="" if self.baud_rate is None else f", {self.baud_rate} baud",
            pan=f"{facts.operating_pan_id:016x}",
            payload=facts.payload_limit,
        )
        if not facts.joined:
            self.log.warn(
                "The radio is not in a network yet (AI={association}); nodes appear when it is.",
                association=f"{facts.association:02x}",
            )

    def _bring_up_again(self, reason: str) -> None:
        protocol = self.protocol
        if protocol is not None:
            self._heartbeat.stop()
            self._stop_bring_up()
            # A radio that was reset, or is silent, may have been deaf for longer than that.
            since = self._deaf_since(self.coordinator.last_frame)
            self.coordinator.link_down(reason, since)
            self._start_bring_up(protocol)

    def _deaf_since(self, moment: float) -> float:
        """Since when no node could be heard: that moment, or when the radio left its network."""
        facts = self.coordinator.facts
        return moment if facts is None or facts.joined else self._left_at

    def _bring_up_failed(self, failure: Failure, protocol: RadioProtocol) -> None:
        if protocol is not self.protocol or failure.check(CancelledError):
            return
        if failure.check(RadioError):
            self._failed(failure.getErrorMessage())
        else:
            self.log.failure("Bringing the radio up failed", failure=failure)
            self._failed("The radio could not be set up; see the log.")
        self._failures += 1
        self._failures_on_connection += 1
        if self._failures_on_connection >= REOPEN_AFTER:
            abort_connection(protocol.transport)
            return
        # The port stays open for now: what does not answer may in a moment, and would not sooner
        # if the port was closed in between.
        self._bringing_up = Deferred.fromCoroutine(self._bring_up_later(protocol))
        self._bringing_up.addErrback(self._bring_up_failed, protocol)

    async def _bring_up_later(self, protocol: RadioProtocol) -> None:
        self._is_pausing = True
        self.frame_received = self._unsorted
        try:
            await deferLater(self._clock, _retry_delay(self._failures - 1))
        finally:
            self._is_pausing = False
            self.frame_received = self.coordinator.frame_received
        await self._bring_up(protocol)

    # --- watching ------------------------------------------------------------------------------

    def _fallen_silent(self) -> None:
        reason = "The radio has fallen silent; the gateway tries to wake it."
        self.log.warn(
            "The radio on {name} has fallen silent: it does not even answer AI. The gateway tries "
            "to set it up again, and opens its port anew if that fails.",
            name=self.radio_name,
        )
        # One bring-up that fails is enough to open it anew.
        self._failures_on_connection = REOPEN_AFTER - 1
        self._bring_up_again(reason)

    def _association_changed(self, association: int) -> None:
        if association == ASSOCIATED:
            # What was read of the network before is not so any more.
            self._bring_up_again("The radio has just joined its network.")
        else:
            self._left(association)

    def _left(self, association: int) -> None:
        """The radio is there and answers, but reaches nobody."""
        facts = self.coordinator.facts
        if facts is None:
            return
        if facts.joined:
            self._left_at = self.coordinator.last_frame
            self.log.warn(
                "The radio has left its network: no node can be reached until it joins again."
            )
        self.coordinator.facts = replace(facts, association=association)
        self._heartbeat.start(association)

    def _unsorted(self, frame: Frame) -> None:
        """A frame came while the radio is looked for, or between two tries to set it up.

        At another rate, or in another mode, chance makes some of what is no frame; so frames are
        passed on only if the radio was there before and the line is as it was then.
        """
        if self._finder is not None and self._finder.frame_received(frame):
            return
        if self._last_address is not None and self.baud_rate == self._last_rate:
            self.coordinator.frame_received(frame)
        elif isinstance(frame, ModemStatus):
            self._modem_status(frame)
        if self._is_pausing and self.protocol is not None:
            # It is alive.
            self._start_bring_up(self.protocol)

    def _modem_status(self, frame: ModemStatus) -> None:
        status = frame.status
        self.log.info("The radio says: {status}.", status=modem_status_text(status))
        facts = self.coordinator.facts
        if status in _RESETS:
            self._bring_up_again("The radio was reset; the gateway sets it up again.")
        elif status in _JOINS and (facts is None or not facts.joined):
            self._association_changed(ASSOCIATED)
        elif status == MODEM_LEFT:
            if facts is None:
                # What is being read may be older than that.
                self._bring_up_again("The radio has just left its network.")
            else:
                self._left(_LEFT)
