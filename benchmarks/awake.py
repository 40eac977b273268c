"""Keeps the processors from sleeping while latencies are measured.

A processor that sleeps between two messages takes its time to wake up; on a virtual machine that
may be several times what is measured, and other each time. So each gets a loop of the lowest
priority (SCHED_IDLE), which gives way to whatever else wants to run. It asks the kernel often
whether anybody does: newer ones would let it go on until the next tick of the clock.

awake.py PROCESSOR PARENT: such a loop, as long as that process is its parent.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: How often the loop asks the kernel before it looks for its parent, and how often it turns before
#: it asks, which takes some 20 µs.
_TURNS = 10_000
_PAUSE = 1000


@contextmanager
def kept_awake() -> Iterator[bool]:
    """Let no processor sleep meanwhile; gives whether the system allows that."""
    loops = [
        subprocess.Popen(
            [sys.executable, "-S", "-E", __file__, str(processor), str(os.getpid())],
            stdout=subprocess.PIPE,
        )
        for processor in os.sched_getaffinity(0)
    ]
    try:
        # A loop that could not begin says nothing.
        yield sum(len(loop.stdout.read(1)) for loop in loops if loop.stdout) == len(loops)
    finally:
        for loop in loops:
            loop.kill()
            loop.communicate()


def main(processor: str, parent: str) -> None:
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.sched_setaffinity(0, {int(processor)})
    os.write(sys.stdout.fileno(), b"!")
    while os.getppid() == int(parent):
        for _ in range(_TURNS):
            for _ in range(_PAUSE):
                pass
            os.sched_yield()


if __name__ == "__main__":
    main(*sys.argv[1:])
