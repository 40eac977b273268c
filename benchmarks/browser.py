"""The console in a browser.

The real page of the real gateway, in Chromium.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.measure import Spread
from benchmarks.programs import Gateway
from benchmarks.radio_end import PAYLOAD, packet
from benchmarks.report import GOALS, Options, Table, goal, version

API_MODE = 2

#: Nodes whose list is loaded.
SIZES = (8, 300, 1000)

#: Nodes of the gateway that is looked at, and seconds between two packets of each of them.
LOOKED_AT = 300
RHYTHM = 10.0

#: Seconds that a browser is given to start: who opens the page has one that runs, and what it does
#: in the first second would be counted as the page's.
SETTLING = 2.0

#: Milliseconds of the page's own clock, which begins with its loading: when the first row of the
#: table was there, and when all were.
WATCH = """
window.rowTimes = [];
new MutationObserver(() => {
  const rows = document.querySelectorAll("#table tbody tr").length;
  if (rows) window.rowTimes.push([rows, performance.now()]);
}).observe(document, { childList: true, subtree: true });
"""

LOADING = f"""\
Milliseconds from the beginning of loading until the first rows of the list are there, and all of
them: of a browser that has never seen the page, and of one that has its files. It was started
{SETTLING:g} s before, is on the same computer as the gateway, and both share its processor.
"""

LOOKING = f"""\
{LOOKED_AT} nodes, of which each sends {PAYLOAD} bytes every {RHYTHM:g} s: the gateway's share of a
core, with nobody looking and with so many browsers that show the list; and what a browser is sent.
"""


def missing() -> str:
    """Return why it cannot be measured; "" if it can."""
    if version("selenium") is None:
        return "selenium is not installed"
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        return "there is no chromium, or no chromedriver"
    return ""


def versions(options: Options) -> Iterable[tuple[str, str]]:
    if missing():
        yield "Chromium", f"left out: {missing()}"


def tables(options: Options) -> Iterator[Table]:
    """Measure, and give each table when it is ready; the goals last."""
    if missing():
        return
    with tempfile.TemporaryDirectory() as directory:
        yield from _Measurement(Path(directory), options.quick).tables()


class _Measurement:
    def __init__(self, directory: Path, quick: bool) -> None:
        self._directory = directory
        self._sizes = SIZES[:1] if quick else SIZES
        self._looked_at = 8 if quick else LOOKED_AT
        self._loads = 2 if quick else 5
        self._settling = 0.0 if quick else SETTLING
        self._seconds = 0.5 if quick else 15.0
        self._rounds = 2 if quick else 3
        self._goals: list[list[str]] = []

    def tables(self) -> Iterator[Table]:
        header = ["nodes", "first rows, ms", "all, ms", "again: first", "all", "requests"]
        yield Table("Loading the list", LOADING, header, [self._load(size) for size in self._sizes])
        header = ["browsers", "% of a core", "sent, kB a minute"]
        yield Table("Looking on", LOOKING, header, self._look())
        yield Table("What was aimed at", "From the tables above.", GOALS, self._goals)

    def _gateway(self, nodes: int) -> Gateway:
        gateway = Gateway(self._directory, API_MODE, nodes)
        gateway.wait_until_up(stop_answering=False)
        return gateway

    def _load(self, size: int) -> list[str]:
        gateway = self._gateway(size)
        new: list[tuple[float, float]] = []
        again: list[tuple[float, float]] = []
        try:
            for _ in range(self._loads):
                # A new one has no files of the page yet.
                driver = _browser()
                try:
                    time.sleep(self._settling)
                    for times in (new, again):
                        times.append(_rows(driver, gateway, min(size, 1000)))
                        requests = driver.execute_script(
                            "return performance.getEntriesByType('resource').length + 1"
                        )
                finally:
                    driver.quit()
        finally:
            gateway.close()
        firsts, alls, firsts_again, alls_again = (
            Spread.of([one[which] for one in times]) for times in (new, again) for which in (0, 1)
        )
        if size == LOOKED_AT:
            self._goals.append(goal(f"first rows of {size} nodes, ms", "≤ 500", firsts))
        found = map(str, (firsts, alls, firsts_again, alls_again))
        return [f"{size:,}", *found, str(requests)]

    def _look(self) -> list[list[str]]:
        shares: dict[int, list[float]] = {0: [], 1: [], 3: []}
        sent: dict[int, list[float]] = {number: [] for number in shares}
        gateway = self._gateway(self._looked_at)
        talk = _Talk(gateway)
        drivers: list[Any] = []
        try:
            for _ in range(self._rounds):
                for number in shares:
                    while len(drivers) < number:
                        drivers.append(_browser())
                        _rows(drivers[-1], gateway, self._looked_at)
                    time.sleep(min(2.0, self._seconds))
                    for driver in drivers:
                        driver.get_log("performance")
                    spent, begun = gateway.processor_seconds(), time.monotonic()
                    time.sleep(self._seconds)
                    share = gateway.processor_seconds() - spent
                    elapsed = time.monotonic() - begun
                    shares[number].append(100 * share / elapsed)
                    told = sum(map(_sizes_of_messages, drivers[:1]))
                    sent[number].append(60 * told / elapsed / 1000)
                while drivers:
                    drivers.pop().quit()
        finally:
            talk.stop()
            for driver in drivers:
                driver.quit()
            gateway.close()
        viewer = [with_it - without for with_it, without in zip(shares[1], shares[0])]
        what = f"a browser that looks at {self._looked_at} nodes, % of a core"
        self._goals.append(goal(what, "≤ 1", Spread.of(viewer)))
        return [
            [str(number), str(Spread.of(shares[number])), f"{Spread.of(sent[number]).median:.0f}"]
            for number in shares
        ]


class _Talk:
    """Lets all nodes send something now and then, evenly spread."""

    def __init__(self, gateway: Gateway) -> None:
        payload = Random(1).randbytes(PAYLOAD)
        self._frames = [packet(node, payload, API_MODE) for node in range(gateway.nodes)]
        self._line = gateway.line.master
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._is_over.wait(RHYTHM / len(self._frames)):
            os.write(self._line, self._frames[number % len(self._frames)])
            number += 1

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()


def _browser() -> Any:
    """Start a browser that notes when rows of the list are there."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    return driver


def _rows(driver: Any, gateway: Gateway, count: int) -> tuple[float, float]:
    """Load the page.

    @return: milliseconds until the first rows were there, and so many.
    """
    driver.get(f"http://{gateway.host}:{gateway.control}/")
    end = time.monotonic() + 60
    while True:
        times = driver.execute_script("return window.rowTimes || []")
        if times and times[-1][0] >= count:
            whole = next(at for rows, at in times if rows >= count)
            return float(times[0][1]), float(whole)
        gateway.check()
        if time.monotonic() > end:
            raise TimeoutError(f"The page shows {times[-1:]} of {count} rows.")
        time.sleep(0.02)


def _sizes_of_messages(driver: Any) -> int:
    """How many bytes the page's WebSockets were sent since this was asked last."""
    size = 0
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.webSocketFrameReceived":
            size += len(message["params"]["response"]["payloadData"])
    return size
