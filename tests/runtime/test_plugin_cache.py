"""A program that one user installed and another runs says nothing of Twisted's plugin cache."""

from __future__ import annotations

from twisted import plugin
from twisted.python import log
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.runtime.plugin_cache import keep_quiet


class KeepQuietTests(SynchronousTestCase):
    def setUp(self) -> None:
        before = plugin.log  # type: ignore[attr-defined]
        self.addCleanup(setattr, plugin, "log", before)
        plugin.log = log  # type: ignore[attr-defined]
        keep_quiet()
        keep_quiet()
        self.heard: list[str] = []
        log.addObserver(self.hear)
        self.addCleanup(log.removeObserver, self.hear)

    def hear(self, event: log.EventDict) -> None:
        self.heard.append(log.textFromEventDict(event) or "")

    def test_other_messages(self) -> None:
        """All else that Twisted says of plugins is said."""
        said = plugin.log  # type: ignore[attr-defined]
        said.msg("a message")
        said.msg(format="Unable to write to plugin cache %(path)s", path="/x")
        said.msg(format="%(what)s", what="another")
        said.err(ValueError("a plugin is broken"))
        self.assertEqual(self.heard[:2], ["a message", "another"])
        self.assertIn("a plugin is broken", self.heard[2])
        self.assertEqual(len(self.heard), 3)
        self.flushLoggedErrors(ValueError)
