"""``udp:``: a node's packets as datagrams, and datagrams as packets to it.

Each packet of the node is a datagram to its peers: those that the endpoint names, or else the one
that has sent last. Each datagram of a peer is one packet, so that one that is larger than a packet
is not taken. Nobody can be told to wait, or that something is lost: what comes too quickly is
dropped, and the log says how much.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import DatagramProtocol

from zbtwist.binding.client import NodeClient
from zbtwist.binding.endpoint_wish import EndpointWish
from zbtwist.binding.events import DatagramsLost
from zbtwist.binding.node_endpoint import OpenedEndpoint
from zbtwist.binding.send_buffer import HIGH_WATER
from zbtwist.runtime.host_port import host_and_port
from zbtwist.runtime.repeats import Repeats
from zbtwist.runtime.shares import peer_of
from zbtwist.runtime.udp import Address, UDPEndpoint

if TYPE_CHECKING:
    from zbtwist.binding.port import NodePort

#: Bytes of a peer's datagrams that wait for the node at the most.
MAX_WAITING = HIGH_WATER

#: Seconds after which the one that has sent last is forgotten.
PEER_TIMEOUT = 600.0


class Datagram:
    """The writer of one packet, so that it is sent alone."""

    __slots__ = ("share", "size")

    writes_no_more = True

    def __init__(self, share: str, size: int) -> None:
        self.share = share
        self.size = size

    def pause(self) -> None:
        """Nothing more comes."""

    def resume(self) -> None:
        """The same."""


class DatagramPeer(NodeClient):
    """Who hears a node by datagrams, and writes to it."""

    is_raw = True
    is_told_of_losses = False

    def __init__(self, endpoint: DatagramEndpoint, address: Address, is_named: bool) -> None:
        """
        @param address: where its datagrams go.
        @param is_named: the configuration names it.
        """
        super().__init__()
        self.gone = Deferred()
        self.wish = endpoint.wish
        self._endpoint = endpoint
        self._is_named = is_named
        self._over = False
        self._waiting: deque[Datagram] = deque()
        self._size = 0
        self.move_to(address)

    def move_to(self, address: Address) -> None:
        """It is somewhere else, or another one."""
        self.address = address
        self.peer = host_and_port(*address)
        self.share = peer_of(_shown(address))

    def send(self, data: bytes) -> None:
        self._endpoint.send(data, self.address)

    def _way_to_node(self, port: NodePort) -> Callable[[bytes], None]:
        if port.outbound.settings.minds_who_writes:
            return partial(self._write_if_it_may, self._write_packet)
        return self._write_packet

    def _write_packet(self, data: bytes) -> None:
        port = self._port
        if port is None:
            return
        self.has_written = True
        outbound, waiting = port.outbound, self._waiting
        limit = outbound.payload_limit
        while waiting and not outbound.is_waiting(waiting[0]):
            self._size -= waiting.popleft().size
        if not limit or outbound.is_cut_off:
            self._endpoint.dropped(data, self.peer, "the radio is away")
        elif len(data) > limit:
            self._endpoint.dropped(
                data, self.peer, f"it has {len(data)} bytes, and a packet has {limit} at the most"
            )
        elif self._size + len(data) > MAX_WAITING:
            self._endpoint.dropped(
                data, self.peer, f"{self._size} bytes of that peer wait for the node already"
            )
        else:
            datagram = Datagram(self.share, len(data))
            outbound.write(datagram, data, is_whole=True)
            if outbound.is_waiting(datagram):
                waiting.append(datagram)
                self._size += len(data)

    def pause(self) -> None:
        """Nobody can be told to wait."""

    def resume(self) -> None:
        """The same."""

    @property
    def is_over(self) -> bool:
        return self._over

    def next_look(self, now: float) -> float:
        if self._is_named:
            return float("inf")
        left = self._endpoint.heard_at + PEER_TIMEOUT - now
        if left > 0:
            return min(left, super().next_look(now))
        self.close()
        return float("inf")

    def close(self) -> None:
        if not self._over:
            self._over = True
            self.detach()
            self._endpoint.peer_gone(self)
            self.gone.callback(None)

    def cut(self, reason: str) -> None:
        self.close()

    def abort(self) -> None:
        self.close()


class _Socket(DatagramProtocol):
    noisy = False

    def __init__(self, received: Callable[[bytes, Address], None]) -> None:
        self._received = received

    def datagramReceived(self, datagram: bytes, addr: Address) -> None:
        self._received(datagram, addr)

    def send(self, data: bytes, address: Address) -> None:
        """
        @raise OSError: it cannot be done.
        """
        if self.transport is not None:
            self.transport.write(data, address)


class DatagramEndpoint(OpenedEndpoint):
    """A UDP socket.

    @ivar heard_at: when the last datagram came, seconds of the clock.
    """

    def __init__(
        self, port: NodePort, wish: EndpointWish, make_endpoint: Callable[[str], UDPEndpoint]
    ) -> None:
        """
        @param make_endpoint: returns the endpoint for a string, or raises `ValueError`.
        """
        super().__init__(port, wish)
        self._make_endpoint = make_endpoint
        self._named: tuple[Address, ...] = ()
        self._socket = _Socket(self._received)
        # The named ones that there are, or the one that has sent last.
        self._peers: dict[Address, DatagramPeer] = {}
        self._drops = Repeats(port.clock, self._say_dropped)
        self._last_drop = ("", "")
        self.heard_at = 0.0

    async def listen(self) -> IListeningPort:
        endpoint = self._make_endpoint(self.wish.endpoint)
        listening = await endpoint.listen(self._socket)
        self._named = endpoint.place.peers
        return listening

    def is_open(self) -> None:
        for address in self._named:
            self._meet(address, is_named=True)

    def stop(self) -> Deferred[None]:
        for peer in list(self._peers.values()):
            peer.close()
        self._drops.stop()
        return super().stop()

    def close(self, opened: IListeningPort) -> Deferred[None]:
        return maybeDeferred(opened.stopListening).addCallback(lambda _: None)

    def end_clients(self, reason: str) -> None:
        """They are those of the socket alone."""

    # --- what comes and goes -------------------------------------------------------------------

    def _received(self, data: bytes, address: Address) -> None:
        port = self._port
        if not port.lets_in(_shown(address), self.wish):
            return
        self.heard_at = port.clock.seconds()
        named = self._named
        if named:
            place = next((each for each in named if each == address), None) or next(
                (each for each in named if each[0] == address[0]), None
            )
            if place is None:
                where = f"{address[0]}:{address[1]}"
                self.dropped(data, where, "it is of none of the peers that are named")
                return
            peer = self._peers.get(place) or self._meet(place, is_named=True)
        else:
            found = self._last(address)
            if found is None:
                self.dropped(data, f"{address[0]}:{address[1]}", "there are too many clients")
                return
            peer = found
        if data:
            peer.received(data)

    def _last(self, address: Address) -> DatagramPeer | None:
        """Return the one peer, which is at that address now; None if there is no room for it."""
        for before, peer in self._peers.items():
            if before != address:
                del self._peers[before]
                self._peers[address] = peer
                peer.move_to(address)
            return peer
        if not self._port.make_room(peer_of(_shown(address)), self.wish):
            return None
        return self._meet(address, is_named=False)

    def _meet(self, address: Address, is_named: bool) -> DatagramPeer:
        peer = self._peers[address] = DatagramPeer(self, address, is_named)
        peer.attach(self._port)
        return peer

    def peer_gone(self, peer: DatagramPeer) -> None:
        """A peer hears the node no more, until it sends something."""
        self._peers.pop(peer.address, None)

    def send(self, data: bytes, address: Address) -> None:
        """Send a datagram, if the computer can."""
        try:
            self._socket.send(data, address)
        except OSError as error:
            where = f"{address[0]}:{address[1]}"
            self._drop(where, f"it cannot be sent there: {error.strerror or error}")

    def dropped(self, data: bytes, peer: str, reason: str) -> None:
        """A datagram of a peer does not go to the node.

        @param reason: a clause.
        """
        self._port.outbound.bytes_lost += len(data)
        self._drop(peer, reason)

    def _drop(self, peer: str, reason: str) -> None:
        self._last_drop = peer, reason
        self._drops.happened()

    def _say_dropped(self, count: int) -> None:
        peer, reason = self._last_drop
        port = self._port
        port.bus.publish(DatagramsLost(port.node, self.wish.endpoint, peer, reason, count))


def _shown(address: Address) -> IPv4Address | IPv6Address:
    kind = IPv6Address if ":" in address[0] else IPv4Address
    return kind("UDP", *address[:2])
