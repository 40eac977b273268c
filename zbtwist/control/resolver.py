"""Who is meant: from the text that a person writes to an address or a node."""

from __future__ import annotations

import re
from string import hexdigits

from zbtwist.binding.labels import Labels
from zbtwist.control.faults import AMBIGUOUS_LABEL, BAD_ADDRESS, UNKNOWN_NODE, ControlFault
from zbtwist.network.node import Node
from zbtwist.network.table import NO_NODE, NodeTable
from zbtwist.radio.interfaces import IRadio
from zbtwist.xbee.address import Address64, AddressError, format_address64, parse_address64

#: Characters of an address or a name. No form of an address has as many; a name from the
#: configuration has at most 64 bytes.
MAX_TEXT = 100

_SHOWN = 30

_PAIRS = re.compile(r"(?:\w\w[:-]){5,}\w\w")
_HEXADECIMAL = frozenset(hexdigits)
_OF_AN_ADDRESS = frozenset(hexdigits + "[]!:- \t\r\n")


def _is_like_an_address(text: str) -> bool:
    """Whether a text was surely meant as an address."""
    characters = set(text)
    if characters <= _HEXADECIMAL:
        return len(text) >= 12
    if characters <= _OF_AN_ADDRESS:
        return bool(characters & set(":["))
    return _PAIRS.fullmatch(text) is not None


class NodeResolver:
    """The nodes by any text form of their address, by their node identifier, and by the name that
    the configuration gives them.
    """

    def __init__(self, nodes: NodeTable, radio: IRadio, labels: Labels) -> None:
        """
        @param radio: whose own address is no node's.
        @param labels: whose names are relied on; who is named here is one of them from now on.
        """
        self._labels = labels
        self._nodes = nodes
        self._radio = radio

    def address(self, text: str) -> Address64:
        """Return the address that a text means.

        @param text: an address if it can be one, else a node identifier or a name.
        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL.
        """
        if len(text) > MAX_TEXT:
            raise ControlFault(
                BAD_ADDRESS,
                f"{text[:_SHOWN]!r}… is no address and no name: it has {len(text)} characters, and "
                f"none has more than {MAX_TEXT}.",
            )
        try:
            address64 = parse_address64(text)
        except AddressError as error:
            return self._named(text, error).address64
        facts = self._radio.facts
        if address64 in NO_NODE or (facts is not None and address64 == facts.address64):
            raise ControlFault(
                BAD_ADDRESS,
                f"{text} is the local radio or everybody: name one remote node.",
            )
        return address64

    def _named(self, text: str, error: AddressError) -> Node:
        nodes = [node for node in self._nodes if text and text in (node.label, node.name)]
        owner = self._labels.owner_of(text)
        if nodes and owner is not None:
            others = nodes
            nodes = [node for node in nodes if node.address64 == owner or node.name == text]
            if not nodes:
                addresses = ", ".join(format_address64(node.address64) for node in others)
                raise ControlFault(
                    AMBIGUOUS_LABEL,
                    f"{text!r} was the name of {format_address64(owner)} first, which is not "
                    f"called that any more: name the node by its address ({addresses}), and accept "
                    "it to let it have the name.",
                )
        if len(nodes) > 1:
            addresses = ", ".join(format_address64(node.address64) for node in nodes)
            raise ControlFault(
                AMBIGUOUS_LABEL,
                f"{len(nodes)} nodes are called {text!r}: name one by its address ({addresses}).",
            )
        if nodes:
            if nodes[0].label == text:
                self._labels.pin(nodes[0])
            return nodes[0]
        if not text or _is_like_an_address(text):
            raise ControlFault(BAD_ADDRESS, f"{error}.")
        raise ControlFault(
            UNKNOWN_NODE,
            f"No node is called {text!r}: list() has those that are known, discover() finds more.",
        )

    def node(self, text: str) -> Node:
        """Return the known node that a text means."""
        address64 = self.address(text)
        node = self._nodes.get(address64)
        if node is None:
            raise ControlFault(
                UNKNOWN_NODE,
                f"No node {format_address64(address64)} is known: discover() searches for it.",
            )
        return node
