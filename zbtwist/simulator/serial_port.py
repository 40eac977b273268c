"""The simulated radio behind a pseudoterminal, as a serial port that can be unplugged."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.pseudoterminal import BACKLOG, Pseudoterminal
from zbtwist.simulator.radio import LocalRadio
from zbtwist.simulator.serial_line import SerialLine

#: Bytes for the radio from which on no more are read, so that its programs have to wait, and down
#: to which none are.
HIGH_WATER = 4096


class SimulatedSerialPort:
    """
    @ivar line: the serial line, on which everything can go wrong.
    @ivar plugged: whether the radio is plugged in.
    """

    def __init__(
        self, reactor: IReactorTime, network: SimulatedNetwork, link: str | None = None
    ) -> None:
        """
        @param reactor: it must watch file descriptors, too.
        @param link: where a symbolic link to the pseudoterminal is to be.
        @raise ValueError: the reactor cannot watch file descriptors.
        @raise LinkError: there is something at `link` that is not such a link.
        @raise OSError: there is no pseudoterminal to be had, or no link can be made.
        """
        self._reactor = reactor
        self._network = network
        self._link = link
        self.line = SerialLine(reactor, network.seed, BACKLOG)
        self._pseudoterminal: Pseudoterminal | None = None
        self._open()

    @property
    def plugged(self) -> bool:
        return self._pseudoterminal is not None

    @property
    def path(self) -> str:
        """Where programs find it: the link if there is one; empty while it is unplugged."""
        if self._pseudoterminal is None:
            return ""
        return self._pseudoterminal.link or self._pseudoterminal.path

    def unplug(self) -> None:
        """Pull the radio out: it loses its power, the pseudoterminal and the link are gone."""
        if self._pseudoterminal is None:
            return
        self._network.radio.power_off()
        self._network.radio.serial_output = None
        self.line.clear()
        self._pseudoterminal.close()
        self._pseudoterminal = None

    def plug_in(self) -> None:
        """Put the radio in again: there is a new pseudoterminal, and the link leads to it.

        @raise LinkError: there is now something else at the link.
        @raise OSError: there is no pseudoterminal to be had, or no link can be made.
        """
        if self._pseudoterminal is None:
            self._open()
            self._network.radio.power_on()

    def swap_radio(self, address64: int | None = None, pan_id: int | None = None) -> LocalRadio:
        """Unplug the radio and plug in another one; see `SimulatedNetwork.swap_radio`."""
        self.unplug()
        radio = self._network.swap_radio(address64, pan_id)
        self.plug_in()
        return radio

    def close(self) -> None:
        """Give the device back and remove the link."""
        self.line.stop()
        if self._pseudoterminal is not None:
            self._pseudoterminal.close()
            self._pseudoterminal = None

    def _open(self) -> None:
        pseudoterminal = Pseudoterminal(
            self._reactor, self._said, self._link, opened=self._network.announce
        )
        self._pseudoterminal = pseudoterminal
        self.line.from_radio.take = pseudoterminal.write
        self.line.to_radio.take = self._to_radio
        self._network.radio.serial_output = self.line.from_radio.write
        self._network.radio.has_room = self.line.from_radio.has_room

    def _said(self, data: bytes) -> None:
        self.line.to_radio.write(data)
        if self.line.to_radio.buffered > HIGH_WATER and self._pseudoterminal is not None:
            self._pseudoterminal.pause()

    def _to_radio(self, data: bytes) -> None:
        if self.line.to_radio.buffered <= HIGH_WATER and self._pseudoterminal is not None:
            self._pseudoterminal.resume()
        self._network.radio.receive_bytes(data)
