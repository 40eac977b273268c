"""Damage on the serial line that the frames' checksums do show.

What they do not show, about one in 256 of larger damage, no gateway can know, and a run that judges
everything has no use for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.faults.world import World
from zbtwist.xbee.framing import decoder_for, encode

#: What follows on the line, so that a frame which has lost a byte finds an end.
_NEXT = b"\x8a\x06"

#: How often it is tried to do visible damage.
_TRIES = 20

#: The part of what passes at once that is damaged.
_SHARE = 0.05


def _damaged(data: bytes, chance: random.Random) -> bytes:
    """Turn over a bit, lose a byte, or add one."""
    place = chance.randrange(len(data))
    what = chance.choice(("bit", "lost", "garbage", "burst"))
    if what == "lost":
        return data[:place] + data[place + 1 :]
    if what == "garbage":
        return data[:place] + chance.randbytes(1) + data[place:]
    if what == "burst":
        size = min(chance.randint(2, 8), len(data) - place)
        return data[:place] + chance.randbytes(size) + data[place + size :]
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def _frames(data: bytes, api_mode: int) -> list[bytes]:
    decoder = decoder_for(api_mode)
    following = encode(_NEXT, api_mode)
    return [*decoder.feed(data), *decoder.feed(following * 3), *decoder.give_up()]


def _is_whole(data: bytes, api_mode: int) -> bool:
    """Whether these are frames from end to end."""
    frames = decoder_for(api_mode).feed(data)
    return bool(data) and b"".join(encode(frame, api_mode) for frame in frames) == data


def _is_visible(data: bytes, damaged: bytes, api_mode: int) -> bool:
    """Whether nothing comes out of it that did not go in."""
    left = _frames(data, api_mode)
    for frame in _frames(damaged, api_mode):
        if frame not in left:
            return False
        left.remove(frame)
    return bool(left)


def damage_visibly(world: World, chance: random.Random) -> Callable[[], object]:
    """Damage some of what passes on the line, both ways; return what ends it."""

    def damage(data: bytes) -> bytes:
        api_mode = world.network.radio.api_mode
        if not api_mode or chance.random() >= _SHARE or not _is_whole(data, api_mode):
            return data
        for _ in range(_TRIES):
            damaged = _damaged(data, chance)
            if _is_visible(data, damaged, api_mode):
                return damaged
        return data

    wires = world.endpoint.line.directions
    for wire in wires:
        wire.spoiler = damage

    def end() -> None:
        for wire in wires:
            if wire.spoiler is damage:
                wire.spoiler = None

    return end
