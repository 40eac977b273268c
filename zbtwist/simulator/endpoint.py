"""The simulator as a Twisted client endpoint: ``sim:``, ``sim:nodes=5``.

`connect` joins a protocol to the simulated radio in memory. It behaves as a serial port does: one
user at a time, the radio and its network live on between two users, and what the radio says while
nobody listens is lost. Nothing is delivered within the call that caused it. It can be unplugged and
plugged in again, and its line can be a bad one (`zbtwist.simulator.serial_line`).
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Any

from twisted.internet import defer, error
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    IReactorTime,
    IStreamClientEndpoint,
    ITransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.options import SimulatorOptions
from zbtwist.simulator.radio import LocalRadio
from zbtwist.simulator.serial_line import SerialLine

#: How many bytes of the radio wait for a protocol that has paused.
BACKLOG = 0x10000

#: How many bytes for the radio make a producer wait until all of them are on the line.
WRITE_LIMIT = 0x10000


@implementer(IAddress)
class SimulatorAddress:
    """The address of the simulated radio."""

    def __repr__(self) -> str:
        return "SimulatorAddress()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SimulatorAddress)

    def __hash__(self) -> int:
        return hash(SimulatorAddress)


@implementer(ITransport, IConsumer, IPushProducer)
class SimulatorTransport:
    """The line between a protocol and the simulated radio."""

    disconnecting = False

    def __init__(self, reactor: IReactorTime, network: SimulatedNetwork, line: SerialLine) -> None:
        self._reactor = reactor
        self._network = network
        self._line = line
        self._protocol: IProtocol | None = None
        self._ending: IDelayedCall | None = None
        self._producer: Any = None
        self._streaming = False
        self._producer_paused = False
        self.connected = True

    def join(self, protocol: IProtocol) -> None:
        """Begin to carry bytes."""
        self._protocol = protocol
        self._line.from_radio.take = protocol.dataReceived
        self._line.to_radio.take = self._to_radio
        self._line.to_radio.emptied = self._emptied
        self._network.radio.serial_output = self._line.from_radio.write
        self._network.radio.has_room = self._line.from_radio.has_room
        protocol.makeConnection(self)

    def _to_radio(self, data: bytes) -> None:
        # The radio may have been swapped for another one meanwhile.
        self._network.radio.receive_bytes(data)

    def _emptied(self) -> None:
        if self._producer is not None:
            if not self._streaming:
                self._producer.resumeProducing()
            elif self._producer_paused:
                self._producer_paused = False
                self._producer.resumeProducing()
        elif self.disconnecting:
            self._end_later(Failure(error.ConnectionDone()))

    def fail(self, reason: Failure) -> None:
        """Close the line in the next turn, whatever is still on it."""
        if self.connected:
            self.disconnecting = True
            self._line.clear()
            self._end_later(reason)

    def _end_later(self, reason: Failure) -> None:
        if self._ending is None and self.connected:
            self._ending = self._reactor.callLater(0, self._disconnect, reason)

    def _disconnect(self, reason: Failure) -> None:
        self._ending = None
        self.connected = False
        self._network.radio.serial_output = None
        self._line.clear()
        protocol, self._protocol = self._protocol, None
        if self._producer is not None:
            self._producer.stopProducing()
            self._producer = None
        if protocol is not None:
            protocol.connectionLost(reason)

    # --- ITransport ----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        if not self.connected or self.disconnecting:
            return
        self._line.to_radio.write(data)
        full = self._line.to_radio.buffered > WRITE_LIMIT
        if full and self._streaming and not self._producer_paused and self._producer is not None:
            self._producer_paused = True
            self._producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close the line when all that was written is with the radio."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._close_if_empty()

    def _close_if_empty(self) -> None:
        if self._producer is None and not self._line.to_radio.buffered:
            self._end_later(Failure(error.ConnectionDone()))

    def abortConnection(self) -> None:
        """Close the line, and drop what was written."""
        self.fail(Failure(error.ConnectionAborted()))

    def getPeer(self) -> IAddress:
        return SimulatorAddress()

    def getHost(self) -> IAddress:
        return SimulatorAddress()

    # --- IPushProducer -------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        self._line.from_radio.pause()

    def resumeProducing(self) -> None:
        if self.connected:
            self._line.from_radio.resume()

    def stopProducing(self) -> None:
        self.loseConnection()

    # --- IConsumer -----------------------------------------------------------------------------

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self._producer is not None:
            raise RuntimeError("another producer is registered")
        if not self.connected:
            producer.stopProducing()
            return
        self._producer = producer
        self._streaming = streaming
        self._producer_paused = False
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self._producer = None
        if self.connected and self.disconnecting:
            self._close_if_empty()


@implementer(IStreamClientEndpoint)
class SimulatorEndpoint:
    """Connects to the radio of a simulated network, which begins with the first connection.

    @ivar network: the network; None before the first connection, if only its options were given.
    @ivar options: what the network is made from.
    @ivar line: the serial line, on which everything can go wrong.
    @ivar plugged: whether the radio can be connected to.
    """

    def __init__(
        self, reactor: IReactorTime, network: SimulatedNetwork | SimulatorOptions | None = None
    ) -> None:
        """
        @param reactor: the reactor, or a `task.Clock`.
        @param network: a network, or what it is to be like; the default one if None.
        """
        self._reactor = reactor
        self.options = SimulatorOptions()
        self.network: SimulatedNetwork | None = None
        if isinstance(network, SimulatorOptions):
            self.options = network
        else:
            self.network = network
        self._transport: SimulatorTransport | None = None
        seed = self.options.seed if self.network is None else self.network.seed
        self.line = SerialLine(reactor, seed, BACKLOG)
        self.options.set_up_line(self.line)
        self.plugged = True

    def connect(self, protocolFactory: IProtocolFactory) -> defer.Deferred[IProtocol]:
        """Join a protocol to the radio.

        @return: fires with the protocol; fails with `ConnectError` if another one has the line
            or the radio is unplugged, or with what came of building the network or the protocol.
        """
        connected: defer.Deferred[IProtocol] = defer.Deferred(lambda _: attempt.cancel())
        attempt = self._reactor.callLater(0, self._connect, protocolFactory, connected)
        return connected

    def _connect(self, factory: IProtocolFactory, connected: defer.Deferred[IProtocol]) -> None:
        try:
            if not self.plugged:
                raise error.ConnectError(errno.ENODEV, "the simulated radio is unplugged")
            if self._transport is not None and self._transport.connected:
                raise error.ConnectError(
                    errno.EBUSY, "the simulated radio is in use by another connection"
                )
            if self.network is None:
                self.network = self.options.build(self._reactor)
            protocol = factory.buildProtocol(SimulatorAddress())
            if protocol is None:
                raise error.ConnectError(string="the factory gave no protocol for the connection")
            self._transport = SimulatorTransport(self._reactor, self.network, self.line)
            self._transport.join(protocol)
            self.network.announce()
        except Exception:
            connected.errback()
        else:
            connected.callback(protocol)

    def unplug(self) -> None:
        """Pull the radio out: it loses its power, and the connection is lost."""
        if not self.plugged:
            return
        self.plugged = False
        if self.network is not None:
            self.network.radio.power_off()
        if self._transport is not None:
            self._transport.fail(Failure(error.ConnectionLost("the simulated radio was unplugged")))

    def plug_in(self) -> None:
        """Put the radio in again: it starts, and can be connected to."""
        if self.plugged:
            return
        self.plugged = True
        if self.network is not None:
            self.network.radio.power_on()

    def cut_link(self) -> None:
        """Lose the connection to the radio, which goes on: as when a serial server goes away.

        It cannot be connected to until `mend_link`.
        """
        self.plugged = False
        if self._transport is not None:
            self._transport.fail(Failure(error.ConnectionLost()))

    def mend_link(self) -> None:
        """Let the radio be connected to again."""
        self.plugged = True

    def swap_radio(self, address64: int | None = None, pan_id: int | None = None) -> LocalRadio:
        """Unplug the radio and plug in another one, as it left the factory.

        @param address64: its address; one that no radio here had if None.
        @param pan_id: the extended PAN of its network; the nodes' own if None. In another one there
            is no node.
        @return: the new radio.
        @raise ValueError: there is no network before the first connection, or a node has the
            address.
        """
        if self.network is None:
            raise ValueError("there is no radio to swap before the first connection")
        self.unplug()
        radio = self.network.swap_radio(address64, pan_id)
        self.plug_in()
        return radio

    def stop(self) -> None:
        """Switch the network off, so that nothing of it is left in the reactor."""
        if self._transport is not None and self._transport.connected:
            self._transport.abortConnection()
        else:
            self.line.stop()
        if self.network is not None:
            self.network.stop()
