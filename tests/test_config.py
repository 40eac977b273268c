"""Settings: what is taken, and every mistake at once."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
)
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.config import ConfigError, Settings, check
from zbtwist.radio.endpoints import SerialEndpoint
from zbtwist.simulator.endpoint import SimulatorEndpoint


class CheckTests(SynchronousTestCase):
    def check(self, **options: Any) -> Settings:
        return check(MemoryReactorClock(), **{"serial": "/dev/ttyUSB0", **options})

    def mistakes(self, **options: Any) -> list[str]:
        with self.assertRaises(ConfigError) as caught:
            self.check(**options)
        return str(caught.exception).splitlines()

    def radio(self, **options: Any) -> Any:
        return self.check(**options).radio_endpoint(MemoryReactorClock())

    def test_defaults(self) -> None:
        self.assertEqual(
            self.check(),
            Settings("/dev/ttyUSB0", 9600, None, "27000", 27001, "127.0.0.1"),
        )

    def test_everything(self) -> None:
        settings = self.check(
            baud="115200", api_mode="2", control="8000", base_port="9000", interface="0.0.0.0"
        )
        self.assertEqual(settings, Settings("/dev/ttyUSB0", 115200, 2, "8000", 9000, "0.0.0.0"))
        self.assertFalse(settings.is_local)
        self.assertTrue(self.check(interface="::1").is_local)

    def test_radio_is_a_path(self) -> None:
        path = "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0"
        endpoint = self.radio(serial=path, baud="57600")
        self.assertIsInstance(endpoint, SerialEndpoint)
        self.assertEqual((endpoint.path, endpoint.baud_rate), (path, 57600))

    def test_radio_is_an_endpoint(self) -> None:
        endpoint = self.radio(serial="serial:/dev/ttyS1", baud="57600")
        self.assertEqual((endpoint.path, endpoint.baud_rate), ("/dev/ttyS1", 57600))
        endpoint = self.radio(serial="serial:/dev/ttyS1:baudrate=1200", baud="57600")
        self.assertEqual(endpoint.baud_rate, 1200)
        self.assertIsInstance(self.radio(serial="tcp:127.0.0.1:4001"), TCP4ClientEndpoint)
        self.assertIsInstance(self.radio(serial="sim:nodes=5"), SimulatorEndpoint)

    def test_ports(self) -> None:
        reactor = MemoryReactorClock()
        four = self.check().port_endpoint(reactor, 27001)
        self.assertIsInstance(four, TCP4ServerEndpoint)
        six = self.check(interface="::1").port_endpoint(reactor, 27001)
        self.assertIsInstance(six, TCP6ServerEndpoint)
        control = self.check(control="unix:/run/zbtwist.sock").control_endpoint(reactor)
        self.assertIsInstance(control, UNIXServerEndpoint)

    def test_mistakes(self) -> None:
        for option, value, word in (
            ("serial", None, "--serial is missing"),
            ("serial", "", "--serial is missing"),
            ("serial", "ttyUSB0", "--serial ttyUSB0"),
            ("serial", "nonsense:1", "--serial nonsense:1"),
            ("serial", "sim:nodes=many", "--serial sim:nodes=many"),
            ("baud", "fast", "--baud"),
            ("baud", "0", "--baud"),
            ("baud", "-1", "--baud"),
            ("api_mode", "3", "--api-mode"),
            ("api_mode", "0", "--api-mode"),
            ("control", "0", "--control"),
            ("control", "70000", "--control"),
            ("control", "nonsense:1", "--control"),
            ("base_port", "65536", "--base-port"),
            ("base_port", "x", "--base-port"),
            ("interface", "localhost", "--interface"),
        ):
            mistakes = self.mistakes(**{option: value})
            self.assertEqual(len(mistakes), 1, mistakes)
            self.assertIn(word, mistakes[0])
            self.assertTrue(mistakes[0].endswith("."), mistakes[0])

    def test_all_mistakes_at_once(self) -> None:
        mistakes = self.mistakes(
            serial="", baud="x", api_mode="x", control="x", base_port="x", interface="x"
        )
        self.assertEqual(len(mistakes), 6)
