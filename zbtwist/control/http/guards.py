"""Requests that a browser sends on behalf of a page that has no business here.

Any page on the web can make its reader's browser ask this gateway for something, wherever the
browser reaches it. What the browser says of that, in the headers of the request, is all that is
looked at; they are there before any of the rest.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

from twisted.web.server import Request

#: What every answer says: nobody may keep it, take it for something else, or show it in a page of
#: his own. The files of the console's page have some words of their own.
HEADERS = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
}

_HOST = re.compile(r"(?:\[(?P<address>[^]]+)\]|(?P<name>[^:\[\]]+))(?::[0-9]*)?")

#: Where a request may come from, in the words of Sec-Fetch-Site: from a page of the gateway's own,
#: or from the user. "same-site" are other ports of this host.
_OWN = (b"same-origin", b"none")

OTHER_SITE = (
    "Requests of other sites' pages are refused. If this page is the gateway's own, behind a "
    "proxy, the proxy must pass on the header Host as the browser sends it."
)
OTHER_NAME = (
    "The gateway is asked for under a name that may be anybody's: use localhost, an address, or "
    "the name of this computer, or start it with --control-host and that name."
)


class HostSettings(Protocol):
    """What is needed of the settings; see `zbtwist.config.settings.Settings`."""

    @property
    def control_host(self) -> tuple[str, ...]: ...


class Hosts:
    """The names by which the control port may be asked for.

    A page of the web can have its own name lead to any address after it was loaded; then what it
    asks for here is of its own origin. So only names are taken that nobody else can have:
    addresses, localhost and what is below it (RFC 6761, 6.3), those of this computer, and those
    that the user has said.
    """

    def __init__(self, said: Iterable[str] = (), computer: str | None = None) -> None:
        """
        @param said: names that the user has said, in small letters.
        @param computer: how this computer is called; None to ask it.
        """
        name = _plain(socket.gethostname() if computer is None else computer)
        short = name.partition(".")[0]
        self._own = {"localhost", name, short, f"{short}.local"} - {"", ".local"}
        self._said = frozenset(said)

    def reconfigure(self, old: HostSettings, new: HostSettings) -> None:
        """Follow new settings."""
        self._said = frozenset(new.control_host)

    def has(self, host: str) -> bool:
        """Whether the gateway may be asked for so.

        @param host: a Host header.
        """
        form = _HOST.fullmatch(host)
        if form is None:
            return False
        if form["address"]:
            return _is_address(form["address"])
        name = _plain(form["name"])
        return (
            name in self._own
            or name in self._said
            or name.endswith(".localhost")
            or _is_address(name)
        )

    def may_ask(self, request: Request) -> bool:
        """Whether a request names the gateway by one of these names."""
        if not hasattr(request.getHost(), "host"):
            # No browser reaches another kind of socket.
            return True
        hosts = request.requestHeaders.getRawHeaders(b"host", [])
        # Programs of long ago send none; browsers always do.
        return len(hosts) < 2 and all(not one or self.has(one.decode("latin-1")) for one in hosts)


def _plain(name: str) -> str:
    return name.rstrip(".").lower()


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_cross_site(request: Request, method: bytes) -> bool:
    """Whether a browser sends this on behalf of a page that did not come from here.

    It may bring its user here, to see the page of the gateway as a whole: by a link, say.
    """
    if has_other_origin(request):
        return True
    if (request.getHeader(b"sec-fetch-site") or b"none") in _OWN:
        return False
    is_visit = (
        method in (b"GET", b"HEAD")
        and request.getHeader(b"sec-fetch-mode") == b"navigate"
        and request.getHeader(b"sec-fetch-dest") == b"document"
    )
    return not is_visit


def has_other_origin(request: Request) -> bool:
    """Whether a browser names a page of another host, or one that was called otherwise."""
    origin = request.getHeader(b"origin")
    return origin is not None and _host_of(origin) != (request.getHeader(b"host") or b"?")


def _host_of(url: bytes) -> bytes:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return b""
