"""One browser for all tests, and the console as a reader sees it.

Starting a browser takes longer than a test, so it is started once and ended with the program. Each
test loads the page anew.
"""

from __future__ import annotations

import atexit
import json
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from twisted.trial.unittest import SkipTest

from tests.system.support import PATIENCE, wait_until

try:
    from selenium import webdriver
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.remote.webelement import WebElement
except ImportError:
    webdriver = Keys = None  # type: ignore[assignment, misc]

if TYPE_CHECKING:
    from typing_extensions import Self

_CHROMIUM = shutil.which("chromium")
_CHROMEDRIVER = shutil.which("chromedriver")

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--lang=en-US",
)

_driver: Any = None

_shared: dict[type, Any] = {}


class Shared:
    """What many tests share: it is made when the first of them asks for it."""

    @classmethod
    def get(cls) -> Self:
        """Return the one there is of this class."""
        if cls not in _shared:
            _shared[cls] = cls()
        one: Self = _shared[cls]
        return one


def missing() -> str:
    """Return why there can be no browser; "" if there can."""
    if webdriver is None:
        return "selenium is not installed"
    if not _CHROMIUM or not _CHROMEDRIVER:
        return "there is no chromium, or no chromedriver (Debian: chromium-driver)"
    return ""


def start_browser(*more: str) -> Any:
    """Start a browser, which must be quit.

    @param more: options of its command line.
    """
    options = webdriver.ChromeOptions()
    options.binary_location = _CHROMIUM or ""
    for option in (*_OPTIONS, *more):
        options.add_argument(option)
    # Those of tests are of CAs that no browser knows; who checks them is tested elsewhere.
    options.accept_insecure_certs = True
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(_CHROMEDRIVER))
    driver.set_page_load_timeout(PATIENCE)
    return driver


def browser() -> Any:
    """Return the browser, started if need be."""
    global _driver
    if missing():
        raise SkipTest(missing())
    if _driver is None:
        _driver = start_browser()
        atexit.register(_driver.quit)
    return _driver


def _click(button: WebElement, what: str) -> None:
    # A click on a button that is disabled is lost without a word.
    wait_until(button.is_enabled, f"{what}, to be clicked")
    button.click()


class Page:
    """The console in the browser."""

    def __init__(self, url: str, view: str = "") -> None:
        """
        @param view: "nodes", "network" or "log".
        """
        self.driver = browser()
        self.url = url
        # What was logged before belongs to another test.
        self.driver.get("about:blank")
        self.console()
        self.driver.get_log("performance")
        self.driver.get(self.address(view))

    def address(self, view: str = "", **more: str) -> str:
        """The address of a view.

        @param more: what else stands in its query.
        """
        said = {"view": view, **more} if view else more
        return f"{self.url}?{urlencode(said)}" if said else self.url

    def size(self, width: int, height: int = 900) -> None:
        """Give the window a size, in CSS pixels."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def scheme(self, name: str) -> None:
        """Be a reader who wants "dark" or "light"."""
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": name}]},
        )

    def script(self, text: str, *arguments: Any) -> Any:
        """Run a function's body in the page."""
        return self.driver.execute_script(text, *arguments)

    def id(self, name: str) -> WebElement:
        """Find an element by its id."""
        element: WebElement = self.driver.find_element(By.ID, name)
        return element

    def text(self, name: str) -> str:
        """What is to be read in an element; "" while it is hidden, or not there."""
        try:
            return "".join(str(each.text) for each in self.find(f"#{name}"))
        except StaleElementReferenceException:
            return ""

    def wait_text(self, name: str, words: str) -> str:
        """Wait until an element says these words; return all it says."""
        said: list[str] = []

        def says() -> bool:
            said[:] = [self.text(name)]
            return words in said[0]

        try:
            wait_until(says, f"{words!r} in #{name}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it says {said[0]!r}{self._where(name)}") from None
        return said[0]

    def _where(self, name: str) -> str:
        """Return what is there in place of an element that cannot be seen; "" if it can."""
        if any(each.is_displayed() for each in self.find(f"#{name}")):
            return ""
        state, body = self.script("return [document.readyState, document.body?.innerText ?? null]")
        return f", and is not to be seen in {self.driver.current_url} ({state}): {body!r:.500}"

    def asks_who(self) -> bool:
        """Whether the page asks for a user of the gateway; also while it is being loaded."""
        return bool(self.script("return document.getElementById('login-dialog')?.open"))

    def wait_until_it_asks_who(self) -> None:
        """Wait until it does."""
        wait_until(self.asks_who, "the question who it is")

    def log_in(self, name: str, word: str) -> None:
        """Answer that."""
        for field, text in (("login-name", name), ("login-password", word)):
            self.id(field).clear()
            self.id(field).send_keys(text)
        self.id("login-send").click()

    def find(self, selector: str) -> list[WebElement]:
        """Find elements by a CSS selector."""
        return list(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def rows(self) -> dict[str, str]:
        """The texts of the table's rows, by the names of the nodes."""
        texts = self.script(
            "return [...document.querySelectorAll('#table tbody tr')].map(row =>"
            " [row.querySelector('.name button').textContent, row.innerText])"
        )
        return dict(texts)

    def wait_row(self, name: str, words: str = "") -> str:
        """Wait until a node's row is there and says these words; return all it says."""
        rows: dict[str, str] = {}

        def says() -> str | None:
            rows.clear()
            rows.update(self.rows())
            return rows[name] if name in rows and words in rows[name] else None

        try:
            return wait_until(says, f"{words!r} in the row of {name!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}; the rows are {rows}") from None

    def row(self, name: str) -> WebElement:
        """Find a node's row."""

        def found() -> WebElement | None:
            try:
                for row in self.find("#table tbody tr"):
                    if row.find_element(By.CSS_SELECTOR, ".name button").text == name:
                        return row
            except StaleElementReferenceException:
                pass
            return None

        return wait_until(found, f"the row of {name!r}")

    def click(self, name: str) -> None:
        """Click a button, as soon as it is there and can be clicked."""
        wait_until(lambda: self.find(f"#{name}"), f"#{name}")
        _click(self.id(name), f"#{name}")

    def go_to(self, view: str) -> None:
        """Click on a view's name, and wait until it is shown."""
        link = f'.views a[href="?view={view}"]'
        self.find(link)[0].click()
        wait_until(lambda: self.find(f"{link}[aria-current]"), f"the view {view!r}")

    def unfold(self, name: str) -> None:
        """Open a menu, unless it is."""
        menu = self.id(name)
        if not menu.get_attribute("open"):
            menu.find_element(By.TAG_NAME, "summary").click()

    def measure(self) -> None:
        """Ask all nodes for their temperatures."""
        self.unfold("more-menu")
        self.click("measure")

    def open_terminal(self, name: str) -> None:
        """Open the terminal in the panel of a node, by the button in its row where there is room
        for it.
        """
        if self._click_in_row(name, "td.do button", ".name button") == ".name button":
            self.click("tab-terminal")

    def open_node(self, name: str) -> None:
        """Open the panel of a node."""
        self._click_in_row(name, ".name button")

    def _click_in_row(self, name: str, *selectors: str) -> str:
        """Click what opens the panel of a node: the first of these that is to be seen in its row.

        @return: which it was.
        """

        def clicked() -> str:
            try:
                row = self.row(name)
                for selector in selectors:
                    button = row.find_element(By.CSS_SELECTOR, selector)
                    if button.is_displayed():
                        # Where the head of the table does not stand on it.
                        self.script("arguments[0].scrollIntoView({block: 'center'})", button)
                        button.click()
                        return selector
            except StaleElementReferenceException:
                # The rows were drawn anew meanwhile.
                pass
            return ""

        selector = wait_until(clicked, f"{name!r}, to be clicked")
        self.wait_text("node-title", name)
        return selector

    def new_tab(self, view: str = "") -> None:
        """Load it once more, in a tab of its own: the others are no longer seen."""
        self.driver.switch_to.new_window("tab")
        self.driver.get(self.address(view))

    def close_tabs(self) -> None:
        """Close all tabs but the first."""
        first, *others = self.driver.window_handles
        for each in others:
            self.driver.switch_to.window(each)
            self.driver.close()
        self.driver.switch_to.window(first)

    def choose(self, name: str, value: str) -> None:
        """Choose one of some radio buttons, which may be drawn as something else."""
        button = self.find(f"[name={name}][value={value}]")[0]
        button.find_element(By.XPATH, "..").click()
        wait_until(button.is_selected, f"{value!r} of {name!r}")

    def select(self, name: str, value: str) -> None:
        """Choose an option of a select element, also while it is folded away."""
        self.script(
            "const choice = document.getElementById(arguments[0]); choice.value = arguments[1];"
            "choice.dispatchEvent(new Event('change'))",
            name,
            value,
        )

    def fill(self, name: str, text: str) -> None:
        """Write into a field in place of what is there, and press Enter."""
        field = self.id(name)
        field.clear()
        field.send_keys(text + "\n")

    def console(self) -> list[str]:
        """What the browser had to say about the page since it was asked last."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The URLs that the page asked for since this was asked last, WebSockets too."""
        urls = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                urls.append(message["params"]["url"])
        return urls

    def hosts(self) -> set[str]:
        """Where those requests went; about:blank is nowhere."""
        return {urlsplit(url).netloc for url in self.requests()} - {""}


__all__ = ["Keys", "Page", "browser", "missing", "wait_until"]
