"""Spares Python's garbage collector what is made at the start and stays to the end.

With thousands of nodes it would look at all of them again and again, while they are made and later:
that takes a part of the start, and now and then delays a frame by milliseconds.
"""

from __future__ import annotations

import gc

from twisted.application.service import Service


class GCFreeze(Service):
    """Lets no garbage be collected while the services beside it start, and leaves alone for good
    what is there by then. It is to be the last of them.

    Only for a program of its own: what is garbage at the start is never collected.
    """

    def privilegedStartService(self) -> None:
        # That is called of all services before any of them starts.
        super().privilegedStartService()
        gc.disable()

    def startService(self) -> None:
        super().startService()
        gc.freeze()
        gc.enable()
