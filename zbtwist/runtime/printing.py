"""What a command prints for people, whether or not anybody reads it to the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """End the program with status 1, and without a word, when what reads its output has left, such
    as ``head``.

    What is printed in it is written at its end.
    """
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        stop_printing()
        sys.exit(1)


def stop_printing() -> None:
    """Print nothing more: what is left could not be written, and Python would say so at its end."""
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # to the end of the program
