"""`zbgate`: the gateway in the foreground, for who does not know twistd.

It takes the options of `twistd zbgate`, writes its log to the standard output and no file beside
it, and stops in order on SIGTERM and SIGINT. Mistakes in the configuration have an exit status of
their own, so that what starts programs anew (systemd, a shell's loop) can tell that it is of no
use.
"""

from __future__ import annotations

import faulthandler
import os
import platform
import signal
import sys

import twisted
from twisted.application.app import startApplication
from twisted.application.service import Application
from twisted.logger import Logger, globalLogBeginner
from twisted.python import usage

from zbtwist import __version__
from zbtwist.app import command_line
from zbtwist.observing.log_rate import rated
from zbtwist.runtime.log_output import observer_of_output
from zbtwist.runtime.plugin_cache import keep_quiet
from zbtwist.runtime.printing import reader_may_leave

#: EX_CONFIG of sysexits.h.
CONFIG_ERROR = 78

log = Logger()


class Options(command_line.Options):
    """The command line of `zbgate`."""

    program = "zbgate"
    config_error_status = CONFIG_ERROR
    synopsis = f"Usage: {program} {command_line.Options.synopsis}"


def main() -> None:
    """Run the gateway to its end.

    The exit status is 0 after SIGTERM and after a check that found all in order, `CONFIG_ERROR`
    after a mistake in the configuration, and 1 if the gateway cannot start for another reason.
    SIGINT ends the program as a signal does, so that a shell's loop around it ends as well.
    """
    # Our plugin does so as well, but it need not be the first that is looked into, nor at all.
    keep_quiet()
    options = Options()
    with reader_may_leave():
        try:
            options.parseOptions()
        except usage.UsageError as error:
            sentence = str(error).rstrip(".")
            raise options.failure(f"{sentence}; see {options.program} --help.") from None
        service = command_line.makeService(options)
    # A watchdog ends a program that hangs by SIGABRT: then it says where it was.
    if sys.stderr is not None:
        faulthandler.enable()
    # What ends the start goes to stderr, where it was looked for before there was a log.
    from twisted.internet import reactor

    globalLogBeginner.beginLoggingTo(
        [rated(observer_of_output(sys.stdout), reactor)], redirectStandardIO=False
    )
    application = Application(options.program)
    service.setServiceParent(application)
    try:
        startApplication(application, False)
    finally:
        # Where to look comes first.
        log.info(
            "zbgate {version} starts, with Python {python} and Twisted {twisted}.",
            version=__version__,
            python=platform.python_version(),
            twisted=twisted.__version__,
        )
    reactor.run()
    # Not every reactor tells.
    if getattr(reactor, "_exitSignal", None) == signal.SIGINT:
        if sys.stdout is not None:
            sys.stdout.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
