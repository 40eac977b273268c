"""The table of the gateway's operations."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.control.api import OPERATIONS
from zbtwist.control.http.procedures import SYSTEM_OPERATIONS


class OperationsTests(SynchronousTestCase):
    def test_what_waits(self) -> None:
        self.assertEqual(
            {
                name
                for name, made in {**OPERATIONS, **SYSTEM_OPERATIONS}.items()
                if not made.may_wait
            },
            {
                "frames",
                "list",
                "stats",
                "status",
                "trace",
                "system.listMethods",
                "system.methodHelp",
                "system.methodSignature",
            },
        )

    def test_what_the_page_calls(self) -> None:
        self.assertEqual(
            {made.page: name for name, made in OPERATIONS.items() if made.page},
            {
                "discover": "discover",
                "temperatures": "get_temperatures",
                "rename": "rename",
                "bind": "create_mapping",
                "unbind": "remove_mapping",
            },
        )

    def test_what_changes_a_page(self) -> None:
        self.assertEqual(
            {name for name, made in OPERATIONS.items() if made.changes},
            {
                "bind_using_list",
                "create_mapping",
                "discover",
                "get_temperatures",
                "remove_mapping",
                "rename",
            },
        )

    def test_every_key_says_something(self) -> None:
        for name in ("list", "stats", "status", "get_temperatures", "trace", "frames"):
            keys = OPERATIONS[name].keys
            self.assertGreater(len(keys), 2, name)
            self.assertTrue(all(key.text for key in keys), name)
