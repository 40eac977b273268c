"""``mtls:``: a server endpoint for TLS that lets only those in who have a certificate.

Twisted's own ``ssl:`` and ``tls:`` ask no client for one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from zope.interface import implementer

from zbtwist.runtime.server_endpoint import tcp_endpoint

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def _certificates(path: str) -> list[bytes]:
    found: list[bytes] = _CERTIFICATE.findall(Path(path).read_bytes())
    if not found:
        raise ValueError(f"{path} has no certificate in PEM form")
    return found


@implementer(IStreamServerEndpoint)
class MutualTLSEndpoint:
    """A TCP port whose clients must show a certificate that was signed by one of some authorities.

    The files are read each time it begins to listen.
    """

    def __init__(
        self, reactor: Any, port: int, interface: str, key: str, certificate: str, authorities: str
    ) -> None:
        """
        @param interface: an IP address, of version 4 or 6.
        @param key: path of the PEM file with the server's private key.
        @param certificate: path of that with its certificate, and those that lead to the root.
        @param authorities: path of that with the certificates of whoever signs those of clients.
        """
        # Where reason_of and control_port look for it, as they do in Twisted's own.
        self._port = port
        self._tcp = tcp_endpoint(reactor, port, interface)
        self._files = key, certificate, authorities
        self._read()

    def _read(self) -> Any:
        """
        @return: what makes TLS of the files.
        @raise ValueError: there is a mistake in them.
        """
        from twisted.internet import ssl

        key, certificate, authorities = self._files
        own, *chain = map(ssl.Certificate.loadPEM, _certificates(certificate))
        return ssl.CertificateOptions(
            privateKey=ssl.KeyPair.load(Path(key).read_bytes(), _pem()).original,
            certificate=own.original,
            extraCertChain=[each.original for each in chain],
            trustRoot=ssl.trustRootFromCertificates(
                map(ssl.Certificate.loadPEM, _certificates(authorities))
            ),
        )

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen.

        @return: fires with the port, or fails with `CannotListenError` or `ValueError`.
        """
        return execute(self._read).addCallback(self._listen, protocolFactory)

    def _listen(self, options: Any, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        from twisted.protocols.tls import TLSMemoryBIOFactory

        return self._tcp.listen(TLSMemoryBIOFactory(options, False, factory))


def _pem() -> Any:
    from OpenSSL import crypto

    return crypto.FILETYPE_PEM


@implementer(IPlugin, IStreamServerEndpointStringParser)
class MutualTLSParser:
    """Makes the endpoint of ``mtls:PORT:ca=PATH:privateKey=PATH:certKey=PATH:interface=HOST``."""

    prefix = "mtls"

    def parseStreamServer(self, reactor: Any, *args: Any, **kwargs: Any) -> IStreamServerEndpoint:
        return self._parse(reactor, *args, **kwargs)

    @staticmethod
    def _parse(
        reactor: Any,
        port: str,
        ca: str = "",
        privateKey: str = "server.pem",
        certKey: str = "",
        interface: str = "0.0.0.0",  # noqa: S104 - as Twisted's own have it
    ) -> IStreamServerEndpoint:
        if not ca:
            raise ValueError("ca= must name the certificate of whoever signs those of the clients")
        return MutualTLSEndpoint(
            reactor, int(port), interface, privateKey, certKey or privateKey, ca
        )
