"""What outlives a restart: the nodes that were seen, and which node has which port. SQLite.

A mapping, once acknowledged, is on the disk: each change of mappings is one transaction, committed
before the call returns (WAL, synchronous=FULL). What is merely nice to know, a node's name and when
it was last seen, is collected and written now and then, in one transaction, by `save_nodes`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress

from zbtwist.store.database import MEMORY, Database
from zbtwist.store.errors import StoreError
from zbtwist.store.records import Mapping, StoredNode
from zbtwist.xbee.address import UNKNOWN16, Address64, format_address64, parse_address64

#: Characters of an address as it is written here.
_ADDRESS_SIZE = len(format_address64(0))


def _address64(text: str) -> Address64:
    """Read an address; quickly, if it is as this program writes it."""
    if len(text) == _ADDRESS_SIZE and text[2::3] == ":::::::":
        return Address64(int(text.replace(":", ""), 16))
    return parse_address64(text)


class Store:
    """The store: `open` it, use it, `close` it.

    @ivar database: the file.
    """

    def __init__(self, path: str = MEMORY) -> None:
        """
        @param path: a file, made with its directory if it is not there; or `MEMORY`.
        """
        self.database = Database(path)

    @property
    def path(self) -> str:
        """Where it is, or `MEMORY`."""
        return self.database.path

    @property
    def is_new(self) -> bool:
        """Whether `open` found no file, and made an empty one."""
        return self.database.is_new

    def open(self) -> Store:
        """Open the file, and make or migrate it as needed. A program that forks must fork before.

        @return: the store itself.
        @raise StoreError: it cannot be used.
        """
        self.database.open()
        try:
            self._check()
        except StoreError:
            self.database.close()
            raise
        return self

    def close(self) -> None:
        """Close the file; the store cannot be used any more."""
        self.database.close()

    def _check(self) -> None:
        """What is in it must make sense, too."""
        try:
            for mapping in self.mappings():
                if isinstance(mapping.port, int) and not 0 < mapping.port <= 65535:
                    raise ValueError(f"a mapping to port {mapping.port}")
            self.nodes()
        except (ValueError, TypeError) as error:
            raise StoreError(self.database.damaged(error)) from error

    # --- mappings ------------------------------------------------------------------------------

    def mappings(self) -> list[Mapping]:
        """Return every mapping, ordered by port."""
        rows = self.database.read("SELECT address, port, by_hand FROM mapping ORDER BY port")
        return [
            Mapping(_address64(address), port, bool(by_hand)) for address, port, by_hand in rows
        ]

    def mapping_count(self) -> int:
        """Return how many mappings there are."""
        [(count,)] = self.database.read("SELECT count(*) FROM mapping")
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
        rows = [(format_address64(m.address64), m.port, m.by_hand) for m in put]
        gone = [(format_address64(address64),) for address64 in remove]
        with self.database.transaction():
            execute = self.database.connection.executemany
            execute(
                "DELETE FROM mapping WHERE address = ?",
                [*gone, *((address,) for address, _, _ in rows)],
            )
            execute(
                "INSERT INTO mapping (address, port, by_hand) VALUES (?, ?, ?)",
                rows,
            )
            execute(
                "INSERT OR REPLACE INTO given (port, address) VALUES (?, ?)",
                [(port, address) for address, port, _ in rows],
            )
            execute("DELETE FROM given WHERE address = ?", gone)
            execute(
                "INSERT INTO node (address, parent16, profile_id, manufacturer_id, last_seen)"
                " VALUES (?, ?, 0, 0, 0) ON CONFLICT (address) DO UPDATE SET unbound = 0",
                [(address, UNKNOWN16) for address, _, _ in rows],
            )
            execute("UPDATE node SET unbound = 1 WHERE address = ?", gone)
        # The fewer changes are in the log alone, the less is lost with it.
        with suppress(sqlite3.Error):
            self.database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def given(self) -> dict[int | str, Address64]:
        """Return every port that was given, with the node that had it last; also those that the
        node was moved away from. Only `change_mappings(remove=...)` forgets them.
        """
        rows = self.database.read("SELECT port, address FROM given")
        return {port: _address64(address) for port, address in rows}

    def forget_node(self, address64: Address64) -> None:
        """Forget a node that has no mapping."""
        with self.database.transaction():
            self.database.connection.execute(
                "DELETE FROM node WHERE address = ?", (format_address64(address64),)
            )

    # --- nodes ---------------------------------------------------------------------------------

    def nodes(self) -> list[StoredNode]:
        """Return every node, ordered by address."""
        rows = self.database.read(
            "SELECT address, label, role, parent16, profile_id, manufacturer_id,"
            " device_type_identifier, last_seen, unbound FROM node ORDER BY address"
        )
        return [StoredNode(*(_address64(row[0]), *row[1:-1], bool(row[-1]))) for row in rows]

    def unbound(self) -> set[Address64]:
        """Return the nodes whose mapping was removed by hand."""
        rows = self.database.read("SELECT address FROM node WHERE unbound")
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
        with self.database.transaction():
            self.database.connection.executemany(
                "INSERT INTO node (address, label, role, parent16, profile_id, manufacturer_id,"
                " device_type_identifier, last_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (address) DO UPDATE SET label = excluded.label, role = excluded.role,"
                " parent16 = excluded.parent16, profile_id = excluded.profile_id,"
                " manufacturer_id = excluded.manufacturer_id,"
                " device_type_identifier = excluded.device_type_identifier,"
                " last_seen = excluded.last_seen",
                rows,
            )
