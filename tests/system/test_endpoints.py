"""What else leads to a node than its port: the real program, and other people's clients."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support import left_out
from tests.system.forked import ZBGATE
from tests.system.support import (
    PATIENCE,
    QUICK,
    Gateway,
    Program,
    free_ports,
    is_listening,
    is_listening_at,
    wait_until,
)

# It is the same with every Python.
skip = left_out() or None

SIMULATED = f"{QUICK}:nodes=2:kinds=echo"


def certificate(directory: str) -> str:
    """Make a key and a certificate for localhost; return the path of the file that has both."""
    path = os.path.join(directory, "server.pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", path, "-out", f"{path}.certificate"),
        ],
        check=True,
        capture_output=True,
    )
    with open(path, "a") as file:
        file.write(Path(f"{path}.certificate").read_text())
    return path


def ask(address: str, question: bytes) -> bytes:
    """Have socat say something, and return what it is answered: as many bytes."""
    client = subprocess.Popen(
        ["socat", "-", address],  # noqa: S607
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert client.stdin is not None and client.stdout is not None
    end = threading.Timer(PATIENCE, client.kill)
    end.start()
    with client:
        client.stdin.write(question)
        client.stdin.flush()
        answer = client.stdout.read(len(question))
        client.stdin.close()
    end.cancel()
    return answer


class EndpointTestCase(SynchronousTestCase):
    skip = None if shutil.which("socat") and shutil.which("openssl") else "needs socat and openssl"

    def setUp(self) -> None:
        self.directory = tempfile.mkdtemp(prefix="zbtwist-test-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.config = os.path.join(self.directory, "zbtwist.toml")
        self.first = free_ports(6)

    def write(self, listen: str, serial: str = SIMULATED, more: str = "") -> None:
        Path(self.config).write_text(
            f"""
            serial = "{serial}"
            control = {self.first}
            base-port = {self.first + 1}
            state = ":memory:"
            {more}
            [[node]]
            label = "ECHO"
            {listen}
            """
        )

    def start(self) -> Gateway:
        gateway = Gateway(None, "--config", self.config, control=self.first, program=ZBGATE)
        self.addCleanup(gateway.stop)
        gateway.nodes(2)
        return gateway

    def shown(self, gateway: Gateway) -> list[Any]:
        endpoints: list[Any] = gateway.api.show("ECHO")["endpoints"]
        return endpoints


class ListeningTests(EndpointTestCase):
    def test_every_kind(self) -> None:
        key = certificate(self.directory)
        tls, six = self.first + 4, self.first + 5
        path = os.path.join(self.directory, "echo")
        texts = (
            f"ssl:{tls}:privateKey={key}:interface=127.0.0.1",
            f"tcp:{six}:interface=\\:\\:1:protocol=raw",
            f"unix:{path}:mode=600",
        )
        self.write(f"listen = {list(texts)}".replace("\\\\", "\\"))
        gateway = self.start()
        wait_until(lambda: len(self.shown(gateway)) == 3, "all are there")
        for address in (
            f"OPENSSL:localhost:{tls},cafile={key}.certificate,pf=ip4",
            f"TCP6:[::1]:{six}",
            f"UNIX-CONNECT:{path}",
            f"TCP:127.0.0.1:{gateway.nodes(2)['ECHO']['tcp_port']}",
        ):
            self.assertEqual(ask(address, b"hello"), b"hello", address)
        self.assertEqual({row["state"] for row in self.shown(gateway)}, {"listening"})
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(gateway.stop() < PATIENCE, True)
        self.assertFalse(os.path.exists(path))

    def test_one_that_is_taken_is_had_later(self) -> None:
        with socket.create_server(("127.0.0.1", self.first + 4)):
            self.write(f'listen = "tcp:{self.first + 4}:interface=127.0.0.1"')
            gateway = self.start()
            gateway.wait_for("lacks an endpoint")
            (row,) = [row for row in gateway.api.list() if row["label"] == "ECHO"]
            self.assertIn("another program has it", row["state_text"])
            self.assertEqual((row["state"], gateway.api.status()["problems"]), ("listening", 1))
            self.assertEqual(self.shown(gateway)[0]["state"], "taken")
        wait_until(lambda: self.shown(gateway)[0]["state"] == "listening", "it is open")
        self.assertEqual(ask(f"TCP:127.0.0.1:{self.first + 4}", b"hello"), b"hello")
        self.assertEqual(gateway.api.status()["problems"], 0)

    def test_a_new_configuration(self) -> None:
        first, second = (os.path.join(self.directory, name) for name in "ab")
        self.write(f'listen = ["unix:{first}"]')
        gateway = self.start()
        wait_until(lambda: is_listening_at(first), "the first")
        with socket.socket(socket.AF_UNIX) as stays, socket.socket(socket.AF_UNIX) as goes:
            stays.connect(first)
            self.write(f'listen = ["unix:{first}", "unix:{second}"]')
            gateway.process.send_signal(signal.SIGHUP)
            wait_until(lambda: is_listening_at(second), "the second")
            goes.connect(second)
            stays.sendall(b"hello")
            for each in (stays, goes):
                each.settimeout(PATIENCE)
                self.assertEqual(each.recv(100), b"hello")
            self.write(f'listen = ["unix:{first}"]')
            gateway.process.send_signal(signal.SIGHUP)
            self.assertEqual(goes.recv(100), b"")
            stays.sendall(b"again")
            self.assertEqual(stays.recv(100), b"again")
        wait_until(lambda: not os.path.exists(second), "nothing is left of the second")

    def test_for_all_nodes(self) -> None:
        self.write("", more=f'listen = "unix:{self.directory}/{{address}}"')
        gateway = self.start()
        for row in gateway.nodes(2).values():
            path = os.path.join(self.directory, row["addr_extended"].strip("[]!").replace(":", ""))
            wait_until(lambda path=path: is_listening_at(path), path)  # type: ignore[misc]
            self.assertEqual(ask(f"UNIX-CONNECT:{path}", b"hello"), b"hello")

    def test_mistakes_are_said_before(self) -> None:
        self.write('listen = ["tcp:4001:protocol=morse", "tcp:4001"]')
        for more in ((), ("--check",)):
            program = Program(*ZBGATE, "--config", self.config, *more)
            self.addCleanup(program.stop)
            status, output = program.finish()
            self.assertEqual(status, 78)
            self.assertIn(f"{self.config}:9: node[1].listen tcp:4001:protocol=morse", output)


class DatagramTests(EndpointTestCase):
    def test_there_and_back(self) -> None:
        number = self.first + 4
        self.write(f'listen = "udp:{number}:interface=127.0.0.1"')
        gateway = self.start()
        wait_until(lambda: self.shown(gateway), "it is there")
        self.assertEqual(ask(f"UDP4:127.0.0.1:{number}", b"hello"), b"hello")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(PATIENCE)
            peer.connect(("127.0.0.1", number))
            for question in (b"one", b"two", b"three"):
                peer.send(question)
                self.assertEqual(peer.recv(1000), question)
            peer.send(bytes(1000))
            gateway.wait_for("it has 1000 bytes, and a packet has")
            peer.send(bytes(1))
            self.assertEqual(peer.recv(1000), bytes(1))

    def test_named(self) -> None:
        number = self.first + 4
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(PATIENCE)
            peer.bind(("127.0.0.1", 0))
            where = peer.getsockname()[1]
            self.write(f'listen = "udp:{number}:127.0.0.1:{where}:interface=127.0.0.1"')
            gateway = self.start()
            wait_until(lambda: self.shown(gateway), "it is there")
            port = gateway.nodes(2)["ECHO"]["tcp_port"]
            self.assertEqual(ask(f"TCP:127.0.0.1:{port}", b"hello"), b"hello")
            self.assertEqual(peer.recv(1000), b"hello")


class ConnectingTests(EndpointTestCase):
    def server(self) -> socket.socket:
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        server.settimeout(PATIENCE)
        return server

    def accept(self, server: socket.socket) -> socket.socket:
        connection, _ = server.accept()
        self.addCleanup(connection.close)
        connection.settimeout(PATIENCE)
        return connection

    def test_kept_open(self) -> None:
        server = self.server()
        self.write(f'connect = "tcp:127.0.0.1:{server.getsockname()[1]}"')
        gateway = self.start()
        for _ in range(2):
            connection = self.accept(server)
            connection.sendall(b"hello")
            self.assertEqual(connection.recv(1000), b"hello")
            self.assertEqual(self.shown(gateway)[0]["state"], "connected")
            connection.close()
        (row,) = [row for row in gateway.api.list() if row["label"] == "ECHO"]
        self.assertEqual(row["state_text"], "")

    def test_one_that_is_not_there_yet(self) -> None:
        number = self.first + 4
        self.write(f'connect = "tcp:127.0.0.1:{number}"')
        gateway = self.start()
        gateway.wait_for("is not connected: Connection was refused by other side")
        (row,) = [row for row in gateway.api.list() if row["label"] == "ECHO"]
        self.assertIn("is not connected", row["state_text"])
        with socket.create_server(("127.0.0.1", number)) as server:
            server.settimeout(PATIENCE)
            connection = self.accept(server)
            connection.sendall(b"hello")
            self.assertEqual(connection.recv(1000), b"hello")

    def test_for_data(self) -> None:
        server = self.server()
        self.write(f'connect = "tcp:127.0.0.1:{server.getsockname()[1]}:open=data:idle=1"')
        gateway = self.start()
        wait_until(lambda: self.shown(gateway)[0]["state"] == "idle", "it waits for data")
        port = gateway.nodes(2)["ECHO"]["tcp_port"]
        for question in (b"hello", b"again"):
            self.assertEqual(ask(f"TCP:127.0.0.1:{port}", question), question)
            connection = self.accept(server)
            self.assertEqual(connection.recv(1000), question)
            self.assertEqual(connection.recv(1000), b"", "it is closed in order")
            connection.close()
        gateway.stop()

    def test_tls(self) -> None:
        """The server must have a certificate that is trusted."""
        key, number = certificate(self.directory), self.first + 4
        trusted = os.path.join(self.directory, "trusted")
        os.mkdir(trusted)
        server = subprocess.Popen(
            [
                *("openssl", "s_server", "-quiet", "-rev", "-key", key),
                *("-cert", f"{key}.certificate", "-accept", f"127.0.0.1:{number}"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        wait_until(lambda: is_listening(number), "the server is there")
        self.write(f'connect = "tls:localhost:{number}:trustRoots={trusted}"')
        gateway = self.start()
        gateway.wait_for("certificate verify failed")
        shutil.copy(f"{key}.certificate", os.path.join(trusted, "server.pem"))
        self.write(f'connect = "tls:localhost:{number}:trustRoots={trusted}:timeout=10"')
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.shown(gateway)[0]["state"] == "connected", "it is connected")
        port = gateway.nodes(2)["ECHO"]["tcp_port"]
        # What the node says goes to the server, too, which says it backwards.
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.settimeout(PATIENCE)
            client.sendall(b"abc\n")
            heard = b""
            while b"cba" not in heard:
                heard += client.recv(100)


class BroadcastTests(EndpointTestCase):
    def test_all_nodes_hear_it(self) -> None:
        """And, if that is wanted, it hears all of them."""
        number = self.first + 4
        self.write("", more=f"broadcast = {number}\nbroadcast-hears = true")
        gateway = self.start()
        wait_until(lambda: is_listening(number), "it listens")
        clients = [
            socket.create_connection(("127.0.0.1", row["tcp_port"]))
            for row in gateway.nodes(2).values()
        ]
        with socket.create_connection(("127.0.0.1", number)) as everybody:
            everybody.settimeout(PATIENCE)
            everybody.sendall(b"hello")
            heard = b""
            while len(heard) < 10:
                heard += everybody.recv(100)
            self.assertEqual(heard, b"hellohello")
            for client in clients:
                client.settimeout(PATIENCE)
                self.assertEqual(client.recv(100), b"hello")
                client.close()


class SystemdTests(EndpointTestCase):
    skip = None if shutil.which("systemd-socket-activate") else "needs systemd-socket-activate"

    def test_socket_of_systemd(self) -> None:
        opened = self.first + 4
        self.write('listen = "systemd:domain=INET:name=node"')
        gateway = Gateway(
            None, control=self.first, program=("-c", _ACTIVATED, str(opened), self.config)
        )
        self.addCleanup(gateway.stop)
        gateway.wait_for("Listening on")
        # It is the first connection for which it starts the program.
        with socket.create_connection(("127.0.0.1", opened)) as client:
            client.settimeout(PATIENCE)
            gateway.nodes(2)
            wait_until(lambda: self.shown(gateway), "it was taken")
            client.sendall(b"hello")
            self.assertEqual(client.recv(100), b"hello")
            self.assertEqual(self.shown(gateway)[0]["state"], "listening")


_ACTIVATED = """
import os, sys
_, port, config = sys.argv
os.execvp("systemd-socket-activate", [
    "systemd-socket-activate", "-l", f"127.0.0.1:{port}", "-E", "PYTHONPATH", "--fdname=node",
    sys.executable, "-m", "zbtwist", "--config", config,
])
"""
