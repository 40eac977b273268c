"""``argon2:PATH``: users and the hashes of their passwords, as a kind of ``--auth``; and
`zbpasswd`, the command that makes a line of such a file.

A line is ``NAME:HASH``; blank ones and those that begin with ``#`` are none. The hash is Argon2's
own text (PHC string), which says what it costs to check. That is much, on purpose: it is done in
threads, few at once, and few more may wait.
"""

from __future__ import annotations

import sys
from codecs import BOM_UTF8
from collections.abc import Callable
from functools import cache, lru_cache
from getpass import getpass
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.cred.strcred import ICheckerFactory
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.plugin import IPlugin
from zope.interface import implementer

from zbtwist.runtime.extras import missing
from zbtwist.runtime.printing import reader_may_leave

#: What a check costs, by OWASP's least: KiB of memory, rounds, lanes. More would be felt by a small
#: computer's streams.
MEMORY, ROUNDS, LANES = 19456, 2, 1

#: How many checks run at once, and how many more may wait.
AT_ONCE = 2
MAX_WAITING = 16

#: The longest file that is read, in bytes.
MAX_FILE = 1 << 20

MISSING = f"argon2: {missing('argon2')}"


class Busy(LoginFailed):
    """Too many passwords are being checked."""


def _argon2() -> Any:
    """
    @raise ValueError: it is not installed.
    """
    try:
        import argon2
    except ImportError:
        raise ValueError(MISSING) from None
    return argon2


@cache
def _hasher() -> Any:
    return _argon2().PasswordHasher(time_cost=ROUNDS, memory_cost=MEMORY, parallelism=LANES)


def line_of(name: str, password: str) -> str:
    """Return the line of a user, without a line end.

    @raise ValueError: a sentence without its end.
    """
    if not name or not name.isprintable() or ":" in name or name != name.strip() or name[0] == "#":
        raise ValueError("A name is printable, has no colon, and begins with neither blank nor #")
    if not password:
        raise ValueError("A password must not be empty")
    return f"{name}:{_hasher().hash(password)}"


def read_users(path: str) -> dict[bytes, str]:
    """Return the hashes of a file by the users' names.

    @raise OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        # Some editors begin a file with a byte order mark.
        lines = file.read(MAX_FILE).removeprefix(BOM_UTF8).splitlines()
    users: dict[bytes, str] = {}
    for line in lines:
        name, colon, hashed = line.strip().partition(b":")
        if colon and not name.startswith(b"#"):
            # The first of a name counts, as in Twisted's own files.
            users.setdefault(name.strip(), hashed.strip().decode("latin-1"))
    return users


def has_users(path: str) -> bool:
    """Whether anybody can log in by a file: a line of it has a hash that is one.

    @raise OSError: it cannot be read.
    """
    return any(name and _is_hash(hashed) for name, hashed in read_users(path).items())


def _is_hash(text: str) -> bool:
    try:
        _argon2().extract_parameters(text)
    except ValueError:
        return False
    return True


@lru_cache(8)
def _dummy(like: str) -> str:
    """Return a hash that no password has, and that costs as much to check as another one."""
    argon2 = _argon2()
    try:
        parameters = argon2.extract_parameters(like)
        hasher = argon2.PasswordHasher(
            time_cost=parameters.time_cost,
            memory_cost=parameters.memory_cost,
            parallelism=parameters.parallelism,
        )
    except (argon2.exceptions.InvalidHash, ValueError):
        hasher = _hasher()
    hashed: str = hasher.hash("")
    return hashed


def verify(path: str, name: bytes, password: bytes) -> bool:
    """Check a password; it takes as long for a name that the file has not.

    @raise OSError: the file cannot be read.
    """
    users = read_users(path)
    hashed = users.get(name)
    # No client sends an empty password here, so that this is never right.
    tried = hashed if hashed is not None else _dummy(next(iter(users.values()), ""))
    argon2 = _argon2()
    try:
        _hasher().verify(tried, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHash):
        return False
    return hashed is not None


#: All checkers of the program share it: it is the machine that is spared.
_turns = DeferredSemaphore(AT_ONCE)


def _in_thread(*call: Any) -> Deferred[Any]:
    # Importing it installs a reactor, which may have to be another one.
    from twisted.internet.threads import deferToThread

    return deferToThread(*call)


@implementer(ICredentialsChecker)
class Argon2Checker:
    """Checks the passwords of a file, which is read anew each time."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, path: str, run: Callable[..., Deferred[Any]] = _in_thread) -> None:
        """
        @param run: calls a function elsewhere.
        """
        self._path = path
        self._run = run

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """Return the name of the user, or fail: with `UnauthorizedLogin`, `Busy`, `OSError`."""
        return Deferred.fromCoroutine(self._check(credentials.username, credentials.password))

    async def _check(self, name: bytes, password: bytes) -> bytes:
        if len(_turns.waiting) >= MAX_WAITING:
            raise Busy("Too many passwords are being checked")
        if not password or not await _turns.run(self._run, verify, self._path, name, password):
            raise UnauthorizedLogin
        return name


@implementer(ICheckerFactory, IPlugin)
class Argon2CheckerFactory:
    """Makes it of ``argon2:PATH``."""

    authType = "argon2"
    authHelp = (
        "Takes the path of a file with a line NAME:HASH for each user, as zbpasswd NAME makes it. "
        "The passwords themselves are nowhere. It needs the package argon2-cffi."
    )
    argStringFormat = "Path of a file of users."
    credentialInterfaces = (IUsernamePassword,)

    def generateChecker(self, argstring: str) -> Argon2Checker:
        """
        @raise ValueError: a sentence without its end.
        """
        _argon2()
        if not argstring.strip():
            raise ValueError("argon2: requires the path of a file")
        return Argon2Checker(argstring)


def main() -> None:
    """`zbpasswd NAME`: ask for a password twice, or read a line, and print the line of the user."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(
            "Usage: zbpasswd NAME >> FILE\n\nPrints the line of a user, for --auth argon2:FILE. "
            "The password is asked for, or is the first line of what comes in."
        )
    try:
        if sys.stdin.isatty():
            password = getpass()
            if getpass("Once more: ") != password:
                sys.exit("zbpasswd: That was another password; nothing was made.")
        else:
            password = sys.stdin.readline().rstrip("\r\n")
        with reader_may_leave():
            print(line_of(sys.argv[1], password))
    except ValueError as error:
        sys.exit(f"zbpasswd: {error}.")
    except (KeyboardInterrupt, EOFError):
        sys.exit(130)


if __name__ == "__main__":
    main()
