"""The tabs of the panel: whether all are to be seen, and what of much stands in them."""

from __future__ import annotations

import contextlib
import signal
import socket

from tests.browser.support import wait_until
from tests.browser.test_panel import PanelTestCase


class HappenedTests(PanelTestCase):
    def test_levels(self) -> None:
        """A node that goes on losing: what it costs its clients, each time, is not in the way."""
        radio, port = self.world.radio, self.world.port("ECHO")
        radio.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: radio.output.count("the node is off"), "the echo is off")
        self.addCleanup(radio.process.send_signal, signal.SIGUSR2)

        def levels() -> list[str]:
            return [event["level"] for event in self.api.trace(0, "ECHO")]

        def loses() -> bool:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", port)) as client,
            ):
                client.settimeout(5)
                client.sendall(b"anybody?\n")
                client.recv(1)
            return levels().count("debug") > 3

        wait_until(loses, "losses that are repeated", 60)
        page = self.open_node("ECHO", "happened")
        page.wait_text("happened-lines", "are lost")
        self.assertNotIn("debug", page.text("happened-lines"))
        page.wait_text("happened-count", "of less weight left out")
        page.select("happened-level", "debug")
        page.wait_text("happened-lines", "debug")
        self.assertEqual(page.text("happened-count"), "")
        page.select("happened-level", "warn")
        shown = page.text("happened-lines").splitlines()
        self.assertTrue(shown)
        self.assertNotIn("is on port", " ".join(shown))


class NarrowTests(PanelTestCase):
    def test_tabs(self) -> None:
        """On a phone all of them are to be seen."""
        page = self.open_node("ECHO")
        for width in (1280, 800, 390, 360):
            page.size(width, 844)
            outside = page.script(
                "const list = document.querySelector('#panel .tabs').getBoundingClientRect();"
                "return [...document.querySelectorAll('#panel .tabs button')].filter((tab) => {"
                "  const { left, right } = tab.getBoundingClientRect();"
                "  return left < list.left || right > list.right; }).map((tab) => tab.innerText)"
            )
            self.assertEqual(outside, [], width)
        self.assertEqual(page.id("tab-happened").text, "Events")
