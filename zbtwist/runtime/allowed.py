"""Who may connect: a list of networks, asked when a connection is accepted, before it is read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

from twisted.internet.protocol import Protocol

from zbtwist.runtime.option import Context, Mistake

Network = IPv4Network | IPv6Network

#: The bits of an IPv6 address that are one network's: its computers have as many addresses as they
#: want (RFC 4291, 2.5.1).
NETWORK_BITS = 64


def networks(text: str, context: Context) -> tuple[Network, ...]:
    """Networks, by lines or with commas between them."""
    found: list[Network] = []
    for word in re.split(r"[,\n]", text):
        if not word.strip():
            continue
        try:
            found.append(ip_network(word.strip()))
        except ValueError as error:
            raise Mistake(
                "must be networks, such as 192.168.1.0/24 or fd00::/8, or addresses, "
                f"not {word.strip()!r} ({error})."
            ) from None
    return tuple(found)


def address_of(peer: object) -> IPv4Address | IPv6Address | None:
    """Return the IP address of the other end of a connection; None if it has none.

    @param peer: an `IAddress`.
    """
    host = getattr(peer, "host", None)
    if not isinstance(host, str):
        return None
    try:
        # Of an IPv6 address the name of the interface is no part.
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    # An IPv6 socket shows an IPv4 address so.
    return getattr(address, "ipv4_mapped", None) or address


def lets_in(networks: Iterable[Network], peer: object) -> bool:
    """Whether a list of networks lets somebody in.

    @param networks: those whose addresses may connect; none lets everybody in.
    @param peer: the `IAddress` of the other end. A Unix socket's has no IP address; who may connect
        to that is said by the permissions of its file.
    """
    networks = tuple(networks)
    if not networks or not hasattr(peer, "host"):
        return True
    address = address_of(peer)
    return address is not None and any(address in network for network in networks)


def is_loopback(interface: str) -> bool:
    """Whether only programs on this computer reach an IP address."""
    return ip_address(interface).is_loopback


class Refusal(Protocol):
    """Resets a connection, and reads nothing of it: an end in good order would say that what the
    client has sent was taken. A factory that has no protocol for a connection leaves the wrappers
    of TLS with an error.
    """

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()
