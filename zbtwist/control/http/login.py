"""Checks names and passwords, by the checkers of twisted.cred that the configuration names.

A check may cost much, on purpose (see `zbtwist.control.passwords`), so its result is remembered for
a while: a program sends its password with each call. Only right ones are remembered, by a hash with
a key that nobody else has. Whoever tries wrong ones waits (see `zbtwist.control.http.delays`).
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest, digest
from pathlib import Path
from secrets import token_bytes
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import LoginFailed
from twisted.cred.strcred import InvalidAuthType, makeChecker
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web import http
from zope.interface import implementer

from zbtwist.control.http.delays import Delays, place_of
from zbtwist.control.http.users import User
from zbtwist.control.passwords import Busy, has_users
from zbtwist.runtime.repeats import Interval

#: Seconds for which a right password is not checked again, and how many are remembered.
REMEMBERED = 60.0
MAX_REMEMBERED = 256

#: Bytes of a name, and of a password.
MAX_LENGTH = 256

#: Seconds between two lines of the log on wrong passwords.
SAID_AGAIN = 10.0

#: As in RFC 6585, 4.
TOO_MANY_REQUESTS = 429

#: Kinds of users whose argument is the path of a file.
FILE_KINDS = ("argon2", "file")


class _Unreadable(Exception):
    """Files of users cannot be read.

    @ivar reasons: why, by their paths.
    @ivar is_unchecked: nothing else has seen the password.
    """

    def __init__(self, reasons: dict[str, str], is_unchecked: bool) -> None:
        super().__init__(reasons)
        self.reasons = reasons
        self.is_unchecked = is_unchecked


class Refused(Exception):
    """Somebody is not let in.

    @ivar code: the HTTP status.
    @ivar sentence: says what to do.
    @ivar wait: seconds until it can be tried again; 0 for nothing to say of that.
    """

    def __init__(self, code: int, sentence: str, wait: float = 0.0) -> None:
        super().__init__(code, sentence)
        self.code = code
        self.sentence = sentence
        self.wait = wait


def checker_of(description: str) -> Any:
    """Return what checks passwords, as ``--auth`` describes it: ``KIND:ARGUMENT``.

    @raise ValueError: a sentence without its end and without the description.
    """
    try:
        checker = makeChecker(description)
    except InvalidAuthType as error:
        raise ValueError(f"there is no kind {error}; --help-auth lists those there are") from None
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(str(error) or type(error).__name__) from error
    if not any(one.isOrExtends(IUsernamePassword) for one in checker.credentialInterfaces):
        raise ValueError("it checks something else than names and passwords")
    if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
        # Its plugin gives it text, and what comes over HTTP is bytes.
        checker.users = {_bytes(name): _bytes(word) for name, word in checker.users.items()}
    return checker


def _bytes(text: Any) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)


def _file_of(description: str) -> str:
    """Return the path of the file of a description; empty if there is none in it."""
    kind, _, path = description.partition(":")
    return path if kind in FILE_KINDS else ""


def problem_of(description: str) -> str:
    """Return why nobody can log in by a description, a sentence; empty if somebody can, or if its
    file cannot be read.
    """
    kind, path = description.partition(":")[0], _file_of(description)
    try:
        if not path or (has_users(path) if kind == "argon2" else b":" in Path(path).read_bytes()):
            return ""
    except OSError:
        # Which is said where it is noticed.
        return ""
    form = "NAME:HASH, as zbpasswd NAME makes it" if kind == "argon2" else "NAME:PASSWORD"
    return f"No line of the file of users {path} is {form}: nobody can log in by it."


def _state_of(description: str) -> tuple[Any, ...]:
    """Return what is another when the users of a description may be others."""
    path = _file_of(description)
    if not path:
        return (description,)
    try:
        found = os.stat(path)
    except OSError:
        return (description, None)
    return (description, found.st_ino, found.st_size, found.st_mtime_ns)


@implementer(IUsernamePassword)
class _Credentials:
    """A name and a password that is compared in a time that says nothing of it."""

    def __init__(self, username: bytes, password: bytes) -> None:
        self.username = username
        self.password = password
        self.was_compared = False

    def checkPassword(self, password: Any) -> bool:
        self.was_compared = True
        return compare_digest(sha256(_bytes(password)).digest(), sha256(self.password).digest())


class Login:
    """All users."""

    log = Logger()

    def __init__(
        self, clock: IReactorTime, full: Sequence[str] = (), readers: Sequence[str] = ()
    ) -> None:
        """
        @param full: descriptions of those who may do everything.
        @param readers: of those who may only look.
        """
        self._clock = clock
        self.delays = Delays(clock)
        self._secret = token_bytes(32)
        self._right: OrderedDict[bytes, tuple[User, float]] = OrderedDict()
        # Several requests with one password are one check.
        self._running: dict[bytes, list[Deferred[User]]] = {}
        self._wrong = 0
        self._interval = Interval(SAID_AGAIN)
        self._unreadable_interval = Interval(SAID_AGAIN)
        self._state: object = None
        self.use(full, readers)

    def use(self, full: Sequence[str], readers: Sequence[str]) -> bool:
        """Take others from now on.

        @return: whether users may be others than before.
        """
        self._descriptions = full, readers
        return self.look()

    def look(self) -> bool:
        """Look whether files of users have changed.

        @return: whether users may be others than before: who has been let in must be asked again.
        """
        full, readers = self._descriptions
        state = (tuple(map(_state_of, full)), tuple(map(_state_of, readers)))
        if state == self._state:
            return False
        self._state = state
        self._checkers: list[tuple[Any, bool, str]] = [
            (checker_of(description), may_change, _file_of(description))
            for descriptions, may_change in ((full, True), (readers, False))
            for description in descriptions
        ]
        self._right.clear()
        for problem in filter(None, map(problem_of, (*full, *readers))):
            self.log.warn("{problem}", problem=problem)
        return True

    def known(self, name: bytes, password: bytes) -> User | None:
        """Return the user if that is remembered."""
        found = self._right.get(self._key(name, password))
        if found is None or found[1] <= self._clock.seconds():
            return None
        return found[0]

    async def check(self, name: bytes, password: bytes, peer: object) -> User:
        """Find the user of a name and a password.

        @param peer: the `IAddress` that it comes from.
        @raise Refused: there is none, or it must be tried later.
        """
        place = place_of(peer)
        wait = self.delays.wait(place)
        if wait > 0:
            raise Refused(
                TOO_MANY_REQUESTS,
                f"Too many wrong passwords came from your address; try again in {wait:.0f} s.",
                wait,
            )
        key = self._key(name, password)
        if key in self._running:
            waiting: Deferred[User] = Deferred()
            self._running[key].append(waiting)
            return await waiting
        self._running[key] = []
        self.delays.begin(place)
        result: Any = None
        try:
            user = result = await self._ask(name, password)
        except Busy:
            self.delays.right(place)
            result = Refused(
                http.SERVICE_UNAVAILABLE, "Many are logging in at this moment; try again.", 1.0
            )
            raise result from None
        except Refused as refused:
            result = refused
            self._tell_wrong(place)
            raise
        except _Unreadable as unreadable:
            if unreadable.is_unchecked:
                # Whoever knows the right one need not wait when the file is back.
                self.delays.right(place)
            self._tell_unreadable(unreadable.reasons)
            result = Refused(
                http.INTERNAL_SERVER_ERROR,
                "The password could not be checked, since a file of users cannot be read: the "
                "gateway's log says which.",
            )
            raise result from None
        except Exception:
            self.log.failure("A password could not be checked")
            result = Refused(
                http.INTERNAL_SERVER_ERROR,
                "The password could not be checked; look into the gateway's log for the reason.",
            )
            raise result from None
        finally:
            for other in self._running.pop(key):
                if isinstance(result, User):
                    other.callback(result)
                else:
                    other.errback(result or Refused(http.SERVICE_UNAVAILABLE, "Try again."))
        self.delays.right(place)
        self._remember(key, user)
        return user

    async def _ask(self, name: bytes, password: bytes) -> User:
        credentials = _Credentials(name, password)
        checkers = list(self._checkers)
        unreadable: dict[str, str] = {}
        if 0 < len(name) <= MAX_LENGTH and 0 < len(password) <= MAX_LENGTH:
            for checker, may_change, path in checkers:
                try:
                    if path:
                        # Twisted's own checker takes one that cannot be read for one without users.
                        open(path, "rb").close()
                    found = await maybeDeferred(checker.requestAvatarId, credentials)
                except Busy:
                    raise
                except LoginFailed:
                    continue
                except OSError as error:
                    if not path:
                        raise
                    unreadable[path] = error.strerror or str(error)
                    continue
                # An empty tuple is twisted.cred's word for nobody in particular.
                if found and checkers == self._checkers:
                    return User(name.decode("utf-8", "replace"), may_change)
        if not credentials.was_compared:
            credentials.checkPassword(password)
        if unreadable:
            raise _Unreadable(unreadable, is_unchecked=len(unreadable) == len(checkers))
        raise Refused(
            http.UNAUTHORIZED,
            "There is no such user, or the password is another one."
            if checkers
            else "Nobody can log in: the gateway was started without --auth.",
        )

    def _key(self, name: bytes, password: bytes) -> bytes:
        return digest(self._secret, b"%d:%b%b" % (len(name), name, password), "sha256")

    def _remember(self, key: bytes, user: User) -> None:
        self._right[key] = user, self._clock.seconds() + REMEMBERED
        self._right.move_to_end(key)
        while len(self._right) > MAX_REMEMBERED:
            self._right.popitem(last=False)

    def _tell_unreadable(self, reasons: dict[str, str]) -> None:
        """As `_tell_wrong`."""
        if self._unreadable_interval.is_over(self._clock.seconds()):
            for path, reason in reasons.items():
                self.log.error(
                    "The file of users {path} cannot be read ({reason}): put it back, or name "
                    "another with --auth. Nobody who is named in it can log in until then.",
                    path=path,
                    reason=reason,
                )

    def _tell_wrong(self, place: str) -> None:
        """Say it in the log, and not as often as anybody can try it."""
        self._wrong += 1
        if self._interval.is_over(self._clock.seconds()):
            count, self._wrong = self._wrong, 0
            others = f", and {count - 1} more were refused since that was said" if count > 1 else ""
            self.log.warn(
                "A wrong name or password came to the control interface from {place}{others}.",
                place=place,
                others=others,
            )
