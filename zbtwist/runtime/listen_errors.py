"""Why a server port does not open, in words that say what to do."""

from __future__ import annotations

import errno

from twisted.internet.error import CannotListenError

#: What is wrong with the one port, so that another may do.
_OTHER_PORT_MAY_DO = (errno.EADDRINUSE, errno.EACCES)

_ADVICE = {
    errno.EADDRINUSE: "another program has it; stop that program, or choose another port",
    errno.EACCES: "this user may not have it; choose a port above 1023",
    errno.EADDRNOTAVAIL: "this computer does not have that address; see --interface",
    errno.EMFILE: "the gateway has too many open files; raise the limit (ulimit -n)",
    errno.ENFILE: "the computer has too many open files",
    errno.ENOENT: "its directory is not there; make it",
}


def is_about_this_port(error: Exception) -> bool:
    """Whether another port could be had where this one could not."""
    return _number(error) in _OTHER_PORT_MAY_DO


def is_in_use(error: Exception) -> bool:
    """Whether somebody listens there."""
    return _number(error) == errno.EADDRINUSE


def advice(error: Exception) -> str:
    """Say why a port did not open and what to do, as a clause.

    @param error: what the endpoint's `listen` failed with, mostly a `CannotListenError`.
    """
    reason = error.socketError if isinstance(error, CannotListenError) else error
    return _ADVICE.get(_number(error) or 0) or getattr(reason, "strerror", None) or str(reason)


def _number(error: Exception) -> int | None:
    reason = error.socketError if isinstance(error, CannotListenError) else error
    return getattr(reason, "errno", None)
