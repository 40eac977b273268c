"""The command line of the gateway, and the service that it asks for: what `twistd zbgate` calls,
and what `zbgate` (`zbtwist.command`) calls.
"""

from __future__ import annotations

import os
import select
import sys
import time

from twisted.application.service import IService
from twisted.internet.base import ReactorBase
from twisted.python import usage

import zbtwist
from zbtwist import config
from zbtwist.binding.policy import Policy
from zbtwist.binding.turns import DEFAULT_LIMIT
from zbtwist.config import Settings
from zbtwist.config_file import ConfigError
from zbtwist.garbage import Spared
from zbtwist.gateway import Gateway, Reloader, warn_if_open
from zbtwist.guide import Guide
from zbtwist.radio.endpoints import DEFAULT_BAUD_RATE
from zbtwist.radio.service import DEFAULT_HEARTBEAT
from zbtwist.store import Store, StoreError

#: The options that may name a file, and the attributes of `Settings` that have its absolute path.
_PATHS = (
    ("serial", "serial"),
    ("state", "state"),
    ("config", "config"),
    ("trace-file", "trace_file"),
)


def _install_reactor() -> None:
    """Have our own reactor where there is epoll; elsewhere it is Twisted's choice."""
    if hasattr(select, "epoll"):
        from zbtwist.reactor import install

        install()


def _go_by_a_steady_clock(reactor: object) -> None:
    """Have timed calls go by a clock that nobody can set.

    That of Twisted's reactors is the time of day: a step back of an hour stops all timed calls for
    an hour, and one forward ends what has just begun.

    @param reactor: one that has no timed calls yet. One that is not Twisted's own is left alone.
    """
    if isinstance(reactor, ReactorBase):
        reactor.seconds = time.monotonic


class Options(usage.Options):
    """The command line of `twistd zbgate`.

    @cvar program: what the user has called, for what is said on stderr.
    @cvar config_error_status: the exit status after a mistake in the configuration.
    @ivar settings: what it all means, when it has been parsed.
    """

    program = "twistd zbgate"
    config_error_status = 1

    # Twisted puts "Usage: twistd [options] zbgate" before it.
    synopsis = "--serial PORT [options]"
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
            (
                "Rate of the serial port, bits per second, or auto to find it "
                f"[default: {DEFAULT_BAUD_RATE}]"
            ),
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
            (
                "Last TCP port that a node gets [default: the last below those of outgoing "
                "connections, mostly 32767]"
            ),
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
            "heartbeat",
            None,
            None,
            (
                "Seconds of silence after which the radio is asked whether it is there; 0: never "
                f"[default: {DEFAULT_HEARTBEAT:g}]"
            ),
        ],
        [
            "delivery",
            None,
            None,
            (
                "What becomes of a packet that may have arrived or not: at-most-once resets the "
                "clients, at-least-once sends it again [default: at-most-once]"
            ),
        ],
        [
            "retries",
            None,
            None,
            f"How often a packet is sent again [default: {Policy.retries}]",
        ],
        [
            "outage",
            None,
            None,
            (
                "Seconds that clients' bytes wait for a radio that is away "
                f"[default: {Policy.outage:g}]"
            ),
        ],
        [
            "sleep",
            None,
            None,
            f"Seconds that bytes wait for a node that sleeps [default: {Policy.sleep:g}]",
        ],
        [
            "window",
            None,
            None,
            (
                "Packets to one node at once; with more than 1 a retry may change their order "
                f"[default: {Policy.window}]"
            ),
        ],
        [
            "in-flight",
            None,
            None,
            f"Packets to all nodes at once [default: {DEFAULT_LIMIT}]",
        ],
        [
            "coalesce",
            None,
            None,
            (
                "Seconds that a packet is waited for to fill up while the node is busy "
                f"[default: {Policy.coalesce:g}]"
            ),
        ],
        [
            "backlog",
            None,
            None,
            (
                "Bytes of a node that are kept for the next client while none is connected "
                f"[default: {Policy.backlog}]"
            ),
        ],
        [
            "trace-file",
            None,
            None,
            "File that every frame is written to, for Wireshark (pcapng)",
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

    def opt_rtscts(self) -> None:
        """Honour the RTS and CTS lines of the serial port"""
        self["rtscts"] = "True"

    def opt_configure(self) -> None:
        """Move a transparent radio to the API mode, until it is switched off; see --write-flash"""
        # Twisted shows the text as it stands, so it is in one line.
        self["configure"] = "True"

    def opt_write_flash(self) -> None:
        """With --configure: have the radio keep that mode"""
        self["write-flash"] = "True"

    def parseArgs(self, *stray: str) -> None:
        if stray:
            raise self.failure(
                f"{stray[0]!r} stands alone, and nothing does here: the port of the radio is named "
                f"with --serial, and {self.program} --help lists the other options."
            )

    def failure(self, mistakes: object) -> SystemExit:
        """Say what is wrong with the configuration, and return what ends the program.

        A UsageError would bury it under twistd's own help.
        """
        print(f"{self.program}: {mistakes}", file=sys.stderr)
        return SystemExit(self.config_error_status)

    def postOptions(self) -> None:
        _install_reactor()
        from twisted.internet import reactor

        _go_by_a_steady_clock(reactor)
        try:
            self.settings = config.load(reactor, self)
        except ConfigError as error:
            raise self.failure(error) from None
        # The file may be read again when twistd works in another directory (--rundir).
        for name, attribute in _PATHS:
            if self[name] is not None:
                self[name] = getattr(self.settings, attribute)


def makeService(options: Options) -> IService:
    """What twistd calls, before it forks."""
    from twisted.internet import reactor

    settings = options.settings
    try:
        # One that is not there yet is made later: twistd may become another user before.
        if os.path.lexists(settings.state):
            Store(settings.state).open().close()
    except StoreError as error:
        sys.exit(f"{options.program}: {error}")
    gateway = Gateway(settings, reactor)
    if settings.serial.startswith("sim:"):
        Guide(settings, gateway.network.nodes, gateway.bindings).setServiceParent(gateway)
    if settings.config is not None:
        Reloader(gateway, lambda: config.load(reactor, options), reactor).setServiceParent(gateway)
    # The last of all, so that it starts when everything else is there.
    Spared().setServiceParent(gateway)
    warn_if_open(settings)
    return gateway
