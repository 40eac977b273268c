"""`twistd zbgate`: from options to the service tree. The one room that knows all the others."""

from __future__ import annotations

import sys
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python import usage

import zbtwist
from zbtwist import config
from zbtwist.binding.service import BindingService
from zbtwist.config import ConfigError, Settings
from zbtwist.control.api import GatewayAPI
from zbtwist.control.service import ControlService
from zbtwist.control.site import control_site
from zbtwist.guide import Guide
from zbtwist.network import NetworkService
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.endpoints import DEFAULT_BAUD_RATE
from zbtwist.radio.service import RadioService

log = Logger()


class Options(usage.Options):
    """The command line of `twistd zbgate`."""

    synopsis = "Usage: twistd [-n] zbgate --serial PORT [options]"
    longdesc = (
        "Gives every XBee node of a Zigbee network a TCP port. Connect a Digi XBee in API mode, "
        "name its serial port, and each node found gets a port from 27001 up; XML-RPC on port "
        "27000 tells which is which."
    )
    optParameters = [
        [
            "serial",
            "s",
            None,
            (
                "Where the radio is: a serial port such as /dev/ttyUSB0, a Twisted client endpoint "
                "such as tcp:HOST:PORT (a serial server), or sim: (a network in software, to try)"
            ),
        ],
        [
            "baud",
            "b",
            None,
            f"Rate of the serial port, bits per second [default: {DEFAULT_BAUD_RATE}]",
        ],
        [
            "api-mode",
            "m",
            None,
            "API mode of the radio: 1, 2, or auto to ask it [default: auto]",
        ],
        [
            "control",
            "c",
            None,
            (
                "Port of the XML-RPC control interface, or a Twisted server endpoint "
                f"[default: {config.DEFAULT_CONTROL}]"
            ),
        ],
        [
            "base-port",
            "p",
            None,
            f"First TCP port that a node gets [default: {config.DEFAULT_BASE_PORT}]",
        ],
        [
            "last-port",
            None,
            None,
            f"Last TCP port that a node gets [default: {config.DEFAULT_LAST_PORT}]",
        ],
        [
            "interface",
            "i",
            None,
            (
                "Address to listen at; 0.0.0.0 lets other computers in, and nobody is asked for "
                f"a password [default: {config.DEFAULT_INTERFACE}]"
            ),
        ],
        [
            "state",
            None,
            None,
            (
                "File that keeps which node has which port, or :memory: to forget it at the end "
                "[default: zbtwist.sqlite3 in $STATE_DIRECTORY, in /var/lib/zbtwist as root, else "
                "in the user's state directory; :memory: with sim:]"
            ),
        ],
        [
            "config",
            "f",
            None,
            "TOML file with these options and with nodes; what is said here wins over it",
        ],
    ]

    settings: Settings

    def opt_version(self) -> None:
        """Show the version of the gateway and leave."""
        print(f"zbtwist {zbtwist.__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        from twisted.internet import reactor

        try:
            self.settings = config.load(reactor, self)
        except ConfigError as error:
            # A UsageError would bury the sentences under twistd's own help.
            sys.exit(f"twistd zbgate: {error}")
        # The file may be read again when twistd works in another directory (--rundir).
        for name in ("serial", "state", "config"):
            if self[name] is not None:
                self[name] = getattr(self.settings, name)


class Gateway(MultiService):
    """The whole gateway as one service; starting it opens the control port and the radio.

    @ivar radio: the link to the local radio.
    @ivar network: the nodes.
    @ivar bindings: their ports.
    @ivar api: the operations of the control interface.
    """

    def __init__(
        self, settings: Settings, reactor: Any, endpoint: IStreamClientEndpoint | None = None
    ) -> None:
        """
        @param endpoint: the radio, if it is another than the settings say.
        """
        super().__init__()
        coordinator = Coordinator(reactor)
        self.network = NetworkService(reactor, coordinator)
        self.bindings = BindingService(
            reactor,
            coordinator,
            lambda port: settings.port_endpoint(reactor, port),
            settings.base_port,
        )
        self.network.nodes.add_listener(self.bindings)
        self.api = GatewayAPI(reactor, coordinator, self.network, self.bindings)
        self.radio = RadioService(
            reactor,
            endpoint or settings.radio_endpoint(reactor),
            coordinator,
            settings.serial,
            settings.api_mode,
        )
        control = ControlService(
            reactor,
            settings.control_endpoint(reactor),
            control_site(self.api, reactor),
            settings.control,
        )
        # They start in this order, so that everyone is there when the radio comes up.
        for service in (control, self.bindings, self.network, self.radio):
            service.setServiceParent(self)


def makeService(options: Options) -> IService:
    """What twistd calls."""
    from twisted.internet import reactor

    settings = options.settings
    gateway = Gateway(settings, reactor)
    if settings.serial.startswith("sim:"):
        Guide(settings, gateway.network.nodes, gateway.bindings).setServiceParent(gateway)
    if not settings.is_local:
        log.warn(
            "The ports are open to other computers ({interface}), and nobody is asked for a "
            "password: anyone who reaches this computer reaches the nodes.",
            interface=settings.interface,
        )
    return gateway
