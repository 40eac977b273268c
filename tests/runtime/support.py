"""A quiet port, and who is at the other end."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol


class Heard(Protocol):
    """Tells the first that comes, and ends."""

    def __init__(self, heard: Deferred[bytes]) -> None:
        self.heard = heard

    def dataReceived(self, data: bytes) -> None:
        self.heard.callback(data)
        assert self.transport is not None
        self.transport.loseConnection()


def quiet_factory(heard: Deferred[bytes]) -> Factory[Heard]:
    """Return a factory of `Heard`."""
    factory = Factory.forProtocol(lambda: Heard(heard))
    factory.noisy = False
    return factory


def number_of(listening: IListeningPort) -> int:
    """Return the number of a TCP port."""
    address = listening.getHost()
    assert isinstance(address, IPv4Address)
    return address.port
