"""``tls:DIRECTORY``: TLS with the certificates of a directory, which may be renewed at any time.

Twisted has such an endpoint from 26.4 on. It looks for other certificates only when a client names
a host that it does not know: so it goes on with those that were renewed until they expire; and
whoever names such hosts has it read all files, and say so in the log, each time. This one looks
when a connection comes, by the times and sizes of the files, at most once a second, and says
nothing of names. It works with older releases as well.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.logger import Logger
from zope.interface import implementer

#: Seconds between two looks at the files.
INTERVAL = 1.0

_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)

log = Logger()


class _Contexts:
    """What the files were when they were read.

    @ivar default: for who names no host, or an unknown one: that of the first file by name.
    @ivar by_name: for the hosts of the certificates.
    """

    def __init__(self, path: Path) -> None:
        """
        @raise ValueError: a sentence without its end.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from OpenSSL import crypto
        from twisted.internet.ssl import CertificateOptions

        keys: list[Any] = []
        certificates: list[x509.Certificate] = []
        for file in sorted(path.glob("*.pem")):
            data = file.read_bytes()
            try:
                if b"-----BEGIN CERTIFICATE-----" in data:
                    certificates += x509.load_pem_x509_certificates(data)
                if b"PRIVATE KEY-----" in data:
                    keys.append(load_pem_private_key(_key_in(data), None))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{file} is not as it should be: {error}") from None
        self.default: Any = None
        self.by_name: dict[str, Any] = {}
        by_subject = {each.subject: each for each in certificates}
        for key in keys:
            mine = [each for each in certificates if each.public_key() == key.public_key()]
            if not mine:
                continue
            # One that was renewed for the same key is the later one.
            own = max(mine, key=_begin_of)
            chain: list[x509.Certificate] = []
            above = by_subject.get(own.issuer)
            while above is not None and above not in (own, *chain):
                chain.append(above)
                above = by_subject.get(above.issuer)
            context = CertificateOptions(
                privateKey=crypto.PKey.from_cryptography_key(key),
                certificate=crypto.X509.from_cryptography(own),
                extraCertChain=[crypto.X509.from_cryptography(each) for each in chain],
            ).getContext()
            context.set_tlsext_servername_callback(self._choose)
            self.default = self.default or context
            for name in _names_of(own):
                self.by_name[name.lower()] = context
        if self.default is None:
            raise ValueError(
                f"{path} has no certificate with its key: put both, in PEM form, into files there "
                "whose names end with .pem"
            )

    def _choose(self, connection: Any) -> None:
        name = (connection.get_servername() or b"").decode("latin-1").lower()
        wildcard = f"*.{name.partition('.')[2]}"
        found = self.by_name.get(name) or self.by_name.get(wildcard)
        if found is not None:
            connection.set_context(found)


def _key_in(data: bytes) -> bytes:
    match = _KEY.search(data)
    return match[0] if match is not None else b""


def _begin_of(certificate: Any) -> datetime:
    begin: datetime = certificate.not_valid_before_utc
    return begin


def _names_of(certificate: Any) -> list[str]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    names: list[str] = found.value.get_values_for_type(x509.DNSName)
    return names


@implementer(IOpenSSLServerConnectionCreator)
class CertificateDirectory:
    """Makes TLS of connections, with the certificates as they are when those come."""

    def __init__(self, path: str, clock: IReactorTime) -> None:
        """
        @param clock: says how long ago the files were looked at.
        @raise ValueError: there are none that can be used.
        """
        self._path = Path(path)
        self._clock = clock
        self._looked = clock.seconds()
        self._state = self._files()
        self._contexts = _Contexts(self._path)

    def serverConnectionForTLS(self, protocol: object) -> Any:
        from OpenSSL.SSL import Connection

        now = self._clock.seconds()
        if now - self._looked >= INTERVAL:
            self._looked = now
            self._look()
        return Connection(self._contexts.default)

    def _look(self) -> None:
        state = self._files()
        if state == self._state:
            return
        self._state = state
        try:
            self._contexts = _Contexts(self._path)
        except (OSError, ValueError) as error:
            # One is written at the moment, perhaps; there is another look when it has been.
            log.error(
                "The certificates in {path} are others now and cannot be used, so those before go "
                "on: {error}.",
                path=self._path,
                error=str(error),
            )
        else:
            log.info("The certificates in {path} are others now.", path=self._path)

    def _files(self) -> list[tuple[str, int, int, int]]:
        found = []
        for file in sorted(self._path.glob("*.pem")):
            try:
                state = file.stat()
            except OSError:
                continue
            found.append((file.name, state.st_ino, state.st_size, state.st_mtime_ns))
        return found


@implementer(IStreamServerEndpoint)
class CertificateDirectoryEndpoint:
    """A TCP port with TLS."""

    def __init__(self, clock: IReactorTime, path: str, port: int, tcp: Any) -> None:
        """
        @param path: of the directory.
        @param port: that of `tcp`, to be asked for.
        @param tcp: the endpoint of the TCP port.
        @raise ValueError: the directory has nothing that can be used.
        """
        self._port = port
        self._tcp = tcp
        self._certificates = CertificateDirectory(path, clock)

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen.

        @return: fires with the port, or fails with `CannotListenError`.
        """
        from twisted.protocols.tls import TLSMemoryBIOFactory

        listening: Deferred[IListeningPort] = self._tcp.listen(
            TLSMemoryBIOFactory(self._certificates, False, protocolFactory)
        )
        return listening
