"""The command line of the gateway, and the service that it asks for: what `twistd zbgate` calls,
and what `zbgate` (`zbtwist.app.command`) calls.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.application.service import IService
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin
from twisted.internet.base import ReactorBase
from twisted.python import usage

import zbtwist
from zbtwist.app.check import run_check
from zbtwist.app.demo import DemoGuide
from zbtwist.app.gateway import Gateway, warn_if_open
from zbtwist.app.log_file import NoLogFile, take_log
from zbtwist.app.reload import Reloader
from zbtwist.app.stopping import Stopping
from zbtwist.app.supervised import Supervised
from zbtwist.config.gateway_options import OPTIONS
from zbtwist.config.load import load
from zbtwist.config.settings import Settings
from zbtwist.config.toml_file import ConfigError
from zbtwist.runtime.garbage import GCFreeze
from zbtwist.runtime.journal import is_journal, with_priority
from zbtwist.runtime.option import Option
from zbtwist.runtime.service_manager import ServiceManager
from zbtwist.store.errors import StoreError
from zbtwist.store.store import Store

#: The options that may name a file, and the attributes of `Settings` that have its absolute path.
_PATHS = (
    ("config", "config"),
    *((name, OPTIONS[name].attribute) for name in ("serial", "state", "trace-file")),
)

#: Those that may be said again, and are lists in the settings.
_LISTS = [name for name, option in OPTIONS.items() if option.is_list]


def _install_reactor() -> None:
    """Have our own reactor where there is epoll; elsewhere it is Twisted's choice."""
    if hasattr(select, "epoll"):
        from zbtwist.runtime.reactor import install

        install()


def _go_by_a_steady_clock(reactor: object) -> None:
    """Have timed calls go by a clock that nobody can set, and that goes on while the computer
    sleeps, where there is such a one: what has waited for that long is as old as that.

    That of Twisted's reactors is the time of day: a step back of an hour stops all timed calls for
    an hour, and one forward ends what has just begun.

    @param reactor: one that has no timed calls yet. One that is not Twisted's own is left alone.
    """
    if isinstance(reactor, ReactorBase):
        clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        reactor.seconds = partial(time.clock_gettime, clock)


def _help_of(option: Option) -> str:
    return f"{option.help} [default: {option.default}]" if option.default else option.help


def _adder(name: str) -> Callable[[Options, str], None]:
    """Return the method of an option that may be said again and again."""

    def add(self: Options, text: str) -> None:
        self._lists[name].append(text)

    add.__doc__ = OPTIONS[name].help
    return add


class Options(AuthOptionMixin, usage.Options):
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
        *(
            [name, option.letter, None, _help_of(option)]
            for name, option in OPTIONS.items()
            if not (option.is_flag or option.is_list)
        ),
        [
            "config",
            "f",
            None,
            "TOML file with these options and with nodes; what is said here wins over it",
        ],
    ]
    optFlags = [
        *([name, None, option.help] for name, option in OPTIONS.items() if option.is_flag),
        [
            "check",
            None,
            "Say what is found of configuration, state and radio, change nothing, and leave",
        ],
    ]

    settings: Settings
    # Those of twistd, if it has called.
    parent: Any = None

    # What --help-auth lists: kinds that check something else are of no use here.
    supportedInterfaces = (IUsernamePassword,)

    def __init__(self) -> None:
        super().__init__()
        self._lists: dict[str, list[str]] = {name: [] for name in _LISTS}

    for _name in _LISTS:
        # Also in place of Twisted's --auth, which would make the checkers here, so that nobody
        # could follow a new configuration.
        locals()[f"opt_{_name.replace('-', '_')}"] = _adder(_name)

    def opt_version(self) -> None:
        """Show the version of the gateway and leave."""
        print(f"zbtwist {zbtwist.__version__}")
        sys.exit(0)

    # As zbctl has it.
    opt_h = usage.Options.opt_help

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
        self.complain(mistakes)
        return SystemExit(self.config_error_status)

    def complain(self, sentences: object) -> None:
        """Say on stderr why the program ends before there is a log."""
        text = f"{self.program}: {sentences}"
        print(with_priority(text).rstrip() if is_journal(sys.stderr) else text, file=sys.stderr)

    @property
    def texts(self) -> dict[str, str | None]:
        """What was said, by the names of the options; None of what was not."""
        flags = {name for name, *_ in self.optFlags}
        texts = {
            name: ("True" if value else None) if name in flags else value
            for name, value in self.items()
        }
        return {**texts, **{name: "\n".join(said) or None for name, said in self._lists.items()}}

    def postOptions(self) -> None:
        _install_reactor()
        from twisted.internet import reactor

        _go_by_a_steady_clock(reactor)
        try:
            self.settings = load(reactor, self.texts)
        except ConfigError as error:
            raise self.failure(error) from None
        if self.parent is not None:
            take_log(self.parent, reactor)
        # The file may be read again when twistd works in another directory (--rundir).
        for name, attribute in _PATHS:
            if self[name] is not None:
                self[name] = getattr(self.settings, attribute)
        for name in ("auth", "auth-read-only"):
            if self._lists[name]:
                self._lists[name] = list(getattr(self.settings, OPTIONS[name].attribute))


def makeService(options: Options) -> IService:
    """What twistd calls, before it forks."""
    from twisted.internet import reactor

    settings = options.settings
    if options["check"]:
        sys.exit(run_check(settings))
    try:
        # One that is not there yet is made later: twistd may become another user before.
        if os.path.lexists(settings.state):
            Store(settings.state).open().close()
    except StoreError as error:
        options.complain(error)
        sys.exit(1)
    gateway = Gateway(settings, reactor)
    if settings.serial.startswith("sim:"):
        DemoGuide(settings, gateway.bindings, gateway.bus).setServiceParent(gateway)
    read = None if settings.config is None else lambda: load(reactor, options.texts)
    manager = ServiceManager()
    for service in (
        Reloader(gateway, read, reactor, manager=manager),
        NoLogFile(reactor),
        Stopping(reactor),
        Supervised(gateway, reactor, manager),
    ):
        service.setServiceParent(gateway)
    # The last of all, so that it starts when everything else is there.
    GCFreeze().setServiceParent(gateway)
    warn_if_open(settings)
    return gateway
