"""Packets that a node's radio sends back, and how they are told from what its device says.

Whatever is sent to the loopback cluster comes back as serial data: with AO=0 it looks just like a
packet of the node's stream, and nothing in the frame says that it is none (90001539, "Test links in
a network - loopback cluster"). So each such packet says itself what it is, and can be told whenever
it comes: late, twice, or to a later run of the gateway. It has a mark that never changes, the
address of the node that it was sent to, a number, and a check of all of these and of what fills it
up. No device says the same by chance: it would have to hit 18 bytes.
"""

from __future__ import annotations

import os
import struct
from hashlib import blake2s
from typing import NamedTuple

from zbtwist.xbee.address import UNKNOWN64, Address64

#: What every packet begins with.
MARK = b"\xc1zb\x12"
#: Its first byte, by which nearly all other packets are told from them in a tenth of the time.
MARK_START = MARK[0]

_HEAD = struct.Struct(">4sQ4sH")
_CHECK_SIZE = 6

#: Bytes of the shortest packet.
MIN_SIZE = _HEAD.size + _CHECK_SIZE
#: Bytes of the longest: what every Zigbee firmware sends in one piece (90001539, "NP"). One that
#: is cut into pieces says less of a link.
MAX_SIZE = 84

#: Packets of one test, at the most.
MAX_COUNT = 1000


class Echo(NamedTuple):
    """A packet that has come back.

    @ivar address64: of the node that it was sent to.
    @ivar test: which test it is of.
    @ivar number: its number there.
    """

    address64: Address64
    test: bytes
    number: int


def new_test() -> bytes:
    """Return what tells the packets of a test from those of all others."""
    return os.urandom(4)


def loopback_packet(address64: Address64, test: bytes, number: int, size: int) -> bytes:
    """Make a packet.

    @param address64: of the node that is to send it back.
    @param test: as `new_test` made it.
    @param number: 0 to 65535.
    @param size: bytes, `MIN_SIZE` to `MAX_SIZE`.
    """
    head = _HEAD.pack(MARK, address64, test, number)
    # Bits change as often as in most data.
    filling = bytes((0x35 + 0x3B * index) & 0xFF for index in range(size - MIN_SIZE))
    return head + filling + _check(head + filling)


def echo_of(address64: Address64, data: bytes) -> Echo | None:
    """Read a packet that has come back.

    @param address64: of the node that it comes from; `UNKNOWN64` if the frame does not say.
    @param data: all of it.
    @return: None if it is none of ours, but what a device says.
    """
    if not MIN_SIZE <= len(data) <= MAX_SIZE or data[-_CHECK_SIZE:] != _check(data[:-_CHECK_SIZE]):
        return None
    mark, address, test, number = _HEAD.unpack_from(data)
    if mark != MARK or address64 not in (address, UNKNOWN64):
        return None
    return Echo(address, test, number)


def _check(data: bytes) -> bytes:
    return blake2s(data, digest_size=_CHECK_SIZE, person=b"loopback").digest()
