"""The way to a broker: its endpoint, with TLS as the settings say, and the password.

All files are read when they are needed, at each connection: certificates are renewed, and passwords
changed, while the gateway runs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from twisted.internet.endpoints import HostnameEndpoint, clientFromString, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint

if TYPE_CHECKING:
    from zbtwist.mqtt.settings import MQTTSettings

#: Bytes of a password, and of a file of certificates.
MAX_PASSWORD = 1024
MAX_FILE = 1 << 20

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class FileError(Exception):
    """A file is not as it must be: a sentence without its subject, which is an option.

    @ivar option: the option's name.
    """

    def __init__(self, option: str, sentence: str) -> None:
        super().__init__(sentence)
        self.option = option


def endpoint_of(reactor: Any, settings: MQTTSettings) -> IStreamClientEndpoint:
    """Return the endpoint of the broker.

    @raise FileError: a file that it needs is not in order.
    """
    if not settings.host:
        other: IStreamClientEndpoint = clientFromString(reactor, settings.broker)
        return other
    # That of Twisted's tcp: asks for no IPv6 address of a name.
    tcp: IStreamClientEndpoint = HostnameEndpoint(reactor, settings.host, settings.port)
    return wrapClientTLS(tls_of(settings), tcp) if settings.is_tls else tcp


def password_of(settings: MQTTSettings) -> bytes | None:
    """Return the password for the broker, None if there is none.

    @raise FileError: there is none in its file.
    """
    if settings.password_file is None:
        return None
    data = _read("password-file", settings.password_file, MAX_PASSWORD + 2)
    password = data.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].removesuffix(b"\r")
    if not password:
        raise FileError(
            "password-file", f"names {settings.password_file}, whose first line has no password."
        )
    if len(password) > MAX_PASSWORD:
        raise FileError(
            "password-file",
            f"names {settings.password_file}, whose first line has more than {MAX_PASSWORD} bytes.",
        )
    return password


def tls_of(settings: MQTTSettings) -> Any:
    """Return what makes TLS of a connection to the broker.

    @raise FileError: a file that it needs is not in order.
    """
    from twisted.internet import ssl

    trust = more = None
    if settings.ca is not None:
        trust = ssl.trustRootFromCertificates(_certificates("ca", settings.ca))
    if settings.certificate is not None:
        own, *chain = (each.original for each in _certificates("certificate", settings.certificate))
        key = _key(settings)
        _check_pair(settings, own, key)
        more = {"privateKey": key, "certificate": own, "extraCertChain": chain}
    return ssl.optionsForClientTLS(settings.host, trustRoot=trust, extraCertificateOptions=more)


def _check_pair(settings: MQTTSettings, certificate: Any, key: Any) -> None:
    # Twisted does so when there is a connection, from 26 on.
    from OpenSSL import SSL

    context = SSL.Context(SSL.TLS_METHOD)
    try:
        context.use_certificate(certificate)
        context.use_privatekey(key)
        context.check_privatekey()
    except SSL.Error as error:
        raise FileError(
            "certificate" if settings.key is None else "key",
            f"names {settings.key or settings.certificate}, whose private key is not that of the "
            "certificate.",
        ) from error


def _certificates(option: str, path: str) -> list[Any]:
    from OpenSSL import crypto
    from twisted.internet import ssl

    found = _CERTIFICATE.findall(_read(option, path, MAX_FILE))
    if not found:
        raise FileError(option, f"names {path}, which has no certificate in PEM form.")
    try:
        return [ssl.Certificate.loadPEM(each) for each in found]
    except (crypto.Error, ValueError) as error:
        raise FileError(option, f"names {path}, whose certificate cannot be read.") from error


def _key(settings: MQTTSettings) -> Any:
    from OpenSSL import crypto

    option = "certificate" if settings.key is None else "key"
    path = settings.key or settings.certificate
    assert path is not None
    data = _read(option, path, MAX_FILE)
    if b"PRIVATE KEY-----" not in data:
        raise FileError(option, f"names {path}, which has no private key in PEM form.")
    try:
        # Else OpenSSL asks for a passphrase at the terminal.
        return crypto.load_privatekey(crypto.FILETYPE_PEM, data, b"")
    except (crypto.Error, ValueError, TypeError) as error:
        raise FileError(
            option, f"names {path}, whose private key cannot be read: it must have no passphrase."
        ) from error


def _read(option: str, path: str, most: int) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError as error:
        raise FileError(option, f"names {path}, which cannot be read: {error.strerror}.") from error
