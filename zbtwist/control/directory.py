"""Who is meant: from the text that a person writes to an address or a node."""

from __future__ import annotations

import re

from zbtwist.control.faults import AMBIGUOUS_LABEL, BAD_ADDRESS, UNKNOWN_NODE, ControlFault
from zbtwist.interfaces import IRadio
from zbtwist.network import NO_NODE, Node, NodeTable
from zbtwist.xbee.address import Address64, AddressError, format_address64, parse_address64

#: What was surely meant as an address.
_LIKE_AN_ADDRESS = re.compile(
    r"(?:\w\w[:-]){5,}\w\w|"
    r"[\[\]!\s0-9a-fA-F:-]*[:\[][\[\]!\s0-9a-fA-F:-]*|[0-9a-fA-F]{12,}"
)


class Directory:
    """The nodes by any text form of their address, and by their node identifier."""

    def __init__(self, nodes: NodeTable, radio: IRadio) -> None:
        """
        @param radio: whose own address is no node's.
        """
        self._nodes = nodes
        self._radio = radio

    def address(self, text: str) -> Address64:
        """Return the address that a text means.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL.
        """
        try:
            address64 = parse_address64(text)
        except AddressError as error:
            return self._labelled(text, error).address64
        facts = self._radio.facts
        if address64 in NO_NODE or (facts is not None and address64 == facts.address64):
            raise ControlFault(
                BAD_ADDRESS,
                f"{text} is the local radio or everybody: name one remote node.",
            )
        return address64

    def _labelled(self, text: str, error: AddressError) -> Node:
        nodes = [node for node in self._nodes if text and node.label == text]
        if len(nodes) > 1:
            addresses = ", ".join(format_address64(node.address64) for node in nodes)
            raise ControlFault(
                AMBIGUOUS_LABEL,
                f"{len(nodes)} nodes are called {text!r}: name one by its address ({addresses}).",
            )
        if nodes:
            return nodes[0]
        if not text or _LIKE_AN_ADDRESS.fullmatch(text):
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
