"""The table of the gateway's operations."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.control.api import OPERATIONS
from zbtwist.control.http.procedures import SYSTEM_OPERATIONS
from zbtwist.control.operations.table import Harmless, table_of
from zbtwist.control.web.calls import PageOperations

#: Whose page is to come: it calls them by their own names.
SETTINGS = ("settings", "save_settings", "compare_settings", "apply_settings", "replace")


class OperationsTests(SynchronousTestCase):
    def test_what_waits(self) -> None:
        self.assertEqual(
            {
                name
                for name, made in {**OPERATIONS, **SYSTEM_OPERATIONS}.items()
                if not made.may_wait
            },
            {
                "clients",
                "disconnect",
                "end_test",
                "end_walk",
                "frames",
                "links",
                "list",
                "pins",
                "show",
                "stats",
                "status",
                "test_result",
                "trace",
                "values",
                "waiting",
                "watch",
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
                "bind_all": "bind_using_list",
                **{name: name for name in SETTINGS},
                **{name: name for name in ("neighbours", "walk", "end_walk", "links")},
                **{name: name for name in ("show", "disconnect", "trace", "at", "forget")},
                **{name: name for name in ("test", "test_result", "end_test")},
                **{name: name for name in ("restart", "identify")},
                **{name: name for name in ("sample", "set_pin")},
            },
        )

    def test_what_ends_with_who_asked(self) -> None:
        """Of the others somebody else may wait for the same."""
        self.assertEqual(
            {name for name, made in OPERATIONS.items() if made.ends_with_asker},
            {"test", "settings", "save_settings", "compare_settings", "neighbours"},
        )

    def test_what_changes_a_page(self) -> None:
        self.assertEqual(
            {name for name, made in OPERATIONS.items() if made.changes},
            {
                "accept",
                "apply_settings",
                "bind_using_list",
                "create_mapping",
                "discover",
                "forget",
                "forget_silent",
                "get_temperatures",
                "remove_mapping",
                "rename",
                "replace",
            },
        )

    def test_what_who_may_only_look_may_call(self) -> None:
        """Whoever adds an operation that may change something has to say nothing."""
        tables = {**OPERATIONS, **SYSTEM_OPERATIONS, **table_of(PageOperations)}
        found: dict[Harmless, set[str]] = {each: set() for each in Harmless}
        for name, made in tables.items():
            found[made.harmless].add(name)
        self.assertEqual(
            found[Harmless.ALWAYS],
            {
                *("list", "stats", "status", "trace", "traffic", "waiting", "pins", "test_result"),
                *("show", "clients", "links", "values", "known_settings"),
                *("system.listMethods", "system.methodHelp", "system.methodSignature"),
                # It asks again for each of its calls.
                "system.multicall",
            },
        )
        self.assertEqual(found[Harmless.WITHOUT_ARGUMENTS], {"frames"})
        self.assertTrue(tables["frames"].is_harmless([]))
        self.assertFalse(tables["frames"].is_harmless([None]))
        self.assertTrue(found[Harmless.NEVER] >= {"at", "discover", "rename", "create_mapping"})
        for made in tables.values():
            self.assertFalse(made.changes and made.is_harmless([]), made.name)

    def test_every_key_says_something(self) -> None:
        for name in (
            *("list", "stats", "status", "get_temperatures", "trace", "frames"),
            *("values", "sample", "pins", "set_pin", "test", "test_result", "end_test"),
            *("show", "clients", "watch"),
            *("neighbours", "walk", "end_walk", "links"),
            *SETTINGS,
        ):
            keys = OPERATIONS[name].keys
            if name == "save_settings":
                # It returns text.
                continue
            self.assertGreater(len(keys), 2, name)
            self.assertTrue(all(key.text for key in keys), name)
