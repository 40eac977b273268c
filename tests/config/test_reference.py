"""The pages of the options have them all, as they are."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.pages import DOCS
from zbtwist.config.gateway_options import OPTIONS, SECTIONS
from zbtwist.config.reference import COLUMNS, PAGES, with_options
from zbtwist.runtime.option import options_of

PAGE = DOCS / "configuration.rst"
EXAMPLE = DOCS / "examples" / "zbtwist.toml"


class ReferenceTests(SynchronousTestCase):
    def test_pages_are_as_the_settings(self) -> None:
        for name, mark, make in PAGES:
            page = (DOCS / name).read_text()
            self.assertEqual(
                with_options(page, mark, make()), page, f"python -m zbtwist.config.reference {DOCS}"
            )

    def test_every_option(self) -> None:
        page = PAGE.read_text()
        for name, option in OPTIONS.items():
            self.assertIn(f"\n``{name}``", page)
            self.assertTrue(option.help, name)
            # One that is longer makes no table of it.
            self.assertLessEqual(len(f"``{name}``"), COLUMNS[0])

    def test_every_option_of_a_section(self) -> None:
        """Its page has them, and the file of examples."""
        for section, kind in SECTIONS.items():
            page = (DOCS / f"{section}.rst").read_text()
            file = EXAMPLE.read_text().partition(f"\n[{section}]\n")[2]
            for name, option in options_of(kind).items():
                self.assertIn(f"\n``{name}``", page)
                self.assertIn(f" {name} = ", file)
                self.assertTrue(option.help, name)

    def test_no_line_is_too_long(self) -> None:
        self.assertLessEqual(max(map(len, PAGE.read_text().splitlines())), 103)

    def test_page_without_a_place(self) -> None:
        self.assertRaises(ValueError, with_options, "Options\n", "..", "")
