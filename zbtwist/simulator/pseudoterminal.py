"""A pseudoterminal that any program may open, close and open again, as if it were a serial port.

While nobody has it open, a read of the master side fails at once and the poller reports a hang-up
without end. So the master is watched only while somebody has it open; else a timer looks for that
a few times a second. What is written meanwhile is dropped, as a serial line drops it, and what the
last program left unread is thrown away for the next one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import termios
import tty
from collections.abc import Callable

from twisted.internet.interfaces import (
    IDelayedCall,
    IReactorFDSet,
    IReactorTime,
    IReadWriteDescriptor,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

#: Seconds between two looks for a program that opened it.
POLL_INTERVAL = 0.05

#: How many bytes are kept for a program that does not read.
BACKLOG = 0x10000

_CHUNK = 0x1000
_DIRECTORY = "/dev/pts/"

log = Logger()


class LinkError(ValueError):
    """A link cannot be made where it was wanted. Its message is a sentence for the user."""


@implementer(IReadWriteDescriptor)
class Pseudoterminal:
    """
    @ivar path: its device, such as ``/dev/pts/3``.
    @ivar link: the symbolic link to it, None if there is none.
    @ivar is_open: whether some program has it open, as far as is known.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        data_received: Callable[[bytes], None],
        link: str | None = None,
        opened: Callable[[], None] | None = None,
    ) -> None:
        """
        @param reactor: it must watch file descriptors, too (`IReactorFDSet`).
        @param data_received: called with what programs write.
        @param link: where a symbolic link to the device is to be.
        @param opened: called when a program opened it.
        @raise ValueError: the reactor cannot watch file descriptors.
        @raise LinkError: there is something at `link` that is not such a link.
        @raise OSError: there is no pseudoterminal to be had, or no link can be made.
        """
        if not IReactorFDSet.providedBy(reactor):
            raise ValueError("a pseudoterminal needs a reactor that watches file descriptors")
        self._reactor = reactor
        self._watcher: IReactorFDSet = IReactorFDSet(reactor)
        self._data_received = data_received
        self._opened = opened
        self._backlog = bytearray()
        self._paused = False
        self._closed = False
        self._timer: IDelayedCall | None = None
        self.is_open = False
        self.link = link
        self._create()
        try:
            self._make_link()
        except (OSError, LinkError):
            os.close(self._master)
            raise
        self._look()

    def _create(self) -> None:
        self._master, slave = os.openpty()
        try:
            self.path = os.ttyname(slave)
            # Raw before anybody opens it: no echo, no line editing, no newline translation.
            tty.setraw(slave)
            os.set_blocking(self._master, False)
        finally:
            os.close(slave)
        self._poller = select.poll()
        self._poller.register(self._master, select.POLLIN)

    # --- The link ------------------------------------------------------------------------------

    def _make_link(self) -> None:
        if self.link is None:
            return
        with contextlib.suppress(FileNotFoundError):
            is_link = stat.S_ISLNK(os.lstat(self.link).st_mode)
            if not is_link or not os.readlink(self.link).startswith(_DIRECTORY):
                raise LinkError(
                    f"{self.link} exists and is no link to a pseudoterminal: "
                    "remove it, or choose another path"
                )
        # Made aside and moved, so that the path leads somewhere at every moment.
        aside = f"{self.link}.{os.getpid()}"
        os.symlink(self.path, aside)
        os.replace(aside, self.link)

    def _remove_link(self) -> None:
        if self.link is None:
            return
        with contextlib.suppress(OSError):
            if os.readlink(self.link) == self.path:
                os.unlink(self.link)

    # --- Open and closed -----------------------------------------------------------------------

    def _look(self) -> None:
        """Nobody had it open; see whether that changed."""
        self._timer = None
        events = self._poller.poll(0)
        state = events[0][1] if events else 0
        if state & select.POLLHUP and not state & select.POLLIN:
            self._timer = self._reactor.callLater(POLL_INTERVAL, self._look)
            return
        self.is_open = True
        if self._opened is not None:
            self._opened()
        if not self._paused and not self._closed:
            self._watcher.addReader(self)

    def _hung_up(self) -> None:
        """The last program closed it."""
        if not self.is_open or self._closed:
            return
        self._watcher.removeReader(self)
        self._watcher.removeWriter(self)
        self.is_open = False
        self._backlog.clear()
        # Not at once: the reactor is still busy with the descriptor that may be replaced.
        self._timer = self._reactor.callLater(0, self._reset)

    def _reset(self) -> None:
        self._throw_away_unread()
        self._look()

    def _throw_away_unread(self) -> None:
        try:
            slave = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.EBUSY:
                log.warn("cannot reset {path}: {reason}", path=self.path, reason=error.strerror)
                return
            # The program had it to itself (TIOCEXCL), and the kernel goes on refusing others:
            # only a new pseudoterminal helps.
            os.close(self._master)
            self._create()
            self._make_link()
            return
        try:
            termios.tcflush(slave, termios.TCIOFLUSH)
        finally:
            os.close(slave)

    @property
    def waiting_bytes(self) -> int:
        """How many bytes wait for a program to read them."""
        return len(self._backlog)

    def close(self) -> None:
        """Give the device back and remove the link."""
        if self._closed:
            return
        self._closed = True
        self._watcher.removeReader(self)
        self._watcher.removeWriter(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._remove_link()
        os.close(self._master)

    # --- Bytes ---------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Say something to the program that has it open; what nobody takes is dropped."""
        if self._timer is not None and not self._closed:
            # It may have been opened since the last look.
            self._timer.cancel()
            self._look()
        if not self.is_open or self._closed:
            return
        was_idle = not self._backlog
        self._backlog += data[: BACKLOG - len(self._backlog)]
        if was_idle:
            self.doWrite()

    def pause(self) -> None:
        """Read no more until `resume`."""
        self._paused = True
        self._watcher.removeReader(self)

    def resume(self) -> None:
        """Read again."""
        if self._paused:
            self._paused = False
            if self.is_open and not self._closed:
                self._watcher.addReader(self)

    def doRead(self) -> None:
        try:
            data = os.read(self._master, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            self._hung_up()
            return
        self._data_received(data)

    def doWrite(self) -> None:
        try:
            size = os.write(self._master, self._backlog)
        except BlockingIOError:
            size = 0
        except OSError:
            self._backlog.clear()
            return
        finally:
            self._watcher.removeWriter(self)
        del self._backlog[:size]
        if self._backlog:
            self._watcher.addWriter(self)

    def fileno(self) -> int:
        return -1 if self._closed else self._master

    def connectionLost(self, reason: Failure) -> None:
        # The reactor says so of a hang-up, which is no end here.
        self._hung_up()

    def logPrefix(self) -> str:
        return "pseudoterminal"
