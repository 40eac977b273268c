"""Whether two things of the configuration are to listen at the same place.

Ports and endpoint strings are compared by the port and the address that they mean: ``27000`` at
``interface`` is the same as ``tcp:27000:interface=127.0.0.1``, and ``tcp:27000``, which is all
addresses, takes it as well. What is no port, such as a Unix socket, is compared as it is written.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from zbtwist.binding.endpoint_wish import EndpointWish
from zbtwist.runtime.udp import UDP, UDPPlace

_INTERFACE = re.compile(r":interface=((?:[^:\\]|\\.)*)")


@dataclass(frozen=True)
class _Place:
    """A port of one address, or of all of a family."""

    is_udp: bool
    number: int
    address: IPv4Address | IPv6Address

    def overlaps(self, other: _Place) -> bool:
        """Whether who has one keeps others from the other. Where all addresses of one family meet
        those of the other family it depends on the system, and is not said.
        """
        if (self.is_udp, self.number) != (other.is_udp, other.number):
            return False
        if self.address == other.address:
            return True
        is_one_for_all = self.address.is_unspecified or other.address.is_unspecified
        return is_one_for_all and self.address.version == other.address.version


class Taken:
    """What is to listen, each with who has it."""

    def __init__(self, interface: str) -> None:
        """
        @param interface: where a mere number listens.
        """
        self._interface = interface
        self._as_written: dict[str, str] = {}
        self._by_number: dict[int, list[tuple[_Place, str]]] = {}

    def owner(self, text: str) -> str:
        """Say whose a place is already; empty if it is nobody's.

        @param text: a port number, or an endpoint string.
        """
        if text in self._as_written:
            return self._as_written[text]
        place = self._place(text)
        if place is not None:
            for other, owner in self._by_number.get(place.number, ()):
                if place.overlaps(other):
                    return owner
        return ""

    def add(self, text: str, owner: str) -> None:
        """Somebody is to listen there.

        @param owner: who, as a clause has it: ``the control port``.
        """
        self._as_written[text] = owner
        place = self._place(text)
        if place is not None:
            self._by_number.setdefault(place.number, []).append((place, owner))

    def _place(self, text: str) -> _Place | None:
        try:
            if text.startswith(UDP):
                udp = UDPPlace.from_string(text)
                return _Place(True, udp.port, _address(udp.interface, IPv4Address(0)))
            if text.isdecimal():
                return _Place(False, int(text), _address(self._interface, IPv4Address(0)))
            number = EndpointWish(text, text).number
            if not number:
                return None
            said = _INTERFACE.search(text)
            address = re.sub(r"\\(.)", r"\1", said[1]) if said else ""
            every = IPv6Address(0) if text.startswith("tcp6:") else IPv4Address(0)
            return _Place(False, number, _address(address, every))
        except ValueError:
            # A name, which may be anything.
            return None


def _address(text: str, every: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return ipaddress.ip_address(text) if text else every
