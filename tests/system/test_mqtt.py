"""The connection to real brokers, with what goes wrong between them and us."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import trustme
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from tests.support import left_out

# By its module, so that its tests are not found here once more.
from tests.system import any_broker
from tests.system.any_broker import PAUSE
from tests.system.brokers import Mosquitto, Rumqttd
from tests.system.forked import ZBGATE
from tests.system.support import PROMPT, QUICK, Gateway, echo, wait_until
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.service import BrokerService


class MosquittoTests(any_broker.AnyBroker):
    skip = Mosquitto.why_not or left_out() or None
    make = Mosquitto

    async def test_that_the_name_was_taken_is_said(self) -> None:
        self.run_broker(self.make())
        one = await self.connected("same")
        said: list[str] = []
        one.lost.append(lambda: said.append("lost"))
        # As one that does not come back.
        other = await self.connected("same")
        await self.until(lambda: said)
        await other.stopService()
        self.assertIn("another client has the same client id", self.warnings()[0])

    async def test_longest_packet(self) -> None:
        self.run_broker(Mosquitto("allow_anonymous true", "max_packet_size 1000"))
        one, other = await self.connected("one"), await self.connected("other")
        await self.hears(other)
        self.assertFalse(one.publish(Message("t/x", bytes(1000))))
        self.assertTrue(one.publish(Message("t/x", bytes(900))))
        await self.until(lambda: self.heard)
        self.assertTrue(one.is_connected)
        self.assertIn("it takes 1000 bytes at the most", self.warnings()[0])

    async def test_one_that_keeps_nothing(self) -> None:
        self.run_broker(Mosquitto("allow_anonymous true", "retain_available false"))
        one, other = await self.connected("one"), await self.connected("other")
        await self.hears(other)
        one.publish(Message("t/x", b"1", retained=True))
        await self.until(lambda: self.heard)
        self.assertTrue(one.is_connected)
        self.assertIn("keeps no messages", self.warnings()[0])

    async def test_passwords(self) -> None:
        broker = Mosquitto()
        users = broker.file("users", "me:secret\n")
        subprocess.run([*_passwd(), "-U", users], check=True)
        broker._lines = ("allow_anonymous false", f"password_file {users}")
        self.run_broker(broker)
        password = broker.file("password", "wrong\n")
        client = self.client("one", user="me", password_file=password)
        await self.until(lambda: "does not let this user in" in client.reason)
        Path(password).write_text("secret\n")
        await self.until(lambda: client.is_connected)
        self.assertEqual(len(self.warnings()), 1)
        nobody = self.client("nobody")
        await self.until(lambda: "does not let this user in" in nobody.reason)

    async def test_an_access_list(self) -> None:
        broker = Mosquitto()
        acl = broker.file(
            "acl", "topic readwrite t/mine\ntopic read t/yours\ntopic readwrite ready\n"
        )
        broker._lines = ("allow_anonymous true", f"acl_file {acl}")
        self.run_broker(broker)
        one = await self.connected("one")
        one.publish(Message("t/yours", b""), True)
        await self.until(lambda: one.counters.refused)
        self.assertIn("a message of t/yours: this user may not", self.warnings()[0])
        self.assertTrue(one.is_connected)


class RumqttdTests(any_broker.AnyBroker):
    skip = Rumqttd.why_not or left_out() or None
    make = Rumqttd

    async def test_passwords(self) -> None:
        self.run_broker(Rumqttd(connections='[v5.1.connections.auth]\nme = "secret"'))
        password = self.broker.file("password", "wrong\n")
        client = self.client("one", user="me", password_file=password)
        await self.until(lambda: client.reason)
        await deferLater(self.reactor, 3 * PAUSE)
        self.assertFalse(client.is_connected)
        Path(password).write_text("secret\n")
        await self.until(lambda: client.is_connected)


class TLSTests(any_broker.BrokerTestCase):
    """A broker with a certificate of a private authority, that asks its clients for theirs."""

    skip = Mosquitto.why_not or left_out() or None

    def setUp(self) -> None:
        super().setUp()
        ca = trustme.CA()
        broker = Mosquitto()
        self.directory = broker.directory
        self.ca = self.write("ca.pem", ca.cert_pem)
        self.other_ca = self.write("other.pem", trustme.CA().cert_pem)
        own = ca.issue_cert("localhost")
        self.client_certificate = self.write(
            "client.pem", ca.issue_cert("gateway.example").private_key_and_cert_chain_pem
        )
        strange = trustme.CA().issue_cert("gateway.example")
        self.strange_certificate = self.write("strange.pem", strange.private_key_and_cert_chain_pem)
        broker._lines = (
            "allow_anonymous true",
            f"cafile {self.ca}",
            f"certfile {self.write('cert.pem', own.cert_chain_pems[0])}",
            f"keyfile {self.write('key.pem', own.private_key_pem)}",
            "require_certificate true",
        )
        self.run_broker(broker)

    def write(self, name: str, blob: trustme.Blob) -> str:
        path = os.path.join(self.directory, name)
        blob.write_to_path(path)
        return path

    def tls_client(self, host: str = "localhost", **settings: Any) -> BrokerService:
        values = {"ca": self.ca, "certificate": self.client_certificate, **settings}
        return self.client("one", broker=f"tls:{host}:{self.broker.port}", **values)

    async def why_not(self, *words: str, **settings: Any) -> None:
        client = self.tls_client(**settings)
        await self.until(lambda: any(word in client.reason for word in words))
        self.assertFalse(client.is_connected)
        await client.stopService()

    async def test_connected(self) -> None:
        client = self.tls_client()
        await self.until(lambda: client.is_connected)
        client.subscribe("t/y", self.heard.append)
        sent = Message("t/y", bytes(100_000))
        other = self.client(
            "other",
            broker=f"tls:localhost:{self.broker.port}",
            ca=self.ca,
            certificate=self.client_certificate,
        )
        await self.until(lambda: other.is_connected)
        while not self.heard:
            other.publish(sent)
            await deferLater(self.reactor, 0.05)
        self.assertEqual(self.heard[0], sent)
        self.assertEqual(self.warnings(), [])

    async def test_what_is_not_in_order(self) -> None:
        await self.why_not("is not trusted here", ca=self.other_ca)
        await self.why_not("is not trusted here", ca=None)
        await self.why_not("for another host", host="127.0.0.1")
        await self.why_not("does not take this gateway's certificate", certificate=None)
        await self.why_not(
            "does not take this gateway's certificate", certificate=self.strange_certificate
        )
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_without_tls_where_it_is_wanted(self) -> None:
        client = self.client("one", broker=f"tcp:localhost:{self.broker.port}")
        await self.until(lambda: client.reason and "radio" not in client.reason)
        self.assertIn("TLS", client.reason)

    async def test_tls_where_there_is_none(self) -> None:
        plain = Mosquitto()
        plain.start()
        self.addCleanup(plain.remove)
        client = self.client("one", broker=f"tls:localhost:{plain.port}", ca=self.ca)
        await self.until(lambda: client.reason and "radio" not in client.reason)
        self.assertIn("TLS", client.reason)


def _passwd() -> list[str]:
    found = shutil.which("mosquitto_passwd")
    assert found is not None
    return [found]


class GatewayTests(SynchronousTestCase):
    """The real program beside a broker that comes, stands still and goes."""

    skip = Mosquitto.why_not or left_out() or None

    def test_clients_of_nodes_notice_nothing_of_a_broker(self) -> None:
        broker = Mosquitto()
        self.addCleanup(broker.remove)
        config = broker.file(
            "zbtwist.toml",
            f'[mqtt]\nbroker = "localhost:{broker.port}"\nsite = "house"\nnodes = "stream"\n',
        )
        gateway = Gateway(QUICK, "--config", config, program=ZBGATE)
        self.addCleanup(gateway.stop)
        port = gateway.nodes(3)["ECHO"]["tcp_port"]
        data = os.urandom(8_000)

        def status() -> dict[str, Any]:
            found: dict[str, Any] = gateway.api.status()["mqtt"]
            return found

        # It is away.
        self.assertEqual(echo(port, data), data)
        self.assertIn("nothing listens there", status()["reason"])
        broker.start()
        # Not to wait for the next try.
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: status()["connected"], "a connection to the broker")
        published = status()["published"]
        self.assertEqual(echo(port, data), data)
        wait_until(lambda: status()["published"] > published + 80, "messages at the broker")
        broker.tell(signal.SIGSTOP)
        self.assertEqual(echo(port, data), data)
        broker.stop()
        wait_until(lambda: not status()["connected"], "no connection")
        self.assertEqual(echo(port, data), data)
        self.assertNotIn("Traceback", gateway.output)
        self.assertLess(gateway.stop(), PROMPT)
