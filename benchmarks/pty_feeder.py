"""Writes a stream to a terminal, or takes packets from one, in a process of its own.

pty_feeder.py DESCRIPTOR write COUNT SECONDS PIECE  < a stream, which is written COUNT times in
    pieces of so many bytes, each time within so many seconds; 0 for as fast as it goes
pty_feeder.py DESCRIPTOR answer BYTES API_MODE -  < 256 answers, one a line, in hexadecimal

`answer` takes frames of type 10 until their payloads are so many bytes together, and answers each
by its frame id. It takes them to be whole and good, imports nothing of the project, and so starts
at once and costs little.
"""

from __future__ import annotations

import os
import sys
import time

START = b"\x7e"
#: Start byte, length and checksum of a frame.
OVERHEAD = 4
#: What stands before the payload in a frame of type 10.
HEADER = 14
#: The type of that frame. What the gateway asks the radio by itself meanwhile is left unanswered.
TRANSMIT_REQUEST = 0x10


def write(descriptor: int, stream: bytes, count: int, seconds: float, piece: int) -> None:
    """Write the stream so many times."""
    pieces = [stream[start : start + piece] for start in range(0, len(stream), piece)]
    interval = seconds / len(pieces)
    due = time.monotonic()
    for _ in range(count):
        for part in pieces:
            if interval:
                due += interval
                time.sleep(max(0.0, due - time.monotonic()))
            done = os.write(descriptor, part)
            while done < len(part):
                done += os.write(descriptor, part[done:])


def answer(descriptor: int, answers: list[bytes], count: int, api_mode: int) -> None:
    """Take so many bytes of payload, and answer each frame when it is there."""
    came = b""
    while count > 0:
        came += os.read(descriptor, 65536)
        while True:
            frame = unescaped(came) if api_mode == 2 else came
            size = OVERHEAD + frame[2] if len(frame) > 2 else OVERHEAD
            if len(frame) < size:
                break
            if frame[3] == TRANSMIT_REQUEST:
                os.write(descriptor, answers[frame[4]])
                count -= size - OVERHEAD - HEADER
            # What follows in mode 2 begins at the next start byte.
            came = came[came.find(START, 1) :] if START in came[1:] else b""
            if api_mode == 1:
                came = frame[size:]


def unescaped(data: bytes) -> bytes:
    """The first frame as it was before it was escaped."""
    first = START + data[1:].partition(START)[0]
    for byte in (b"\x7e", b"\x11", b"\x13", b"\x7d"):
        first = first.replace(bytes((0x7D, byte[0] ^ 0x20)), byte)
    return first


def main(descriptor: str, what: str, count: str, number: str, piece: str) -> None:
    data = sys.stdin.buffer.read()
    if what == "write":
        write(int(descriptor), data, int(count), float(number), int(piece))
    else:
        answers = [bytes.fromhex(line) for line in data.decode("ascii").splitlines()]
        answer(int(descriptor), answers, int(count), int(number))


if __name__ == "__main__":
    main(*sys.argv[1:])
