"""``--check``: what it says, and that it leaves everything as it was."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import MemoryReactorClock
from tests.support import present
from zbtwist.app import check as app_check
from zbtwist.app.check import RADIO_LIMIT, check
from zbtwist.config.node_settings import NodeSettings
from zbtwist.config.settings import Settings
from zbtwist.fleet.endpoint import FleetEndpoint
from zbtwist.mqtt import trial
from zbtwist.mqtt.settings import MQTTSettings
from zbtwist.radio import link_work
from zbtwist.radio.bring_up import bring_up
from zbtwist.radio.info import RadioInfo
from zbtwist.simulator.endpoint import SimulatorEndpoint
from zbtwist.simulator.options import SimulatorOptions
from zbtwist.store.records import Mapping
from zbtwist.store.store import Store
from zbtwist.xbee.address import Address64

METER = Address64(0x0013A200_400A3E01)
SETTINGS = Settings(serial="sim:")


class CheckTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.endpoint: Any = SimulatorEndpoint(
            self.reactor, SimulatorOptions(discovery_time=0.3, interval=0)
        )
        self.patch(Settings, "radio_endpoint", lambda settings, reactor: self.endpoint)
        self.said: list[str] = []
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.state = str(self.directory.absolute() / "state.sqlite3")

    def check(self, settings: Settings = SETTINGS, seconds: float = 20) -> int:
        checking = Deferred.fromCoroutine(check(settings, self.reactor, self.said.append))
        self.reactor.pump([0.05] * round(seconds / 0.05))
        status: int = self.successResultOf(checking)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        return status

    def line(self, beginning: str) -> str:
        """Return the first line that begins so, without that."""
        lines = (line for line in self.said if line.startswith(beginning))
        return present(next(lines, None)).removeprefix(beginning)

    def files(self) -> dict[str, tuple[bytes, int, int]]:
        return {
            path.name: (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns)
            for path in self.directory.iterdir()
        }


class UsersTests(CheckTestCase):
    def test_nobody_can_log_in(self) -> None:
        path = self.directory / "users"
        path.write_text("bob:plain\n")
        self.assertEqual(self.check(replace(SETTINGS, auth=(f"argon2:{path}",))), 1)
        self.assertIn("is NAME:HASH, as zbpasswd NAME makes it", self.line("Users: "))


class RadioTests(CheckTestCase):
    def test_found(self) -> None:
        settings = replace(
            SETTINGS, config="/etc/zbtwist.toml", nodes=(NodeSettings(label="METER"),)
        )
        self.assertEqual(self.check(settings), 0)
        self.assertEqual(
            self.line("Configuration: "), "in order (/etc/zbtwist.toml; tables of nodes: 1)."
        )
        self.assertRegex(
            self.line("Radio: "),
            "^00:13:a2:00:41:5b:1a:00 on sim:, API mode 1, firmware 1012, hardware 4241, "
            "PAN 00d1690000002a01.$",
        )
        self.assertIn("Nodes: 3 answered.", self.said)
        self.assertIn("    00:13:a2:00:40:0a:3e:01  METER: no port yet", self.said)

    def test_it_is_left_as_it_is(self) -> None:
        """Also where the gateway would set something; that is said."""
        self.check()
        radio = present(self.endpoint.network).radio
        radio.registers.store("AO", b"\x01")
        radio.registers.apply()
        self.said.clear()
        settings = replace(SETTINGS, configure=True, write_flash=True, api_mode=2)
        self.assertEqual(self.check(settings), 0)
        self.assertEqual(radio.registers.number("AO"), 1)
        self.assertEqual(radio.registers.number("AP"), 1)
        self.assertEqual(radio.flash_writes, 0)
        self.assertIn("The gateway would set AO=0, until the radio restarts.", self.said)

    def test_firmware_that_needs_no_association(self) -> None:
        """Its nodes are reached, and searched for, whatever AI says."""

        async def of_802_15_4(*arguments: Any) -> RadioInfo:
            return replace(await bring_up(*arguments), is_zigbee=False, association=0x13)

        self.patch(link_work, "bring_up", of_802_15_4)
        self.assertEqual(self.check(), 0)
        self.assertNotIn("in no network", "".join(self.said))
        self.assertIn("Nodes: 3 answered.", self.said)

    def test_none(self) -> None:
        self.check()
        self.endpoint.unplug()
        self.said.clear()
        self.assertEqual(self.check(), 1)
        self.assertRegex(self.line("Radio: "), "^none on sim:: ")

    def test_silent(self) -> None:
        """It has a time, whatever the radio does."""
        self.check()
        present(self.endpoint.network).radio.hang()
        self.said.clear()
        self.assertEqual(self.check(seconds=RADIO_LIMIT + 10), 1)
        self.assertRegex(self.line("Radio: "), "^none on sim:: The radio does not answer")

    def test_endpoint_that_never_connects(self) -> None:
        self.patch(self.endpoint, "connect", lambda factory: Deferred())
        self.assertEqual(self.check(seconds=RADIO_LIMIT + 10), 1)
        self.assertRegex(self.line("Radio: "), "^none on sim:: There was no connection within")


class BrokerTests(CheckTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.why = ""
        self.tried: list[MQTTSettings] = []

        async def answer(reactor: object, settings: MQTTSettings) -> str:
            self.tried.append(settings)
            return self.why

        self.patch(trial, "why_not_taken", answer)
        self.settings = replace(SETTINGS, mqtt=MQTTSettings(broker="tcp:broker:1883"))

    def test_it_takes_the_gateway(self) -> None:
        self.assertEqual(self.check(self.settings), 0)
        self.assertEqual(
            self.line("MQTT: "),
            "the broker broker:1883 takes this gateway; nothing was said there.",
        )
        self.assertEqual(self.tried, [self.settings.mqtt])

    def test_it_does_not(self) -> None:
        """The radio is looked for all the same."""
        self.why = "nothing listens there"
        self.assertEqual(self.check(self.settings), 1)
        self.assertEqual(
            self.line("MQTT: "),
            "the broker broker:1883 is not to be had: nothing listens there.",
        )
        self.assertTrue(self.line("Radio: "))

    def test_a_hub_s(self) -> None:
        self.endpoint = FleetEndpoint(self.settings.mqtt, ("house",))
        settings = replace(SETTINGS, serial="mqtt:broker:1883:sites=house")
        self.assertEqual(self.check(settings), 0)
        self.assertEqual(
            self.line("Radio: "), "none of its own; it is a hub of house at the broker."
        )
        self.why = "nothing listens there"
        self.assertEqual(self.check(settings), 1)
        self.assertEqual(len(self.tried), 2)

    def test_there_is_none(self) -> None:
        self.check()
        self.assertEqual(self.tried, [])


class StateTests(CheckTestCase):
    def made(self, *mappings: Mapping) -> None:
        store = Store(self.state).open()
        store.change_mappings(mappings)
        store.close()

    def settings(self) -> Settings:
        return replace(SETTINGS, state=self.state)

    def test_ports(self) -> None:
        self.made(Mapping(METER, 27009))
        before = self.files()
        self.assertEqual(self.check(self.settings()), 0)
        self.assertEqual(self.line("State: "), f"{self.state} is in order; nodes with ports: 1.")
        self.assertIn("    00:13:a2:00:40:0a:3e:01  METER: port 27009", self.said)
        self.assertEqual(self.files(), before)

    def test_new(self) -> None:
        """It is not made."""
        self.assertEqual(self.check(self.settings()), 0)
        self.assertIn("is not there; the gateway makes it", self.line("State: "))
        self.assertEqual(self.files(), {})

    def test_after_a_crash(self) -> None:
        """What SQLite has left beside the file counts, and stays where it is."""
        self.made(Mapping(METER, 27001))
        crashed = self.directory / "crashed.sqlite3"
        with closing(sqlite3.connect(self.state, isolation_level=None)) as database:
            # As earlier versions had it.
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("UPDATE mapping SET port = 27002")
            for suffix in ("", "-wal"):
                content = Path(f"{self.state}{suffix}").read_bytes()
                Path(f"{crashed}{suffix}").write_bytes(content)
        os.unlink(self.state)
        before = self.files()
        self.assertEqual(len(before), 2)
        self.assertEqual(self.check(replace(SETTINGS, state=str(crashed))), 0)
        self.assertIn("    00:13:a2:00:40:0a:3e:01  METER: port 27002", self.said)
        self.assertEqual(self.files(), before)

    def test_unfinished_change(self) -> None:
        """It is taken back in the copy alone."""
        self.made(Mapping(METER, 27001))
        crashed = self.directory / "crashed.sqlite3"
        with closing(sqlite3.connect(self.state, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous=FULL")
            database.execute("PRAGMA cache_size=1")
            database.execute("BEGIN EXCLUSIVE")
            database.execute("UPDATE mapping SET port = 27002")
            database.execute("CREATE TABLE more (x)")
            database.execute("INSERT INTO more VALUES (zeroblob(1000000))")
            for suffix in ("", "-journal"):
                content = Path(f"{self.state}{suffix}").read_bytes()
                Path(f"{crashed}{suffix}").write_bytes(content)
            database.execute("ROLLBACK")
        os.unlink(self.state)
        before = self.files()
        self.assertEqual(len(before), 2)
        self.assertEqual(self.check(replace(SETTINGS, state=str(crashed))), 0)
        self.assertIn("    00:13:a2:00:40:0a:3e:01  METER: port 27001", self.said)
        self.assertEqual(self.files(), before)

    def test_later_version(self) -> None:
        self.made()
        database = sqlite3.connect(self.state)
        database.execute("PRAGMA user_version=99")
        database.close()
        before = self.files()
        self.assertEqual(self.check(self.settings()), 1)
        self.assertIn(f"{self.state} was written by a later version", self.line("State: "))
        # The radio is looked for all the same.
        self.assertTrue(self.line("Radio: "))
        self.assertEqual(self.files(), before)

    def test_no_store(self) -> None:
        Path(self.state).write_text("It is no database.")
        self.assertEqual(self.check(self.settings()), 1)
        self.assertIn("The state file", self.line("State: "))
        self.assertEqual(self.check(replace(SETTINGS, state="/dev/null")), 1)
        self.assertIn("State: /dev/null is not a file: name a file with --state.", self.said)

    def test_that_cannot_be_made(self) -> None:
        self.patch(os, "access", lambda path, mode: False)
        state = str(self.directory.absolute() / "none" / "state.sqlite3")
        self.assertEqual(self.check(replace(SETTINGS, state=state)), 1)
        self.assertIn(f"may not write {self.directory.absolute()}.", self.line("State: "))

    def test_that_cannot_be_written(self) -> None:
        self.made()
        self.patch(os, "access", lambda path, mode: path != self.state)
        self.assertEqual(self.check(self.settings()), 1)
        self.assertIn("this user may not write it", self.line("State: "))

    def test_that_cannot_be_read(self) -> None:
        self.made()

        def refuse(path: str, copy: str) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        self.patch(app_check, "_copy", refuse)
        self.assertEqual(self.check(self.settings()), 1)
        self.assertIn("cannot be read: Permission denied.", self.line("State: "))
