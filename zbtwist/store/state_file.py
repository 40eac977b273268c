"""The store's file as a file: there whole or not at all, with nothing beside it that is another's,
and still the one that was opened.

SQLite trusts what it finds beside its file, and writes on into a file that has no name any more.
"""

from __future__ import annotations

import enum
import errno
import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: The beginning of a database: magic, page size in bytes (1 means 65536), version needed to write
#: (1: rollback journal, 2: write-ahead log), change counter, pages, schema cookie ("Database File
#: Format" of SQLite's documentation, section 1.3).
_HEADER = struct.Struct(">16sHB5xII8xI56x")
_MAGIC = b"SQLite format 3\0"
_ROLLBACK = 1

#: The beginning of a rollback journal: magic, pages in it, pages of the database, sector size, page
#: size, both in bytes ("Database File Format", section 3).
_JOURNAL = struct.Struct(">8sI4xIII")
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")

#: By how much a change moves the schema cookie, at the most.
MAX_STEP = 0xFF

#: What `os.link` fails with on a file system that has no hard links, or lets nobody make one.
_NO_LINKS = frozenset(
    (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
)


def moved(cookie: int) -> int:
    """Return another schema cookie, by which it is seen that the file was changed.

    SQLite's change counter does not tell: while the file is locked for good it counts the first
    change alone. By a step of chance, files that were the same once are told apart as well.

    @param cookie: as SQLite says it, 32 bits with a sign.
    """
    step = secrets.randbelow(MAX_STEP) + 1
    return (cookie + step + 0x80000000) % 0x100000000 - 0x80000000


def journal_of(path: Path) -> Path:
    """Where SQLite keeps what a change replaces, until the change is whole."""
    return Path(f"{path}-journal")


def log_of(path: Path) -> Path:
    """Where SQLite kept changes for files of earlier versions of the gateway."""
    return Path(f"{path}-wal")


def _put_in_place(making: Path, path: Path) -> None:
    """Give a file that is whole its name, and have that on the disk.

    @raise FileExistsError: there is one of that name.
    @raise OSError: it cannot be done.
    """
    try:
        try:
            os.link(making, path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # Two that do this at the same moment are not told apart; the one that was too early
            # notices at its next change that its file was replaced.
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None
            os.rename(making, path)
    finally:
        making.unlink(missing_ok=True)
    # Some file systems cannot do that, and have it on the disk without.
    with suppress(OSError):
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


@contextmanager
def being_made(path: Path) -> Iterator[Path]:
    """Yield an empty file, readable for its user alone, in which one is made; at the end it gets
    its name. If that fails, nothing stays of it: it may have been for want of room.

    @raise FileExistsError: there is one of that name.
    @raise OSError: it cannot be done.
    """
    # Another gateway may be making it at the same moment: the first to name it has made it.
    making = path.with_name(f"{path.name}.{os.getpid()}.new")
    _remove(making)
    # Which devices there are is nobody else's business. SQLite gives its other files the same mode.
    os.close(os.open(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield making
        _put_in_place(making, path)
    except BaseException:
        # Why it failed is what is to be said.
        with suppress(OSError):
            _remove(making)
        raise


def _remove(making: Path) -> None:
    for each in (making, journal_of(making)):
        each.unlink(missing_ok=True)


def problem_of(path: Path) -> str:
    """Return what is wrong with a file that nobody has open, a clause; empty for nothing."""
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return "it is cut short"
    magic, page_size, version, counter, pages, cookie = _HEADER.unpack(header)
    if magic != _MAGIC:
        # SQLite says what it is.
        return ""
    log, journal = log_of(path), journal_of(path)
    if _has_bytes(log):
        if version == _ROLLBACK:
            # SQLite would put its changes into whatever file lies beside it.
            return (
                f"the changes in {log} beside it are of another file, probably the one before a "
                "copy was put back: move that away, if the copy is what you want"
            )
        # What is missing at the end may rightly be in it.
        return ""
    replaced = _replaced_in(journal)
    if replaced is not None:
        # The change may have come to the file or not. What counts it counts up once; the cookie has
        # moved by a step.
        old_counter, old_cookie = replaced
        has_counted = counter in (old_counter, (old_counter + 1) & 0xFFFFFFFF)
        if not has_counted or (cookie - old_cookie) & 0xFFFFFFFF > MAX_STEP:
            return (
                f"the unfinished change in {journal} beside it is of another file, probably the "
                "one before a copy was put back: move that away, if the copy is what you want"
            )
        return ""
    # SQLite takes a file without content for a new database, and reads zeros past the end of the
    # last page.
    expected = (page_size if page_size > 1 else 0x10000) * pages
    return "it is cut short" if path.stat().st_size < expected else ""


def _has_bytes(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _replaced_in(journal: Path) -> tuple[int, int] | None:
    """Return change counter and schema cookie of the file before a change that was not finished;
    None if there is no such change.
    """
    if not _has_bytes(journal):
        return None
    with journal.open("rb") as file:
        header = file.read(_JOURNAL.size)
        if len(header) < _JOURNAL.size:
            return None
        magic, count, _, sector_size, page_size = _JOURNAL.unpack(header)
        if magic != _JOURNAL_MAGIC:
            return None
        file.seek(sector_size)
        # A number, the page as it was, and a check sum.
        record = struct.Struct(f">I{min(page_size, 0x10000)}s4x")
        for _ in range(count):
            content = file.read(record.size)
            if len(content) < record.size:
                break
            number, page = record.unpack(content)
            if number == 1 and len(page) >= _HEADER.size:
                _, _, _, counter, _, cookie = _HEADER.unpack_from(page)
                return counter, cookie
    return None


class Whereabouts(enum.Enum):
    """Where a file is that was opened."""

    IN_PLACE = "it is where it was"
    MISSING = "there is none of its name any more"
    UNMOUNTED = "its directory is gone, or another one"
    REPLACED = "another one has its name"
    OVERWRITTEN = "it is the same file, and another program has written it"


class OpenFile:
    """A file that is open, so that it is noticed when it is removed, replaced or overwritten.

    It holds a descriptor: to close that drops the locks that SQLite has on the file, so it must be
    closed after SQLite's.
    """

    def __init__(self, path: Path) -> None:
        """
        @raise OSError: it cannot be opened.
        """
        self._path = path
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._device = path.parent.stat().st_dev
        self.note()

    def note(self) -> None:
        """It is as it should be now: the gateway itself has written it."""
        self._header = self._read()

    def _read(self) -> bytes:
        # It has the schema cookie, which each change moves.
        return os.pread(self._file, _HEADER.size, 0)

    def whereabouts(self) -> Whereabouts:
        """Return where it is.

        @raise OSError: nobody can tell.
        """
        if self._read() != self._header:
            return Whereabouts.OVERWRITTEN
        try:
            is_same = os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            try:
                is_there = self._path.parent.stat().st_dev == self._device
            except FileNotFoundError:
                is_there = False
            return Whereabouts.MISSING if is_there else Whereabouts.UNMOUNTED
        return Whereabouts.IN_PLACE if is_same else Whereabouts.REPLACED

    def close(self) -> None:
        os.close(self._file)
