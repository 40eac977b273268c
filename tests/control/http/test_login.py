"""Names and passwords: what is remembered, who waits, and what takes how long."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.support import record_log
from zbtwist.control.http import delays, login, tokens
from zbtwist.control.http.delays import Delays, place_of
from zbtwist.control.http.login import Login, Refused, checker_of
from zbtwist.control.http.tokens import Tokens
from zbtwist.control.http.users import User
from zbtwist.control.passwords import Busy

HERE = IPv4Address("TCP", "10.0.0.1", 50000)
ALICE = User("alice", True)


class Checker:
    """Checks passwords when it is told to, and counts."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, Deferred[bytes]]] = []

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes]:
        answer: Deferred[bytes] = Deferred()
        self.asked.append((credentials, answer))
        return answer


class LoginTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.checker = Checker()
        self.patch(login, "checker_of", lambda description: self.checker)
        self.login = Login(self.clock, ["any:one"])

    def check(
        self, name: bytes = b"alice", word: bytes = b"pw", peer: object = HERE
    ) -> Deferred[User]:
        return Deferred.fromCoroutine(self.login.check(name, word, peer))

    def wrong(self, peer: object = HERE, word: bytes = b"no") -> Refused:
        checked = self.check(word=word, peer=peer)
        if self.checker.asked:
            self.checker.asked.pop()[1].errback(UnauthorizedLogin())
        return self.failureResultOf(checked, Refused).value  # type: ignore[no-any-return]


class Remembering(LoginTestCase):
    def test_a_right_password_is_checked_once_a_minute(self) -> None:
        checked = self.check()
        self.checker.asked[0][1].callback(b"alice")
        self.assertEqual(self.successResultOf(checked), ALICE)
        self.assertEqual(self.login.known(b"alice", b"pw"), ALICE)
        self.assertIsNone(self.login.known(b"alice", b"pW"))
        self.assertIsNone(self.login.known(b"alic", b"epw"))
        self.clock.advance(login.REMEMBERED)
        self.assertIsNone(self.login.known(b"alice", b"pw"))

    def test_what_is_remembered_is_bounded(self) -> None:
        for number in range(login.MAX_REMEMBERED + 1):
            checked = self.check(b"%d" % number)
            self.checker.asked.pop()[1].callback(b"x")
            self.successResultOf(checked)
        self.assertIsNone(self.login.known(b"0", b"pw"))
        self.assertIsNotNone(self.login.known(b"1", b"pw"))

    def test_many_calls_with_one_password_are_one_check(self) -> None:
        checks = [self.check() for _ in range(20)]
        self.assertEqual(len(self.checker.asked), 1)
        self.checker.asked[0][1].callback(b"alice")
        for checked in checks:
            self.assertEqual(self.successResultOf(checked), ALICE)
        checks = [self.check(word=b"no") for _ in range(20)]
        self.checker.asked[1][1].errback(UnauthorizedLogin())
        for checked in checks:
            self.failureResultOf(checked, Refused)

    def test_no_checker_sees_what_is_empty_or_too_long(self) -> None:
        for name, word in ((b"", b"pw"), (b"a", b""), (b"a" * 257, b"pw"), (b"a", b"p" * 257)):
            checked = self.check(name, word, IPv4Address("TCP", f"10.0.0.{len(name) % 250}", 1))
            self.assertEqual(self.failureResultOf(checked, Refused).value.code, 401)
        self.assertEqual(self.checker.asked, [])

    def test_nobody_in_particular_is_nobody(self) -> None:
        checked = self.check()
        self.checker.asked[0][1].callback(())  # type: ignore[arg-type]
        self.failureResultOf(checked, Refused)

    def test_a_checker_that_fails_lets_nobody_in(self) -> None:
        checked = self.check()
        self.checker.asked[0][1].errback(ZeroDivisionError())
        self.assertEqual(self.failureResultOf(checked, Refused).value.code, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_users_that_changed_meanwhile(self) -> None:
        """A check that began before the users changed lets nobody in after it."""
        checked = self.check()
        self.checker, before = Checker(), self.checker
        self.assertTrue(self.login.use(["any:other"], []))
        before.asked[0][1].callback(b"alice")
        self.failureResultOf(checked, Refused)
        self.assertIsNone(self.login.known(b"alice", b"pw"))


class Waiting(LoginTestCase):
    """Whoever tries wrong passwords waits, and nobody else."""

    def test_the_delay_doubles_to_a_minute(self) -> None:
        for _ in range(delays.FREE):
            self.assertEqual(self.wrong().code, 401)
        waits = []
        for _ in range(9):
            self.assertEqual(self.wrong().code, 401)
            refused = self.wrong()
            self.assertEqual(refused.code, 429)
            waits.append(refused.wait)
            self.assertIn("try again in", refused.sentence)
            self.clock.advance(refused.wait)
        self.assertEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60])

    def test_a_right_one_waits_too_but_not_elsewhere(self) -> None:
        for _ in range(delays.FREE + 1):
            self.wrong()
        self.assertEqual(self.failureResultOf(self.check(), Refused).value.code, 429)
        checked = self.check(peer=IPv4Address("TCP", "10.0.0.2", 1))
        self.checker.asked.pop()[1].callback(b"alice")
        self.successResultOf(checked)

    def test_many_at_once_count_when_they_begin(self) -> None:
        for number in range(delays.FREE + 1):
            self.check(word=b"%d" % number)
        self.assertEqual(len(self.checker.asked), delays.FREE + 1)
        self.assertEqual(self.failureResultOf(self.check(word=b"more"), Refused).value.code, 429)

    def test_who_has_a_password_cannot_try_others_the_faster(self) -> None:
        for _ in range(delays.FREE - 1):
            self.wrong()
        for _ in range(20):
            checked = self.check(b"bob")
            self.checker.asked.pop()[1].callback(b"bob")
            self.successResultOf(checked)
        self.wrong()
        self.wrong()
        self.assertEqual(self.wrong().code, 429)

    def test_who_could_not_be_checked_does_not_wait(self) -> None:
        for number in range(3 * delays.FREE):
            checked = self.check(word=b"%d" % number)
            self.checker.asked.pop()[1].errback(Busy())
            self.assertEqual(self.failureResultOf(checked, Refused).value.code, 503)

    def test_log(self) -> None:
        """Wrong passwords are said, without a name, which may be a password; and not each."""
        log = record_log(self)
        for number in range(100):
            self.wrong(IPv4Address("TCP", f"10.0.1.{number}", 1))
        self.clock.advance(login.SAID_AGAIN)
        self.wrong(IPv4Address("TCP", "10.0.2.1", 1))
        said = log.lines("warn")
        self.assertEqual(len(said), 2, said)
        self.assertIn("from 10.0.1.0.", said[0])
        self.assertIn("99 more were refused", said[1])
        self.assertNotIn("alice", "".join(said))


class Tries(SynchronousTestCase):
    def test_addresses_are_bounded(self) -> None:
        tries = Delays(Clock())
        for number in range(3 * delays.MAX_ADDRESSES):
            tries.begin(str(number))
        self.assertEqual(len(tries), delays.MAX_ADDRESSES)

    def test_they_are_forgotten(self) -> None:
        clock = Clock()
        tries = Delays(clock)
        for _ in range(delays.FREE + 5):
            tries.begin("a")
        clock.advance(delays.FORGOTTEN + 1)
        tries.begin("a")
        self.assertEqual(tries.wait("a"), 0)

    def test_places(self) -> None:
        six = IPv6Address("TCP", "2001:db8::1:2:3:4", 1)
        self.assertEqual(place_of(six), "2001:db8::/64")
        self.assertEqual(place_of(IPv6Address("TCP", "fe80::1%eth0", 1)), "fe80::/64")
        self.assertEqual(place_of(IPv6Address("TCP", "::ffff:10.0.0.1", 1)), "10.0.0.1")
        self.assertEqual(place_of(HERE), "10.0.0.1")
        self.assertEqual(place_of(UNIXAddress(b"/x")), "UNIXAddress")


class TokenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.tokens = Tokens(self.clock, 100)

    def test_it_is_good_for_a_time_after_its_use(self) -> None:
        text = self.tokens.issue(ALICE)
        self.assertGreaterEqual(len(text), 43)
        for _ in range(3):
            self.clock.advance(99)
            self.assertEqual(self.tokens.find(text), ALICE)
        self.assertIsNone(self.tokens.find(text + "x"))
        self.clock.advance(100)
        self.assertIsNone(self.tokens.find(text))
        self.assertEqual(len(self.tokens), 0)

    def test_a_ticket_is_good_once(self) -> None:
        text = self.tokens.issue(ALICE)
        self.assertEqual(self.tokens.take(text), ALICE)
        self.assertIsNone(self.tokens.take(text))

    def test_they_are_bounded(self) -> None:
        """One user takes no place of another: not even one who may only look."""
        first = self.tokens.issue(ALICE)
        for _ in range(3 * tokens.MAX_OF_ALL):
            self.tokens.issue(User("viewer", False))
        self.assertEqual(len(self.tokens), tokens.MAX_OF_ONE + 1)
        self.assertEqual(self.tokens.find(first), ALICE)
        for number in range(2 * tokens.MAX_OF_ALL):
            self.tokens.issue(User(str(number), False))
        self.assertEqual(len(self.tokens), tokens.MAX_OF_ALL)

    def test_nothing_of_them_is_kept(self) -> None:
        text = self.tokens.issue(ALICE)
        self.assertNotIn(text, repr(vars(self.tokens)))


class Kinds(SynchronousTestCase):
    """What --auth may name, by twisted.cred's own plugins."""

    def users(self, text: str) -> str:
        path: str = self.mktemp()
        with open(path, "w") as file:
            file.write(text)
        return path

    def user(self, logins: Login, name: bytes, word: bytes) -> User | None:
        checked = Deferred.fromCoroutine(logins.check(name, word, HERE))
        results: list[object] = []
        checked.addBoth(results.append)
        return results[0] if isinstance(results[0], User) else None

    def test_file_and_memory(self) -> None:
        path = self.users("alice:secret\nbob:other\n")
        logins = Login(Clock(), [f"file:{path}"], ["memory:viewer:look:zoë:ü"])
        self.assertEqual(self.user(logins, b"alice", b"secret"), ALICE)
        self.assertEqual(self.user(logins, b"viewer", b"look"), User("viewer", False))
        self.assertEqual(self.user(logins, "zoë".encode(), "ü".encode()), User("zoë", False))
        self.assertIsNone(self.user(logins, b"alice", b"other"))
        self.assertIsNone(self.user(logins, b"carol", b"secret"))

    def test_a_file_that_changes_counts_at_once(self) -> None:
        path = self.users("alice:secret\n")
        logins = Login(Clock(), [f"file:{path}"])
        self.assertFalse(logins.look())
        self.user(logins, b"alice", b"secret")
        with open(path, "w") as file:
            file.write("alice:another\n")
        os.utime(path, ns=(1, 1))
        self.assertTrue(logins.look())
        self.assertFalse(logins.look())
        self.assertIsNone(logins.known(b"alice", b"secret"))
        os.remove(path)
        self.assertTrue(logins.look())
        self.assertIsNone(self.user(logins, b"alice", b"another"))
        self.flushLoggedErrors()

    def test_constant_time(self) -> None:
        """Passwords are compared by their hashes, also where there is no such user."""
        compared: list[tuple[bytes, ...]] = []

        def compare(*both: bytes) -> bool:
            compared.append(both)
            return False

        self.patch(login, "compare_digest", compare)
        logins = Login(Clock(), ["memory:alice:secret"])
        for name in (b"alice", b"bob"):
            self.assertIsNone(self.user(logins, name, b"s"))
            self.assertEqual(len(compared), 1, name)
            self.assertEqual({len(each) for each in compared.pop()}, {32})

    def test_a_file_without_users(self) -> None:
        """It is said at the start, and when it comes to that."""
        log = record_log(self)
        path = self.users("# nobody yet\n")
        logins = Login(Clock(), [f"file:{path}"], [f"argon2:{path}"])
        said = [
            f"No line of the file of users {path} is {form}: nobody can log in by it."
            for form in ("NAME:PASSWORD", "NAME:HASH, as zbpasswd NAME makes it")
        ]
        self.assertEqual(log.lines(), said)
        logins.look()
        self.assertEqual(log.lines(), said)
        Path(path).write_text("bob:plain\n")
        logins.look()
        self.assertEqual(log.lines(), [*said, said[1]])

    def test_a_file_that_is_gone_for_a_moment(self) -> None:
        """The log names it, and not as often as anybody can try; who is in another may come in."""
        log = record_log(self)
        clock, path = Clock(), self.mktemp()
        Path(path).write_text("alice:secret\n")
        logins = Login(clock, [f"file:{path}", "memory:bob:word"])
        os.unlink(path)
        for make in (lambda: None, lambda: os.mkdir(path)):
            make()
            for _ in range(2):
                check = Deferred.fromCoroutine(logins.check(b"alice", b"secret", HERE))
                refused = self.failureResultOf(check, Refused).value
                self.assertEqual(refused.code, 500)
                self.assertIn("a file of users cannot be read", refused.sentence)
            clock.advance(login.SAID_AGAIN)
        self.assertEqual(self.user(logins, b"bob", b"word"), User("bob", True))
        self.assertEqual(
            log.lines(),
            [
                f"The file of users {path} cannot be read ({reason}): put it back, or name another "
                "with --auth. Nobody who is named in it can log in until then."
                for reason in ("No such file or directory", "Is a directory")
            ],
        )

    def test_nobody_waits_for_a_file_that_is_gone(self) -> None:
        path = self.mktemp()
        Path(path).write_text("alice:secret\n")
        logins = Login(Clock(), [f"file:{path}"])
        os.rename(path, f"{path}.old")
        for _ in range(3 * delays.FREE):
            check = Deferred.fromCoroutine(logins.check(b"alice", b"secret", HERE))
            self.assertEqual(self.failureResultOf(check, Refused).value.code, 500)
        os.rename(f"{path}.old", path)
        self.assertEqual(self.user(logins, b"alice", b"secret"), User("alice", True))

    def test_what_is_no_kind(self) -> None:
        for text, words in (
            ("nothing:x", "no kind nothing"),
            ("anonymous", "something else"),
            ("memory:alice", "U:P"),
            ("argon2:", "requires the path"),
        ):
            error = self.assertRaises(ValueError, checker_of, text)
            self.assertIn(words, str(error))

    def test_memory_is_asked_in_bytes(self) -> None:
        checker = checker_of("memory:a:b")
        self.assertIsInstance(checker, InMemoryUsernamePasswordDatabaseDontUse)
        self.assertEqual(checker.users, {b"a": b"b"})
