"""What passes, written into files: which, how, how much at the most, and what if they are full."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.support import record_log
from zbtwist.binding.client_events import ClientDropped, ClientOpened
from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.stream_events import StreamBroken
from zbtwist.config.node_settings import NodeSettings
from zbtwist.config.settings import Settings
from zbtwist.network.events import FROM_NODE, TO_NODE, BytesPassed
from zbtwist.network.node import Node
from zbtwist.observing import byte_log
from zbtwist.observing.byte_log import GATHER, MAX_GATHERED, ByteLog, shown
from zbtwist.runtime import bounded_log_file
from zbtwist.runtime.bounded_log_file import MAX_OLD
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.option import Context, Mistake
from zbtwist.runtime.substitutions import Template, path_template
from zbtwist.xbee.address import Address64

WHEN = 1795748706.0


class Ports:
    """Those of all nodes have one setting."""

    def __init__(self) -> None:
        self.settings = PortSettings()

    def settings_of(self, node: Node) -> PortSettings:
        return self.settings

    def port_of(self, node: Node) -> None:
        return None


class ByteLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.bus, self.ports = Clock(), EventBus(), Ports()
        self.byte_log = ByteLog(self.clock, self.bus, self.ports, lambda: WHEN)
        self.byte_log.startService()
        self.node = Node(Address64(0x0013A200_400A3E01), label="METER")
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.log = record_log(self)

    def use(self, path: str | None, form: str = "hex") -> None:
        template = Template(str(self.directory / path)) if path else None
        self.ports.settings = PortSettings(log_bytes=template, log_bytes_format=form)
        self.byte_log.follow(Settings(serial="sim:", port_settings=self.ports.settings))

    def passes(self, data: bytes, direction: str = FROM_NODE, node: Node | None = None) -> None:
        self.bus.publish(BytesPassed(node or self.node, direction, data, WHEN))

    def lines(self, name: str = "log") -> list[str]:
        """What is in a file, without the times."""
        self.clock.advance(GATHER)
        text = (self.directory / name).read_text()
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(WHEN))
        return [line.removeprefix(f"{when}.000  ") for line in text.splitlines()]

    def test_nothing_is_observed_unless_it_is_wanted(self) -> None:
        self.assertEqual(self.bus.subscribers(BytesPassed), [])
        for _ in range(2):
            self.use("log")
        self.assertEqual(len(self.bus.subscribers(BytesPassed)), 1)
        before = Settings(serial="sim:", port_settings=self.ports.settings)
        self.byte_log.reconfigure(before, Settings(serial="sim:"))
        self.assertEqual(self.bus.subscribers(BytesPassed), [])

    def test_wanted_of_one_node(self) -> None:
        own = PortSettings(log_bytes=Template("/x"))
        node = NodeSettings(label="METER", port_settings=own)
        self.assertFalse(Settings(serial="sim:").has_byte_logs)
        self.assertTrue(Settings(serial="sim:", nodes=(node,)).has_byte_logs)

    def test_lines(self) -> None:
        """Both directions, clients, and what was lost."""
        self.use("log")
        self.bus.publish(ClientOpened(self.node, 27001, "10.0.0.7:50312"))
        self.passes(b"\x01\x03\x00\xff", TO_NODE)
        self.passes(b"\x01\x83\x02")
        self.bus.publish(StreamBroken(self.node, TO_NODE, 4, "Why."))
        self.bus.publish(ClientDropped(self.node, 27001, "10.0.0.7:50312", "why"))
        node = "METER (00:13:a2:00:40:0a:3e:01)"
        self.assertEqual(
            self.lines(),
            [
                f"{node}  -     Client 10.0.0.7:50312 is connected to {node} on port 27001.",
                f"{node}  to    01 03 00 ff",
                f"{node}  from  01 83 02",
                f"{node}  -     4 bytes for {node} are lost: Why.",
                f"{node}  -     Client 10.0.0.7:50312 of {node} on port 27001 is dropped: why.",
            ],
        )

    def test_forms(self) -> None:
        data = b"ok \x00\xff\r\n\\"
        self.assertEqual(shown(data, "hex"), "6f 6b 20 00 ff 0d 0a 5c")
        self.assertEqual(shown(data, "text"), "ok \\x00\\xff\\r\\n\\\\")
        self.assertEqual(shown(data, "both"), "6f 6b 20 00 ff 0d 0a 5c  |ok ....\\|")
        self.use("log", "text")
        self.passes(data)
        self.assertTrue(self.lines()[0].endswith("from  ok \\x00\\xff\\r\\n\\\\"))

    def test_a_file_for_each_node(self) -> None:
        """Wherever what a node calls itself would lead."""
        self.use(r"\d-\p-\N")
        other = Node(Address64(2), label="../../etc/\x07x")
        hidden = Node(Address64(3), label=".hidden")
        for node in (self.node, other, hidden):
            self.passes(b"x", node=node)
        self.clock.advance(GATHER)
        self.assertEqual(
            sorted(os.listdir(self.directory)),
            [
                "0000000000000002-0-_._.._etc__x",
                "0000000000000003-0-_hidden",
                "0013a200400a3e01-0-METER",
            ],
        )

    def test_one_file_for_all(self) -> None:
        self.use("log")
        self.passes(b"1")
        self.passes(b"2", node=Node(Address64(2)))
        self.assertEqual([line[-2:] for line in self.lines()], ["31", "32"])

    def test_file_is_bounded(self) -> None:
        self.patch(bounded_log_file, "MAX_SIZE", 2000)
        self.use("log")
        for number in range(2000):
            self.passes(number.to_bytes(2, "big"))
            if number % 10 == 9:
                self.clock.advance(GATHER)
        files = list(self.directory.iterdir())
        self.assertEqual(len(files), MAX_OLD + 1)
        self.assertLess(max(file.stat().st_size for file in files), 4000)
        self.assertTrue(self.lines()[-1].endswith("07 cf"))

    def test_what_is_gathered_is_bounded(self) -> None:
        self.use("log")
        lines = 0
        while not (self.directory / "log").exists():
            self.passes(b"x" * 255)
            lines += 1
            self.assertLess(lines * 255 * 3, MAX_GATHERED + 1000)
        self.assertGreater((self.directory / "log").stat().st_size, MAX_GATHERED)

    def test_number_of_files_is_bounded(self) -> None:
        self.patch(byte_log, "MAX_FILES", 2)
        self.use(r"\N")
        for number in range(5):
            self.node.label = f"N{number}"
            self.passes(b"x")
        self.clock.advance(GATHER)
        self.assertEqual(sorted(os.listdir(self.directory)), ["N0", "N1"])
        (line,) = self.log.lines("warn")
        self.assertIn("name nodes by their address", line)

    def test_disk_is_full(self) -> None:
        """It is survived, and said once, and in the file when there is room again."""
        (self.directory / "log").symlink_to("/dev/full")
        self.use("log")
        for _ in range(3):
            self.passes(b"x")
            self.passes(b"y")
            self.clock.advance(GATHER)
        (line,) = self.log.lines("error")
        self.assertIn("log: No space left on device. Streams go on", line)
        (self.directory / "log").unlink()
        self.passes(b"z")
        first, last = self.lines()
        self.assertEqual(first, "… 6 lines are missing: they could not be written.")
        self.assertTrue(last.endswith("7a"))
        self.assertIn("are logged into", self.log.lines("info")[-1])
        self.passes(b"!")
        self.assertEqual(len(self.lines()), 3)

    def test_no_such_directory(self) -> None:
        self.use("nowhere/log")
        self.passes(b"x")
        self.clock.advance(GATHER)
        (line,) = self.log.lines("error")
        self.assertIn("nowhere/log: No such file or directory", line)

    def test_nothing_is_lost_when_it_stops(self) -> None:
        self.use("log")
        self.passes(b"x")
        self.byte_log.stopService()
        self.passes(b"y")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.lines()), 2)


class PathTests(SynchronousTestCase):
    def test_paths(self) -> None:
        context: Any = Context(None, "/etc")
        self.assertIsNone(path_template("", context))
        self.assertEqual(path_template(r"log/\N.\d", context), Template(r"/etc/log/\N.\d"))
        for wrong, said in (
            (r"/x/\H", r"has \H; in a path there may be \d \o \N \p."),
            (r"/x/\x41", r"has \x41; in a path"),
            ("/x\\", "in a path there may be"),
            ("/x/", "must be the path of a file"),
            ("/" + "x" * 5000, "must be the path of a file"),
        ):
            error = self.assertRaises(Mistake, path_template, wrong, context)
            self.assertIn(said, str(error))
