"""A file of frames that Wireshark opens: pcapng, and not more of it than is needed.

There is no link type for XBee's serial line, so the frames are of USER0 (147), as they are on the
wire, each with its direction and a comment that has it in words. The file is bounded: when it is
full it becomes ``PATH.1`` in place of the one before, and a new one begins. It never ends within a
block, not even when the disk is full, and it takes no other file's place.

The format is that of draft-ietf-opsawg-pcapng ("PCAP Next Generation Capture File Format").
"""

from __future__ import annotations

import os
import stat
import struct
from contextlib import suppress

import zbtwist

#: The longest a file gets, in bytes; with the one before it is twice that on the disk.
MAX_SIZE = 100 << 20

#: LINKTYPE_USER0: what a frame means is between who writes and who reads.
LINK_TYPE = 147

_SECTION_HEADER = 0x0A0D0D0A
_INTERFACE_DESCRIPTION = 1
_ENHANCED_PACKET = 6
_BYTE_ORDER = 0x1A2B3C4D
_UNKNOWN_LENGTH = 0xFFFF_FFFF_FFFF_FFFF

#: Codes of options; what they mean depends on the block.
_COMMENT = 1
_USER_APPLICATION = 4
_INTERFACE_NAME = 2
_INTERFACE_DESCRIPTION_TEXT = 3
_FLAGS = 2

#: Values of epb_flags.
_INBOUND = struct.pack("=I", 1)
_OUTBOUND = struct.pack("=I", 2)

#: The first bytes of every pcapng file, in either byte order.
_MAGIC = b"\n\r\r\n"


class TraceFileError(Exception):
    """The file cannot be written. The text is a sentence."""


class TraceFile:
    """
    @ivar path: the file that is written.
    """

    def __init__(self, path: str, interface: str, maximum: int = MAX_SIZE) -> None:
        """
        @param path: where to write.
        @param interface: names the serial line in the file.
        @param maximum: the longest the file gets, in bytes.
        """
        self.path = path
        self._maximum = maximum
        self._header = _section_header() + _interface_description(interface)
        self._file = -1
        self._size = 0

    def open(self) -> None:
        """Begin a new file; one that is there becomes ``PATH.1``.

        @raise TraceFileError: it cannot be.
        """
        try:
            self._open()
        except OSError as error:
            self.close()
            raise self._error(error) from None

    def write(self, when: float, outgoing: bool, frame: bytes, comment: str) -> None:
        """Write one frame.

        @param when: seconds since 1970.
        @param outgoing: whether it goes to the radio.
        @param frame: as it is on the wire, from the start byte to the checksum.
        @param comment: the frame in words.
        @raise TraceFileError: it cannot be written; the file is closed, without a part of it.
        """
        if self._file < 0:
            raise TraceFileError(f"The trace file {self.path} is not open.")
        block = _enhanced_packet(when, outgoing, frame, comment)
        try:
            if self._size + len(block) > self._maximum:
                self.close()
                self._open()
            self._append(block)
        except OSError as error:
            self.close()
            raise self._error(error) from None

    def close(self) -> None:
        """Write no more."""
        if self._file >= 0:
            with suppress(OSError):
                # A block that was written in part would hide from readers that this is the end.
                os.ftruncate(self._file, self._size)
            os.close(self._file)
            self._file = -1

    def _open(self) -> None:
        older = f"{self.path}.1"
        if _is_trace(self.path):
            _is_trace(older)
            os.replace(self.path, older)
        # What the nodes say may be nobody else's business.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        self._file = os.open(self.path, flags, 0o600)
        self._size = 0
        self._append(self._header)

    def _append(self, block: bytes) -> None:
        written = 0
        while written < len(block):
            written += os.write(self._file, block[written:])
        self._size += len(block)

    def _error(self, error: OSError) -> TraceFileError:
        reason = error.strerror or str(error)
        return TraceFileError(f"The trace file {self.path} cannot be written: {reason}.")


def _is_trace(path: str) -> bool:
    """Whether there is something that may be moved or replaced.

    @raise OSError: there is something else.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{path} is there already, and no file")
    with open(path, "rb") as file:
        if status.st_size and file.read(len(_MAGIC)) != _MAGIC:
            raise OSError(f"{path} is there already, and no trace; name another")
    return True


def _section_header() -> bytes:
    fixed = struct.pack("=IHHQ", _BYTE_ORDER, 1, 0, _UNKNOWN_LENGTH)
    application = _option(_USER_APPLICATION, f"zbtwist {zbtwist.__version__}".encode())
    return _block(_SECTION_HEADER, fixed, application)


def _interface_description(name: str) -> bytes:
    # No limit to the length of a frame; times are in microseconds, the default.
    return _block(
        _INTERFACE_DESCRIPTION,
        struct.pack("=HHI", LINK_TYPE, 0, 0),
        _option(_INTERFACE_NAME, name.encode()),
        _option(_INTERFACE_DESCRIPTION_TEXT, b"XBee API frames; inbound: from the radio"),
    )


def _enhanced_packet(when: float, outgoing: bool, frame: bytes, comment: str) -> bytes:
    microseconds = int(when * 1_000_000)
    size = len(frame)
    fixed = struct.pack(
        "=IIIII", 0, microseconds >> 32 & 0xFFFF_FFFF, microseconds & 0xFFFF_FFFF, size, size
    )
    return _block(
        _ENHANCED_PACKET,
        fixed,
        _padded(frame),
        _option(_COMMENT, comment.encode()),
        _option(_FLAGS, _OUTBOUND if outgoing else _INBOUND),
    )


def _block(block_type: int, *parts: bytes) -> bytes:
    """Wrap parts, of which the last are options."""
    # An option of code 0 ends the options.
    body = b"".join(parts) + bytes(4)
    size = struct.pack("=I", len(body) + 12)
    return struct.pack("=I", block_type) + size + body + size


def _option(code: int, value: bytes) -> bytes:
    value = value[:0xFFFF]
    return struct.pack("=HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
