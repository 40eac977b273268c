"""Who is connected to the port of a node, and what passes there."""

from __future__ import annotations

from typing import Annotated, TypedDict

from zbtwist.binding.client import NodeClient
from zbtwist.control.faults import BAD_VALUE, GATEWAY_FAILED, ControlFault, shown
from zbtwist.control.operations.base import GatewayOperations
from zbtwist.control.operations.table import Harmless, operation
from zbtwist.network.node import Node
from zbtwist.observing.taps import TooManyTaps


class ClientRow(TypedDict):
    """A client in ``clients()``."""

    peer: Annotated[str, "who it is, such as ``10.0.0.7:50312``"]
    seconds: Annotated[float, "for how long it has been connected"]
    unsent: Annotated[float, "bytes of the node that wait for it to read"]
    ended: Annotated[bool, "it writes no more, and waits for what is still to come"]
    writes: Annotated[bool, "what it sends is for the node; see the option ``writers``"]
    ignored: Annotated[float, "bytes that it has sent while they were not, and are thrown away"]
    endpoint: Annotated[str, "the endpoint by which it came; empty for the node's port"]


class PassedRow(TypedDict):
    """A packet in ``watch()``; `Watched` says what each key is."""

    seq: int
    time: float
    direction: str
    data: bytes


class Watched(TypedDict):
    """What ``watch()`` returns."""

    seq: Annotated[int, "the number to ask with the next time"]
    lost: Annotated[int, "packets that came too quickly, and are forgotten"]
    packets: Annotated[
        list[PassedRow],
        "a struct for each: ``seq``; ``time`` (seconds since 1970); ``direction``: ``from_node``, "
        "as it came, or ``to_node``, as it was handed to the radio, and whether it arrived is not "
        "known yet; ``data`` (base64)",
    ]


class ClientOperations(GatewayOperations):
    """Clients, and their streams."""

    @operation("clients", harmless=Harmless.ALWAYS)
    def clients(self, address: str) -> list[ClientRow]:
        """List who is connected to a node's port.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL.
        """
        return self._clients_of(self._resolver.node(address))

    def _clients_of(self, node: Node) -> list[ClientRow]:
        port = self._bindings.port_of(node)
        if port is None:
            return []
        now = self._clock.seconds()
        return [
            {
                "peer": client.peer,
                "seconds": now - client.opened_at,
                "unsent": float(client.buffered),
                "ended": client.has_ended or client.has_left,
                "writes": port.may_write(client),
                "ignored": float(client.bytes_ignored),
                "endpoint": client.wish.endpoint if client.wish is not None else "",
            }
            for client in port.connected
        ]

    @operation("disconnect", page="disconnect")
    def disconnect(self, peer: str) -> bool:
        """Reset a client, of whichever node; returns true.

        What it wrote and was not sent yet is dropped. It may connect again.

        @param peer: as ``clients`` has it; if several are called so, it is all of them.
        @raise ControlFault: BAD_VALUE.
        """
        found: list[NodeClient] = []
        for node in self._network.nodes:
            port = self._bindings.port_of(node)
            for client in port.connected if port else ():
                if client.peer == peer and port is not None:
                    found.append(client)
                    port.outbound.discard(client)
                    client.reset("it was disconnected by hand")
        if not found:
            raise ControlFault(
                BAD_VALUE, f"There is no client {shown(peer)}: clients() lists those of a node."
            )
        return True

    @operation("watch")
    def watch(self, address: str, seq: int = -1) -> Watched:
        """List what has passed between a node and its clients, packet by packet, after the one with
        the number ``seq``.

        Who watches is no client: nothing is taken from what is kept for the next one (backlog).
        The gateway begins to keep what passes when it is asked for the first time, and ends when
        nobody has asked for a minute; it keeps the last 1000 packets. Ask again with the ``seq`` of
        the answer. Of 32 nodes at once.

        @param seq: -1 for what passes from now on.
        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL; GATEWAY_FAILED: too many
            nodes are watched.
        """
        try:
            tap = self._taps.of(self._resolver.node(address))
        except TooManyTaps as error:
            raise ControlFault(GATEWAY_FAILED, f"{error} Try again in a minute.") from None
        if seq > tap.last_seq:
            # Of an earlier run, or of a tap that has ended meanwhile.
            seq = 0
        packets = [] if seq < 0 else tap.since(seq)
        return {
            "seq": tap.last_seq,
            "lost": 0 if seq < 0 else tap.last_seq - seq - len(packets),
            "packets": [
                {
                    "seq": packet.seq,
                    "time": packet.time,
                    "direction": packet.direction,
                    "data": packet.data,
                }
                for packet in packets
            ],
        }
