"""The trace file: what is in it, what bounds it, and that it harms no other file."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import subprocess
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from zbtwist.observing.pcapng import LINK_TYPE, TraceFile, TraceFileError

FRAME = bytes.fromhex("7e00048a0000758a")
WHEN = 1795000000.25


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    """Split a file into its blocks: type and body of each."""
    found = []
    while data:
        kind, size = struct.unpack_from("=II", data)
        assert size % 4 == 0
        assert struct.unpack_from("=I", data, size - 4) == (size,)
        found.append((kind, data[8 : size - 4]))
        data = data[size:]
    return found


def options(data: bytes) -> dict[int, bytes]:
    """Read options, which must have an end."""
    found: dict[int, bytes] = {}
    while True:
        code, size = struct.unpack_from("=HH", data)
        if code == 0:
            assert data == bytes(4)
            return found
        found[code] = data[4 : 4 + size]
        data = data[4 + size + -size % 4 :]


def packet(body: bytes) -> tuple[float, bytes, dict[int, bytes]]:
    """Read an enhanced packet block: time, frame and options."""
    interface, high, low, size, original = struct.unpack_from("=IIIII", body)
    assert (interface, size) == (0, original)
    return (high << 32 | low) / 1e6, body[20 : 20 + size], options(body[20 + size + -size % 4 :])


class TraceFileTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        directory = self.mktemp()
        os.mkdir(directory)
        self.path = os.path.join(directory, "trace.pcapng")

    def open(self, **keywords: Any) -> TraceFile:
        file = TraceFile(self.path, "/dev/ttyUSB0", **keywords)
        file.open()
        self.addCleanup(file.close)
        return file

    def read(self, suffix: str = "") -> bytes:
        with open(self.path + suffix, "rb") as file:
            return file.read()

    def frames(self, suffix: str = "") -> list[bytes]:
        return [packet(body)[1] for kind, body in blocks(self.read(suffix)) if kind == 6]


class Contents(TraceFileTestCase):
    def test_what_it_is_of(self) -> None:
        self.open()
        (section, section_body), (interface, interface_body) = blocks(self.read())
        self.assertEqual((section, section_body[:8].hex()), (0x0A0D0D0A, "4d3c2b1a01000000"))
        self.assertTrue(options(section_body[16:])[4].startswith(b"zbtwist "))
        self.assertEqual((interface, struct.unpack_from("=H", interface_body)), (1, (LINK_TYPE,)))
        self.assertEqual(options(interface_body[8:])[2], b"/dev/ttyUSB0")

    def test_frames(self) -> None:
        file = self.open()
        for size in range(1, 6):
            file.write(WHEN, False, FRAME[:size], "é" * size)
        file.write(WHEN + 1, True, FRAME, "sent")
        # Nothing is held back: whoever looks while the gateway runs sees the last frame.
        packets = [packet(body) for kind, body in blocks(self.read())[2:]]
        for size in range(1, 6):
            when, frame, said = packets[size - 1]
            self.assertEqual((when, frame), (WHEN, FRAME[:size]))
            self.assertEqual(said, {1: ("é" * size).encode(), 2: b"\1\0\0\0"})
        self.assertEqual(packets[5], (WHEN + 1, FRAME, {1: b"sent", 2: b"\2\0\0\0"}))

    def test_others_may_not_read_it(self) -> None:
        self.open()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    def test_tshark(self) -> None:
        tshark = shutil.which("tshark")
        if tshark is None:
            raise SkipTest("tshark is not installed")
        file = self.open()
        file.write(WHEN, False, FRAME, "received ModemStatus: status=00")
        file.write(WHEN + 1.5, True, FRAME[:5], "sent x")
        names = ("time_epoch", "len", "packet_flags_direction", "interface_name", "comment")
        fields = [word for name in names for word in ("-e", f"frame.{name}")]
        result = subprocess.run(
            [tshark, "-r", self.path, "-T", "fields", "-E", "separator=|", *fields, "-e", "data"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(
            [line.split("|")[1:] for line in result.stdout.splitlines()],
            [
                ["8", "0x00000001", "/dev/ttyUSB0", "received ModemStatus: status=00", FRAME.hex()],
                ["5", "0x00000002", "/dev/ttyUSB0", "sent x", FRAME[:5].hex()],
            ],
        )
        self.assertIn("1795000000.25", result.stdout)


class Bounds(TraceFileTestCase):
    def test_it_rotates(self) -> None:
        file = self.open(maximum=1000)
        for number in range(100):
            file.write(WHEN, True, bytes([number]) * 10, "x")
        self.assertEqual(
            sorted(os.listdir(os.path.dirname(self.path))), ["trace.pcapng", "trace.pcapng.1"]
        )
        self.assertLessEqual(len(self.read()), 1000)
        self.assertLessEqual(len(self.read(".1")), 1000)
        numbers = [frame[0] for frame in self.frames(".1") + self.frames()]
        self.assertEqual(numbers, list(range(100 - len(numbers), 100)))
        self.assertGreater(len(self.frames(".1")), 5)

    def test_the_one_before_is_kept_once(self) -> None:
        for number in range(3):
            file = self.open()
            file.write(WHEN, True, bytes([number]), "")
            file.close()
        self.assertEqual((self.frames(), self.frames(".1")), ([b"\2"], [b"\1"]))

    def test_a_full_disk(self) -> None:
        """The file ends with the last frame that fitted; readers find nothing half."""
        file = self.open()
        file.write(WHEN, True, FRAME, "first")
        full = OSError(28, "No space left on device")
        real = os.write

        def write(number: int, data: bytes) -> int:
            if len(data) <= 10:
                raise full
            return real(number, data[:10])

        self.patch(os, "write", write)
        error = self.assertRaises(TraceFileError, file.write, WHEN, True, FRAME, "second")
        self.assertEqual(
            str(error), f"The trace file {self.path} cannot be written: No space left on device."
        )
        self.assertEqual(self.frames(), [FRAME])
        error = self.assertRaises(TraceFileError, file.write, WHEN, True, FRAME, "third")
        self.assertIn("is not open", str(error))

    def test_the_real_full_device(self) -> None:
        if not os.path.exists("/dev/full"):
            raise SkipTest("this system has no /dev/full")
        file = self.open()
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, file._file)
        os.close(full)
        error = self.assertRaises(TraceFileError, file.write, WHEN, True, FRAME, "")
        self.assertIn("No space left on device", str(error))


class OtherFiles(TraceFileTestCase):
    def refused(self) -> str:
        file = TraceFile(self.path, "x")
        error = self.assertRaises(TraceFileError, file.open)
        self.assertTrue(str(error).endswith("."))
        return str(error)

    def test_they_stay(self) -> None:
        for suffix in ("", ".1"):
            self.open().close()
            with open(self.path + suffix, "wb") as file:
                file.write(b"important")
            self.assertIn("no trace; name another", self.refused())
            self.assertEqual(self.read(suffix), b"important")
            os.remove(self.path + suffix)

    def test_no_file(self) -> None:
        os.mkdir(self.path)
        self.assertIn("no file", self.refused())

    def test_a_link(self) -> None:
        os.symlink("elsewhere", self.path)
        self.assertIn("no file", self.refused())

    def test_no_directory(self) -> None:
        self.path = os.path.join(self.path, "trace")
        self.assertIn("No such file or directory", self.refused())
