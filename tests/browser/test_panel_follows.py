"""The panel keeps up with what others do meanwhile, and with a gateway that restarts."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

from tests.browser.radio import LATE_NAME
from tests.browser.support import Page, wait_until
from tests.browser.test_panel import PanelTestCase
from tests.system.support import Gateway, Program


class OthersTests(PanelTestCase):
    """Somebody else changes what is shown."""

    def value(self, page: Page, command: str) -> str:
        cells = page.find(f"#settings [data-command={command}] .value")
        return cells[0].text if cells else ""

    def test_setting(self) -> None:
        self.addCleanup(self.api.at, "METER", "WR")
        self.addCleanup(self.api.at, "METER", "D3", 0)
        page = self.open_node("METER", "settings")
        page.click("settings-read")
        wait_until(lambda: self.value(page, "D3"), "its settings")
        page.find("[data-command=NT] .value button")[0].click()
        page.id("set-NT").clear()
        page.id("set-NT").send_keys("77")
        self.api.at("METER", "D3", 5)
        # The mark is another message's.
        wait_until(lambda: "not in flash" in self.value(page, "D3"), "another's value")
        self.assertIn("5 · output high", self.value(page, "D3"))
        # What is being written stays.
        self.assertEqual(page.id("set-NT").get_attribute("value"), "77")

    def test_two_pages(self) -> None:
        """What both change at once is the same in both afterwards, and is what the node has."""
        gateway = Gateway("sim:nodes=2:kinds=echo:nt=0.3:interval=0")
        self.addCleanup(gateway.stop)
        address = gateway.nodes(2)["ECHO"]["addr_extended"]
        self.control = gateway.control
        page = self.load()
        first = page.driver.current_window_handle
        page.open_node("ECHO")
        page.new_tab()
        page.open_node("ECHO")
        second = page.driver.current_window_handle
        self.addCleanup(page.close_tabs)
        names = {first: "attic", second: "cellar"}
        for window in (first, second):
            page.driver.switch_to.window(window)
            page.click("rename-open")
            page.click("port-change")
        for window in (first, second):
            page.driver.switch_to.window(window)
            page.fill("rename-value", names[window])
            page.fill("bind-value", str(gateway.control + 5 + (window == first)))
        # The first may be told of the second's by a fault: it has the last word, or none.
        seen = []
        for window in (first, second):
            page.driver.switch_to.window(window)
            for line in ("rename-result", "bind-result"):
                wait_until(lambda: page.text(line)[-1:] == ".", line)  # noqa: B023
            name = gateway.api.at(address, "NI")
            port = next(
                row["tcp_port"] for row in gateway.api.list() if row["addr_extended"] == address
            )
            page.wait_text("node-title", name)
            page.wait_text("node-port", f":{port}")
            seen.append((name, port))
        self.assertEqual(seen[0], seen[1])
        for window in (second, first):
            page.driver.switch_to.window(window)
            page.click("forget")
        page.click("forget-yes")
        wait_until(lambda: not page.id("panel").is_displayed(), "the end of its panel")
        page.driver.switch_to.window(second)
        page.wait_text("node-problem", "does not know this node any more")
        self.is_gone(page, "forget-text")


class JoiningTests(PanelTestCase):
    def test_successor_joins(self) -> None:
        """The new module is switched on while one looks where it could be chosen."""
        link = str(Path(tempfile.mkdtemp(prefix="zbtwist-test-"), "radio"))
        radio = Program("-m", "tests.browser.radio", link)
        self.addCleanup(radio.stop)
        radio.wait_for("ready")
        gateway = Gateway(link)
        self.addCleanup(gateway.stop)
        meter = gateway.nodes(3)["METER"]["addr_extended"].strip("[]!")
        self.control = gateway.control
        page = self.load()
        page.open_node("ECHO")
        page.click("tab-settings")
        page.find("#replace-part summary")[0].click()
        page.select("replace-by", meter)
        self.assertNotIn(LATE_NAME, page.text("replace-by"))
        radio.process.send_signal(signal.SIGUSR1)
        page.wait_text("replace-by", LATE_NAME)
        self.assertEqual(page.id("replace-by").get_attribute("value"), meter)


class RestartTests(PanelTestCase):
    """The gateway restarts under an open panel."""

    def test_restart(self) -> None:
        self.expected_in_console = "ERR_CONNECTION_REFUSED"
        folder = tempfile.mkdtemp(prefix="zbtwist-test-")
        state = ("--state", str(Path(folder, "state.db")))
        gateway = Gateway("sim:nodes=2:kinds=echo:nt=0.3:interval=0", *state)
        self.addCleanup(lambda: gateway.stop())
        gateway.nodes(2)
        self.control = gateway.control
        page = self.load()
        page.open_node("ECHO")
        page.click("tab-settings")
        page.click("settings-read")
        page.wait_text("settings", "DIO1")
        page.find("[data-command=NT] .value button")[0].click()
        page.id("set-NT").clear()
        page.id("set-NT").send_keys("77")
        page.click("tab-frames")
        page.click("trace-node")
        page.wait_text("trace-result", "Its frames are in the log")
        page.click("tab-overview")
        page.click("neighbours-ask")
        told = wait_until(lambda: page.text("node-neighbours"), "its neighbours")
        page.select("test-count", "200")
        page.click("test")
        page.wait_text("test-result", "of 200 sent")
        # What the gateway tells of it while it runs is no news any more when it has ended.
        page.script("document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_text("test-result", " came back")
        gateway.stop()
        page.wait_text("banner", "lost")
        page.wait_text("test-result", "The gateway is stopping.")
        gateway = Gateway("sim:nodes=2:kinds=echo:nt=0.3:interval=0", *state, control=self.control)
        gateway.nodes(2)
        wait_until(lambda: not page.id("banner").is_displayed(), "the banner's end")
        # What it told before is shown with its age, until it tells anew.
        self.assertEqual(page.text("node-neighbours"), told)
        page.select("test-count", "3")
        page.click("test")
        page.wait_text("test-result", "3 of 3 packets came back")
        page.click("tab-frames")
        page.wait_text("trace-result", "Its frames are not traced.")
        page.click("trace-node")
        page.wait_text("trace-result", "Its frames are in the log")
        page.click("tab-happened")
        page.wait_text("happened-lines", "on port")
        page.click("tab-settings")
        self.assertEqual(page.id("set-NT").get_attribute("value"), "77")
        page.find("[data-command=NT] form button.primary")[0].click()
        wait_until(lambda: gateway.api.at("ECHO", "NT") == 77, "what was being written is set")
