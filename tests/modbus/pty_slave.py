"""A strict Modbus slave behind a real line: ``python -m tests.modbus.pty_slave /dev/pts/3 9600``.

The simulator hands a packet over when its last byte has gone over the node's line. So the pause
before it is what has passed since the last one, less what its own bytes took. Programs are called
late, by more than 3.5 characters where a computer is busy: `LATENESS` is not counted. Between two
packets in the air there are 19 ms at the least.
"""

from __future__ import annotations

import os
import select
import sys
import time
import tty

from tests.modbus.slave import THINKING, Registers, silence_of

#: Seconds that a pause may be too long by.
LATENESS = 0.01

#: Bits of a character.
BITS = 10


def serve(line: int, baud: int) -> None:
    """Answer for ever."""
    registers = Registers()
    seconds_for_byte = BITS / baud
    silence = silence_of(seconds_for_byte) + LATENESS
    frame, end = b"", 0.0
    while True:
        select.select([line], [], [])
        data = os.read(line, 4096)
        now = time.monotonic()
        if now - len(data) * seconds_for_byte - end > silence:
            # What came before was a frame, and is answered already if it was a whole one.
            frame = b""
        frame += data
        end = now
        answer = registers.answer(frame)
        if answer:
            frame = b""
            time.sleep(THINKING + len(answer) * seconds_for_byte)
            os.write(line, answer)
            end = time.monotonic()


def main() -> None:
    path, baud = sys.argv[1:]
    line = os.open(path, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    print("ready", flush=True)
    serve(line, int(baud))


if __name__ == "__main__":
    main()
