"""The radio's end of a serial line: a pseudoterminal that a gateway takes for an XBee.

While the gateway sets its radio up, and between measurements, a thread answers it. Meanwhile the
line belongs to the measurement, which writes frames that were made before and looks at no more than
the sizes of what comes, so that this end costs next to nothing; but the gateway also asks by itself
now and then, and that is answered here too.
"""

from __future__ import annotations

import os
import select
import threading
import tty
from contextlib import suppress

from zbtwist.radio.coordinator import DISCOVERY_MARGIN
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frames import (
    ATCommand,
    ATCommandResponse,
    Frame,
    ReceivePacket,
    RemoteATCommand,
    RemoteATCommandResponse,
    TransmitRequest,
    TransmitStatus,
    parse_frame,
)
from zbtwist.xbee.framing import decoder_for, encode

#: The 64-bit address of the radio, and of the first node behind it; the others follow.
LOCAL_ADDRESS = 0x0013_A200_400A_0001
FIRST_ADDRESS = 0x0013_A200_4100_0000
FIRST_ADDRESS16 = 0x0100

#: The longest payload that the radio says it takes (NP), in bytes: that of most firmwares.
PAYLOAD = 72

#: Seconds that a search takes: NT, and what the gateway waits beyond it.
SEARCH_TIME = 0.1
SEARCH_SECONDS = SEARCH_TIME + DISCOVERY_MARGIN


def address_of(node: int) -> tuple[Address64, Address16]:
    """Both addresses of a node by its number."""
    return Address64(FIRST_ADDRESS + node), Address16(FIRST_ADDRESS16 + node)


def packet(node: int, payload: bytes, api_mode: int) -> bytes:
    """What the radio writes when a packet of that node comes."""
    return encode(ReceivePacket(*address_of(node), 1, payload).to_bytes(), api_mode)


def statuses(api_mode: int) -> list[bytes]:
    """For each frame id, what the radio writes when that packet is delivered."""
    return [
        encode(TransmitStatus(frame_id, Address16(FIRST_ADDRESS16), 0, 0, 0).to_bytes(), api_mode)
        for frame_id in range(256)
    ]


class RadioEnd:
    """
    @ivar api_mode: 1 or 2; 0 for a line without a radio.
    @ivar master: the file descriptor of this end.
    @ivar path: the name of the other end.
    @ivar packets: packets for nodes that were answered.
    """

    def __init__(self, api_mode: int) -> None:
        self.api_mode = api_mode
        # Both ends stay open: a terminal that nobody has open would lose its settings.
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._values = {
            "AP": bytes([api_mode]),
            "SH": LOCAL_ADDRESS.to_bytes(8, "big")[:4],
            "SL": LOCAL_ADDRESS.to_bytes(8, "big")[4:],
            "NP": PAYLOAD.to_bytes(2, "big"),
            "NT": bytes([round(SEARCH_TIME * 10)]),
        }
        self.packets = 0
        self.was_woken = False
        self._decoder = decoder_for(api_mode or 1)
        self._thread: threading.Thread | None = None
        self._wake = os.pipe()

    def begin_to_answer(self) -> None:
        """Answer whatever the gateway asks, from now on."""
        if self.api_mode:
            self._thread = threading.Thread(target=self._answer_all, daemon=True)
            self._thread.start()

    def stop_answering(self) -> None:
        """The line is somebody else's from now on."""
        if self._thread is not None:
            os.write(self._wake[1], b"!")
            self._thread.join()
            os.read(self._wake[0], 1)
            self._thread = None

    def wake_reader(self) -> None:
        """Let whoever reads this end come back, with bytes that mean nothing."""
        self.was_woken = True
        os.write(self._slave, bytes(1024))

    def close(self) -> None:
        self.stop_answering()
        for descriptor in (self.master, self._slave, *self._wake):
            with suppress(OSError):
                os.close(descriptor)

    def answer(self, came: bytes) -> int:
        """Answer what the gateway has written.

        @return: how many packets for nodes were answered.
        """
        before = self.packets
        for frame_data in self._decoder.feed(came):
            answer = self._answer(parse_frame(frame_data))
            if answer is not None:
                os.write(self.master, encode(answer.to_bytes(), self.api_mode))
        return self.packets - before

    def _answer_all(self) -> None:
        wake = self._wake[0]
        while True:
            ready, _, _ = select.select([self.master, wake], [], [])
            if wake in ready:
                return
            self.answer(os.read(self.master, 4096))

    def _answer(self, frame: Frame) -> Frame | None:
        if isinstance(frame, ATCommand):
            if frame.command == "ND":
                return None
            value = b"" if frame.parameter else self._values.get(frame.command, b"\0")
            return ATCommandResponse(frame.frame_id, frame.command, 0, value)
        if isinstance(frame, RemoteATCommand):
            return RemoteATCommandResponse(
                frame.frame_id, frame.address64, frame.address16, frame.command, 0, b"\0\0"
            )
        if isinstance(frame, TransmitRequest):
            self.packets += 1
            return TransmitStatus(frame.frame_id, frame.address16, 0, 0, 0)
        return None
