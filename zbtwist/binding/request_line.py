"""Whether the first bytes of a client are those of a web browser.

Any page on the web can make its reader's browser connect to any port that the browser reaches, and
send what the page has written: a form's text, or a method and an address of its own choice. A
device must not get that. What a browser says first cannot be chosen by a page, whatever follows it:
the request line of HTTP (RFC 9112, 3), the ClientHello of TLS (RFC 8446, 4.1.2), or a request of
STUN (RFC 8489, 5), also with its length before it (RFC 4571), as WebRTC sends it over TCP.

A browser sends that in one piece, unless it is longer than a packet. So a short piece that is not
whole is passed on at once, unless it is the beginning of what is usual: a word of a device's
commands needs no waiting.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: The most bytes that are held back. Whoever has sent more, and no end of what may be a request
#: line, is taken for a browser: a page may ask for an address, or with a method, of any length.
MAX_HELD = 8192

#: Seconds for which they are held back at the most; what comes of one request comes together.
HOLD_TIME = 1.0

#: Bytes that the first packet of a browser has at the least, if its request line is longer: all
#: systems can take packets of 536 bytes (RFC 9293, 3.7.1).
_FIRST_PACKET = 512

#: Bytes of what is no text that are waited behind: with fewer, they may be anything.
_MIN_BINARY = 4

#: The methods of RFC 9110, of PATCH and of HTTP/2's preface, of which a beginning is waited for.
_METHODS = b"GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH PRI".split()

# A method is a token of any characters (RFC 9110, 5.6.2), since a page may choose it.
_LINE = re.compile(
    rb"(?P<method>[!#$%&'*+\-.^_`|~0-9A-Za-z]+)"
    rb"(?:(?P<space> )(?P<target>[!-~\x80-\xff]*)(?: (?P<version>.*))?)?",
    re.DOTALL,
)
_VERSION = b"HTTP/"


def _any_of(*choices: Sequence[int]) -> tuple[frozenset[int], ...]:
    return tuple(map(frozenset, choices))


_ANY = range(256)
_MAGIC_COOKIE = ([0x21], [0x12], [0xA4], [0x42])
# What each byte of it may be, down to where nothing else looks like it.
_BINARY = {
    # A record with a handshake; that begins with a ClientHello, which has less than 64 KiB.
    "a TLS handshake": _any_of(
        *([0x16], [3], range(5), _ANY, _ANY), *([1], [0], _ANY, _ANY, [3], range(5))
    ),
    # Binding, as WebRTC asks for it, and Allocate.
    "a STUN request": _any_of([0], [1, 3], _ANY, _ANY, *_MAGIC_COOKIE),
    # The same with a length of what fits into a packet before it.
    "a STUN request of WebRTC": _any_of(range(3), _ANY, [0], [1], _ANY, _ANY, *_MAGIC_COOKIE),
}

#: How the one that is told of most is called; and what may be one, and is too long to tell.
HTTP = "an HTTP request"
LONG = "more than 8 KiB of one line without a blank, which may begin an HTTP request"


def opening_of(data: bytes) -> str | None:
    """Return what the first bytes of a client are the beginning of.

    @param data: all that it has sent so far; not empty.
    @return: a name, for a sentence, if a browser sends this; "" if not; None if more is needed to
        tell.
    """
    line = _LINE.match(data)
    if line is not None and line.end() == len(data):
        return _of_line(line, len(data))
    answer: str | None = ""
    for name, form in _BINARY.items():
        if all(map(frozenset.__contains__, form, data)):
            if len(data) >= len(form):
                return name
            if len(data) >= _MIN_BINARY:
                answer = None
    return answer


def _of_line(line: re.Match[bytes], size: int) -> str | None:
    """
    @param line: what may still be a request line.
    @param size: its bytes.
    """
    version = line["version"]
    if version is not None:
        if version.startswith(_VERSION):
            return HTTP
        if not _VERSION.startswith(version):
            return ""
    if size > MAX_HELD:
        return LONG
    method = line["method"]
    if line["space"] is None:
        is_usual = any(one.startswith(method) for one in _METHODS)
    else:
        is_usual = method in _METHODS or line["target"].startswith(b"/")
    return None if is_usual or size >= _FIRST_PACKET else ""
