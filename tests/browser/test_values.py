"""Decoded values in a real browser: watts in the list and the panel, and beside the bytes."""

from __future__ import annotations

import atexit
import socket
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.browser import axe
from tests.browser.support import Page, Shared, missing, wait_until
from tests.decoding.support import AFTER, BEFORE, KWH, KWH_BEFORE, WATTS
from tests.system.support import Gateway, is_listening
from zbtwist.simulator.meter import encode_packet

#: Meters that speak only when they are asked, and a node that says what it is told.
CONFIGURATION = """
[[node]]
label = "METER"
decoder = "ecm1220"
ask-every = 2
[[node]]
label = "GEM"
decoder = "gem"
ask-every = 2
[[node]]
label = "ECHO"
decoder = "ecm1220"
"""


class World(Shared):
    """A gateway that all tests share; it ends with the program."""

    def __init__(self) -> None:
        path = Path(tempfile.mkdtemp(prefix="zbtwist-test-"), "zbtwist.toml")
        path.write_text(CONFIGURATION)
        radio = "sim:kinds=meter+gem+echo+sensor:interval=0:nt=0.3"
        self.gateway = Gateway(radio, "--config", str(path))
        atexit.register(self.gateway.stop)
        wait_until(lambda: is_listening(self.gateway.control), "the control port")
        self.ports = {name: row["tcp_port"] for name, row in self.gateway.nodes(4).items()}
        wait_until(lambda: self.told("METER").get("ch1_power"), "the first watts")

    def told(self, name: str) -> dict[str, Any]:
        """What a node has told, by the control API."""
        (row,) = [row for row in self.gateway.api.list() if row["label"] == name]
        return {each["name"]: each["value"] for each in row["values"]}

    def say(self, *packets: bytes) -> None:
        """Have the echo node say something."""
        with socket.create_connection(("127.0.0.1", self.ports["ECHO"]), timeout=10) as client:
            for packet in packets:
                client.sendall(packet)
                heard = b""
                while len(heard) < len(packet):
                    heard += client.recv(1000)


class ValuesTests(SynchronousTestCase):
    skip = missing() or None

    def setUp(self) -> None:
        self.world = World.get()
        self.control = self.world.gateway.control

    def open(self, width: int = 1280, **query: str) -> Page:
        page = Page(f"http://127.0.0.1:{self.control}/")
        page.size(width)
        page.script("localStorage.clear()")
        page.driver.get(page.address(**query))
        self.addCleanup(self.check, page)
        wait_until(lambda: page.find("#table tbody tr"), "rows")
        return page

    def check(self, page: Page) -> None:
        """Nothing went wrong in the page, and nothing was asked of anybody else."""
        self.assertEqual(page.console(), [])
        self.assertEqual(page.hosts(), {f"127.0.0.1:{self.control}"})

    def column(self, page: Page) -> dict[str, str]:
        """What the column of values says, by node."""
        texts = page.script(
            "return [...document.querySelectorAll('#table tbody tr')].map(row =>"
            " [row.querySelector('.name button').textContent,"
            "  row.querySelector('td.value')?.innerText ?? ''])"
        )
        return dict(texts)

    def facts(self, page: Page) -> dict[str, str]:
        """What the panel says that a node has told."""
        texts = page.script(
            "return [...document.querySelectorAll('#node-values dt')].map(one =>"
            " [one.textContent, one.nextElementSibling.textContent])"
        )
        return dict(texts)

    def test_list(self) -> None:
        """The column comes by itself where a node has told something, and changes as it does."""
        page = self.open()
        # Watts are told with the second packet of a meter, which may have told something else.
        meters = ("METER", "GEM")
        wait_until(
            lambda: all("W\nch1_power" in self.column(page)[meter] for meter in meters), "the watts"
        )
        first = self.column(page)
        self.assertRegex(first["METER"], r"^\d+(\.\d)? W\nch1_power$")
        self.assertRegex(first["GEM"], r" W\nch1_power$")
        self.assertEqual(first["SENSOR"], "")
        wait_until(lambda: self.column(page)["METER"] != first["METER"], "other watts")
        # It has room.
        width = "return document.querySelector('.table-frame').scrollWidth - innerWidth"
        self.assertLessEqual(page.script(width), 0)

    def test_sort_and_search(self) -> None:
        self.world.say(encode_packet(BEFORE), encode_packet(AFTER))
        page = self.open(sort="value")
        wait_until(lambda: len(list(filter(None, self.column(page).values()))) == 3, "values")
        page.script("document.activeElement.blur()")

        def is_sorted() -> bool:
            watts = [float(text.split()[0]) for text in self.column(page).values() if text]
            return watts == sorted(watts, reverse=True)

        wait_until(is_sorted, "the most watts first")
        self.assertEqual(list(self.column(page).values())[-1], "")
        page.id("filter").send_keys(f"ch1_power {WATTS}")
        wait_until(lambda: list(self.column(page)) == ["ECHO"], "what was searched for")

    def test_other_columns(self) -> None:
        """Who has chosen the columns has those, with values only if they were chosen."""
        page = self.open(columns="name,value")
        wait_until(lambda: self.column(page).get("METER"), "the watts")
        page.driver.get(page.address(columns="state,name"))
        page.wait_row("METER")
        self.assertEqual(set(self.column(page).values()), {""})
        self.assertEqual(page.find("th.value"), [])

    def test_phone(self) -> None:
        page = self.open(width=390)
        wait_until(lambda: self.column(page).get("METER"), "the watts")
        cell = page.row("METER").find_element("css selector", "td.value")
        self.assertTrue(cell.is_displayed())
        self.assertRegex(cell.text, r"^\d+(\.\d)? W ?ch1_power$")
        overflow = "return document.documentElement.scrollWidth - innerWidth"
        self.assertLessEqual(page.script(overflow), 0)

    def test_panel(self) -> None:
        """To the last digit, over the end of the counters, and live."""
        self.world.say(encode_packet(BEFORE))
        page = self.open()
        page.open_node("ECHO")
        wait_until(lambda: self.facts(page).get("ch1_energy") == f"{KWH_BEFORE} kWh", "the energy")
        self.world.say(encode_packet(AFTER))
        wait_until(lambda: self.facts(page).get("ch1_energy") == f"{KWH} kWh", "the energy then", 2)
        self.assertEqual(self.facts(page)["ch1_power"], f"{WATTS} W")
        self.assertEqual(
            {name: text.split()[0] for name, text in self.facts(page).items()},
            {
                name: repr(value).removesuffix(".0")
                for name, value in self.world.told("ECHO").items()
            },
        )

    def test_terminal(self) -> None:
        """Beside the bytes, behind them, in the terminal and the tap."""
        page = self.open()
        page.open_terminal("ECHO")
        for mode in ("terminal", "tap"):
            page.choose("terminal-mode", mode)
            page.wait_text("terminal-state", "open")
            self.world.say(encode_packet(BEFORE), encode_packet(AFTER))
            said = page.wait_text("terminal-output", f"ch1_power {WATTS} W")
            self.assertIn("0000  fe ff 01", said)
            self.assertIn(f"ch1_energy {KWH} kWh", said)
            self.assertRegex(said, r"and \d+ more values")
            page.click("terminal-clear")

    def test_axe(self) -> None:
        """The row of values can be read."""
        page = self.open()
        page.open_terminal("ECHO")
        page.choose("terminal-mode", "terminal")
        page.wait_text("terminal-state", "open")
        self.world.say(encode_packet(BEFORE))
        page.wait_text("terminal-output", "ch1_energy")
        axe.check(self, page, "a terminal with values")
