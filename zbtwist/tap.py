"""`twistd zbgate`: what Twisted's plugin names."""

from zbtwist.app.command_line import Options, makeService

__all__ = ["Options", "makeService"]
