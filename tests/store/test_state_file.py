"""The file while it is open, and what lies beside it: nothing that was acknowledged is lost."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
from pathlib import Path

from tests.store.test_store import StoreTestCase
from tests.support import record_log
from zbtwist.store import database
from zbtwist.store.errors import StoreError
from zbtwist.store.records import Mapping, StoredNode
from zbtwist.store.store import Store
from zbtwist.xbee.address import Address64

A, B, C = (Address64(0x0013A200_40000000 + n) for n in range(3))


def be_full(case: StoreTestCase) -> None:
    """From here to the end of a test no file can be made that has more than a page."""
    connect = database._connect

    def cramped(path: str) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute("PRAGMA max_page_count=1")
        return connection

    case.patch(database, "_connect", cramped)


class FullDiskTests(StoreTestCase):
    def test_first_start(self) -> None:
        """A service is started again and again: nothing stays of what was begun."""
        be_full(self)
        self.assertEqual(
            self.refusal(), f"The disk of the state file {self.path} is full: make room on it."
        )
        self.assertEqual(os.listdir(os.path.dirname(self.path)), [])

    def test_first_start_that_is_killed(self) -> None:
        """What stays is not there before the next."""
        os.makedirs(os.path.dirname(self.path))
        making = Path(f"{self.path}.{os.getpid()}.new")
        for left in (making, Path(f"{making}-journal")):
            left.write_bytes(b"begun")
        self.open()
        self.assertEqual([each for each in os.listdir(making.parent) if ".new" in each], [])

    def test_no_room_for_its_name(self) -> None:
        def full(*arguments: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.patch(os, "link", full)
        self.assertIn("is full: make room on it", self.refusal())
        self.assertEqual(os.listdir(os.path.dirname(self.path)), [])


class OpenFileTestCase(StoreTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.made()
        self.store = self.open()

    def change(self, mapping: Mapping) -> str:
        """Try to put a mapping; return why it cannot be done."""
        with self.assertRaises(StoreError) as caught:
            self.store.change_mappings([mapping])
        text = str(caught.exception)
        self.assertIn(self.path, text)
        self.assertTrue(text.endswith("."), text)
        return text

    def kept(self) -> list[Mapping]:
        """What a start after a kill would find."""
        copy = f"{self.mktemp()}.sqlite3"
        for end in ("", "-journal", "-wal"):
            if os.path.exists(f"{self.path}{end}"):
                shutil.copy(f"{self.path}{end}", f"{copy}{end}")
        found = Store(copy).open()
        mappings = found.mappings()
        found.close()
        return mappings


class RemovedTests(OpenFileTestCase):
    def test_removed(self) -> None:
        """It is written anew, whole, and that is said once."""
        log = record_log(self)
        self.store.save_nodes([StoredNode(A, "one")])
        os.unlink(self.path)
        self.store.change_mappings([Mapping(B, 27002)])
        self.assertEqual(self.kept(), [Mapping(A, 27001), Mapping(B, 27002)])
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        self.store.change_mappings([Mapping(C, 27003)])
        self.assertEqual(len(self.kept()), 3)
        self.assertEqual(self.store.nodes()[0], StoredNode(A, "one"))
        [line] = log.lines()
        self.assertIn("was removed while the gateway had it open: it is written anew", line)
        self.patch(database, "BUSY_TIMEOUT", 0.0)
        self.assertIn("in use by another program", self.refusal())
        names = os.listdir(os.path.dirname(self.path))
        self.assertEqual([name for name in names if name.endswith(".new")], [])

    def test_removed_with_all_that_lies_beside_it(self) -> None:
        self.store.change_mappings([Mapping(B, 27002)])
        for file in Path(self.path).parent.iterdir():
            file.unlink()
        self.store.change_mappings([Mapping(C, 27003)])
        self.assertEqual(len(self.kept()), 3)

    def test_removed_with_its_directory(self) -> None:
        """Its disk may not be mounted: what is written there would be hidden later."""
        aside = f"{os.path.dirname(self.path)}-aside"
        os.rename(os.path.dirname(self.path), aside)
        self.assertIn("bring it back", self.change(Mapping(B, 27002)))
        os.rename(aside, os.path.dirname(self.path))
        self.store.change_mappings([Mapping(B, 27002)])
        self.assertEqual(self.kept(), [Mapping(A, 27001), Mapping(B, 27002)])

    def test_removed_and_no_room_for_another(self) -> None:
        def full(*arguments: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        os.unlink(self.path)
        link = os.link
        self.patch(os, "link", full)
        self.assertIn("cannot be written anew: No space left", self.change(Mapping(B, 27002)))
        self.patch(os, "link", link)
        self.store.change_mappings([Mapping(B, 27002)])
        self.assertEqual(self.kept(), [Mapping(A, 27001), Mapping(B, 27002)])

    def test_removed_and_no_room_for_its_content(self) -> None:
        os.unlink(self.path)
        connect = database._connect
        be_full(self)
        self.assertIn("database or disk is full. Make that", self.change(Mapping(B, 27002)))
        self.assertEqual([each for each in os.listdir(Path(self.path).parent) if "new" in each], [])
        self.patch(database, "_connect", connect)
        self.store.change_mappings([Mapping(B, 27002)])
        self.assertEqual(self.kept(), [Mapping(A, 27001), Mapping(B, 27002)])

    def test_replaced(self) -> None:
        """Nobody can tell which of the two is meant."""
        other = f"{self.path}.copy"
        shutil.copy(self.path, other)
        before = Path(other).read_bytes()
        os.rename(other, self.path)
        self.assertIn("was replaced", self.change(Mapping(B, 27002)))
        self.assertEqual(Path(self.path).read_bytes(), before)
        os.rename(self.path, other)
        self.store.change_mappings([Mapping(B, 27002)])
        self.assertEqual(self.kept(), [Mapping(A, 27001), Mapping(B, 27002)])

    def test_overwritten(self) -> None:
        """As `cp` does, into the file that is open."""
        copy = Path(self.path).read_bytes()
        self.store.change_mappings([Mapping(B, 27002)])
        Path(self.path).write_bytes(copy)
        self.assertIn("was overwritten", self.change(Mapping(C, 27003)))
        self.assertEqual(Path(self.path).read_bytes(), copy)
        # What SQLite has now is of both.
        os.unlink(self.path)
        self.assertIn("was overwritten", self.change(Mapping(C, 27003)))

    def test_overwritten_by_a_copy_of_this_run(self) -> None:
        """SQLite itself counts the first change of a run alone."""
        self.store.change_mappings([Mapping(B, 27002)])
        copy = Path(self.path).read_bytes()
        for port in range(27003, 27008):
            self.store.change_mappings([Mapping(C, port)])
        Path(self.path).write_bytes(copy)
        self.assertIn("was overwritten", self.change(Mapping(C, 27009)))
        self.assertEqual(Path(self.path).read_bytes(), copy)

    def test_touched(self) -> None:
        """Who only looks at it, or copies it, changes nothing."""
        os.utime(self.path)
        shutil.copy(self.path, f"{self.path}.copy")
        self.store.change_mappings([Mapping(B, 27002)])
        self.assertEqual(self.kept(), [Mapping(A, 27001), Mapping(B, 27002)])

    def test_journal_removed(self) -> None:
        """It looks like rubbish while it is empty; without a name it is no use after a crash."""
        self.store.change_mappings([Mapping(B, 27002)])
        journal = Path(f"{self.path}-journal")
        self.assertEqual(journal.stat().st_size, 0)
        journal.unlink()
        self.store.change_mappings([Mapping(C, 27003)])
        self.assertTrue(journal.exists())
        self.assertEqual(len(self.kept()), 3)


class BesideTests(StoreTestCase):
    """What a killed gateway left beside the file, and a copy that is put back."""

    def test_nothing_is_left_beside_it(self) -> None:
        """Whatever was written, also by `save_nodes`, is in the file itself."""
        opened = self.open()
        opened.change_mappings([Mapping(A, 27001)])
        opened.save_nodes([StoredNode(A, "one")])
        copy = f"{self.mktemp()}.sqlite3"
        shutil.copy(self.path, copy)
        found = Store(copy).open()
        self.addCleanup(found.close)
        self.assertEqual(found.mappings(), [Mapping(A, 27001)])
        self.assertEqual([node.label for node in found.nodes()], ["one"])

    def killed_in_a_change(self, path: str) -> None:
        """Leave the file as a gateway does that is killed in the middle of a commit."""
        original = Store(self.path).open()
        original.change_mappings([Mapping(B, 27002)])
        self.copy_of_the_run = Path(self.path).read_bytes()
        original.change_mappings([Mapping(C, 27003)])
        original.close()
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=TRUNCATE")
        connection.execute("PRAGMA cache_size=1")
        connection.execute("PRAGMA cache_spill=1")
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO mapping VALUES (?, ?, 0)",
            [(f"00:13:a2:00:41:00:{n >> 8:02x}:{n & 255:02x}", 30000 + n) for n in range(3000)],
        )
        for end in ("", "-journal"):
            shutil.copy(f"{self.path}{end}", f"{path}{end}")
        connection.execute("ROLLBACK")
        connection.close()

    def test_unfinished_change_of_its_own(self) -> None:
        self.made()
        crashed = f"{self.mktemp()}.sqlite3"
        self.killed_in_a_change(crashed)
        self.assertGreater(os.path.getsize(f"{crashed}-journal"), 512)
        found = Store(crashed).open()
        self.addCleanup(found.close)
        kept = [Mapping(A, 27001), Mapping(B, 27002), Mapping(C, 27003)]
        self.assertEqual(found.mappings(), kept)

    def test_unfinished_change_of_another(self) -> None:
        """A copy is put back beside it: SQLite would put pages of the other into it."""
        self.made()
        self.put_back(Path(self.path).read_bytes(), [Mapping(A, 27001)])

    def test_unfinished_change_of_the_same_run(self) -> None:
        self.made()
        self.put_back(b"", [Mapping(A, 27001), Mapping(B, 27002)])

    def put_back(self, copy: bytes, mappings: list[Mapping]) -> None:
        """A copy is put beside an unfinished change; see that it stays as it is.

        @param copy: the copy; empty for one of the killed gateway's last run.
        @param mappings: what is in it.
        """
        crashed = f"{self.mktemp()}.sqlite3"
        self.killed_in_a_change(crashed)
        copy = copy or self.copy_of_the_run
        Path(crashed).write_bytes(copy)
        journal = Path(f"{crashed}-journal").read_bytes()
        with self.assertRaises(StoreError) as caught:
            Store(crashed).open()
        self.assertIn(f"the unfinished change in {crashed}-journal", str(caught.exception))
        self.assertIn("of another file", str(caught.exception))
        self.assertEqual(Path(crashed).read_bytes(), copy)
        self.assertEqual(Path(f"{crashed}-journal").read_bytes(), journal)
        os.unlink(f"{crashed}-journal")
        found = Store(crashed).open()
        self.addCleanup(found.close)
        self.assertEqual(found.mappings(), mappings)

    def test_log_of_another(self) -> None:
        """Earlier versions kept a write-ahead log, which SQLite would put into a copy."""
        self.made()
        copy = Path(self.path).read_bytes()
        old = sqlite3.connect(self.path, isolation_level=None)
        old.execute("PRAGMA journal_mode=WAL")
        old.execute("INSERT INTO mapping VALUES ('00:13:a2:00:41:00:00:01', 30000, 0)")
        log = Path(f"{self.path}-wal").read_bytes()
        old.close()
        Path(self.path).write_bytes(copy)
        Path(f"{self.path}-wal").write_bytes(log)
        self.assertIn(f"{self.path}-wal beside it are of another file", self.refusal())
        self.assertEqual(Path(self.path).read_bytes(), copy)
        self.assertEqual(Path(f"{self.path}-wal").read_bytes(), log)

    def test_file_of_an_earlier_version(self) -> None:
        """With what is still in its log, after a kill."""
        self.made()
        old = sqlite3.connect(self.path, isolation_level=None)
        old.execute("PRAGMA journal_mode=WAL")
        old.execute("INSERT INTO mapping VALUES ('00:13:a2:00:40:00:00:01', 27002, 0)")
        crashed = f"{self.mktemp()}.sqlite3"
        for end in ("", "-wal"):
            shutil.copy(f"{self.path}{end}", f"{crashed}{end}")
        old.close()
        found = Store(crashed).open()
        self.addCleanup(found.close)
        self.assertEqual(found.mappings(), [Mapping(A, 27001), Mapping(B, 27002)])
        self.assertFalse(os.path.exists(f"{crashed}-wal"))


class NoHardLinksTests(StoreTestCase):
    """FAT, and many a network's file system."""

    def test_new(self) -> None:
        for number in (errno.EPERM, errno.ENOTSUP):

            def refused(*arguments: object, number: int = number) -> None:
                raise OSError(number, os.strerror(number))

            self.patch(os, "link", refused)
            self.made()
            self.assertEqual(os.listdir(os.path.dirname(self.path)), [os.path.basename(self.path)])
            os.unlink(self.path)

    def test_somebody_else_was_first(self) -> None:
        def refused(making: Path, path: Path) -> None:
            Path(path).write_bytes(whole)
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        self.made()
        whole = Path(self.path).read_bytes()
        os.unlink(self.path)
        self.patch(os, "link", refused)
        opened = self.open()
        self.assertFalse(opened.is_new)
        self.assertEqual(opened.mappings(), [Mapping(A, 27001)])


class SenseTests(StoreTestCase):
    def test_every_bit_of_what_was_given(self) -> None:
        """One that is flipped is noticed in a sentence, or makes sense."""
        self.made()
        whole = Path(self.path).read_bytes()
        connection = sqlite3.connect(self.path)
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'given'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.close()
        begin = (root - 1) * size
        used = [at for at in range(begin, begin + size) if whole[at]]
        refused = 0
        for at in used:
            for bit in range(8):
                flipped = bytearray(whole)
                flipped[at] ^= 1 << bit
                Path(self.path).write_bytes(flipped)
                try:
                    opened = Store(self.path).open()
                except StoreError:
                    refused += 1
                    continue
                opened.given()
                opened.close()
        self.assertGreater(refused, 100)

    def test_bits_of_the_schema(self) -> None:
        """One makes a byte that is no text, which is in SQLite's own message then."""
        self.made()
        whole = Path(self.path).read_bytes()
        begin = whole.index(b"CREATE TABLE given")
        for at in range(begin, begin + len("CREATE TABLE given")):
            flipped = bytearray(whole)
            flipped[at] ^= 0x80
            Path(self.path).write_bytes(flipped)
            with contextlib.suppress(StoreError):
                Store(self.path).open().close()

    def test_values_that_make_no_sense(self) -> None:
        for statement in (
            "UPDATE given SET address = 'nobody'",
            "UPDATE given SET address = x'ff00'",
            "UPDATE given SET port = 0",
            "UPDATE given SET port = 1.5",
            "UPDATE mapping SET port = x'00'",
            "UPDATE given SET address = CAST(x'ff3a' AS TEXT)",
            "UPDATE node SET label = 17.5, last_seen = 'yesterday'",
            "UPDATE node SET parent16 = 'up'",
        ):
            self.made()
            other = sqlite3.connect(self.path)
            other.execute(statement)
            other.commit()
            other.close()
            self.assertIn("is damaged", self.refusal(), statement)
            os.unlink(self.path)
