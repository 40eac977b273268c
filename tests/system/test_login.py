"""Who may come in: the real program over TLS, with a private CA, asked by programs of all kinds."""

from __future__ import annotations

import atexit
import json
import os
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from base64 import b64encode
from pathlib import Path
from typing import Any

import trustme
from twisted.trial.unittest import SynchronousTestCase
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, RejectConnection, Request, TextMessage

from tests.pages import DOCS, ROOT, blocks_of
from tests.support import left_out
from tests.system.forked import ZBCTL, ZBGATE
from tests.system.support import PATIENCE, QUICK, Gateway, free_ports, wait_until
from zbtwist.control.passwords import line_of

# It is the same with every Python.
skip = left_out() or None

CALL = (
    "<methodCall><methodName>{}</methodName><params><param><value><string>ECHO</string></value>"
    "</param></params></methodCall>"
)


class World:
    """A gateway over TLS that all tests share, with users who may do everything, or look."""

    one: World | None = None

    def __init__(self) -> None:
        self.directory = tempfile.mkdtemp(prefix="zbtwist-test-")
        self.ca = os.path.join(self.directory, "ca.pem")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        self.certificates = os.path.join(self.directory, "tls")
        os.mkdir(self.certificates)
        self.issue = lambda: authority.issue_cert(
            "localhost", "127.0.0.1"
        ).private_key_and_cert_chain_pem.write_to_path(
            os.path.join(self.certificates, "localhost.pem")
        )
        self.issue()
        self.users = self.file("users", line_of("alice", "sëcret") + "\n")
        self.viewers = self.file("viewers", line_of("viewer", "look") + "\n")
        self.config = self.file("zbtwist.toml", "")
        self.port = free_ports(8)
        self.node_allow = ""
        self.configure()
        self.gateway = Gateway(None, "--config", self.config, program=ZBGATE, control=self.port)
        # No class is told of its end where tests are shared out to several processes.
        atexit.register(self.end)
        self.gateway.wait_for("ECHO is on port")

    def configure(self, more: str = "") -> None:
        Path(self.config).write_text(
            f'serial = "{QUICK}"\nstate = ":memory:"\nbase-port = {self.port + 1}\n'
            f'control = "tls:{self.certificates}:port={self.port}:interface=127.0.0.1"\n'
            f'auth = "argon2:{self.users}"\nauth-read-only = ["argon2:{self.viewers}"]\n{more}'
        )

    def file(self, name: str, text: str) -> str:
        path = Path(self.directory, name)
        path.write_text(text)
        return str(path)

    @classmethod
    def get(cls) -> World:
        if cls.one is None:
            cls.one = World()
        return cls.one

    def end(self) -> None:
        self.gateway.stop()
        shutil.rmtree(self.directory)


class LoginTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World.get()
        self.port = self.world.port
        self.context = ssl.create_default_context(cafile=self.world.ca)

    def server(self, who: str = "alice:s%C3%ABcret@") -> Any:
        return xmlrpc.client.ServerProxy(
            f"https://{who}localhost:{self.port}/RPC2", context=self.context
        )

    def connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        connection = self.context.wrap_socket(plain, server_hostname="localhost")
        self.addCleanup(connection.close)
        return connection

    def ask(self, request: str, *headers: str) -> tuple[int, bytes]:
        """Send one request; return the status and the body."""
        lines = (f"{request} HTTP/1.0", f"Host: localhost:{self.port}", *headers, "", "")
        connection = self.connect()
        connection.sendall("\r\n".join(lines).encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    def basic(self, name: str, word: str) -> str:
        return f"Authorization: Basic {b64encode(f'{name}:{word}'.encode()).decode()}"

    def told(self, path: str, header: str) -> dict[str, Any]:
        status, body = self.ask(f"POST {path}", header, "Content-Length: 0")
        self.assertEqual(status, 200, body)
        answer: dict[str, Any] = json.loads(body)
        return answer


class Programs(LoginTestCase):
    def test_xmlrpc_client(self) -> None:
        """Python's own client, with name and password in the URL."""
        self.assertIn("ECHO", [row["label"] for row in self.server().list()])
        viewer = self.server("viewer:look@")
        self.assertIn("ECHO", [row["label"] for row in viewer.list()])
        for call in (
            lambda: viewer.rename("ECHO", "x"),
            lambda: viewer.at("ECHO", "NI"),
            lambda: viewer.discover(),
            lambda: viewer.frames(True),
        ):
            fault = self.assertRaises(xmlrpc.client.Fault, call)
            self.assertEqual(fault.faultCode, 10)
            self.assertIn("'viewer' may only look", fault.faultString)
        self.assertEqual(viewer.frames()["all"], False)
        for who in ("", "alice:wrong@", "nobody:x@"):
            error = self.assertRaises(xmlrpc.client.ProtocolError, self.server(who).list)
            self.assertEqual(error.errcode, 401)

    def test_curl(self) -> None:
        if shutil.which("curl") is None:
            self.skipTest("curl is not installed")
        for user, status, words in (
            ("alice:sëcret", "200", "<boolean>1</boolean>"),
            ("viewer:look", "200", "may only look"),
            ("viewer:sëcret", "401", "no such user"),
        ):
            done = subprocess.run(
                [
                    *("curl", "-s", "--cacert", self.world.ca, "-u", user, "-w", "%{http_code}"),
                    *("-H", "Content-Type: text/xml", "-d", CALL.format("remove_mapping")),
                    f"https://localhost:{self.port}/RPC2",
                ],
                capture_output=True,
                text=True,
            )
            self.assertTrue(done.stdout.endswith(status), done.stdout + done.stderr)
            self.assertIn(words, done.stdout)
        self.server().create_mapping("ECHO", self.port + 5)

    def test_what_is_open(self) -> None:
        self.assertEqual(self.ask("GET /healthz"), (200, b"ok\n"))
        for path in ("/metrics", "/events", "/live"):
            self.assertEqual(self.ask(f"GET {path}")[0], 401, path)
        self.assertEqual(self.ask("GET /metrics", self.basic("viewer", "look"))[0], 200)

    def zbctl(self, *arguments: str, **environment: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, *ZBCTL, "--url", f"https://localhost:{self.port}/RPC2", *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )
        return done.returncode, done.stdout + done.stderr

    def test_zbctl(self) -> None:
        password = self.world.file("password", "sëcret\n")
        said = ("--ca", self.world.ca, "--user", "alice", "--password-file", password)
        status, text = self.zbctl(*said, "list")
        self.assertEqual(status, 0, text)
        self.assertIn("ECHO", text)
        status, text = self.zbctl("status", *said)
        self.assertEqual(status, 0, text)
        ca = {"ZBCTL_CA": self.world.ca}
        viewer = {**ca, "ZBCTL_USER": "viewer", "ZBCTL_PASSWORD": "look"}
        status, text = self.zbctl("list", **viewer)
        self.assertEqual(status, 0, text)
        status, text = self.zbctl(*("rename", "ECHO", "x"), **viewer)
        self.assertEqual(status, 1)
        self.assertIn("'viewer' may only look", text)
        status, text = self.zbctl("list", **ca)
        self.assertEqual(status, 1)
        self.assertIn("check --user and --password-file", text)
        status, text = self.zbctl("list", **ca, ZBCTL_USER="alice")
        self.assertIn("--user needs a password", text)
        status, text = self.zbctl("list")
        self.assertEqual(status, 3)
        self.assertIn("name that with --ca or ZBCTL_CA", text)
        status, text = self.zbctl("--ca", password, "list")
        self.assertIn("cannot be used as a certificate", text)


class Streams(LoginTestCase):
    def open(self, path: str) -> tuple[int, ssl.SSLSocket, WSConnection]:
        connection = self.connect()
        websocket = WSConnection(ConnectionType.CLIENT)
        connection.sendall(websocket.send(Request(host=f"localhost:{self.port}", target=path)))
        while True:
            websocket.receive_data(connection.recv(65536))
            for event in websocket.events():
                if isinstance(event, AcceptConnection):
                    return 101, connection, websocket
                if isinstance(event, RejectConnection):
                    return event.status_code, connection, websocket

    def text(self, connection: ssl.SSLSocket, websocket: WSConnection) -> str:
        said = ""
        while True:
            for event in websocket.events():
                if isinstance(event, TextMessage):
                    said += event.data
                    if event.message_finished:
                        return said
            websocket.receive_data(connection.recv(65536))

    def ticket(self, name: str, word: str) -> str:
        token = self.told("/login", self.basic(name, word))["token"]
        return str(self.told("/ticket", f"Authorization: Bearer {token}")["ticket"])

    def test_a_ticket_opens_a_websocket_once(self) -> None:
        ticket = self.ticket("alice", "sëcret")
        status, connection, websocket = self.open(f"/live?ticket={ticket}")
        self.assertEqual(status, 101)
        self.assertIn('"snapshot"', self.text(connection, websocket))
        self.assertEqual(self.open(f"/live?ticket={ticket}")[0], 401)
        self.assertEqual(self.open("/live")[0], 401)

    def test_who_may_only_look_has_no_terminal(self) -> None:
        address = "0013a200400a3e03"
        for what in ("terminal", "tap"):
            status, connection, websocket = self.open(
                f"/{what}/{address}?ticket={self.ticket('viewer', 'look')}"
            )
            self.assertEqual(status, 101)
            said = json.loads(self.text(connection, websocket))
            self.assertIn("may only look", said["reason"])
            # So the page does not try again and again.
            self.assertIs(said["retry"], False)
            status, connection, websocket = self.open(
                f"/{what}/{address}?ticket={self.ticket('alice', 'sëcret')}"
            )
            self.assertIn("open", self.text(connection, websocket))

    def test_a_stream_ends_when_users_change(self) -> None:
        ticket = self.ticket("alice", "sëcret")
        _, connection, _ = self.open(f"/live?ticket={ticket}")
        users = Path(self.world.users)
        before = users.read_text()
        users.write_text(before + line_of("carol", "new") + "\n")
        self.world.gateway.process.send_signal(signal.SIGHUP)
        with self.assertRaises(OSError):
            while connection.recv(65536):
                pass
            raise ConnectionResetError
        wait_until(
            lambda: self.ask("GET /metrics", self.basic("carol", "new"))[0] == 200, "carol is in"
        )
        users.write_text(before)
        self.assertEqual(self.ask("GET /metrics", self.basic("carol", "new"))[0], 401)


class Certificates(LoginTestCase):
    def serial(self) -> bytes:
        connection = self.connect()
        return connection.getpeercert(binary_form=True) or b""

    def test_a_new_certificate_counts_without_a_restart(self) -> None:
        before = self.serial()
        time.sleep(0.01)
        self.world.issue()
        wait_until(lambda: self.serial() != before, "the new certificate")

    def test_the_networks(self) -> None:
        """A node's port and the control port turn away whoever may not connect."""
        port = self.world.gateway
        self.assertEqual(self.ask("GET /healthz")[0], 200)
        self.addCleanup(self.world.configure)
        self.world.configure('allow = ["10.99.99.0/24"]\ncontrol-allow = ["127.0.0.1"]\n')
        port.process.send_signal(signal.SIGHUP)
        port.wait_for("has changed: allow, control-allow")
        self.assertEqual(self.ask("GET /healthz")[0], 200)
        with (
            self.assertRaises(ConnectionResetError),
            socket.create_connection(("127.0.0.1", self.port + 1), timeout=PATIENCE) as client,
        ):
            # It may be reset before it is known here that it was there.
            client.recv(1)
        self.world.configure('control-allow = ["10.99.99.0/24"]\n')
        port.process.send_signal(signal.SIGHUP)
        wait_until(self.is_turned_away, "the control port turns away")
        self.world.configure()
        port.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not self.is_turned_away(), "the control port is open again")
        self.assertNotIn("Traceback", port.output)

    def is_turned_away(self) -> bool:
        try:
            return self.ask("GET /healthz")[0] != 200
        except (ConnectionResetError, ssl.SSLError, IndexError):
            return True


class Starting(SynchronousTestCase):
    """What the program says before it begins."""

    def start(self, *options: str) -> tuple[int, str]:
        gateway = Gateway(QUICK, *options, program=ZBGATE)
        status, output = gateway.finish()
        assert gateway.process.stdout is not None
        gateway.process.stdout.close()
        return status, output

    def test_open_without_users(self) -> None:
        status, output = self.start("--interface", "0.0.0.0")
        self.assertEqual(status, 78, output)
        self.assertIn("--interface lets other computers reach the control interface", output)
        self.assertIn("--no-auth", output)

    def test_a_kind_that_is_none(self) -> None:
        status, output = self.start("--auth", "nothing:x")
        self.assertEqual(status, 78, output)
        self.assertIn("there is no kind nothing", output)

    def test_kinds(self) -> None:
        """Twisted's own list of what --auth takes has ours in it."""
        _, output = self.start("--help-auth")
        self.assertIn("argon2", output)
        self.assertIn("memory", output)


class OwnAuthority(SynchronousTestCase):
    """The commands of docs/security.rst that make a CA and a certificate."""

    def test_documented_commands(self) -> None:
        if shutil.which("openssl") is None:
            self.skipTest("openssl is not installed")
        (block,) = (block for block in blocks_of(DOCS / "security.rst") if "openssl" in block.text)
        self.assertEqual(len(block.lines), 2)
        directory = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(directory, "tls"))
        for line in block.lines:
            done = subprocess.run(shlex.split(line), cwd=directory, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        port = free_ports(8)
        gateway = Gateway(
            QUICK,
            *("--control", f"tls:{directory}/tls:port={port}:interface=127.0.0.1"),
            *("--base-port", str(port + 1), "--auth", "memory:alice:secret"),
            control=port,
            program=ZBGATE,
        )
        self.addCleanup(gateway.stop)
        gateway.wait_for("ECHO is on port")
        context = ssl.create_default_context(cafile=os.path.join(directory, "ca.pem"))
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        for host in ("localhost", "127.0.0.1"):
            api: Any = xmlrpc.client.ServerProxy(
                f"https://alice:secret@{host}:{port}/RPC2", context=context
            )
            self.assertIn("ECHO", [row["label"] for row in api.list()])
