"""Logging in to the console in a real browser, over TLS."""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path

import trustme
from twisted.trial.unittest import SynchronousTestCase

from tests.browser.support import Page, Shared, missing, wait_until
from tests.system.forked import ZBGATE
from tests.system.support import QUICK, Gateway, free_ports
from zbtwist.control.passwords import line_of


class World(Shared):
    """A gateway with users, which all tests share."""

    def __init__(self) -> None:
        directory = tempfile.mkdtemp(prefix="zbtwist-test-")
        certificate = os.path.join(directory, "localhost.pem")
        issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(certificate)
        users = Path(directory, "users")
        users.write_text(line_of("alice", "sëcret") + "\n")
        port = free_ports(8)
        self.gateway = Gateway(
            QUICK,
            *("--control", f"ssl:{port}:privateKey={certificate}:interface=127.0.0.1"),
            *("--base-port", str(port + 1)),
            *("--auth", f"argon2:{users}", "--auth-read-only", "memory:viewer:look"),
            control=port,
            program=ZBGATE,
        )
        atexit.register(self.gateway.stop)
        self.gateway.wait_for("ECHO is on port")
        self.url = f"https://localhost:{port}/"


class LoginTestCase(SynchronousTestCase):
    if missing():
        skip = missing()

    def page(self, view: str = "") -> Page:
        page = Page(World.get().url, view)
        page.wait_until_it_asks_who()
        return page


class LoginTests(LoginTestCase):
    def test_login(self) -> None:
        page = self.page()
        self.assertEqual(page.text("nodes-count"), "")
        page.log_in("alice", "wrong")
        page.wait_text("login-error", "There is no such user, or the password is another one.")
        page.log_in("alice", "sëcret")
        wait_until(lambda: not page.asks_who(), "it is let in")
        page.wait_text("user", "alice")
        page.row("ECHO")
        # A terminal and the log have tickets of their own.
        page.open_terminal("ECHO")
        page.wait_text("terminal-state", "open")
        page.fill("terminal-input", "hello")
        page.wait_text("terminal-output", "hello\nhello")
        page.click("panel-close")
        page.go_to("log")
        page.wait_text("log-lines", "ECHO")
        # Nothing that stands for the password is anywhere but in the page's memory.
        self.assertEqual(page.driver.get_cookies(), [])
        kept = page.script("return [localStorage.length, sessionStorage.length]")
        self.assertEqual(kept, [0, 0])
        # Not even another load of the page has it.
        page.id("logout").click()
        wait_until(page.asks_who, "it is out")

    def test_no_ticket_is_of_use_again(self) -> None:
        """What stands in the addresses that a proxy would log opens nothing more."""
        page = self.page()
        page.requests()
        page.log_in("alice", "sëcret")
        page.row("ECHO")
        (live,) = [url for url in page.requests() if "/live" in url]
        self.assertIn("ticket=", live)
        said = page.driver.execute_async_script(
            "const done = arguments[1]; const again = new WebSocket(arguments[0]);"
            "again.onopen = () => done('open'); again.onerror = () => done('refused');",
            live,
        )
        self.assertEqual(said, "refused")
