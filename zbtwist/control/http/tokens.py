"""What stands for a password that was checked: the tokens of consoles, and the tickets that open
one stream each.

They are random, and kept by their hashes: what is looked up says nothing of what there is. A user
has a bounded number of them, and so have all users together; the one that was not used for longest
goes.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from hashlib import sha256
from secrets import token_urlsafe

from twisted.internet.interfaces import IReactorTime

from zbtwist.control.http.users import User

#: Seconds for which a token is good after it was used, and a ticket.
TOKEN_LIFE = 12 * 3600.0
TICKET_LIFE = 30.0

#: How many of each there are, of all users and of one.
MAX_OF_ALL = 1024
MAX_OF_ONE = 64

_BYTES = 32


def _key(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()


class Tokens:
    """Texts that stand for users, each for a time."""

    def __init__(self, clock: IReactorTime, life: float) -> None:
        """
        @param life: seconds since the last use.
        """
        self._clock = clock
        self._life = life
        # Who was used last is the last.
        self._kept: OrderedDict[bytes, tuple[User, float]] = OrderedDict()
        self._of_one: Counter[User] = Counter()

    def __len__(self) -> int:
        return len(self._kept)

    def issue(self, user: User) -> str:
        """Return a new one."""
        text = token_urlsafe(_BYTES)
        self._forget_old()
        if self._of_one[user] >= MAX_OF_ONE:
            self._drop(next(key for key, (whose, _) in self._kept.items() if whose == user))
        elif len(self._kept) >= MAX_OF_ALL:
            self._drop(next(iter(self._kept)))
        self._kept[_key(text)] = user, self._clock.seconds() + self._life
        self._of_one[user] += 1
        return text

    def find(self, text: str) -> User | None:
        """Return whose it is, which is a use of it; None if it is nobody's, or too old."""
        self._forget_old()
        key = _key(text)
        found = self._kept.pop(key, None)
        if found is None:
            return None
        self._kept[key] = found[0], self._clock.seconds() + self._life
        return found[0]

    def take(self, text: str) -> User | None:
        """As `find`, for the last time."""
        user = self.find(text)
        if user is not None:
            self._drop(_key(text))
        return user

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._of_one.clear()

    def _forget_old(self) -> None:
        # All live as long, so that they end in the order of their last use.
        now = self._clock.seconds()
        while self._kept:
            key, (_, end) = next(iter(self._kept.items()))
            if now < end:
                break
            self._drop(key)

    def _drop(self, key: bytes) -> None:
        user, _ = self._kept.pop(key)
        self._of_one[user] -= 1
        if not self._of_one[user]:
            del self._of_one[user]
