"""Why there is no connection to a broker, or why it was lost: what Twisted and OpenSSL raise, as a
clause that a person can act on.
"""

from __future__ import annotations

from twisted.internet.defer import TimeoutError
from twisted.internet.error import (
    ConnectError,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    TCPTimedOutError,
)
from twisted.internet.error import TimeoutError as UserTimeout

#: What OpenSSL says, and what comes of it.
_OF_TLS = (
    ("certificate verify failed", "its certificate is not trusted here, or not valid now: see ca"),
    ("wrong version number", "it does not speak TLS at that port"),
    ("packet length too long", "it does not speak TLS at that port"),
    ("record layer failure", "it does not speak TLS at that port"),
    ("alert", "it does not take this gateway's certificate, or lacks one: see certificate"),
    ("unexpected eof", "it has closed the connection during TLS"),
)


def why_lost(error: BaseException) -> str:
    """Return why a connection has ended."""
    if isinstance(error, ConnectionDone):
        return "it has closed the connection"
    if isinstance(error, ConnectionLost):
        return "the connection broke"
    return why_not_connected(error)


def why_not_connected(error: BaseException) -> str:
    """Return why there was none."""
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, DNSLookupError):
        return "there is no such host"
    if isinstance(error, (TimeoutError, TCPTimedOutError, UserTimeout)):
        return "nothing answers there"
    if isinstance(error, ConnectError) and error.osError:
        # The text has the number before it.
        return _lowered(str(error).rpartition(": ")[2])
    module = type(error).__module__
    if module.startswith("service_identity"):
        return "its certificate is for another host: see that it has the name that broker names"
    if module.startswith("OpenSSL"):
        return _of_tls(error)
    return _lowered(str(error)) or type(error).__name__


def _of_tls(error: BaseException) -> str:
    try:
        said = ", ".join(reason for _, _, reason in error.args[0]) or "no reason is given"
    except (IndexError, TypeError, ValueError):
        said = str(error)
    clause = next((clause for words, clause in _OF_TLS if words in said), "TLS failed")
    return f"{clause} ({said})"


def _lowered(text: str) -> str:
    text = text.strip().rstrip(".")
    return text[:1].lower() + text[1:]
