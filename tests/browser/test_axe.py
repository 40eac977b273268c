"""axe-core finds nothing in any state of the page, light or dark."""

from __future__ import annotations

from tests.browser import axe, test_login
from tests.browser.support import Page, missing, wait_until
from tests.browser.test_list import ListTestCase
from tests.system.support import Gateway, is_listening


class AxeTestCase(ListTestCase):
    skip = missing() or axe.missing() or None

    def assertUsable(self, page: Page, state: str) -> None:
        """Let axe-core look at the page as it is now."""
        axe.check(self, page, state)


class ListStates(AxeTestCase):
    def test_list(self) -> None:
        # Some of the nodes: those that are alike need not be looked at again and again.
        page = self.open(q="echo1")
        self.assertUsable(page, "list")
        for width in (800, 390):
            page.size(width, 844)
            self.assertUsable(page, f"list, {width} pixels")

    def test_filtered(self) -> None:
        page = self.open(q="echo", sort="-port", health="ok")
        self.assertUsable(page, "filtered")

    def test_nothing_matches(self) -> None:
        page = self.open()
        page.id("filter").send_keys("nobody is called that")
        self.assertUsable(page, "nothing matches")

    def test_menus(self) -> None:
        page = self.open(q="echo1")
        for menu in ("facts-menu", "columns-menu", "export-menu", "more-menu"):
            page.unfold(menu)
            self.assertUsable(page, menu)
            # A click elsewhere folds it.
            page.find("h1")[0].click()

    def test_empty(self) -> None:
        gateway = Gateway("sim:nodes=0:nt=0.3")
        self.addCleanup(gateway.stop)
        wait_until(lambda: is_listening(gateway.control), "the control port")
        page = Page(f"http://127.0.0.1:{gateway.control}/")
        page.size(1280)
        page.wait_text("no-nodes", "No node is known yet")
        self.assertUsable(page, "no nodes")
        gateway.stop()
        page.wait_text("banner", "The connection to the gateway is lost")
        self.assertUsable(page, "no connection")

    def test_radio_is_down(self) -> None:
        gateway = Gateway("/dev/there-is-no-radio")
        self.addCleanup(gateway.stop)
        wait_until(lambda: is_listening(gateway.control), "the control port")
        page = Page(f"http://127.0.0.1:{gateway.control}/")
        page.size(1280)
        page.wait_text("radio-problem", "There is no serial port")
        self.assertUsable(page, "no radio")

    def test_log(self) -> None:
        page = self.open(view="log")
        page.wait_text("log-lines", "is on port")
        self.assertUsable(page, "log")

    def test_network(self) -> None:
        page = self.open(view="network")
        page.wait_text("picture-text", "nodes")
        self.assertUsable(page, "network")
        page.click("neighbours-on")
        page.script("document.querySelector('.network .node').focus()")
        self.assertUsable(page, "network, a way and neighbours")


class Login(AxeTestCase):
    def test_login(self) -> None:
        page = Page(test_login.World.get().url)
        page.wait_until_it_asks_who()
        self.assertUsable(page, "login")
