"""Silence about Twisted's plugin cache.

Twisted keeps a list of all plugins in a file beside them, makes it when a plugin is new, and says
in the log, at each look for a plugin, if it may not write it. That is just what happens where one
user installed a program and another runs it, and there is nothing to be done about it.
"""

from __future__ import annotations

from typing import Any

from twisted import plugin
from twisted.python import log


class _Log:
    """What `twisted.plugin` logs with, without that one message."""

    err = staticmethod(log.err)

    @staticmethod
    def msg(*message: object, **event: Any) -> None:
        if not str(event.get("format")).startswith("Unable to write to plugin cache"):
            log.msg(*message, **event)


def keep_quiet() -> None:
    """Say nothing of a plugin cache that may not be written, from now on."""
    if getattr(plugin, "log", None) is log:
        plugin.log = _Log  # type: ignore[attr-defined,assignment]
