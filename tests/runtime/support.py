"""A quiet port, and who is at the other end."""

from __future__ import annotations

import os
import tempfile

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase


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
    assert isinstance(address, IPv4Address | IPv6Address)
    return address.port


def socket_path(case: SynchronousTestCase) -> str:
    """Return where a Unix socket can be until the end of the test.

    The path of a socket has few characters, and trial's directories are deep.
    """
    directory = tempfile.TemporaryDirectory(prefix="zbtwist-")
    case.addCleanup(directory.cleanup)
    return os.path.join(directory.name, "node")
