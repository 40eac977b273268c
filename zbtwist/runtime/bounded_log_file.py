"""A log file that is bounded, always written at its end, and can be opened anew."""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.python.logfile import LogFile

#: Bytes of one file, after which the next begins, and how many files before it are kept.
MAX_SIZE = 1_000_000
MAX_OLD = 9


class BoundedLogFile(LogFile):
    """A log file; the last ones before it are beside it, with a number behind the name."""

    def __init__(self, name: str, directory: str) -> None:
        super().__init__(name, directory, MAX_SIZE, maxRotatedFiles=MAX_OLD)

    def _openFile(self) -> None:
        self.closed = False
        mode = 0o666 if self.defaultMode is None else self.defaultMode
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, mode)
        self._file: Any = os.fdopen(descriptor, "ab", 0)
        self.size = self._size()

    def _see_that_it_is_open(self) -> None:
        """Open it again if that could not be done when it was closed for that.

        @raise OSError: it still cannot.
        """
        if self._file.closed:
            self._openFile()

    def _size(self) -> int:
        self._see_that_it_is_open()
        return os.fstat(self._file.fileno()).st_size

    def shouldRotate(self) -> bool:
        # Somebody may have cut it.
        return self._size() >= MAX_SIZE

    def rotate(self) -> None:
        """Begin a new file. Where that cannot be done, this one begins anew: the daemon's user
        need not have the right to make files beside it.
        """
        try:
            super().rotate()
        except OSError:
            self._see_that_it_is_open()
        if self.shouldRotate():
            os.ftruncate(self._file.fileno(), 0)

    def reopen(self) -> None:
        """Go on in a file of its name; if there can be none, in the one that is open.

        @raise OSError: there can be none.
        """
        before = self._file
        self._openFile()
        before.close()

    def reopen_or_rotate(self) -> None:
        """What SIGUSR1 asks for: if the file was moved, go on in one of its name.

        @raise OSError: there can be none. What was moved goes on.
        """
        try:
            is_in_place = os.path.samestat(os.fstat(self._file.fileno()), os.stat(self.path))
        except FileNotFoundError:
            is_in_place = False
        if is_in_place:
            self.rotate()
        else:
            self.reopen()

    def write_whole(self, data: bytes) -> None:
        """Write at the end.

        @raise OSError: not all of it could be written.
        """
        if self.shouldRotate():
            self.rotate()
        written = self._file.write(data)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
