"""The command that all others are part of."""

from __future__ import annotations

import sys
from contextlib import suppress

import click

from zbtwist import __version__
from zbtwist.cli.client import (
    Refused,
    Unreachable,
)
from zbtwist.cli.options import (
    INTERRUPTED,
    Commands,
)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A NODE is a 64-bit address in any form, or the name of just one node. Exit codes: "
    f"0 done, {Refused.exit_code} the gateway said no, 2 a wrong command line, "
    f"{Unreachable.exit_code} no gateway answers, {INTERRUPTED} interrupted.",
)
@click.version_option(__version__, prog_name="zbctl", message="%(prog)s %(version)s")
def main() -> None:
    """Ask and tell a zbtwist gateway: which node has which TCP port, and how it goes."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows few characters gets question marks, not a traceback.
        with suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
