"""An endpoint string as the value of an option: what is wrong with it, in a sentence.

Twisted's parsers, and those of other packages, raise what they like, and let some pass that fails
only when it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.endpoints import clientFromString

from zbtwist.runtime.extras import missing
from zbtwist.runtime.option import Context, Mistake
from zbtwist.runtime.server_endpoint import server_from_string

#: The highest TCP and UDP port there is.
LAST_PORT = 65535


def server_endpoint(text: str, context: Context, verdict: str) -> Any:
    """Return the server endpoint of a string.

    @param verdict: what is said of one that is none: the middle of a sentence.
    @raise Mistake: it is none.
    """
    return _endpoint(server_from_string, text, context, verdict)


def client_endpoint(text: str, context: Context, verdict: str) -> Any:
    """Return the client endpoint of a string; see `server_endpoint`."""
    return _endpoint(clientFromString, text, context, verdict)


def _endpoint(parse: Callable[[Any, str], Any], text: str, context: Context, verdict: str) -> Any:
    try:
        return _checked(parse(context.reactor, text))
    except ImportError as error:
        raise Mistake(f"{text} {missing('tls')}.") from error
    except Exception as error:
        raise Mistake(f"{text} is {verdict}: {reason_of(error)}.") from error


def _checked(endpoint: Any) -> Any:
    """Refuse a TCP port that Twisted's parsers let pass, and that fails when it is used."""
    port = getattr(endpoint, "_port", None)
    if isinstance(port, int) and not 0 < port <= LAST_PORT:
        raise ValueError(f"{port} is no TCP port, those are 1 to {LAST_PORT}")
    if getattr(endpoint, "_address", None) == "":
        raise ValueError("the path is missing")
    return endpoint


def reason_of(error: Exception) -> str:
    """Say what an endpoint's parser has against a string, as a clause."""
    if isinstance(error, TypeError):
        # How Twisted's parsers take a word too few or too many.
        return (
            "a part is missing or too many; write tcp:HOST:PORT or the like, and \\: for a colon "
            "within a part"
        )
    if isinstance(error, LookupError):
        # How that of systemd: takes one that is not there.
        return "systemd has opened no such socket for this program"
    if isinstance(error, ValueError) and "int()" in str(error):
        return "its port must be a number; write tcp:HOST:PORT or the like"
    return str(error).rstrip(".") or type(error).__name__
