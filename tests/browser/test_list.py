"""The list of nodes: what of many is to be seen at once, found, sorted, filtered and taken away."""

from __future__ import annotations

import atexit
import csv
import io
import json
import os
import signal
import socket
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twisted.trial.unittest import SynchronousTestCase

from tests.browser.radio import address
from tests.browser.support import Page, Shared, missing, wait_until
from tests.system.support import Gateway, Program, is_listening

#: How many nodes there are, and the one that is switched off.
NODES = 60
DEAD = "ECHO3"

#: What the configuration calls nodes: as long as may be, from right to left, and a formula.
LONG = "boiler house in the northern yard behind the second gate, line 4"
ARABIC = "عداد الكهرباء"
FORMULA = '=HYPERLINK("http://evil.example")'


class World(Shared):
    """A radio with many nodes, and a gateway, which all tests share; they end with the program."""

    def __init__(self) -> None:
        directory = tempfile.mkdtemp(prefix="zbtwist-test-")
        self.link = os.path.join(directory, "radio")
        self.socket = os.path.join(directory, "a-place-with-a-long-name-for-sockets", "sensor")
        os.mkdir(os.path.dirname(self.socket))
        configuration = Path(directory, "zbtwist.toml")
        configuration.write_text(
            f'[[node]]\naddress = "{address(0)}"\nname = "{LONG}"\n'
            f'[[node]]\naddress = "{address(1)}"\nname = "{ARABIC}"\n'
            f"[[node]]\naddress = \"{address(2)}\"\nname = '{FORMULA}'\n"
            f'[[node]]\naddress = "{address(4)}"\nendpoint = "unix:{self.socket}"\n',
            encoding="utf-8",
        )
        self.radio = Program("-m", "tests.browser.radio", self.link, str(NODES))
        atexit.register(self.radio.stop)
        self.radio.wait_for("ready")
        self.gateway = Gateway(self.link, "--config", str(configuration))
        atexit.register(self.gateway.stop)
        self.ports: dict[str, int] = {}
        wait_until(self.is_complete, "all nodes with names and ports", 60)

    def is_complete(self) -> bool:
        if not is_listening(self.gateway.control):
            return False
        rows = [row for row in self.gateway.api.list() if row["label"]]
        self.ports = {row["label"]: row["tcp_port"] for row in rows}
        # One has a socket in place of a port.
        return len(rows) == NODES and sum(map(bool, self.ports.values())) == NODES - 1

    def switch(self) -> None:
        """Switch a node off, or on again."""
        self.radio.process.send_signal(signal.SIGUSR2)

    def write(self, name: str) -> None:
        """Send something to a node, and wait until the gateway has given it up or not."""
        with socket.create_connection(("127.0.0.1", self.ports[name]), timeout=10) as client:
            client.sendall(b"hello")
            try:
                client.recv(1)
            except ConnectionResetError:
                return


class ListTestCase(SynchronousTestCase):
    skip = missing() or None

    def setUp(self) -> None:
        self.world = World.get()
        self.control = self.world.gateway.control

    def open(self, **query: str) -> Page:
        page = Page(f"http://127.0.0.1:{self.control}/")
        page.size(1280)
        if query:
            page.driver.get(page.address(**query))
        self.addCleanup(self.check, page)
        wait_until(lambda: page.find("#table tbody tr"), "rows")
        return page

    def check(self, page: Page) -> None:
        """Nothing went wrong in the page, and nothing was asked of anybody else."""
        self.assertEqual(page.console(), [])
        self.assertEqual(page.hosts(), {f"127.0.0.1:{self.control}"})

    def query(self, page: Page) -> dict[str, str]:
        """What the page's address says."""
        found = parse_qs(urlsplit(page.driver.current_url).query)
        return {name: values[0] for name, values in found.items()}

    def names(self, page: Page) -> list[str]:
        return list(page.rows())

    def count(self, page: Page, box: str) -> int:
        """What a box of the strip says."""
        return int(page.find(f".box.{box} b")[0].text or 0)


class HealthTests(ListTestCase):
    def test_failing_node_among_many(self) -> None:
        """The strip counts it, the first row is it and says since when; a click leaves only it.

        When it is back it is well at once.
        """
        world = self.world
        page = self.open()
        wait_until(lambda: self.count(page, "ok") > NODES / 2, "most are well")
        self.assertEqual(self.count(page, "attention"), 0)
        world.switch()
        try:

            def is_found() -> bool:
                # It may have been heard a moment ago: then what was lost meanwhile says little.
                world.write(DEAD)
                return "Not answering" in page.rows()[DEAD]

            wait_until(is_found, "it is found not to answer")
            wait_until(lambda: self.count(page, "attention") == 1, "one needs attention")
            # Nobody points at a row, so it comes to the top by itself.
            wait_until(lambda: self.names(page)[0] == DEAD, "it is the first")
            state = page.find("#table tbody tr:first-child td.state")[0]
            self.assertIn("packets got no acknowledgement", state.get_attribute("title"))
            page.wait_row(DEAD, " of ")
            page.find(".box.attention")[0].click()
            self.assertEqual(self.names(page), [DEAD])
            self.assertEqual(self.query(page), {"health": "attention"})
            self.assertEqual(page.text("shown"), f"1 of {NODES} nodes: need attention")
            lost = "#table td.lately .lost[d], #all-traffic .lost[d]"
            wait_until(lambda: len(page.find(lost)) == 2, "its losses in both pictures")
        finally:
            world.switch()
        page.driver.back()
        self.assertEqual(len(self.names(page)), NODES)

        def is_well() -> bool:
            # It answers at once, and is well when ten in a row have arrived.
            world.write(DEAD)
            return "OK" in page.rows()[DEAD]

        wait_until(is_well, "it is well again")
        wait_until(lambda: self.count(page, "attention") == 0, "none needs attention")

    def test_all_are_in_one_box(self) -> None:
        page = self.open()
        boxes = ("attention", "weak", "unknown", "asleep", "ok")
        wait_until(
            lambda: (
                sum(self.count(page, box) for box in boxes if page.find(f".box.{box}")) == NODES
                or None
            ),
            "all nodes are in a box",
        )
        self.assertGreater(self.count(page, "asleep"), 0)


class PlaceTests(ListTestCase):
    """What the reader has chosen stands in the page's address."""

    def test_sort(self) -> None:
        page = self.open()
        page.find("th.port button")[0].click()
        self.assertEqual(self.query(page), {"sort": "port"})
        names = self.names(page)
        page.find("th.port button")[0].click()
        self.assertEqual(self.query(page), {"sort": "-port"})
        page.driver.refresh()
        wait_until(lambda: len(self.names(page)) == NODES, "all rows")
        self.assertEqual(page.find("th.port")[0].get_attribute("aria-sort"), "descending")
        self.assertNotEqual(self.names(page)[0], names[0])
        page.find("th.state button")[0].click()
        self.assertEqual(self.query(page), {})

    def test_blanks_are_last(self) -> None:
        """Whichever way is sorted."""
        page = self.open()
        # Those who speak by themselves have a signal, others have none.
        wait_until(lambda: page.find("td.signal:not(.nothing)"), "signals")
        for _ in range(2):
            page.find("th.signal button")[0].click()
            blank = page.script(
                "return [...document.querySelectorAll('#table td.signal')]"
                ".map((cell) => cell.classList.contains('nothing'))"
            )
            self.assertEqual(blank, sorted(blank))
            self.assertTrue(blank[-1])

    def test_search(self) -> None:
        page = self.open()
        # A slash goes there from anywhere.
        page.find("body")[0].send_keys("/")
        self.assertEqual(page.script("return document.activeElement.id"), "filter")
        page.id("filter").send_keys("echo10")
        self.assertEqual(self.names(page), ["ECHO10"])
        wait_until(lambda: self.query(page) == {"q": "echo10"}, "the search in the address")
        page.driver.refresh()
        wait_until(lambda: self.names(page) == ["ECHO10"], "the same after a reload")
        page.id("filter").send_keys("/nobody")
        self.assertEqual(self.names(page), [])
        self.assertEqual(page.text("no-match"), "No node matches.")
        page.click("show-all")
        self.assertEqual(len(self.names(page)), NODES)
        self.assertEqual(page.id("filter").get_attribute("value"), "")

    def test_columns(self) -> None:
        page = self.open()
        page.unfold("columns-menu")
        page.find("#columns-list input[value=device]")[0].click()
        page.find("#columns-list input[value=hops]")[0].click()
        columns = "state,name,port,lately,signal,lost,heard,device"
        self.assertEqual(self.query(page), {"columns": columns})
        page.driver.refresh()
        page.wait_row(DEAD, "RS-232 adapter")
        self.assertEqual(page.find("th.hops"), [])
        page.unfold("columns-menu")
        page.click("columns-usual")
        self.assertEqual(self.query(page), {})
        self.assertNotEqual(page.find("th.hops"), [])
        # A click elsewhere folds the menu.
        page.find("h1")[0].click()
        self.assertFalse(page.id("columns-usual").is_displayed())

    def test_address_that_makes_no_sense(self) -> None:
        """It shows what there is."""
        page = self.open(view="nothing", sort="-nothing", columns="x,,y", health="toString", q="")
        wait_until(lambda: len(self.names(page)) == NODES, "all rows")
        self.assertEqual(page.find("th.state")[0].get_attribute("aria-sort"), "ascending")

    def test_back(self) -> None:
        page = self.open()
        page.go_to("log")
        page.go_to("network")
        page.driver.back()
        wait_until(lambda: page.id("view-log").is_displayed(), "the log again")
        page.driver.back()
        wait_until(lambda: page.id("view-nodes").is_displayed(), "the nodes again")


class ExportTests(ListTestCase):
    def export(self, page: Page, kind: str) -> str:
        """Return the text that the browser is told to save, without the mark at its beginning."""
        page.script(
            "window.saved = null; URL.createObjectURL = (blob) => {"
            " blob.text().then((text) => { window.saved = text; }); return 'data:,'; }"
        )
        page.unfold("export-menu")
        page.click(f"export-{kind}")
        return str(wait_until(lambda: page.script("return window.saved"), "the file"))

    def test_what_is_shown(self) -> None:
        """In the order of the page, with its columns, in values that programs read."""
        page = self.open(q="echo", sort="-name")
        wait_until(lambda: DEAD in self.names(page), "the rows")
        shown = self.names(page)
        rows = list(csv.DictReader(io.StringIO(self.export(page, "csv"))))
        same = json.loads(self.export(page, "json"))
        self.assertEqual([row["name"] for row in same], shown)
        self.assertEqual([row["address"] for row in rows], [row["address"] for row in same])
        ports = self.world.ports
        for row, line in zip(same, rows):
            self.assertEqual(row["port"], ports[row["label"]])
            self.assertEqual(row["connect"], f"127.0.0.1:{row['port']}")
            self.assertEqual(line["port"], str(row["port"]))
            self.assertEqual(line["state"], row["state"])
            self.assertRegex(line["last_heard"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(same[0].keys(), rows[0].keys())

    def test_names_that_spreadsheets_would_run(self) -> None:
        page = self.open(q="evil")
        page.wait_row(FORMULA)
        [row] = csv.DictReader(io.StringIO(self.export(page, "csv")))
        self.assertEqual(row["name"], f"'{FORMULA}")
        [same] = json.loads(self.export(page, "json"))
        self.assertEqual(same["name"], FORMULA)


class ReadingTests(ListTestCase):
    """Whatever nodes are called, and however wide the window is."""

    def sticking_out(self, page: Page) -> list[str]:
        """What is wider than the window, or than its own cell."""
        found: list[str] = page.script(
            """
            const wide = [];
            if (document.documentElement.scrollWidth > innerWidth) {
              for (const part of document.querySelectorAll("body *")) {
                const { right } = part.getBoundingClientRect();
                if (right > innerWidth) wide.push(`${part.tagName} ${part.id} ${right}`);
              }
            }
            for (const cell of document.querySelectorAll("#table td, .box, .all-traffic, .top")) {
              if (cell.offsetParent && cell.scrollWidth > cell.clientWidth + 1) {
                wide.push(`${cell.className}: ${cell.innerText}`);
              }
            }
            return wide;
            """
        )
        return found

    def test_widths(self) -> None:
        page = self.open()
        page.wait_row(LONG)
        for width in (1280, 1100, 1024, 800, 390, 320):
            page.size(width, 900)
            wait_until(lambda: page.script("return innerWidth") == width, "the width")  # noqa: B023
            self.assertEqual(self.sticking_out(page), [], width)

    def test_all_columns_in_a_small_window(self) -> None:
        """Also when a node fails for long, and the end of an address is seen, not its beginning."""
        page = self.open()
        page.size(800, 900)
        page.wait_row(LONG)
        over, cut = page.script(
            """
            const row = document.querySelector("#table tbody tr");
            row.querySelector("td.state .pill").textContent = "▲ Not answering · 44 min";
            row.querySelector("td.lost").textContent = "173 of 173";
            row.querySelector("td.heard").textContent = "44 min";
            const frame = document.getElementById("table-frame");
            const text = row.querySelector("td.name .address");
            const range = document.createRange();
            const letters = document.createTreeWalker(text, NodeFilter.SHOW_TEXT).nextNode();
            range.setStart(letters, letters.length - 5);
            range.setEnd(letters, letters.length);
            const box = text.getBoundingClientRect(), end = range.getBoundingClientRect();
            return [frame.scrollWidth - frame.clientWidth, end.right - box.right];
            """
        )
        self.assertLessEqual(over, 0)
        self.assertLessEqual(cut, 0.5)

    def test_titles_are_in_line(self) -> None:
        """Also where columns are as narrow as their titles, and one is sorted by."""
        page = self.open(columns="state,name,port,signal,hops,lost,heard,temperature", sort="hops")
        page.wait_row(LONG)
        for width in (1280, 1000, 800):
            page.size(width, 900)
            wait_until(lambda: page.script("return innerWidth") == width, "the width")  # noqa: B023
            middles = page.script(
                """
                return [...document.querySelectorAll("#table thead button")].map((title) => {
                  const range = document.createRange();
                  range.selectNodeContents(title);
                  const { top, bottom } = range.getBoundingClientRect();
                  return Math.round((top + bottom) / 2);
                });
                """
            )
            self.assertEqual(len(set(middles)), 1, (width, middles))

    def test_two_lines_on_a_phone(self) -> None:
        page = self.open()
        page.size(390, 844)
        heights = page.script(
            "return [...document.querySelectorAll('#table tbody tr')]"
            ".map((row) => row.offsetHeight)"
        )
        self.assertEqual(len(heights), NODES)
        self.assertLessEqual(max(heights), 70)
        row = page.row(DEAD)
        for what in ("name", "port", "state"):
            self.assertTrue(row.find_element("css selector", f"td.{what}").is_displayed(), what)

    def test_right_to_left(self) -> None:
        """A name of that kind leaves what is beside it where it is."""
        page = self.open(q="sensor")
        button = page.row(ARABIC).find_element("css selector", ".name button")
        self.assertEqual(button.get_attribute("dir"), "auto")
        alias = page.row(ARABIC).find_element("css selector", ".alias")
        self.assertEqual(alias.text, "SENSOR")
        self.assertGreater(alias.rect["x"], button.rect["x"])

    def test_socket_as_a_port(self) -> None:
        """Its path stands there, and is what is copied."""
        page = self.open(q="sensor2")
        row = page.row("SENSOR2")
        button = row.find_element("css selector", "button.port")
        self.assertEqual(button.text, self.world.socket)
        self.assertEqual(self.copied(page, button), self.world.socket)

    def test_port_is_copied(self) -> None:
        page = self.open()
        button = page.row(DEAD).find_element("css selector", "button.port")
        place = f"127.0.0.1:{self.world.ports[DEAD]}"
        self.assertEqual(self.copied(page, button), place)
        page.wait_text("toast", f"Copied {place}")
        # Where the browser keeps its clipboard from the page there is another way.
        page.script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        page.script("document.addEventListener('copy', () => { window.way = 'old'; })")
        button.click()
        wait_until(lambda: page.script("return window.way") == "old", "the other way")

    def copied(self, page: Page, button: Any) -> str:
        """Click on a button, and return what it gives to the clipboard."""
        page.script(
            "navigator.clipboard.writeText = async (text) => { window.copied = text; };"
            "window.copied = '';"
        )
        button.click()
        return str(wait_until(lambda: page.script("return window.copied"), "what is copied"))

    def test_theme(self) -> None:
        """The page is as the system is, unless the reader has chosen; that is remembered."""
        page = self.open()
        self.addCleanup(page.scheme, "light")
        theme = "return document.documentElement.dataset.theme"
        for scheme in ("dark", "light"):
            page.scheme(scheme)
            wait_until(lambda: page.script(theme) == scheme, scheme)  # noqa: B023
        page.unfold("facts-menu")
        page.find("#theme option[value=dark]")[0].click()
        self.assertEqual(page.script(theme), "dark")
        page.driver.refresh()
        self.assertEqual(page.script(theme), "dark")
        page.unfold("facts-menu")
        page.find("#theme option[value='']")[0].click()
        self.assertEqual(page.script(theme), "light")
        self.assertEqual(page.script("return localStorage.length"), 0)

    def test_click_on_a_row(self) -> None:
        """Anywhere in it opens the node."""
        page = self.open()
        page.row(DEAD).find_element("css selector", "td.heard").click()
        page.wait_text("node-title", DEAD)


class ManyTests(ListTestCase):
    def test_first_screen_first(self) -> None:
        """Of hundreds of rows those of a screen are drawn before all others, once."""
        page = self.open()
        nodes = [
            {"address": f"00:13:a2:00:00:00:{number >> 8:02x}:{number & 255:02x}", "port": number}
            | {"label": f"N{number}", "health": "ok", "last_seen": 0, "type": "router"}
            for number in range(1, 301)
        ]
        seen = page.driver.execute_async_script(
            """
            const [nodes, done] = arguments;
            Promise.all(["table", "state"].map((name) => import(`/static/${name}.js`))).then(
              ([{ NodeTable }, { State }]) => {
                const body = document.createElement("tbody");
                document.querySelector("#table tbody").replaceWith(body);
                const state = new State();
                const table = new NodeTable(state, {});
                const seen = [];
                new MutationObserver(() => {
                  seen.push(body.rows.length);
                  if (seen.length === 2) done(seen);
                }).observe(body, { childList: true });
                state.take({ type: "snapshot", gateway: {}, radio: {}, nodes, traffic: {} });
              },
            );
            """,
            nodes,
        )
        self.assertEqual(seen[1], 300)
        self.assertLess(seen[0], 100)
        self.assertGreater(seen[0], 30)


class BadgeTests(ListTestCase):
    def test_warnings(self) -> None:
        """The log's name says how many there are that nobody looked at."""
        page = self.open()
        before = int(page.text("log-badge").rstrip("+") or 0)
        world = self.world
        world.switch()
        try:
            world.write(DEAD)
        finally:
            world.switch()
        wait_until(lambda: int(page.text("log-badge").rstrip("+") or 0) > before, "one more")
        page.go_to("log")
        self.assertEqual(page.text("log-badge"), "")
        page.go_to("nodes")
        self.assertEqual(page.text("log-badge"), "")


class EmptyTests(SynchronousTestCase):
    skip = missing() or None

    def test_no_node_yet(self) -> None:
        """The page says what to do."""
        gateway = Gateway("sim:nodes=0:nt=0.3")
        self.addCleanup(gateway.stop)
        wait_until(lambda: is_listening(gateway.control), "the control port")
        page = Page(f"http://127.0.0.1:{gateway.control}/")
        page.size(1280)
        said = page.wait_text("no-nodes", "No node is known yet")
        self.assertIn("PAN", said)
        self.assertFalse(page.id("table-frame").is_displayed())
        page.wait_text("radio-pill", "radio up")
        page.click("discover-first")
        page.wait_text("discover-text", "The search has ended; 0 nodes known.")
        self.assertEqual(page.console(), [])
