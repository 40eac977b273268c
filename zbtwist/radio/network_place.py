"""Where the network is, PAN and channel: read anew when the radio says that it has moved."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from zbtwist.radio.busy_radio import when_ready
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.errors import RadioError
from zbtwist.radio.link_log import LinkLog
from zbtwist.xbee.status import ModemStatusCode

#: After these the network may have another PAN ID or channel, and the nodes are where they were.
MOVES = (
    ModemStatusCode.REALIGNMENT,
    ModemStatusCode.PAN_CONFLICT,
    ModemStatusCode.PAN_CHANGED,
    ModemStatusCode.PAN_CHANGED_BY_COORDINATOR,
)


class NetworkPlace:
    """Keeps what is known of it up to date while the radio is up."""

    def __init__(self, clock: IReactorTime, coordinator: Coordinator) -> None:
        """
        @param clock: times how long a radio that is busy is left alone.
        """
        self._clock = clock
        self._coordinator = coordinator
        # How often it may have moved since it began to be read.
        self._moves = 0
        self._reading: Deferred[None] | None = None

    def stop(self) -> None:
        """Read no more, until the next move: the link is down, or is set up anew."""
        if self._reading is not None:
            reading, self._reading = self._reading, None
            reading.cancel()

    def moved(self, log: LinkLog) -> None:
        """It may be somewhere else: read it, and once more if it moves again meanwhile.

        @param log: says so if it is.
        """
        self._moves += 1
        if self._moves == 1:
            self._reading = Deferred.fromCoroutine(self._read(log))
            self._reading.addErrback(lambda failure: failure.trap(CancelledError))
            self._reading.addErrback(log.broke)

    async def _read(self, log: LinkLog) -> None:
        read = 0
        try:
            while read < self._moves:
                read = self._moves
                # If the radio does not answer it is asked when it is brought up.
                with suppress(RadioError):
                    await self._read_once(log)
        finally:
            self._moves = 0

    async def _read_once(self, log: LinkLog) -> None:
        coordinator = self._coordinator
        before = coordinator.facts
        if before is None:
            return
        pan = "OP" if before.is_zigbee else "ID"
        channel = await when_ready(self._clock, lambda: coordinator.at("CH"))
        pan_id = await when_ready(self._clock, lambda: coordinator.at(pan))
        # It may have been set up anew meanwhile.
        if coordinator.facts is not None:
            coordinator.facts = after = replace(
                coordinator.facts,
                operating_pan_id=int.from_bytes(pan_id, "big"),
                channel=int.from_bytes(channel, "big"),
            )
            log.moved(before, after)
