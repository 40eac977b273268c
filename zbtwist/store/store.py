"""What outlives a restart: the nodes that were seen, and which node has which port. SQLite.

A mapping, once acknowledged, is on the disk: each change of mappings is one transaction, committed
before the call returns (synchronous=FULL), with what is known by then of their nodes. What becomes
known later is written by `save_nodes`, of many nodes in one transaction.

A commit waits for the disk four times, some 0.1 s on an SD card: whoever has several changes makes
them in one.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as MappingOf
from typing import Any

from zbtwist.store.database import MEMORY, Database
from zbtwist.store.errors import StoreError
from zbtwist.store.records import Mapping, StoredNode, StoredSettings
from zbtwist.xbee.address import UNKNOWN16, Address64, format_address64, parse_address64

#: Characters of an address as it is written here.
_ADDRESS_SIZE = len(format_address64(0))


def _address64(text: str) -> Address64:
    """Read an address; quickly, if it is as this program writes it."""
    if len(text) == _ADDRESS_SIZE and text[2::3] == ":::::::":
        return Address64(int(text.replace(":", ""), 16))
    return parse_address64(text)


#: How many mappings are looked up one by one, to see which of them are there already.
_FEW = 50

#: How many nodes' settings are kept; of a larger network those that were read last.
MAX_SETTINGS = 4096

#: How many are bound to one statement; older releases of SQLite take 999 values at once.
_AT_ONCE = 100

#: What writes mappings. They come to a table of their own first: to bind each row to each of these
#: would take longer than to write it.
_PUT = (
    "DELETE FROM mapping WHERE address IN (SELECT address FROM temp.wanted)",
    "INSERT INTO mapping SELECT address, port, by_hand FROM temp.wanted",
    """
    INSERT INTO given SELECT port, address FROM temp.wanted WHERE true ORDER BY port
    ON CONFLICT (port) DO UPDATE SET address = excluded.address
    """,
    # What is put into it is a number of ours.
    f"""
    INSERT INTO node (address, parent16, profile_id, manufacturer_id, last_seen)
    SELECT address, {UNKNOWN16:d}, 0, 0, 0 FROM temp.wanted WHERE true
    ON CONFLICT (address) DO UPDATE SET unbound = 0 WHERE unbound
    """,  # noqa: S608
    "DELETE FROM temp.wanted",
)


_NONE: frozenset[str] = frozenset()


def _stored_node(address: str, *values: Any) -> StoredNode:
    fields: list[Any] = [_address64(address), *values]
    # Mostly there are none, of which one does for all.
    unwritten = frozenset(str(fields[-2]).split()) if fields[-2] else _NONE
    fields[-2:] = unwritten, bool(fields[-1])
    return StoredNode(*fields)


def _check_node(node: StoredNode) -> None:
    """
    @raise ValueError: what was read is none.
    """
    numbers = (node.parent16, node.profile_id, node.manufacturer_id)
    may_be_unknown = (node.role, node.device_type_identifier)
    if not (
        isinstance(node.label, str | None)
        and isinstance(node.last_seen, int | float)
        and all(isinstance(number, int) for number in numbers)
        and all(isinstance(number, int | None) for number in may_be_unknown)
    ):
        raise ValueError(f"a node that is {node}")


class Store:
    """The store: `open` it, use it, `close` it.

    @ivar database: the file.
    @ivar labels: the node identifier of each node that is in it, None for one that has none there.
    """

    def __init__(self, path: str = MEMORY) -> None:
        """
        @param path: a file, made with its directory if it is not there; or `MEMORY`.
        """
        self.database = Database(path)
        self.labels: dict[Address64, str | None] = {}

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
            slots = [*self.given(), *(mapping.port for mapping in self.mappings())]
            for slot in slots:
                if not (isinstance(slot, str) or (type(slot) is int and 0 < slot <= 65535)):
                    raise ValueError(f"a mapping to port {slot!r}")
            if not all(isinstance(label, str) for label in self.pins()):
                raise ValueError("a label that is no text")
            nodes = self.nodes()
            for node in nodes:
                _check_node(node)
        except (ValueError, TypeError) as error:
            raise StoreError(self.database.damaged(error)) from error
        self.labels = {node.address64: node.label for node in nodes}

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
        self,
        put: Iterable[Mapping] = (),
        remove: Iterable[Address64] = (),
        nodes: Iterable[StoredNode] = (),
    ) -> None:
        """Remove and put mappings, all or none. When this returns, they are on the disk.

        @param put: new mappings; one for an address that has one replaces it.
        @param remove: addresses whose mapping is forgotten, with every port they were ever given;
            their nodes are marked as unbound.
        @param nodes: what is known of nodes, written with it; see `save_nodes`.
        @raise StoreError: nothing was changed: a port would have two nodes, or the file could not
            be written.
        """
        put = list(put)
        rows = [(format_address64(m.address64), m.port, m.by_hand) for m in put]
        gone = [(format_address64(address64),) for address64 in remove]
        nodes = list(nodes)
        with self.database.transaction():
            connection = self.database.connection
            if gone:
                for statement in (
                    "DELETE FROM mapping WHERE address = ?",
                    "DELETE FROM given WHERE address = ?",
                    "UPDATE node SET unbound = 1 WHERE address = ?",
                ):
                    connection.executemany(statement, gone)
            rows = self._new_among(rows)
            if rows:
                # Of this connection alone; it is gone when the file was opened again.
                connection.execute(
                    "CREATE TEMP TABLE IF NOT EXISTS wanted (address TEXT, port, by_hand INTEGER)"
                )
                for first in range(0, len(rows), _AT_ONCE):
                    some = rows[first : first + _AT_ONCE]
                    connection.execute(
                        "INSERT INTO temp.wanted VALUES (?, ?, ?)"
                        + ", (?, ?, ?)" * (len(some) - 1),
                        [value for row in some for value in row],
                    )
                for statement in _PUT:
                    connection.execute(statement)
            self._write_nodes(nodes)
        for mapping in put:
            self.labels.setdefault(mapping.address64, None)
        self._labelled(nodes)

    def _new_among(self, rows: list[tuple[str, int | str, bool]]) -> list[Any]:
        """Return those rows of mappings that are not there as they are, ordered by address."""
        find = self.database.connection.execute
        select = "SELECT address, port, by_hand FROM mapping"
        if len(rows) > _FEW:
            there = set(find(select))
        else:
            there = {
                row
                for address, *_ in rows
                for row in find(f"{select} WHERE address = ?", (address,))
            }
        return sorted(row for row in rows if row not in there)

    def given(self) -> dict[int | str, Address64]:
        """Return every port that was given, with the node that had it last; also those that the
        node was moved away from. Only `change_mappings(remove=...)` forgets them.
        """
        rows = self.database.read("SELECT port, address FROM given")
        return {port: _address64(address) for port, address in rows}

    def forget_nodes(self, addresses: Iterable[Address64]) -> None:
        """Forget nodes, with their mappings, every port they were ever given, and their labels; all
        or none.

        @raise StoreError: nothing was changed.
        """
        addresses = list(addresses)
        gone = [(format_address64(address64),) for address64 in addresses]
        with self.database.transaction():
            for statement in (
                "DELETE FROM mapping WHERE address = ?",
                "DELETE FROM given WHERE address = ?",
                "DELETE FROM pin WHERE address = ?",
                "DELETE FROM settings WHERE address = ?",
                "DELETE FROM node WHERE address = ?",
            ):
                self.database.connection.executemany(statement, gone)
        for address64 in addresses:
            self.labels.pop(address64, None)

    # --- labels --------------------------------------------------------------------------------

    def pins(self) -> dict[str, Address64]:
        """Return the address of each label that is pinned."""
        rows = self.database.read("SELECT label, address FROM pin")
        return {label: _address64(address) for label, address in rows}

    def save_pins(self, pins: MappingOf[str, Address64 | None]) -> None:
        """Write whose labels are; None for nobody's any more.

        @raise StoreError: nothing was written.
        """
        with self.database.transaction():
            execute = self.database.connection.executemany
            execute("DELETE FROM pin WHERE label = ?", [(label,) for label in pins])
            execute(
                "INSERT INTO pin VALUES (?, ?)",
                [
                    (label, format_address64(address64))
                    for label, address64 in pins.items()
                    if address64 is not None
                ],
            )

    # --- nodes ---------------------------------------------------------------------------------

    def nodes(self) -> list[StoredNode]:
        """Return every node, ordered by address."""
        rows = self.database.read(
            "SELECT address, label, role, parent16, profile_id, manufacturer_id,"
            " device_type_identifier, last_seen, unwritten, unbound FROM node ORDER BY address"
        )
        return [_stored_node(*row) for row in rows]

    def unbound(self) -> set[Address64]:
        """Return the nodes whose mapping was removed by hand."""
        rows = self.database.read("SELECT address FROM node WHERE unbound")
        return {_address64(address) for (address,) in rows}

    def save_nodes(self, nodes: Iterable[StoredNode]) -> None:
        """Write what is known of nodes. `unbound` is not written: it goes with the mappings.

        @raise StoreError: nothing was written.
        """
        nodes = list(nodes)
        if nodes:
            with self.database.transaction():
                self._write_nodes(nodes)
            self._labelled(nodes)

    def _labelled(self, nodes: list[StoredNode]) -> None:
        self.labels.update((node.address64, node.label) for node in nodes)

    def _write_nodes(self, nodes: list[StoredNode]) -> None:
        """Write them; within a transaction."""
        if not nodes:
            return
        self.database.connection.executemany(
            "INSERT INTO node (address, label, role, parent16, profile_id, manufacturer_id,"
            " device_type_identifier, last_seen, unwritten) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (address) DO UPDATE SET label = excluded.label, role = excluded.role,"
            " parent16 = excluded.parent16, profile_id = excluded.profile_id,"
            " manufacturer_id = excluded.manufacturer_id,"
            " device_type_identifier = excluded.device_type_identifier,"
            " last_seen = excluded.last_seen, unwritten = excluded.unwritten",
            [
                (
                    format_address64(node.address64),
                    node.label,
                    node.role,
                    node.parent16,
                    node.profile_id,
                    node.manufacturer_id,
                    node.device_type_identifier,
                    node.last_seen,
                    " ".join(sorted(node.unwritten)),
                )
                for node in nodes
            ],
        )

    # --- settings ------------------------------------------------------------------------------

    def settings_of(self, address64: Address64) -> StoredSettings | None:
        """Return the settings of a node that were read last, None if none were."""
        rows = self.database.read(
            "SELECT text, read_at FROM settings WHERE address = ?", (format_address64(address64),)
        )
        for text, read_at in rows:
            return StoredSettings(address64, str(text), float(read_at))
        return None

    def keep_settings(self, settings: StoredSettings) -> None:
        """Keep the settings of a node in place of those that were read before. Beyond
        `MAX_SETTINGS` nodes those are forgotten that were read longest ago.

        @raise StoreError: nothing was written.
        """
        with self.database.transaction():
            execute = self.database.connection.execute
            execute(
                "INSERT INTO settings VALUES (?, ?, ?) ON CONFLICT (address) DO UPDATE"
                " SET text = excluded.text, read_at = excluded.read_at",
                (format_address64(settings.address64), settings.text, settings.read_at),
            )
            execute(
                "DELETE FROM settings WHERE address IN (SELECT address FROM settings"
                " ORDER BY read_at DESC, address LIMIT -1 OFFSET ?)",
                (MAX_SETTINGS,),
            )
