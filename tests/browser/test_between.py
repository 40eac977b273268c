"""What stands between the console and the gateway, or in the page's address."""

from __future__ import annotations

import atexit

from twisted.trial.unittest import SynchronousTestCase

from tests.browser.support import Page, missing
from tests.system.support import QUICK, Gateway


class World:
    """A gateway without users, which all tests share."""

    one: World | None = None

    def __init__(self) -> None:
        self.gateway = Gateway(QUICK)
        atexit.register(self.gateway.stop)
        self.gateway.wait_for("ECHO is on port")

    @classmethod
    def get(cls) -> World:
        if cls.one is None:
            cls.one = World()
        return cls.one


class AddressTests(SynchronousTestCase):
    if missing():
        skip = missing()

    def test_a_bookmark_with_a_password(self) -> None:
        """No browser asks for anything by such an address."""
        place = f"127.0.0.1:{World.get().gateway.control}"
        page = Page(f"http://alice:secret@{place}/")
        page.row("ECHO")
        page.open_terminal("ECHO")
        page.wait_text("terminal-state", "open")
        page.click("panel-close")
        page.find(".views a")[-1].click()
        page.wait_text("log-lines", "ECHO")
        self.assertEqual(page.hosts(), {place, f"alice:secret@{place}"})
        # Nor is it in what a reader may copy.
        links = page.script("return [...document.querySelectorAll('.views a')].map(a => a.href)")
        self.assertEqual(links, [f"http://{place}/?view={v}" for v in ("nodes", "network", "log")])
