"""Server endpoints by Twisted's endpoint strings, of our own kinds where there are such: those open
quietly, can be tried again and again, and their connections write at once. And what such a string
says of its port, and of who is let in.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from twisted.internet.endpoints import (
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
    _parse,
    serverFromString,
)
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.posixbase import PosixReactorBase

from zbtwist.runtime.certificate_directory import CertificateDirectoryEndpoint
from zbtwist.runtime.tcp import QuietEndpoint
from zbtwist.runtime.unix import QuietUNIXEndpoint

#: How many connections the kernel lets wait. Who finds no room tries again after a second.
BACKLOG = 256

#: How the strings of those begin whose connections are encrypted.
ENCRYPTED = ("tls:", "ssl:", "mtls:")


def tcp_endpoint(reactor: Any, port: int, interface: str) -> IStreamServerEndpoint:
    """Return the endpoint of a TCP port.

    @param interface: an IP address, of version 4 or 6.
    """
    if isinstance(reactor, PosixReactorBase):
        return QuietEndpoint(reactor, port, BACKLOG, interface)
    kind = TCP6ServerEndpoint if ":" in interface else TCP4ServerEndpoint
    endpoint: IStreamServerEndpoint = kind(reactor, port, BACKLOG, interface)
    return endpoint


# The port of a tls: endpoint that says none.
_HTTPS = 443


def _certificate_directory(
    reactor: Any, path: str, port: str = str(_HTTPS), interface: str = "::", backlog: str = ""
) -> IStreamServerEndpoint:
    """Return our own ``tls:`` endpoint. How many connections the kernel lets wait is as for all."""
    tcp = tcp_endpoint(reactor, int(port), interface)
    return CertificateDirectoryEndpoint(reactor, path, int(port), tcp)


def server_from_string(reactor: Any, text: str) -> IStreamServerEndpoint:
    """As Twisted's `serverFromString`, with our own kinds.

    @raise ValueError: and whatever else the parsers of endpoints raise: it is no endpoint.
    """
    if text.startswith("tls:"):
        words, named = _parse(text)
        return _certificate_directory(reactor, *words[1:], **named)
    endpoint: Any = serverFromString(reactor, text)
    if isinstance(reactor, PosixReactorBase):
        if type(endpoint) is UNIXServerEndpoint:
            endpoint = QuietUNIXEndpoint(
                reactor,
                endpoint._address,
                endpoint._backlog,
                endpoint._mode,
                bool(endpoint._wantPID),
            )
        elif type(endpoint) in (TCP4ServerEndpoint, TCP6ServerEndpoint):
            endpoint = QuietEndpoint(
                reactor, endpoint._port, endpoint._backlog, endpoint._interface
            )
    found: IStreamServerEndpoint = endpoint
    return found


def tcp_port_of(text: str) -> int:
    """Return the TCP port of a server endpoint string; 0 if it is another kind of socket."""
    number = re.match(r"(?:(?:tcp6?|ssl|mtls):)?(\d+)(?::|$)", text)
    if text.startswith("tls:"):
        # The one whose first word is a directory.
        number = re.search(r":port=(\d+)(?::|$)", text)
        return int(number[1]) if number else _HTTPS
    return int(number[1]) if number else 0


def lets_others_in(endpoint: str) -> bool:
    """Whether a server endpoint string lets other computers in; ``tcp:27000`` does."""
    kind, _, rest = endpoint.partition(":")
    if not rest or kind == "unix":
        return False
    interface = re.search(r"(?:^|:)interface=((?:[^:\\]|\\.)*)", rest)
    try:
        # It is where Twisted listens unless it is told otherwise; nothing is bound here.
        anywhere = "0.0.0.0"  # noqa: S104
        address = ipaddress.ip_address(interface[1].replace("\\", "") if interface else anywhere)
    except ValueError:
        return True
    return not address.is_loopback
