"""``protocol = "modbus-tcp"``: masters of Modbus TCP, and RTU slaves behind nodes.

Each request has a header (Modbus messaging on TCP/IP 1.0b, 3.1.3): a number that its answer has,
too, 0 for Modbus, the length of the rest, and the unit that is meant. So a master may send several
at once, and is told when there is no answer, and why.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from zbtwist.binding.asking.askers import MAX_QUESTIONS
from zbtwist.binding.modbus.exchange import Exchange
from zbtwist.binding.modbus.frames import EXCEPTION, LAST_SLAVE, Request, is_whole, with_crc
from zbtwist.binding.modbus.master import ModbusMaster
from zbtwist.binding.port_protocol import Pass

if TYPE_CHECKING:
    from zbtwist.binding.port import NodePort

#: Bytes of the header, the unit with them, and of the part that its length does not count.
HEADER = 7
_UNCOUNTED = 6

#: What its length may say: a unit and a function at the least, 254 bytes at the most.
_LENGTHS = range(2, 255)

#: Functions that a master of RTU begins with.
_USUAL = frozenset((1, 2, 3, 4, 5, 6, 15, 16))

#: Functions that change nothing.
READS = frozenset((1, 2, 3, 4))

#: What a master is told instead of an answer (Modbus application protocol 1.1b3, 7).
BUSY, NO_PATH, NO_ANSWER = 0x06, 0x0A, 0x0B


def _is_of_rtu(data: bytes) -> bool:
    """Whether bytes are a request as RTU has it, which may look like a header. A master that counts
    its messages from 0 or 1 does not look like this.
    """
    return is_whole(data) and 0 < data[0] <= LAST_SLAVE and data[1] in _USUAL


#: Says an answer, or a code in its place.
_Answer = Callable[[bytes, int], None]

#: What one request is told from others by: whose node it is for, the frame, and, unless it only
#: reads, its number, by which a write is a new one.
_Key = tuple["NodePort", bytes, bytes]


class ModbusTCP(ModbusMaster):
    """One master."""

    def __init__(self, to_node: Pass, to_client: Pass) -> None:
        super().__init__(to_node, to_client)
        self._data = b""
        self._is_first = True
        # The ports of other nodes that it has asked.
        self._others: dict[NodePort, None] = {}
        # Requests that are not answered, and who is to have the answers, by number and unit.
        self._unanswered: dict[_Key, dict[bytes, _Answer]] = {}

    def from_client(self, data: bytes) -> None:
        if self._is_first:
            self._is_first = False
            if _is_of_rtu(data):
                self._refuse(data)
                return
        data = self._data + data
        at = 0
        while len(data) - at >= HEADER:
            length = int.from_bytes(data[at + 4 : at + 6], "big")
            if data[at + 2 : at + 4] != b"\0\0" or length not in _LENGTHS:
                self._refuse(data[at:])
                return
            end = at + _UNCOUNTED + length
            if len(data) < end:
                break
            self._asked(data[at : at + 2], data[at + HEADER - 1 : end])
            at = end
        self._data = data[at:]

    def _refuse(self, data: bytes) -> None:
        self._data = b""
        self._client.reset(
            f"it sends {data[:HEADER].hex()}, which is no header of Modbus TCP; for RTU frames "
            "over TCP, say protocol = modbus-rtu"
        )

    def client_ended(self) -> None:
        for port in self._others:
            port.asker_ended(self._client)

    def ended(self) -> None:
        for port in self._others:
            port.asker_closed(self._client)
        self._others.clear()

    def _asked(self, number: bytes, message: bytes) -> None:
        """
        @param number: what the answer is to be called by.
        @param message: unit, function and data.
        """
        unit, port = message[0], self._port
        slave, found = self._slave_of(unit)
        answer = partial(self._answer, number, unit, message[1])
        if found is None or not self._client.may_write(len(message)):
            answer(b"", NO_PATH)
            return
        if found is not port and found not in self._others:
            self._others[found] = None
            found.asker_opened(self._client)
        request = Request(with_crc(bytes([slave]) + message[1:]))
        name = number + message[:1]
        key = found, request.frame, b"" if request.function in READS else name
        answers = self._unanswered.get(key, {})
        if name in answers:
            # Its master tries again, and takes one answer by that number: it would take a second
            # one for that to something else.
            return
        if self._open > MAX_QUESTIONS:
            answer(b"", BUSY)
            return
        self._open += 1
        answers[name] = answer
        if len(answers) > 1:
            # A master that has given up asks once more: one answer of the slave is for both.
            return
        self._unanswered[key] = answers
        done = partial(self._done, key)
        exchange = Exchange(self._client, found.askers, found.outbound, request, done)
        if not found.askers.ask(exchange):
            del self._unanswered[key]
            self._open -= 1
            answer(b"", BUSY)

    def _slave_of(self, unit: int) -> tuple[int, NodePort | None]:
        """Return the address of the slave that a unit is, and the port of its node; None if there
        is no such node.
        """
        for row in self._port.outbound.settings.units:
            if unit in row:
                slave = unit if row.slave is None else row.slave
                return slave, self._port.find(row.node)
        return unit, self._port

    def _done(self, key: _Key, exchange: Exchange, frame: bytes, why: str) -> None:
        answers, port = self._unanswered.pop(key), key[0]
        self._open -= len(answers)
        is_path = not (exchange.is_refused or port.outbound.is_radio_away)
        for answer in answers.values():
            if frame:
                answer(frame[1:-2], 0)
            elif exchange.request.has_answer:
                answer(b"", NO_ANSWER if is_path else NO_PATH)

    def _answer(self, number: bytes, unit: int, function: int, message: bytes, code: int) -> None:
        """
        @param message: function and data; empty if there is no answer.
        @param code: why there is none.
        """
        message = message or bytes([function | EXCEPTION, code])
        length = (1 + len(message)).to_bytes(2, "big")
        self.to_client(b"%b\0\0%b%c%b" % (number, length, unit, message))
