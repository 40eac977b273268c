"""The panel of a node in a real browser: what is wrong with it, and putting it right from there."""

from __future__ import annotations

import contextlib
import signal
import socket
import tempfile
import xmlrpc.client
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.browser.support import Keys, Page, wait_until
from tests.browser.test_console import ConsoleTestCase, World
from tests.system.support import Gateway
from zbtwist.control.settings_file import read

METER, ECHO = "00:13:a2:00:40:0a:3e:01", "00:13:a2:00:40:0a:3e:03"


class PanelWorld(World):
    """A network of its own: what is set here does not disturb other tests."""


class PanelTestCase(ConsoleTestCase):
    def setUp(self) -> None:
        self.world = PanelWorld.get()
        self.control = self.world.gateway.control
        self.expected_in_console = ""
        self.api = self.world.gateway.api
        for name in ("METER", "ECHO"):
            self.world.port(name)

    def open_node(self, name: str, tab: str = "") -> Page:
        page = self.open()
        page.open_node(name)
        if tab:
            page.click(f"tab-{tab}")
        return page

    def query(self, page: Page) -> dict[str, str]:
        """What the page's address says."""
        query = parse_qs(urlsplit(page.driver.current_url).query)
        return {name: values[0] for name, values in query.items()}

    def answers(self, name: str) -> bool:
        try:
            return bool(self.api.at(name, "HV"))
        except xmlrpc.client.Fault:
            return False

    def is_gone(self, page: Page, name: str) -> None:
        wait_until(lambda: not page.text(name), f"the end of #{name}")


class FaultTests(PanelTestCase):
    """A node that fails, from the first look until it is well again."""

    def switch(self, is_on: bool) -> None:
        """Switch the echo on or off."""
        radio = self.world.radio
        said = [line for line in radio.output.splitlines() if line.startswith("the node is")]
        if is_on != (said[-1:] != ["the node is off"]):
            radio.process.send_signal(signal.SIGUSR2)
            count = len(said)
            wait_until(lambda: radio.output.count("the node is") > count, "the echo's switch")

    def test_open_the_failing_node_read_why_and_test_the_link(self) -> None:
        port = self.world.port("ECHO")
        self.addCleanup(self.switch, True)
        self.switch(False)

        def fails() -> bool:
            # What is lost resets who has sent it.
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", port)) as client,
            ):
                client.settimeout(2)
                client.sendall(b"anybody?\n")
                client.recv(1)
            return bool(self.api.show("ECHO")["health"] == "not-answering")

        wait_until(fails, "the echo does not answer")
        page = self.open_node("ECHO")
        why = page.wait_text("node-why", "Not answering")
        self.assertIn("got no acknowledgement", why)
        self.assertIn("since", why)
        page.select("test-count", "3")
        page.click("test")
        page.wait_text("test-result", "0 of 3 packets came back")
        page.wait_text("test-facts", "100 %")
        self.switch(True)
        page.click("test")
        page.wait_text("test-result", "3 of 3 packets came back")
        self.assertIn("ms", page.wait_text("test-facts", "There and back"))
        # What it has lost of late counts for a while.
        wait_until(lambda: "Not answering" not in page.text("node-why"), "it answers")

    def test_restart(self) -> None:
        """It is asked for if it costs anybody something."""
        page = self.open_node("ECHO")
        with socket.create_connection(("127.0.0.1", self.world.port("ECHO"))) as client:
            page.wait_text("node-clients", "for ")
            page.click("restart")
            page.wait_text("restart-text", "1 client of its port will be disconnected")
            page.click("restart-no")
            client.sendall(b"still here\n")
            self.assertEqual(client.recv(100), b"still here\n")
            page.click("restart")
            page.click("restart-yes")
            page.wait_text("action-result", "It restarts")
            client.settimeout(20)
            with self.assertRaises(ConnectionResetError):
                while client.recv(100):
                    pass
        wait_until(lambda: "Nobody is connected" in page.text("panel"), "its clients are gone")
        page.open_node("METER")
        page.click("restart")
        page.wait_text("action-result", "It restarts")
        for name in ("ECHO", "METER"):
            wait_until(lambda: self.answers(name), f"{name} is back")  # noqa: B023

    def test_identify(self) -> None:
        page = self.open_node("METER")
        page.click("identify")
        page.wait_text("action-result", "It says who it is")
        page.click("tab-happened")
        page.wait_text("happened-lines", "button")

    def test_disconnect(self) -> None:
        """Who is connected is seen, and can be sent away."""
        page = self.open_node("ECHO")
        with socket.create_connection(("127.0.0.1", self.world.port("ECHO"))) as client:
            peer = "{}:{}".format(*client.getsockname())
            page.wait_text("node-clients", peer)
            page.find("#node-clients button")[0].click()
            page.wait_text("disconnect-text", peer)
            page.click("disconnect-yes")
            page.wait_text("client-result", "was disconnected")
            client.settimeout(20)
            with self.assertRaises(ConnectionResetError):
                client.recv(1)

    def test_forget(self) -> None:
        """It is asked for; the panel is closed, and the row is gone."""
        gateway = Gateway("sim:nodes=2:kinds=echo:nt=0.3:interval=0")
        self.addCleanup(gateway.stop)
        gateway.nodes(2)
        self.control = gateway.control
        page = self.load()
        page.open_node("ECHO2")
        page.click("forget")
        page.wait_text("forget-text", "Forget ECHO2")
        page.click("forget-no")
        self.assertEqual(len(gateway.api.list()), 2)
        page.click("forget")
        page.click("forget-yes")
        wait_until(lambda: not page.id("panel").is_displayed(), "the end of its panel")
        wait_until(lambda: list(page.rows()) == ["ECHO"], "the end of its row")
        self.assertEqual([row["label"] for row in gateway.api.list()], ["ECHO"])

    def test_forgotten_by_another(self) -> None:
        """What is known of it stays to be read; what would reach it is off."""
        gateway = Gateway("sim:nodes=2:kinds=echo:nt=0.3:interval=0")
        self.addCleanup(gateway.stop)
        gateway.nodes(2)
        self.control = gateway.control
        page = self.load()
        page.open_node("ECHO2")
        page.click("forget")
        page.wait_text("forget-text", "Forget ECHO2")
        gateway.api.forget("ECHO2")
        page.wait_text("node-problem", "does not know this node any more")
        self.is_gone(page, "forget-text")
        for name in ("test", "restart", "identify", "forget"):
            self.assertFalse(page.id(name).is_enabled(), name)


class PortTests(PanelTestCase):
    def test_exchange(self) -> None:
        """A port that another node has is offered in exchange for one's own."""
        mine, other = self.world.port("ECHO"), self.world.port("METER")
        page = self.open_node("ECHO")
        page.wait_text("node-port", f"127.0.0.1:{mine}")
        page.click("port-change")
        page.fill("bind-value", str(other))
        self.assertIn(f"METER gets {mine}", page.wait_text("swap-text", "METER"))
        page.click("swap-no")
        page.wait_text("bind-result", "nothing has changed")
        page.fill("bind-value", str(other))
        page.click("swap-yes")
        page.wait_text("bind-result", f"METER has port {mine} now")
        page.wait_text("node-port", f"127.0.0.1:{other}")
        page.wait_row("METER", str(mine))

    def test_asks_before_it_drops_clients(self) -> None:
        old = self.world.port("ECHO")
        page = self.open_node("ECHO")
        page.click("port-change")
        with socket.create_connection(("127.0.0.1", old)) as client:
            page.wait_text("node-clients", "for ")
            page.fill("bind-value", str(self.control + 7))
            page.wait_text("bind-text", "1 client of ECHO will be disconnected")
            page.click("bind-no")
            client.sendall(b"still here\n")
            self.assertEqual(client.recv(100), b"still here\n")
        self.assertEqual(self.world.port("ECHO"), old)

    def test_copy(self) -> None:
        """A page without a clipboard copies what is marked."""
        page = self.open_node("ECHO")
        page.click("port-copy")
        wait_until(lambda: "copied" in page.find(".port-line")[0].text, "copied")


class SettingsTests(PanelTestCase):
    """Its settings: read, changed, written, saved, given to another."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.api.at, "ECHO", "WR")
        self.addCleanup(self.api.at, "ECHO", "D1", 0)

    def read(self, page: Page, name: str = "ECHO") -> None:
        page.click("settings-read")
        wait_until(lambda: self.value(page, "D1"), f"the settings of {name}")

    def value(self, page: Page, command: str) -> str:
        """What the row of a command says of its value."""
        cells = page.find(f"#settings [data-command={command}] .value")
        return cells[0].text if cells else ""

    def edit(self, page: Page, command: str) -> None:
        page.find(f"#settings [data-command={command}] .value button")[0].click()

    def set(self, page: Page, command: str, value: str) -> None:
        self.edit(page, command)
        page.select(f"set-{command}-choice", value)
        page.find(f"[data-command={command}] form button.primary")[0].click()

    def test_change_one_that_is_not_in_flash_then(self) -> None:
        page = self.open_node("ECHO", "settings")
        page.wait_text("settings-age", "ead")
        self.read(page)
        page.id("settings-filter").send_keys("dio1")
        wait_until(lambda: not page.find("[data-command=BD]")[0].is_displayed(), "the search")
        self.set(page, "D1", "5")
        wait_until(lambda: "not in flash" in self.value(page, "D1"), "the mark of D1")
        self.assertIn("5 · output high", self.value(page, "D1"))
        # Another test may have set another one.
        page.wait_text("unwritten", "D1")
        page.wait_text("unwritten", "set and not in flash")
        self.assertEqual(self.api.at("ECHO", "D1"), 5)
        # It is known when the page is loaded anew, and nobody is asked for it.
        page.driver.refresh()
        wait_until(lambda: "not in flash" in self.value(page, "D1"), "the mark of D1")
        page.click("settings-write")
        self.is_gone(page, "unwritten")
        self.assertEqual(self.value(page, "D1"), "5 · output high")
        self.assertEqual(self.api.show("ECHO")["unwritten"], [])

    def test_one_that_may_cut_it_off(self) -> None:
        """It says why, and asks first."""
        page = self.open_node("ECHO", "settings")
        self.read(page)
        self.set(page, "BD", "7")
        why = page.wait_text("cut-off-text", "BD may cut ECHO off.")
        self.assertIn("serial line is not understood", why)
        page.click("cut-off-no")
        self.assertEqual(self.api.at("ECHO", "BD"), 3)

    def test_values_as_people_write_them(self) -> None:
        page = self.open_node("ECHO", "settings")
        self.read(page)
        self.edit(page, "NT")
        field = page.id("set-NT")
        field.clear()
        field.send_keys("sixty\n")
        page.wait_text("set-NT-result", "“sixty” is no number")
        field.clear()
        field.send_keys("0x40\n")
        wait_until(lambda: self.api.at("ECHO", "NT") == 0x40, "NT is set")
        wait_until(lambda: "6400 ms" in self.value(page, "NT"), "it is shown")
        self.edit(page, "NT")
        page.id("set-NT").send_keys(Keys.ESCAPE)
        self.assertEqual(page.find("#settings form"), [])
        self.assertTrue(page.id("panel").is_displayed())
        self.api.at("ECHO", "NT", 0x3C)

    def test_save_and_apply_to_another(self) -> None:
        folder = tempfile.mkdtemp(prefix="zbtwist-test-")
        self.api.at("ECHO", "D1", 4)
        page = self.open_node("ECHO", "settings")
        page.driver.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": folder}
        )
        page.click("save-toml")
        page.wait_text("save-result", "ECHO.toml")
        file = Path(folder, "ECHO.toml")
        wait_until(file.exists, "the file")
        self.assertEqual(read(file.read_text()).values["D1"], 4)
        self.addCleanup(self.api.at, "METER", "D1", 0)
        page.open_node("METER")
        page.wait_text("settings-age", "ead")
        page.find("#apply-part summary")[0].click()
        page.id("apply-file").send_keys(str(file))
        page.wait_text("apply-source", "ECHO.toml")
        page.click("compare")
        said = page.wait_text("differences", "D1")
        self.assertIn("output low", said)
        self.assertIn("left out", said, "another node's name is none of its settings")
        page.click("apply")
        page.wait_text("apply-result", "METER: D1 set, not in flash yet.")
        self.assertEqual(self.api.at("METER", "D1"), 4)
        self.assertEqual(self.api.show("METER")["unwritten"], ["D1"])

    def test_give_its_settings_to_another(self) -> None:
        """Without a file: those of the node whose panel it is."""
        self.api.at("ECHO", "D1", 4)
        self.addCleanup(self.api.at, "METER", "WR")
        self.addCleanup(self.api.at, "METER", "D1", 0)
        page = self.open_node("ECHO", "settings")
        page.find("#apply-part summary")[0].click()
        page.click("apply-own")
        page.wait_text("apply-source", "The settings of ECHO.")
        page.id("apply-search").send_keys("meter")
        page.find("#apply-targets input")[0].click()
        page.click("compare")
        page.wait_text("differences", "METER")
        page.click("apply-write")
        page.click("apply")
        page.wait_text("apply-result", "METER: D1 set, in its flash memory.")
        self.assertEqual(self.api.show("METER")["unwritten"], [])


class ReplaceTests(PanelTestCase):
    def test_replace(self) -> None:
        """The panel goes on with the successor, which has the port and the name."""
        gateway = Gateway("sim:nodes=2:kinds=echo:nt=0.3:interval=0")
        self.addCleanup(gateway.stop)
        nodes = gateway.nodes(2)
        self.control = gateway.control
        page = self.load()
        page.open_node("ECHO2")
        page.click("tab-settings")
        page.find("#replace-part summary")[0].click()
        page.click("replace")
        page.wait_text("replace-text", "ECHO gets the port, the name and the settings of ECHO2")
        page.click("replace-yes")
        new = nodes["ECHO"]["addr_extended"][1:-2]
        page.wait_text("node-address", new)
        page.wait_text("node-title", "ECHO2")
        page.wait_text("node-port", f"127.0.0.1:{nodes['ECHO2']['tcp_port']}")
        self.assertEqual(self.query(page)["node"], new)
        wait_until(lambda: list(page.rows()) == ["ECHO2"], "the old one is gone")


class PinsTests(PanelTestCase):
    def test_sample_and_set(self) -> None:
        """An output is set; an input is made one only if that is meant."""
        self.addCleanup(self.api.at, "ECHO", "D2", 0)
        self.api.at("ECHO", "D2", 3)
        page = self.open_node("ECHO", "io")
        page.click("sample")
        page.wait_text("pins", "supply")
        page.wait_text("pins", "DIO2")
        self.assertEqual(page.find("[aria-label='Set DIO2 high']")[0].is_displayed(), False)
        page.find("[aria-label='Make it an output…: DIO2']")[0].click()
        page.wait_text("make-output-text", "short circuit")
        page.click("make-output-no")
        self.assertEqual(self.api.at("ECHO", "D2"), 3)
        page.find("[aria-label='Make it an output…: DIO2']")[0].click()
        page.click("make-output-yes")
        page.wait_text("sample-result", "DIO2 is low now")
        page.find("[aria-label='Set DIO2 high']")[0].click()
        page.wait_text("sample-result", "DIO2 is high now")
        self.assertEqual(self.api.at("ECHO", "D2"), 5)


class EventsTests(PanelTestCase):
    def test_what_happened_and_frames(self) -> None:
        page = self.open_node("METER", "happened")
        page.wait_text("happened-lines", "port")
        page.click("tab-frames")
        page.click("trace-node")
        page.wait_text("frames-lines", "Receive")
        page.click("trace-node")
        page.wait_text("trace-result", "not traced")
        # A client that comes is seen while one looks.
        page.click("tab-happened")
        with socket.create_connection(("127.0.0.1", self.world.port("METER"))) as client:
            page.wait_text("happened-lines", "{}:{}".format(*client.getsockname()))


class TerminalTests(PanelTestCase):
    def test_lives_on(self) -> None:
        """While another tab is looked at; what closes the panel closes it."""
        page = self.open()
        page.open_terminal("ECHO")
        self.assertEqual(self.query(page), {"node": ECHO, "tab": "terminal"})
        page.wait_text("terminal-state", "open")
        page.fill("terminal-input", "good day")
        page.wait_text("terminal-output", "good day\ngood day")
        page.click("tab-overview")
        page.wait_text("node-clients", "(terminal)")
        page.click("tab-terminal")
        page.wait_text("terminal-output", "good day\ngood day")
        self.assertNotIn("closed", page.text("terminal-output"))
        page.click("panel-close")
        wait_until(lambda: not self.api.clients("ECHO"), "the terminal's end at the gateway")


class PlaceTests(PanelTestCase):
    """Where the panel is, and how one comes and goes."""

    def test_address(self) -> None:
        """It can be kept; Back closes the panel, and forward opens it."""
        page = self.open_node("ECHO", "io")
        self.assertEqual(self.query(page), {"node": ECHO, "tab": "io"})
        page.driver.refresh()
        page.wait_text("node-title", "ECHO")
        page.wait_text("panel-io", "Sample")
        page.driver.back()
        wait_until(lambda: not page.id("panel").is_displayed(), "the end of the panel")
        page.driver.forward()
        page.wait_text("node-title", "ECHO")

    def test_follows_the_node(self) -> None:
        """Another node is shown in the same tab; a name that changes is followed."""
        self.addCleanup(self.api.rename, ECHO, "ECHO")
        page = self.open_node("ECHO", "happened")
        page.row("METER").find_element("css selector", ".name button").click()
        page.wait_text("node-title", "METER")
        self.assertTrue(page.id("panel-happened").is_displayed())
        page.driver.back()
        page.wait_text("node-title", "ECHO")
        self.api.rename(ECHO, "cellar")
        page.wait_text("node-title", "cellar")

    def test_nobody_of_that_address(self) -> None:
        page = self.load()
        page.driver.get(f"{page.url}?node=00:13:a2:00:00:00:00:99")
        page.wait_text("node-problem", "does not know this node")
        page.find("body")[0].send_keys(Keys.ESCAPE)
        self.assertFalse(page.id("panel").is_displayed())

    def test_keyboard(self) -> None:
        """Tabs are gone through by arrows; Escape closes; the focus is back at the row."""
        page = self.open_node("ECHO")
        focused = "return document.activeElement"
        self.assertEqual(page.script(f"{focused}.id"), "node-title")
        page.id("tab-overview").send_keys(Keys.ARROW_RIGHT)
        self.assertEqual(page.script(f"{focused}.id"), "tab-terminal")
        self.assertEqual(self.query(page)["tab"], "terminal")
        page.id("tab-terminal").send_keys(Keys.END)
        self.assertEqual(page.script(f"{focused}.id"), "tab-happened")
        page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        self.assertFalse(page.id("panel").is_displayed())
        self.assertEqual(page.script(f"{focused}.textContent"), "ECHO")
        self.assertEqual(self.query(page), {})

    def test_widths(self) -> None:
        """Beside the table, over it, and the whole page; nothing sticks out."""
        page = self.open_node("ECHO")
        edge = "return document.getElementById('table').getBoundingClientRect().right"
        left = "return document.getElementById('panel').getBoundingClientRect().left"
        page.size(1280)
        wait_until(lambda: page.script(edge) <= page.script(left), "both side by side")
        for width in (1280, 800, 390):
            page.size(width, 844)
            for tab in ("settings", "io", "frames", "happened", "terminal", "overview"):
                page.click(f"tab-{tab}")
                self.assertEqual(
                    page.script(
                        "const { scrollWidth, clientWidth } = document.getElementById('panel');"
                        "return [document.documentElement.scrollWidth, scrollWidth - clientWidth]"
                    ),
                    [width, 0],
                    (width, tab),
                )
        self.assertEqual(page.script(left), 0)
        # What is behind it is out of reach; Back closes it.
        self.assertTrue(page.script("return document.getElementById('main').inert"))
        page.driver.back()
        wait_until(lambda: not page.id("panel").is_displayed(), "the end of the panel")
        self.assertFalse(page.script("return document.getElementById('main').inert"))
