"""64- and 16-bit addresses, and every text form in which people write them.

In this program an address is a plain int (`Address64`, `Address16`: names for the type checker
only), which costs nothing to read from a frame and is a fast dictionary key.
"""

from __future__ import annotations

import re
from typing import NewType

Address64 = NewType("Address64", int)
Address16 = NewType("Address16", int)

#: The coordinator, whatever its own 64-bit address is (90000976, "Transmit Request").
COORDINATOR64 = Address64(0)
#: Every node of the network.
BROADCAST64 = Address64(0xFFFF)
#: The 64-bit address of the sender is not known.
UNKNOWN64 = Address64(0xFFFF_FFFF_FFFF_FFFF)
#: The 16-bit address of the coordinator.
COORDINATOR16 = Address16(0)
#: The 16-bit address is not known: the radio looks it up.
UNKNOWN16 = Address16(0xFFFE)

#: The last 16-bit address that a node can have; those above are for all nodes of some kind, or say
#: that there is none (90001539, "Transmit Status": FFFD and FFFE).
LAST16 = Address16(0xFFF7)

_DIGI_FORM = re.compile(r"\[(.*)\]!?")
_PAIRS = re.compile(r"[0-9a-f]{2}(?:(:[0-9a-f]{2}){7}|(-[0-9a-f]{2}){7}|( [0-9a-f]{2}){7})")
_WHOLE = re.compile(r"(?:0x)?[0-9a-f]{8}[ :_-]?[0-9a-f]{8}")
_SHORT = re.compile(r"(?:0x)?[0-9a-f]{4}|[0-9a-f]{2}[:-][0-9a-f]{2}")
_SEPARATORS = re.compile(r"0x|[ :_-]")


class AddressError(ValueError):
    """A text is not an address. Its message is a sentence for the user."""


def is_of_one_node(address16: Address16) -> bool:
    """Whether a node can have that 16-bit address."""
    return address16 <= LAST16


def parse_address64(text: str) -> Address64:
    """Read a 64-bit address.

    @param text: ``00:13:a2:00:40:0a:3e:ff``, with ``-`` or blanks for ``:``, ``0013A200400A3EFF``,
        ``0013A200 400A3EFF``, or any of these in Digi's ``[...]!``; in capitals or not.
    @raise AddressError: it is none of these.
    """
    bare = _unwrap(text)
    if _PAIRS.fullmatch(bare) or _WHOLE.fullmatch(bare):
        return Address64(int(_SEPARATORS.sub("", bare), 16))
    raise AddressError(
        f"{text!r} is not a 64-bit address: write 16 hexadecimal digits, "
        "such as 00:13:a2:00:40:0a:3e:ff"
    )


def parse_address16(text: str) -> Address16:
    """Read a 16-bit address: ``1234``, ``0x1234``, ``12:34`` or Digi's ``[1234]!``.

    @raise AddressError: it is none of these.
    """
    bare = _unwrap(text)
    if _SHORT.fullmatch(bare):
        return Address16(int(_SEPARATORS.sub("", bare), 16))
    raise AddressError(
        f"{text!r} is not a 16-bit address: write 4 hexadecimal digits, such as 1a2b"
    )


def _unwrap(text: str) -> str:
    bare = text.strip().lower()
    wrapped = _DIGI_FORM.fullmatch(bare)
    return wrapped[1].strip() if wrapped else bare


def format_address64(address: int) -> str:
    """Return the form that this program prints: ``00:13:a2:00:40:0a:3e:ff``."""
    return address.to_bytes(8, "big").hex(":")


def digi_address64(address: int) -> str:
    """Return the form of Digi's gateways: ``[00:13:a2:00:40:0a:3e:ff]!``."""
    return f"[{format_address64(address)}]!"


def digi_address16(address: int) -> str:
    """Return the form of Digi's gateways: ``[1a2b]!``."""
    return f"[{address:04x}]!"
