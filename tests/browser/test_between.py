"""What stands between the console and the gateway, or in the page's address."""

from __future__ import annotations

import atexit
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.browser.proxy import Proxy
from tests.browser.support import Page, Shared, browser, missing
from tests.system.support import QUICK, Gateway


class World(Shared):
    """A gateway without users, and one with them, which all tests share."""

    def __init__(self) -> None:
        self.gateway = Gateway(QUICK)
        self.closed = Gateway(QUICK, "--auth", "memory:alice:secret")
        for gateway in (self.gateway, self.closed):
            atexit.register(gateway.stop)
            gateway.wait_for("ECHO is on port")


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


class BrowserTests(SynchronousTestCase):
    if missing():
        skip = missing()

    def test_no_signals_with_a_timeout(self) -> None:
        """As in Safari before 16, Chrome before 103 and Firefox before 100."""
        page = Page(f"http://127.0.0.1:{World.get().gateway.control}/")
        command = page.driver.execute_cdp_cmd
        script = {"source": "delete AbortSignal.timeout"}
        added = command("Page.addScriptToEvaluateOnNewDocument", script)
        self.addCleanup(command, "Page.removeScriptToEvaluateOnNewDocument", added)
        page.driver.refresh()
        self.assertEqual(page.script("return typeof AbortSignal.timeout"), "undefined")
        page.row("ECHO")


class ProxyTests(SynchronousTestCase):
    if missing():
        skip = missing()

    def proxy(self, gateway: Gateway | None = None, **rules: Any) -> Proxy:
        proxy = Proxy((gateway or World.get().gateway).control, **rules)
        self.addCleanup(proxy.close)
        # One browser has all tests, and cookies know no ports.
        self.addCleanup(browser().delete_all_cookies)
        return proxy

    def test_a_password_of_its_own(self) -> None:
        """Also before a gateway with users, which counts no wrong one for that."""
        for gateway in (World.get().gateway, World.get().closed):
            proxy = self.proxy(gateway, wants="bob:word", folder="/zb/")
            page = Page(f"http://bob:word@localhost:{proxy.port}/zb/")
            if gateway is World.get().closed:
                page.wait_until_it_asks_who()
                page.log_in("alice", "secret")
            page.row("ECHO")
            page.open_terminal("ECHO")
            page.wait_text("terminal-state", "open")
            self.assertFalse(page.asks_who())
            self.assertNotIn("wrong name or password", gateway.output)

    def test_a_cookie_of_its_own(self) -> None:
        for gateway in (World.get().gateway, World.get().closed):
            proxy = self.proxy(gateway, cookie="sso=1")
            page = Page(f"http://localhost:{proxy.port}/")
            if gateway is World.get().closed:
                page.wait_until_it_asks_who()
                page.log_in("alice", "secret")
            page.row("ECHO")

    def test_it_asks_again(self) -> None:
        """It is not the gateway that does."""
        for leads_away in (False, True):
            proxy = self.proxy(cookie="sso=1", passes_websockets=False)
            page = Page(f"http://localhost:{proxy.port}/")
            page.wait_text("banner-text", "rying again")
            proxy.change(cookie="sso=2", leads_away=leads_away)
            page.wait_text("banner-text", "such as a proxy, asks who you are. Reload the page")
            self.assertFalse(page.asks_who())
            proxy.change(passes_websockets=True)
            page.click("reload")
            page.row("ECHO")

    def test_another_host(self) -> None:
        """The browser does not get the page's scripts: it says so, and the log why."""
        gateway = World.get().gateway
        proxy = self.proxy(host=f"127.0.0.1:{gateway.control}")
        page = Page(f"http://localhost:{proxy.port}/")
        said = page.wait_text("banner-text", "The scripts of this page were not loaded.")
        self.assertIn("pass on the header Host", said)
        gateway.wait_for(
            f"page 'http://localhost:{proxy.port}' is refused, since it asks for the host "
            f"'127.0.0.1:{gateway.control}'"
        )
        self.assertEqual(gateway.output.count("is refused, since it asks for the host"), 1)
        # Nobody sees that where they are.
        proxy.change(host="")
        page.driver.refresh()
        page.row("ECHO")
        self.assertEqual(page.text("banner"), "")

    def test_no_websockets(self) -> None:
        proxy = self.proxy(passes_websockets=False)
        page = Page(f"http://localhost:{proxy.port}/")
        page.wait_text("banner-text", "no WebSocket to it opens. A proxy between may not pass them")
        proxy.change(passes_websockets=True)
        page.row("ECHO")
        self.assertEqual(page.text("banner"), "")
