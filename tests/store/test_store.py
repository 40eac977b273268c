"""What outlives a restart, and what is said of a file that cannot be used."""

from __future__ import annotations

import os
import random
import sqlite3
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.store import database, store
from zbtwist.store.database import MEMORY
from zbtwist.store.errors import StoreError
from zbtwist.store.records import Mapping, StoredNode, StoredSettings
from zbtwist.store.store import Store
from zbtwist.xbee.address import Address16, Address64

A, B, C = (Address64(0x0013A200_40000000 + n) for n in range(3))


class StoreTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = os.path.abspath(os.path.join(self.mktemp(), "state", "zbtwist.sqlite3"))

    def open(self) -> Store:
        opened = Store(self.path).open()
        self.addCleanup(opened.close)
        return opened

    def made(self) -> None:
        """A store with a mapping was made and closed."""
        new = Store(self.path).open()
        new.change_mappings([Mapping(A, 27001)])
        new.close()

    def refusal(self) -> str:
        with self.assertRaises(StoreError) as caught:
            Store(self.path).open()
        text = str(caught.exception)
        self.assertIn(self.path, text)
        self.assertTrue(text.endswith("."), text)
        return text


class MappingTests(StoreTestCase):
    def test_new(self) -> None:
        new = self.open()
        self.assertEqual((new.mappings(), new.nodes()), ([], []))

    def test_only_its_user_may_read_it(self) -> None:
        """Nor what SQLite puts beside it."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        new = self.open()
        new.change_mappings([Mapping(A, 27001)])
        files = list(Path(self.path).parent.iterdir())
        self.assertGreater(len(files), 1)
        self.assertEqual({file.stat().st_mode & 0o777 for file in files}, {0o600})

    def test_is_new(self) -> None:
        """Once: when it was made."""
        new = Store(self.path).open()
        self.assertTrue(new.is_new)
        new.close()
        self.assertFalse(self.open().is_new)
        self.assertFalse(Store(MEMORY).open().is_new)

    def test_kept(self) -> None:
        first = self.open()
        first.change_mappings([Mapping(B, 27002, by_hand=True)])
        first.change_mappings([Mapping(A, 27001)])
        first.close()
        self.assertEqual(
            self.open().mappings(), [Mapping(A, 27001), Mapping(B, 27002, by_hand=True)]
        )

    def test_memory(self) -> None:
        first = Store(MEMORY).open()
        first.change_mappings([Mapping(A, 27001)])
        self.assertEqual(first.mappings(), [Mapping(A, 27001)])
        first.close()
        self.assertEqual(Store().open().mappings(), [])

    def test_swap(self) -> None:
        opened = self.open()
        opened.change_mappings([Mapping(A, 1), Mapping(B, 2)])
        opened.change_mappings([Mapping(A, 2), Mapping(B, 1)])
        self.assertEqual(opened.mappings(), [Mapping(B, 1), Mapping(A, 2)])

    def test_all_or_none(self) -> None:
        opened = self.open()
        opened.change_mappings([Mapping(A, 1), Mapping(B, 2)])
        with self.assertRaises(StoreError):
            opened.change_mappings([Mapping(A, 5), Mapping(C, 2)], remove=[])
        self.assertEqual(opened.mappings(), [Mapping(A, 1), Mapping(B, 2)])

    def test_what_is_there_already_is_not_written(self) -> None:
        opened = self.open()
        many = [Mapping(Address64(n), 20000 + n) for n in range(1, 200)]
        opened.change_mappings(many)
        before = Path(self.path).read_bytes()
        opened.change_mappings(many)
        self.assertEqual(Path(self.path).read_bytes(), before)
        opened.change_mappings([*many[:-1], Mapping(many[-1].address64, 30000)])
        self.assertEqual(opened.mappings(), [*many[:-1], Mapping(many[-1].address64, 30000)])
        self.assertEqual(opened.given()[30000], many[-1].address64)

    def test_with_what_is_known_of_the_nodes(self) -> None:
        opened = self.open()
        opened.change_mappings([Mapping(A, 27001)], nodes=[StoredNode(A, "one")])
        self.assertEqual(opened.nodes(), [StoredNode(A, "one")])
        opened.close()
        self.assertEqual(self.open().labels, {A: "one"})

    def test_removed_node_is_unbound_until_it_is_mapped_again(self) -> None:
        opened = self.open()
        opened.change_mappings([Mapping(A, 1), Mapping(B, 2)])
        opened.change_mappings(remove=[A])
        self.assertEqual(opened.mappings(), [Mapping(B, 2)])
        self.assertEqual([node.unbound for node in opened.nodes()], [True, False])
        self.assertEqual((opened.unbound(), opened.mapping_count()), ({A}, 1))
        opened.change_mappings([Mapping(A, 3)])
        self.assertEqual([node.unbound for node in opened.nodes()], [False, False])
        self.assertEqual((opened.unbound(), opened.mapping_count()), (set(), 2))


class NodeTests(StoreTestCase):
    def test_kept(self) -> None:
        node = StoredNode(A, "Zähler", 2, Address16(1), 0xC105, 0x101E, 0x30005, 1234.5)
        bare = StoredNode(B)
        first = self.open()
        first.save_nodes([node, bare])
        first.close()
        self.assertEqual(self.open().nodes(), [node, bare])

    def test_mapping_of_a_node_never_seen(self) -> None:
        opened = self.open()
        opened.change_mappings([Mapping(A, 1)])
        self.assertEqual(opened.nodes(), [StoredNode(A)])

    def test_saving_keeps_what_goes_with_the_mappings(self) -> None:
        opened = self.open()
        opened.change_mappings([Mapping(A, 1)])
        opened.change_mappings(remove=[A])
        opened.save_nodes([StoredNode(A, "new")])
        self.assertEqual(opened.nodes(), [StoredNode(A, "new", unbound=True)])


class BadFileTests(StoreTestCase):
    """A clear error, and the file as it was: never a silent loss."""

    def damage(self, content: bytes) -> None:
        self.made()
        Path(self.path).write_bytes(content)
        text = self.refusal()
        self.assertIn("damaged", text)
        self.assertEqual(Path(self.path).read_bytes(), content)

    def test_zeros(self) -> None:
        self.damage(bytes(20480))

    def test_no_database(self) -> None:
        self.damage(b"this is a text\n" * 100)

    def test_cut_short(self) -> None:
        self.made()
        whole = Path(self.path).read_bytes()
        for size in (0, 1, 50, 100, 4096, len(whole) // 2, len(whole) - 1):
            os.unlink(self.path)
            self.damage(whole[:size])

    def test_page_overwritten(self) -> None:
        self.made()
        whole = bytearray(Path(self.path).read_bytes())
        whole[4096:8192] = b"\xff" * 4096
        self.damage(bytes(whole))

    def test_another_programs_database(self) -> None:
        os.makedirs(os.path.dirname(self.path))
        other = sqlite3.connect(self.path)
        other.execute("CREATE TABLE photo (name TEXT)")
        other.commit()
        other.close()
        before = Path(self.path).read_bytes()
        self.assertIn("another program", self.refusal())
        self.assertEqual(Path(self.path).read_bytes(), before)

    def test_later_version(self) -> None:
        self.made()
        later = sqlite3.connect(self.path)
        later.execute("PRAGMA user_version=99")
        later.close()
        self.assertIn("later version", self.refusal())

    def test_in_use(self) -> None:
        self.open()
        self.patch(database, "BUSY_TIMEOUT", 0.0)
        self.assertIn("in use by another program", self.refusal())

    def test_emptied_beside_its_log(self) -> None:
        """As after a crash: all there is may be in the log, which must not be thrown away."""
        self.made()
        log = Path(f"{self.path}-wal")
        for content in (b"", b"x" * 50):
            Path(self.path).write_bytes(content)
            log.write_bytes(b"what is left")
            self.assertIn("damaged", self.refusal())
            self.assertEqual(log.read_bytes(), b"what is left")

    def test_values_that_make_no_sense(self) -> None:
        for statement in (
            "UPDATE mapping SET address = 'nobody'",
            "UPDATE mapping SET port = 0",
            "UPDATE mapping SET port = 70000",
            "UPDATE node SET address = 'nobody'",
        ):
            self.made()
            other = sqlite3.connect(self.path)
            other.execute(statement)
            other.commit()
            other.close()
            self.assertIn("damaged", self.refusal())
            os.unlink(self.path)

    def test_flipped_bits(self) -> None:
        """Either it is noticed, or nothing is other than it was."""
        new = Store(self.path).open()
        mappings = [Mapping(Address64(n), 20000 + n) for n in range(1, 200)]
        new.change_mappings(mappings)
        new.close()
        whole = Path(self.path).read_bytes()
        chance = random.Random(1)
        for _ in range(150):
            flipped = bytearray(whole)
            flipped[chance.randrange(100, len(whole))] ^= 1 << chance.randrange(8)
            Path(self.path).write_bytes(flipped)
            try:
                opened = Store(self.path).open()
            except StoreError:
                continue
            found = opened.mappings()
            opened.close()
            # A bit of a value that makes sense cannot be noticed; a mapping that is gone can.
            self.assertEqual(len(found), len(mappings))

    def test_link_that_leads_nowhere(self) -> None:
        """Its disk may not be mounted: to begin with an empty store would lose every port."""
        os.makedirs(os.path.dirname(self.path))
        os.symlink("/nowhere/state.sqlite3", self.path)
        self.assertIn("leads nowhere", self.refusal())
        self.assertTrue(os.path.islink(self.path))

    def test_pipe(self) -> None:
        os.makedirs(os.path.dirname(self.path))
        os.mkfifo(self.path)
        self.assertIn("is not a file", self.refusal())

    def test_file_that_may_not_be_written(self) -> None:
        self.made()
        self.patch(os, "access", lambda path, mode: not mode & os.W_OK)
        self.assertIn("cannot be written", self.refusal())

    def test_file_system_that_may_not_be_written(self) -> None:
        """No right is missing then."""
        self.made()
        self.patch(os, "access", lambda path, mode: not mode & os.W_OK)
        mounted = os.statvfs(self.path)
        self.assertFalse(mounted.f_flag & os.ST_RDONLY)
        read_only = os.statvfs_result((*mounted[:8], mounted.f_flag | os.ST_RDONLY, mounted[9]))
        self.patch(os, "statvfs", lambda path: read_only)
        refusal = self.refusal()
        self.assertIn("mounted for reading only", refusal)
        self.assertNotIn("right", refusal)

    def test_known_store_opens_without_writing(self) -> None:
        """So it does on a full disk, too."""
        self.made()
        before = Path(self.path).read_bytes()
        opened = self.open()
        self.assertEqual(opened.mappings(), [Mapping(A, 27001)])
        opened.close()
        self.assertEqual(Path(self.path).read_bytes(), before)

    def test_two_that_make_it_at_once(self) -> None:
        """The second finds the first one's, whole."""
        self.made()
        exists = Path.exists
        answers = [False]
        self.patch(Path, "exists", lambda path: answers.pop() if answers else exists(path))
        self.assertEqual(self.open().mappings(), [Mapping(A, 27001)])
        names = os.listdir(os.path.dirname(self.path))
        self.assertEqual([name for name in names if name.endswith(".new")], [])

    def test_directory(self) -> None:
        os.makedirs(self.path)
        self.refusal()

    def test_directory_that_is_a_file(self) -> None:
        directory = Path(self.path).parent
        directory.parent.mkdir()
        directory.write_text("")
        self.refusal()

    def test_read_only(self) -> None:
        """By the file's own switch, since nothing is read-only to root."""
        self.made()
        opened = self.open()
        opened.database.connection.execute("PRAGMA query_only=ON")
        with self.assertRaises(StoreError) as caught:
            opened.change_mappings([Mapping(B, 2)])
        self.assertIn("cannot be written", str(caught.exception))
        self.assertEqual(opened.mappings(), [Mapping(A, 27001)])

    def test_full_disk(self) -> None:
        opened = self.open()
        opened.change_mappings([Mapping(A, 27001)])
        (pages,) = opened.database.connection.execute("PRAGMA page_count").fetchone()
        opened.database.connection.execute(f"PRAGMA max_page_count={pages}")
        many = [StoredNode(Address64(n), "x" * 100) for n in range(1000)]
        with self.assertRaises(StoreError) as caught:
            opened.save_nodes(many)
        self.assertIn("is full", str(caught.exception))
        self.assertEqual(opened.mappings(), [Mapping(A, 27001)])
        self.assertEqual(len(opened.nodes()), 1)
        opened.database.connection.execute("PRAGMA max_page_count=100000")
        opened.save_nodes(many)
        self.assertEqual(len(opened.nodes()), 1001)

    def test_crash_while_it_is_made(self) -> None:
        """What a crash left of a file in the making is no obstacle."""
        os.makedirs(os.path.dirname(self.path))
        for leftover in (b"", b"half of it"):
            Path(f"{self.path}.{os.getpid()}.new").write_bytes(leftover)
            Path(f"{self.path}.{os.getpid()}.new-journal").write_bytes(leftover)
            Store(self.path).open().close()
            os.unlink(self.path)


class MigrationTests(StoreTestCase):
    def test_older_version(self) -> None:
        """A file of every older version opens, with all that is in it."""
        self.made()
        newer = (*database.MIGRATIONS, "ALTER TABLE mapping ADD COLUMN note TEXT;")
        self.patch(database, "MIGRATIONS", newer)
        opened = self.open()
        self.assertEqual(opened.mappings(), [Mapping(A, 27001)])
        columns = opened.database.connection.execute("SELECT note FROM mapping").fetchall()
        self.assertEqual(columns, [(None,)])
        (version,) = opened.database.connection.execute("PRAGMA user_version").fetchone()
        self.assertEqual(version, len(newer))

    def test_migration_that_fails_changes_nothing(self) -> None:
        self.made()
        self.patch(
            database,
            "MIGRATIONS",
            (*database.MIGRATIONS, "CREATE TABLE new (x); DROP TABLE missing;"),
        )
        self.refusal()
        self.patch(database, "MIGRATIONS", database.MIGRATIONS[:-1])
        self.assertEqual(self.open().mappings(), [Mapping(A, 27001)])

    def test_from_the_first_schema(self) -> None:
        """Nodes that were kept before it was known what is not in their flash memory."""
        Store(self.path).open().close()
        old = sqlite3.connect(self.path)
        old.executescript(
            "DROP TABLE pin; DROP TABLE settings; ALTER TABLE node DROP COLUMN unwritten;"
            "PRAGMA user_version = 1;"
            "INSERT INTO node VALUES ('00:13:a2:00:40:00:00:00', 'A', 1, 65534, 0, 0, 1, 0, 0)"
        )
        old.close()
        opened = self.open()
        self.assertEqual([node.unwritten for node in opened.nodes()], [frozenset()])
        self.assertEqual(opened.labels, {A: "A"})
        self.assertIsNone(opened.settings_of(A))


class SettingsTests(StoreTestCase):
    def test_settings_are_kept(self) -> None:
        opened = self.open()
        self.assertIsNone(opened.settings_of(A))
        for text in ("one", "two"):
            kept = StoredSettings(A, text, 5.0)
            opened.keep_settings(kept)
            self.assertEqual(opened.settings_of(A), kept)
        opened.close()
        opened = self.open()
        self.assertEqual(opened.settings_of(A), kept)
        opened.forget_nodes([A])
        self.assertIsNone(opened.settings_of(A))

    def test_bound(self) -> None:
        """Those go that were read longest ago."""
        self.patch(store, "MAX_SETTINGS", 3)
        opened = self.open()
        for number in (3, 1, 2, 5, 4):
            opened.keep_settings(StoredSettings(Address64(number), "x", float(number)))
        kept = [number for number in range(1, 6) if opened.settings_of(Address64(number))]
        self.assertEqual(kept, [3, 4, 5])

    def test_what_is_not_in_flash(self) -> None:
        opened = self.open()
        opened.save_nodes([StoredNode(A, unwritten=frozenset(("D1", "V+")))])
        opened.close()
        (node,) = self.open().nodes()
        self.assertEqual(node.unwritten, {"D1", "V+"})
