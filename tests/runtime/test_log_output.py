"""What writes the log to an output of the program."""

from __future__ import annotations

import io

from twisted.logger import Logger, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.runtime.log_output import observer_of_output


class OutputTests(SynchronousTestCase):
    def test_letters_that_it_does_not_know(self) -> None:
        """A node may have them in its name; the line is there all the same."""
        written = io.BytesIO()
        stream = io.TextIOWrapper(written, "latin-1")
        log = Logger(observer=LogPublisher(observer_of_output(stream)))
        log.info("{node} is on port {port}.", node="K\u00fchler \u20ac5", port=27001)
        stream.flush()
        self.assertTrue(written.getvalue().endswith(b"K\xfchler ?5 is on port 27001.\n"))

    def test_closed(self) -> None:
        observer_of_output(None)  # type: ignore[arg-type]
