"""The file of the store: an SQLite database that is ours, whole, and open to one gateway at a time.

A file that cannot be used (of another program, damaged, of a later version, read-only) is a
`StoreError`, never an empty store: an empty store would give every node a new port.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from zbtwist.store.errors import StoreError

#: The store that is forgotten at the end.
MEMORY = ":memory:"

#: What SQLite keeps in the file's header for us: "zbtw".
APPLICATION_ID = 0x7A627477

#: Seconds to wait for another process that has the file open, before saying that it is in use.
BUSY_TIMEOUT = 0.2

#: The beginning of a database: magic, page size in bytes (1 means 65536), pages ("Database File
#: Format" of SQLite's documentation, section 1.3).
_HEADER = struct.Struct(">16sH10xI68x")

_MAGIC = b"SQLite format 3\0"

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


def _is_cut_short(path: Path) -> bool:
    """Whether bytes are missing at the end of a database.

    SQLite takes a file without content for a new database, and reads zeros past the end of the last
    page. Where there is a write-ahead log, the end may rightly be in it.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return True
    log = Path(f"{path}-wal")
    if log.exists() and log.stat().st_size:
        return False
    magic, page_size, pages = _HEADER.unpack(header)
    expected = (page_size if page_size > 1 else 0x10000) * pages
    return bool(magic == _MAGIC and path.stat().st_size < expected)


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
    # Another gateway may be making it at the same moment: the first to link it has made it.
    making = path.with_name(f"{path.name}.{os.getpid()}.new")
    for leftover in (making, Path(f"{making}-journal")):
        leftover.unlink(missing_ok=True)
    # Which devices there are is nobody else's business. SQLite gives its other files the same mode.
    os.close(os.open(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(_connect(str(making))) as database:
        database.execute("PRAGMA journal_mode=DELETE")
        database.execute("BEGIN")
        _migrate(database, 0)
        database.execute("COMMIT")
    try:
        os.link(making, path)
    except FileExistsError:
        return False
    finally:
        making.unlink()
    return True


def _reason_of(error: Exception) -> str:
    """Say why in words, without the numbers of the system."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


class Database:
    """The file: `open` it, use it, `close` it.

    @ivar path: where it is, or `MEMORY`.
    @ivar is_new: whether `open` found no file, and made an empty one.
    @ivar connection: SQLite's, while it is open.
    """

    connection: sqlite3.Connection

    def __init__(self, path: str) -> None:
        """
        @param path: a file, made with its directory if it is not there; or `MEMORY`.
        """
        self.path = path
        self.is_new = False

    def open(self) -> None:
        """Open the file, and make or migrate it as needed. A program that forks must fork before.

        @raise StoreError: it cannot be used.
        """
        path = self.path
        try:
            if path != MEMORY:
                self.is_new = _make_if_missing(Path(path))
                self._check_access()
                if _is_cut_short(Path(path)):
                    raise StoreError(self.damaged("it is cut short"))
            self.connection = _connect(path)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"The state file {path} cannot be opened: {_reason_of(error)}. "
                "Name another with --state, or mend its directory's permissions."
            ) from error
        try:
            self._prepare()
        except StoreError:
            self.connection.close()
            raise
        except sqlite3.Error as error:
            self.connection.close()
            raise StoreError(self._explain(error)) from error

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def _prepare(self) -> None:
        connection = self.connection
        # One gateway at a time: the lock is taken by the first read and kept to the end.
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        if self.path == MEMORY:
            with self.transaction():
                _migrate(connection, 0)
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
        # Nothing is written before it is certain that the file is ours.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        if version < len(MIGRATIONS):
            with self.transaction():
                _migrate(connection, version)

    def _check_access(self) -> None:
        path = Path(self.path)
        if not path.is_file():
            raise StoreError(f"{path} is not a file: name a file with --state.")
        if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK):
            raise StoreError(self._read_only())

    def _read_only(self) -> str:
        return (
            f"The state file {self.path} cannot be written: give this user the right to write it "
            "and its directory, or name another file with --state."
        )

    def damaged(self, detail: object) -> str:
        return (
            f"The state file {self.path} is damaged ({detail}): put a copy of it back, or move it "
            "away to begin with an empty one, in which every node gets a new port."
        )

    def _explain(self, error: sqlite3.Error) -> str:
        """Say in a sentence what is wrong with the file."""
        text = str(error)
        if isinstance(error, sqlite3.IntegrityError):
            return f"The state file {self.path} refused a change: {text}."
        if isinstance(error, sqlite3.OperationalError):
            if "locked" in text:
                return (
                    f"The state file {self.path} is in use by another program, probably another "
                    "gateway: stop that one, or name another file with --state."
                )
            if "readonly" in text or "read-only" in text:
                return self._read_only()
            if "full" in text:
                return f"The disk of the state file {self.path} is full: make room on it."
            return (
                f"The state file {self.path} cannot be used ({text}): see that this user may write "
                "it and its directory, and that the disk is in order."
            )
        return self.damaged(text)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the changes within, or none.

        @raise StoreError: they could not be written.
        """
        connection = self.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StoreError(self._explain(error)) from error

    def read(self, query: str) -> list[Any]:
        try:
            return self.connection.execute(query).fetchall()
        except sqlite3.Error as error:
            raise StoreError(self._explain(error)) from error
