"""Settings: what is taken, from where, and every mistake at once."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    UNIXServerEndpoint,
)
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.clock import MemoryReactorClock
from tests.xbee.strategies import repeatable
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.port_values import OFF
from zbtwist.config import load as loading
from zbtwist.config.gateway_options import OPTIONS, SECTIONS
from zbtwist.config.load import load
from zbtwist.config.node_settings import NODE_KEYS, NodeSettings
from zbtwist.config.settings import Settings, difference
from zbtwist.config.toml_file import ConfigError
from zbtwist.config.values import IN_MEMORY
from zbtwist.radio.endpoints import SerialEndpoint
from zbtwist.radio.line_settings import LineSettings
from zbtwist.radio.rfc2217 import Rfc2217Endpoint
from zbtwist.runtime import endpoint_option
from zbtwist.runtime import option as rows
from zbtwist.simulator.endpoint import SimulatorEndpoint
from zbtwist.tap import Options
from zbtwist.xbee.address import Address64

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "zbtwist.toml"
ADDRESS = Address64(0x0013A200_400A3EFF)


class ConfigTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        # Nothing here may depend on who runs it.
        self.patch(os, "environ", {"HOME": "/home/me", "STATE_DIRECTORY": "/state"})
        self.outgoing_ports("32768\t60999\n")

    def outgoing_ports(self, text: str) -> None:
        """What the system says of the ports that it gives to outgoing connections."""
        self.patch(loading, "OUTGOING_PORTS", self.write(text))

    def load(self, **options: str | None) -> Settings:
        """Load, with a serial port unless it is said otherwise."""
        named = {name.replace("_", "-"): text for name, text in options.items()}
        return load(MemoryReactorClock(), {"serial": "/dev/ttyUSB0", **named})

    def mistakes(self, **options: str | None) -> list[str]:
        with self.assertRaises(ConfigError) as caught:
            self.load(**options)
        return str(caught.exception).splitlines()

    def write(self, content: str | bytes) -> str:
        """Return the path of a file with this content."""
        path = str(Path(self.mktemp()).absolute())
        Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def load_file(self, content: str | bytes, **options: str | None) -> Settings:
        """Load a file, and nothing from the command line unless it is said otherwise."""
        return self.load(**{"serial": None, "config": self.write(content), **options})

    def file_mistakes(self, content: str | bytes, **options: str | None) -> list[str]:
        """Return the mistakes of a file that is called FILE."""
        path = self.write(content)
        found = self.mistakes(**{"serial": None, "config": path, **options})
        return [mistake.replace(path, "FILE") for mistake in found]


def str_of(text: str, context: rows.Context) -> str:
    return text


class CommandLineTests(ConfigTestCase):
    def radio(self, **options: str | None) -> Any:
        return self.load(**options).radio_endpoint(MemoryReactorClock())

    def test_defaults(self) -> None:
        self.assertEqual(
            self.load(),
            Settings(
                serial="/dev/ttyUSB0",
                baud_rate=9600,
                api_mode=None,
                control="27000",
                base_port=27001,
                interface="127.0.0.1",
                last_port=32767,
                state="/state/zbtwist.sqlite3",
                nodes=(),
                config=None,
            ),
        )

    def test_last_port(self) -> None:
        """Ports that the system gives away by itself are no node's, unless the user wants it so."""
        for system, base, last in (
            ("32768\t60999\n", "27001", 32767),
            ("20000 30000\n", "1024", 19999),
            ("20000 30000\n", "27001", 65535),
            ("", "27001", 49151),
            ("no numbers", "50000", 65535),
        ):
            self.outgoing_ports(system)
            self.assertEqual(self.load(base_port=base).last_port, last)
            self.assertEqual(self.load(base_port=base, last_port="60000").last_port, 60000)
        self.patch(loading, "OUTGOING_PORTS", "/nowhere/at/all")
        self.assertEqual(self.load().last_port, 49151)

    def test_everything(self) -> None:
        settings = self.load(
            baud="115200",
            api_mode="2",
            control="8000",
            base_port="9000",
            last_port="9999",
            interface="0.0.0.0",
            no_auth="True",
            state="/var/z",
        )
        self.assertEqual(
            settings,
            Settings(
                serial="/dev/ttyUSB0",
                baud_rate=115200,
                api_mode=2,
                control="8000",
                base_port=9000,
                interface="0.0.0.0",
                no_auth=True,
                last_port=9999,
                state="/var/z",
            ),
        )
        self.assertFalse(settings.is_local)
        self.assertTrue(self.load(interface="::1").is_local)
        self.assertFalse(self.load(interface="fe80::1%eth0", no_auth="true").is_local)
        self.assertEqual(self.load(base_port="65535").base_port, 65535)
        self.assertIsNone(self.load(baud="auto").baud_rate)

    def test_how_bytes_are_sent(self) -> None:
        settings = self.load(
            delivery="at-least-once",
            retries="7",
            outage="2.5",
            sleep="60",
            window="2",
            in_flight="9",
            coalesce="0.02",
            backlog="100",
            pace="off",
            heartbeat="0",
            trace_file="/t",
        )
        self.assertEqual(
            settings.port_settings,
            PortSettings(
                window=2,
                at_least_once=True,
                coalesce=0.02,
                retries=7,
                outage=2.5,
                sleep=60.0,
                backlog=100,
                pace=OFF,
            ),
        )
        self.assertEqual((settings.in_flight, settings.heartbeat), (9, 0.0))
        self.assertEqual(settings.trace_file, "/t")

    def test_how_bytes_are_sent_in_a_file(self) -> None:
        settings = self.load_file(
            """
            serial = "sim:"
            baud = "auto"
            rtscts = true
            configure = false
            outage = 30
            coalesce = 0.5
            delivery = "at-most-once"
            trace-file = "frames.pcapng"

            [[node]]
            label = "METER"
            backlog = 4096
            pace = 19200
            delivery = "at-least-once"
            window = 4
            """
        )
        self.assertIsNone(settings.baud_rate)
        self.assertEqual((settings.rtscts, settings.configure), (True, False))
        assert settings.config is not None
        here = os.path.dirname(settings.config)
        self.assertEqual(settings.trace_file, f"{here}/frames.pcapng")
        (node,) = settings.nodes
        self.assertEqual(
            node.port_settings,
            PortSettings(
                window=4, at_least_once=True, coalesce=0.5, outage=30.0, backlog=4096, pace=19200
            ),
        )

    def test_flags(self) -> None:
        """What stands on the command line holds, what does not is the file's."""
        options = Options()
        options.parseOptions(["-s./radio", "--state=s", "--rtscts", "--configure", "--write-flash"])
        settings = options.settings
        self.assertTrue(settings.rtscts and settings.configure and settings.write_flash)
        path = self.write('serial = "sim:"\nrtscts = true\n')
        self.assertTrue(self.load(serial=None, config=path).rtscts)
        self.assertFalse(self.load().rtscts)

    def test_switch(self) -> None:
        """What is on unless somebody says otherwise."""
        self.assertTrue(self.load().low_latency)
        for text in ("false", '"false"'):
            path = self.write(f'serial = "sim:"\nlow-latency = {text}\n')
            self.assertFalse(self.load(serial=None, config=path).low_latency)
        self.assertFalse(self.load(**{"low-latency": "false"}).low_latency)
        self.assertTrue(self.load(**{"low-latency": "true"}).low_latency)
        clock = MemoryReactorClock()
        for serial in ("/dev/ttyUSB0", "serial:/dev/ttyUSB0"):
            settings = self.load(**{"low-latency": "false", "serial": serial})
            endpoint = settings.radio_endpoint(clock)
            assert isinstance(endpoint, SerialEndpoint)
            self.assertFalse(endpoint.line.low_latency)

    def test_the_options_are_those_of_the_command_line(self) -> None:
        """Each option that twistd takes comes to its setting."""
        options = Options()
        options.parseOptions(
            [
                "-s",
                "./radio",
                "-b1",
                "-m2",
                "-cunix:/c",
                "-p2",
                "--last-port=3",
                "-i::1",
                "--state=s",
            ]
        )
        here = os.getcwd()
        self.assertEqual(
            options.settings,
            Settings(
                serial=f"{here}/radio",
                baud_rate=1,
                api_mode=2,
                control="unix:/c",
                base_port=2,
                interface="::1",
                last_port=3,
                state=f"{here}/s",
            ),
        )

    def test_reading_again_elsewhere(self) -> None:
        """What was a path from here stays that path when the program has moved."""
        os.makedirs(directory := self.mktemp())
        path = os.path.relpath(self.write('serial = "./radio"'))
        options = Options()
        options.parseOptions(["--config", path, "--state", "s"])
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(directory)
        self.assertEqual(load(MemoryReactorClock(), options.texts), options.settings)

    def test_radio_is_a_path(self) -> None:
        path = "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0"
        endpoint = self.radio(serial=path, baud="57600")
        self.assertIsInstance(endpoint, SerialEndpoint)
        self.assertEqual((endpoint.path, endpoint.line.baud_rate), (path, 57600))
        self.assertEqual(self.radio(serial="./radio").path, os.path.abspath("radio"))

    def test_radio_is_an_endpoint(self) -> None:
        endpoint = self.radio(serial="serial:/dev/ttyS1", baud="57600")
        self.assertEqual((endpoint.path, endpoint.line.baud_rate), ("/dev/ttyS1", 57600))
        endpoint = self.radio(serial="serial:/dev/ttyS1:baudrate=1200", baud="57600")
        self.assertEqual(endpoint.line.baud_rate, 1200)
        self.assertIsInstance(self.radio(serial="tcp:127.0.0.1:4001"), TCP4ClientEndpoint)
        self.assertIsInstance(self.radio(serial="sim:nodes=5"), SimulatorEndpoint)

    def test_radio_behind_rfc_2217(self) -> None:
        endpoint = self.radio(serial="rfc2217:10.0.0.9:4000:parity=odd", baud="57600", dtr="hold")
        assert isinstance(endpoint, Rfc2217Endpoint)
        self.assertEqual(endpoint.line, LineSettings(57600, parity="odd", dtr="hold"))
        self.assertEqual(repr(endpoint), "rfc2217:10.0.0.9:4000:baudrate=57600")

    def test_urls(self) -> None:
        """As pyserial's users write them, and those of other gateways."""
        for url, wanted in (
            ("socket://10.0.0.9:4000", "tcp:10.0.0.9:4000"),
            ("tcp://nas.example:4000/", "tcp:nas.example:4000"),
            ("TCP://[fd00::1]:4000", "tcp:fd00\\:\\:1:4000"),
            ("rfc2217://10.0.0.9:4000", "rfc2217:10.0.0.9:4000"),
            ("rfc2217://[::1]:4000", "rfc2217:\\:\\:1:4000"),
        ):
            self.assertEqual(self.load(serial=url).serial, wanted)
        for url, said in (
            ("socket://10.0.0.9:4000/?logging=debug", "write tcp:10.0.0.9:4000."),
            ("rfc2217://10.0.0.9:4000?ign_set_control", "write rfc2217:10.0.0.9:4000."),
            ("rfc2217://10.0.0.9", "write rfc2217:HOST:PORT."),
            ("rfc2217://10.0.0.9:70000", "rfc2217: needs a host and a TCP port"),
            ("tcp://10.0.0.9:70000", "70000 is no TCP port"),
            ("hwgrep://FTDI", "write the path of a port, such as /dev/ttyUSB0, or of a serial"),
            ("spy:///dev/ttyUSB0", "is no URL that is known here"),
        ):
            (mistake,) = self.mistakes(serial=url)
            self.assertIn(said, mistake)

    def test_ports(self) -> None:
        reactor = MemoryReactorClock()
        four = self.load().port_endpoint(reactor, 27001)
        self.assertIsInstance(four, TCP4ServerEndpoint)
        six = self.load(interface="::1").port_endpoint(reactor, 27001)
        self.assertIsInstance(six, TCP6ServerEndpoint)
        control = self.load(control="unix:/run/zbtwist.sock").control_endpoint(reactor)
        self.assertIsInstance(control, UNIXServerEndpoint)

    def test_mistakes(self) -> None:
        for option, value, words in (
            ("serial", None, "--serial is missing: name"),
            ("serial", "", "--serial is missing: name"),
            ("serial", "ttyUSB0", "--serial ttyUSB0 is neither"),
            ("serial", "/dev/ttyUSB0\0", "--serial must be printable, not '/dev/ttyUSB0"),
            ("serial", "nonsense:1", "--serial nonsense:1 is neither"),
            ("serial", "sim:nodes=many", "--serial sim:nodes=many is neither"),
            ("baud", "fast", "--baud must be auto or a number from 1 to 4000000, not 'fast'"),
            ("baud", "0", "--baud must"),
            ("baud", "-1", "--baud must"),
            ("baud", "9" * 5000, "--baud must"),
            ("api_mode", "3", "--api-mode must be auto, 1 or 2, not '3'"),
            ("api_mode", "0", "--api-mode must"),
            ("control", "0", "--control must be a number from 1 to 65535, not '0'"),
            ("control", "-1", "--control must"),
            ("control", "70000", "--control must"),
            ("control", "nonsense:1", "--control nonsense:1 is neither"),
            ("base_port", "65536", "--base-port must"),
            ("base_port", "x", "--base-port must"),
            ("last_port", "65536", "--last-port must"),
            ("last_port", "27000", "--last-port leaves no port: none is from base-port, 27001"),
            ("interface", "localhost", "--interface must be an IP address"),
            ("interface", "fe80::1", "--interface must say behind fe80::1 which link"),
            ("state", "", "--state must be the path of a file"),
            ("state", "/tmp/", "--state must be the path of a file"),
            ("config", "", "--config  cannot be read: No such file or directory"),
            ("config", "/nonexistent/z.toml", "--config /nonexistent/z.toml cannot be read: No"),
        ):
            mistakes = self.mistakes(**{option: value})
            self.assertEqual(len(mistakes), 1, mistakes)
            self.assertTrue(mistakes[0].startswith(words), mistakes[0])
            self.assertTrue(mistakes[0].endswith((".", "…")), mistakes[0])
            self.assertLess(len(mistakes[0]), 500)

    def test_all_mistakes_at_once(self) -> None:
        mistakes = self.mistakes(
            serial="",
            baud="x",
            api_mode="x",
            control="x",
            base_port="x",
            last_port="x",
            interface="x",
            state="",
            config="/nonexistent/z.toml",
        )
        self.assertEqual(
            [mistake.split()[0] for mistake in mistakes],
            [
                "--serial",
                "--baud",
                "--api-mode",
                "--control",
                "--base-port",
                "--last-port",
                "--interface",
                "--state",
                "--config",
            ],
        )


class StateTests(ConfigTestCase):
    """Where the state is."""

    def state(self, environment: dict[str, str], user: int = 1000, **options: str) -> str:
        self.patch(os, "environ", {"HOME": "/home/me", **environment})
        self.patch(os, "geteuid", lambda: user)
        return self.load(**options).state

    def test_simulated(self) -> None:
        environment = {"STATE_DIRECTORY": "/state"}
        self.assertEqual(self.state(environment, serial="sim:nodes=3"), IN_MEMORY)
        self.assertEqual(self.state(environment, serial="sim:", state="/s"), "/s")
        # The same radios, but somewhere else.
        self.assertEqual(self.state(environment, serial="tcp:sim:1"), "/state/zbtwist.sqlite3")

    def test_systemd(self) -> None:
        for directories in ("/var/lib/a", "/var/lib/a:/var/lib/b", ":/var/lib/a"):
            for user in (0, 1000):
                self.assertEqual(
                    self.state({"STATE_DIRECTORY": directories}, user),
                    "/var/lib/a/zbtwist.sqlite3",
                )

    def test_root(self) -> None:
        for environment in ({}, {"STATE_DIRECTORY": ""}, {"XDG_STATE_HOME": "/xdg"}):
            self.assertEqual(self.state(environment, 0), "/var/lib/zbtwist/zbtwist.sqlite3")

    def test_user(self) -> None:
        self.assertTrue(self.state({}).startswith("/home/me/"))
        self.assertTrue(self.state({}).endswith("/zbtwist/zbtwist.sqlite3"))

    def test_no_home(self) -> None:
        """A container's user, say, of whom nobody has heard."""

        def nowhere(name: str) -> Path:
            raise RuntimeError("could not determine the home directory")

        self.patch(platformdirs, "user_state_path", nowhere)
        with self.assertRaises(ConfigError) as caught:
            self.state({})
        self.assertIn("--state is missing: this user has no home", str(caught.exception))
        self.assertEqual(self.state({}, state="/s"), "/s")

    def test_named(self) -> None:
        environment = {"STATE_DIRECTORY": "/state"}
        self.assertEqual(self.state(environment, state=":memory:"), IN_MEMORY)
        self.assertEqual(self.state(environment, state="z.db"), os.path.abspath("z.db"))
        self.assertEqual(self.state(environment, state="~/z.db"), "/home/me/z.db")


class FileTests(ConfigTestCase):
    def test_everything(self) -> None:
        path = self.write(
            """
            serial = "tcp:10.0.0.1:4001"
            baud = 115_200
            api-mode = 2
            control = 8000
            base-port = 9000
            last-port = 9999
            interface = "0.0.0.0"
            no-auth = true
            state = ":memory:"

            [[node]]
            address = "[00:13:A2:00:40:0A:3E:FF]!"
            port = 9001
            name = "Zähler im Keller"

            [[node]]
            label = "BOILER"
            endpoint = "unix:/run/boiler"

            [[node]]
            label = "SENSOR"
            """
        )
        self.assertEqual(
            self.load(serial=None, config=path),
            Settings(
                serial="tcp:10.0.0.1:4001",
                baud_rate=115200,
                api_mode=2,
                control="8000",
                base_port=9000,
                interface="0.0.0.0",
                no_auth=True,
                last_port=9999,
                state=":memory:",
                nodes=(
                    NodeSettings(address64=ADDRESS, port=9001, name="Zähler im Keller"),
                    NodeSettings(label="BOILER", endpoint="unix:/run/boiler"),
                    NodeSettings(label="SENSOR"),
                ),
                config=path,
            ),
        )

    def test_other_ways_to_write_it(self) -> None:
        self.assertIsNone(self.load_file('serial = "sim:"\napi-mode = "auto"').api_mode)
        self.assertEqual(self.load_file('serial = "sim:"\ncontrol = "unix:/c"').control, "unix:/c")
        inline = self.load_file('serial = "sim:"\nnode = [{label = "A"}, {label = "B"}]')
        self.assertEqual([node.label for node in inline.nodes], ["A", "B"])
        windows = self.load_file(b'\xef\xbb\xbfserial = "sim:"\r\nbaud = 1200\r\n')
        self.assertEqual(windows.baud_rate, 1200)

    def test_nothing_is_the_defaults(self) -> None:
        path = self.write("")
        self.assertEqual(difference(self.load(config=path), self.load()), set())
        self.assertEqual(self.load(config=path).config, path)

    def test_precedence(self) -> None:
        """The command line wins over the file, option by option; the file over the defaults."""
        content = """
            serial = "/dev/ttyS0"
            baud = 1200
            api-mode = 1
            control = 8000
            base-port = 9000
            last-port = 9999
            interface = "::1"
            state = "/file"
        """
        of_file = self.load_file(content)
        for option, text, attribute, value in (
            ("serial", "/dev/ttyS1", "serial", "/dev/ttyS1"),
            ("baud", "2400", "baud_rate", 2400),
            ("api-mode", "auto", "api_mode", None),
            ("control", "27000", "control", "27000"),
            ("base-port", "9001", "base_port", 9001),
            ("last-port", "65535", "last_port", 65535),
            ("interface", "127.0.0.1", "interface", "127.0.0.1"),
            ("state", ":memory:", "state", ":memory:"),
        ):
            settings = self.load_file(content, **{option: text})
            self.assertEqual(getattr(settings, attribute), value)
            self.assertEqual(difference(of_file, settings), {option})

    def test_paths_are_relative_to_the_file(self) -> None:
        path = self.write('serial = "../radio"\nstate = "state/z.db"')
        settings = self.load(serial=None, config=os.path.relpath(path))
        directory = os.path.dirname(path)
        self.assertEqual(settings.serial, os.path.join(os.path.dirname(directory), "radio"))
        self.assertEqual(settings.state, os.path.join(directory, "state", "z.db"))
        self.assertEqual(settings.config, path)

    def test_example(self) -> None:
        settings = self.load(serial=None, config=str(EXAMPLE))
        self.assertEqual([node.port for node in settings.nodes], [27101, 27102, None])

    def test_example_shows_the_defaults(self) -> None:
        """What is commented out there can be put in, and changes nothing."""
        text, changed = re.subn(r"(?m)^# (?=[a-z-]+ = )", "", EXAMPLE.read_text("utf-8"))
        known = (OPTIONS, *map(rows.options_of, SECTIONS.values()))
        every = [option for options in known for option in options.values()]
        shown = [option for option in every if option.default or option.is_flag]
        self.assertEqual(changed, len(shown))
        self.patch(os, "environ", {})
        self.patch(os, "geteuid", lambda: 0)
        settings = self.load_file(text)
        self.assertEqual(difference(settings, self.load(serial=None, config=str(EXAMPLE))), set())


class FileMistakeTests(ConfigTestCase):
    def test_unreadable(self) -> None:
        os.makedirs(directory := self.mktemp())
        os.mkfifo(pipe := self.mktemp())
        for path, reason in (
            ("/nonexistent/z.toml", "No such file or directory"),
            (directory, "it is no file"),
            (pipe, "it is no file"),
            ("a\0b", "embedded null byte"),
        ):
            (mistake,) = self.mistakes(serial=None, config=path)
            self.assertEqual(
                mistake, f"--config {path} cannot be read: {reason}.".replace("\0", "\\x00")
            )
        self.assertEqual(
            self.file_mistakes(b"#" * 2_000_000), ["--config FILE has more than 1048576 bytes."]
        )

    def test_no_permission(self) -> None:
        os.chmod(path := self.write('serial = "sim:"'), 0)
        if os.access(path, os.R_OK):
            raise SkipTest("root may read everything")
        (mistake,) = self.mistakes(serial=None, config=path)
        self.assertIn("cannot be read: Permission denied.", mistake)

    def test_not_utf8(self) -> None:
        (mistake,) = self.file_mistakes(b'serial = "sim:"\n\nname = "K\xfcche"\n')
        self.assertEqual(mistake, "FILE:3: is not UTF-8: save it in that encoding.")

    def test_not_toml(self) -> None:
        for content, line in (
            ("serial = /dev/ttyUSB0", 1),
            ('serial = "sim:"\n\nbaud 9600\n', 3),
            ('serial = "sim:"\nbaud = 1\nbaud = 2\n', 3),
            ('serial = "sim:"\n[[node]\n', 2),
            ('serial = "sim:"\nstate = """a\nb\n', 3),
            ('serial = "sim:"\nbaud = 01\n', 2),
        ):
            (mistake,) = self.file_mistakes(content)
            self.assertTrue(mistake.startswith(f"FILE:{line}: is not TOML: "), mistake)
            self.assertTrue(mistake.endswith("."), mistake)

    def test_too_deep_and_too_long(self) -> None:
        (mistake,) = self.file_mistakes("baud = " + "[" * 100_000)
        self.assertTrue(mistake.startswith(("--config FILE has lists", "FILE:1: is not")), mistake)
        self.assertEqual(len(self.file_mistakes("baud = " + "9" * 5000, serial="sim:")), 1)
        (mistake,) = self.file_mistakes("baud = 0x" + "f" * 5000, serial="sim:")
        self.assertEqual(mistake, "FILE:1: baud is too large a number.")

    def test_values(self) -> None:
        """Each wrong value is one mistake, with its line."""
        for line, words in (
            ("serial = 5", "serial must be text in quotes, not a whole number."),
            ('serial = ""', "serial is missing: name the port"),
            ('serial = "ttyUSB0"', "serial ttyUSB0 is neither the path of a port nor"),
            ('base-port = "9600"', "base-port must be a whole number, not text in quotes."),
            ("base-port = 9600.0", "base-port must be a whole number, not a decimal number."),
            ("base-port = true", "base-port must be a whole number, not true or false."),
            ("base-port = 1979-05-27", "base-port must be a whole number, not a date."),
            ("base-port = 07:32:00", "base-port must be a whole number, not a time."),
            ("base-port = [9600]", "base-port must be a whole number, not a list."),
            ("base-port = {}", "base-port must be a whole number, not a table."),
            ("baud = 0", "baud must be auto or a number from 1 to 4000000, not '0'."),
            ("baud = -9600", "baud must be auto or a number from 1 to 4000000, not '-9600'."),
            ("baud = 9600.0", "baud must be a whole number or text in quotes, not a decimal"),
            ('baud = "fast"', "baud must be auto or a number from 1 to 4000000, not 'fast'."),
            ("rtscts = 1", "rtscts must be true or false, not a whole number."),
            ('configure = "yes"', "configure must be true or false, not text in quotes."),
            ("heartbeat = -1", "heartbeat must be a number of seconds from 0 to 86400, not '-1'."),
            ("outage = nan", "outage must be a number of seconds from 0 to 86400, not"),
            ('delivery = "once"', "delivery must be at-most-once or at-least-once, not 'once'."),
            ("retries = 101", "retries must be a number from 0 to 100, not '101'."),
            ("window = 0", "window must be a number from 1 to 16, not '0'."),
            ("in-flight = 64", "in-flight must be a number from 1 to 63, not '64'."),
            (
                "pace = 1",
                "pace must be auto, off, or bits per second from 300 to 10000000, not '1'.",
            ),
            (
                'pace = "fast"',
                "pace must be auto, off, or bits per second from 300 to 10000000, not",
            ),
            ("backlog = 1048577", "backlog must be a number from 0 to 1048576, not '1048577'."),
            ('trace-file = ""', "trace-file must be the path of a file, not ''."),
            ("api-mode = 3", "api-mode must be auto, 1 or 2, not '3'."),
            ("api-mode = 2.0", "api-mode must be a whole number or text in quotes, not"),
            ("control = 0", "control must be a number from 1 to 65535, not '0'."),
            ('control = "nonsense:1"', "control nonsense:1 is neither a port number nor"),
            ("base-port = 65536", "base-port must be a number from 1 to 65535"),
            ("last-port = 0", "last-port must be a number from 1 to 65535"),
            ("last-port = 27000", "last-port leaves no port: none is from base-port, 27001, to"),
            ('interface = "localhost"', "interface must be an IP address"),
            ('state = "a\\u0000b"', "state must be the path of a file, or :memory:, not"),
            ('state = ""', "state must be the path of a file, or :memory:, not ''."),
            ('config = "a.toml"', "config is no option here"),
            ("Base_Port = 27001", "Base_Port is no option here; did you mean base-port?"),
            ("bauds = 9600", "bauds is no option here; did you mean baud?"),
            ("nodes = []", "nodes is no option here; did you mean node?"),
            ("xyzzy = 1", "xyzzy is no option here; there are serial, baud, api-mode,"),
            ('"a\\nb" = 1', "'a\\nb' is no option here"),
            ("[radio]\nbaud = 9600", "radio is no option here"),
            ("radio.baud = 9600", "radio is no option here"),
            ("node = 1", "node must be written [[node]], in two brackets, for each node."),
            ("[node]\nport = 1", "node must be written [[node]]"),
            ('[node.BOILER]\nlabel = "A"', "node must be written [[node]]"),
            ("node = [1]", "node[1] must be a table, not a whole number."),
        ):
            mistakes = self.file_mistakes(f"\n# A comment.\n{line}\n", serial="sim:")
            self.assertEqual(len(mistakes), 1, mistakes)
            if not line.startswith("serial"):
                self.assertTrue(mistakes[0].startswith(f"FILE:3: {words}"), mistakes[0])
        (mistake,) = self.file_mistakes("baud = 9600")
        self.assertTrue(mistake.startswith("--serial is missing"), mistake)

    def test_nodes(self) -> None:
        """Each wrong line of a `[[node]]` is one mistake, with its line."""
        for line, words in (
            ("port = 1", "needs an address or a label"),
            ('label = "B"\naddress = "0013a200400a3eff"', ".address cannot stand beside label"),
            ('label = "B"\nport = 1\nendpoint = "tcp:2"', ".endpoint cannot stand beside port"),
            ('address = "0013"', ".address '0013' is not a 64-bit address: write 16"),
            ("address = 0x0013a200400a3eff", ".address must be text in quotes, not a whole"),
            ('address = "00000000 00000000"', ".address 00000000 00000000 stands for no single"),
            ('address = "00000000 0000ffff"', ".address 00000000 0000ffff stands for no single"),
            ('label = ""', ".label must have 1 to 20 bytes"),
            ('label = " B"', ".label must have 1 to 20 bytes"),
            ('label = "ABCDEFGHIJKLMNOPQRSTU"', ".label must have 1 to 20 bytes"),
            ('label = "B"\nname = "a\\u001b[2J"', ".name must have 1 to 64 bytes"),
            ('label = "B"\nname = "0013A200400A3EFF"', ".name 0013A200400A3EFF reads as an"),
            ('label = "B"\nport = "1"', ".port must be a whole number, not text in quotes."),
            ('label = "B"\nport = 0', ".port must be a number from 1 to 65535, not '0'."),
            ('label = "B"\nport = 27000', ".port 27000 is the control port already."),
            ('label = "B"\nendpoint = "27001"', ".endpoint 27001 is not a server endpoint"),
            ('label = "B"\nports = 1', ".ports is no option here; did you mean port?"),
            ('label = "B"\nserial = 1', ".serial is no option here; there are address, label,"),
            ('label = "B"\nx.y = 1', ".x is no option here"),
            ('label = "B"\n[node.x]', ".x is no option here"),
            ('label = "A"', ".label A is that of node[1] already."),
            ('label = "B"\nport = 5', ".port 5 is that of node[1] already."),
            ('label = "B"\nname = "N"', ".name N is that of node[1] already."),
        ):
            content = f'[[node]]\nlabel = "A"\nport = 5\nname = "N"\n[[node]]\n{line}\n'
            mistakes = self.file_mistakes(content, serial="sim:")
            self.assertEqual(len(mistakes), 1, mistakes)
            # The mistake is in the last line, but a lack is in none.
            number = 5 if line == "port = 1" else content.count("\n")
            words = f"FILE:{number}: node[2]{'' if words[0] == '.' else ' '}{words}"
            self.assertTrue(mistakes[0].startswith(words), f"{mistakes[0]}\n{words}")

    def test_equals_that_are_no_doubles(self) -> None:
        """How bytes are sent may be said of many nodes in the same words."""
        said = 'delivery = "at-least-once"\nwindow = 2\nbacklog = 3\n'
        settings = self.load_file(
            f'[[node]]\nlabel = "A"\n{said}[[node]]\nlabel = "B"\n{said}', serial="sim:"
        )
        for node in settings.nodes:
            self.assertEqual(
                node.port_settings, PortSettings(at_least_once=True, window=2, backlog=3)
            )

    def test_doubles(self) -> None:
        """The same thing, written in another way, and by three nodes."""
        content = """
            control = "unix:/c"
            node = [
                {address = "00:13:a2:00:40:0a:3e:ff", endpoint = "unix:/a"},
                {address = "0013A200 400A3EFF", endpoint = "unix:/a"},
                {label = "C", endpoint = "unix:/c"},
            ]
        """
        self.assertEqual(
            self.file_mistakes(content, serial="sim:"),
            [
                "FILE:3: node[2].address 0013A200 400A3EFF is that of node[1] already.",
                "FILE:3: node[2].endpoint unix:/a is that of node[1] already.",
                "FILE:3: node[3].endpoint unix:/c is the control port already.",
            ],
        )

    def test_control_of_the_command_line(self) -> None:
        content = '[[node]]\nlabel = "A"\nport = 8000'
        self.assertEqual(
            self.file_mistakes(content, serial="sim:", control="8000"),
            ["FILE:3: node[1].port 8000 is the control port already."],
        )
        self.assertEqual(self.load_file(content, serial="sim:").nodes[0].port, 8000)

    def test_range_of_both(self) -> None:
        """A base port of one and a last port of the other are a mistake together."""
        (mistake,) = self.file_mistakes(
            "last-port = 30000", serial="sim:", **{"base-port": "30001"}
        )
        self.assertTrue(mistake.startswith("FILE:1: last-port leaves no port"), mistake)
        (mistake,) = self.file_mistakes(
            "base-port = 30001", serial="sim:", **{"last-port": "30000"}
        )
        self.assertTrue(mistake.startswith("--last-port leaves no port"), mistake)
        # What is wrong already is not blamed for the other as well.
        self.assertEqual(
            len(self.file_mistakes('base-port = "x"\nlast-port = 5', serial="sim:")), 1
        )

    def test_lines_after_statements_of_many_lines(self) -> None:
        content = '''
            state = """
            baud = 1
            [[node]]
            """
            "interface" = [
                "baud = 2",
                # ] no end
            ]
              [[ node ]]  # the first
            label = "A"
            "port" = 0
            [[node]]
            label = "B"
            port = 0
        '''
        found = self.file_mistakes(content, serial="sim:")
        self.assertEqual(
            [mistake.split(" must")[0] for mistake in found],
            ["FILE:6: interface", "FILE:12: node[1].port", "FILE:15: node[2].port"],
        )

    def test_a_very_long_statement(self) -> None:
        """Looking for lines ends in time; without a line, the key says where."""
        content = "x = [\n" + "1,\n" * 3_000 + "]\nbaud = 0\n"
        found = self.file_mistakes(content, serial="sim:")
        self.assertEqual([mistake[:11] for mistake in found], ["FILE: x is ", "FILE: baud "])

    def test_all_at_once(self) -> None:
        content = """bauds = 9600
            api-mode = 7
            interface = 5

            [[node]]
            port = 70000
            nick = "x"

            [[node]]
            label = "A"
            address = "1"
        """
        found = self.file_mistakes(content, serial=None, baud="fast", api_mode="2")
        self.assertEqual(
            [mistake.partition(" is ")[0].partition(" must")[0][:30] for mistake in found],
            [
                "--baud",
                "--serial",
                "FILE:1: bauds",
                "FILE:2: api-mode",
                "FILE:3: interface",
                "FILE:5: node[1] needs an addre",
                "FILE:6: node[1].port",
                "FILE:7: node[1].nick",
                "FILE:11: node[2].address canno",
                "FILE:11: node[2].address '1'",
            ],
        )

    def test_mistakes_where_the_command_line_wins(self) -> None:
        """They would come up at the next start without that option."""
        (mistake,) = self.file_mistakes('serial = "sim:"\nbaud = 0', baud="9600")
        self.assertTrue(mistake.startswith("FILE:2: baud must"), mistake)

    def test_what_is_quoted_cannot_break_the_lines(self) -> None:
        (mistake,) = self.file_mistakes('serial = "a\\nb\\u001b[2J"')
        self.assertTrue(mistake.startswith("FILE:1: serial a\\nb\\x1b[2J is neither"), mistake)
        (mistake,) = self.file_mistakes(f'serial = "{"x" * 100_000}"')
        self.assertLess(len(mistake), 500)


@dataclass(frozen=True)
class Broker:
    """What a section may be."""

    host: str = rows.option("localhost", str_of)
    keep_alive: int = rows.option(60, rows.number(1, 600), (int,))


@dataclass(frozen=True, kw_only=True)
class SettingsWithSection(Settings):
    broker: Broker = rows.section(Broker)


class SectionTests(ConfigTestCase):
    """A table of its own for what is not about all of the gateway."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(loading, "Settings", SettingsWithSection)

    def broker(self, content: str) -> Broker:
        settings = self.load_file(content)
        assert isinstance(settings, SettingsWithSection)
        return settings.broker

    def test_values(self) -> None:
        self.assertEqual(self.broker('serial = "sim:"'), Broker())
        content = 'serial = "sim:"\n[broker]\nhost = "b"\nkeep-alive = 5\n[[node]]\nlabel = "A"'
        self.assertEqual(self.broker(content), Broker("b", 5))

    def test_mistakes(self) -> None:
        """Each with its line, and with what may have been meant."""
        content = 'serial = "sim:"\n\n[broker]\nkeep-alive = 601\nhots = "b"\n[[node]]\nport = 0'
        self.assertEqual(
            self.file_mistakes(content)[:2],
            [
                "FILE:4: broker.keep-alive must be a number from 1 to 600, not '601'.",
                "FILE:5: broker.hots is no option here; did you mean host?",
            ],
        )
        self.assertEqual(
            self.file_mistakes('serial = "sim:"\nbroker = 5'),
            ["FILE:2: broker must be a table, [broker], not a whole number."],
        )


class DifferenceTests(ConfigTestCase):
    def test_each(self) -> None:
        old = self.load()
        self.assertEqual(difference(old, self.load()), set())
        new = self.load(baud="115200", state=":memory:")
        self.assertEqual(difference(old, new), {"baud", "state"})

    def test_one_that_a_node_has_of_its_own(self) -> None:
        """What is said of all is not said of that node, though its port has it as well."""
        content = 'serial = "sim:"\nretries = {}\n[[node]]\nlabel = "A"\nwindow = 2'
        path = self.write(content.format(1))
        old = self.load(serial=None, config=path)
        Path(path).write_text(content.format(2))
        new = self.load(serial=None, config=path)
        self.assertEqual(difference(old, new), {"retries"})
        (node,) = new.nodes
        self.assertEqual(node.port_settings, PortSettings(retries=2, window=2))

    def test_nodes(self) -> None:
        content = 'serial = "sim:"\n[[node]]\nlabel = "A"\nport = {}'
        path = self.write(content.format(1))
        old = self.load(serial=None, config=path)
        Path(path).write_text(content.format(2))
        self.assertEqual(difference(old, self.load(serial=None, config=path)), {"nodes"})


def to_toml(value: Any) -> str:
    """Write a value of JSON's types as TOML."""
    if isinstance(value, str):
        # JSON's \\ud83d\\ude00 is not TOML's.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{to_toml(k)} = {to_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


KEYS = [*OPTIONS, *NODE_KEYS, "config", "node"]
TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.integers(0, 70000),
    st.floats(),
    TEXT,
    st.sampled_from(
        ["sim:", "/dev/ttyS0", "auto", "tcp:1", "unix:/a", "::1", ":memory:", "0013a200400a3eff"]
    ),
)
NAMES = st.one_of(st.sampled_from(KEYS), TEXT)
NODES = st.lists(st.dictionaries(NAMES, SCALARS, max_size=4), max_size=4)
VALUES = st.one_of(
    SCALARS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=6,
    ),
)


class JunkTests(ConfigTestCase):
    """Whatever is in the file, it gives settings or a ConfigError of sentences."""

    def try_file(self, content: bytes) -> None:
        path = self.path
        Path(path).write_bytes(content)
        try:
            settings = self.load(serial="sim:", config=path)
        except ConfigError as error:
            for line in str(error).splitlines():
                self.assertTrue(line.startswith(("--config", f"{path}:")), line)
                self.assertTrue(line.isprintable() and line[-1] in ".?…", line)
        else:
            self.assertIsInstance(settings, Settings)

    def setUp(self) -> None:
        super().setUp()
        self.path = os.path.abspath(self.mktemp())

    @repeatable(150)
    @given(st.dictionaries(NAMES, VALUES, max_size=6), NODES)
    def test_toml(self, table: dict[str, Any], nodes: list[dict[str, Any]]) -> None:
        table.pop("node", None)
        lines = [f"{to_toml(key)} = {to_toml(value)}" for key, value in table.items()]
        for node in nodes:
            lines.append("[[node]]")
            lines += [f"{to_toml(key)} = {to_toml(value)}" for key, value in node.items()]
        self.try_file("\n".join(lines).encode())

    @repeatable(100)
    @given(VALUES)
    def test_what_node_is(self, value: Any) -> None:
        self.try_file(f"node = {to_toml(value)}".encode())

    @repeatable(100)
    @given(st.one_of(st.binary(max_size=60), st.text("[]{}=\"'#,.\n\r\\ abnode01:-", max_size=60)))
    def test_bytes(self, content: bytes | str) -> None:
        self.try_file(content if isinstance(content, bytes) else content.encode())


class OpenTests(SynchronousTestCase):
    """Whether other computers are let in, which the log must say."""

    def test_local(self) -> None:
        for control in (
            "27000",
            "tcp:27000:interface=127.0.0.1",
            "tcp6:1:interface=\\:\\:1",
            "unix:/x",
        ):
            self.assertTrue(Settings(serial="sim:", control=control).is_local, control)

    def test_open(self) -> None:
        for control in ("tcp:27000", "tcp:27000:interface=0.0.0.0", "ssl:1:interface=example.org"):
            self.assertFalse(Settings(serial="sim:", control=control).is_local, control)
        self.assertFalse(Settings(serial="sim:", interface="0.0.0.0").is_local)
        node = NodeSettings(label="E1", endpoint="tcp:5000")
        self.assertFalse(Settings(serial="sim:", nodes=(node,)).is_local)


class UsersTests(SynchronousTestCase):
    """Who may come in."""

    def load(self, **options: str) -> Settings:
        named = {name.replace("_", "-"): text for name, text in options.items()}
        return load(MemoryReactorClock(), {"serial": "sim:", **named})

    def mistake(self, **options: str) -> str:
        with self.assertRaises(ConfigError) as caught:
            self.load(**options)
        lines: str = str(caught.exception)
        return lines

    def file(self, text: str = "alice:secret\n") -> str:
        path: str = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write(text)
        return path

    def test_nobody_is_asked_on_this_computer(self) -> None:
        for options in ({}, {"interface": "::1"}, {"control": "unix:/x", "interface": "0.0.0.0"}):
            self.assertFalse(self.load(**options).needs_login, options)

    def test_opened_to_others_it_needs_users_or_a_word(self) -> None:
        for options in (
            {"interface": "0.0.0.0"},
            {"control": "tcp:27000"},
            {"control": "tcp:27000", "interface": "::"},
        ):
            line = self.mistake(**options)
            self.assertIn("say with --auth who may log in, or --no-auth", line)
            self.assertTrue(line.startswith(f"--{next(iter(options))} "), line)
            self.assertFalse(self.load(**options, no_auth="True").needs_login)
            self.assertTrue(self.load(**options, auth="memory:a:b").needs_login)

    def test_users_are_asked_everywhere(self) -> None:
        self.assertTrue(self.load(auth="memory:a:b").needs_login)
        self.assertTrue(self.load(auth_read_only="memory:a:b").needs_login)

    def test_both(self) -> None:
        for name in ("auth", "auth_read_only"):
            line = self.mistake(no_auth="True", **{name: "memory:a:b"})
            self.assertIn(f"cannot stand beside {name.replace('_', '-')}", line)

    def test_several(self) -> None:
        path = self.file()
        settings = self.load(auth=f"file:{path}\nmemory:b:c,d")
        self.assertEqual(settings.auth, (f"file:{path}", "memory:b:c,d"))
        self.assertEqual(self.load(auth=f"file:{os.path.relpath(path)}").auth, (f"file:{path}",))

    def test_in_the_file(self) -> None:
        users = self.file()
        # From the directory of the file, which is beside that one.
        relative = os.path.join("..", *users.split("/")[-2:])
        config = self.file(
            f'serial = "sim:"\nauth = ["file:{relative}", "memory:a:b"]\n'
            'auth-read-only = "memory:c:d"\nallow = ["10.0.0.0/8", "127.0.0.1"]\n'
            'control-allow = "fd00::/8"\n[[node]]\nlabel = "A"\nallow = ["10.1.0.0/16"]\n'
        )
        settings = load(MemoryReactorClock(), {"config": config})
        self.assertEqual(settings.auth, (f"file:{users}", "memory:a:b"))
        self.assertEqual(settings.auth_read_only, ("memory:c:d",))
        self.assertEqual(list(map(str, settings.who_may_control)), ["fd00::/8"])
        own = settings.nodes[0].port_settings
        assert own is not None
        self.assertEqual(list(map(str, own.allow)), ["10.1.0.0/16"])
        self.assertEqual(
            list(map(str, settings.port_settings.allow)), ["10.0.0.0/8", "127.0.0.1/32"]
        )

    def test_mistakes(self) -> None:
        for text, words in (
            ("nobody", "there is no kind nobody"),
            ("file:/nowhere/at/all", "there is no such file"),
            ("argon2:/nowhere/at/all", "there is no such file"),
            ("memory:alice", "must be such as argon2:"),
            ("anonymous", "something else than names and passwords"),
        ):
            self.assertIn(words, self.mistake(auth=text), text)
        self.assertNotIn("s3cret", self.mistake(auth="memory:alice:s3cret:bob"))
        config = self.file('serial = "sim:"\nauth = [1]\nallow = "10.0.0.1/8"\n')
        with self.assertRaises(ConfigError) as caught:
            load(MemoryReactorClock(), {"config": config})
        self.assertIn("auth must be a list of printable texts", str(caught.exception))
        self.assertIn("allow must be networks", str(caught.exception))

    def test_without_the_packages_of_tls(self) -> None:
        def parse(reactor: object, text: str) -> object:
            raise ModuleNotFoundError("No module named 'OpenSSL'", name="OpenSSL")

        self.patch(endpoint_option, "server_from_string", parse)
        self.assertIn(
            "install zbtwist again as before, with '.[tls]'", self.mistake(control="ssl:27000")
        )

    def test_port_of_a_tls_endpoint(self) -> None:
        for control, number in (
            ("tls:/etc/tls:port=27005", 27005),
            ("tls:/etc/tls", 443),
            ("mtls:27006:ca=/x", 27006),
        ):
            self.assertEqual(Settings(serial="sim:", control=control).control_port, number)


class ListenTests(ConfigTestCase):
    """What else leads to nodes than their ports."""

    def listening(self, *nodes: NodeSettings) -> list[list[str]]:
        found = []
        for node in nodes:
            assert node.port_settings is not None
            found.append([wish.endpoint for wish in node.port_settings.listen])
        return found

    def test_of_all_and_of_one(self) -> None:
        settings = self.load_file(
            """
            serial = "sim:"
            listen = "unix:/run/{address}"
            [[node]]
            label = "A"
            listen = ["tcp:1:protocol=raw", 'tcp:2:interface=\\:\\:1']
            [[node]]
            label = "B"
            listen = []
            [[node]]
            label = "C"
            window = 2
            """
        )
        self.assertEqual(
            self.listening(*settings.nodes),
            [["tcp:1", "tcp:2:interface=\\:\\:1"], [], ["unix:/run/{address}"]],
        )
        said = self.load(listen="unix:/{address}\ntcp:{port}").port_settings.listen
        self.assertEqual([wish.text for wish in said], ["unix:/{address}", "tcp:{port}"])

    def test_mistakes(self) -> None:
        found = self.file_mistakes(
            """serial = "sim:"
control = "unix:/c"
listen = ["unix:/run/{address}", "tcp:5000"]
[[node]]
label = "A"
endpoint = "unix:/a"
listen = "tcp:1:protocol=morse"
[[node]]
label = "B"
listen = ["unix:/a", "unix:/b", "unix:/x/{address}"]
[[node]]
label = "C"
listen = [
    "unix:/b",
    "unix:/c",
    "unix:/x/{address}",
]
"""
        )
        self.assertEqual(
            [mistake.partition("must be raw")[0] for mistake in found],
            [
                (
                    "FILE:3: listen tcp:5000 is one endpoint, and every node listens there: write "
                    "{address} or {port} into it, or say it of one node."
                ),
                "FILE:7: node[1].listen tcp:1:protocol=morse is not right: protocol ",
                "FILE:10: node[2].listen unix:/a is that of node[1] already.",
                "FILE:13: node[3].listen unix:/b is that of node[2] already.",
                "FILE:13: node[3].listen unix:/c is the control port already.",
            ],
        )
        self.assertIn("--listen tcp:1 is one endpoint", self.mistakes(listen="tcp:1")[0])

    def test_listening_where_something_else_is(self) -> None:
        """However it is written: by number, by address, at all addresses, with TLS, over UDP."""
        listen = """
serial = "sim:"
control = 27000
broadcast = "tcp:27900"
[[node]]
label = "A"
port = 27101
listen = ["tcp:27000", "tcp:27900:interface=10.0.0.1", "udp:27000"]
[[node]]
label = "B"
endpoint = "tcp:27101:interface=127.0.0.1"
listen = ["tcp:27000:interface=10.0.0.1", "udp:27000:interface=127.0.0.1"]
[[node]]
label = "C"
port = 27102
listen = ['tcp:27102:interface=\\:\\:1', "tcp:27102:interface=10.0.0.1", "tcp6:27102"]
[[node]]
label = "D"
port = 27103
listen = ["tcp:27103:interface=localhost", 'tcp:27104:interface=\\:\\:1']
"""
        self.assertEqual(
            [mistake for mistake in self.file_mistakes(listen) if " already." in mistake],
            [
                "FILE:8: node[1].listen tcp:27000 is the control port already.",
                (
                    "FILE:8: node[1].listen tcp:27900:interface=10.0.0.1 is the broadcast port "
                    "already."
                ),
                (
                    "FILE:11: node[2].endpoint tcp:27101:interface=127.0.0.1 is that of node[1] "
                    "already."
                ),
                "FILE:12: node[2].listen udp:27000:interface=127.0.0.1 is that of node[1] already.",
                "FILE:16: node[3].listen tcp6:27102 is that of node[3] already.",
            ],
        )

    def test_no_broadcast_at_a_hub(self) -> None:
        for serial in ("mqtt:host", "mqtts://host:8883"):
            (line,) = self.mistakes(serial=serial, broadcast="27900")
            self.assertTrue(line.startswith("--broadcast cannot stand beside a radio"), line)
        (line,) = self.file_mistakes('serial = "mqtt:host"\nbroadcast = 27900')
        self.assertTrue(line.startswith("FILE:2: broadcast cannot stand beside a radio"), line)
        self.assertTrue(self.load(serial="mqtt:host").is_hub)

    def test_broadcast(self) -> None:
        self.assertIsNone(self.load().broadcast)
        settings = self.load(broadcast="tcp:27900:interface=10.0.0.1")
        self.assertEqual((settings.broadcast_port, settings.is_local), (27900, False))
        self.assertTrue(self.load(broadcast="27900").is_local)
        self.assertIn(
            "--broadcast 27000 is the control port already.", self.mistakes(broadcast="27000")
        )
        self.assertEqual(
            self.file_mistakes(
                'serial = "sim:"\nbroadcast = 5000\n[[node]]\nlabel = "A"\nport = 5000'
            ),
            ["FILE:2: broadcast 5000 is that of node[1] already."],
        )

    def test_open_to_others(self) -> None:
        for text, is_local in (
            ("unix:/{address}", True),
            ("tcp:{port}:interface=127.0.0.2", True),
            ("tcp:{port}:interface=10.0.0.1", False),
        ):
            settings = self.load(listen=text)
            self.assertIs(settings.is_local, is_local, text)
            self.assertEqual(settings.open_place, "" if is_local else f"endpoint {text}")
        of_node = 'serial = "sim:"\n[[node]]\nlabel = "A"\nlisten = "tcp:4001"'
        self.assertFalse(self.load_file(of_node).is_local)


class EndpointTests(SynchronousTestCase):
    """What Twisted's parsers let pass, and what they say when they do not."""

    def mistake(self, **options: str) -> str:
        with self.assertRaises(ConfigError) as caught:
            load(MemoryReactorClock(), {"serial": "sim:", **options})
        (line,) = str(caught.exception).splitlines()
        return line

    def test_port_out_of_range(self) -> None:
        for text in ("tcp:70000", "tcp:0", "ssl:99999"):
            self.assertIn("--control", self.mistake(control=text))
        self.assertIn("99999 is no TCP port", self.mistake(serial="tcp:127.0.0.1:99999"))

    def test_incomplete(self) -> None:
        self.assertIn("a part is missing", self.mistake(serial="tcp:host"))
        self.assertIn("its port must be a number", self.mistake(serial="tcp:host:port"))
        self.assertIn("the path is missing", self.mistake(control="unix:"))
