"""Which decoders there are: ours, and those of plugins."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.plugin import getPlugins

from zbtwist.decoding import brultech, text
from zbtwist.decoding.interfaces import IDecoderMaker


def all_makers() -> Iterator[IDecoderMaker]:
    """Return them; ours come first, and nobody else's takes their names."""
    yield from (*brultech.MAKERS, *text.MAKERS)
    yield from getPlugins(IDecoderMaker)


def maker_named(name: str) -> IDecoderMaker | None:
    """Return the one of a name, None if there is none. Plugins are looked for only if it is none of
    ours.
    """
    return next((maker for maker in all_makers() if maker.name == name), None)
