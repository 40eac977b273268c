"""The protocol: what a program subclasses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from twisted.internet import protocol
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.radio.frame_timeout import FrameTimeout
from zbtwist.txxbee.commands import COMMANDS
from zbtwist.txxbee.field_bytes import Packet
from zbtwist.txxbee.received import dictionary
from zbtwist.xbee.framing import decoder_for, encode

log = Logger()


class txXBee(protocol.Protocol):
    """An XBee on a serial port, which hands up each frame as a dictionary. Subclass it::

    class Example(txXBee):
        def handle_packet(self, packet):
            if packet["id"] == "rx":
                self.tx(dest_addr_long=packet["source_addr_long"], data=b"thanks")

    SerialPort(Example(escaped=True), "/dev/ttyUSB0", reactor, baudrate=9600)
    """

    def __init__(self, escaped: bool = True) -> None:
        """
        @param escaped: True for a radio in API mode 2 (AP=2), False for mode 1 (AP=1).
        """
        self._api_mode = 2 if escaped else 1
        self._decoder = decoder_for(self._api_mode, on_bad_frame=self._bad_frame)
        self._patience: FrameTimeout | None = None

    def handle_packet(self, packet: Packet) -> None:
        """A frame came. Override this.

        A node identification and an answer to ND are given without the device type and the
        signal strength that NO may add to them.

        @param packet: the kind of frame as ``id``, and its fields as bytes; I/O samples as a list
            of dictionaries, the value of a successful ND as a dictionary.
        """

    def handle_badframe(self, packet: bytes) -> None:
        """Something came that is no dictionary. Override this, if you want to see it.

        It is either no good frame (wrong checksum, impossible length, cut short), or a good one
        that has no dictionary: its type is unknown, or its fields do not fit the type. None of
        these stops the frames that follow.

        Bad frames are handed up as they are found, so before the good ones of the same read.

        @param packet: start byte, length, data and checksum, not escaped; as many as came.
        """

    def send(self, cmd: str, **fields: bytes | str | None) -> None:
        """Send a frame.

        @param cmd: ``at``, ``queued_at``, ``remote_at``, ``tx``, ``tx_explicit``,
            ``create_source_route`` or ``register_joining_device``.
        @param fields: the frame's fields as bytes, MSB first, or as ASCII text. What is not given
            has python-xbee's default; the last field of each command may be left out. Names
            that the command does not have are ignored, as in python-xbee.
        @raise KeyError: there is no such command, or a field without a default was not given.
        @raise ValueError: a field has the wrong length, or is text that is not ASCII.
        @raise TypeError: a field is neither bytes nor text.
        @raise RuntimeError: the protocol has no serial port yet.
        """
        if cmd not in COMMANDS:
            raise KeyError(f"there is no command {cmd!r}, only {', '.join(COMMANDS)}")
        frame_data = b"".join([field.read(fields) for field in COMMANDS[cmd]])
        if self.transport is None:
            raise RuntimeError(
                "there is no serial port to send to: give this protocol to a SerialPort first"
            )
        self.transport.write(encode(frame_data, self._api_mode))

    def at(self, **fields: bytes | str | None) -> None:
        """Read, set or execute an AT command: `command`, `parameter`, `frame_id`."""
        self.send("at", **fields)

    def queued_at(self, **fields: bytes | str | None) -> None:
        """Like `at`, but the value waits for AC or the next `at` to take effect."""
        self.send("queued_at", **fields)

    def remote_at(self, **fields: bytes | str | None) -> None:
        """An AT command for a node: `at`'s fields, `dest_addr_long`, `dest_addr`, `options`."""
        self.send("remote_at", **fields)

    def tx(self, **fields: bytes | str | None) -> None:
        """Bytes for a node's serial line: `data`, `frame_id`, `dest_addr_long`, `dest_addr`,
        `broadcast_radius`, `options`.
        """
        self.send("tx", **fields)

    def tx_explicit(self, **fields: bytes | str | None) -> None:
        """Bytes for an endpoint and cluster of a node: `tx`'s fields, `src_endpoint`,
        `dest_endpoint`, `cluster`, `profile`.
        """
        self.send("tx_explicit", **fields)

    def create_source_route(self, **fields: bytes | str | None) -> None:
        """Tell the radio the way to a node: `frame_id`, `dest_addr_long`, `dest_addr`, `options`,
        `hop_count`, `addresses`.
        """
        self.send("create_source_route", **fields)

    def register_joining_device(self, **fields: bytes | str | None) -> None:
        """Let a node join: `frame_id`, `dest_addr_long`, `dest_addr`, `options`, `key`."""
        self.send("register_joining_device", **fields)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came from the radio."""
        self._hand_up(self._decoder.feed(data))
        # SerialPort has the reactor it was given; a transport that has none gets no clock.
        clock = getattr(self.transport, "reactor", None)
        if self._patience is None and clock is not None:
            self._patience = FrameTimeout(cast(IReactorTime, clock), self._silence)
        if self._patience is not None and self._decoder.pending:
            self._patience.fed(self._decoder)

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        """The serial port is closed."""
        if self._patience is not None:
            self._patience.stop()

    def _silence(self) -> None:
        self._hand_up(self._decoder.give_up())

    def _hand_up(self, found: Iterable[bytes]) -> None:
        for frame_data in found:
            packet = dictionary(frame_data)
            if packet is None:
                self._bad_frame(encode(frame_data, api_mode=1))
            else:
                self._call("handle_packet", packet)

    def _bad_frame(self, candidate: bytes) -> None:
        self._call("handle_badframe", candidate)

    def _call(self, handler: str, argument: object) -> None:
        # A mistake in the program must not cost it the frames that follow.
        try:
            getattr(self, handler)(argument)
        except Exception:
            log.failure(
                "{program}.{handler} raised; going on with the next frame",
                program=type(self).__name__,
                handler=handler,
            )
