"""What can read frames of type 90 and write frames of type 10, each in the best way it offers.

Nothing here is timed that its users would not need as well: what goes in are bytes as a serial line
gives them, or values in the form of the program in question; what comes out is handed to a
function, as it would be handed to an application.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from shutil import which
from typing import Any

from benchmarks.measure import Run, timed
from benchmarks.report import version
from zbtwist.xbee.address import UNKNOWN16
from zbtwist.xbee.frames import ReceivePacket, TransmitRequest, parse_frame
from zbtwist.xbee.framing import decoder_for, encode

#: Seconds that xbee-api may take, at the most, until it gets no faster.
WARM_UP = 3.0


@dataclass(frozen=True)
class Stream:
    """Frames to decode.

    @ivar frames: their frame data.
    @ivar chunk: how many bytes come at once.
    """

    frames: Sequence[bytes]
    api_mode: int
    chunk: int

    @property
    def wires(self) -> list[bytes]:
        return [encode(frame, self.api_mode) for frame in self.frames]

    @property
    def chunks(self) -> list[bytes]:
        whole = b"".join(self.wires)
        return [whole[at : at + self.chunk] for at in range(0, len(whole), self.chunk)]


@dataclass(frozen=True)
class Packets:
    """What is to be sent, and in which mode.

    @ivar packets: pairs of a 64-bit address and a payload.
    """

    packets: Sequence[tuple[int, bytes]]
    api_mode: int

    @property
    def frames(self) -> list[bytes]:
        """The frame data that is to come out: frame id 1, 16-bit address unknown, no options."""
        return [self._frame(*packet).to_bytes() for packet in self.packets]

    @property
    def wires(self) -> list[bytes]:
        return [encode(frame, self.api_mode) for frame in self.frames]

    def _frame(self, address: int, payload: bytes) -> TransmitRequest:
        return TransmitRequest(1, address, UNKNOWN16, 0, 0, payload)  # type: ignore[arg-type]


class WrongResultError(Exception):
    """Something does not do what it is timed for."""


class Contender:
    """One of those who are compared.

    @cvar name: its name in the tables.
    """

    name: str

    def decoding(self, stream: Stream, at_least: float) -> Run | None:
        """
        @param at_least: about how many seconds a run is to take.
        @return: what reads the whole stream; None if this one cannot.
        @raise WrongResultError: it reads something else.
        """
        raise NotImplementedError

    def encoding(self, packets: Packets, at_least: float) -> Run | None:
        """The same for writing."""
        raise NotImplementedError

    def close(self) -> None:
        """It is not needed any more."""

    def check(self, came: Sequence[object], expected: Sequence[object]) -> None:
        if list(came) != list(expected):
            raise WrongResultError(f"{self.name} made something else of the same bytes")


Handle = Callable[[Any], object]


class InPython(Contender):
    """One that runs in this process."""

    def decoding(self, stream: Stream, at_least: float) -> Run | None:
        came: list[Any] = []
        work = self.decode(stream, came.append)
        if work is None:
            return None
        work()
        self.check([self.frame_data(one) for one in came], stream.frames)
        work = self.decode(stream, deque[object](maxlen=1).append)
        assert work is not None
        return timed(work, len(stream.frames), at_least)

    def encoding(self, packets: Packets, at_least: float) -> Run | None:
        came: list[bytes] = []
        work = self.encode(packets, came.append)
        if work is None:
            return None
        work()
        self.check([bytes(wire) for wire in came], packets.wires)
        work = self.encode(packets, deque[object](maxlen=1).append)
        assert work is not None
        return timed(work, len(packets.packets), at_least)

    def decode(self, stream: Stream, handle: Handle) -> Callable[[], None] | None:
        """Return what decodes the stream and hands each result to `handle`."""
        raise NotImplementedError

    def encode(self, packets: Packets, write: Handle) -> Callable[[], None] | None:
        """Return what encodes the packets and hands each one's bytes to `write`."""
        raise NotImplementedError

    def frame_data(self, result: Any) -> bytes:
        """The frame data that `result` was made of, from the fields that it has."""
        raise NotImplementedError


class Ours(InPython):
    name = "zbtwist"

    def decode(self, stream: Stream, handle: Handle) -> Callable[[], None]:
        chunks = stream.chunks

        def work() -> None:
            decoder = decoder_for(stream.api_mode)
            for chunk in chunks:
                for frame_data in decoder.feed(chunk):
                    handle(parse_frame(frame_data))

        return work

    def encode(self, packets: Packets, write: Handle) -> Callable[[], None]:
        api_mode = packets.api_mode
        values: Any = packets.packets

        def work() -> None:
            for address, payload in values:
                frame = TransmitRequest(1, address, UNKNOWN16, 0, 0, payload)
                write(encode(frame.to_bytes(), api_mode))

        return work

    def frame_data(self, result: ReceivePacket) -> bytes:
        return result.to_bytes()


class ZigpyXBee(InPython):
    """Its reader always undoes escapes, so there is no mode 1. Of types 90 and 10 it knows no
    fields, so it is timed for the framing alone, from and to frame data."""

    name = package = "zigpy-xbee"

    def __init__(self) -> None:
        self._gateway = _module("zigpy_xbee.uart").Gateway

    def decode(self, stream: Stream, handle: Handle) -> Callable[[], None] | None:
        if stream.api_mode == 1:
            return None
        chunks = stream.chunks

        class Application:
            frame_received = staticmethod(handle)

        def work() -> None:
            gateway = self._gateway(Application())
            for chunk in chunks:
                gateway.data_received(chunk)

        return work

    def encode(self, packets: Packets, write: Handle) -> Callable[[], None] | None:
        if packets.api_mode == 1:
            return None
        frames = packets.frames
        gateway = self._gateway(None)
        transport: Any = Port(b"", write)
        gateway.connection_made(transport)

        def work() -> None:
            for frame_data in frames:
                gateway.send(frame_data)

        return work

    def frame_data(self, result: bytes) -> bytes:
        return result


class DigiXBee(InPython):
    """Its own reader needs a serial port of pyserial and takes it byte by byte, so what is timed is
    only what it does with one whole frame, already split from the stream: undo its escapes, check
    it, read its fields."""

    name = package = "digi-xbee"

    def __init__(self) -> None:
        address = _module("digi.xbee.models.address")
        self._address64 = address.XBee64BitAddress
        self._unknown16 = address.XBee16BitAddress.UNKNOWN_ADDRESS
        self._mode = _module("digi.xbee.models.mode").OperatingMode.API_MODE
        self._unescape = _module("digi.xbee.packets.base").XBeePacket.unescape_data
        self._packet = _module("digi.xbee.packets.common").TransmitPacket
        self._build_frame = _module("digi.xbee.packets.factory").build_frame

    def decode(self, stream: Stream, handle: Handle) -> Callable[[], None]:
        wires = [bytearray(wire) for wire in stream.wires]
        build_frame, unescape, mode = self._build_frame, self._unescape, self._mode

        def plain() -> None:
            for wire in wires:
                handle(build_frame(wire, mode))

        def escaped() -> None:
            for wire in wires:
                handle(build_frame(unescape(wire), mode))

        return plain if stream.api_mode == 1 else escaped

    def encode(self, packets: Packets, write: Handle) -> Callable[[], None]:
        values = [
            (self._address64(bytearray(address.to_bytes(8, "big"))), bytearray(payload))
            for address, payload in packets.packets
        ]
        escaped = packets.api_mode == 2
        packet, unknown16 = self._packet, self._unknown16

        def work() -> None:
            for address, payload in values:
                write(packet(1, address, unknown16, 0, 0, rf_data=payload).output(escaped=escaped))

        return work

    def frame_data(self, result: Any) -> bytes:
        address16 = result.x16bit_source_addr.address
        return b"\x90%b%b%c%b" % (
            bytes(result.x64bit_source_addr.address),
            bytes(address16),
            result.receive_options,
            bytes(result.rf_data),
        )


class PythonXBee(InPython):
    """It reads a file byte by byte, however much comes at once; the result is a dictionary."""

    name, package = "python-xbee", "XBee"

    def __init__(self) -> None:
        self._zigbee = _module("xbee.thread").ZigBee

    def decode(self, stream: Stream, handle: Handle) -> Callable[[], None]:
        whole = b"".join(stream.wires)
        count = len(stream.frames)

        def work() -> None:
            radio = self._zigbee(Port(whole), escaped=stream.api_mode == 2)
            for _ in range(count):
                handle(radio.wait_read_frame())

        return work

    def encode(self, packets: Packets, write: Handle) -> Callable[[], None]:
        radio = self._zigbee(Port(b"", write), escaped=packets.api_mode == 2)
        values = [(address.to_bytes(8, "big"), payload) for address, payload in packets.packets]

        def work() -> None:
            for address, payload in values:
                radio.tx(frame_id=b"\1", dest_addr_long=address, data=payload)

        return work

    def frame_data(self, result: dict[str, bytes]) -> bytes:
        address = result["source_addr_long"] + result["source_addr"]
        return b"\x90" + address + result["options"] + result["rf_data"]


def _module(name: str) -> Any:
    """Import what may not be installed, and has no types."""
    return import_module(name)


class Port:
    """As much of a serial port as python-xbee and zigpy-xbee ask of it."""

    def __init__(self, data: bytes, write: Handle = lambda data: None) -> None:
        self._bytes = iter([data[at : at + 1] for at in range(len(data))])
        self.write = write

    def inWaiting(self) -> int:
        return 1

    def read(self) -> bytes:
        return next(self._bytes)


class XBeeAPI(Contender):
    """On Node.js, in a process of its own that takes the time itself."""

    name = "xbee-api"

    def __init__(self, node_modules: Path) -> None:
        """
        @raise FileNotFoundError: it is not there, or Node.js is not.
        """
        node = which("node")
        package = node_modules / "xbee-api" / "package.json"
        if node is None or not package.exists():
            raise FileNotFoundError("xbee-api or Node.js is not installed")
        script = Path(__file__).with_name("xbee_api.js")
        self.version = json.loads(package.read_text())["version"]
        self.node_version = subprocess.check_output([node, "--version"], text=True).strip()
        self._process = subprocess.Popen(
            [node, script, node_modules.resolve()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def decoding(self, stream: Stream, at_least: float) -> Run:
        chunks = [chunk.hex() for chunk in stream.chunks]
        came = self._ask({"decode": {"mode": stream.api_mode, "chunks": chunks}})["result"]
        self.check(came, [frame.hex() for frame in stream.frames])
        return self._run(at_least)

    def encoding(self, packets: Packets, at_least: float) -> Run:
        values = [
            (1, f"{address:016x}", f"{UNKNOWN16:04x}", payload.hex())
            for address, payload in packets.packets
        ]
        came = self._ask({"encode": {"mode": packets.api_mode, "packets": values}})["result"]
        self.check(came, [wire.hex() for wire in packets.wires])
        return self._run(at_least)

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _run(self, at_least: float) -> Run:
        # The compiler of Node.js needs some time to see what is worth its while.
        before, end = float("inf"), time.monotonic() + (WARM_UP if at_least else 0)
        while time.monotonic() < end:
            now = self._ask({"run": 20 * at_least})["seconds"]
            if now > 0.95 * before:
                break
            before = now

        def run() -> float:
            seconds: float = self._ask({"run": at_least})["seconds"]
            return seconds

        return run

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise WrongResultError("xbee-api has stopped; what it said is above")
        answer: dict[str, Any] = json.loads(line)
        return answer


def peers(node_modules: Path) -> list[Contender]:
    """Those that are installed, the fastest first."""
    there: list[Contender] = []
    with suppress(FileNotFoundError):
        there.append(XBeeAPI(node_modules))
    in_python = (ZigpyXBee, DigiXBee, PythonXBee)
    return there + [peer() for peer in in_python if version(peer.package) is not None]


def versions(node_modules: Path) -> list[tuple[str, str]]:
    """Names and versions of all that is compared."""
    found = [("zbtwist", version("zbtwist"))]
    found += [(peer.name, version(peer.package)) for peer in (ZigpyXBee, DigiXBee, PythonXBee)]
    try:
        node = XBeeAPI(node_modules)
    except FileNotFoundError:
        found += [("xbee-api", None)]
    else:
        node.close()
        found += [("xbee-api", f"{node.version} on Node.js {node.node_version}")]
    return [(name, number or "not installed") for name, number in found]
