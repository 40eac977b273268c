"""Who is at the other end of a quiet port."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol


class Heard(Protocol):
    """Tells the first that comes, and ends."""

    def __init__(self, heard: Deferred[bytes]) -> None:
        self.heard = heard

    def dataReceived(self, data: bytes) -> None:
        self.heard.callback(data)
        assert self.transport is not None
        self.transport.loseConnection()
