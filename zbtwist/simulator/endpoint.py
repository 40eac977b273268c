"""The simulator as a Twisted client endpoint: ``sim:``, ``sim:nodes=5``.

`connect` joins a protocol to the simulated radio in memory. It behaves as a serial port does: one
user at a time, the radio and its network live on between two users, and what the radio says while
nobody listens is lost. Nothing is delivered within the call that caused it.
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
    IReactorCore,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
    ITransport,
)
from twisted.logger import Logger
from twisted.plugin import IPlugin
from twisted.python.failure import Failure
from zope.interface import implementer

from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.options import OptionsError, SimulatorOptions

#: How many bytes of the radio wait for a protocol that has paused.
BACKLOG = 0x10000

#: How many bytes for the radio make a producer wait; they are handed on in the next turn.
_WRITE_LIMIT = 0x10000

log = Logger()


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

    def __init__(self, reactor: IReactorTime, network: SimulatedNetwork) -> None:
        self._reactor = reactor
        self._network = network
        self._protocol: IProtocol | None = None
        self._to_protocol = bytearray()
        self._to_radio = bytearray()
        self._turn: IDelayedCall | None = None
        self._paused = False
        self._producer: Any = None
        self._streaming = False
        self._producer_paused = False
        self._lost_bytes = 0
        self.connected = True

    def join(self, protocol: IProtocol) -> None:
        """Begin to carry bytes."""
        self._protocol = protocol
        self._network.radio.serial_output = self._radio_says
        protocol.makeConnection(self)

    # --- Both directions -----------------------------------------------------------------------

    def _radio_says(self, data: bytes) -> None:
        room = BACKLOG - len(self._to_protocol)
        if len(data) > room:
            if not self._lost_bytes:
                log.warn("the simulated radio's line overruns: its reader is too slow")
            self._lost_bytes += len(data) - room
        self._to_protocol += data[:room]
        self._soon()

    def _soon(self) -> None:
        if self._turn is None and self.connected:
            self._turn = self._reactor.callLater(0, self._carry)

    def _carry(self) -> None:
        self._turn = None
        if self._to_radio:
            data = bytes(self._to_radio)
            self._to_radio.clear()
            self._network.radio.receive_bytes(data)
        if self._to_protocol and not self._paused and self._protocol is not None:
            data = bytes(self._to_protocol)
            self._to_protocol.clear()
            self._protocol.dataReceived(data)
        if not self.connected:
            return
        self._wake_producer()
        if not self._to_radio and self.disconnecting and self._producer is None:
            self._disconnect(Failure(error.ConnectionDone()))

    def _wake_producer(self) -> None:
        if self._producer is None or self._to_radio:
            return
        if not self._streaming:
            self._producer.resumeProducing()
        elif self._producer_paused:
            self._producer_paused = False
            self._producer.resumeProducing()

    def _disconnect(self, reason: Failure) -> None:
        self.connected = False
        self.disconnecting = True
        self._network.radio.serial_output = None
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._to_protocol.clear()
        self._to_radio.clear()
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
        self._to_radio += data
        self._soon()
        full = len(self._to_radio) > _WRITE_LIMIT
        if full and self._streaming and not self._producer_paused and self._producer is not None:
            self._producer_paused = True
            self._producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close the line when all that was written is with the radio."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self._soon()

    def abortConnection(self) -> None:
        """Close the line, and drop what was written."""
        if not self.connected:
            return
        self.disconnecting = True
        self._to_radio.clear()
        if self._turn is not None:
            self._turn.cancel()
        self._turn = self._reactor.callLater(0, self._aborted)

    def _aborted(self) -> None:
        self._turn = None
        self._disconnect(Failure(error.ConnectionAborted()))

    def getPeer(self) -> IAddress:
        return SimulatorAddress()

    def getHost(self) -> IAddress:
        return SimulatorAddress()

    # --- IPushProducer -------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        if self._to_protocol:
            self._soon()

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
        if self.disconnecting:
            self._soon()


@implementer(IStreamClientEndpoint)
class SimulatorEndpoint:
    """Connects to the radio of a simulated network, which begins with the first connection.

    @ivar network: the network; None before the first connection, if only its options were given.
    """

    def __init__(
        self, reactor: IReactorTime, network: SimulatedNetwork | SimulatorOptions | None = None
    ) -> None:
        """
        @param reactor: the reactor, or a `task.Clock`.
        @param network: a network, or what it is to be like; the default one if None.
        """
        self._reactor = reactor
        self._options = SimulatorOptions()
        self.network: SimulatedNetwork | None = None
        if isinstance(network, SimulatorOptions):
            self._options = network
        else:
            self.network = network
        self._transport: SimulatorTransport | None = None

    def connect(self, protocolFactory: IProtocolFactory) -> defer.Deferred[IProtocol]:
        """Join a protocol to the radio.

        @return: fires with the protocol; fails with `ConnectError` if another one has the line, or
            with what came of building the network or the protocol.
        """
        connected: defer.Deferred[IProtocol] = defer.Deferred(lambda _: attempt.cancel())
        attempt = self._reactor.callLater(0, self._connect, protocolFactory, connected)
        return connected

    def _connect(self, factory: IProtocolFactory, connected: defer.Deferred[IProtocol]) -> None:
        try:
            if self._transport is not None and self._transport.connected:
                raise error.ConnectError(
                    errno.EBUSY, "the simulated radio is in use by another connection"
                )
            if self.network is None:
                self.network = self._options.build(self._reactor)
            protocol = factory.buildProtocol(SimulatorAddress())
            if protocol is None:
                raise error.ConnectError(string="the factory gave no protocol for the connection")
            self._transport = SimulatorTransport(self._reactor, self.network)
            self._transport.join(protocol)
            self.network.announce()
        except Exception:
            connected.errback()
        else:
            connected.callback(protocol)

    def stop(self) -> None:
        """Switch the network off, so that nothing of it is left in the reactor."""
        if self._transport is not None and self._transport.connected:
            self._transport.abortConnection()
        if self.network is not None:
            self.network.stop()


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class SimulatorEndpointParser:
    """Reads ``sim:`` and its options: nodes, kinds, seed, api_mode, nt, interval."""

    prefix = "sim"

    def parseStreamClient(
        self, reactor: IReactorCore, *args: object, **kwargs: object
    ) -> SimulatorEndpoint:
        """
        @raise ValueError: an option is unknown or wrong. The message is a sentence for the user.
        """
        # `sim:` has one argument, which is empty.
        unknown: list[object] = [argument for argument in args if argument] + sorted(
            set(kwargs) - set(_OPTIONS)
        )
        if unknown:
            raise OptionsError(
                f"sim: does not know {unknown[0]!r}: its options are "
                f"{', '.join(f'{name}=' for name in _OPTIONS)}"
            )
        return SimulatorEndpoint(
            IReactorTime(reactor), SimulatorOptions.parse(**{k: str(v) for k, v in kwargs.items()})
        )


_OPTIONS = ("nodes", "kinds", "seed", "api_mode", "nt", "interval")
