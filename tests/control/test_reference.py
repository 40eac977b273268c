"""The page of the control API has every call, as it is."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.pages import DOCS
from zbtwist.control.api import OPERATIONS
from zbtwist.control.reference import with_calls

PAGE = DOCS / "control-api.rst"


class ReferenceTests(SynchronousTestCase):
    def test_page_is_as_the_table(self) -> None:
        page = PAGE.read_text()
        self.assertEqual(with_calls(page), page, "python -m zbtwist.control.reference docs")

    def test_every_operation(self) -> None:
        page = PAGE.read_text()
        for name, operation in OPERATIONS.items():
            self.assertIn(f"\n``{name}(", page)
            self.assertTrue(operation.text.endswith("."), name)
        self.assertIn("\n``frames()``, ``frames(on)``, ``frames(on, address)``\n", page)
        self.assertIn(
            "*Takes* address (string), tcp_port (int or string). *Returns* boolean.", page
        )

    def test_structs_stand_there_once(self) -> None:
        page = PAGE.read_text()
        self.assertEqual(page.count("\n    ``addr_parent`` "), 1)
        self.assertIn("as ``list``, and besides:", page)
        self.assertIn("*Returns* an array of structs, as ``list``.", page)

    def test_page_without_a_place(self) -> None:
        self.assertRaises(ValueError, with_calls, "Calls\n")
