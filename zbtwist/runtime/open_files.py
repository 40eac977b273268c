"""How many files a program may have open: each port and each client is one.

Most systems start programs with a soft limit of 1024, for the sake of programs that use `select`,
and a hard limit far above, up to which every program may raise its own.
"""

from __future__ import annotations

import resource

from twisted.logger import Logger

log = Logger()

#: Files that are open besides the ports of nodes: the log, the store, the radio, the control port
#: with its connections, and some clients.
OTHER_FILES = 256


def raise_open_files(ports: int) -> int:
    """Raise the soft limit on open files to the hard one, and say in the log what came of it.

    @param ports: how many ports are going to be open.
    @return: the limit as it is now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = soft
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
            log.info(
                "The limit on open files is raised from {soft} to {hard}.",
                soft=soft,
                hard=_text(hard),
            )
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
    return limit


def _text(limit: int) -> str:
    return "unlimited" if limit == resource.RLIM_INFINITY else str(limit)
