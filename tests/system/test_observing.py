"""What the real gateway shows of itself: events, frames, metrics, health, a trace file."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support import left_out
from tests.system.forked import ZBCTL
from tests.system.support import PATIENCE, PROMPT, QUICK, Gateway, Program, echo, wait_until

# It is the same with every Python.
skip = left_out() or None


class ObservingTestCase(SynchronousTestCase):
    def start(self, *options: str, serial: str = QUICK, control: int | None = None) -> Gateway:
        self.gateway = Gateway(serial, *options, control=control)
        self.addCleanup(self.gateway.stop)
        return self.gateway

    def get(self, path: str) -> HTTPResponse:
        connection = HTTPConnection("127.0.0.1", self.gateway.control, timeout=PATIENCE)
        self.addCleanup(connection.close)
        connection.request("GET", path)
        return connection.getresponse()

    def events(self, response: HTTPResponse) -> Any:
        """Yield the name and data of each event of a stream."""
        name = ""
        for line in response:
            word, _, rest = line.decode().rstrip("\n").partition(": ")
            if word == "event":
                name = rest
            elif word == "data":
                yield name, json.loads(rest)


class Observing(ObservingTestCase):
    def test_everything_at_once(self) -> None:
        path = os.path.join(os.path.abspath(self.mktemp()), "trace.pcapng")
        os.mkdir(os.path.dirname(path))
        self.start("--trace-file", path)
        nodes = self.gateway.nodes(3)
        port = nodes["ECHO"]["tcp_port"]
        self.assertEqual(
            self.gateway.api.frames(True, "ECHO"),
            {"all": False, "nodes": [nodes["ECHO"]["addr_extended"]], "file": path},
        )
        stream = self.events(self.get("/events"))
        self.assertEqual(echo(port, b"is anybody there"), b"is anybody there")
        seen = []
        for name, data in stream:
            seen.append(data["text"])
            if name == "frame" and "received ReceivePacket from ECHO" in data["text"]:
                break
        self.assertTrue(any("A new node: " in text for text in seen))
        self.assertTrue(any("Client 127.0.0.1:" in text for text in seen))
        self.assertTrue(seen[-1].endswith("data='is anybody there'"), seen[-1])
        metrics = {
            (sample.name, sample.labels.get("node") or sample.labels.get("type")): sample.value
            for family in text_string_to_metric_families(self.get("/metrics").read().decode())
            for sample in family.samples
        }
        address = nodes["ECHO"]["addr_extended"].strip("[]!")
        self.assertEqual(metrics["zbtwist_node_bytes_out_total", address], 16)
        self.assertEqual(metrics["zbtwist_radio_frames_total", "TransmitRequest"], 1)
        self.assertEqual(metrics["zbtwist_transmit_seconds_count", None], 1)
        self.assertGreater(metrics["process_resident_memory_bytes", None], 1e6)
        health = self.get("/healthz")
        self.assertEqual((health.status, health.read()), (200, b"ok\n"))
        # The stream, which is still open, does not hold the gateway up.
        self.assertLess(self.gateway.stop(), PROMPT)
        self.assertNotIn("Traceback", self.gateway.output)
        self.check_file(path)

    def check_file(self, path: str) -> None:
        tshark = shutil.which("tshark")
        if tshark is None:
            raise SkipTest("tshark is not installed; the rest has passed")
        fields = ("-e", "frame.packet_flags_direction", "-e", "frame.comment")
        result = subprocess.run(
            [tshark, "-r", path, "-Y", 'frame contains "anybody"', "-T", "fields", *fields],
            capture_output=True,
            text=True,
            timeout=PATIENCE * 3,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        sent, received = result.stdout.splitlines()
        self.assertTrue(sent.startswith("0x00000002\tsent TransmitRequest to ECHO: "), sent)
        self.assertTrue(received.startswith("0x00000001\treceived ReceivePacket from"), received)

    def test_a_radio_that_is_not_there(self) -> None:
        self.start(serial="/nowhere/ttyUSB9")
        self.gateway.wait_for("No radio on")
        health = self.get("/healthz")
        self.assertEqual(health.status, 503)
        self.assertIn(b"/nowhere/ttyUSB9", health.read())
        self.assertIn(b"\nzbtwist_radio_up 0.0\n", self.get("/metrics").read())

    def test_a_trace_file_that_cannot_be_written(self) -> None:
        self.start("--trace-file", "/proc/trace.pcapng")
        self.gateway.nodes(3)
        self.gateway.stop()
        self.assertEqual(self.gateway.output.count("/proc/trace.pcapng cannot be written"), 1)
        self.assertNotIn("Traceback", self.gateway.output)

    def test_following_over_a_restart(self) -> None:
        self.start()
        self.gateway.nodes(3)
        follower = Program(*ZBCTL, "--url", self.gateway.url, "trace", "--follow")
        self.addCleanup(follower.stop)
        follower.wait_for("The radio ")
        self.gateway.stop()
        follower.wait_for("It is waited for.")
        self.start(control=self.gateway.control)
        follower.wait_for("the gateway was restarted.")
        up = "Open http://"
        wait_until(lambda: follower.output.count(up) == 2, lambda: follower.output)
        follower.wait_until_asleep()
        follower.process.send_signal(signal.SIGINT)
        status, output = follower.finish()
        self.assertEqual(status, 130)
        self.assertNotIn("Traceback", output)


class ByteLogTests(ObservingTestCase):
    def test_log_of_a_node(self) -> None:
        """Each has its own file; what was read from its port is what is in it."""
        gateway = self.start("--log-bytes", r"bytes/\N.log")
        directory = os.path.join(gateway.directory, "bytes")
        os.mkdir(directory)
        port = gateway.nodes(3)["ECHO"]["tcp_port"]
        self.assertEqual(echo(port, b"\nhello\xff"), b"\nhello\xff")
        path = Path(directory, "ECHO.log")
        wait_until(lambda: path.exists() and "is gone" in path.read_text(), "it is written")
        lines = path.read_text().splitlines()
        words = [line.split("  ")[2:] for line in lines]
        hello = "0a 68 65 6c 6c 6f ff"
        self.assertEqual(words[1:3], [["to", "", hello], ["from", hello]])
        wait_until(lambda: "METER.log" in os.listdir(directory), "METER talks")
        gateway.process.send_signal(signal.SIGTERM)
        gateway.finish()
        self.assertNotIn("Unhandled", gateway.output)
