"""Takes pictures of the console to look at: ``python -m tests.browser.screenshots DIRECTORY``.
With ``--readme docs/images/console.png`` or ``--docs docs/images`` it takes those that are shown.

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

#: Where the radio is. It stands in the pictures, and says nothing of this computer.
LINE = "/tmp/ttyXBee"

#: How many nodes there are in the pictures of docs/console.rst.
DOCUMENTED = 60

#: Seconds of traffic before the pictures.
TRAFFIC = 40.0
DOCUMENTED_TRAFFIC = 120.0
README_TRAFFIC = 300.0


#: Lights the way of a node in the picture that others relay: of that which is the farthest away.
LIGHT_A_LONG_WAY = """
    const { left, top, width, height } = document.querySelector(".network").getBoundingClientRect();
    const away = (node) => {
      const dot = node.querySelector(".dot").getBoundingClientRect();
      return Math.hypot(dot.left - left - width / 2, dot.top - top - height / 2);
    };
    const nodes = [...document.querySelectorAll(".network .node[aria-label*='through ECHO']")];
    nodes.sort((one, other) => away(other) - away(one))[0].focus();
"""


def take(page: Page, directory: Path, name: str) -> None:
    """Take one picture in each size and scheme."""
    for width, height in SIZES.items():
        for scheme in ("light", "dark"):
            page.size(width, height)
            page.scheme(scheme)
            page.script("scrollTo(0, 0)")
            # Sizes and colours are taken over with the next frame of the screen.
            time.sleep(0.3)
            page.driver.save_screenshot(str(directory / f"{name}-{width}-{scheme}.png"))
    page.size(1280)


def take_all(directory: Path, nodes: int) -> None:
    """Take the pictures of one network."""
    radio, gateway = start(nodes)
    try:
        ports = {row["addr_extended"].strip("[]!"): row["tcp_port"] for row in gateway.api.list()}
        failing = ports[address(min(FAILING, nodes - 1))]
        page = Page(f"http://127.0.0.1:{gateway.control}/")
        page.size(1280)
        page.wait_row("METER")
        page.measure()
        let_talk(page, list(ports.values()), failing, TRAFFIC)
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


def start(nodes: int) -> tuple[Program, Gateway]:
    """Start a radio and a gateway, wait until all nodes are known, and switch one off."""
    radio = Program("-m", "tests.browser.radio", LINE, str(nodes))
    radio.wait_for("ready")
    gateway = Gateway(LINE)
    try:
        wait_until(lambda: is_complete(gateway, nodes), f"{nodes} nodes", 120)
    except BaseException:
        gateway.stop()
        radio.stop()
        raise
    radio.process.send_signal(signal.SIGUSR2)
    return radio, gateway


def let_talk(page: Page, ports: list[int], failing: int, seconds: float) -> None:
    """Send something to many nodes, one of which is switched off, and write in a terminal."""
    page.open_terminal("ECHO")
    page.wait_text("terminal-state", "open")
    for number in range(int(seconds / 2)):
        page.fill("terminal-input", f"line {number} of {'some ' * (number % 7)}text")
        write_to(ports[number * 7 % len(ports)])
        write_to(failing)
        time.sleep(1)


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
        page.size(1280, 610)
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
            "document.getElementById('discover-text').textContent = ''"
        )
        time.sleep(2)
        shoot(page, path)
        client.close()
    finally:
        gateway.stop()


def take_for_docs(directory: Path) -> None:
    """Take the pictures that stand in docs/console.rst."""
    radio, gateway = start(DOCUMENTED)
    try:
        rows = gateway.api.list()
        ports = [row["tcp_port"] for row in rows]
        failing = next(row for row in rows if address(FAILING) in row["addr_extended"])
        page = Page(f"http://127.0.0.1:{gateway.control}/")
        page.size(1280, 800)
        page.scheme("light")
        page.wait_row("METER")
        let_talk(page, ports, failing["tcp_port"], DOCUMENTED_TRAFFIC)
        page.click("panel-close")
        page.open_node(failing["label"])
        page.select("test-count", "3")
        page.click("test")
        page.wait_text("test-result", "0 of 3 packets came back")
        shoot(page, directory / "panel.png")
        page.click("panel-close")
        page.scheme("dark")
        page.go_to("network")
        page.wait_text("picture-text", "nodes")
        page.script(LIGHT_A_LONG_WAY)
        shoot(page, directory / "network.png")
        page.scheme("light")
        page.go_to("nodes")
        page.size(390, 700)
        shoot(page, directory / "phone.png")
    finally:
        gateway.stop()
        radio.stop()


def shoot(page: Page, path: Path) -> None:
    """Take one picture, with nothing that only the one who takes it would see."""
    page.script("scrollTo(0, 0)")
    page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": 0, "y": 0})
    # The screen follows with its next frame.
    time.sleep(1)
    page.driver.save_screenshot(str(path))


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
    parser.add_argument(
        "--docs", metavar="DIRECTORY", type=Path, help="take just those of docs/console.rst"
    )
    arguments = parser.parse_args()
    wishes = (arguments.directory, arguments.readme, arguments.docs)
    if sum(wish is not None for wish in wishes) != 1:
        parser.error("name the directory that the pictures go to, or --readme FILE, or --docs")
    if missing():
        parser.error(missing())
    if arguments.readme is not None:
        take_for_readme(arguments.readme)
        return
    if arguments.docs is not None:
        take_for_docs(arguments.docs)
        return
    arguments.directory.mkdir(parents=True, exist_ok=True)
    for nodes in arguments.nodes or NETWORKS:
        take_all(arguments.directory, nodes)


if __name__ == "__main__":
    main()
