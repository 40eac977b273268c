"""The log for a person at a terminal."""

from __future__ import annotations

import io
import os
import pty
from typing import Any

from twisted.logger import Logger, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.runtime.log_output import observer_of_output
from zbtwist.runtime.terminal_log import TerminalObserver, has_colours, is_terminal


class TerminalObserverTests(SynchronousTestCase):
    def said(self, level: str, text: str, is_coloured: bool = False, **values: Any) -> str:
        written = io.StringIO()
        publisher = LogPublisher(TerminalObserver(written, is_coloured))
        log = Logger("zbtwist.some.room", observer=publisher)
        getattr(log, level)(text, **values)
        return written.getvalue()

    def test_one_line_without_a_class(self) -> None:
        self.assertRegex(
            self.said("info", "It is {what}.", what="so"),
            r"\A\d{4}-\d\d-\d\d [\d:]{8}  It is so\.\n\Z",
        )

    def test_what_matters_is_said_in_a_word(self) -> None:
        for level, word in (("warn", "warning: "), ("error", "error: "), ("critical", "error: ")):
            self.assertTrue(self.said(level, "Oh.").endswith(f"  {word}Oh.\n"))

    def test_colours(self) -> None:
        self.assertIn("\x1b[33mwarning: Oh.\x1b[0m\n", self.said("warn", "Oh.", True))
        self.assertIn("\x1b[0m  Oh.\n", self.said("info", "Oh.", True))
        self.assertTrue(has_colours({"TERM": "xterm"}))
        self.assertTrue(has_colours({"TERM": "xterm", "NO_COLOR": ""}))
        self.assertFalse(has_colours({"TERM": "xterm", "NO_COLOR": "1"}))
        self.assertFalse(has_colours({"TERM": "dumb"}))
        self.assertFalse(has_colours({}))

    def test_names_cannot_move_the_cursor(self) -> None:
        self.assertIn("  a?[2Jb\n", self.said("info", "{name}", name="a\x1b[2Jb"))

    def test_traceback(self) -> None:
        try:
            raise ValueError("no")
        except ValueError:
            lines = self.said("failure", "Something failed").splitlines()
        self.assertTrue(lines[0].endswith("  error: Something failed"))
        self.assertEqual(lines[-1], "builtins.ValueError: no")

    def test_nothing_to_say(self) -> None:
        written = io.StringIO()
        TerminalObserver(written, False)({})
        self.assertEqual(written.getvalue(), "")

    def test_what_is_a_terminal(self) -> None:
        self.assertFalse(is_terminal(None))
        self.assertFalse(is_terminal(io.StringIO()))
        closed = io.StringIO()
        closed.close()
        self.assertFalse(is_terminal(closed))
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        with open(slave, "w") as stream:
            self.assertTrue(is_terminal(stream))
            self.assertIsInstance(observer_of_output(stream), TerminalObserver)
        self.assertNotIsInstance(observer_of_output(io.StringIO()), TerminalObserver)
