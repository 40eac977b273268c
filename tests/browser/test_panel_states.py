"""axe-core finds nothing in any state of the panel, light or dark."""

from __future__ import annotations

from tests.browser.support import Page
from tests.browser.test_axe import AxeTestCase
from tests.browser.test_panel import PanelWorld


class PanelStates(AxeTestCase):
    def setUp(self) -> None:
        world = PanelWorld.get()
        world.port("ECHO")
        self.control = world.gateway.control

    def open_node(self, tab: str = "") -> Page:
        page = self.open()
        page.open_node("ECHO")
        if tab:
            page.click(f"tab-{tab}")
        return page

    def test_overview(self) -> None:
        page = self.open_node()
        # It may be losing what another test has sent.
        page.wait_text("node-why", "since")
        self.assertUsable(page, "overview")
        page.click("rename-open")
        page.click("port-change")
        page.click("unbind")
        page.wait_text("unbind-text", "forget")
        self.assertUsable(page, "a question")
        page.click("unbind-no")
        page.click("test")
        page.wait_text("test-result", "packets came back")
        for width in (800, 390):
            page.size(width, 844)
            self.assertUsable(page, f"overview, {width} pixels")

    def test_settings(self) -> None:
        page = self.open_node("settings")
        self.assertUsable(page, "settings that were never read")
        page.click("settings-read")
        page.wait_text("settings", "DIO1")
        self.assertUsable(page, "settings")
        page.find("#settings [data-command=BD] .value button")[0].click()
        page.script("document.getElementById('apply-part').open = true")
        page.click("apply-own")
        page.wait_text("apply-source", "The settings of ECHO")
        page.script("document.getElementById('replace-part').open = true")
        self.assertUsable(page, "settings that are changed and applied")

    def test_others(self) -> None:
        page = self.open_node("io")
        page.click("sample")
        page.wait_text("pins", "supply")
        for tab in ("io", "frames", "happened", "terminal"):
            page.click(f"tab-{tab}")
            self.assertUsable(page, tab)
