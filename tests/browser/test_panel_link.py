"""A test of the way to a node, in its panel: ended before all packets were sent."""

from __future__ import annotations

from tests.browser.support import wait_until
from tests.browser.test_panel import PanelTestCase


class LinkTestTests(PanelTestCase):
    """A test of the way can be ended, by whoever sees it."""

    def test_end(self) -> None:
        page = self.open_node("METER")
        self.assertFalse(page.id("test-end").is_displayed())
        page.select("test-count", "200")
        page.click("test")
        page.wait_text("test-result", "of 200 sent")
        page.click("test-end")
        said = page.wait_text("test-result", "It was ended before all were sent.")
        self.assertIn("packets came back", said)
        self.assertFalse(self.api.test_result("METER")["running"])
        wait_until(lambda: not page.id("test-end").is_displayed(), "the end of the button")
        # Who pressed it has the focus where the next test begins.
        self.assertEqual(page.script("return document.activeElement.id"), "test")
        page.select("test-count", "3")
        page.click("test")
        page.wait_text("test-result", "3 of 3 packets came back")

    def test_end_that_of_another(self) -> None:
        page = self.open_node("METER")
        page.select("test-count", "200")
        page.click("test")
        page.wait_text("test-result", "of 200 sent")
        first = page.driver.current_window_handle
        self.addCleanup(page.close_tabs)
        page.new_tab()
        page.open_node("METER")
        page.wait_text("test-result", "of 200 sent")
        page.click("test-end")
        page.wait_text("test-result", "It was ended before all were sent.")
        page.driver.switch_to.window(first)
        page.wait_text("test-result", "It was ended before all were sent.")
        self.assertNotIn("error", page.id("test-result").get_attribute("class"))
