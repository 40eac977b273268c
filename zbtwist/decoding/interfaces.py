"""What a decoder is, for those who write one.

A decoder of your own is a class that provides `IDecoder`, and an object that provides
`IDecoderMaker` in a module of the package `twisted.plugins`; docs/decoders.rst has an example.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.plugin import IPlugin
from zope.interface import Attribute, Interface

from zbtwist.decoding.value import Value


class IDecoder(Interface):
    """Makes values of what one node says. There is one for each node."""

    def feed(data: bytes, now: float) -> Sequence[Value]:
        """Take the next bytes of the node, as they came over the air.

        It may be called with any bytes, cut anywhere, and is to find its way back after what makes
        no sense. It keeps a bounded number of them, and does not wait for anything.

        @param now: when they came, seconds of a clock that is never set.
        @return: the values that are complete now, the latest last; none that is guessed.
        """

    def broken() -> None:
        """Bytes were lost here: what was begun is not to be completed by what comes."""


class IDecoderMaker(IPlugin):
    """Makes the decoders of a name."""

    name: str = Attribute("What `decoder` is in the configuration: lower case, without blanks.")

    question: tuple[bytes, ...] = Attribute(
        "What is sent to a device that speaks when it is asked, each piece when it has answered "
        "the one before; empty if the configuration has to say it."
    )

    def make() -> IDecoder:
        """Return a new one."""
