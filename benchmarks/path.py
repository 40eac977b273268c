"""From the radio to a TCP client and back.

The whole program between a serial line and a client, against programs that hand on bytes as they
are.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from random import Random
from statistics import median

from benchmarks import programs
from benchmarks.awake import kept_awake
from benchmarks.measure import Spread, ratio
from benchmarks.programs import (
    BAUD_RATE,
    PATIENCE,
    Forwarder,
    Gateway,
    Program,
    ProgramError,
    Ser2net,
    Socat,
    received,
)
from benchmarks.radio_end import PAYLOAD, packet, statuses
from benchmarks.report import GOALS, Options, Table, goal
from zbtwist.xbee.frames import TransmitRequest

#: A frame of type 10 with a whole payload, in bytes, without escapes: start byte, length and
#: checksum; type, frame id, addresses, radius and options.
REQUEST = 4 + 14 + PAYLOAD

#: Messages that are different; they come one after the other, again and again.
DIFFERENT = 700

#: Seconds between two messages whose way is timed: enough for a program to be done with the last.
PAUSE = 0.0001

#: What an adapter with an FTDI chip hands on at once, in bytes: a USB packet of 64 without its two
#: bytes of status.
USB_PIECE = 62

#: Bits that a byte takes on the line.
BITS = 10

#: Programs that are compared with ours, by the name in the tables.
SER2NET, FORWARDER = "ser2net, chardelay off", Forwarder.name

LATENCY = f"""\
Messages of {PAYLOAD} random bytes, one at a time, {PAUSE * 1000:g} ms apart: a frame on the line
of zbtwist, the bytes alone on that of the others. {{way}}
The columns p50 and p99 say how many times as long zbtwist in mode 2 takes as the row's program,
round by round; p99.9 does so over all rounds together. Behind them stand the times of the row's
program over all rounds.
{{condition}}
"""
INWARD = "From the write at the radio's end to the last byte at the client."
OUTWARD = """\
From the client's write to the last byte of the Transmit Request (or of the bytes alone) at the
radio's end, which answers with a Transmit Status at once."""
AWAKE = """\
The processors are kept from sleeping in between, by a loop of the lowest priority on each. Times
are steadier so, and all programs are slower or faster by what their processor makes of it."""
NOT_AWAKE = """\
The processors were to be kept from sleeping in between, which this system does not allow."""
ASLEEP = """\
The processors may sleep in between: what is timed is also how they wake up, with cold caches."""

THROUGHPUT = f"""\
As much as goes, in payload bytes. To TCP, zbtwist reads frames of {PAYLOAD} bytes of one node. To
the radio, it sends one packet after the other to one node, each when the last one's Transmit Status
is in: that keeps the stream in order; the others wait for nothing. "speed" says how many times as
fast zbtwist in mode 2 is as the row's program, "processor time" how many times as much of it it
takes for the same bytes. The last columns are what the row's program takes for a megabyte, and for
{PAYLOAD} bytes.
"""

FULL_LINE = f"""\
A line of {BAUD_RATE:,} baud that is always full, in pieces of {USB_PIECE} bytes, as a USB adapter
brings them: the share of one core that the program takes.
"""


@dataclass
class Times:
    """Of one program in one round, in seconds."""

    all: list[float]

    @classmethod
    def of_all(cls, rounds: Sequence[Times]) -> Times:
        """Those of all rounds together."""
        return cls([seconds for one in rounds for seconds in one.all])

    def at(self, share: float) -> float:
        """How long it takes at most in that share of all cases."""
        ordered = sorted(self.all)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


@dataclass
class Flow:
    """Of one program in one round: bytes per second, processor seconds per byte."""

    rate: float
    processor: float


def pause_awake() -> None:
    """Wait between two messages without sleeping."""
    end = time.perf_counter() + PAUSE
    while time.perf_counter() < end:
        pass


def pause_asleep() -> None:
    """Wait between two messages and sleep."""
    time.sleep(PAUSE)


class Subject:
    """A program that is measured, with its line and one client."""

    def __init__(self, program: Program, client: socket.socket) -> None:
        self.program = program
        self.name = program.name
        self.client = client
        self.master = program.line.master
        self.api_mode = program.line.api_mode
        random = Random(1)
        self.payloads = [random.randbytes(PAYLOAD) for _ in range(DIFFERENT)]
        self.messages = [
            packet(0, payload, self.api_mode) if self.api_mode else payload
            for payload in self.payloads
        ]
        self._statuses = statuses(self.api_mode or 1)

    # --- latency -------------------------------------------------------------------------------

    def time_inward(self, count: int, pause: Callable[[], None]) -> Times:
        """Radio to TCP."""
        times = []
        client, master = self.client, self.master
        for message in islice(cycle(self.messages), count):
            pause()
            begun = time.perf_counter()
            os.write(master, message)
            missing = PAYLOAD
            while missing:
                missing -= len(received(client, missing))
            times.append(time.perf_counter() - begun)
        return Times(times)

    def time_outward(self, count: int, pause: Callable[[], None]) -> Times:
        """TCP to radio."""
        times = []
        client, master = self.client, self.master
        size = REQUEST if self.api_mode else PAYLOAD
        for payload in islice(cycle(self.payloads), count):
            pause()
            begun = time.perf_counter()
            client.send(payload)
            came = os.read(master, 4096)
            while len(came) - (came.count(0x7D) if self.api_mode == 2 else 0) < size:
                came += os.read(master, 4096)
            seconds = time.perf_counter() - begun
            if not self.api_mode or self._answered(came):
                times.append(seconds)
        return Times(times)

    def _answered(self, came: bytes) -> bool:
        """Answer a packet that came.

        @return: it came alone. Else the gateway has asked the radio something just then, by itself,
            and what was timed is not the packet's way; all is answered.
        """
        escapes = came.count(0x7D) if self.api_mode == 2 else 0
        if len(came) - escapes == REQUEST and came[3] == TransmitRequest.frame_type:
            frame_id = came[4] if came[4] != 0x7D or self.api_mode == 1 else came[5] ^ 0x20
            os.write(self.master, self._statuses[frame_id])
            return True
        packets = self.program.line.answer(came)
        while not packets:
            packets = self.program.line.answer(os.read(self.master, 4096))
        return False

    # --- throughput ----------------------------------------------------------------------------

    def flow_inward(self, size: int) -> Flow:
        """Radio to TCP, about so many payload bytes."""
        count = -(-size // (DIFFERENT * PAYLOAD))
        spent = self.program.processor_seconds()
        feeder = self._feeder("write", count, 0, b"".join(self.messages))
        total = missing = count * DIFFERENT * PAYLOAD
        buffer = bytearray(1 << 18)
        begun = 0.0
        while missing:
            size = self.client.recv_into(buffer)
            if not size:
                raise ProgramError(f"{self.name} has closed the connection.")
            missing -= size
            begun = begun or time.perf_counter()
        seconds = time.perf_counter() - begun
        feeder.wait(PATIENCE)
        return Flow(total / seconds, (self.program.processor_seconds() - spent) / total)

    def flow_outward(self, size: int) -> Flow:
        """TCP to radio, about so many payload bytes."""
        count = size // (DIFFERENT * PAYLOAD)
        stream = b"".join(self.payloads) * count
        spent = self.program.processor_seconds()
        feeder = None
        if self.api_mode:
            answers = b"\n".join(status.hex().encode() for status in self._statuses)
            feeder = self._feeder("answer", len(stream), self.api_mode, answers)
        # What is read at the radio's end is read by another process, or here.
        sending = threading.Thread(target=self.client.sendall, args=(stream,))
        begun = time.perf_counter()
        sending.start()
        if feeder is not None:
            feeder.wait(PATIENCE)
        else:
            missing = len(stream)
            while missing:
                missing -= len(os.read(self.master, 65536))
        seconds = time.perf_counter() - begun
        sending.join()
        cost = (self.program.processor_seconds() - spent) / len(stream)
        return Flow(len(stream) / seconds, cost)

    def share_of_core(self, seconds: float) -> float:
        """What a full line costs, as a part of one core."""
        size = sum(map(len, self.messages)) / DIFFERENT
        count = round(seconds * BAUD_RATE / BITS / size)
        stream = b"".join(islice(cycle(self.messages), count))
        missing = count * PAYLOAD
        spent = self.program.processor_seconds()
        interval = len(stream) * BITS / BAUD_RATE
        feeder = self._feeder("write", 1, interval, stream, USB_PIECE)
        missing -= len(received(self.client, 65536))
        begun = time.perf_counter()
        while missing:
            missing -= len(received(self.client, 65536))
        took = time.perf_counter() - begun
        feeder.wait(PATIENCE)
        return (self.program.processor_seconds() - spent) / took

    def _feeder(
        self, what: str, count: int, number: float, data: bytes, piece: int = 4096
    ) -> subprocess.Popen[bytes]:
        feeder = subprocess.Popen(
            [
                *(sys.executable, "-S", "-E", Path(__file__).with_name("pty_feeder.py")),
                *map(str, (self.master, what, count, number, piece)),
            ],
            stdin=subprocess.PIPE,
            pass_fds=[self.master],
        )
        assert feeder.stdin is not None
        feeder.stdin.write(data)
        feeder.stdin.close()
        return feeder

    def drain(self) -> None:
        """Leave nothing behind for the next measurement."""
        while select.select([self.client], [], [], 0)[0]:
            received(self.client, 65536)


def versions(options: Options) -> Iterable[tuple[str, str]]:
    """What is compared."""
    return programs.versions()


def tables(options: Options) -> Iterator[Table]:
    """Measure, and give each table when it is ready; the goals last."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        subjects = list(_start(directory, stack))
        yield from Comparison(subjects, options.quick).tables()


def _start(directory: Path, stack: ExitStack) -> Iterator[Subject]:
    """Start ours and all that are installed."""
    makers: list[Callable[[], Program]] = [
        lambda: Gateway(directory, 2),
        lambda: Gateway(directory, 1),
        lambda: Ser2net(directory, chardelay=False),
        lambda: Ser2net(directory, chardelay=True),
        lambda: Socat(directory),
        lambda: Forwarder(directory),
    ]
    for make in makers:
        try:
            program = make()
        except FileNotFoundError:
            continue
        stack.callback(program.close)
        if isinstance(program, Gateway):
            program.wait_until_up()
        client = program.connect(program.port)
        stack.callback(client.close)
        yield Subject(program, client)


class Comparison:
    """Ours, which is the first of `subjects`, against the others."""

    def __init__(self, subjects: Sequence[Subject], quick: bool) -> None:
        self._subjects = subjects
        self._names = [subject.name for subject in subjects]
        self._rounds = 2 if quick else 15
        self._messages = 5 if quick else 400
        self._bytes = 70_000 if quick else 6_000_000
        self._outward_bytes = 60_000 if quick else 500_000
        self._seconds = 0.2 if quick else 1.0
        self._goals: list[list[str]] = []

    def tables(self) -> Iterator[Table]:
        for way, text, measure in (
            ("Radio to TCP", INWARD, Subject.time_inward),
            ("TCP to radio", OUTWARD, Subject.time_outward),
        ):
            with kept_awake() as is_awake:
                condition = AWAKE if is_awake else NOT_AWAKE
                yield self._latency(f"{way}: latency", text, measure, pause_awake, condition)
            title = f"{way}: latency, processors asleep in between"
            yield self._latency(title, text, measure, pause_asleep, ASLEEP)
        yield self._throughput("Radio to TCP: throughput", Subject.flow_inward, self._bytes)
        yield self._throughput(
            "TCP to radio: throughput", Subject.flow_outward, self._outward_bytes
        )
        yield self._full_line()
        text = "zbtwist in mode 2; from the tables above."
        yield Table("What was aimed at", text, GOALS, self._goals)

    def _in_turn(self, measure: Callable[[Subject], object]) -> list[list[object]]:
        """Measure all in each round, and begin each round with another one.

        The first round, in which everything is new to everybody, does not count.
        """
        results: list[list[object]] = [[] for _ in self._subjects]
        for first in range(self._rounds + 1):
            for turn in range(len(self._subjects)):
                which = (first + turn) % len(self._subjects)
                result = self._watched(self._subjects[which], measure)
                if first:
                    results[which].append(result)
        return results

    @staticmethod
    def _watched(subject: Subject, measure: Callable[[Subject], object]) -> object:
        """Measure.

        @raise ProgramError: the program has ended, or says nothing any more.
        """
        line = subject.program.line
        # Who reads the line cannot be told otherwise that nothing will come.
        timer = threading.Timer(PATIENCE, line.wake_reader)
        timer.start()
        line.stop_answering()
        try:
            subject.drain()
            result = measure(subject)
        except (OSError, IndexError, subprocess.TimeoutExpired) as error:
            subject.program.check()
            # Such as that it stood still, since the computer had no time for it.
            said = "\n".join(subject.program.output.splitlines()[-5:])
            raise ProgramError(
                f"{subject.name} does not answer: {error}. It said:\n{said}"
            ) from error
        finally:
            timer.cancel()
            line.begin_to_answer()
        if line.was_woken:
            raise ProgramError(f"{subject.name} does not answer.")
        return result

    def _latency(
        self,
        title: str,
        way: str,
        measure: Callable[[Subject, int, Callable[[], None]], Times],
        pause: Callable[[], None],
        condition: str,
    ) -> Table:
        rounds: list[list[Times]] = self._in_turn(  # type: ignore[assignment]
            lambda subject: measure(subject, self._messages, pause)
        )
        rows = []
        for name, theirs in zip(self._names, rounds):
            ratios = {
                share: ratio(
                    [one.at(share) for one in rounds[0]], [one.at(share) for one in theirs]
                )
                for share in (0.5, 0.99)
            }
            ours, together = Times.of_all(rounds[0]), Times.of_all(theirs)
            rarest = ours.at(0.999) / together.at(0.999)
            times = "/".join(f"{together.at(share) * 1e6:.0f}" for share in (0.5, 0.99, 0.999))
            rows.append([name, *map(str, ratios.values()), f"{rarest:.3g}", times])
            inward = measure is Subject.time_inward
            if name == SER2NET:
                limit = "≤ 0.9" if inward else "≤ 1.3"
                self._goals.append(goal(f"{title}, p50, of {name}", limit, ratios[0.5]))
                if inward:
                    self._goals.append(goal(f"{title}, p99, of {name}", "≤ 1.2", ratios[0.99]))
            if name == FORWARDER and inward:
                self._goals.append(goal(f"{title}, p50, of {name}", "≤ 2", ratios[0.5]))
        header = ["program", "p50", "p99", "p99.9", "p50/p99/p99.9, µs"]
        return Table(title, LATENCY.format(way=way, condition=condition), header, rows)

    def _throughput(self, title: str, measure: Callable[[Subject, int], Flow], size: int) -> Table:
        rounds: list[list[Flow]] = self._in_turn(  # type: ignore[assignment]
            lambda subject: measure(subject, size)
        )
        rows = []
        for name, theirs in zip(self._names, rounds):
            speed = ratio([one.rate for one in rounds[0]], [one.rate for one in theirs])
            cost = ratio([one.processor for one in rounds[0]], [one.processor for one in theirs])
            processor = median(one.processor for one in theirs)
            rows.append(
                [
                    *(name, str(speed), f"{median(one.rate for one in theirs) / 1e6:.3g}"),
                    *(str(cost), f"{processor * 1e9:.0f}", f"{processor * PAYLOAD * 1e6:.2f}"),
                ]
            )
            if name == SER2NET and measure is Subject.flow_inward:
                self._goals.append(goal(f"{title}, of {name}", "≥ 1.6", speed))
        header = ["program", "speed", "MB/s", "processor time", "ms/MB", f"µs/{PAYLOAD} bytes"]
        return Table(title, THROUGHPUT, header, rows)

    def _full_line(self) -> Table:
        rounds: list[list[float]] = self._in_turn(  # type: ignore[assignment]
            lambda subject: subject.share_of_core(self._seconds)
        )
        rows = []
        for name, shares in zip(self._names, rounds):
            spread = Spread.of([100 * share for share in shares])
            rows.append([name, str(ratio(rounds[0], shares)), str(spread)])
            if name == self._names[0]:
                what = f"A full line of {BAUD_RATE:,} baud, % of a core"
                self._goals.append(goal(what, "< 5", spread))
        header = ["program", "zbtwist takes times", "% of a core"]
        return Table("A full serial line", FULL_LINE, header, rows)
