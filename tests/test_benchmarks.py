"""The benchmarks run and print their tables. How fast anything is, is not asserted."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from itertools import count
from pathlib import Path
from shutil import which
from types import SimpleNamespace
from typing import cast

from twisted.trial import unittest

from benchmarks import mqtt_peers
from benchmarks.__main__ import main
from benchmarks.awake import kept_awake
from benchmarks.codec_peers import Handle, Ours, Packets, Stream, WrongResultError
from benchmarks.measure import Run, Spread, in_turn, ratio, timed
from benchmarks.mqtt_peers import Messages
from benchmarks.path import Subject
from benchmarks.programs import Program, ProgramError, received
from benchmarks.radio_end import RadioEnd, address_of
from benchmarks.report import Table
from tests.support import left_out
from zbtwist.mqtt.interfaces import Message
from zbtwist.xbee.frames import (
    ATCommand,
    ATCommandResponse,
    TransmitRequest,
    TransmitStatus,
    parse_frame,
)
from zbtwist.xbee.framing import decoder_for, encode


class BenchmarkTestCase(unittest.SynchronousTestCase):
    skip = left_out() or None

    def run_with(self, *arguments: str) -> tuple[int, str, str]:
        """Run it, without what Node.js would add.

        @return: exit status, standard output, standard error.
        """
        output, errors = StringIO(), StringIO()
        with redirect_stdout(output), redirect_stderr(errors):
            try:
                status = main([*arguments, "--node-modules", self.mktemp()])
            except SystemExit as end:
                assert isinstance(end.code, int)
                status = end.code
        return status, output.getvalue(), errors.getvalue()

    def rows(self, text: str, title: str) -> list[list[str]]:
        """The rows of the table under this title."""
        lines = iter(text.partition(title + "\n")[2].splitlines())
        rules = 0
        rows = []
        for line in lines:
            if line.startswith("="):
                rules += 1
                if rules == 3:
                    break
            elif rules == 2:
                rows.append(line.split())
        return rows


class RunTests(BenchmarkTestCase):
    def test_quick(self) -> None:
        """Every table is there, and every speed of ours is a number."""
        status, output, errors = self.run_with("codec", "--quick")
        self.assertEqual((status, errors), (0, ""))
        self.assertIn(":Python: ", output)
        self.assertIn(":xbee-api: not installed", output)
        there = re.findall(r"^:(zigpy-xbee|digi-xbee|python-xbee): \d", output, re.MULTILINE)
        self.assertGreaterEqual(len(there), 2)
        for peer in there:
            self.assertEqual(len(re.findall(rf"^payload .* {peer}\b", output, re.MULTILINE)), 4)
        for title in ("Decode, type 90, mode 2", "Decode, type 90, mode 1"):
            rows = self.rows(output, title)
            sizes = [["1", "64"], ["1", "1,024"], ["72", "64"], ["72", "1,024"]]
            self.assertEqual([row[:2] for row in rows], sizes)
            for row in rows:
                self.assertGreater(int(row[2].replace(",", "")), 0)
        for title in ("Encode, type 10, mode 2", "Encode, type 10, mode 1"):
            rows = self.rows(output, title)
            self.assertEqual([row[0] for row in rows], ["1", "72"])
            for row in rows:
                self.assertGreater(int(row[1].replace(",", "")), 0)

    def test_path_quick(self) -> None:
        """Ours is measured in every way, beside whatever else is installed."""
        status, output, errors = self.run_with("path", "--quick")
        self.assertEqual((status, errors), (0, ""))
        for title in (
            "Radio to TCP: latency",
            "TCP to radio: latency",
            "Radio to TCP: throughput",
            "TCP to radio: throughput",
            "A full serial line",
        ):
            rows = self.rows(output, title)
            self.assertEqual([row[:3] for row in rows[:2]], [["zbtwist,", "mode", n] for n in "21"])
            for row in rows[:2]:
                self.assertGreater(float(row[3]), 0)
            named = " ".join(row[0].strip(",") for row in rows)
            installed = [name for name in ("ser2net", "socat") if which(name)]
            installed += ["forwarder"] if which("gcc") else []
            for name in installed:
                self.assertIn(name, named)

    def check_asked_meanwhile(self, api_mode: int) -> None:
        line = RadioEnd(api_mode)
        self.addCleanup(line.close)
        gateway = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
        self.addCleanup(os.close, gateway)
        frame_ids = count(1)

        def send(payload: bytes) -> None:
            frame_id = next(frame_ids)
            if frame_id == 2:
                os.write(gateway, encode(ATCommand(0x77, "NP").to_bytes(), api_mode))
            request = TransmitRequest(frame_id, *address_of(0), 0, 0, payload)
            os.write(gateway, encode(request.to_bytes(), api_mode))

        subject = Subject(
            cast(Program, SimpleNamespace(name="", line=line)),
            cast(socket.socket, SimpleNamespace(send=send)),
        )
        times = subject.time_outward(3, lambda: None)
        self.assertEqual(len(times.all), 2)
        answered: list[int] = []
        decoder = decoder_for(api_mode)
        while len(answered) < 4:
            for frame_data in decoder.feed(os.read(gateway, 4096)):
                answer = parse_frame(frame_data)
                assert isinstance(answer, (ATCommandResponse, TransmitStatus))
                answered.append(answer.frame_id)
        self.assertEqual(answered, [1, 0x77, 2, 3])

    def test_path_asked_meanwhile(self) -> None:
        """What the gateway asks by itself while a packet's way is timed is answered, as is the
        packet, and that one is not counted: else it would never be answered, and the gateway would
        give up the stream.
        """
        self.check_asked_meanwhile(1)
        self.check_asked_meanwhile(2)

    def test_kept_awake(self) -> None:
        """There is a loop on each processor meanwhile, and none afterwards."""

        def loops() -> int:
            # Minimal machines have no ps.
            count = 0
            for process in Path("/proc").glob("[0-9]*"):
                # Others come and go meanwhile.
                with contextlib.suppress(OSError):
                    parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
                    is_ours = int(parent) == os.getpid()
                    count += is_ours and b"awake.py" in (process / "cmdline").read_bytes()
            return count

        with kept_awake() as is_awake:
            self.assertTrue(is_awake)
            self.assertEqual(loops(), len(os.sched_getaffinity(0)))
        self.assertEqual(loops(), 0)

    def test_program_that_ends(self) -> None:
        """It is said, and nobody waits for it."""
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        theirs.close()
        self.assertRaises(ProgramError, received, ours, 10)

    def test_scale_quick(self) -> None:
        status, output, errors = self.run_with("scale", "--quick")
        self.assertEqual((status, errors), (0, ""))
        for title in ("Nodes", "Traffic of all nodes", "Clients at once"):
            rows = self.rows(output, title)
            self.assertEqual([row[0] for row in rows], ["10", "30"])
            for row in rows:
                for cell in row[-3:-1] if title == "Clients at once" else row[1:2]:
                    self.assertGreater(float(cell), 0)
        rows = self.rows(output, "The console")
        expected = [["20", "0", "0"], ["20", "1", "0"], ["20", "10", "1"]]
        self.assertEqual([row[:3] for row in rows], expected)

    def test_air_quick(self) -> None:
        """That one is on a clock of its own, so that its numbers can be checked."""
        status, output, errors = self.run_with("air", "--quick")
        self.assertEqual((status, errors), (0, ""))
        shares = [float(row[-4]) for row in self.rows(output, "Goodput")]
        self.assertEqual(len(shares), 4)
        for share in shares:
            self.assertGreater(share, 97)
            self.assertLessEqual(share, 100)
        rows = self.rows(output, "A question beside bulk transfers")
        self.assertEqual([row[0] for row in rows], ["0", "1", "9"])

    def test_mqtt_quick(self) -> None:
        status, output, errors = self.run_with("mqtt_clients", "--quick")
        self.assertEqual((status, errors), (0, ""))
        for title in ("Publish", "Receive"):
            rows = self.rows(output, title)
            self.assertEqual([row[0] for row in rows], ["1", "10", "100"])
            for row in rows:
                self.assertGreater(int(row[1].replace(",", "")), 0)
        ours = self.rows(output, "What they bring")[0]
        self.assertEqual((ours[0], ours[2:]), ("zbtwist", ["ms", "mqtt5"]))

    def test_fleet_quick(self) -> None:
        if which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
            raise unittest.SkipTest("there is no mosquitto")
        status, output, errors = self.run_with("fleet", "--quick")
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual([row[1] for row in self.rows(output, "Sites")], ["50", "100"])
        ways = [row[0].split(",")[0] for row in self.rows(output, "Beside plain TCP")]
        self.assertEqual(ways, ["site", "plain", "there"])
        self.assertEqual(len(self.rows(output, "As many as it carries")), 1)

    def test_unknown_benchmark(self) -> None:
        status, output, errors = self.run_with("codek")
        self.assertEqual((status, output), (2, ""))
        self.assertIn("there is no benchmark 'codek', only codec", errors)

    def test_a_quick_run_is_not_written_down(self) -> None:
        page = Path(self.mktemp())
        status, _, errors = self.run_with("codec", "--quick", "--write", str(page))
        self.assertEqual(status, 2)
        self.assertIn("measures nothing", errors)
        self.assertFalse(page.exists())


class TableTests(unittest.SynchronousTestCase):
    def test_text(self) -> None:
        table = Table("Title", "What.\n", ["a", "long name"], [["12345", "1"], ["1", "2"]])
        self.assertEqual(
            str(table),
            "Title\n~~~~~\n\nWhat.\n\n"
            "=====  =========\n"
            "a      long name\n"
            "=====  =========\n"
            "12345  1\n"
            "1      2\n"
            "=====  =========\n",
        )


class MeasureTests(unittest.SynchronousTestCase):
    def test_spread(self) -> None:
        spread = Spread.of([1.0, 2.0, 3.0, 4.0, 100.0])
        self.assertEqual((spread.low, spread.median, spread.high), (2.0, 3.0, 4.0))
        self.assertEqual(str(spread), "3 (2–4)")

    def test_in_turn(self) -> None:
        """All in each round, and each is the first in its turn."""
        order: list[str] = []

        def runner(name: str, seconds: float) -> Run:
            def run() -> float:
                order.append(name)
                return seconds

            return run

        seconds = in_turn([runner("a", 1.0), runner("b", 3.0)], 3)
        self.assertEqual("".join(order), "abbaab")
        self.assertEqual(seconds, [[1.0] * 3, [3.0] * 3])
        self.assertEqual(ratio(seconds[1], seconds[0]).median, 3.0)

    def test_timed(self) -> None:
        done: list[None] = []
        run = timed(lambda: done.append(None), 2, at_least=0.0)
        tried = len(done)
        self.assertGreaterEqual(run(), 0.0)
        self.assertEqual(len(done), tried + 1)


class CheckTests(unittest.SynchronousTestCase):
    """A peer that does something else is not compared."""

    def test_wrong_result(self) -> None:
        class Forgetful(Ours):
            def decode(self, stream: Stream, handle: Handle) -> Callable[[], None]:
                return super().decode(Stream(stream.frames[1:], 2, 64), handle)

            def encode(self, packets: Packets, write: Handle) -> Callable[[], None]:
                return super().encode(Packets(packets.packets[1:], 2), write)

        frames = [b"\x90" + bytes(12), b"\x90" + bytes(range(40))]
        self.assertRaises(WrongResultError, Forgetful().decoding, Stream(frames, 2, 64), 0.0)
        packets = Packets([(1, b"a"), (2, b"b")], 2)
        self.assertRaises(WrongResultError, Forgetful().encoding, packets, 0.0)

    def test_wrong_messages(self) -> None:
        class Forgetful(mqtt_peers.Ours):
            def receive(self, messages: Messages, handle: Handle) -> Callable[[], None]:
                return super().receive(Messages(messages.messages[1:], 1), handle)

        messages = Messages([Message("a", b"1"), Message("b", b"2")], 1)
        mqtt_peers.Ours().check(messages)
        self.assertRaises(WrongResultError, Forgetful().check, messages)
