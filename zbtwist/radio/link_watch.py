"""Watching the radio: whether it answers, is in its network, and is in its API mode.

While it is up it is asked now and then (`zbtwist.radio.heartbeat`), and when there is a sign that
its mode is another (`zbtwist.radio.mode_watch`) or that its network has moved
(`zbtwist.radio.network_place`); what it says by itself, in a Modem Status, is heard at any time.
What follows from it is for the machine of `zbtwist.radio.link`.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.heartbeat import Heartbeat
from zbtwist.radio.link import Link
from zbtwist.radio.link_log import RESETS, LinkLog
from zbtwist.radio.mode_watch import ModeWatch
from zbtwist.radio.network_place import MOVES, NetworkPlace
from zbtwist.radio.protocol import RadioProtocol
from zbtwist.xbee.frames import ModemStatus
from zbtwist.xbee.status import ASSOCIATED, ModemStatusCode

#: AI of a radio that left its network and was not asked yet; any but `ASSOCIATED` would do.
_LEFT = 0xFF

_JOINS = (ModemStatusCode.JOINED, ModemStatusCode.COORDINATOR_STARTED)
#: Seconds after a bring-up in which the news that the radio has joined may be what was read then.
SETTLING_TIME = 3.0


class LinkWatch:
    """
    @ivar heartbeat: asks the radio.
    """

    def __init__(
        self,
        clock: IReactorTime,
        coordinator: Coordinator,
        link: Link,
        log: Callable[[], LinkLog],
        heartbeat: float,
    ) -> None:
        """
        @param link: is told what becomes known.
        @param log: returns what says it.
        @param heartbeat: seconds, see `Heartbeat`.
        """
        self.heartbeat = Heartbeat(
            clock, coordinator, link.silent, self._association_changed, heartbeat
        )
        self._clock = clock
        self._coordinator = coordinator
        self._link = link
        self._log = log
        self._place = NetworkPlace(clock, coordinator)
        self._mode = ModeWatch(clock, coordinator, link.in_other_mode)
        self._up_since = 0.0
        coordinator.subscribe(ModemStatus, self.modem_status)

    def begin(self, association: int) -> None:
        """The radio is up.

        @param association: its AI.
        """
        self._up_since = self._clock.seconds()
        self.heartbeat.start(association)

    def end(self) -> None:
        """It is up no more, or to be brought up anew."""
        self.heartbeat.stop()
        self._mode.stop()
        self._place.stop()

    def doubt_mode(self, protocol: RadioProtocol | None) -> None:
        """There is a sign that it may be in another API mode.

        @param protocol: its line, None if that is closed.
        """
        if self._coordinator.facts is not None and protocol is not None:
            self._mode.look(protocol)

    def _association_changed(self, association: int) -> None:
        if association == ASSOCIATED:
            self._link.joined()
            return
        if self._is_joined:
            self._log().network_upset()
        self._link.left(association)

    @property
    def _is_joined(self) -> bool:
        """Whether it is up, and in a network as far as was known."""
        facts = self._coordinator.facts
        return facts is not None and facts.joined

    def modem_status(self, frame: ModemStatus) -> None:
        """It says something of itself."""
        self._log().says(frame.status)
        if frame.status in RESETS:
            self._link.reset()
            self._coordinator.forget_packets()
        elif frame.status in _JOINS:
            self._has_joined()
        elif frame.status in MOVES:
            self._place.moved(self._log())
        elif frame.status == ModemStatusCode.LEFT:
            facts = self._coordinator.facts
            # One that is out already stays out for the reason that was read.
            self._link.left(_LEFT if facts is None or facts.joined else facts.association)

    def _has_joined(self) -> None:
        is_joined = self._is_joined
        if is_joined and self._clock.seconds() - self._up_since < SETTLING_TIME:
            self._place.moved(self._log())
            return
        if is_joined:
            self._log().network_upset()
        self._link.joined()
