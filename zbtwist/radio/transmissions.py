"""Packets to nodes: requests whose answer is a Transmit Status.

The radio may still have packets of a former run of the gateway, of which nobody knows. So a status
with the address of a node that the packet was not for is not the packet's.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime

from zbtwist.radio.histogram import Histogram
from zbtwist.radio.request import EXTENDED_TRANSMIT_TIMEOUT, TRANSMIT_TIMEOUT, Packet, Request
from zbtwist.radio.requests import OVERDUE, Requests
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64, is_of_one_node
from zbtwist.xbee.frames import (
    DIGI_PROFILE,
    LOOPBACK_CLUSTER,
    OPTION_EXTENDED_TIMEOUT,
    SERIAL_ENDPOINT,
    ExplicitTransmitRequest,
    TransmitRequest,
    TransmitStatus,
)
from zbtwist.xbee.zdo import ZDO_ENDPOINT, ZDO_PROFILE


def _nobody(address16: Address16) -> None:
    """Nobody is known by that address."""


class Transmissions(Requests):
    """Packets, beside what else is asked of the radio.

    @ivar transmit_seconds: how long packets took, from the line to their status.
    @ivar address16_counts: whether a node is its 16-bit address. With 802.15.4 several may have the
        same, and a packet with one goes there, whatever its 64-bit address.
    @ivar owner_of: see `zbtwist.radio.interfaces.IRadio`.
    """

    def __init__(self, clock: IReactorTime, first_id: int | None = None) -> None:
        """
        @param clock: times them.
        @param first_id: see `zbtwist.radio.frame_ids.FrameIds`.
        """
        super().__init__(clock, first_id)
        self.transmit_seconds = Histogram()
        self.address16_counts = True
        self.owner_of: Callable[[Address16], Address64 | None] = _nobody
        self.hearers.subscribe(TransmitStatus, self._transmit_status)

    def transmit(
        self,
        address64: Address64,
        data: bytes,
        address16: Address16 = UNKNOWN16,
        sleeps: bool = False,
    ) -> Deferred[TransmitStatus]:
        """Send bytes to a node's serial line.

        @param data: at most `RadioInfo.payload_limit` bytes.
        @param sleeps: the node may be asleep, and is waited for longer.
        @return: fires with the status, whatever it says; fails with `NoAnswer`, `RadioOffline` or
            `TooManyRequests`.
        """
        if not self.address16_counts:
            address16 = UNKNOWN16
        options = OPTION_EXTENDED_TIMEOUT if sleeps else 0
        frame = TransmitRequest(0, address64, address16, 0, options, data)
        frame_id, sent_at = 0, 0.0
        free = self._ids.free
        if free and self._send is not None and not (self._waiting or self._congested):
            # As nearly always. The packet goes on the line first, and into the books after that;
            # its status comes in a later turn of the reactor.
            frame_id = frame.frame_id = free.popleft()
            try:
                self._send(frame)
            except Exception:
                free.append(frame_id)
                return fail()
            sent_at = self._clock.seconds()
        timeout = EXTENDED_TRANSMIT_TIMEOUT if sleeps else TRANSMIT_TIMEOUT
        request = Packet(frame, TransmitStatus, "", address64, timeout, frame_id, sent_at)
        if not frame_id:
            return self._request(request)
        self._pending[frame_id] = request
        request.finished = Deferred(lambda _: self._give_up(request))
        request.deadline = sent_at + timeout
        # Mostly it is watched for already, and that costs no call.
        if self._packet_call is None or sent_at + OVERDUE < self._packet_call_at:
            self._watch_packets(sent_at + OVERDUE)
        return request.finished

    def transmit_loopback(
        self,
        address64: Address64,
        data: bytes,
        address16: Address16 = UNKNOWN16,
        sleeps: bool = False,
    ) -> Deferred[TransmitStatus]:
        """Send bytes to a node's radio, which sends them back; none comes to its serial line. See
        `transmit`; what comes back is not waited for.
        """
        where = (SERIAL_ENDPOINT, SERIAL_ENDPOINT, LOOPBACK_CLUSTER, DIGI_PROFILE)
        return self._transmit_explicit(address64, data, address16, where, sleeps)

    def transmit_zdo(
        self,
        address64: Address64,
        cluster_id: int,
        data: bytes,
        address16: Address16 = UNKNOWN16,
    ) -> Deferred[TransmitStatus]:
        """Ask a module's ZDO something; the radio's own, if it is that one's address. See
        `transmit`; the answer is not waited for.
        """
        where = (ZDO_ENDPOINT, ZDO_ENDPOINT, cluster_id, ZDO_PROFILE)
        return self._transmit_explicit(address64, data, address16, where)

    def _transmit_explicit(
        self,
        address64: Address64,
        data: bytes,
        address16: Address16,
        where: tuple[int, int, int, int],
        sleeps: bool = False,
    ) -> Deferred[TransmitStatus]:
        """
        @param where: source and destination endpoint, cluster, profile.
        """
        frame = ExplicitTransmitRequest(
            0,
            address64,
            address16 if self.address16_counts else UNKNOWN16,
            *where,
            0,
            OPTION_EXTENDED_TIMEOUT if sleeps else 0,
            data,
        )
        timeout = EXTENDED_TRANSMIT_TIMEOUT if sleeps else TRANSMIT_TIMEOUT
        return self._request(Packet(frame, TransmitStatus, "", address64, timeout))

    def _transmit_status(self, frame: TransmitStatus) -> None:
        request = self._pending.get(frame.frame_id)
        if not isinstance(request, Packet) or (
            frame.address16 != request.frame.address16
            and self._is_of_another(request, frame.address16)
        ):
            self.late_answers += 1
            return
        self.last_answer = now = self._clock.seconds()
        self.transmit_seconds.observe(now - request.sent_at)
        del self._pending[frame.frame_id]
        self._ids.free.append(frame.frame_id)
        if request.timer is not None:
            request.timer.cancel()
        request.finished.callback(frame)
        if self._waiting:
            self._start_waiting()

    def _is_of_another(self, request: Request, address16: Address16) -> bool:
        """Whether a status with that address is about another node than a request is for. A node
        may have a new address that nobody knows yet.
        """
        if not is_of_one_node(address16):
            return False
        owner = self.owner_of(address16)
        return owner is not None and owner != request.address64
