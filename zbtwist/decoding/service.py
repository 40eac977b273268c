"""Decodes what nodes say, and keeps the last value of each name.

Nothing is decoded, and no stream is observed, while no node has a decoder. A decoder sees the
packets of its node as they come; where the stream is known to have a hole, it is told so. One that
makes a mistake is thrown away, and a new one goes on, so that a single line that somebody's decoder
does not expect costs no more than what is around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime

from zbtwist.decoding.events import DecoderFailed, ValuesDecoded, ValuesLeftOut
from zbtwist.decoding.interfaces import IDecoder, IDecoderMaker
from zbtwist.decoding.makers import maker_named
from zbtwist.decoding.value import Value
from zbtwist.network.events import FROM_NODE, BytesPassed, NodeForgotten
from zbtwist.network.node import Node
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.repeats import Interval

#: Names of values that are kept of one node: what a meter of 32 channels tells, and more.
MAX_NAMES = 256

#: Seconds from one new decoder of a node to the next, where they make mistakes, and from one line
#: of the log on them to the next.
BEGINS_EACH = 60.0


@dataclass(frozen=True, slots=True)
class Reading:
    """A value, and when it came.

    @ivar time: seconds since 1970.
    """

    value: Value
    time: float


class DecodingSettings(Protocol):
    """What is needed of the settings; see `zbtwist.config.settings.Settings`."""

    @property
    def has_decoders(self) -> bool: ...


class _Decoding:
    """Of one node.

    @ivar decoder: None from its mistake until there may be a new one.
    @ivar begins: whether there may be a new one after a mistake.
    @ivar says: whether a mistake is to be said.
    """

    __slots__ = ("begins", "decoder", "is_full", "main", "maker", "name", "readings", "says")

    def __init__(self, name: str, maker: IDecoderMaker) -> None:
        self.name = name
        self.maker = maker
        self.decoder: IDecoder | None = None
        self.begins, self.says = Interval(BEGINS_EACH), Interval(BEGINS_EACH)
        self.readings: dict[str, Reading] = {}
        # What matters most of them, when somebody has asked since they changed.
        self.main: Reading | None = None
        self.is_full = False


class DecodingService(Service):
    """The decoders of all nodes, and what they have told."""

    def __init__(
        self, clock: IReactorTime, bus: EventBus, decoder_of: Callable[[Node], str]
    ) -> None:
        """
        @param decoder_of: returns what the decoder of a node is called, empty for none.
        """
        self._clock = clock
        self._bus = bus
        self._decoder_of = decoder_of
        self._nodes: dict[Node, _Decoding] = {}
        self._observes = False
        self._heard = bus.subscribers(ValuesDecoded)
        bus.subscribe(NodeForgotten, self._forgotten)

    def follow(self, settings: DecodingSettings) -> None:
        """Follow the settings."""
        self._observe(settings.has_decoders)

    def reconfigure(self, old: DecodingSettings, new: DecodingSettings) -> None:
        """Follow new settings."""
        self.follow(new)

    def _observe(self, is_wanted: bool) -> None:
        if is_wanted != self._observes:
            self._observes = is_wanted
            change: Callable[[Any, Any], None] = (
                self._bus.subscribe if is_wanted else self._bus.unsubscribe
            )
            change(BytesPassed, self._passed)
        if not is_wanted:
            self._nodes.clear()

    def readings_of(self, node: Node) -> list[Reading]:
        """Return the last value of each name that a node has told, in the order of their names."""
        decoding = self._nodes.get(node)
        if decoding is None or decoding.name != self._decoder_of(node):
            return []
        return [reading for _, reading in sorted(decoding.readings.items())]

    def main_of(self, node: Node) -> Reading | None:
        """Return what matters most of what a node has told; None if it has told nothing."""
        decoding = self._nodes.get(node)
        if decoding is None or decoding.name != self._decoder_of(node):
            return None
        if decoding.main is None:
            # Of those that matter as much, what the decoder told first.
            decoding.main = min(
                decoding.readings.values(), key=lambda reading: reading.value.rank, default=None
            )
        return decoding.main

    def __iter__(self) -> Iterator[Node]:
        """The nodes that have told values."""
        return (node for node, decoding in list(self._nodes.items()) if decoding.readings)

    def broken(self, node: Node) -> None:
        """The stream of a node has a hole here."""
        decoding = self._nodes.get(node)
        if decoding is not None and decoding.decoder is not None:
            self._safely(node, decoding, decoding.decoder.broken)

    def _forgotten(self, event: NodeForgotten) -> None:
        self._nodes.pop(event.node, None)

    def _passed(self, event: BytesPassed) -> None:
        if event.direction != FROM_NODE:
            return
        node = event.node
        name = self._decoder_of(node)
        decoding = self._nodes.get(node)
        if decoding is None or decoding.name != name:
            maker = maker_named(name) if name else None
            if maker is None:
                self._nodes.pop(node, None)
                return
            decoding = self._nodes[node] = _Decoding(name, maker)
            decoding.decoder = self._safely(node, decoding, maker.make)
        now = self._clock.seconds()
        if decoding.decoder is None and decoding.begins.is_over(now):
            self._begin_anew(node, decoding)
        if decoding.decoder is None:
            return
        values = []
        for value in self._safely(node, decoding, _fed, decoding.decoder, event.data, now) or ():
            if not isinstance(value, Value) or not value.is_fit:
                self._failed(node, decoding, f"it told {value!r:.200}, which is no value.")
                break
            if self._keep(node, decoding, value, event.time):
                values.append(value)
        if values and self._heard:
            self._bus.publish(ValuesDecoded(node, tuple(values), event.time))

    def _keep(self, node: Node, decoding: _Decoding, value: Value, time: float) -> bool:
        readings = decoding.readings
        if value.name not in readings and len(readings) >= MAX_NAMES:
            if not decoding.is_full:
                decoding.is_full = True
                self._bus.publish(ValuesLeftOut(node, MAX_NAMES))
            return False
        readings[value.name] = Reading(value, time)
        decoding.main = None
        return True

    def _safely(
        self, node: Node, decoding: _Decoding, call: Callable[..., Any], *arguments: Any
    ) -> Any:
        """Call a decoder, which may be anybody's."""
        try:
            return call(*arguments)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"[:300].rstrip(" .:")
            self._failed(node, decoding, f"it raised {said}.")
            return None

    def _failed(self, node: Node, decoding: _Decoding, reason: str) -> None:
        now = self._clock.seconds()
        decoding.decoder = None
        if decoding.says.is_over(now):
            self._bus.publish(DecoderFailed(node, decoding.name, reason))
        if decoding.begins.is_over(now):
            self._begin_anew(node, decoding)

    def _begin_anew(self, node: Node, decoding: _Decoding) -> None:
        """Go on with a new decoder. What comes may be the rest of what the one before was given."""
        decoder = decoding.decoder = self._safely(node, decoding, decoding.maker.make)
        if decoder is not None:
            self._safely(node, decoding, decoder.broken)


def _fed(decoder: IDecoder, data: bytes, now: float) -> list[Any]:
    """Return all that it finds: it may raise while it is asked for the next of them."""
    return list(decoder.feed(data, now) or ())
