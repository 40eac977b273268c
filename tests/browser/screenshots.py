"""Takes pictures of the console, to be looked at: ``python -m tests.browser.screenshots DIRECTORY``
and ``python -m tests.browser.screenshots --readme docs/images/console.png``.

With 8, with 60 and with 300 simulated nodes, one of which is switched off; 1280, 800 and 390 pixels
wide, light and dark: each view, a node's panel, a terminal, the menus. Some traffic runs for a
while before, so that the graphs show something.
"""

from __future__ import annotations

import argparse
import random
import signal
import socket
import time
import xmlrpc.client
from contextlib import suppress
from pathlib import Path

from tests.browser.radio import FAILING, address
from tests.browser.support import Keys, Page, missing, wait_until
from tests.system.support import Gateway, Program

#: Widths and heights of the windows, in CSS pixels.
SIZES = {1280: 900, 800: 900, 390: 844}

#: How many nodes there are.
NETWORKS = (8, 60, 300)

#: Seconds of traffic before the pictures.
TRAFFIC = 40.0
README_TRAFFIC = 300.0


def take(page: Page, directory: Path, name: str) -> None:
    """Take one picture in each size and scheme."""
    for width, height in SIZES.items():
        for scheme in ("light", "dark"):
            page.size(width, height)
            page.scheme(scheme)
            # Sizes and colours are taken over with the next frame of the screen.
            time.sleep(0.3)
            page.driver.save_screenshot(str(directory / f"{name}-{width}-{scheme}.png"))
    page.size(1280)


def take_all(directory: Path, nodes: int) -> None:
    """Take the pictures of one network."""
    link = str(directory.resolve() / "radio")
    radio = Program("-m", "tests.browser.radio", link, str(nodes))
    radio.wait_for("ready")
    gateway = Gateway(link)
    try:
        wait_until(lambda: is_complete(gateway, nodes), f"{nodes} nodes", 120)
        radio.process.send_signal(signal.SIGUSR2)
        ports = {row["addr_extended"].strip("[]!"): row["tcp_port"] for row in gateway.api.list()}
        failing = ports[address(min(FAILING, nodes - 1))]
        page = Page(f"http://127.0.0.1:{gateway.control}/")
        page.size(1280)
        page.wait_row("METER")
        page.measure()
        page.open_terminal("ECHO")
        page.wait_text("terminal-state", "open")
        for number in range(int(TRAFFIC / 2)):
            page.fill("terminal-input", f"line {number} of {'some ' * (number % 7)}text")
            write_to(list(ports.values())[number * 7 % nodes])
            write_to(failing)
            time.sleep(1)
        take(page, directory, f"{nodes}-terminal")
        page.click("terminal-times")
        page.choose("terminal-view", "hex")
        page.choose("terminal-mode", "tap")
        page.wait_text("terminal-state", "only looking on")
        take(page, directory, f"{nodes}-tap")
        page.choose("terminal-mode", "terminal")
        page.click("terminal-times")
        page.click("panel-close")
        take(page, directory, f"{nodes}-nodes")
        for menu in ("facts-menu", "columns-menu"):
            page.script("document.getElementById(arguments[0]).open = true", menu)
            take(page, directory, f"{nodes}-{menu}")
            page.script("document.getElementById(arguments[0]).open = false", menu)
        page.open_node("ECHO")
        take(page, directory, f"{nodes}-node")
        page.click("tab-settings")
        page.click("settings-read")
        page.wait_text("settings", "DIO1")
        take(page, directory, f"{nodes}-settings")
        page.click("tab-io")
        page.click("sample")
        page.wait_text("pins", "supply")
        for tab in ("io", "frames", "happened"):
            page.click(f"tab-{tab}")
            take(page, directory, f"{nodes}-{tab}")
        page.click("panel-close")
        for view in ("network", "log"):
            page.go_to(view)
            take(page, directory, f"{nodes}-{view}")
        page.go_to("network")
        page.wait_text("picture-text", "nodes")
        page.click("zoom-fit")
        take(page, directory, f"{nodes}-fit")
        page.script(
            "document.querySelector(`.network [data-address='${arguments[0]}']`).focus()",
            address(min(FAILING, nodes - 1)),
        )
        take(page, directory, f"{nodes}-way")
        gateway.api.walk(0.25)
        page.click("neighbours-on")
        wait_until(lambda: gateway.api.links()["told"] > 2, "neighbours", 60)
        take(page, directory, f"{nodes}-neighbours")
        gateway.api.end_walk()
        page.click("neighbours-on")
        page.id("picture-frame").send_keys(Keys.ESCAPE)
        page.click("only-problems")
        take(page, directory, f"{nodes}-only-problems")
        page.click("only-problems")
        gateway.stop()
        page.wait_text("banner", "lost")
        take(page, directory, f"{nodes}-lost")
    finally:
        gateway.stop()
        radio.stop()


def write_to(port: int) -> None:
    """Send something to a node, and wait a moment for what comes back, or for the port's end."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as client:
        client.sendall(b"some text " * 3)
        client.recv(100)


def take_for_readme(path: Path) -> None:
    """Take the picture that stands in the README."""
    gateway = Gateway("sim:nodes=8:hops=1+1+2")
    try:
        wait_until(lambda: is_complete(gateway, 8), "8 nodes", 30)
        page = Page(f"http://127.0.0.1:{gateway.control}/")
        page.size(1280, 720)
        page.scheme("light")
        page.wait_row("METER")
        page.measure()
        page.open_terminal("ECHO")
        page.wait_text("terminal-state", "open")
        client = socket.create_connection(("127.0.0.1", gateway.nodes(8)["METER"]["tcp_port"]))
        end = time.monotonic() + README_TRAFFIC
        chance = random.Random(1)
        while time.monotonic() < end:
            page.fill("terminal-input", "some text " * chance.randrange(1, 18))
            time.sleep(chance.uniform(1, 4))
        page.script(
            "document.getElementById('panel-close').click(); document.activeElement.blur();"
            "document.getElementById('discover-text').textContent = ''; scrollTo(0, 0)"
        )
        time.sleep(2)
        page.driver.save_screenshot(str(path))
        client.close()
    finally:
        gateway.stop()


def is_complete(gateway: Gateway, nodes: int) -> bool:
    """Whether all nodes have names and ports."""
    try:
        rows = gateway.api.list()
    except (ConnectionError, xmlrpc.client.Error):
        return False
    return sum(bool(row["label"] and row["tcp_port"]) for row in rows) == nodes


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.browser.screenshots",
        description="Take pictures of the console, every view of it, in a real Chromium.",
    )
    parser.add_argument("directory", nargs="?", type=Path, help="where the pictures go")
    parser.add_argument(
        "nodes", nargs="*", type=int, help="how many nodes the networks have; 8, 60 and then 300"
    )
    parser.add_argument(
        "--readme", metavar="FILE", type=Path, help="take just the picture of the README, to FILE"
    )
    arguments = parser.parse_args()
    if (arguments.directory is None) == (arguments.readme is None):
        parser.error("name the directory that the pictures go to, or --readme FILE")
    if missing():
        parser.error(missing())
    if arguments.readme is not None:
        take_for_readme(arguments.readme)
        return
    arguments.directory.mkdir(parents=True, exist_ok=True)
    for nodes in arguments.nodes or NETWORKS:
        take_all(arguments.directory, nodes)


if __name__ == "__main__":
    main()
