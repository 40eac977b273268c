"""Announcing services by multicast DNS (RFC 6762 and 6763), with python-zeroconf.

That package lives on asyncio. Twisted's reactor has none, so it has a thread with a loop of its
own, which is told what is to be announced, and sees to it: what is new is registered, what is gone
is taken back. Only the last that it was told counts, so nothing can pile up. It is loaded in that
thread, and not before.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from zbtwist.runtime.extras import missing
from zbtwist.runtime.option import Context, Mistake, flag

#: Bytes of a service's name (RFC 6763, 4.1.1).
MAX_NAME = 63

#: How many are registered at the same time: each takes a second or two, since others are asked
#: whether they have the name.
AT_ONCE = 8

#: Seconds between two looks whether the computer has other addresses, and between two tries.
INTERVAL = 60.0

#: Seconds that the good-byes may take at the end.
PATIENCE = 5.0

#: Where it listens when it is to be everywhere.
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - they are compared with


def is_wanted(text: str, context: Context) -> bool:
    """Yes or no; yes only if the package is there."""
    wanted = flag(text, context)
    if wanted and find_spec("zeroconf") is None:
        raise Mistake(f"{missing('zeroconf')}.")
    return wanted


@dataclass(frozen=True)
class Announced:
    """A service.

    @ivar name: what people see, at most `MAX_NAME` bytes.
    @ivar kind: such as ``_http._tcp``.
    @ivar port: the TCP port.
    @ivar text: what else is said of it, names and values.
    """

    name: str
    kind: str
    port: int
    text: tuple[tuple[str, str], ...] = ()


def shortened(text: str, size: int) -> str:
    """Return as much of a text as fits into so many bytes of UTF-8."""
    return text.encode()[:size].decode(errors="ignore")


class Announcements:
    """Announces services while it runs. It can be started once."""

    log = Logger()

    def __init__(self, reactor: Any, interface: str) -> None:
        """
        @param reactor: is told, from the thread, what there is to be told.
        @param interface: the IP address at which the services are; it is announced there alone, or
            at all addresses of the computer.
        """
        self._reactor = reactor
        self._interface = interface
        self._wanted: frozenset[Announced] = frozenset()
        self._stopping = False
        self._problem = ""
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken: asyncio.Event | None = None
        self._ended: Deferred[None] = Deferred()

    # --- in the reactor's thread ---------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        # The interpreter does not wait for it: it is waited for at the end, for a bounded time.
        self._thread = threading.Thread(target=self._run, name="zeroconf", daemon=True)
        self._thread.start()

    def announce(self, services: Iterable[Announced]) -> None:
        """Announce these from now on, and no others."""
        self._wanted = frozenset(services)
        self._wake()

    def stop(self) -> Deferred[None]:
        """Take everything back.

        @return: fires when that was said, or takes too long.
        """
        if self._thread is None:
            return succeed(None)
        self._stopping = True
        self._wake()
        self._ended.addTimeout(PATIENCE, self._reactor).addErrback(lambda _: None)
        return self._ended

    def _wake(self) -> None:
        loop, woken = self._loop, self._woken
        if loop is not None and woken is not None:
            try:
                loop.call_soon_threadsafe(woken.set)
            except RuntimeError:
                # It has just ended.
                return

    def _say(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            if problem:
                self.log.warn(
                    "Nodes cannot be announced on the network (zeroconf): {problem}.",
                    problem=problem.rstrip("."),
                )

    def _is_over(self) -> None:
        if not self._ended.called:
            self._ended.callback(None)

    # --- in its own ----------------------------------------------------------------------------

    def _run(self) -> None:
        # What it has to say is said here; Python would write it to stderr.
        logger = logging.getLogger("zeroconf")
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
        try:
            asyncio.run(self._announce())
        except Exception as error:
            self._tell(self._say, str(error) or type(error).__name__)
        finally:
            self._loop = None
            self._tell(self._is_over)

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        self._reactor.callFromThread(function, *arguments)

    async def _announce(self) -> None:
        self._woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        while not self._stopping:
            problem = ""
            try:
                await self._while_at(_addresses(self._interface))
            except Exception as error:
                problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
            self._tell(self._say, problem)
            if problem:
                await self._wait()

    async def _wait(self) -> None:
        assert self._woken is not None
        try:
            await asyncio.wait_for(self._woken.wait(), INTERVAL)
        except asyncio.TimeoutError:
            return
        self._woken.clear()

    async def _while_at(self, addresses: list[str]) -> None:
        """Announce what is wanted, while the computer has these addresses.

        @raise OSError: it cannot be done there.
        """
        from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

        host = f"{shortened(socket.gethostname().partition('.')[0], 50)}-zbtwist.local."
        zeroconf = AsyncZeroconf(interfaces=addresses)
        registered: dict[Announced, AsyncServiceInfo] = {}
        failed: set[Announced] = set()

        async def register(service: Announced) -> None:
            kind = f"{service.kind}.local."
            try:
                info = AsyncServiceInfo(
                    kind,
                    f"{service.name}.{kind}",
                    service.port,
                    properties=dict(service.text),
                    server=host,
                    parsed_addresses=addresses,
                )
                # Another gateway of this name may be there: then it is called so with a number.
                await (await zeroconf.async_register_service(info, allow_name_change=True))
            except Exception as error:
                reason = str(error) or type(error).__name__
                self._tell(self._say, f"{service.name}: {reason}")
                failed.add(service)
            else:
                registered[service] = info

        try:
            while not self._stopping and addresses == _addresses(self._interface):
                for service in [one for one in registered if one not in self._wanted]:
                    await (await zeroconf.async_unregister_service(registered.pop(service)))
                new = self._wanted - registered.keys() - failed
                if new:
                    await asyncio.gather(*map(register, sorted(new, key=_port_of)[:AT_ONCE]))
                else:
                    await self._wait()
                    failed.clear()
        finally:
            await zeroconf.async_unregister_all_services()
            await zeroconf.async_close()


def _port_of(service: Announced) -> int:
    return service.port


def _addresses(interface: str) -> list[str]:
    """Return the addresses at which services are.

    @raise OSError: there are none.
    """
    if interface not in _EVERYWHERE:
        return [interface]
    from ifaddr import get_adapters

    found = set()
    for adapter in get_adapters():
        for each in adapter.ips:
            # Of IPv6 it has more to it than the address.
            address = ip_address(each.ip if isinstance(each.ip, str) else each.ip[0])
            is_of_all = interface == "::" or address.version == 4
            if is_of_all and not (address.is_loopback or address.is_link_local):
                found.add(str(address))
    if not found:
        raise OSError("this computer has no address in a network")
    return sorted(found)
