"""A gateway at a real broker: what docs/mqtt.rst says is there, as mosquitto's own programs see
it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.pages import DOCS, blocks_of
from tests.support import left_out
from tests.system.brokers import Broker, Mosquitto, Rumqttd
from tests.system.forked import ZBGATE
from tests.system.support import PATIENCE, QUICK, Gateway, echo, free_ports, wait_until

PAGE = DOCS / "mqtt.rst"
SENSOR = "0013a200400a3e02"
ECHO = "0013a200400a3e03"

_CLIENTS = ("mosquitto_sub", "mosquitto_pub", "mosquitto_rr")
_NO_CLIENTS = "" if all(map(shutil.which, _CLIENTS)) else "there are no clients of mosquitto"


def documented(*starts: str) -> list[str]:
    """Return the lines of the page that begin so."""
    return [
        line
        for block in blocks_of(PAGE)
        for line in block.lines
        if any(line.startswith(start) for start in starts)
    ]


class SiteTestCase(SynchronousTestCase):
    def start(self, broker: Broker, site: str = "house", more: str = "") -> None:
        """Start a broker, and a gateway.

        @param more: of the [mqtt] section.
        """
        self.broker = broker
        self.addCleanup(self.broker.remove)
        self.broker.start()
        self.directory = tempfile.mkdtemp(prefix="zbtwist-test-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.port = free_ports(8)
        self.config = Path(self.directory, "zbtwist.toml")
        self.configure(site, more)
        self.gateway = Gateway(
            None, "--config", str(self.config), program=ZBGATE, control=self.port
        )
        self.addCleanup(self.gateway.stop)
        self.gateway.nodes(3)

    def configure(self, site: str = "house", more: str = "") -> None:
        self.config.write_text(
            f'serial = "{QUICK}"\nstate = ":memory:"\n'
            f'control = "{self.port}"\nbase-port = {self.port + 1}\n'
            f'[mqtt]\nbroker = "tcp:127.0.0.1:{self.broker.port}"\n'
            f'site = "{site}"\n{more}\n'
            '[[node]]\nlabel = "ECHO"\nmqtt = "stream"\ndecoder = "keyvalue"\n'
        )

    def client(self, line: str, *options: str) -> subprocess.Popen[str]:
        """Begin a program of mosquitto's.

        @param line: as a person types it.
        """
        program, *rest = shlex.split(line)
        path = shutil.which(program)
        assert path is not None, line
        process = subprocess.Popen(
            [path, "-p", str(self.broker.port), *options, *rest],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process: subprocess.Popen[str]) -> None:
        if process.poll() is None:
            process.kill()
            process.communicate()

    def said(self, line: str, *options: str) -> str:
        """Run one to its end; return what it has said."""
        process = self.client(line, *options)
        output, _ = process.communicate(timeout=PATIENCE)
        return output

    def heard(self, process: subprocess.Popen[str], cause: Callable[[], object]) -> str:
        """Have something happen until a program has heard of it; return what it says of that."""

        def ended() -> bool:
            cause()
            try:
                process.wait(0.3)
            except subprocess.TimeoutExpired:
                return False
            return True

        wait_until(ended, "what it waits for")
        return process.communicate()[0]

    def kept(self, topic_filter: str = "zbtwist/#", *options: str) -> dict[str, str]:
        """Return what the broker keeps, by topic."""
        output = self.said(
            f"mosquitto_sub -V 5 -t {topic_filter} -W 1 --retained-only -F '%t %p'", *options
        )
        lines = [line for line in output.splitlines() if "Timed out" not in line]
        return dict(line.partition(" ")[::2] for line in lines)

    def wait_for_kept(self, *topics: str) -> dict[str, str]:
        def found() -> dict[str, str] | None:
            kept = self.kept()
            return kept if set(topics) <= kept.keys() else None

        return wait_until(found, lambda: f"{topics}; log:\n{self.gateway.output}")

    def wait_until_not_kept(self, part: str, patience: float = PATIENCE) -> None:
        wait_until(lambda: not any(part in topic for topic in self.kept()), f"no {part}", patience)

    def topics(self, site: str = "house") -> list[str]:
        nodes = [f"nodes/0013a200400a3e0{number}" for number in (1, 2, 3)]
        return [f"zbtwist/{site}/{rest}" for rest in ("state", "info", *nodes)]

    def ask(self, operation: str, payload: str = "", *options: str) -> Any:
        topic = f"zbtwist/house/request/{operation}"
        line = f"mosquitto_rr -V 5 -t {topic} -e app/answer -W 10 -m {shlex.quote(payload)}"
        return json.loads(self.said(line, *options))


class MosquittoTests(SiteTestCase):
    skip = Mosquitto.why_not or _NO_CLIENTS or left_out() or None
    make: type[Broker] = Mosquitto

    def test_what_is_there_and_what_becomes_of_it(self) -> None:
        self.start(self.make())
        kept = self.wait_for_kept(*self.topics())
        self.assertEqual(kept["zbtwist/house/state"], "online")
        self.assertEqual(json.loads(kept["zbtwist/house/info"])["nodes"], 3)
        self.assertEqual(json.loads(kept[f"zbtwist/house/nodes/{SENSOR}"])["label"], "SENSOR")

        # Its bytes, those to it, and what they mean.
        topic = f"zbtwist/house/nodes/{ECHO}"
        streams = self.client(f"mosquitto_sub -V 5 -t {topic}/rx -C 1")
        port = self.gateway.nodes(3)["ECHO"]["tcp_port"]
        self.assertIn("temp=21.5C", self.heard(streams, lambda: echo(port, b"temp=21.5C\r\n")))
        value = json.loads(self.wait_for_kept(f"{topic}/values/temp")[f"{topic}/values/temp"])
        self.assertEqual((value["value"], value["unit"]), (21.5, "°C"))

        # What happens.
        events = self.client("mosquitto_sub -V 5 -t zbtwist/house/events -C 1")
        event = json.loads(self.heard(events, lambda: echo(port, b"x")))
        self.assertEqual((event["event"], event["label"]), ("client_opened", "ECHO"))

        # A node that is forgotten is kept no more, nor is what it has told.
        self.assertEqual(self.ask("forget", '["ECHO"]'), {"result": True})
        self.wait_until_not_kept(ECHO)
        self.assertEqual(json.loads(self.kept()["zbtwist/house/info"])["nodes"], 2)

    def test_documented_commands(self) -> None:
        self.start(self.make())
        self.wait_for_kept(*self.topics())
        run = 0
        for line in documented("mosquitto_rr", "mosquitto_pub"):
            if "/tx" in line:
                continue
            output = self.said(line)
            if line.startswith("mosquitto_rr"):
                self.assertEqual(json.loads(output)["result"]["label"], "METER", line)
            run += 1
        self.assertEqual(run, 2)
        topic = f"zbtwist/house/nodes/{ECHO}"
        wait_until(lambda: json.loads(self.kept(topic)[topic])["label"] == "Kitchen", "a name")

    def test_a_broker_that_was_away_and_kept_nothing(self) -> None:
        self.start(self.make())
        self.wait_for_kept(*self.topics())
        self.broker.stop()
        self.gateway.wait_for("is not connected: ")
        self.assertTrue(self.gateway.api.forget("ECHO"))
        self.broker.start()
        kept = self.wait_for_kept(*self.topics()[:4])
        self.assertNotIn(self.topics()[4], kept)
        self.assertEqual(kept["zbtwist/house/state"], "online")

    def test_the_end_of_a_gateway(self) -> None:
        self.start(self.make())
        self.wait_for_kept(*self.topics())
        self.gateway.stop()
        self.assertEqual(self.kept()["zbtwist/house/state"], "offline")

    def test_a_gateway_that_is_killed(self) -> None:
        self.start(self.make())
        self.wait_for_kept(*self.topics())
        self.gateway.stop(signal.SIGKILL)
        wait_until(lambda: self.kept()["zbtwist/house/state"] == "offline", "the will")

    def test_another_name(self) -> None:
        self.start(self.make())
        self.wait_for_kept(*self.topics())
        self.configure("barn")
        self.gateway.process.send_signal(signal.SIGHUP)
        self.wait_for_kept(*self.topics("barn"))
        self.wait_until_not_kept("/house/")

    def test_documented_access_list(self) -> None:
        """A gateway may what it must, and others what they are let."""
        (block,) = (one for one in blocks_of(PAGE) if "acl_file" in one.lines[0])
        acl = Path(tempfile.mkdtemp(prefix="zbtwist-acl-"), "acl")
        self.addCleanup(shutil.rmtree, acl.parent)
        acl.write_text(block.text + "\n")
        os.chmod(acl, 0o644)
        self.start(Mosquitto("allow_anonymous true", f"acl_file {acl}"))
        home, screen = ("-u", "home"), ("-u", "screen")
        wait_until(
            lambda: set(self.topics()) <= self.kept("zbtwist/#", *home).keys(),
            lambda: f"all topics; {self.gateway.output}",
        )
        self.assertEqual(self.kept("zbtwist/#"), {})
        seen = self.kept("zbtwist/#", *screen)
        self.assertEqual(seen.keys(), {*self.topics()} - {"zbtwist/house/info"})
        topic = f"zbtwist/house/nodes/{ECHO}/set/label"
        line = f"mosquitto_rr -V 5 -t {topic} -e app/answer -W 3 -m %s"
        self.assertNotIn("result", self.said(line % "Nobody", *screen))
        self.assertEqual(json.loads(self.said(line % "Kitchen", *home)), {"result": True})
        request = "mosquitto_rr -V 5 -t zbtwist/house/request/list -e app/answer -W 3 -m []"
        self.assertFalse(re.search("result", self.said(request, *home)))


class RumqttdTests(SiteTestCase):
    """Another broker, which has no access list."""

    skip = Rumqttd.why_not or _NO_CLIENTS or left_out() or None
    make = Rumqttd

    test_what_is_there_and_what_becomes_of_it = (
        MosquittoTests.test_what_is_there_and_what_becomes_of_it
    )
    test_a_broker_that_was_away_and_kept_nothing = (
        MosquittoTests.test_a_broker_that_was_away_and_kept_nothing
    )
    test_a_gateway_that_is_killed = MosquittoTests.test_a_gateway_that_is_killed
    test_another_name = MosquittoTests.test_another_name
