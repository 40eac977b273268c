"""Who follows which settings. A part reads of the settings what its protocol names, and only that,
since types are checked; so it is told of new ones only if something of it is another.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Protocol, get_type_hints

from zbtwist.config.settings import Settings


class Follower(Protocol):
    """A part of the gateway that follows new settings."""

    def reconfigure(self, old: Settings, new: Settings) -> None:
        """Follow new settings. What it reads of them is the protocol that it annotates them with:
        properties are compared, and what a method returns is made of them.
        """


class Followers:
    """All of them, in the order in which they are told."""

    def __init__(self, *followers: Follower) -> None:
        self._all: list[tuple[Callable[[Settings], Any], Follower]] = [
            (attrgetter(*_read_by(follower)), follower) for follower in followers
        ]

    def follow(self, old: Settings, new: Settings) -> None:
        """Tell those of new settings who read something that is another."""
        for read, follower in self._all:
            if read(old) != read(new):
                follower.reconfigure(old, new)


def _read_by(follower: Follower) -> list[str]:
    """Return the names of what a part reads of the settings."""
    protocol = get_type_hints(follower.reconfigure)["new"]
    return [name for name, each in vars(protocol).items() if isinstance(each, property)]
