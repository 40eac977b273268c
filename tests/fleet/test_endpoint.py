from __future__ import annotations

import subprocess
import sys
from typing import Any

from twisted.internet.endpoints import clientFromString
from twisted.internet.error import ConnectError
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import MemoryReactorClock
from zbtwist.config.values import serial
from zbtwist.fleet.endpoint import FleetEndpoint
from zbtwist.runtime.option import Context, Mistake


class EndpointTests(SynchronousTestCase):
    def parse(self, text: str) -> FleetEndpoint:
        endpoint: Any = clientFromString(MemoryReactorClock(), text)
        assert isinstance(endpoint, FleetEndpoint)
        return endpoint

    def test_words(self) -> None:
        plain = self.parse("mqtt:localhost")
        self.assertEqual(
            (plain.settings.broker, plain.settings.base, plain.sites),
            ("tcp:localhost:1883", "zbtwist", ()),
        )
        full = self.parse("mqtt:b.example:8884:tls=yes:base=a/b:sites=x,y,x:user=me:keepalive=30")
        self.assertEqual(full.settings.broker, "tls:b.example:8884")
        self.assertEqual((full.settings.base, full.sites), ("a/b", ("x", "y")))
        self.assertEqual((full.settings.user, full.settings.keepalive), ("me", 30))

    def test_mistakes(self) -> None:
        for text, sentence in {
            "mqtt:": "a host is missing",
            "mqtt:h:1:bse=x": "does not know bse=",
            "mqtt:h:1:tls=maybe": "must be yes or no",
            "mqtt:h:1:sites=a/b": "must be one level of a topic",
            "mqtt:h:99999": "is no TCP port",
            "mqtt:h:x": "must be a number",
        }.items():
            error = self.assertRaises(ValueError, self.parse, text)
            self.assertIn(sentence, str(error))

    def test_as_an_option(self) -> None:
        context = Context(MemoryReactorClock(), "/")
        self.assertEqual(serial("mqtt://b.example:1884", context), "mqtt:b.example:1884")
        self.assertEqual(serial("mqtts://b.example/", context), "mqtt:b.example:8883:tls=yes")
        mistake = self.assertRaises(Mistake, serial, "mqtt:h:1:bse=x", context)
        self.assertIn("does not know bse=", str(mistake))

    def test_it_is_no_serial_line(self) -> None:
        connected: Any = self.parse("mqtt:h").connect(None)  # type: ignore[arg-type]
        self.failureResultOf(connected, ConnectError)

    def test_nothing_of_mqtt_is_imported_without_it(self) -> None:
        program = (
            "import sys, zbtwist.app.gateway; from twisted.internet import endpoints, reactor; "
            "endpoints.clientFromString(reactor, 'sim:'); "
            "print([m for m in sys.modules if m.startswith('zbtwist.fleet.') "
            "and not m.endswith(('endpoint', 'endpoint_parser'))], 'mqtt5' in sys.modules)"
        )
        said = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        self.assertEqual(said.stdout.strip(), "[] False")
