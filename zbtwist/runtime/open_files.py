"""How many files a program may have open: each port and each client is one.

Most systems start programs with a soft limit of 1024, for the sake of programs that use `select`,
and a hard limit far above, up to which every program may raise its own.
"""

from __future__ import annotations

import resource
from math import inf

from twisted.logger import Logger

from zbtwist.runtime.repeats import Interval

log = Logger()

#: Files that are open besides the ports of nodes: the log, the store, the radio, the control port
#: with its connections, and some clients.
OTHER_FILES = 256


#: Of a lower limit on open files a part is kept back of what is kept back otherwise.
LOW_LIMIT = 128


def last_file(kept_back: int) -> float:
    """Return the number of the first open file that is among the last there may be.

    @param kept_back: how many are the last; fewer below a limit of `LOW_LIMIT`.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        inf
        if soft == resource.RLIM_INFINITY
        else soft - kept_back * min(soft, LOW_LIMIT) // LOW_LIMIT
    )


class Shortage:
    """Says that connections are refused for want of files, all ports' in one line an interval."""

    def __init__(self) -> None:
        self._interval = Interval()
        self._unsaid = 0

    def refused(self, now: float) -> None:
        """A connection was.

        @param now: seconds of the reactor's clock.
        """
        self._unsaid += 1
        if self._interval.is_over(now):
            count, self._unsaid = self._unsaid, 0
            log.warn(
                "A connection is refused{more}: this program may open no more files. Let it open "
                "more (ulimit -n, or LimitNOFILE= in its systemd unit), or close some clients.",
                more=f", and {count - 1} more since the last such line" if count > 1 else "",
            )

    def failed(self, now: float, error: OSError) -> None:
        """Connections wait, and cannot be accepted."""
        if self._interval.is_over(now):
            log.warn(
                "Connections cannot be accepted at the moment: {reason}.", reason=error.strerror
            )


#: That of this program.
shortage = Shortage()


def raise_open_files(ports: int) -> str:
    """Raise the soft limit on open files to the hard one, and say in the log if that does not do.

    @param ports: how many ports are going to be open.
    @return: a sentence on what was raised, which may be said when there is nothing else to say;
        empty for nothing.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit, raised = soft, ""
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError) as error:
            # Some systems have an "unlimited" that is not allowed all the same.
            log.warn(
                "The limit on open files stays at {soft}, since {hard} is refused: {error}.",
                soft=soft,
                hard=_text(hard),
                error=error,
            )
        else:
            limit = hard
            raised = f"The limit on open files is raised from {soft} to {_text(hard)}."
    if limit != resource.RLIM_INFINITY and limit < ports + OTHER_FILES:
        log.warn(
            "{ports} ports and their clients need more than the {limit} files that this program "
            "may have open: set LimitNOFILE={wanted} in its systemd unit, or start it after "
            "ulimit -n {wanted}.",
            ports=ports,
            limit=limit,
            # A client for each port.
            wanted=2 * ports + OTHER_FILES,
        )
    return raised


def _text(limit: int) -> str:
    return "unlimited" if limit == resource.RLIM_INFINITY else str(limit)
