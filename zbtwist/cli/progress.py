"""Something that takes a while, with a progress bar on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

#: Seconds between two looks at how far it is.
PROGRESS_INTERVAL = 0.5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """How far it is.

    @ivar text: what is said beside the bar.
    @ivar done: how much of `total` is done.
    @ivar total: None if nobody knows.
    """

    text: str
    done: float = 0.0
    total: float | None = None


def error_console() -> Console:
    """Return the console of what is not the command's output."""
    return Console(stderr=True, markup=False, highlight=False, emoji=False)


def run_visibly(
    console: Console,
    title: str,
    work: Callable[[], T],
    look: Callable[[], Look],
    interval: float = PROGRESS_INTERVAL,
) -> T:
    """Do some work, and show how far it is.

    @param look: tells that, now and then; it may fail, and then tells nothing.
    @param interval: seconds between two looks.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:
            result.set_exception(error)

    # Not a pool's: those would be waited for after Control-C.
    Thread(target=run, daemon=True).start()
    with Progress(
        TextColumn(title),
        BarColumn(20),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task("", total=None)
        while True:
            # At first as well: it may be over sooner than anybody looks again.
            with suppress(click.ClickException):
                seen = look()
                progress.update(task, description=seen.text, completed=seen.done, total=seen.total)
            if wait([result], interval).done:
                break
    return result.result()
