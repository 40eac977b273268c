from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives import serialization
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import MemoryReactorClock
from zbtwist.mqtt.endpoint import (
    MAX_PASSWORD,
    FileError,
    endpoint_of,
    password_of,
    tls_of,
)
from zbtwist.mqtt.settings import MQTTSettings

CA = trustme.CA()
OWN = CA.issue_cert("gateway.example")
OTHER = CA.issue_cert("other.example")


class Files(SynchronousTestCase):
    def write(self, *blobs: bytes) -> str:
        path = Path(self.mktemp()).absolute()
        path.write_bytes(b"".join(blobs))
        return str(path)

    def mistake(self, settings: MQTTSettings) -> tuple[str, str]:
        with self.assertRaises(FileError) as caught:
            tls_of(settings)
            password_of(settings)
        return caught.exception.option, str(caught.exception)


class PasswordTests(Files):
    def password(self, content: bytes) -> bytes | None:
        return password_of(MQTTSettings(password_file=self.write(content)))

    def test_it_is_the_first_line(self) -> None:
        self.assertEqual(self.password(b"secret"), b"secret")
        self.assertEqual(self.password(b" secret \r\nmore"), b" secret ")
        self.assertEqual(self.password("\ufeffgeheim\n".encode()), b"geheim")
        self.assertEqual(self.password(b"x" * MAX_PASSWORD + b"\n"), b"x" * MAX_PASSWORD)
        self.assertIsNone(password_of(MQTTSettings()))

    def test_there_is_none(self) -> None:
        for content in (b"", b"\nsecret", b"x" * (MAX_PASSWORD + 1)):
            path = self.write(content)
            option, said = self.mistake(MQTTSettings(broker="tls:h:1", password_file=path))
            self.assertEqual(option, "password-file")
            self.assertTrue(said.startswith(f"names {path}, whose first line has "), said)
            self.assertNotIn("secret", said)


class TLSTests(Files):
    def setUp(self) -> None:
        self.settings = MQTTSettings(broker="tls:localhost:8883")
        self.chain = b"".join(blob.bytes() for blob in OWN.cert_chain_pems)
        self.key = OWN.private_key_pem.bytes()

    def test_all_that_there_may_be(self) -> None:
        ca = self.write(b"# ours\n", CA.cert_pem.bytes(), trustme.CA().cert_pem.bytes())
        tls_of(self.settings)
        tls_of(replace(self.settings, ca=ca))
        tls_of(replace(self.settings, certificate=self.write(self.key, self.chain)))
        certificate, key = self.write(self.chain), self.write(self.key)
        tls_of(replace(self.settings, ca=ca, certificate=certificate, key=key))

    def test_files_that_will_not_do(self) -> None:
        certificate = self.write(self.chain)
        broken = self.write(
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", self.key
        )
        cases: tuple[tuple[dict[str, Any], str, str], ...] = (
            ({"ca": "/nowhere"}, "ca", "cannot be read: No such file"),
            ({"ca": "/"}, "ca", "cannot be read: Is a directory"),
            ({"ca": self.write(self.key)}, "ca", "no certificate in PEM form"),
            ({"ca": broken}, "ca", "whose certificate cannot be read"),
            ({"certificate": certificate}, "certificate", "no private key in PEM form"),
            ({"certificate": broken}, "certificate", "whose certificate cannot be read"),
            (
                {
                    "certificate": certificate,
                    "key": self.write(b"-----BEGIN PRIVATE KEY-----\nAAAA\n"),
                },
                "key",
                "whose private key cannot be read",
            ),
            (
                {"certificate": certificate, "key": self.write(OTHER.private_key_pem.bytes())},
                "key",
                "is not that of the certificate",
            ),
        )
        for changed, option, words in cases:
            found, said = self.mistake(replace(self.settings, **changed))
            self.assertEqual(found, option)
            self.assertIn(words, said)

    def test_a_key_with_a_passphrase_is_not_asked_for(self) -> None:
        key = serialization.load_pem_private_key(self.key, None)
        locked = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"open sesame"),
        )
        settings = replace(
            self.settings, certificate=self.write(self.chain), key=self.write(locked)
        )
        self.assertIn("must have no passphrase", self.mistake(settings)[1])


class EndpointTests(Files):
    def test_which_it_is(self) -> None:
        reactor = MemoryReactorClock()
        for text, kind in (
            ("tcp:localhost:1883", "HostnameEndpoint"),
            (r"tcp:\:\:1:1883", "HostnameEndpoint"),
            ("tls:localhost:8883", "_WrapperEndpoint"),
            ("unix:/run/broker", "UNIXClientEndpoint"),
        ):
            found = endpoint_of(reactor, MQTTSettings(broker=text))
            self.assertEqual(type(found).__name__, kind)
        with self.assertRaises(FileError):
            endpoint_of(reactor, MQTTSettings(broker="tls:localhost:1", ca="/nowhere"))
