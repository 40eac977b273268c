"""Who has a place at a node's port, and who gives it up when all are taken."""

from __future__ import annotations

from collections.abc import Iterable

from zbtwist.binding.client import NodeClient
from zbtwist.binding.port_settings import KICK_IDLE, KICK_OLDEST, PortSettings
from zbtwist.binding.presence import Presence
from zbtwist.runtime.shares import who_gives_way

#: Seconds after which a client that owes its system's answer is taken to be gone sooner than one
#: that does not write.
DOUBTFUL = 5.0


def holders_of(clients: Iterable[NodeClient], most: int) -> list[NodeClient]:
    """Return whose places are wanted for one more client, the oldest first; nobody's if there is
    room.

    Those that have ended their side or left do not count, until there are as many of them again;
    those that the gateway has connected itself to never do.

    @param most: how many may be there at once.
    """
    there = [client for client in clients if not (client.is_over or client.was_called)]
    staying = [client for client in there if not (client.has_ended or client.has_left)]
    if len(staying) >= most:
        return staying
    return there if len(there) >= 2 * most else []


def who_leaves(
    holders: list[NodeClient], share: str, settings: PortSettings, now: float
) -> tuple[NodeClient, str] | None:
    """Return who gives up a place for a new client, and why, a clause; None if nobody does.

    @param holders: those that there are, the oldest first; at least one.
    @param share: whose the new one is, see `zbtwist.runtime.shares.peer_of`.
    @param now: seconds of the clock.
    """
    if settings.when_full == KICK_OLDEST:
        return holders[0], "it makes room for a new client, and is the oldest"
    if settings.when_full == KICK_IDLE:
        idle = max(holders, key=lambda one: (one.unanswered_for >= DOUBTFUL, one.silent_for(now)))
        return idle, (
            "it makes room for a new client, and has written nothing for "
            f"{idle.silent_for(now):.0f} s"
        )
    leaving = who_gives_way(((client.share, client) for client in holders), share)
    if leaving is None:
        return None
    return leaving, (
        f"there are {len(holders)} clients, and another address has fewer of them than this one"
    )


def make_room(
    clients: Iterable[NodeClient],
    share: str,
    settings: PortSettings,
    presence: Presence,
    now: float,
) -> int:
    """Have a place for one more client, if there is one or another gives way.

    @return: how many there are if there is none; else 0.
    """
    clients = list(clients)
    holders = holders_of(clients, settings.max_clients)
    if holders:
        presence.look_at(holders)
        holders = holders_of(clients, settings.max_clients)
    if not holders:
        return 0
    leaves = who_leaves(holders, share, settings, now)
    if leaves is None:
        return len(holders)
    leaves[0].give_way(leaves[1])
    return 0
