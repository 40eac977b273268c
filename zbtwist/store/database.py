"""The file of the store: an SQLite database that is ours, whole, and open to one gateway at a time.

A file that cannot be used (of another program, damaged, of a later version, read-only) is a
`StoreError`, never an empty store: an empty store would give every node a new port.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from zbtwist.store.errors import StoreError
from zbtwist.store.state_file import (
    OpenFile,
    Whereabouts,
    being_made,
    journal_of,
    moved,
    problem_of,
)

#: The store that is forgotten at the end.
MEMORY = ":memory:"

#: What SQLite keeps in the file's header for us: "zbtw".
APPLICATION_ID = 0x7A627477

#: What SQLite fails with; the last where its message has what is no text, of a damaged file.
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)

#: Seconds to wait for another process that has the file open, before saying that it is in use.
BUSY_TIMEOUT = 0.2

#: One script for each version of the schema; each brings a file from the version before to its own.
MIGRATIONS = (
    """
    CREATE TABLE node (
        address TEXT PRIMARY KEY,
        label TEXT,
        role INTEGER,
        parent16 INTEGER NOT NULL,
        profile_id INTEGER NOT NULL,
        manufacturer_id INTEGER NOT NULL,
        device_type_identifier INTEGER,
        last_seen REAL NOT NULL,
        unbound INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE mapping (
        address TEXT PRIMARY KEY,
        port NOT NULL UNIQUE,
        by_hand INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE given (
        port PRIMARY KEY,
        address TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE pin (
        label TEXT PRIMARY KEY,
        address TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE node ADD COLUMN unwritten TEXT NOT NULL DEFAULT '';
    CREATE TABLE settings (
        address TEXT PRIMARY KEY,
        text TEXT NOT NULL,
        read_at REAL NOT NULL
    ) WITHOUT ROWID;
    """,
)


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)


def _migrate(database: sqlite3.Connection, version: int) -> None:
    """Bring a database to the newest schema; within a transaction."""
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        for statement in filter(str.strip, script.split(";")):
            database.execute(statement)
        database.execute(f"PRAGMA user_version={number}")
    database.execute(f"PRAGMA application_id={APPLICATION_ID}")


def _make_if_missing(path: Path) -> bool:
    """Make an empty store, which is there whole or not at all.

    So a file without content never was a store that a crash left behind: it was cut short.

    @return: whether it was made.
    """
    if path.exists():
        return False
    if path.is_symlink():
        raise StoreError(
            f"The state file {path} is a link that leads nowhere: mount the disk that it leads to, "
            "or remove the link."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with being_made(path) as making, closing(_connect(str(making))) as database:
            database.execute("PRAGMA journal_mode=DELETE")
            database.execute("BEGIN")
            _migrate(database, 0)
            database.execute("COMMIT")
    except FileExistsError:
        return False
    return True


def _reason_of(error: Exception) -> str:
    """Say why in words, without the numbers of the system."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _is_full(error: Exception) -> bool:
    """Whether it says that the disk is full."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOSPC
    return "is full" in str(error)


class Database:
    """The file: `open` it, use it, `close` it.

    Changes go through a rollback journal, which is empty between two of them: beside the file lies
    nothing that a copy of it, put back later, could be mixed up with.

    @ivar path: where it is, or `MEMORY`.
    @ivar is_new: whether `open` found no file, and made an empty one.
    @ivar connection: SQLite's, while it is open.
    """

    log = Logger()

    connection: sqlite3.Connection

    def __init__(self, path: str) -> None:
        """
        @param path: a file, made with its directory if it is not there; or `MEMORY`.
        """
        self.path = path
        self.is_new = False
        # None of a store in memory, and while it could not be opened again.
        self._file: OpenFile | None = None
        self._is_lost = False
        # Whether there must be a journal, since something was written.
        self._has_journal = False

    def open(self) -> None:
        """Open the file, and make or migrate it as needed. A program that forks must fork before.

        @raise StoreError: it cannot be used.
        """
        if self.path == MEMORY:
            self._connect()
            return
        path = Path(self.path)
        try:
            self.is_new = _make_if_missing(path)
        except (OSError, *SQLITE_ERRORS) as error:
            raise self._cannot_open(error) from error
        self._open_file()

    def _open_file(self) -> None:
        """Open a file that is there.

        @raise StoreError: it cannot be used.
        """
        path = Path(self.path)
        try:
            self._check_access()
            problem = problem_of(path)
            if problem:
                raise StoreError(self.damaged(problem))
            file = OpenFile(path)
        except OSError as error:
            raise self._cannot_open(error) from error
        try:
            self._connect()
            file.note()
        except (StoreError, OSError) as error:
            file.close()
            if isinstance(error, OSError):
                raise self._cannot_open(error) from error
            raise
        self._file = file

    def _connect(self) -> None:
        try:
            self.connection = _connect(self.path)
        except SQLITE_ERRORS as error:
            raise self._cannot_open(error) from error
        try:
            self._prepare()
        except StoreError:
            self.connection.close()
            raise
        except SQLITE_ERRORS as error:
            self.connection.close()
            raise StoreError(self._explain(error)) from error

    def _cannot_open(self, error: Exception) -> StoreError:
        if _is_full(error):
            return StoreError(self._explain(error))
        return StoreError(
            f"The state file {self.path} cannot be opened: {_reason_of(error)}. "
            "Name another with --state, or mend its directory's permissions."
        )

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            # Else the empty journal stays there.
            self.connection.execute("PRAGMA locking_mode=NORMAL")
            self.connection.execute("PRAGMA journal_mode=DELETE")
        self.connection.close()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _prepare(self) -> None:
        connection = self.connection
        # One gateway at a time: the lock is taken at once and kept to the end.
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA temp_store=MEMORY")
        if self.path == MEMORY:
            with self._change():
                _migrate(connection, 0)
        else:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if application != APPLICATION_ID:
            raise StoreError(
                f"{self.path} is the database of another program: name another file with --state."
            )
        if version > len(MIGRATIONS):
            raise StoreError(
                f"The state file {self.path} was written by a later version of zbtwist "
                f"(schema {version}, this one knows {len(MIGRATIONS)}): install that version "
                "again, or name another file with --state."
            )
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise StoreError(self.damaged(verdict))
        # Nothing is written before it is certain that the file is ours. Earlier versions left a
        # write-ahead log beside it, which this makes part of it.
        connection.execute("PRAGMA journal_mode=TRUNCATE")
        connection.execute("PRAGMA synchronous=FULL")
        # So that the journal of a change that is written has its beginning, see `problem_of`.
        connection.execute("PRAGMA cache_spill=OFF")
        if version < len(MIGRATIONS):
            with self._change():
                _migrate(connection, version)

    # --- the file while it is open -------------------------------------------------------------

    def _see_to_file(self) -> None:
        """See that what is written now is found at the next start.

        @raise StoreError: it would not be.
        """
        if self._file is None:
            if self._is_lost:
                self._open_again()
            return
        try:
            where = self._file.whereabouts()
        except OSError as error:
            raise StoreError(
                f"The state file {self.path} cannot be looked at: {_reason_of(error)}. See to its "
                "disk and directory; nothing is saved until then."
            ) from error
        if where is Whereabouts.MISSING:
            self._write_anew()
        elif where is Whereabouts.UNMOUNTED:
            raise StoreError(
                f"The directory of the state file {self.path} is gone, or its disk is not mounted "
                "any more: bring it back; nothing is saved until then."
            )
        elif where is Whereabouts.OVERWRITTEN:
            raise StoreError(
                f"The state file {self.path} was overwritten by another program while the gateway "
                "had it open: stop the gateway, put the file there that is to be used, and start "
                "it. Nothing is saved until then."
            )
        elif where is Whereabouts.REPLACED:
            raise StoreError(
                f"The state file {self.path} was replaced while the gateway had it open: stop the "
                "gateway and start it, to use the new one; or move the new one away, and the "
                "gateway writes its own again. Nothing is saved until then."
            )
        elif self._has_journal and not journal_of(Path(self.path)).exists():
            # SQLite would write it into a file without a name, where no start finds it.
            self._open_again()

    def _write_anew(self) -> None:
        """The file was removed; SQLite still has all that is in it.

        @raise StoreError: it cannot be written.
        """
        path = Path(self.path)
        try:
            with being_made(path) as making, closing(_connect(str(making))) as copy:
                self.connection.backup(copy)
        except (OSError, *SQLITE_ERRORS) as error:
            raise StoreError(
                f"The state file {path} was removed while the gateway had it open, and cannot be "
                f"written anew: {_reason_of(error)}. Make that possible; nothing is saved until "
                "then."
            ) from error
        self._open_again()
        self.log.warn(
            "The state file {path} was removed while the gateway had it open: it is written anew, "
            "with all that was in it.",
            path=self.path,
        )

    def _open_again(self) -> None:
        """
        @raise StoreError: it cannot be done; the next change tries again.
        """
        if not self._is_lost:
            self.close()
        self._is_lost = True
        self._has_journal = False
        self._open_file()
        self._is_lost = False

    def _check_access(self) -> None:
        path = Path(self.path)
        if not path.is_file():
            raise StoreError(f"{path} is not a file: name a file with --state.")
        if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK):
            raise StoreError(self._read_only())

    def _read_only(self) -> str:
        with suppress(OSError):
            if os.statvfs(self.path).f_flag & os.ST_RDONLY:
                return (
                    f"The state file {self.path} cannot be written: its file system is mounted for "
                    "reading only, as the system itself does with a disk or card that fails. Mount "
                    "it for writing, or name another file with --state."
                )
        return (
            f"The state file {self.path} cannot be written: give this user the right to write it "
            "and its directory, or name another file with --state."
        )

    def damaged(self, detail: object) -> str:
        return (
            f"The state file {self.path} is damaged ({detail}): put a copy of it back, or move it "
            "away to begin with an empty one, in which every node gets a new port."
        )

    def _explain(self, error: Exception) -> str:
        """Say in a sentence what is wrong with the file."""
        text = _reason_of(error)
        if isinstance(error, sqlite3.IntegrityError):
            return f"The state file {self.path} refused a change: {text}."
        is_about_use = isinstance(error, sqlite3.OperationalError | sqlite3.ProgrammingError)
        if isinstance(error, SQLITE_ERRORS) and not is_about_use:
            return self.damaged(text)
        if "decode" in text:
            # A text that is no UTF-8.
            return self.damaged("a text in it is none")
        if "locked" in text:
            return (
                f"The state file {self.path} is in use by another program, probably another "
                "gateway: stop that one, or name another file with --state."
            )
        if "readonly" in text or "read-only" in text:
            return self._read_only()
        if _is_full(error):
            return f"The disk of the state file {self.path} is full: make room on it."
        return (
            f"The state file {self.path} cannot be used ({text}): see that this user may write "
            "it and its directory, and that the disk is in order."
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the changes within, or none.

        @raise StoreError: they could not be written.
        """
        self._see_to_file()
        with self._change():
            yield

    @contextmanager
    def _change(self) -> Iterator[None]:
        connection = self.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            changes = connection.total_changes
            try:
                yield
                if connection.total_changes != changes:
                    (cookie,) = connection.execute("PRAGMA schema_version").fetchone()
                    connection.execute(f"PRAGMA schema_version={moved(cookie)}")
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                if self._file is not None:
                    self._file.note()
            self._has_journal = self._file is not None and journal_of(Path(self.path)).exists()
        except (*SQLITE_ERRORS, OSError) as error:
            raise StoreError(self._explain(error)) from error

    def read(self, query: str, values: tuple[object, ...] = ()) -> list[Any]:
        try:
            return self.connection.execute(query, values).fetchall()
        except SQLITE_ERRORS as error:
            raise StoreError(self._explain(error)) from error
