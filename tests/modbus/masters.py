"""Masters over TCP, on the clock of a world, that know what each answer must be."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from struct import pack

from tests.faults.world import World
from tests.modbus.slave import StrictSlave, crc, original

#: Bytes of a Modbus TCP header that are not in an RTU frame.
HEADER = 6


@dataclass
class Tally:
    """What became of questions.

    @ivar right: answered with what it had to be.
    @ivar wrong: answered with something that nobody asked, or another master.
    @ivar late: answered with what the same master had asked before.
    @ivar none: not answered in time, or by an exception of the gateway.
    @ivar slowest: seconds of the slowest right answer.
    """

    asked: int = 0
    right: int = 0
    wrong: int = 0
    late: int = 0
    none: int = 0
    slowest: float = 0.0


def read(unit: int, register: int, count: int) -> tuple[bytes, bytes]:
    """Return unit, function and data of a request for registers, and of its answer."""
    values = [original(unit, register + number) for number in range(count)]
    return (
        pack(">BBHH", unit, 3, register, count),
        pack(f">BBB{count}H", unit, 3, 2 * count, *values),
    )


def write(unit: int, register: int, count: int) -> tuple[bytes, bytes]:
    """The same of one that writes registers."""
    values = [(register + number) * 31 & 0xFFFF for number in range(count)]
    head = pack(">BBHH", unit, 16, register, count)
    return head + pack(f">B{count}H", 2 * count, *values), head


class Master:
    """Asks one question after the other.

    @ivar tally: what became of them.
    """

    def __init__(
        self,
        world: World,
        device: StrictSlave,
        *,
        is_tcp: bool = False,
        timeout: float = 10.0,
        pieces: int = 1,
    ) -> None:
        """
        @param is_tcp: it speaks Modbus TCP; else RTU over TCP.
        @param pieces: how many it sends each request in, 20 ms apart, a byte each but for the last.
        """
        self._world = world
        self._is_tcp = is_tcp
        self._timeout = timeout
        self._pieces = pieces
        self._number = 0
        self._heard = b""
        self._asked_at = 0.0
        self._expected = b""
        # What it has asked before.
        self._before: deque[bytes] = deque(maxlen=20)
        self.tally = Tally()
        self._client = world.connect(device)
        self._client.received = self._received

    def ask(self, question: tuple[bytes, bytes]) -> str:
        """Ask, and let time go by until there is an answer, or none.

        @param question: request and answer, without CRC.
        @return: "right", "wrong", "late" or "none".
        """
        self.send(question)
        self._world.run_until(lambda: self.is_answered, self._timeout)
        return self.judge()

    def send(self, question: tuple[bytes, bytes]) -> None:
        """Ask; what is heard from now on is the answer."""
        request, answer = question
        self._heard = b""
        self._number = self._number % 0xFFFF + 1
        self._asked_at = self._world.now
        self._before.append(self._expected)
        self._expected = self._framed(answer)
        data = self._framed(request)
        self.tally.asked += 1
        for number in range(self._pieces - 1):
            self._world.later(0.02 * number, self._client.write, data[number : number + 1])
        self._world.later(0.02 * (self._pieces - 1), self._client.write, data[self._pieces - 1 :])

    def _framed(self, message: bytes) -> bytes:
        if self._is_tcp:
            return pack(">HHH", self._number, 0, len(message)) + message
        return message + crc(message)

    def _received(self, data: bytes) -> None:
        self._heard += data
        if self._is_tcp:
            # What has the number of an older question is no answer to this one.
            number, kept, rest = self._number.to_bytes(2, "big"), b"", self._heard
            while len(rest) >= HEADER:
                size = HEADER + int.from_bytes(rest[4:6], "big")
                kept += rest[:size] if rest[:2] == number else b""
                rest = rest[size:]
            self._heard = kept + rest
        if self._heard == self._expected:
            self.tally.slowest = max(self.tally.slowest, self._world.now - self._asked_at)

    @property
    def is_answered(self) -> bool:
        """Whether as much has come as the answer has, or an exception of the gateway."""
        return len(self._heard) >= len(self._expected) or self._is_exception

    @property
    def _is_exception(self) -> bool:
        return self._is_tcp and len(self._heard) == 9 and self._heard[8] in (0x06, 0x0A, 0x0B)

    def judge(self) -> str:
        """Return what became of the question, and count it."""
        if self._heard == self._expected:
            outcome = "right"
        else:
            late = [one for one in self._before if one and self._heard.startswith(one)]
            outcome = "none" if not self._heard or self._is_exception else "wrong"
            if late and (self._heard + self._expected).startswith(late[-1] + self._expected):
                outcome = "late"
        setattr(self.tally, outcome, getattr(self.tally, outcome) + 1)
        return outcome


class Poller:
    """A master that asks every so many seconds, whatever has become of its last question.

    @ivar master: which is it.
    """

    def __init__(
        self,
        world: World,
        master: Master,
        interval: float,
        question: Callable[[int], tuple[bytes, bytes]],
        count: int,
    ) -> None:
        """
        @param question: returns the one of that number.
        """
        self.master = master
        self._world = world
        self._interval = interval
        self._question = question
        self._left = count
        self._begun = False
        self._next()

    @property
    def is_over(self) -> bool:
        """Whether all is asked and judged."""
        return self._left < 0

    def _next(self) -> None:
        if self._begun:
            self.master.judge()
        self._begun = True
        self._left -= 1
        if self._left >= 0:
            self.master.send(self._question(self._left))
            self._world.later(self._interval, self._next)
