"""The command line of the pictures; what they show is for people to look at."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr

from twisted.trial.unittest import SynchronousTestCase

from tests.browser.screenshots import main


class CommandLineTests(SynchronousTestCase):
    def test_says_what_it_needs(self) -> None:
        for arguments in ([], ["pictures", "--readme", "console.png"]):
            self.patch(sys, "argv", ["screenshots", *arguments])
            said = io.StringIO()
            with redirect_stderr(said), self.assertRaises(SystemExit) as caught:
                main()
            self.assertEqual(caught.exception.code, 2)
            self.assertIn("name the directory that the pictures go to", said.getvalue())
