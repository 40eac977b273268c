"""``zbgate --check``: looks at what the gateway would run on, says what it finds, and leaves all of
it as it is.

The configuration has been read by then. The state file is looked at in a copy, since to open it may
change it. The radio is asked and never told: it keeps its mode and its settings, and its flash is
not written. A broker hears nothing but that somebody was there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorTime
from twisted.logger import (
    FilteringLogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
)
from twisted.python.failure import Failure

from zbtwist.config.settings import Settings
from zbtwist.config.values import IN_MEMORY
from zbtwist.control.http.login import problem_of
from zbtwist.mqtt.settings import MQTTSettings
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.errors import RadioError
from zbtwist.radio.events import LinkFailed, LinkUp
from zbtwist.radio.info import RadioInfo
from zbtwist.radio.service import RadioService
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.log_output import observer_of_output
from zbtwist.runtime.printing import stop_printing
from zbtwist.store.errors import StoreError
from zbtwist.store.state_file import journal_of, log_of
from zbtwist.store.store import Store
from zbtwist.xbee.address import Address64, format_address64

#: Seconds that the radio may take until it is known whether it is there: a round of all rates, or a
#: serial server that does not answer.
RADIO_LIMIT = 60.0

#: The exit status if the gateway would not do, or it is not known.
FAILED = 1

#: The bytes of a database that SQLite locks (its "File Locking And Concurrency", section 3).
_LOCKED_FROM, _LOCKED_SIZE = 0x4000_0002, 510

Say = Callable[[str], None]
#: Which node has which port, as the state file says.
Ports = dict[Address64, int | str]

log = Logger()


class Problem(Exception):
    """What would not do. The text is a sentence."""


class InUse(Exception):
    """A gateway runs with that state file."""


class Onlooker(Coordinator):
    """A radio that is asked and never told.

    @ivar untold: the settings that it would have been given.
    """

    def __init__(self, clock: IReactorTime, bus: EventBus) -> None:
        super().__init__(clock, bus)
        self.untold: list[str] = []

    async def at(
        self,
        command: str,
        parameter: bytes = b"",
        timeout: float | None = None,
        is_patient: bool = False,
    ) -> bytes:
        if parameter:
            self.untold.append(f"{command}={int.from_bytes(parameter, 'big'):X}")
            return b""
        return await super().at(command, parameter, timeout, is_patient)


def run_check(settings: Settings) -> int:
    """Make the check, on the reactor.

    @return: the exit status: 0 if the gateway would do, 1 if not.
    """
    from twisted.internet import reactor as installed

    reactor: Any = installed
    warnings = FilteringLogObserver(
        observer_of_output(sys.stderr), [LogLevelFilterPredicate(LogLevel.warn)]
    )
    globalLogBeginner.beginLoggingTo([warnings], redirectStandardIO=False)
    #: What is left of it if it is ended by a signal.
    status = FAILED

    async def whole() -> None:
        nonlocal status
        try:
            status = await check(settings, reactor, _print)
        except CancelledError:
            pass
        except BrokenPipeError:
            # Nobody reads what is found any more.
            stop_printing()
        except Exception:
            log.failure("The check failed")

        # Not if it is a signal that stops it, and this with it.
        with suppress(ReactorNotRunning):
            reactor.stop()

    def begin() -> None:
        checking = Deferred.fromCoroutine(whole())

        def end() -> Deferred[None]:
            checking.cancel()
            return checking

        # What is begun has to end with the reactor: what the interpreter ends after that, it ends
        # in the middle of taking itself down.
        reactor.addSystemEventTrigger("before", "shutdown", end)

    reactor.callWhenRunning(begin)
    reactor.run()
    return status


def _print(sentence: str) -> None:
    print(sentence, flush=True)


async def check(settings: Settings, reactor: Any, say: Say) -> int:
    """
    @param say: is called with each line of what is found.
    @return: see `run_check`.
    """
    where = settings.config or "the command line"
    say(f"Configuration: in order ({where}; tables of nodes: {len(settings.nodes)}).")
    status = 0
    for problem in filter(None, map(problem_of, (*settings.auth, *settings.auth_read_only))):
        say(f"Users: {problem}")
        status = FAILED
    ports: Ports = {}
    try:
        ports = _look_at_state(settings.state, say)
    except InUse:
        say(f"State: {settings.state} is in use: a gateway runs with it.")
        say("Radio: not looked for, since that gateway has it; zbctl status tells how it is.")
        return status
    except Problem as problem:
        say(f"State: {problem}")
        status = FAILED
    if settings.mqtt.broker:
        status |= await _look_for_broker(settings.mqtt, reactor, say)
    try:
        await _look_for_radio(settings, reactor, ports, say)
    except Problem as problem:
        say(f"Radio: {problem}")
        status = FAILED
    return status


# --- the state file ----------------------------------------------------------------------------


def _look_at_state(path: str, say: Say) -> Ports:
    """
    @raise Problem: it would not do.
    @raise InUse: another program has it.
    """
    if path == IN_MEMORY:
        say("State: kept in memory, and forgotten at the end.")
        return {}
    if not os.path.lexists(path):
        directory = _nearest(Path(path).parent)
        if not os.access(directory, os.W_OK):
            raise Problem(f"{path} is not there, and this user may not write {directory}.")
        say(f"State: {path} is not there; the gateway makes it when it starts.")
        return {}
    if not os.path.isfile(path):
        raise Problem(f"{path} is not a file: name a file with --state.")
    with tempfile.TemporaryDirectory(prefix="zbgate-check-") as directory_of_copy:
        copy = os.path.join(directory_of_copy, os.path.basename(path))
        try:
            _copy(path, copy)
        except OSError as error:
            raise Problem(f"{path} cannot be read: {error.strerror}.") from error
        try:
            store = Store(copy).open()
        except StoreError as error:
            raise Problem(str(error).replace(copy, path)) from error
        try:
            ports = {mapping.address64: mapping.port for mapping in store.mappings()}
        finally:
            store.close()
    if not os.access(path, os.W_OK):
        raise Problem(f"{path} is in order, and this user may not write it.")
    say(f"State: {path} is in order; nodes with ports: {len(ports)}.")
    return ports


def _nearest(directory: Path) -> Path:
    """Return the directory, or the nearest above it that is there."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return directory


def _copy(path: str, copy: str) -> None:
    """Copy a database with what is beside it, while nobody writes it.

    @raise InUse: somebody has it open.
    """
    with ExitStack() as stack:
        file = stack.enter_context(open(path, "rb"))
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, _LOCKED_SIZE, _LOCKED_FROM)
        except (BlockingIOError, PermissionError):
            raise InUse from None
        # Not by its name, which would open and close it: that would end the lock.
        with open(copy, "wb") as target:
            shutil.copyfileobj(file, target)
        for beside in (journal_of, log_of):
            if beside(Path(path)).exists():
                shutil.copyfile(beside(Path(path)), beside(Path(copy)))


# --- the broker --------------------------------------------------------------------------------


async def _look_for_broker(settings: MQTTSettings, reactor: Any, say: Say) -> int:
    """
    @return: the exit status.
    """
    from zbtwist.mqtt.trial import why_not_taken

    why = await why_not_taken(reactor, settings)
    if why:
        say(f"MQTT: the broker {settings.place} is not to be had: {why}.")
        return FAILED
    say(f"MQTT: the broker {settings.place} takes this gateway; nothing was said there.")
    return 0


# --- the radio ---------------------------------------------------------------------------------


async def _look_for_radio(settings: Settings, reactor: Any, ports: Ports, say: Say) -> None:
    """
    @raise Problem: there is none.
    """
    endpoint = settings.radio_endpoint(reactor)
    if settings.is_hub:
        from zbtwist.fleet.endpoint import FleetEndpoint

        assert isinstance(endpoint, FleetEndpoint)
        where = f"of {', '.join(endpoint.sites)}" if endpoint.sites else "of all sites"
        say(f"Radio: none of its own; it is a hub {where} at the broker.")
        if await _look_for_broker(endpoint.settings, reactor, say):
            raise Problem("without the broker no site can be reached.")
        return
    bus = EventBus()
    coordinator = Onlooker(reactor, bus)
    found: Deferred[RadioInfo] = Deferred()

    def end(result: RadioInfo | Failure) -> None:
        if not found.called:
            found.callback(result)

    # Not at once: whoever tells it is in the middle of what is to be stopped then.
    def up(event: LinkUp) -> None:
        reactor.callLater(0, end, event.info)

    def failed(event: LinkFailed) -> None:
        reactor.callLater(0, end, Failure(Problem(f"none on {event.line}: {event.reason}")))

    bus.subscribe(LinkUp, up)
    bus.subscribe(LinkFailed, failed)
    service = RadioService(
        reactor,
        endpoint,
        coordinator,
        bus,
        settings.serial,
        settings.api_mode,
        heartbeat=0,
    )
    service.startService()
    try:
        try:
            info = await found.addTimeout(RADIO_LIMIT, reactor)
        except TimeoutError:
            raise Problem(
                f"none on {settings.serial} within {RADIO_LIMIT:g} s: {coordinator.offline_reason}"
            ) from None
        _describe(info, coordinator, settings, say)
        if not info.problem:
            await _search(coordinator, info, ports, say)
    finally:
        await service.stopService()


def _describe(info: RadioInfo, coordinator: Onlooker, settings: Settings, say: Say) -> None:
    rate = "" if info.baud_rate is None else f"{info.baud_rate} baud, "
    say(
        f"Radio: {format_address64(info.address64)} on {settings.serial}, {rate}API mode "
        f"{info.api_mode}, firmware {info.firmware_version:04x}, hardware "
        f"{info.hardware_version:04x}, PAN {info.operating_pan_id:016x}."
    )
    if info.problem:
        say(
            f"It is in no network yet (AI={info.association:02x}): no node can be reached until it "
            "is."
        )
    if coordinator.untold:
        say(f"The gateway would set {', '.join(coordinator.untold)}, until the radio restarts.")


async def _search(coordinator: Coordinator, info: RadioInfo, ports: Ports, say: Say) -> None:
    say(f"Nodes: searching for {info.discovery_time:g} s.")
    try:
        answers = await coordinator.discover()
    except RadioError as error:
        raise Problem(f"the search for nodes came to nothing: {error}") from error
    nodes = {answer.address64: answer for answer in answers}
    say(f"Nodes: {len(nodes)} answered.")
    for address64, answer in sorted(nodes.items()):
        port = ports.get(address64)
        given = "no port yet" if port is None else f"port {port}"
        say(f"    {format_address64(address64)}  {answer.label or '(no name)'}: {given}")
