"""TLS on real sockets: who has no certificate, and who may not connect at all."""

from __future__ import annotations

import os
import socket
import ssl
from typing import Any

import trustme
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial import unittest
from zope.interface.verify import verifyObject

from tests.clock import Clock
from tests.runtime.support import number_of
from tests.support import record_calls, record_log
from zbtwist.runtime.allowed import Refusal
from zbtwist.runtime.certificate_directory import INTERVAL, CertificateDirectory
from zbtwist.runtime.client_certificates import MutualTLSParser
from zbtwist.runtime.server_endpoint import server_from_string

CA = trustme.CA()
OTHER = trustme.CA()


class Greeter(Protocol):
    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")
        self.transport.loseConnection()


class TLSTestCase(unittest.TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor = reactor
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.key = self.write(
            "server.pem", CA.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
        )
        self.ca = self.write("ca.pem", CA.cert_pem)

    def write(self, name: str, blob: Any) -> str:
        path = os.path.join(self.directory, name)
        blob.write_to_path(path)
        return path

    def client(self, ca: trustme.CA | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        CA.configure_trust(context)
        if ca is not None:
            ca.issue_cert("client").configure_cert(context)
        return context

    async def listen(self, text: str, protocol: Any = Greeter) -> int:
        endpoint = server_from_string(self.reactor, text)
        factory = Factory.forProtocol(protocol)
        factory.noisy = False
        listening = await endpoint.listen(factory)
        self.addCleanup(listening.stopListening)
        return number_of(listening)

    def ask(self, port: int, context: ssl.SSLContext) -> Deferred[bytes]:
        def ask() -> bytes:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
            ):
                return connection.recv(100)

        asked: Deferred[bytes] = deferToThread(ask)
        return asked


class MutualTests(TLSTestCase):
    @property
    def text(self) -> str:
        return f"mtls:0:interface=127.0.0.1:privateKey={self.key}:ca={self.ca}"

    def test_interface(self) -> None:
        endpoint = server_from_string(self.reactor, self.text)
        self.assertTrue(verifyObject(IStreamServerEndpoint, endpoint))
        self.assertEqual(MutualTLSParser.prefix, "mtls")

    async def test_with_a_certificate(self) -> None:
        port = await self.listen(self.text)
        self.assertEqual(await self.ask(port, self.client(CA)), b"hello")

    async def test_without_one_or_with_one_of_another_authority(self) -> None:
        port = await self.listen(self.text)
        for ca in (None, OTHER):
            # TLS 1.3 tells a client only when it reads.
            await self.assertFailure(self.ask(port, self.client(ca)), ssl.SSLError, OSError)

    async def test_files_are_read_when_it_listens(self) -> None:
        endpoint = server_from_string(self.reactor, self.text)
        os.remove(self.ca)
        await self.assertFailure(endpoint.listen(Factory.forProtocol(Greeter)), OSError)

    def test_mistakes(self) -> None:
        for text, words in (
            (f"mtls:0:privateKey={self.key}", "ca= must name"),
            (f"mtls:0:privateKey={self.key}:ca=/nowhere", "No such file"),
        ):
            error = self.assertRaises((ValueError, OSError), server_from_string, self.reactor, text)
            self.assertIn(words, str(error))
        empty = os.path.join(self.directory, "empty.pem")
        with open(empty, "w"):
            pass
        text = f"mtls:0:privateKey={self.key}:ca={empty}"
        error = self.assertRaises(ValueError, server_from_string, self.reactor, text)
        self.assertIn("has no certificate", str(error))


class TurnedAwayTests(TLSTestCase):
    async def test_through_tls(self) -> None:
        """Whoever is turned away is reset before anything is read, and nothing fails of it."""
        for text in (
            f"ssl:0:interface=127.0.0.1:privateKey={self.key}",
            f"mtls:0:interface=127.0.0.1:privateKey={self.key}:ca={self.ca}",
        ):
            port = await self.listen(text, Refusal)
            await self.assertFailure(self.ask(port, self.client()), ssl.SSLError, OSError)
        self.assertEqual(self.flushLoggedErrors(), [])


class DirectoryTests(TLSTestCase):
    """``tls:DIRECTORY``, whose certificates are renewed and added while it listens."""

    def setUp(self) -> None:
        super().setUp()
        os.remove(self.ca)
        self.clock = Clock()

    def directory_of(self) -> CertificateDirectory:
        return CertificateDirectory(self.directory, self.clock)

    async def start(self, certificates: CertificateDirectory) -> int:
        tcp = server_from_string(self.reactor, "tcp:0:interface=127.0.0.1")
        factory = Factory.forProtocol(Greeter)
        factory.noisy = False
        wrapped = TLSMemoryBIOFactory(certificates, False, factory)
        listening = await tcp.listen(wrapped)
        self.addCleanup(listening.stopListening)
        return number_of(listening)

    def shown(self, port: int, host: str) -> Deferred[bytes]:
        """Return the certificate that a client is shown."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

        def ask() -> bytes:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
                context.wrap_socket(plain, server_hostname=host) as connection,
            ):
                return connection.getpeercert(True) or b""

        asked: Deferred[bytes] = deferToThread(ask)
        return asked

    def issue(self, name: str, *hosts: str) -> bytes:
        issued = CA.issue_cert(*hosts)
        self.write(name, issued.private_key_and_cert_chain_pem)
        return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())

    async def test_by_name(self) -> None:
        first = self.issue("a.pem", "a.example")
        second = self.issue("b.pem", "b.example", "*.c.example")
        port = await self.start(self.directory_of())
        for host, expected in (
            *(("a.example", first), ("B.Example", second), ("x.c.example", second)),
            *(("x.y.c.example", first), ("nothing.example", first), ("127.0.0.1", first)),
        ):
            self.assertEqual(await self.shown(port, host), expected, host)

    async def test_renewed(self) -> None:
        self.issue("a.pem", "a.example")
        port = await self.start(self.directory_of())
        await self.shown(port, "a.example")
        renewed = self.issue("a.pem", "a.example")
        self.clock.advance(INTERVAL)
        for host in ("a.example", "127.0.0.1"):
            self.assertEqual(await self.shown(port, host), renewed)

    async def test_one_that_is_being_written(self) -> None:
        """Those before go on until it is whole."""
        before = self.issue("a.pem", "a.example")
        certificates = self.directory_of()
        port = await self.start(certificates)
        path = os.path.join(self.directory, "a.pem")
        with open(path) as file:
            whole = file.read()
        log = record_log(self)
        for text in (whole[:500], whole[:-300], ""):
            with open(path, "w") as file:
                file.write(text)
            os.remove(self.key) if os.path.exists(self.key) else None
            self.clock.advance(INTERVAL)
            self.assertEqual(await self.shown(port, "a.example"), before)
        self.assertEqual(len([line for line in log.lines("error") if "cannot be used" in line]), 3)

    async def test_unknown_names_cost_nothing(self) -> None:
        """A stranger's names are not looked for in the files, and are no lines of the log."""
        self.issue("a.pem", "a.example")
        certificates = self.directory_of()
        port = await self.start(certificates)
        looks = record_calls(self, certificates, "_look")
        log = record_log(self)
        for number in range(20):
            await self.shown(port, f"{number}.invented.example")
        self.assertEqual(looks, [])
        self.assertEqual(log.lines("warn"), [])

    async def test_as_certbot_has_them(self) -> None:
        """Key and certificates in files of their own, and some twice."""
        issued = CA.issue_cert("a.example")
        os.remove(self.key)
        self.write("privkey.pem", issued.private_key_pem)
        for name in ("cert.pem", "fullchain.pem"):
            self.write(name, issued.cert_chain_pems[0])
        port = await self.start(self.directory_of())
        shown = await self.shown(port, "a.example")
        self.assertEqual(
            ssl.DER_cert_to_PEM_cert(shown).encode(), issued.cert_chain_pems[0].bytes()
        )

    def test_a_directory_without(self) -> None:
        os.remove(self.key)
        for text in (f"tls:{self.directory}", "tls:/nowhere/at/all:port=1"):
            error = self.assertRaises(ValueError, server_from_string, self.reactor, text)
            self.assertIn("has no certificate with its key", str(error))
