"""Ports without sockets: who listens where, and which ports other programs have."""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError


class Computer:
    """Server endpoints of a computer on which other programs have some ports."""

    def __init__(self) -> None:
        self.taken: set[object] = set()
        self.open: dict[object, Any] = {}
        self.tried: list[object] = []
        self.opened: list[object] = []
        self.slow: Deferred[Any] | None = None
        self.error = errno.EADDRINUSE
        self.raises: Exception | None = None

    def endpoint(self, slot: object) -> Any:
        computer = self

        class Listening:
            def stopListening(self) -> None:
                del computer.open[slot]

            def getHost(self) -> object:
                return object()

        class Endpoint:
            def listen(self, factory: Any) -> Deferred[Any]:
                computer.tried.append(slot)
                if slot in computer.taken and computer.raises is not None:
                    raise computer.raises
                if slot in computer.taken or slot in computer.open:
                    error = OSError(computer.error, os.strerror(computer.error))
                    return fail(CannotListenError("127.0.0.1", slot, error))
                computer.open[slot] = factory
                computer.opened.append(slot)
                if computer.slow is not None:
                    return computer.slow.addCallback(lambda _: Listening())
                return succeed(Listening())

        return Endpoint()
