"""What happened: the events of the log, and frames while they are traced."""

from __future__ import annotations

from typing import Annotated, TypedDict

from twisted.logger import Logger

from zbtwist.control.faults import BAD_VALUE, ControlFault
from zbtwist.control.operations.base import GatewayOperations
from zbtwist.control.operations.table import Harmless, operation
from zbtwist.network.node import Node
from zbtwist.observing.event_log import Entry
from zbtwist.observing.tracer import TooManyTraced
from zbtwist.xbee.address import Address64, digi_address64, format_address64

log = Logger()


class EventRow(TypedDict):
    """An event in ``trace(seq)``."""

    seq: Annotated[int, "1 for the first event since the gateway started"]
    time: Annotated[float, "seconds since 1970"]
    level: Annotated[str, "``info``, ``warn``, ``error`` or ``critical``; ``debug`` for a frame"]
    text: Annotated[str, "one line, at most 1024 bytes"]
    kind: Annotated[str, "``log``, or ``frame`` while frames are traced"]
    event: Annotated[str, "its `name <events.rst>`_; empty for a frame, and for other lines"]
    addr_extended: Annotated[str, "the node that it is about, as in ``list()``; empty for none"]


class Traced(TypedDict):
    """What ``frames()`` returns."""

    all: Annotated[bool, "whether the frames of all nodes, and of the radio, are traced"]
    nodes: Annotated[list[str], "the addresses of the single nodes whose frames are"]
    file: Annotated[str, "where all frames are written (``--trace-file``); empty for nowhere"]


def _row(event: Entry) -> EventRow:
    return {
        "seq": event.seq,
        "time": event.time,
        "level": event.level,
        "text": event.text,
        "kind": event.kind,
        "event": event.name,
        "addr_extended": f"[{event.address}]!" if event.address else "",
    }


class TracingOperations(GatewayOperations):
    """Events, and whose frames are among them."""

    @operation("trace", harmless=Harmless.ALWAYS, page="trace")
    def trace(self, seq: int, address: str = "") -> list[EventRow]:
        """List the gateway's events (what its log has, from level info up) after the one with the
        number ``seq``, oldest first.

        0 lists all that it still has: the last 1000 at most, of one kind and node the last 50; when
        there are more, the oldest goes of the kind that has the most, so that what happens seldom
        stays. Of traced frames it has the last 1000. To follow the log, ask again with the last
        ``seq``. Numbers that are missing, before the first event of an answer or in between, are of
        events that are forgotten. If the first has no higher number than was asked for, the gateway
        was restarted, and numbers began at 1 again. To be sure of that, ask with one less: the
        first of the answer must be the event that you know.

        @param address: lists the events of this node alone; empty lists all.
        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL.
        """
        if address:
            return self._events_of(self._resolver.node(address), seq)
        return list(map(_row, self._events.since(seq)))

    def _events_of(self, node: Node, seq: int = 0) -> list[EventRow]:
        address = format_address64(node.address64)
        return [_row(event) for event in self._events.since(seq) if event.address == address]

    @operation("frames", harmless=Harmless.WITHOUT_ARGUMENTS)
    def frames(self, on: bool | None = None, address: str = "") -> Traced:
        """Trace frames from now on (true), or no more (false): all of them, or those of one node,
        which need not have been seen.

        Each frame to the radio and from it is an event then, in words. Without an address
        ``frames(false)`` ends the tracing of single nodes too. Without arguments nothing is
        changed; what is returned says what is traced.

        @param on: None changes nothing.
        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL; BAD_VALUE: all are traced,
            or too many single ones.
        """
        tracer = self._tracer
        if on is not None:
            address64 = self._resolver.address(address) if address else None
            if address64 is not None and not on and tracer.is_on_for_all:
                raise ControlFault(
                    BAD_VALUE,
                    "The frames of all nodes are traced: switch that off, and single nodes on.",
                )
            try:
                tracer.switch(on, address64)
            except TooManyTraced as error:
                raise ControlFault(BAD_VALUE, f"{error} Switch some off.") from None
            log.info(
                "The frames of {who} are traced {when}.",
                who=self._who(address64),
                when="from now on, by hand" if on else "no more",
            )
        return {
            "all": tracer.is_on_for_all,
            "nodes": [digi_address64(address64) for address64 in sorted(tracer.addresses)],
            "file": tracer.file.path if tracer.file is not None else "",
        }

    def _who(self, address64: Address64 | None) -> str:
        if address64 is None:
            return "all nodes"
        return str(self._network.nodes.get(address64) or format_address64(address64))
