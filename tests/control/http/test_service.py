"""The control port: tried again while it is taken, moved when it is told to."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.support import record_log
from zbtwist.control.http import service
from zbtwist.control.http.service import RETRY, ControlService


class Endpoint:
    """A server endpoint whose port may be taken."""

    def __init__(self, taken: bool = False) -> None:
        self.taken = taken
        self.error: Exception = CannotListenError(
            "127.0.0.1", 27000, OSError(98, "Address already in use")
        )
        self.address: IPv4Address | IPv6Address | UNIXAddress = IPv4Address(
            "TCP", "127.0.0.1", 27000
        )
        self.tries = 0
        self.listening = False

    def getHost(self) -> IPv4Address | IPv6Address | UNIXAddress:
        return self.address

    def listen(self, factory: Any) -> Deferred[Any]:
        self.tries += 1
        if self.taken:
            return fail(self.error)
        self.listening = True
        return succeed(self)

    def stopListening(self) -> Deferred[None]:
        self.listening = False
        return succeed(None)


class ControlServiceTests(SynchronousTestCase):
    def start(self, endpoint: Endpoint, name: str = "27000") -> None:
        self.clock = Clock()
        site: Any = Factory()
        self.service = ControlService(self.clock, endpoint, site, name)  # type: ignore[arg-type]
        self.log = record_log(self)
        self.service.startService()

    def stop(self) -> None:
        self.service.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def said(self, level: str) -> list[str]:
        return self.log.lines(level)

    def errors(self) -> list[str]:
        return self.said("error")

    def test_listens(self) -> None:
        endpoint = Endpoint()
        self.start(endpoint)
        self.assertTrue(endpoint.listening)
        self.stop()
        self.assertFalse(endpoint.listening)

    def test_says_where_it_is(self) -> None:
        """In lines that can be pasted, wherever it listens."""
        self.patch(service, "zbctl", lambda: "/opt/bin/zbctl")
        for name, address, url in (
            ("28000", IPv4Address("TCP", "127.0.0.1", 28000), "http://127.0.0.1:28000/"),
            ("tcp:28000", IPv4Address("TCP", "0.0.0.0", 28000), "http://127.0.0.1:28000/"),
            ("27000", IPv4Address("TCP", "192.0.2.7", 27000), "http://192.0.2.7:27000/"),
            ("28000", IPv6Address("TCP", "::1", 28000), "http://[::1]:28000/"),
            ("tcp6:28000", IPv6Address("TCP", "::", 28000), "http://127.0.0.1:28000/"),
            ("ssl:28000", IPv4Address("TCP", "0.0.0.0", 28000), "https://127.0.0.1:28000/"),
        ):
            endpoint = Endpoint()
            endpoint.address = address
            self.start(endpoint, name)
            self.assertEqual(
                self.said("info"),
                [
                    f"Open {url} in a browser.",
                    f"List of nodes and ports: /opt/bin/zbctl --url {url}RPC2 list",
                ],
            )
            self.stop()

    def test_zbctl_finds_it_by_itself(self) -> None:
        self.patch(service, "zbctl", lambda: "zbctl")
        self.start(Endpoint())
        self.assertEqual(self.said("info")[1:], ["List of nodes and ports: zbctl list"])
        self.stop()

    def test_port_that_no_browser_opens(self) -> None:
        """Only the console is not to be had there, which is said."""
        endpoint = Endpoint()
        endpoint.address = IPv4Address("TCP", "127.0.0.1", 6667)
        self.patch(service, "zbctl", lambda: "zbctl")
        self.start(endpoint, "6667")
        (warning,) = self.said("warn")
        self.assertIn("Browsers do not open port 6667", warning)
        self.assertIn("--control names another port, such as 27000", warning)
        self.assertEqual(
            self.said("info"),
            ["List of nodes and ports: zbctl --url http://127.0.0.1:6667/RPC2 list"],
        )
        self.stop()

    def test_no_tcp_port(self) -> None:
        endpoint = Endpoint()
        endpoint.address = UNIXAddress("/run/zbtwist")
        self.start(endpoint, "unix:/run/zbtwist")
        self.assertEqual(self.said("info"), ["The control API is on unix:/run/zbtwist."])
        self.stop()

    def test_taken(self) -> None:
        """Said once, tried again, and taken when it is free."""
        endpoint = Endpoint(taken=True)
        self.start(endpoint)
        self.clock.pump([RETRY] * 5)
        self.assertEqual(endpoint.tries, 6)
        (error,) = self.errors()
        self.assertIn("cannot listen on 27000", error)
        self.assertIn("--control", error)
        endpoint.taken = False
        self.clock.advance(RETRY)
        self.assertTrue(endpoint.listening)
        self.stop()

    def test_socket_that_cannot_be_made(self) -> None:
        """Not a taken port, but a directory that is not there: the same."""
        endpoint = Endpoint(taken=True)
        endpoint.error = FileNotFoundError(2, "No such file or directory")
        self.start(endpoint)
        (error,) = self.errors()
        self.assertIn("its directory is not there", error)
        endpoint.taken = False
        self.clock.advance(RETRY)
        self.assertTrue(endpoint.listening)
        self.stop()

    def test_stopped_while_it_waits(self) -> None:
        endpoint = Endpoint(taken=True)
        self.start(endpoint)
        self.stop()

    def test_moved(self) -> None:
        first, second = Endpoint(), Endpoint()
        self.start(first)
        self.service.replace_endpoint(second, "28000")  # type: ignore[arg-type]
        self.assertEqual((first.listening, second.listening), (False, True))
        self.stop()

    def test_moved_while_it_waits(self) -> None:
        first, second = Endpoint(taken=True), Endpoint()
        self.start(first)
        self.service.replace_endpoint(second, "28000")  # type: ignore[arg-type]
        self.assertTrue(second.listening)
        self.clock.advance(RETRY)
        self.assertEqual(first.tries, 1)
        self.stop()


class ZbctlTests(SynchronousTestCase):
    """How a shell calls the zbctl that came with the running program."""

    def setUp(self) -> None:
        self.directory = self.mktemp()
        os.makedirs(os.path.join(self.directory, "an environment"))
        self.zbctl = os.path.abspath(os.path.join(self.directory, "an environment", "zbctl"))
        with open(self.zbctl, "w") as file:
            file.write("#!/bin/sh\n")
        os.chmod(self.zbctl, 0o755)
        self.patch(sys, "argv", [os.path.join(os.path.dirname(self.zbctl), "zbgate")])

    def path(self, value: str) -> None:
        before = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", before)
        os.environ["PATH"] = value

    def test_on_the_path(self) -> None:
        self.path(os.path.dirname(self.zbctl))
        self.assertEqual(service.zbctl(), "zbctl")

    def test_not_on_the_path(self) -> None:
        self.path("/nowhere")
        self.assertEqual(shlex.split(service.zbctl()), [self.zbctl])

    def test_another_one_on_the_path(self) -> None:
        other = os.path.join(self.directory, "zbctl")
        shutil.copy(self.zbctl, other)
        self.path(self.directory)
        self.assertEqual(shlex.split(service.zbctl()), [self.zbctl])

    def test_a_link_to_it_on_the_path(self) -> None:
        """As pipx and uv have them."""
        os.symlink(self.zbctl, os.path.join(self.directory, "zbctl"))
        self.path(self.directory)
        self.assertEqual(service.zbctl(), "zbctl")
