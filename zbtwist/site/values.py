"""The values that nodes tell, each under a topic of its own: the last one in a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from zbtwist.decoding.events import ValuesDecoded
from zbtwist.decoding.service import MAX_NAMES, DecodingService, Reading
from zbtwist.decoding.value import name_of
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.network.events import NodeForgotten
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.runtime.event_bus import EventBus
from zbtwist.site.description import said_of_value
from zbtwist.site.in_json import written
from zbtwist.site.interfaces import IsSaid
from zbtwist.site.retained import Retained, Saying
from zbtwist.xbee.address import Address64


class _Told:
    """What the broker keeps of one node: names of values, as `decoder` has made them."""

    __slots__ = ("decoder", "names")

    def __init__(self, decoder: str) -> None:
        self.decoder = decoder
        self.names: set[str] = set()


class ValuesSaid:
    """Says them. What a node has told stays as it is until it tells something else, also when the
    gateway starts again.
    """

    def __init__(
        self,
        bus: EventBus,
        nodes: NodeTable,
        retained: Retained,
        is_said: IsSaid,
        decoding: DecodingService,
        decoder_of: Callable[[Node], str],
    ) -> None:
        """
        @param decoder_of: returns what the decoder of a node is called; empty for none.
        """
        self._bus = bus
        self._nodes = nodes
        self._retained = retained
        self._is_said = is_said
        self._decoding = decoding
        self._decoder_of = decoder_of
        self._topics: SiteTopics | None = None
        # There are no more of them than nodes that tell values, and names than are kept of one.
        self._told: dict[Address64, _Told] = {}

    # --- see `zbtwist.site.interfaces.Part` ------------------------------------------------------

    def moved(self, topics: SiteTopics | None) -> None:
        self._topics = topics
        self._told.clear()

    def connected(self) -> None:
        self._bus.subscribe(ValuesDecoded, self._decoded)
        self._bus.subscribe(NodeForgotten, self._forgotten)
        self._told.clear()
        self._retained.say_all(self._all())

    def lost(self) -> None:
        self._bus.unsubscribe(ValuesDecoded, self._decoded)
        self._bus.unsubscribe(NodeForgotten, self._forgotten)

    def follow(self) -> None:
        for address64, told in list(self._told.items()):
            node = self._nodes.get(address64)
            if node is None or not self._is_said(node) or self._decoder_of(node) != told.decoder:
                self._empty(address64)
        self._retained.say_all(self._all())

    # --- saying ----------------------------------------------------------------------------------

    def had(self, address64: int, name: str) -> bool:
        """The broker has kept a value since before this connection; return whether it stays."""
        node = self._nodes.get(Address64(address64))
        if node is None or not self._is_said(node) or name != name_of(name):
            return False
        return bool(self._decoder_of(node)) and self._note(node, name)

    def _note(self, node: Node, name: str) -> bool:
        """Note that the broker keeps a value; return whether that may be."""
        decoder = self._decoder_of(node)
        told = self._told.get(node.address64)
        if told is None or told.decoder != decoder:
            if told is not None:
                self._empty(node.address64)
            told = self._told[node.address64] = _Told(decoder)
        if len(told.names) < MAX_NAMES:
            told.names.add(name)
        return name in told.names

    def _make_room(self, node: Node) -> None:
        """Let one go that the node has not told in this run, if there is no room for more."""
        told = self._told.get(node.address64)
        if told is not None and len(told.names) >= MAX_NAMES and self._topics is not None:
            current = {reading.value.name for reading in self._decoding.readings_of(node)}
            for name in told.names - current:
                told.names.discard(name)
                self._retained.empty(self._topics.value(node.address64, name))
                break

    def _all(self) -> Iterator[Saying]:
        for node in self._decoding:
            for reading in self._decoding.readings_of(node):
                saying = self._saying(node, reading)
                if saying is not None:
                    yield saying

    def _saying(self, node: Node, reading: Reading) -> Saying | None:
        if self._topics is None or self._nodes.get(node.address64) is not node:
            return None
        name = reading.value.name
        if not self._is_said(node):
            return None
        if not self._note(node, name):
            self._make_room(node)
            self._note(node, name)
        return self._topics.value(node.address64, name), partial(self._made, node, reading)

    def _made(self, node: Node, reading: Reading) -> bytes:
        # It may have been forgotten since, or be decoded in another way.
        told = self._told.get(node.address64)
        if told is None or told.decoder != self._decoder_of(node) or not self._is_said(node):
            return b""
        return written(said_of_value(reading))

    def _empty(self, address64: Address64) -> None:
        told = self._told.pop(address64, None)
        if told is not None and self._topics is not None:
            for name in told.names:
                self._retained.empty(self._topics.value(address64, name))

    # --- what happens ----------------------------------------------------------------------------

    def _decoded(self, event: ValuesDecoded) -> None:
        for value in event.decoded:
            saying = self._saying(event.node, Reading(value, event.time))
            if saying is not None:
                self._retained.say(*saying)

    def _forgotten(self, event: NodeForgotten) -> None:
        self._empty(event.node.address64)
