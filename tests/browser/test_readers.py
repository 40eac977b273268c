"""What is not offered: to who may only look, and at a node that the gateway has forgotten."""

from __future__ import annotations

from tests.browser.support import Page, wait_until
from tests.browser.test_console import ConsoleTestCase
from tests.browser.test_login import LoginTestCase
from tests.system.support import Gateway

#: What can be used now, in a part of the page: by id, else by what it says.
USABLE = """
    const parts = document.querySelectorAll(`${arguments[0]} :is(button, input, select, summary)`);
    return [...parts]
      .filter((part) => part.checkVisibility() && !part.disabled && !part.closest("[inert]"))
      .map((part) => part.id || part.getAttribute("aria-label") || part.textContent.trim());
"""

TABS = ("overview", "terminal", "settings", "io", "frames", "happened")

#: What of the panel only looks, or leads somewhere else.
LOOKING = {
    *(f"tab-{tab}" for tab in TABS),
    *("panel-close", "port-copy", "happened-level", "settings-filter"),
}

#: What a transcript can be looked at and taken away by.
TRANSCRIPT = {
    *("Terminal", "Tap", "Auto", "Text", "Hex", "terminal-times", "terminal-search"),
    *("terminal-copy", "terminal-save", "terminal-clear"),
}


def usable(page: Page, part: str = "body") -> set[str]:
    return {text for text in page.script(USABLE, part) if text} - {""}


class ReadOnlyTests(LoginTestCase):
    """Nothing is there that would change something or reach a node."""

    def test_who_may_only_look(self) -> None:
        page = self.page()
        page.log_in("viewer", "look")
        page.wait_text("user", "viewer (may only look)")
        page.row("ECHO")
        offered = usable(page, "#view-nodes")
        for name in ("discover", "discover-first", "measure", "More", "Terminal of ECHO"):
            self.assertNotIn(name, offered)
        self.assertIn("filter", offered)
        page.open_node("ECHO")
        page.wait_text("node-read-only", "You may only look")
        for tab in TABS:
            page.click(f"tab-{tab}")
            wait_until(lambda: page.id(f"panel-{tab}").is_displayed(), tab)  # noqa: B023
            allowed = LOOKING | (TRANSCRIPT if tab == "terminal" else set())
            self.assertEqual(usable(page, "#panel") - allowed, set(), tab)
        page.click("tab-terminal")
        page.wait_text("terminal-output", "The user 'viewer' may only look, and a terminal")
        page.click("panel-close")
        page.go_to("network")
        page.click("neighbours-on")
        page.script("document.querySelector('.network .node').focus()")
        page.wait_text("picture-card", "Open")
        offered = usable(page, "#view-network")
        self.assertEqual(offered & {"walk-begin", "walk-end", "walk-pause", "card-ask"}, set())
        self.assertIn("card-open", offered)
        page.go_to("log")
        page.wait_text("log-lines", "ECHO")
        self.assertNotIn("log-frames", usable(page, "#view-log"))


class ForgottenTests(ConsoleTestCase):
    def test_forgotten_by_another(self) -> None:
        """What is known of it stays to be read; whatever would reach it is off, in every tab."""
        gateway = Gateway("sim:nodes=2:kinds=echo:nt=0.3:interval=0")
        self.addCleanup(gateway.stop)
        gateway.nodes(2)
        self.control = gateway.control
        page = self.load()
        page.open_node("ECHO2")
        page.click("tab-settings")
        page.click("settings-read")
        page.wait_text("settings", "DIO1")
        page.find("[data-command=NT] .value button")[0].click()
        page.click("tab-io")
        page.click("sample")
        page.wait_text("pins", "supply")
        for tab in TABS:
            page.click(f"tab-{tab}")
        page.click("tab-overview")
        page.click("rename-open")
        page.click("port-change")
        page.click("neighbours-ask")
        wait_until(lambda: page.text("node-neighbours"), "its neighbours")
        gateway.api.forget("ECHO2")
        page.wait_text("node-problem", "does not know this node any more")
        self.assertTrue(page.text("node-neighbours"))
        for tab in TABS:
            page.click(f"tab-{tab}")
            # What was being written waits: the node may be heard again.
            allowed = LOOKING | {"rename-value"}
            if tab == "terminal":
                # It waits, and goes on if the node is heard again.
                allowed |= {*TRANSCRIPT, "terminal-again", "terminal-input", "terminal-end", "Send"}
            elif tab == "frames":
                # Of a node that comes back the first frames may be wanted.
                allowed.add("trace-node")
            elif tab == "settings":
                # What was being written can be read, and put away.
                allowed |= {"set-NT", "Cancel"}
            elif tab == "overview":
                # They lead to other nodes.
                allowed |= {"ECHO", "gateway"}
            self.assertEqual(usable(page, "#panel") - allowed, set(), tab)
