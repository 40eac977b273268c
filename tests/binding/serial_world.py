"""A gateway and a simulated node, in memory, for clients that set the node's serial line."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import MemoryReactorClock
from tests.support import present, record_log
from zbtwist.app.gateway import Gateway
from zbtwist.binding.port_settings import PortSettings
from zbtwist.config.settings import Settings
from zbtwist.runtime.telnet_codec import DO, DONT, IAC, WILL, WONT, TelnetParser, subnegotiation
from zbtwist.simulator.endpoint import SimulatorEndpoint
from zbtwist.simulator.options import SimulatorOptions

COM_PORT = 44

#: What pyserial 3.5 says when it opens a port.
PYSERIAL = bytes((IAC, DO, 1, IAC, WILL, 3, IAC, DO, 3, IAC, DO, COM_PORT, IAC, WILL, COM_PORT))


class Transport(StringTransport):
    """One that knows whether it was cut."""

    is_cut = False

    def abortConnection(self) -> None:
        self.is_cut = True


class TelnetClient:
    """The other end of a connection.

    @ivar data: bytes that are no commands.
    @ivar options: `WILL` and so on, with the options.
    @ivar answers: what came of the COM-PORT option: command and value.
    """

    def __init__(self, world: SerialTestCase, port: int) -> None:
        (factory,) = (server[1] for server in world.reactor.tcpServers if server[0] == port)
        self._world = world
        self.protocol: Any = factory.buildProtocol(None)
        self.transport = Transport()
        self.data = b""
        self.options: list[tuple[int, int]] = []
        self.answers: list[tuple[int, int | bytes]] = []
        self.commands: list[int] = []
        self._parser = TelnetParser(self)
        self.protocol.makeConnection(self.transport)

    def say(self, data: bytes, seconds: float = 1.0) -> None:
        self.protocol.dataReceived(data)
        self._world.go_on(seconds)
        self.read()

    def read(self) -> None:
        said = self.transport.value()
        self.transport.clear()
        if said:
            self._parser.feed(said)

    def open(self) -> None:
        """Agree on the option."""
        self.say(PYSERIAL)
        self.answers.clear()

    def ask(self, *commands: tuple[int, int], size: int = 1, seconds: float = 1.0) -> list[Any]:
        """Send commands of the COM-PORT option; return the answers."""
        self.answers.clear()
        said = b"".join(
            subnegotiation(
                COM_PORT, bytes([command]) + value.to_bytes(4 if command == 1 else size, "big")
            )
            for command, value in commands
        )
        self.say(said, seconds)
        return self.answers

    def data_came(self, data: bytes) -> None:
        self.data += data

    def command_came(self, command: int) -> None:
        self.commands.append(command)

    def option_came(self, verb: int, option: int) -> None:
        assert verb in (WILL, WONT, DO, DONT)
        self.options.append((verb, option))

    def subnegotiation_came(self, option: int, payload: bytes) -> None:
        assert option == COM_PORT
        command, value = payload[0], payload[1:]
        self.answers.append((command, value if command == 100 else int.from_bytes(value, "big")))

    def take(self) -> bytes:
        data, self.data = self.data, b""
        return data


class SerialTestCase(SynchronousTestCase):
    """
    @cvar protocol: what the node's port speaks.
    """

    protocol = "rfc2217"
    kinds = ("echo",)

    def setUp(self) -> None:
        self.start()

    def start(self, options: dict[str, Any] | None = None, **port: Any) -> None:
        self.log = record_log(self)
        self.reactor: Any = MemoryReactorClock()
        simulated = SimulatorOptions(
            kinds=self.kinds, discovery_time=0.3, interval=0, **(options or {})
        )
        endpoint = SimulatorEndpoint(self.reactor, simulated)
        settings = Settings(
            serial="sim:", port_settings=PortSettings(protocol=self.protocol, **port)
        )
        self.gateway = Gateway(settings, self.reactor, endpoint)
        self.gateway.startService()
        self.addCleanup(self.end)
        self.go_on(3.0)
        self.network = present(endpoint.network)
        self.node = self.network.node("ECHO")
        row = next(row for row in self.gateway.api.list_nodes() if row["label"] == "ECHO")
        self.number = row["tcp_port"]
        (self.known,) = self.gateway.network.nodes
        self.port = present(self.gateway.bindings.port_of(self.known))

    def end(self) -> None:
        self.gateway.stopService()
        self.network.stop()

    def go_on(self, seconds: float) -> None:
        self.reactor.pump([0.01] * round(seconds / 0.01))

    def connect(self) -> TelnetClient:
        return TelnetClient(self, self.number)

    def register(self, command: str) -> int:
        return self.node.registers.number(command)
