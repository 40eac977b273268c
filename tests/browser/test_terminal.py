"""The terminal and the tap in a real browser, with a real gateway and a simulated network."""

from __future__ import annotations

import re
import socket
import tempfile
from pathlib import Path
from typing import Any

from tests.browser import axe
from tests.browser.support import Keys, Page, missing, wait_until
from tests.browser.test_console import ConsoleTestCase

#: A frame of Modbus RTU: its bytes are none of text.
FRAME = "01 03 02 00 17 f8 4a"

#: Makes a terminal of its own in an element of the page, with a link of its own. The rest is a
#: function's body that has `view` and `room`, and calls `done`.
MOUNTED = """
const done = arguments[arguments.length - 1];
Promise.all(["terminal", "state", "link", "session"].map((name) => import(`/static/${name}.js`)))
  .then(([{ TerminalView }, { State }, { Link }, { Session }]) => {
    const session = new Session();
    const state = new State();
    const link = new Link("live", session);
    link.addEventListener("news", (event) => state.take(event.detail));
    const room = document.createElement("div");
    room.id = "room";
    document.body.prepend(room);
    const view = new TerminalView({ state, session, link });
    Object.assign(window, { view, room, terminalState: state });
    link.addEventListener("up", () => done(), { once: true });
    link.open();
  });
"""


class TerminalTestCase(ConsoleTestCase):
    def terminal(self, mode: str = "terminal") -> Page:
        page = self.open()
        # What another test chose is not remembered.
        page.script("localStorage.clear()")
        page.driver.refresh()
        page.open_terminal("ECHO")
        if mode != "terminal":
            page.choose("terminal-mode", mode)
        page.wait_text("terminal-state", "open")
        return page

    def send_hex(self, page: Page, digits: str) -> None:
        page.script(
            "const how = document.getElementById('terminal-end'); how.value = 'hex';"
            "how.dispatchEvent(new Event('change'))"
        )
        page.fill("terminal-input", digits)


class TerminalTests(TerminalTestCase):
    """What a reader sees and does in it."""

    def test_binary_is_hexadecimal_by_itself(self) -> None:
        """And can be had as text; text stays text, with a byte here and there that is none."""
        page = self.terminal()
        # Each when the answer is there: what comes together is shown together.
        page.fill("terminal-input", "some text")
        page.wait_text("terminal-output", "some text\nsome text")
        self.send_hex(page, FRAME)
        wait_until(
            lambda: page.text("terminal-output").count(f"0000  {FRAME}") == 2, "the frame, twice"
        )
        self.send_hex(page, "74 65 6d 70 20 fc 20 31 37 02 0a")
        shown = page.wait_text("terminal-output", "temp \\xfc 17␂\ntemp \\xfc 17␂")
        self.assertIn("some text\nsome text", shown)
        dumps = re.findall(rf"^0000  {FRAME} +······J$", shown, re.MULTILINE)
        self.assertEqual(len(dumps), 2, shown)
        page.choose("terminal-view", "text")
        page.wait_text("terminal-output", "␁␃␂␀␗\\xf8J")
        page.choose("terminal-view", "hex")
        page.wait_text("terminal-output", "0000  73 6f 6d 65")
        page.choose("terminal-view", "auto")
        page.wait_text("terminal-output", shown)

    def test_times(self) -> None:
        """They stand before each row, if they are wanted, also the next time."""
        page = self.terminal()
        page.fill("terminal-input", "at noon")
        page.wait_text("terminal-output", "at noon\nat noon")
        self.assertNotRegex(page.text("terminal-output"), r"\d\d:\d\d")
        page.click("terminal-times")
        time = r"\d\d:\d\d:\d\d\.\d\d\d"
        self.assertRegex(page.text("terminal-output"), rf"{time} ?at noon\n{time} ?at noon")
        # The address says what is open, and the browser how it is to look.
        page.driver.refresh()
        page.wait_text("terminal-state", "open")
        self.assertRegex(page.wait_text("terminal-output", "is open"), time)
        page.script("localStorage.clear()")

    def test_search(self) -> None:
        """Rows that have the words are counted and gone to."""
        page = self.terminal()
        for number in range(3):
            page.fill("terminal-input", f"Line {number}")
            page.wait_text("terminal-output", f"Line {number}\nLine {number}")
        field = page.id("terminal-search")
        field.send_keys("line ")
        page.wait_text("terminal-found", "6 of 6")
        field.send_keys(Keys.ENTER)
        page.wait_text("terminal-found", "5 of 6")
        self.assertEqual([row.text for row in page.find(".terminal-output .current")], ["Line 2"])
        field.send_keys("1")
        page.wait_text("terminal-found", "2 of 2")
        field.send_keys("x")
        page.wait_text("terminal-found", "not found")
        field.send_keys(Keys.ESCAPE)
        self.assertEqual(page.text("terminal-found"), "")
        self.assertTrue(page.id("panel").is_displayed())

    def test_save(self) -> None:
        """What came from the node to a file, as it came; and all of it, with times, to another."""
        page = self.terminal()
        directory = tempfile.mkdtemp(prefix="zbtwist-test-")
        page.driver.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": directory}
        )
        page.fill("terminal-input", "für dich")
        page.wait_text("terminal-output", "für dich\nfür dich")
        self.send_hex(page, FRAME)
        wait_until(lambda: page.text("terminal-output").count(FRAME) == 2, "the frame and its echo")
        page.click("terminal-save")
        page.click("terminal-save-bytes")
        page.wait_text("terminal-error", "bytes saved")
        page.click("terminal-save")
        page.click("terminal-save-text")

        def saved(ending: str) -> Path | None:
            return next(iter(Path(directory).glob(f"ECHO-20*.{ending}")), None)

        received = wait_until(lambda: saved("bin"), "the file of bytes")
        self.assertEqual(received.read_bytes(), "für dich\r".encode() + bytes.fromhex(FRAME))
        lines = wait_until(lambda: saved("txt"), "the transcript").read_text().splitlines()
        stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"
        self.assertRegex(lines[0], rf"# ECHO \(00:13:a2:00:40:0a:3e:03\), saved {stamp}")
        self.assertRegex(lines[1], rf"{stamp} - The terminal is open")
        self.assertRegex(lines[2], rf"{stamp} > für dich")
        self.assertRegex(lines[3], rf"{stamp} < für dich")
        self.assertRegex(lines[5], rf"{stamp} < 0000  {FRAME}")

    def test_copy_and_clear(self) -> None:
        page = self.terminal()
        page.driver.execute_cdp_cmd(
            "Browser.grantPermissions",
            {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
        )
        page.fill("terminal-input", "to be copied")
        page.wait_text("terminal-output", "to be copied\nto be copied")
        page.click("terminal-copy")
        page.wait_text("terminal-error", "The transcript is copied.")
        copied = page.driver.execute_async_script(
            "navigator.clipboard.readText().then(arguments[0])"
        )
        self.assertIn("> to be copied\nto be copied\n", copied)
        page.click("terminal-clear")
        self.assertEqual(page.text("terminal-output"), "")

    def test_port_that_moves(self) -> None:
        """It says so, waits while there is none, and opens again by itself."""
        api = self.world.gateway.api
        port = self.world.port("ECHO")
        self.addCleanup(api.create_mapping, "ECHO", port)
        page = self.terminal()
        other = self.world.gateway.control + 7
        api.create_mapping("ECHO", other)
        page.wait_text(
            "terminal-output", f"The terminal is open, beside the clients of port {other}"
        )
        self.assertIn("The terminal was closed.", page.text("terminal-output"))
        api.remove_mapping("ECHO")
        page.wait_text("terminal-state", "waiting: this node has no port")
        page.fill("terminal-input", "nobody hears this")
        page.wait_text("terminal-error", "nothing was sent")
        api.create_mapping("ECHO", port)
        page.wait_text("terminal-state", f"beside the clients of port {port}")

    def test_page_that_is_left(self) -> None:
        """The browser may keep it, as it is, for who goes back: the terminal does not stay open."""
        # The browser itself reports it of what is open then.
        self.expected_in_console = "Back-Forward Cache"
        page = self.terminal()
        page.script("window.kept = true")
        page.driver.get("about:blank")
        wait_until(lambda: not self.world.gateway.api.clients("ECHO"), "its end at the gateway")
        page.driver.back()
        # It may have been kept, or is loaded anew.
        wait_until(lambda: page.find("#terminal-output"), "the terminal")
        if page.script("return Boolean(window.kept)"):
            page.wait_text("terminal-output", "The page was left. It opens again by itself.")
        page.wait_text("terminal-state", "open")

    def test_narrow(self) -> None:
        """On a phone a dump has eight bytes a line, and nothing sticks out."""
        page = self.terminal()
        page.size(390, 844)
        page.click("terminal-times")
        self.addCleanup(page.script, "localStorage.clear()")
        self.send_hex(page, "00 01 02 03 04 05 06 07 08 09")
        page.wait_text("terminal-output", "0008  08 09")
        widths = (
            "const { scrollWidth, clientWidth } = document.getElementById(arguments[0]);"
            "return scrollWidth - clientWidth"
        )
        for name in ("terminal-output", "panel", "terminal-room"):
            self.assertEqual(page.script(widths, name), 0, name)
        self.assertTrue(page.id("terminal-input").is_displayed())


class TapTests(TerminalTestCase):
    def test_sees_what_others_send(self) -> None:
        """Both ways, and it is no client; the address says that it is one."""
        with socket.create_connection(("127.0.0.1", self.world.port("ECHO"))) as client:
            page = self.terminal("tap")
            page.wait_text("terminal-state", "only looking on")
            client.sendall(b"from elsewhere\r\n")
            page.wait_text("terminal-output", "from elsewhere\nfrom elsewhere")
            self.assertEqual(len(page.find(".terminal-output .sent")), 1)
            self.assertEqual(len(page.find(".terminal-output .received")), 1)
            self.assertEqual(len(self.world.gateway.api.clients("ECHO")), 1)
            self.assertFalse(page.id("terminal-form").is_displayed())
            self.assertIn("tap=yes", page.driver.current_url)
            page.choose("terminal-mode", "terminal")
            page.wait_text("terminal-state", "beside the clients")
            wait_until(
                lambda: len(self.world.gateway.api.clients("ECHO")) == 2, "the terminal as a client"
            )
            self.assertNotIn("tap", page.driver.current_url)
            self.assertIn("The tap was closed.", page.text("terminal-output"))


class PanelTests(TerminalTestCase):
    """In the panel of the page."""

    def test_lives_on(self) -> None:
        """It stays open behind other tabs; what has come is there yet when one comes back from
        another node; and it ends with the panel, since nobody would know of it any more.
        """
        page = self.terminal()
        with socket.create_connection(("127.0.0.1", self.world.port("ECHO"))) as client:
            page.click("tab-overview")
            client.sendall(b"behind another tab\n")
            page.click("tab-terminal")
            page.wait_text("terminal-output", "behind another tab")
            self.assertEqual(page.text("terminal-output").count("The terminal is open"), 1)
        page.open_node("METER")
        page.open_node("ECHO")
        page.click("tab-terminal")
        page.wait_text("terminal-state", "open")
        page.wait_text("terminal-output", "behind another tab")
        page.find("#panel .close")[0].click()
        wait_until(lambda: not self.world.gateway.api.clients("ECHO"), "its end at the gateway")

    def test_address_of_a_tap(self) -> None:
        """A page that is loaded with it looks on, and is no client."""
        page = self.terminal("tap")
        page.driver.get(page.driver.current_url)
        page.wait_text("terminal-state", "only looking on")
        self.assertEqual(self.world.gateway.api.clients("ECHO"), [])


class UsableTests(TerminalTestCase):
    """axe-core finds nothing in any state of it, light or dark."""

    skip = missing() or axe.missing() or None

    def look(self, page: Page, state: str) -> None:
        axe.check(self, page, state)

    def test_states(self) -> None:
        self.addCleanup(self.world.gateway.api.create_mapping, "ECHO", self.world.port("ECHO"))
        page = self.terminal()
        self.addCleanup(page.script, "localStorage.clear()")
        page.fill("terminal-input", "some text")
        self.send_hex(page, FRAME)
        wait_until(lambda: page.text("terminal-output").count(FRAME) == 2, "the frame and its echo")
        page.click("terminal-times")
        page.id("terminal-search").send_keys("text")
        page.wait_text("terminal-found", "2 of 2")
        self.look(page, "text, a dump, times, a search")
        page.size(390, 844)
        self.look(page, "on a phone")
        page.size(1280)
        page.click("terminal-save")
        self.look(page, "where to save")
        page.choose("terminal-mode", "tap")
        page.wait_text("terminal-state", "only looking on")
        self.look(page, "a tap")
        page.choose("terminal-mode", "terminal")
        self.world.gateway.api.remove_mapping("ECHO")
        page.wait_text("terminal-state", "waiting: this node has no port")
        page.fill("terminal-input", "00")
        page.wait_text("terminal-error", "nothing was sent")
        self.look(page, "no port")


class ComponentTests(TerminalTestCase):
    """In any element of the page; what it keeps, and for how long."""

    def mount(self) -> Page:
        page = self.open()
        page.driver.execute_async_script(MOUNTED)
        return page

    def show(self, page: Page, name: str) -> None:
        page.script(
            "const [name] = arguments;"
            "const node = [...terminalState.nodes.values()].find(({ label }) => label === name);"
            "view.unmount(); view.mount(room, node.address)",
            name,
        )

    def test_lives_on(self) -> None:
        """While it is not looked at, and while another node is."""
        page = self.mount()
        self.show(page, "ECHO")
        page.wait_text("terminal-state", "open")
        with socket.create_connection(("127.0.0.1", self.world.port("ECHO"))) as client:
            page.script("view.unmount()")
            self.assertEqual(page.find("#terminal-output"), [])
            client.sendall(b"while nobody looked\n")
            self.assertEqual(client.recv(100), b"while nobody looked\n")
            self.show(page, "METER")
            page.wait_text("terminal-state", "open")
            self.assertNotIn("nobody", page.text("terminal-output"))
            self.show(page, "ECHO")
            page.wait_text("terminal-output", "while nobody looked")
            self.assertEqual(page.text("terminal-output").count("The terminal is open"), 1)
        page.script("view.unmount(); view.leave()")
        wait_until(lambda: not self.world.gateway.api.clients("ECHO"), "its end at the gateway")
        self.show(page, "ECHO")
        shown = page.wait_text("terminal-output", "The terminal was closed.\nThe terminal is open")
        self.assertIn("while nobody looked", shown)

    def test_keeps_a_few_nodes(self) -> None:
        """The one that was looked at the longest ago is forgotten, and its connection closed."""
        page = self.mount()
        self.show(page, "ECHO")
        page.wait_text("terminal-state", "open")
        page.script("for (let one = 0; one < 7; one += 1) view.mount(room, `node ${one}`)")
        self.assertEqual(len(self.world.gateway.api.clients("ECHO")), 1)
        page.wait_text("terminal-state", "waiting: the gateway does not know this node")
        page.script("view.mount(room, 'node 8')")
        wait_until(lambda: not self.world.gateway.api.clients("ECHO"), "the end of the oldest")
        self.assertEqual(page.script("return view.kept.size"), 8)

    def test_bounds(self) -> None:
        """What is more than 256 KiB is dropped from the beginning, and said."""
        page = self.mount()
        self.show(page, "ECHO")
        page.wait_text("terminal-state", "open")
        answer: Any = page.script(
            "const { transcript } = view.current;"
            "const line = new TextEncoder().encode(`${'x'.repeat(99)}\\n`);"
            "for (let one = 0; one < 4000; one += 1) transcript.keep('received', line);"
            "return [transcript.size, transcript.pieces.length, transcript.dropped]"
        )
        self.assertEqual(answer[:2], [262100, 2621])
        page.wait_text("terminal-output", f"{answer[2]:,} earlier bytes are not kept.")
        self.assertEqual(answer[2], 400_000 - 262_100)
        wait_until(lambda: len(page.find("#terminal-output .received")) == 2621, "the rows of it")
        page.script(
            "const byte = Uint8Array.of(0x78);"
            "for (let one = 0; one < 6000; one += 1) view.current.transcript.keep('received', byte)"
        )
        self.assertEqual(page.script("return view.current.transcript.pieces.length"), 5000)
