"""`twistd zbgate`: the command line, and what twistd makes of it."""

from __future__ import annotations

import os
import sys

from twisted.application.service import IService
from twisted.python import usage

import zbtwist
from zbtwist import config
from zbtwist.config import ConfigError, Settings
from zbtwist.gateway import Gateway, Reloader, warn_if_open
from zbtwist.guide import Guide
from zbtwist.radio.endpoints import DEFAULT_BAUD_RATE
from zbtwist.store import Store, StoreError


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


def makeService(options: Options) -> IService:
    """What twistd calls, before it forks."""
    from twisted.internet import reactor

    settings = options.settings
    try:
        # One that is not there yet is made later: twistd may become another user before.
        if os.path.lexists(settings.state):
            Store(settings.state).open().close()
    except StoreError as error:
        sys.exit(f"twistd zbgate: {error}")
    gateway = Gateway(settings, reactor)
    if settings.serial.startswith("sim:"):
        Guide(settings, gateway.network.nodes, gateway.bindings).setServiceParent(gateway)
    if settings.config is not None:
        Reloader(gateway, lambda: config.load(reactor, options), reactor).setServiceParent(gateway)
    warn_if_open(settings)
    return gateway
