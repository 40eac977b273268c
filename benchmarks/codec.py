"""Decoding and encoding frames.

Frames of type 90 from bytes to values with a name, frames of type 10 from values to bytes, in API
modes 1 and 2, with payloads from one byte to the longest and in reads of one byte to many frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from random import Random

from benchmarks import codec_peers
from benchmarks.codec_peers import Contender, Ours, Packets, Stream
from benchmarks.measure import Run, Spread, in_turn, ratio
from benchmarks.report import GOALS, Options, Table, goal, thousands
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frames import ReceivePacket

PAYLOADS = (1, 16, 72, 255)
CHUNKS = (1, 64, 1024, 65536)

#: A stream is at least so many frames, and at least as long as one chunk.
FRAMES = 100

#: Payload, chunk and API mode of the case that the goals are about.
MAIN_CASE = (72, 1024, 2)

#: How many times as fast as each peer ours is meant to decode and to encode the main case.
DECODING_GOALS = {"xbee-api": 1.6, "zigpy-xbee": 6.0, "digi-xbee": 6.0, "python-xbee": 40.0}
ENCODING_GOAL = 1.0

EXPLANATION = """\
Payloads are random bytes, the senders 50 nodes with addresses of Digi's (so that each frame has an
escaped byte in mode 2 before its payload begins). Each column of a peer says how many times as fast
zbtwist is; beside it stand the frames per second that zbtwist made. "–" is what a peer cannot do.

zbtwist
  reads chunks and makes a ``ReceivePacket`` of each frame; makes a ``TransmitRequest`` and of it
  the bytes for the line.
xbee-api
  reads chunks and makes an object with hexadecimal addresses of each frame; makes bytes of such an
  object. In a process of its own, on Node.js.
zigpy-xbee
  reads chunks, but knows no fields of type 90, and none of type 10: framing alone, from bytes to
  frame data and back. It has no mode 1.
digi-xbee
  reads bytes one by one from a serial port of pyserial's. That is not timed: it is given whole
  frames, which it frees of escapes and makes packets of, whatever the chunk; makes bytes of a
  packet.
python-xbee
  reads bytes one by one, here out of memory, whatever the chunk, and makes a dictionary of each
  frame; makes bytes of keyword arguments.

What comes out of each is compared with what zbtwist makes, before it is timed.
"""


def versions(options: Options) -> Iterable[tuple[str, str]]:
    """What is compared."""
    return codec_peers.versions(options.node_modules)


def tables(options: Options) -> Iterator[Table]:
    """Measure, and give each table when it is ready; the goals last."""
    with ExitStack() as stack:
        peers = codec_peers.peers(options.node_modules)
        for peer in peers:
            stack.callback(peer.close)
        yield from Comparison(peers, options.quick).tables()


class Comparison:
    """Ours against these peers."""

    def __init__(self, peers: Sequence[Contender], quick: bool) -> None:
        self._peers = peers
        self._all = [Ours(), *peers]
        self._rounds, self._at_least, self._frames = (2, 0.0, 3) if quick else (21, 0.01, FRAMES)
        self._payloads = (1, 72) if quick else PAYLOADS
        self._chunks = (64, 1024) if quick else CHUNKS
        self._goals: list[list[str]] = []

    def tables(self) -> Iterator[Table]:
        names = [peer.name for peer in self._peers]
        text = EXPLANATION
        for mode in (2, 1):
            rows = [
                [str(payload), f"{chunk:,}", *self._decode(payload, chunk, mode)]
                for payload in self._payloads
                for chunk in self._chunks
            ]
            header = ["payload", "chunk", "frames/s", *names]
            yield Table(f"Decode, type 90, mode {mode}", text, header, rows)
            text = "As above."
        for mode in (2, 1):
            rows = [[str(payload), *self._encode(payload, mode)] for payload in self._payloads]
            header = ["payload", "frames/s", *names]
            yield Table(f"Encode, type 10, mode {mode}", text, header, rows)
        if self._goals:
            text = "A payload of 72 bytes, mode 2, chunks of 1,024 bytes; from the tables above."
            yield Table("What was aimed at", text, GOALS, self._goals)

    def _decode(self, payload: int, chunk: int, mode: int) -> list[str]:
        stream = Stream(packets_received(payload, self._frames, chunk), mode, chunk)
        runs = [one.decoding(stream, self._at_least) for one in self._all]
        cells, ratios = self._measure(runs)
        if (payload, chunk, mode) == MAIN_CASE:
            for name, spread in ratios.items():
                limit = f"≥ {DECODING_GOALS[name]:g}"
                self._goals.append(goal(f"decoding, of {name}", limit, spread))
        return cells

    def _encode(self, payload: int, mode: int) -> list[str]:
        random = Random(payload)
        packets = [(node(random), random.randbytes(payload)) for _ in range(self._frames)]
        runs = [one.encoding(Packets(packets, mode), self._at_least) for one in self._all]
        cells, ratios = self._measure(runs)
        if (payload, mode) == (MAIN_CASE[0], MAIN_CASE[2]) and ratios:
            best = min(ratios, key=lambda name: ratios[name].median)
            what = f"encoding, of the fastest, {best}"
            self._goals.append(goal(what, f"≥ {ENCODING_GOAL:g}", ratios[best]))
        return cells

    def _measure(self, runs: Sequence[Run | None]) -> tuple[list[str], dict[str, Spread]]:
        """Run them in turn.

        @param runs: ours first.
        @return: a row's cells, and the ratios by the names of the peers.
        """
        times = iter(in_turn([run for run in runs if run is not None], self._rounds))
        ours = next(times)
        cells = [thousands(1 / Spread.of(ours).median)]
        ratios = {}
        for peer, run in zip(self._peers, runs[1:]):
            if run is None:
                cells.append("–")
            else:
                ratios[peer.name] = ratio(next(times), ours)
                cells.append(str(ratios[peer.name]))
        return cells, ratios


def node(random: Random) -> int:
    """One of 50 addresses, as Digi gives them."""
    return 0x0013A200_40000000 + random.randrange(50) * 0x1357


def packets_received(payload: int, count: int, size: int) -> list[bytes]:
    """Frame data of type 90, always the same.

    @param count: make at least so many,
    @param size: and at least so many bytes of it.
    """
    random = Random(payload)
    frames: list[bytes] = []
    while len(frames) < count or size > 0:
        address64 = Address64(node(random))
        address16 = Address16(random.randrange(0xFFFE))
        frame = ReceivePacket(address64, address16, 1, random.randbytes(payload)).to_bytes()
        frames.append(frame)
        size -= len(frame)
    return frames
