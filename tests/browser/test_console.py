"""The console in a real browser, with the real gateway and a simulated network."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.browser.radio import LATE_NAME
from tests.browser.support import Keys, Page, Shared, missing, wait_until
from tests.system.support import Gateway, Program, is_listening

#: What a configuration calls a node, and a page must show as it stands.
HOSTILE = "<img src=x onerror=alert(1)>"

_SENSOR = "00:13:a2:00:40:0a:3e:02"


class World(Shared):
    """A radio and a gateway that all tests share; they end with the program."""

    def __init__(self) -> None:
        directory = tempfile.mkdtemp(prefix="zbtwist-test-")
        self.link = os.path.join(directory, "radio")
        self.configuration = Path(directory, "zbtwist.toml")
        self.configuration.write_text(f'[[node]]\naddress = "{_SENSOR}"\nname = "{HOSTILE}"\n')
        self.radio = Program("-m", "tests.browser.radio", self.link, directory=directory)
        atexit.register(self.radio.stop)
        self.radio.wait_for("ready")
        self.gateway = self.start_gateway()

    def start_gateway(self, control: int | None = None) -> Gateway:
        gateway = Gateway(self.link, "--config", str(self.configuration), control=control)
        atexit.register(gateway.stop)
        return gateway

    def port(self, name: str) -> int:
        """Wait until a node has its name and a port; return the port."""

        def listed() -> int | None:
            try:
                rows = self.gateway.api.list()
            except ConnectionRefusedError:
                return None
            return next((row["tcp_port"] for row in rows if row["label"] == name), None)

        return wait_until(listed, lambda: f"the port of {name!r}; log:\n{self.gateway.output}")


class ConsoleTestCase(SynchronousTestCase):
    skip = missing() or None

    def setUp(self) -> None:
        self.world = World.get()
        self.control = self.world.gateway.control
        self.expected_in_console = ""

    def open(self, view: str = "") -> Page:
        # The gateway is up, and its nodes have their names.
        for name in ("METER", "SENSOR", "ECHO"):
            self.world.port(name)
        return self.load(view)

    def load(self, view: str = "") -> Page:
        page = Page(f"http://127.0.0.1:{self.control}/", view)
        page.size(1280)
        self.addCleanup(self.check, page)
        return page

    def check(self, page: Page) -> None:
        """Nothing went wrong in the page, and nothing was asked of anybody else."""
        complaints = page.console()
        if self.expected_in_console:
            complaints = [line for line in complaints if self.expected_in_console not in line]
        self.assertEqual(complaints, [])
        self.assertEqual(page.hosts(), {f"127.0.0.1:{self.control}"})


class ConsoleTests(ConsoleTestCase):
    """What a reader sees and does."""

    def test_loads(self) -> None:
        """The head says how the radio is; each node has a row with its port."""
        page = self.open()
        page.wait_text("radio-pill", "radio up")
        page.unfold("facts-menu")
        # The gateway asks for it when the link is up already.
        head = page.wait_text("radio-facts", "Channel")
        for words in (self.world.link, "00:13:a2:00:41:5b:1a:00", "Firmware", "PAN"):
            self.assertIn(words, head)
        for name in ("METER", "ECHO"):
            self.assertIn(str(self.world.port(name)), page.wait_row(name, "OK"))

    def test_sort_and_filter(self) -> None:
        """A column's title sorts and says so; the filter leaves what matches."""
        page = self.open()
        page.wait_row("METER")
        title = page.find("th.name button")[0]
        title.click()
        self.assertEqual(page.find("th.name")[0].get_attribute("aria-sort"), "ascending")
        ascending = list(page.rows())
        title.click()
        self.assertEqual(page.find("th.name")[0].get_attribute("aria-sort"), "descending")
        self.assertEqual(list(page.rows()), ascending[::-1])
        page.id("filter").send_keys("met")
        self.assertEqual(list(page.rows()), ["METER"])
        self.assertIn("1 of", page.text("shown"))

    def test_updates_leave_the_reader_alone(self) -> None:
        """While values change, the focus and the marked text stay where they are."""
        page = self.open()
        page.wait_row("METER", "OK")
        drawn = (
            "return [...document.querySelectorAll('#table tbody tr')].find(row =>"
            " row.querySelector('.name button').textContent === 'METER').innerHTML"
        )
        before = page.script(drawn)
        page.script(
            "const row = [...document.querySelectorAll('#table tbody tr')].find(row =>"
            " row.querySelector('.name button').textContent === 'METER');"
            "row.querySelector('.name button').focus();"
            "document.getSelection().selectAllChildren(row.querySelector('.name .address'))"
        )
        wait_until(lambda: page.script(drawn) != before, "a change in the row of the meter")
        self.assertEqual(page.script("return document.activeElement.textContent"), "METER")
        self.assertIn("00:13:a2", page.script("return String(document.getSelection())"))

    def test_discover(self) -> None:
        """The button searches, with progress, and says what came of it."""
        page = self.open()
        page.wait_text("radio-pill", "radio up")
        # Another search may be under way, and end soon: what is seen meanwhile is written down.
        page.script(
            "window.seen = [];"
            "const text = document.getElementById('discover-text');"
            "const progress = document.getElementById('discover-progress');"
            "new MutationObserver(() => window.seen.push([text.textContent, !progress.hidden]))"
            ".observe(text, { childList: true, characterData: true, subtree: true });"
        )
        page.click("discover")
        page.wait_text("discover-text", "The search has ended")
        self.assertFalse(page.id("discover-progress").is_displayed())
        first, *_, last = page.script("return window.seen")
        self.assertIn("Searching", first[0])
        self.assertTrue(first[1])
        self.assertIn("The search has ended", last[0])

    def test_temperatures(self) -> None:
        """The button asks the nodes, and their rows show what they measured."""
        page = self.open()
        page.wait_text("radio-pill", "radio up")
        page.measure()
        page.wait_text("discover-text", "told the temperature")
        page.wait_row("METER", "°C")

    def test_rename(self) -> None:
        """A new name is written to the node, and shown."""
        page = self.open()
        page.open_node("METER")
        self.addCleanup(self.world.gateway.api.rename, "00:13:a2:00:40:0a:3e:01", "METER")
        page.click("rename-open")
        page.fill("rename-value", "cellar")
        page.wait_text("rename-result", "Done.")
        page.wait_text("node-title", "cellar")
        page.wait_row("cellar")
        page.fill("rename-value", " ")
        page.wait_text("rename-result", "cannot be a node identifier")

    def test_bind(self) -> None:
        """The gateway's own sentence says why a port cannot be had; then another one is."""
        page = self.open()
        page.open_node("METER")
        page.click("port-change")
        with socket.create_server(("127.0.0.1", 0)) as other_program:
            taken = str(other_program.getsockname()[1])
            page.fill("bind-value", taken)
            self.assertIn(taken, page.wait_text("bind-result", "another program"))
        self.assertIn("error", page.id("bind-result").get_attribute("class"))
        other = self.world.gateway.control + 6
        page.fill("bind-value", str(other))
        page.wait_text("bind-result", "Done.")
        page.wait_text("node-port", f"127.0.0.1:{other}")
        page.wait_text("node-facts", f"{other}, chosen by hand")
        page.wait_row("METER", str(other))

    def test_unbind(self) -> None:
        """It is asked for first; then the node has no port."""
        self.addCleanup(self.world.gateway.api.create_mapping, "ECHO", self.world.port("ECHO"))
        page = self.open()
        page.open_node("ECHO")
        page.click("port-change")
        page.click("unbind")
        page.wait_text("unbind-text", "forget")
        page.click("unbind-no")
        page.wait_row("ECHO", "OK")
        page.click("unbind")
        page.click("unbind-yes")
        page.wait_text("unbind-result", "Done.")
        page.wait_row("ECHO", "unbound")

    def test_terminal(self) -> None:
        """What is typed into an echo node's terminal comes back, as text and as bytes."""
        page = self.open()
        page.open_terminal("ECHO")
        page.wait_text("terminal-state", "open")
        page.wait_row("ECHO", "1 client")
        page.fill("terminal-input", "<i>good</i> day")
        page.wait_text("terminal-output", "<i>good</i> day\n<i>good</i> day")
        page.script("document.querySelector('[name=terminal-view][value=hex]').click()")
        page.wait_text("terminal-output", "3c 69 3e 67 6f 6f 64")
        page.script(
            "const how = document.getElementById('terminal-end'); how.value = 'hex';"
            "how.dispatchEvent(new Event('change'))"
        )
        page.fill("terminal-input", "00 fF7")
        page.wait_text("terminal-error", "“fF7” is no byte")
        page.fill("terminal-input", "00 fF")
        wait_until(
            lambda: page.text("terminal-output").count("00 ff") == 2,
            "two bytes sent and received",
        )
        self.assertEqual(page.text("terminal-error"), "")
        page.id("terminal-input").send_keys(Keys.ESCAPE)
        self.assertFalse(page.id("panel").is_displayed())
        wait_until(
            lambda: all(row["clients"] == 0 for row in self.world.gateway.api.stats()),
            "the terminal's end at the gateway",
        )

    def test_hostile_name(self) -> None:
        """A name that is markup is shown as it stands, wherever it is shown."""
        page = self.open()
        page.wait_row(HOSTILE)
        page.open_node(HOSTILE)
        page.click("port-change")
        page.click("unbind")
        page.wait_text("unbind-text", HOSTILE)
        page.click("tab-terminal")
        page.wait_text("terminal-state", "open")
        page.id("terminal-input").send_keys(Keys.ESCAPE)
        page.go_to("network")
        wait_until(
            lambda: any(
                HOSTILE in name
                for name in page.script(
                    "return [...document.querySelectorAll('.network .node')]"
                    ".map(node => node.getAttribute('aria-label'))"
                )
            ),
            "its name in the picture",
        )
        page.find("#tree-details summary")[0].click()
        page.wait_text("tree", HOSTILE)
        page.go_to("log")
        page.wait_text("log-lines", HOSTILE)
        self.assertEqual(page.find("img[src=x]"), [])

    def test_network(self) -> None:
        """The picture shows each node; a click on one opens it."""
        page = self.open("network")
        wait_until(lambda: len(page.find(".network .node")) >= 3, "three nodes in the picture")
        page.wait_text("picture-text", "through others")
        page.find("#tree-details summary")[0].click()
        page.wait_text("tree", "through METER")
        for node in page.find(".network .node"):
            if "ECHO" in node.text:
                node.find_element("css selector", "circle").click()
        page.wait_text("node-title", "ECHO")

    def test_log(self) -> None:
        """Events come as they happen; a filter and a pause hold them back."""
        page = self.open("log")
        page.wait_text("log-lines", "is on port")
        page.id("log-filter").send_keys("is connected to ECHO")
        page.wait_text("log-state", "shown of")
        page.click("log-pause")
        before = page.text("log-lines")
        with socket.create_connection(("127.0.0.1", self.world.port("ECHO"))):
            page.wait_text("log-state", "Paused; 1 new event not shown yet.")
        self.assertEqual(page.text("log-lines"), before)
        page.click("log-pause")
        page.wait_text("log-lines", "is connected to ECHO")
        page.id("log-filter").send_keys(" and nothing says this")
        page.wait_text("log-state", "0 events shown")
        self.assertEqual(page.text("log-lines"), "")

    def test_many_logs(self) -> None:
        """Logs in tabs that nobody sees leave room for more pages, and go on when they are seen.

        A browser opens six HTTP/1.1 connections to a host, and a log's stream holds one.
        """
        page = self.open("log")
        page.wait_text("log-lines", "is on port")
        first = page.driver.current_window_handle
        self.addCleanup(page.close_tabs)
        for _ in range(6):
            page.new_tab("log")
        page.wait_text("log-lines", "is on port")
        with socket.create_connection(("127.0.0.1", self.world.port("ECHO"))) as client:
            words = "{}:{} is connected to ECHO".format(*client.getsockname())
            page.wait_text("log-lines", words)
        page.driver.switch_to.window(first)
        self.assertEqual(page.wait_text("log-lines", words).count(words), 1)

    def test_frames(self) -> None:
        """Frames are traced, of all nodes or of one, and stand in the log."""
        page = self.open("log")
        page.wait_text("radio-pill", "radio up")
        page.click("log-frames")
        page.wait_text("log-frames", "Tracing frames")
        page.wait_text("log-lines", "debug")
        page.click("log-frames")
        page.wait_text("log-frames", "Trace frames")
        page.go_to("nodes")
        page.open_node("METER")
        page.click("tab-frames")
        page.click("trace-node")
        page.wait_text("trace-result", "Its frames are in the log")
        page.click("trace-node")
        page.wait_text("trace-node", "Trace its frames")

    def test_narrow(self) -> None:
        """On a phone nothing sticks out at the side, and a node can be reached."""
        page = self.open()
        page.size(390, 844)
        page.wait_row("METER")
        for view in ("network", "log", "nodes"):
            page.go_to(view)
            self.assertTrue(page.id(f"view-{view}").is_displayed(), view)
            self.assertEqual(page.script("return document.documentElement.scrollWidth"), 390, view)
        page.open_node("METER")
        page.click("rename-open")
        self.assertTrue(page.id("rename-value").is_displayed())

    def test_keyboard(self) -> None:
        """A node's panel is opened, left, and the focus is back, without a pointer."""
        page = self.open()
        page.wait_row("METER")
        body = page.find("body")[0]
        body.send_keys(Keys.TAB)
        self.assertIn("Skip", page.script("return document.activeElement.textContent"))
        focus = "return document.activeElement.closest('tbody') !== null"
        for _ in range(40):
            if page.script(focus):
                break
            page.driver.switch_to.active_element.send_keys(Keys.TAB)
        name = page.script("return document.activeElement.textContent")
        page.driver.switch_to.active_element.send_keys(Keys.ENTER)
        page.wait_text("node-title", name)
        page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        self.assertFalse(page.id("panel").is_displayed())
        self.assertEqual(page.script("return document.activeElement.textContent"), name)


class ChangeTests(ConsoleTestCase):
    """What happens to the network and to the gateway while somebody looks on."""

    def test_node_joins(self) -> None:
        """A node that joins is shown at once, without reloading, and its name is no markup."""
        page = self.open()
        page.wait_row("METER")
        page.script("window.loaded = 'once'")
        self.world.radio.process.send_signal(signal.SIGUSR1)
        page.wait_row(LATE_NAME, "OK")
        self.assertEqual(page.script("return window.loaded"), "once")

    def test_gateway_is_lost_and_back(self) -> None:
        """The page says that the gateway is gone, and is as before when it is back."""
        # The browser itself reports each attempt that failed.
        self.expected_in_console = "ERR_CONNECTION_REFUSED"
        page = self.open()
        page.wait_row("ECHO", "OK")
        page.script("window.loaded = 'once'")
        page.open_terminal("ECHO")
        page.wait_text("terminal-state", "open")
        self.world.gateway.stop()
        page.wait_text("terminal-output", "The terminal was closed.")
        page.id("terminal-input").send_keys(Keys.ESCAPE)
        page.wait_text("banner", "The connection to the gateway is lost; trying again.")
        page.wait_text("radio-pill", "no connection")
        page.click("discover")
        page.wait_text("discover-text", "There is no connection to the gateway")
        self.world.gateway = self.world.start_gateway(self.world.gateway.control)
        wait_until(lambda: not page.id("banner").is_displayed(), "the banner's end")
        page.wait_text("radio-pill", "radio up")
        page.wait_row("ECHO", "OK")
        self.assertEqual(page.script("return window.loaded"), "once")

    def test_terminal_and_tap_open_again(self) -> None:
        """A gateway that restarts is waited for, and what was lost is said."""
        self.expected_in_console = "ERR_CONNECTION_REFUSED"
        page = self.open()
        for mode, said in (("terminal", "The terminal"), ("tap", "The tap")):
            page.open_terminal("ECHO")
            page.choose("terminal-mode", mode)
            page.wait_text("terminal-output", f"{said} is open")
            self.world.gateway.stop()
            page.wait_text("terminal-output", f"{said} was closed.")
            page.wait_text("terminal-state", "waiting for the gateway")
            page.click("terminal-clear")
            self.world.gateway = self.world.start_gateway(self.world.gateway.control)
            page.wait_text("terminal-output", f"{said} is open")
            page.wait_text("terminal-state", "open")
            if mode == "terminal":
                page.fill("terminal-input", "there again")
                page.wait_text("terminal-output", "there again\nthere again")
            else:
                page.wait_text("terminal-output", "What passed since it was open before")
            page.id("terminal-output").send_keys(Keys.ESCAPE)

    def test_gateway_hangs(self) -> None:
        """A gateway that closes nothing and says nothing is noticed, and so is that it goes on."""
        page = self.open()
        page.wait_text("radio-pill", "radio up")
        process = self.world.gateway.process
        process.send_signal(signal.SIGSTOP)
        self.addCleanup(process.send_signal, signal.SIGCONT)
        page.wait_text("banner", "The connection to the gateway is lost; trying again.")
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: not page.id("banner").is_displayed(), "the banner's end")
        page.wait_text("radio-pill", "radio up")

    def test_radio_is_down(self) -> None:
        """Without a radio the page says why, and so does what needs one."""
        gateway = Gateway("/dev/there-is-no-radio")
        self.addCleanup(gateway.stop)
        wait_until(lambda: is_listening(gateway.control), "the control port")
        self.control = gateway.control
        page = self.load()
        page.wait_text("radio-pill", "radio down")
        page.wait_text("radio-problem", "There is no serial port /dev/there-is-no-radio")
        page.click("discover")
        page.wait_text("discover-text", "There is no serial port")
        page.wait_text("no-nodes", "No node is known yet")
