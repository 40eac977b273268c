"""``protocol = "modbus-rtu"``: masters that send RTU frames over TCP, as over a serial line.

Such a master has one request at a time, and tells an answer by the slave's address alone. So one
that asks again has given up what it asked before, and an answer to that is not for it any more;
unless it has asked the same once more, to which the answer under way is as good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from zbtwist.binding.modbus.exchange import Exchange
from zbtwist.binding.modbus.frames import Request, RequestCutter
from zbtwist.binding.modbus.master import ModbusMaster
from zbtwist.binding.port_protocol import Pass

if TYPE_CHECKING:
    pass


def _is_of_tcp(data: bytes) -> bool:
    """Whether bytes begin as Modbus TCP does: protocol 0, and a length that is right."""
    length = int.from_bytes(data[4:6], "big")
    return len(data) >= 8 and data[2:4] == b"\0\0" and len(data) == 6 + length


class ModbusRTU(ModbusMaster):
    """One master."""

    log = Logger()

    def __init__(self, to_node: Pass, to_client: Pass) -> None:
        super().__init__(to_node, to_client)
        self._cutter = RequestCutter()
        # What it waits for; None for nothing.
        self._asked: Exchange | None = None

    def from_client(self, data: bytes) -> None:
        cutter = self._cutter
        before = cutter.skipped_in_all
        frames = cutter.feed(data, self._port.clock.seconds())
        for frame in frames:
            if self._client.may_write(len(frame)):
                self._ask(Request(frame))
        if cutter.is_lost:
            self._client.reset(
                f"it has sent {cutter.skipped} bytes in which there is no Modbus RTU request whose "
                "CRC is right"
            )
        elif not frames and _is_of_tcp(data):
            self._client.reset("it speaks Modbus TCP to a port that has protocol = modbus-rtu")
        elif cutter.skipped_in_all > before:
            self.log.warn(
                "{node} gets none of {size} bytes of {peer}: they are no Modbus RTU request, or "
                "its CRC is wrong.",
                node=self._port.node,
                size=cutter.skipped_in_all - before,
                peer=self._client.peer,
            )

    def _ask(self, request: Request) -> None:
        askers, before = self._port.askers, self._asked
        if before is not None and request.has_answer:
            if before.request.frame == request.frame:
                return
            self._asked = None
            if askers.withdraw(before):
                self._open -= 1
        exchange = Exchange(self._client, askers, self._port.outbound, request, self._done)
        if request.has_answer:
            self._asked = exchange
        self._open += 1
        if not askers.ask(exchange):
            self._open -= 1
            if self._asked is exchange:
                self._asked = None

    def _done(self, exchange: Exchange, answer: bytes, why: str) -> None:
        self._open -= 1
        is_waited_for = exchange is self._asked
        if is_waited_for:
            self._asked = None
        if answer and is_waited_for:
            self.to_client(answer)
        elif answer:
            self._port.askers.drop(answer)
        elif why:
            self.log.warn(
                "{node} does not get a Modbus request (unit {unit}, function {function}) of "
                "{peer}: {why}",
                node=self._port.node,
                unit=exchange.request.unit,
                function=exchange.request.function,
                peer=self._client.peer,
                why=why,
            )
