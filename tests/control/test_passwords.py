"""Users in a file with the hashes of their passwords, and the command that makes a line of it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import argon2
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.trial.unittest import SynchronousTestCase

from tests.pages import ROOT
from zbtwist.control import passwords
from zbtwist.control.http.login import checker_of
from zbtwist.control.passwords import Argon2Checker, Busy, has_users, line_of, read_users, verify


class Credentials:
    def __init__(self, username: bytes, password: bytes) -> None:
        self.username = username
        self.password = password


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        # What a check costs is no matter of most tests.
        self.patch(passwords, "MEMORY", 8)
        self.patch(passwords, "ROUNDS", 1)
        passwords._hasher.cache_clear()
        passwords._dummy.cache_clear()
        self.addCleanup(passwords._hasher.cache_clear)
        self.path = self.mktemp()

    def write(self, text: str) -> None:
        with open(self.path, "w") as file:
            file.write(text)

    def test_users(self) -> None:
        self.write(
            f"# Who may come in\n\n{line_of('zoë', 'ü:ü')}\r\n  {line_of('bob', 'x')}  \n"
            "bob:other\nnothing\n#carol:x\n"
        )
        self.assertEqual(set(read_users(self.path)), {"zoë".encode(), b"bob"})
        self.assertTrue(verify(self.path, "zoë".encode(), "ü:ü".encode()))
        self.assertTrue(verify(self.path, b"bob", b"x"))
        for name, word in ((b"bob", b"other"), (b"bob", b""), (b"carol", b"x"), (b"", b"")):
            self.assertFalse(verify(self.path, name, word), name)

    def test_a_byte_order_mark(self) -> None:
        """Some editors begin a file with it; it is no part of the first name."""
        self.write(f"\ufeff{line_of('bob', 'x')}\n")
        self.assertTrue(verify(self.path, b"bob", b"x"))

    def test_whether_anybody_can_log_in(self) -> None:
        for text in ("", "# nobody\n", "bob:plain\n", f":{line_of('bob', 'x')[4:]}\n", "\0\x80:\n"):
            self.write(text)
            self.assertFalse(has_users(self.path), text)
        self.write(f"bob:plain\n{line_of('eve', 'x')}\n")
        self.assertTrue(has_users(self.path))

    def test_a_hash_that_is_none(self) -> None:
        self.write("bob:x\ncarol:\n")
        for name in (b"bob", b"carol", b"dave"):
            self.assertFalse(verify(self.path, name, b"x"))

    def test_an_unknown_name_costs_the_same(self) -> None:
        """A hash is checked, whether there is such a user or not, with the same parameters."""
        self.patch(passwords, "ROUNDS", 3)
        self.write(line_of("bob", "x"))
        checked: list[str] = []
        hasher = passwords._hasher()

        class Watched:
            def verify(self, hashed: str, word: bytes) -> None:
                checked.append(hashed.rsplit("$", 2)[0])
                hasher.verify(hashed, word)

        self.patch(passwords, "_hasher", Watched)
        for name in (b"bob", b"nobody"):
            self.assertFalse(verify(self.path, name, b"wrong"))
        self.assertEqual(checked, ["$argon2id$v=19$m=8,t=3,p=1"] * 2)

    def test_names_that_cannot_be(self) -> None:
        for name in ("a:b", "", " a", "#a", "a\n"):
            self.assertRaises(ValueError, line_of, name, "x")
        self.assertRaises(ValueError, line_of, "a", "")

    def test_it_is_done_elsewhere_and_few_at_once(self) -> None:
        self.patch(passwords, "_turns", DeferredSemaphore(passwords.AT_ONCE))
        running: list[Deferred[Any]] = []

        def run(*call: Any) -> Deferred[Any]:
            running.append(Deferred())
            return running[-1]

        checker = Argon2Checker(self.path, run)
        most = passwords.AT_ONCE + passwords.MAX_WAITING
        checks = [checker.requestAvatarId(Credentials(b"a", b"x")) for _ in range(most + 5)]
        self.assertEqual(len(running), passwords.AT_ONCE)
        for check in checks[most:]:
            self.failureResultOf(check, Busy)
        running[0].callback(True)
        running[1].callback(False)
        self.assertEqual(self.successResultOf(checks[0]), b"a")
        self.failureResultOf(checks[1], UnauthorizedLogin)
        self.assertEqual(len(running), 2 * passwords.AT_ONCE)

    def test_without_the_package(self) -> None:
        """A sentence says what to install."""
        self.addCleanup(sys.modules.__setitem__, "argon2", argon2)
        sys.modules["argon2"] = None  # type: ignore[assignment]
        error = self.assertRaises(ValueError, checker_of, "argon2:/etc/users")
        self.assertIn("install zbtwist again as before, with '.[argon2]'", str(error))


class CommandTests(SynchronousTestCase):
    def run_it(self, *arguments: str, given: str = "") -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "zbtwist.control.passwords", *arguments],
            input=given,
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        return done.returncode, done.stdout + done.stderr

    def test_a_line(self) -> None:
        status, line = self.run_it("alice", given="secret\n")
        self.assertEqual(status, 0, line)
        self.assertTrue(line.startswith("alice:$argon2id$v=19$m=19456,t=2,p=1$"), line)
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(line)
        self.assertTrue(verify(path, b"alice", b"secret"))
        self.assertNotIn("secret", line)

    def test_mistakes(self) -> None:
        for arguments in ((), ("-h",), ("a", "b")):
            status, said = self.run_it(*arguments)
            self.assertEqual(status, 1)
            self.assertIn("Usage: zbpasswd NAME", said)
        self.assertEqual(self.run_it("a:b", given="x\n")[0], 1)
        self.assertEqual(
            self.run_it("alice", given="\n"), (1, "zbpasswd: A password must not be empty.\n")
        )
