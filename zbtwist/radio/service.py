"""The radio as a service: its line is opened, and opened again when it is lost.

`zbtwist.radio.kept_line` does that; opening is tried a few times a second for as long as it takes
(`zbtwist.radio.retrying_endpoint`), so that a radio that is plugged in again is found at once. When
the line is open, what is done when is for `zbtwist.radio.link`, and how for
`zbtwist.radio.link_work`.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Protocol

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IStreamClientEndpoint

from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.endpoints import LineEndpoint
from zbtwist.radio.kept_line import KeptLine
from zbtwist.radio.last_radio import LastRadio
from zbtwist.radio.line_settings import LineSettings
from zbtwist.radio.link_log import LinkLog
from zbtwist.radio.link_work import LinkWork
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.radio.retrying_endpoint import RetryingEndpoint
from zbtwist.radio.statistics import Traffic
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.standstill import Standstill
from zbtwist.runtime.write_batch import WriteBatch

#: Seconds without an answer after which the radio is asked whether it is there, by default.
DEFAULT_HEARTBEAT = 30.0


class LinkSettings(Protocol):
    """What the link needs of the settings; see `zbtwist.config.settings.Settings`."""

    @property
    def serial(self) -> str: ...
    @property
    def line(self) -> LineSettings: ...
    @property
    def api_mode(self) -> int | None: ...
    @property
    def configure(self) -> bool: ...
    @property
    def write_flash(self) -> bool: ...
    @property
    def heartbeat(self) -> float: ...
    def radio_endpoint(self, reactor: Any) -> IStreamClientEndpoint: ...


#: Where the radio is, and how it is spoken to, of `LinkSettings`.
_place = attrgetter("serial", "line", "api_mode")


class RadioService(MultiService):
    """
    @ivar coordinator: the radio, for the rest of the program; it outlives every link.
    @ivar traffic: what has passed on the serial line, over all links.
    """

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
        batch: WriteBatch | None = None,
        standstill: Standstill | None = None,
    ) -> None:
        """
        @param clock: the reactor.
        @param endpoint: where the radio is.
        @param bus: is told what becomes of the link, and what passes on the line.
        @param name: the endpoint, as the user wrote it, for the log.
        @param api_mode: 1 or 2 if the user named one. Without `configure`, what the radio says
            counts all the same.
        @param configure: change the radio's API mode where it is not as wanted, and move it there
            from transparent mode.
        @param write_flash: with `configure`: let the radio keep its mode when it restarts.
        @param heartbeat: seconds without an answer of the radio after which it is asked whether it
            is there; 0 for never.
        @param batch: told when frames that were read at once begin and end.
        @param standstill: looks whether the program stood still.
        """
        super().__init__()
        self.coordinator = coordinator
        self.traffic = Traffic(bus)
        self._clock = clock
        self._bus = bus
        self._batch = batch or WriteBatch()
        self._standstill = standstill or Standstill(clock, bus)
        self._work = LinkWork(
            clock,
            coordinator,
            heartbeat,
            *self._known(endpoint, name, api_mode),
            bus,
            self._standstill,
        )
        self._work.configure = configure
        self._work.write_flash = write_flash
        # What is opened when the line that there was is closed.
        self._next: IStreamClientEndpoint | None = None
        self._connect_to(endpoint)

    def _connect_to(self, endpoint: IStreamClientEndpoint) -> None:
        self._line = KeptLine(
            self._clock,
            RetryingEndpoint(self._clock, endpoint, self.radio_name, self._work.not_opened),
            self._build_protocol,
            self._work.reopen_delay,
        )
        self._line.setServiceParent(self)

    def _known(
        self, endpoint: IStreamClientEndpoint, name: str, api_mode: int | None
    ) -> tuple[LinkLog, LastRadio]:
        """What is known of a radio before it was there."""
        searches_rate = isinstance(endpoint, LineEndpoint) and endpoint.line.baud_rate is None
        return LinkLog(name, self._bus, self._clock), LastRadio(
            searches_rate, api_mode, api_mode or 1
        )

    def _build_protocol(self) -> RadioProtocol:
        work = self._work
        return RadioProtocol(
            self._clock, work.last.api_mode, work, self.traffic, self._batch, self._standstill
        )

    def reconfigure(self, old: LinkSettings, new: LinkSettings) -> None:
        """Follow new settings."""
        self._work.configure = new.configure
        self._work.write_flash = new.write_flash
        if new.heartbeat != old.heartbeat:
            self.heartbeat = new.heartbeat
        if _place(new) != _place(old):
            self.replace_endpoint(new.radio_endpoint(self._clock), new.serial, new.api_mode)

    def replace_endpoint(
        self, endpoint: IStreamClientEndpoint, name: str, api_mode: int | None
    ) -> None:
        """The radio is somewhere else from now on: leave the old one and open the new one.

        That may be said again before the old one is left: the last word counts.
        """
        is_leaving, self._next = self._next is not None, endpoint
        left = None if is_leaving else maybeDeferred(self._line.disownServiceParent)
        self.coordinator.starting()
        self._work.link.replaced()
        self._work.log.stop()
        self._work.begin_with(*self._known(endpoint, name, api_mode))
        if left is not None:
            left.addCallback(lambda _: self._left())

    def _left(self) -> None:
        """The old line is closed: open the one that was named last."""
        endpoint, self._next = self._next, None
        if endpoint is not None:
            self._connect_to(endpoint)

    def startService(self) -> None:
        self.coordinator.starting()
        # A serial port is open at once.
        self._work.link.started()
        super().startService()

    def stopService(self) -> Deferred[Any]:
        stopped: Deferred[Any] = super().stopService()
        self._work.link.stopped()
        self._work.log.stop()
        self.coordinator.close()
        return stopped

    # --- what is shown, and what may be changed ------------------------------------------------

    @property
    def radio_name(self) -> str:
        """The endpoint of the radio, as the user wrote it."""
        return self._work.log.name

    @property
    def protocol(self) -> RadioProtocol | None:
        """The serial line while it is open, with its counters."""
        return self._work.protocol

    @property
    def baud_rate(self) -> int | None:
        """Bits per second of the serial port; None while it is closed, or where there is none."""
        return self._work.baud_rate

    @property
    def heartbeat(self) -> float:
        """Seconds without an answer after which the radio is asked if it is there; 0 for never."""
        return self._work.watch.heartbeat.seconds

    @heartbeat.setter
    def heartbeat(self, seconds: float) -> None:
        self._work.watch.heartbeat.seconds = seconds
        facts = self.coordinator.facts
        if facts is not None:
            self._work.watch.heartbeat.start(facts.association)
