"""Listens for the control API, goes on trying while its port is taken, and says where it is."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IListeningPort,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.logger import Logger

from zbtwist.control import DEFAULT_PORT
from zbtwist.control.http.browser_ports import REFUSED_BY_BROWSERS
from zbtwist.runtime.listen_errors import advice
from zbtwist.runtime.server_endpoint import ENCRYPTED

#: Seconds between two tries.
RETRY = 5.0


def zbctl() -> str:
    """Return how a shell calls the zbctl that belongs to this program."""
    # The same directory as that of the program itself, also in a virtual environment.
    beside = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "zbctl")
    if not os.path.exists(beside):
        beside = os.path.join(os.path.dirname(sys.executable), "zbctl")
    on_path = shutil.which("zbctl")
    if on_path is not None and (not os.path.exists(beside) or os.path.samefile(on_path, beside)):
        return "zbctl"
    return shlex.quote(beside if os.path.exists(beside) else "zbctl")


def zbctl_for(port: int) -> str:
    """Return how a shell calls it for a gateway whose control port is that of this computer."""
    # Without a word zbctl looks there by itself.
    return zbctl() if port in (0, DEFAULT_PORT) else f"{zbctl()} --url {_local(port)}RPC2"


def _local(port: int) -> str:
    return f"http://127.0.0.1:{port}/"


class ControlSettings(Protocol):
    """What the control port needs of the settings; see `zbtwist.config.settings.Settings`."""

    @property
    def control(self) -> str: ...
    @property
    def interface(self) -> str: ...
    def control_endpoint(self, reactor: Any) -> IStreamServerEndpoint: ...


class ControlService(Service):
    """Serves a site at an endpoint. A taken port is a line in the log, not the end."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        endpoint: IStreamServerEndpoint,
        site: IProtocolFactory,
        name: str,
    ) -> None:
        """
        @param name: the endpoint as the user wrote it, for the log.
        """
        self._clock = clock
        self._endpoint = endpoint
        self._site = site
        self._name = name
        self._listening: IListeningPort | None = None
        self._retry: IDelayedCall | None = None
        self._reported = False

    def startService(self) -> None:
        super().startService()
        Deferred.fromCoroutine(self._listen()).addErrback(
            lambda failure: self.log.failure("The control port failed", failure=failure)
        )

    async def _listen(self) -> None:
        self._retry = None
        try:
            self._listening = await self._endpoint.listen(self._site)
        except (CannotListenError, OSError) as error:
            if not self._reported:
                self._reported = True
                self.log.error(
                    "The control API cannot listen on {name}: {reason}; --control names another "
                    "port. The gateway goes on trying.",
                    name=self._name,
                    reason=advice(error),
                )
            if self.running:
                self._retry = self._clock.callLater(RETRY, self.startService)
        else:
            self._reported = False
            self._tell_where(self._listening.getHost())

    def _tell_where(self, address: IAddress) -> None:
        """Say how a person comes to the console and to a list of the nodes."""
        if not isinstance(address, IPv4Address | IPv6Address):
            # Neither a browser nor zbctl reaches it.
            self.log.info("The control API is on {name}.", name=self._name)
            return
        # To be shown, not to be bound.
        everywhere = address.host in ("0.0.0.0", "::")  # noqa: S104
        host = "127.0.0.1" if everywhere else address.host
        shown = f"[{host}]" if ":" in host else host
        scheme = "https" if self._name.startswith(ENCRYPTED) else "http"
        url = f"{scheme}://{shown}:{address.port}/"
        command = (
            zbctl_for(address.port) if url == _local(address.port) else f"{zbctl()} --url {url}RPC2"
        )
        if address.port in REFUSED_BY_BROWSERS:
            self.log.warn(
                "Browsers do not open port {port}, which they keep for another protocol: the "
                "console cannot be seen at {url}; --control names another port, such as {default}.",
                port=address.port,
                url=url,
                default=DEFAULT_PORT,
            )
        else:
            self.log.info("Open {url} in a browser.", url=url)
        self.log.info("List of nodes and ports: {command} list", command=command)

    def reconfigure(self, old: ControlSettings, new: ControlSettings) -> None:
        """Follow new settings."""
        self.replace_endpoint(new.control_endpoint(self._clock), new.control)

    def replace_endpoint(self, endpoint: IStreamServerEndpoint, name: str) -> None:
        """Listen somewhere else from now on."""
        self._endpoint = endpoint
        self._name = name
        self._reported = False
        if self.running:
            maybeDeferred(self.stopService).addCallback(lambda _: self.startService())

    def stopService(self) -> Any:
        super().stopService()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        listening, self._listening = self._listening, None
        return listening.stopListening() if listening is not None else None
