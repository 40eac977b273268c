"""What a program tells the service manager that has started it: systemd, or who speaks as it does.

A message is one datagram to a socket that the environment names; see sd_notify(3). Nothing here may
stop the program: a manager that is away, or takes no more, is told less.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

#: Characters of a value. systemd takes messages of up to 4096 bytes.
MAX_VALUE = 500


class ServiceManager:
    """
    @ivar watchdog: seconds within which the manager wants to hear of the program again and again;
        0 if it does not watch.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self.watchdog = _watchdog(environment) if self._address else 0.0

    @property
    def is_there(self) -> bool:
        """Whether it wants to be told anything."""
        return bool(self._address)

    def tell(self, **values: str) -> None:
        """Send a message, at once.

        @param values: what it says, such as ``READY="1"``. White space of any kind becomes one
            blank, since a line's end would begin another value.
        """
        if not self._address:
            return
        lines = (
            f"{name}={' '.join(value.split())[:MAX_VALUE]}\n" for name, value in values.items()
        )
        # systemd refuses what is not UTF-8.
        message = "".join(lines).encode(errors="replace")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.setblocking(False)
                end.sendto(message, self._address)
        except OSError:
            # It is told again soon, and has no other way to hear why not.
            pass

    def reloading(self) -> None:
        """What the program goes by is being read again, until it is ready."""
        # Of the clock that systemd compares it with.
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.tell(RELOADING="1", MONOTONIC_USEC=str(now))

    def ready(self) -> None:
        """The program does what it is there for; also after `reloading`."""
        self.tell(READY="1")


def _address(text: str) -> str:
    """Return the address of a socket as `socket` has it, empty if it is none of that kind."""
    if text.startswith("@"):
        return f"\0{text[1:]}"
    return text if text.startswith("/") else ""


def _watchdog(environment: Mapping[str, str]) -> float:
    # It may be meant for another process, from which this one has the environment.
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    text = environment.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isascii() and text.isdecimal() else 0.0
