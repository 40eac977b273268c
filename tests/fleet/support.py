"""A fleet in memory: sites with simulated networks, a broker, hubs, and clients of them, all on one
clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.interfaces import IReactorTime

from tests.clock import MemoryReactorClock
from tests.faults.connection import Client, Connection
from tests.faults.process import Process, ProcessEndpoint
from tests.faults.world import EPOCH, FAST_LINE, FIRST_ADDRESS, Device
from tests.mqtt.support import MemoryBroker, MemoryClient
from zbtwist.app.gateway import Gateway
from zbtwist.binding.port_values import OFF
from zbtwist.config.settings import Settings
from zbtwist.fleet.endpoint import FleetEndpoint
from zbtwist.fleet.radio import FleetRadio
from zbtwist.mqtt.settings import STREAM, MQTTSettings
from zbtwist.simulator.endpoint import SimulatorEndpoint
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.site.service import SiteService

#: Seconds of a message from one end to the other.
DELAY = 0.01

#: Seconds of a search at a site.
SEARCH = 0.5


class Program:
    """A gateway in a process, with a client of the broker.

    @ivar client: that of this run.
    """

    gateway: Gateway
    client: MemoryClient

    def __init__(self, world: Fleet, settings: Settings) -> None:
        self.world = world
        self.settings = settings
        self._connections: list[Connection] = []
        self.process = Process(world.clock)
        self.process.is_dead = True

    def wall(self) -> float:
        return EPOCH + self.world.now

    def begin(self) -> None:
        """Make and start it, in `process`."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it as a new process, if it does not run."""
        if self.process.is_dead:
            self.process = Process(self.world.clock)
            self.client = self.world.broker.client()
            self.begin()
            self.client.join()

    def kill(self) -> None:
        """SIGKILL: the kernel closes what it had open."""
        if self.process.is_dead:
            return
        self.client.lost.clear()
        self.client.connected.clear()
        self.client.filters.clear()
        self.client.cut()
        self.world.broker._clients.remove(self.client)
        self.process.kill()
        for connection in self._connections:
            connection.gateway_killed()
        self._connections.clear()

    def stop(self) -> None:
        """End it in good order, if it runs."""
        if not self.process.is_dead:
            self.gateway.stopService()

    # --- as `tests.faults.world.World` for its clients -------------------------------------------

    @property
    def now(self) -> float:
        return self.world.now

    def later(self, seconds: float, function: Callable[..., object], *arguments: object) -> None:
        self.world.later(seconds, function, *arguments)

    def connect_client(self, device: Device, **sizes: int) -> Client:
        """Connect a client to a node's port.

        @raise ConnectionRefusedError: nobody listens.
        """
        if self.process.is_dead:
            raise ConnectionRefusedError
        node = self.gateway.network.nodes.get(device.address64)
        port = self.gateway.bindings.port_of(node) if node is not None else None
        listening = self.world.clock.tcpServers
        for number, factory, *_ in reversed(listening):
            if port is not None and number == port.number and port.listener is not None:
                connection = Connection(
                    self.world.clock,
                    factory,
                    number,
                    gateway_clock=IReactorTime(self.process),
                    **sizes,
                )
                self._connections = [one for one in self._connections if one.gateway_end.connected]
                self._connections.append(connection)
                return connection
        raise ConnectionRefusedError


class SiteProgram(Program):
    """A site.

    @ivar name: what it is called.
    @ivar devices: its nodes.
    """

    def __init__(self, world: Fleet, name: str, number: int, nodes: int) -> None:
        mqtt = MQTTSettings(broker="tcp:b", site=name)
        settings = Settings(serial="sim:", mqtt=mqtt, base_port=20000 + 1000 * number)
        ports = replace(settings.port_settings, pace=OFF, mqtt=STREAM)
        super().__init__(world, replace(settings, port_settings=ports))
        self.name = name
        self.network = SimulatedNetwork(world.clock, number, discovery_time=SEARCH)
        first = FIRST_ADDRESS + 0x100 * number
        self.devices = [Device(self.network, first + at, f"{name}-{at + 1}") for at in range(nodes)]
        for device in self.devices:
            device.set_baud(FAST_LINE)
            self.network.add_node(device, announce=False)
        self.endpoint = SimulatorEndpoint(world.clock, self.network)

    def begin(self) -> None:
        self._way = ProcessEndpoint(self.process, self.endpoint)
        settings = replace(self.settings, mqtt=MQTTSettings())
        self.gateway = gateway = Gateway(settings, self.process, self._way, self.wall, first_id=1)
        api: Any = gateway.api
        self.site = SiteService(
            IReactorTime(self.process),
            self.client,
            self.settings.mqtt,
            gateway.bus,
            api._radio,
            gateway.network,
            gateway.bindings,
            gateway.health,
            gateway.decoding,
            api._events,
            gateway.api,
            gateway._site.turns,
        )
        self.site.setServiceParent(gateway)
        gateway.startService()

    def kill(self) -> None:
        super().kill()
        self._way.close()


class HubProgram(Program):
    """A hub."""

    def __init__(self, world: Fleet, number: int, sites: tuple[str, ...], **ports: Any) -> None:
        base = 40000 + 1000 * number
        settings = Settings(serial="mqtt:b", base_port=base, control=str(base - 1))
        of_all = replace(settings.port_settings, **ports)
        super().__init__(world, replace(settings, port_settings=of_all))
        self._sites = sites

    def begin(self) -> None:
        endpoint = FleetEndpoint(MQTTSettings(broker="tcp:b"), self._sites, self.client)
        self.gateway = Gateway(self.settings, self.process, endpoint, self.wall)
        self.gateway.startService()

    @property
    def radio(self) -> FleetRadio:
        radio = self.gateway.radio.coordinator
        assert isinstance(radio, FleetRadio)
        return radio

    def rows(self) -> dict[str, Any]:
        """Return what `list()` says, by the nodes' labels."""
        return {row["label"]: row for row in self.gateway.api.list_nodes()}


class Fleet:
    """All of it.

    @ivar clock: all time.
    """

    def __init__(
        self,
        sites: int = 1,
        nodes: int = 1,
        hubs: int = 1,
        of: tuple[str, ...] = (),
        **ports: Any,
    ) -> None:
        """
        @param of: the sites of the hubs; none for all.
        @param ports: settings of the ports at the hubs.
        """
        self.clock: Any = MemoryReactorClock()
        self.broker = MemoryBroker(self.clock, DELAY)
        self.sites = [SiteProgram(self, f"site-{at + 1}", at + 1, nodes) for at in range(sites)]
        self.hubs = [HubProgram(self, at, of, **ports) for at in range(hubs)]
        for site in self.sites:
            site.start()
        self.run(SEARCH + 3.0)
        for hub in self.hubs:
            hub.start()
        self.run(2.0)

    @property
    def now(self) -> float:
        seconds: float = self.clock.seconds()
        return seconds

    def later(self, seconds: float, function: Callable[..., object], *arguments: object) -> None:
        self.clock.callLater(seconds, function, *arguments)

    def run(self, seconds: float) -> None:
        """Let time go by."""
        clock = self.clock
        end = clock.rightNow + seconds
        while clock.next_time <= end:
            clock.go_on()
        clock.rightNow = end

    def stop(self) -> None:
        """Switch everything off."""
        for program in (*self.hubs, *self.sites):
            program.stop()
        self.run(1.0)
        for site in self.sites:
            site.endpoint.stop()
