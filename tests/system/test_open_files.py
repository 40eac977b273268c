"""The gateway when it may open no more files, with connections that come and come."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from typing import Any

from twisted.trial.unittest import TestCase

from tests.support import left_out
from tests.system.support import (
    PATIENCE,
    Gateway,
    free_ports,
    is_listening,
    is_listening_at,
    wait_until,
)

# It is the same with every Python.
skip = left_out() or None

#: How many files it may open.
LIMIT = 64

#: zbgate with that limit.
_LIMITED = (
    "-c",
    f"""if True:
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, ({LIMIT}, {LIMIT}))
        from zbtwist.app.command import main
        main()
    """,
)

#: How many clients come.
CLIENTS = 2 * LIMIT


#: A connection that hears its echo.
_OPEN = "it is open"


def _end_of(client: socket.socket) -> object:
    """How a connection ended: by an exception of that class, or None for in good order."""
    try:
        return _OPEN if client.recv(1) else None
    except OSError as error:
        return type(error)


class NoFilesLeftTests(TestCase):
    def setUp(self) -> None:
        directory = tempfile.mkdtemp(prefix="zbtwist-test-")
        self.unix = os.path.join(directory, "node")
        self.six = free_ports(1)
        config = os.path.join(directory, "zbtwist.toml")
        with open(config, "w") as file:
            file.write(
                '[[node]]\nlabel = "ECHO2"\n'
                f'endpoint = "tcp6:{self.six}:interface=\\\\:\\\\:1"\n'
                f'[[node]]\nlabel = "ECHO3"\nendpoint = "unix:{self.unix}"\n'
            )
        self.gateway = Gateway(
            "sim:nodes=3:kinds=echo:nt=0.3:interval=0.2",
            *("--config", config),
            program=_LIMITED,
        )
        self.addCleanup(self.gateway.stop)
        # What clients were told when they connected or wrote.
        self.told: dict[socket.socket, type[ConnectionError]] = {}
        wait_until(lambda: is_listening_at(self.unix), "the Unix socket")
        wait_until(lambda: is_listening(self.gateway.base_port), "the first node's port")
        wait_until(self.listens_on_six, "the port of IPv6")
        self.four = self.gateway.base_port

    def listens_on_six(self) -> bool:
        with socket.socket(socket.AF_INET6) as probe:
            return probe.connect_ex(("::1", self.six)) == 0

    def crowd(self, family: int, address: Any) -> list[socket.socket]:
        """Connect many clients, each of which says something."""
        clients = []
        for _ in range(CLIENTS):
            client = socket.socket(family)
            self.addCleanup(client.close)
            try:
                client.connect(address)
                client.settimeout(PATIENCE)
                client.sendall(b"!")
            except ConnectionError as error:
                # It was reset before it had said anything, and is told so once.
                self.told[client] = type(error)
            clients.append(client)
        return clients

    def ended(self, clients: list[socket.socket]) -> list[object]:
        """How those ended that have."""
        ends = [self.told.get(client) or _end_of(client) for client in clients]
        return [end for end in ends if end is not _OPEN]

    def check(self, family: int, address: Any) -> None:
        clients = self.crowd(family, address)
        # What has files kept back answers, and the rest is over soon.
        for _ in range(3):
            self.assertEqual(self.gateway.api.status()["nodes"], 3)
        ends = self.ended(clients)
        self.assertGreater(len(ends), LIMIT)
        self.assertLess(len(ends), CLIENTS)
        if family != socket.AF_UNIX:
            self.assertLessEqual(set(ends), {ConnectionResetError, BrokenPipeError})
        self.gateway.api.create_mapping("00:13:a2:00:40:0a:3e:77", self.gateway.base_port + 5)
        # Behind what it has said of those.
        self.gateway.wait_for(f"port {self.gateway.base_port + 5}")
        said = self.gateway.output
        self.assertEqual(said.count("may open no more files. Let it open more"), 1)
        self.assertNotIn("EMFILE", said)
        self.assertNotIn("Traceback", said)
        self.assertLess(len(said.splitlines()), 3 * LIMIT)
        for client in clients:
            client.close()
        wait_until(lambda: self.gateway.api.status()["clients"] == 0, "they are gone")

    def test_ipv4(self) -> None:
        self.check(socket.AF_INET, ("127.0.0.1", self.four))

    def test_ipv6(self) -> None:
        self.check(socket.AF_INET6, ("::1", self.six))

    def test_unix(self) -> None:
        self.check(socket.AF_UNIX, self.unix)

    def test_control_port(self) -> None:
        """It is not reached while others have all that there is for it, and it does not spin."""
        crowd = self.crowd(socket.AF_INET, ("127.0.0.1", self.gateway.control))
        with (
            contextlib.suppress(ConnectionError),
            socket.create_connection(("127.0.0.1", self.four), timeout=PATIENCE) as client,
        ):
            client.sendall(b"!")
            client.recv(1)
        self.gateway.wait_until_asleep()
        for one in crowd:
            one.close()
        self.assertEqual(self.gateway.api.status()["nodes"], 3)
        self.gateway.stop()
        self.assertEqual(self.gateway.output.count("may open no more files. Let it"), 1)
