"""What outlives a restart: the nodes that were seen, and which node has which port. SQLite.

A mapping, once acknowledged, is on the disk: each change of mappings is one transaction, committed
before the call returns (WAL, synchronous=FULL). What is merely nice to know, a node's name and when
it was last seen, is collected and written now and then, in one transaction, by `save_nodes`.

The file is opened by one gateway at a time. A file that cannot be used (of another program,
damaged, of a later version, read-only) is a `StoreError`, never an empty store: an empty store
would give every node a new port.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zbtwist.xbee.address import UNKNOWN16, Address16, Address64, format_address64, parse_address64

#: The store that is forgotten at the end.
MEMORY = ":memory:"

#: What SQLite keeps in the file's header for us: "zbtw".
APPLICATION_ID = 0x7A627477

#: Seconds to wait for another process that has the file open, before saying that it is in use.
_BUSY_TIMEOUT = 0.2

#: The beginning of a database: magic, page size in bytes (1 means 65536), pages ("Database File
#: Format" of SQLite's documentation, section 1.3).
_HEADER = struct.Struct(">16sH10xI68x")
#: Characters of an address as it is written here.
_ADDRESS_SIZE = len(format_address64(0))

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


class StoreError(Exception):
    """The store cannot be used. The text is a sentence that says what to do."""


@dataclass(slots=True)
class Mapping:
    """
    @ivar port: the TCP port of the node, or the server endpoint string that it has instead.
    @ivar by_hand: a person chose it; else the gateway did.
    """

    address64: Address64
    port: int | str
    by_hand: bool = False


@dataclass(slots=True)
class StoredNode:
    """What is remembered of a node; see `zbtwist.network.node.Node`.

    @ivar last_seen: seconds since 1970.
    @ivar unbound: its mapping was removed by hand, so it gets a port only when it is asked for.
    """

    address64: Address64
    label: str | None = None
    role: int | None = None
    parent16: Address16 = UNKNOWN16
    profile_id: int = 0
    manufacturer_id: int = 0
    device_type_identifier: int | None = None
    last_seen: float = 0.0
    unbound: bool = False


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None)


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


def _address64(text: str) -> Address64:
    """Read an address; quickly, if it is as this program writes it."""
    if len(text) == _ADDRESS_SIZE and text[2::3] == ":::::::":
        return Address64(int(text.replace(":", ""), 16))
    return parse_address64(text)


class Store:
    """The store: `open` it, use it, `close` it.

    @ivar path: where it is, or `MEMORY`.
    @ivar is_new: whether `open` found no file, and made an empty one.
    """

    def __init__(self, path: str = MEMORY) -> None:
        """
        @param path: a file, made with its directory if it is not there; or `MEMORY`.
        """
        self.path = path
        self.is_new = False

    def open(self) -> Store:
        """Open the file, and make or migrate it as needed. A program that forks must fork before.

        @return: the store itself.
        @raise StoreError: it cannot be used.
        """
        path = self.path
        try:
            if path != MEMORY:
                self.is_new = _make_if_missing(Path(path))
                self._check_access()
                if _is_cut_short(Path(path)):
                    raise StoreError(self._damaged("it is cut short"))
            self._database = _connect(path)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"The state file {path} cannot be opened: {_reason_of(error)}. "
                "Name another with --state, or mend its directory's permissions."
            ) from error
        try:
            self._prepare()
        except StoreError:
            self._database.close()
            raise
        except sqlite3.Error as error:
            self._database.close()
            raise StoreError(self._explain(error)) from error
        return self

    def close(self) -> None:
        """Close the file; the store cannot be used any more."""
        self._database.close()

    # --- opening -------------------------------------------------------------------------------

    def _prepare(self) -> None:
        database = self._database
        # One gateway at a time: the lock is taken by the first read and kept to the end.
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        if self.path == MEMORY:
            with self._transaction():
                _migrate(database, 0)
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (application,) = database.execute("PRAGMA application_id").fetchone()
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
        (verdict,) = database.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise StoreError(self._damaged(verdict))
        # Nothing is written before it is certain that the file is ours.
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        if version < len(MIGRATIONS):
            with self._transaction():
                _migrate(database, version)
        try:
            # What is in it must make sense, too.
            for mapping in self.mappings():
                if isinstance(mapping.port, int) and not 0 < mapping.port <= 65535:
                    raise ValueError(f"a mapping to port {mapping.port}")
            self.nodes()
        except (ValueError, TypeError) as error:
            raise StoreError(self._damaged(error)) from error

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

    def _damaged(self, detail: object) -> str:
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
        return self._damaged(text)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of the changes within, or none.

        @raise StoreError: they could not be written.
        """
        database = self._database
        try:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StoreError(self._explain(error)) from error

    # --- mappings ------------------------------------------------------------------------------

    def mappings(self) -> list[Mapping]:
        """Return every mapping, ordered by port."""
        rows = self._read("SELECT address, port, by_hand FROM mapping ORDER BY port")
        return [
            Mapping(_address64(address), port, bool(by_hand)) for address, port, by_hand in rows
        ]

    def mapping_count(self) -> int:
        """Return how many mappings there are."""
        [(count,)] = self._read("SELECT count(*) FROM mapping")
        return int(count)

    def change_mappings(
        self, put: Iterable[Mapping] = (), remove: Iterable[Address64] = ()
    ) -> None:
        """Remove and put mappings, all or none. When this returns, they are on the disk.

        @param put: new mappings; one for an address that has one replaces it.
        @param remove: addresses whose mapping is forgotten, with every port they were ever given;
            their nodes are marked as unbound.
        @raise StoreError: nothing was changed: a port would have two nodes, or the file could not
            be written.
        """
        put, remove = list(put), list(remove)
        with self._transaction():
            execute = self._database.executemany
            execute(
                "DELETE FROM mapping WHERE address = ?",
                [(format_address64(a),) for a in [*remove, *(m.address64 for m in put)]],
            )
            execute(
                "INSERT INTO mapping (address, port, by_hand) VALUES (?, ?, ?)",
                [(format_address64(m.address64), m.port, m.by_hand) for m in put],
            )
            execute(
                "INSERT OR REPLACE INTO given (port, address) VALUES (?, ?)",
                [(m.port, format_address64(m.address64)) for m in put],
            )
            execute(
                "DELETE FROM given WHERE address = ?",
                [(format_address64(address64),) for address64 in remove],
            )
            execute(
                "INSERT INTO node (address, parent16, profile_id, manufacturer_id, last_seen)"
                " VALUES (?, ?, 0, 0, 0) ON CONFLICT (address) DO NOTHING",
                [(format_address64(m.address64), UNKNOWN16) for m in put],
            )
            mark = "UPDATE node SET unbound = ? WHERE address = ?"
            execute(mark, [(0, format_address64(m.address64)) for m in put])
            execute(mark, [(1, format_address64(address64)) for address64 in remove])
        # The fewer changes are in the log alone, the less is lost with it.
        with suppress(sqlite3.Error):
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def given(self) -> dict[int | str, Address64]:
        """Return every port that was given, with the node that had it last; also those that the
        node was moved away from. Only `change_mappings(remove=...)` forgets them.
        """
        rows = self._read("SELECT port, address FROM given")
        return {port: _address64(address) for port, address in rows}

    def forget_node(self, address64: Address64) -> None:
        """Forget a node that has no mapping."""
        with self._transaction():
            self._database.execute(
                "DELETE FROM node WHERE address = ?", (format_address64(address64),)
            )

    # --- nodes ---------------------------------------------------------------------------------

    def nodes(self) -> list[StoredNode]:
        """Return every node, ordered by address."""
        rows = self._read(
            "SELECT address, label, role, parent16, profile_id, manufacturer_id,"
            " device_type_identifier, last_seen, unbound FROM node ORDER BY address"
        )
        return [StoredNode(*(_address64(row[0]), *row[1:-1], bool(row[-1]))) for row in rows]

    def unbound(self) -> set[Address64]:
        """Return the nodes whose mapping was removed by hand."""
        rows = self._read("SELECT address FROM node WHERE unbound")
        return {_address64(address) for (address,) in rows}

    def save_nodes(self, nodes: Iterable[StoredNode]) -> None:
        """Write what is known of nodes. `unbound` is not written: it goes with the mappings.

        @raise StoreError: nothing was written.
        """
        rows = [
            (
                format_address64(node.address64),
                node.label,
                node.role,
                node.parent16,
                node.profile_id,
                node.manufacturer_id,
                node.device_type_identifier,
                node.last_seen,
            )
            for node in nodes
        ]
        if not rows:
            return
        with self._transaction():
            self._database.executemany(
                "INSERT INTO node (address, label, role, parent16, profile_id, manufacturer_id,"
                " device_type_identifier, last_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (address) DO UPDATE SET label = excluded.label, role = excluded.role,"
                " parent16 = excluded.parent16, profile_id = excluded.profile_id,"
                " manufacturer_id = excluded.manufacturer_id,"
                " device_type_identifier = excluded.device_type_identifier,"
                " last_seen = excluded.last_seen",
                rows,
            )

    def _read(self, query: str) -> list[Any]:
        try:
            return self._database.execute(query).fetchall()
        except sqlite3.Error as error:
            raise StoreError(self._explain(error)) from error
