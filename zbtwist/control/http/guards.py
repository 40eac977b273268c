"""Requests that a browser sends on behalf of a page that has no business here."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from twisted.web.server import Request

from zbtwist.control.http.answers import header_of


def is_cross_site(request: Request) -> bool:
    """Whether a browser sends this on behalf of a page that did not come from here.

    Any page on the web may make its reader's browser POST to the loopback interface. Only browsers
    send an Origin.
    """
    origin = request.getHeader(b"origin")
    if origin is None:
        return False
    return _host_of(origin) != (request.getHeader(b"host") or b"?")


def _host_of(url: bytes) -> bytes:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return b""


def is_misled(request: Request) -> bool:
    """Whether a browser on this computer asks for a site that has no business here.

    A page of the web can have its name lead to 127.0.0.1 after it was loaded; then what it asks for
    here is of its own origin. What comes over the loopback interface must therefore name it, by an
    address or by a name that nobody can own: localhost, or one without a dot.
    """
    if not _is_loopback(getattr(request.getHost(), "host", "")):
        return False
    # Programs of long ago send no Host; browsers always do.
    host = (header_of(request, b"host") or "localhost").rpartition("@")[2]
    name = host.partition("]")[0][1:] if host.startswith("[") else host.partition(":")[0]
    name = name.rstrip(".").lower()
    return "." in name and not _is_address(name) and not name.endswith(".localhost")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    # An IPv6 socket shows an IPv4 address so.
    host = host.removeprefix("::ffff:")
    return _is_address(host) and ip_address(host).is_loopback
