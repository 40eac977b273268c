"""On SIGHUP, reads the configuration again, and follows it if it is without mistakes. If the
terminal is gone that the gateway was started from, which is said by the same signal, it stops.

To read thousands of ``[[node]]`` tables takes a second. A thread does that, and the streams go on.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from zbtwist.app.gateway import Gateway
from zbtwist.config.settings import Settings
from zbtwist.config.toml_file import ConfigError
from zbtwist.runtime.service_manager import ServiceManager

Load = Callable[[], Settings]


class Reloader(Service):
    """Follows the configuration. Signals that come while it is read are one."""

    log = Logger()

    def __init__(
        self,
        gateway: Gateway,
        load: Load | None,
        reactor: Any,
        read: Callable[[Load], Deferred[Settings]] | None = None,
        manager: ServiceManager | None = None,
    ) -> None:
        """
        @param load: returns the settings as they are now, or raises `ConfigError`; None if there
            is no file that says them.
        @param read: calls `load` elsewhere; in a thread of the reactor's if None.
        @param manager: is told when it begins and when it is over; that of the program if None.
        """
        self._gateway = gateway
        self._load = load
        self._reactor = reactor
        self._read = read or self._read_in_thread
        self._manager = manager or ServiceManager()
        self._wanted = False
        self._is_reading = False
        self._has_terminal = False

    def startService(self) -> None:
        super().startService()
        self._has_terminal = os.isatty(0)
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self._signalled))

    def stopService(self) -> None:
        super().stopService()
        # To the end: by default it would end the program while the rest still stops, and saves.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _signalled(self) -> None:
        if not self.running:
            # It came a moment before the stop.
            return
        if self._has_terminal and not os.isatty(0):
            self.log.info("The terminal is gone: the gateway stops.")
            self._reactor.stop()
        else:
            self.reload()

    def reload(self) -> None:
        """Read the configuration, and follow it, or say why not."""
        # Also of a signal that comes while it is read: the manager waits for what follows that one.
        self._manager.reloading()
        load = self._load
        if load is None:
            self.log.warn(
                "There is no configuration file to read again: it would be named with --config."
            )
            self._manager.ready()
            return
        self._wanted = True
        if not self._is_reading:
            self._is_reading = True
            reading = Deferred.fromCoroutine(self._read_while_wanted(load))
            reading.addErrback(
                lambda failure: self.log.failure("The configuration was not read", failure=failure)
            )

    async def _read_while_wanted(self, load: Load) -> None:
        try:
            while self._wanted and self.running:
                self._wanted = False
                await self._reload(load)
        finally:
            self._is_reading = False
            self._manager.ready()

    async def _reload(self, load: Load) -> None:
        try:
            settings = await self._read(load)
        except ConfigError as error:
            for mistake in str(error).splitlines():
                self.log.error("{mistake}", mistake=mistake)
            self.log.error("The configuration has mistakes: nothing was changed.")
        else:
            if self.running:
                self._gateway.reconfigure(settings)

    def _read_in_thread(self, load: Load) -> Deferred[Settings]:
        def read() -> Settings:
            settings = load()
            settings.prepare()
            return settings

        reading: Deferred[Settings] = deferToThreadPool(
            self._reactor, self._reactor.getThreadPool(), read
        )
        return reading
