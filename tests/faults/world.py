"""A whole gateway in memory: clients, gateway, radio, air and nodes, on one clock and one seed.

Time goes from one event to the next, so that an hour costs as much as what happens in it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.interfaces import IProtocolFactory, IReactorTime
from zope.interface import implementer

from tests.clock import MemoryReactorClock
from tests.faults.connection import READ_SIZE, SOCKET, WRITE_BUFFER, Client, Connection
from tests.faults.process import ADAPTER_BUFFER, Process, ProcessEndpoint
from tests.faults.sockets import SocketConnection
from zbtwist.app.gateway import Gateway
from zbtwist.binding.port import NodePort
from zbtwist.binding.port_values import OFF
from zbtwist.config.settings import Settings
from zbtwist.simulator.air import IAir, ITimekeeper, Transmission, TxResult
from zbtwist.simulator.channel import ChannelAir
from zbtwist.simulator.endpoint import SimulatorEndpoint
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.node import Node
from zbtwist.xbee.devices import COORDINATOR

#: The first node's 64-bit address; the others follow.
FIRST_ADDRESS = 0x0013_A200_400A_3E01

#: Seconds until the gateway has found everybody, besides its search.
BEGINNING = 2.5

#: Seconds of a search, for each node: so long does an answer have the air, and some more.
SEARCH_SECONDS = 0.05

#: The rate of the nodes' own lines, in bit/s, if nothing is said of them: faster than the air.
FAST_LINE = 921_600

#: The time of day at the beginning, in seconds since 1970.
EPOCH = 1_750_000_000.0

#: Seconds that an air that refuses takes to say so.
REFUSAL_TIME = 0.02


class Device(Node):
    """A node whose device is a test; it keeps nothing of what it hears.

    @ivar listener: called with the bytes of each packet for its serial line.
    """

    listener: Callable[[bytes], object] | None = None

    def serial_received(self, data: bytes) -> None:
        if self.listener is not None:
            self.listener(data)


class Echo(Device):
    """Says what it hears."""

    def serial_received(self, data: bytes) -> None:
        super().serial_received(data)
        self.send(data)


@implementer(IAir)
class RefusingAir:
    """An air in which the radio's packets may all end with one status, not sent.

    @ivar status: with which; None carries them.
    """

    def __init__(self, carrier: ChannelAir) -> None:
        self.status: int | None = None
        self._carrier = carrier
        self._time: ITimekeeper

    def begin(self, time: ITimekeeper, chance: random.Random) -> None:
        self._time = time
        self._carrier.begin(time, chance)

    def send(self, transmission: Transmission) -> None:
        refused = transmission.sender.role == COORDINATOR and not transmission.broadcast
        if self.status is not None and refused:
            self._time.call_later(REFUSAL_TIME, transmission.finish, TxResult(self.status))
        else:
            self._carrier.send(transmission)


class World:
    """
    @ivar clock: all time.
    @ivar air: carries the packets; `refusals` stands before it.
    @ivar network: the radio and the nodes.
    @ivar endpoint: where the radio is plugged in; its `line` is the serial line.
    @ivar gateway: what is tested.
    @ivar process: the one that it runs in.
    @ivar wall_step: seconds by which somebody has set the time of day.
    @ivar devices: the nodes.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        nodes: int = 1,
        api_mode: int = 1,
        rate: float = 35_000,
        baud: int | None = None,
        settings: dict[str, Any] | None = None,
        prepare: Callable[[World], object] | None = None,
        make: type[Device] = Device,
        sockets: bool = False,
        beginning: float = BEGINNING,
    ) -> None:
        """
        @param beginning: seconds until the gateway has found everybody, besides its search.
        @param rate: of the air, in bit/s.
        @param baud: of the lines between the nodes and their devices, in bit/s. If None they take
            all that comes and the gateway does not ask (`pace = off`): what is seen is what the
            gateway and the air do, and not the 9600 baud with which a node leaves the factory.
        @param sockets: clients are behind real TCP connections; else they are in memory.
        @param settings: of the gateway, where they are not the default.
        @param prepare: called before the gateway starts.
        """
        self.clock: Any = MemoryReactorClock()
        self._sockets: list[SocketConnection] | None = [] if sockets else None
        self._connections: list[Connection] = []
        self.wall_step = 0.0
        self.air = ChannelAir(rate)
        self.refusals = RefusingAir(self.air)
        discovery_time = max(0.5, nodes * SEARCH_SECONDS)
        self.network = SimulatedNetwork(
            self.clock, seed, api_mode=api_mode, discovery_time=discovery_time, air=self.refusals
        )
        self.devices = [
            make(self.network, FIRST_ADDRESS + number, f"NODE{number + 1}")
            for number in range(nodes)
        ]
        for device in self.devices:
            device.set_baud(baud or FAST_LINE)
            self.network.add_node(device, announce=False)
        self.endpoint = SimulatorEndpoint(self.clock, self.network)
        if prepare is not None:
            prepare(self)
        asked = Settings(serial="sim:", **(settings or {}))
        if baud is None:
            asked = replace(asked, port_settings=replace(asked.port_settings, pace=OFF))
        self._settings = asked
        # The frame ids of the first gateway are the same in every world, for tests that count.
        self._first_id = 1
        self._ids = random.Random(f"{seed} first ids")
        self.start_gateway()
        self.run(beginning + discovery_time)

    @property
    def now(self) -> float:
        """Seconds on the clock."""
        seconds: float = IReactorTime(self.clock).seconds()
        return seconds

    # --- the gateway's process ------------------------------------------------------------------

    def start_gateway(self) -> None:
        """Start a gateway, as a new process."""
        self.process = Process(self.clock)
        self._way_to_radio = ProcessEndpoint(self.process, self.endpoint)
        self.gateway = Gateway(
            self._settings,
            self.process,
            self._way_to_radio,
            lambda: EPOCH + self.now + self.wall_step,
            first_id=self._first_id,
        )
        self._first_id = self._ids.randint(1, 255)
        self.gateway.startService()

    def kill_gateway(self) -> None:
        """Kill its process: the kernel closes what it had open."""
        self.process.kill()
        self.clock.tcpServers.clear()
        for connection in (*self._connections, *(self._sockets or ())):
            connection.gateway_killed()
        self._connections.clear()
        self._way_to_radio.close()

    def stand_still(self, seconds: float) -> None:
        """Let the process stand still, as one that is stopped or swapped out."""
        self.process.stand_still(seconds)

    def sleep(self, seconds: float, clock_goes_on: bool) -> None:
        """Let the gateway's computer sleep, and the radio stay awake.

        @param clock_goes_on: whether its monotonic clock does.
        """
        self.process.stand_still(seconds, clock_goes_on=clock_goes_on, room=ADAPTER_BUFFER)

    # --- time -----------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Let time go by."""
        self.run_until(lambda: False, seconds)

    def run_until(self, question: Callable[[], bool], seconds: float) -> bool:
        """Let time go by until the answer is true, for so many seconds at most.

        @return: the answer.
        """
        clock = self.clock
        end = clock.rightNow + seconds
        while not question():
            if clock.next_time > end:
                clock.rightNow = end
                return question()
            clock.go_on()
            if self._sockets:
                self._let_sockets_go_on(self._sockets)
        return True

    def _let_sockets_go_on(self, sockets: list[SocketConnection]) -> None:
        """What is in a socket arrives before time goes on, as on a computer with nothing to do."""
        is_quiet = False
        while not is_quiet:
            # Others may connect meanwhile.
            is_quiet = True
            for connection in list(sockets):
                is_quiet = not connection.go_on(self.process.is_running) and is_quiet
        sockets[:] = [connection for connection in sockets if not connection.is_over]

    def later(self, seconds: float, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in `seconds` seconds."""
        self.clock.callLater(seconds, function, *arguments)

    def binding_of(self, device: Device) -> NodePort:
        """What the gateway keeps for a node.

        @raise ConnectionRefusedError: nothing.
        """
        node = self.gateway.network.nodes.get(device.address64)
        port = self.gateway.bindings.port_of(node) if node is not None else None
        if port is None:
            raise ConnectionRefusedError(f"{device} has no port")
        return port

    def connect(
        self,
        device: Device,
        *,
        socket: int = SOCKET,
        write_buffer: int = WRITE_BUFFER,
        read_size: int = READ_SIZE,
    ) -> Connection:
        """Connect a client to a node's port, in memory.

        @raise ConnectionRefusedError: nobody listens.
        """
        port, factory = self._listener_of(device)
        connection = Connection(
            self.clock,
            factory,
            port,
            socket=socket,
            write_buffer=write_buffer,
            read_size=read_size,
            gateway_clock=IReactorTime(self.process),
        )
        self._connections = [one for one in self._connections if one.gateway_end.connected]
        self._connections.append(connection)
        return connection

    def connect_client(self, device: Device, **sizes: int) -> Client:
        """Connect a client to a node's port, over a real socket if this world has them.

        @param sizes: see `connect`; a real socket has its own.
        @raise ConnectionRefusedError: nobody listens.
        """
        if self._sockets is None:
            return self.connect(device, **sizes)
        _, factory = self._listener_of(device)
        connection = SocketConnection(self.clock, factory, self.process)
        self._sockets.append(connection)
        return connection

    def _listener_of(self, device: Device) -> tuple[int, IProtocolFactory]:
        if not self.process.is_running:
            raise ConnectionRefusedError("the gateway is dead, or stands still")
        port = self.binding_of(device).number
        # The last one: the gateway may have left that port, and come back.
        for number, factory, *_ in reversed(self.clock.tcpServers):
            if number == port:
                return port, factory
        raise ConnectionRefusedError(f"nobody listens on port {port}")

    def stop(self) -> None:
        """Stop the gateway, and switch everything off."""
        if self.gateway.running and not self.process.is_dead:
            self.gateway.stopService()
            self.run(1.0)
        self.endpoint.stop()
        for connection in self._sockets or ():
            connection.stop()
