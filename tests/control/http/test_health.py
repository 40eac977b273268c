"""/healthz: whether the radio answers."""

from __future__ import annotations

from dataclasses import replace

from zope.interface.verify import verifyObject

from tests.clock import Clock
from tests.control.http.support import SiteTestCase
from tests.radio.support import FACTS
from zbtwist.control.http.health import HealthPage
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.event_bus import EventBus


class Health(SiteTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.radio = Coordinator(Clock(), EventBus())
        verifyObject(IRadio, self.radio)
        self.site.resource.putChild(b"healthz", HealthPage(self.radio))

    def ask(self, method: str = "GET", below: str = "") -> tuple[int, bytes]:
        status, headers, body = self.exchange(
            f"{method} /healthz{below} HTTP/1.1\r\nHost: gateway:27000\r\n\r\n".encode()
        )
        self.assertTrue(headers["content-type"].startswith("text/plain"))
        return status, body

    def test_before_the_radio_is_open(self) -> None:
        status, body = self.ask()
        self.assertEqual(status, 503)
        self.assertIn(b"not opened the radio yet", body)

    def test_up_and_down(self) -> None:
        self.radio.link_up(lambda frame: None)
        self.assertEqual(self.ask()[0], 503)
        self.radio.ready(FACTS)
        self.assertEqual(self.ask(), (200, b"ok\n"))
        self.radio.link_down("The radio is unplugged: plug it in.")
        self.assertEqual(self.ask(), (503, b"The radio is unplugged: plug it in.\n"))

    def test_joining(self) -> None:
        """A radio that answers, and reaches nobody."""
        self.radio.link_up(lambda frame: None)
        self.radio.ready(replace(FACTS, association=0x23))
        status, body = self.ask()
        self.assertEqual(status, 503)
        self.assertIn(b"joining: a PAN was found that lets nobody join", body)

    def test_head(self) -> None:
        self.assertEqual(self.ask("HEAD"), (503, b""))

    def test_addresses_below_are_not_there(self) -> None:
        for below in ("/", "/x"):
            self.assertEqual(self.ask(below=below)[0], 404)

    def test_other_methods(self) -> None:
        self.assertEqual(self.ask("POST")[0], 405)
