"""Listening Unix sockets, on real ones."""

from __future__ import annotations

import os
import socket
import stat

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, UNIXServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.trial.unittest import TestCase

from tests.clock import MemoryReactorClock
from tests.runtime.support import Heard, socket_path
from tests.support import present, record_log
from zbtwist.runtime.listen_errors import advice
from zbtwist.runtime.server_endpoint import server_from_string


class QuietUNIXPortTests(TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor = reactor
        self.path = socket_path(self)
        self.heard: Deferred[bytes] = Deferred()
        self.factory = Factory.forProtocol(lambda: Heard(self.heard))
        self.factory.noisy = False

    async def check_works(self, words: str = "") -> None:
        """It listens, accepts, and leaves nothing behind."""
        endpoint = server_from_string(self.reactor, f"unix:{self.path}{words}")
        listening = await endpoint.listen(self.factory)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.path)
            client.sendall(b"hello")
            self.assertEqual(await self.heard, b"hello")
        await present(listening.stopListening())
        self.assertEqual(os.listdir(os.path.dirname(self.path)), [])

    async def check_fails(self, words: str = "") -> CannotListenError:
        endpoint = server_from_string(self.reactor, f"unix:{self.path}{words}")
        with self.assertRaises(CannotListenError) as caught:
            await endpoint.listen(self.factory)
        exception: CannotListenError = caught.exception
        return exception

    async def test_quiet(self) -> None:
        """Nothing is logged when it cannot be had, is had, or closes."""
        log = record_log(self)
        os.mkdir(self.path)
        await self.check_fails()
        os.rmdir(self.path)
        await self.check_works()
        self.assertEqual(log.events, [])

    async def test_tried_again(self) -> None:
        """It can be had as soon as what was in the way is gone, and each try says why it failed."""
        for words in ("", ":lockfile=0"):
            self.heard = Deferred()
            with open(self.path, "w"):
                pass
            for _ in range(2):
                error = await self.check_fails(words)
                self.assertIn("another program has it", advice(error))
                self.assertEqual(os.listdir(os.path.dirname(self.path)), ["node"])
            os.remove(self.path)
            await self.check_works(words)

    async def test_no_directory(self) -> None:
        self.path = os.path.join(os.path.dirname(self.path), "none", "node")
        self.assertIn("its directory is not there", advice(await self.check_fails()))

    async def test_another_has_it(self) -> None:
        endpoint = server_from_string(self.reactor, f"unix:{self.path}")
        listening = await endpoint.listen(self.factory)
        self.assertIn("another program has it", advice(await self.check_fails()))
        # The other one is as it was.
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.path)
            client.sendall(b"x")
            self.assertEqual(await self.heard, b"x")
        await present(listening.stopListening())

    async def test_left_behind(self) -> None:
        """What a killed program leaves is not in the way; what is no socket is not removed."""
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.path)
        # No process has this number: it is above the highest that there can be.
        os.symlink(str(1 << 30), f"{self.path}.lock")
        await self.check_works()
        with open(self.path, "w") as file:
            file.write("precious")
        os.symlink(str(1 << 30), f"{self.path}.lock")
        await self.check_fails()
        with open(self.path) as file:
            self.assertEqual(file.read(), "precious")

    async def test_mode(self) -> None:
        endpoint = server_from_string(self.reactor, f"unix:{self.path}:mode=600")
        listening = await endpoint.listen(self.factory)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        await present(listening.stopListening())

    def test_others_are_twisteds(self) -> None:
        memory = MemoryReactorClock()
        self.assertIsInstance(server_from_string(memory, "unix:/x"), UNIXServerEndpoint)
        self.assertIsInstance(server_from_string(memory, "tcp:0"), TCP4ServerEndpoint)
        with self.assertRaises(ValueError):
            server_from_string(self.reactor, "fnord:1")
