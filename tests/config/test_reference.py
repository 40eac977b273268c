"""The page of the options has them all, as they are."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.pages import DOCS
from zbtwist.config.options import OPTIONS
from zbtwist.config.reference import with_table

PAGE = DOCS / "configuration.rst"


class ReferenceTests(SynchronousTestCase):
    def test_page_is_as_the_table(self) -> None:
        page = PAGE.read_text()
        self.assertEqual(with_table(page), page, f"python -m zbtwist.config.reference {PAGE}")

    def test_every_option(self) -> None:
        page = PAGE.read_text()
        for name, option in OPTIONS.items():
            self.assertIn(f"\n``{name}``", page)
            self.assertTrue(option.help, name)

    def test_no_line_is_too_long(self) -> None:
        self.assertLessEqual(max(map(len, PAGE.read_text().splitlines())), 103)

    def test_page_without_a_place(self) -> None:
        self.assertRaises(ValueError, with_table, "Options\n")
