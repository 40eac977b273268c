"""Why a port does not open, in words."""

from __future__ import annotations

import errno

from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.runtime.listen_errors import advice, is_about_this_port


def failure(number: int, text: str = "as the system says it") -> CannotListenError:
    return CannotListenError("127.0.0.1", 27001, OSError(number, text))


class ListeningTests(SynchronousTestCase):
    def test_another_port_may_do(self) -> None:
        for number in (errno.EADDRINUSE, errno.EACCES):
            self.assertTrue(is_about_this_port(failure(number)))
        for number in (errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS):
            self.assertFalse(is_about_this_port(failure(number)))
        self.assertFalse(is_about_this_port(ValueError("no number at all")))

    def test_advice(self) -> None:
        for number, words in (
            (errno.EADDRINUSE, "another program has it"),
            (errno.EACCES, "above 1023"),
            (errno.EADDRNOTAVAIL, "--interface"),
            (errno.EMFILE, "ulimit -n"),
            (errno.ENOENT, "directory"),
        ):
            self.assertIn(words, advice(failure(number)))

    def test_what_has_no_advice_speaks_for_itself(self) -> None:
        self.assertEqual(advice(failure(errno.ENOBUFS)), "as the system says it")
        self.assertEqual(advice(ValueError("in its own words")), "in its own words")
        self.assertIn("another program", advice(OSError(errno.EADDRINUSE, "")))
