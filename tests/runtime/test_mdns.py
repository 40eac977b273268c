"""Announcing, in a thread of its own, on the network that every computer has."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.support import record_log
from zbtwist.runtime import mdns
from zbtwist.runtime.mdns import Announced, Announcements
from zbtwist.runtime.option import Context, Mistake


class AnnouncementsTests(TestCase):
    def start(self, interface: str = "127.0.0.1") -> Announcements:
        announcements = Announcements(reactor, interface)
        announcements.start()
        self.addCleanup(announcements.stop)
        return announcements

    async def test_one_that_cannot_be_announced(self) -> None:
        """The others are, and it is said."""
        from zeroconf.asyncio import AsyncZeroconf

        registered: list[str] = []
        both: Deferred[None] = Deferred()
        here: Any = reactor

        async def register(zeroconf: Any, info: Any, **more: Any) -> Any:
            registered.append(info.name)
            here.callFromThread(both.callback, None)
            return _nothing()

        self.patch(AsyncZeroconf, "async_register_service", register)
        log = record_log(self)
        announcements = self.start()
        announcements.announce(
            [Announced("y" * 80, "_iostream._tcp", 1), Announced("x", "_iostream._tcp", 2)]
        )
        await both
        await announcements.stop()
        self.assertEqual(registered, ["x._iostream._tcp.local."])
        self.assertIn(f"(zeroconf): {'y' * 80}: Too long", log.lines()[0])

    async def test_nowhere(self) -> None:
        """Where nothing can be announced that is said, and it ends as always."""
        said: Deferred[str] = Deferred()

        class Told(Announcements):
            def _say(self, problem: str) -> None:
                if problem and not said.called:
                    said.callback(problem)

        announcements = Told(reactor, "192.0.2.200")
        announcements.start()
        self.assertIn("device", await said)
        await announcements.stop()

    async def test_stopped_before_it_began(self) -> None:
        await Announcements(reactor, "127.0.0.1").stop()
        await self.start().stop()

    def test_addresses(self) -> None:
        self.assertEqual(mdns._addresses("10.0.0.1"), ["10.0.0.1"])
        try:
            found = mdns._addresses("0.0.0.0")
        except OSError as error:
            self.assertIn("no address in a network", str(error))
        else:
            self.assertNotIn("127.0.0.1", found)
            for address in found:
                socket.inet_aton(address)

    def test_without_the_package(self) -> None:
        self.patch(mdns, "find_spec", lambda name: None)
        with self.assertRaises(Mistake) as caught:
            mdns.is_wanted("True", Context(None, "/"))
        self.assertIn("install zbtwist again as before, with '.[zeroconf]'", str(caught.exception))
        self.assertFalse(mdns.is_wanted("False", Context(None, "/")))


async def _nothing() -> None:
    pass
