"""Ports without sockets: who listens where, which ports other programs have, and a gateway's ports
on such a computer.
"""

from __future__ import annotations

import errno
import os
from typing import Any, NoReturn

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.radio.support import Wire
from tests.support import connect, record_log
from zbtwist.binding.requests import PortRequest
from zbtwist.binding.service import BindingService
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.observing.log_lines import LogLines
from zbtwist.runtime.write_batch import WriteBatch
from zbtwist.store.errors import StoreError
from zbtwist.store.store import Store
from zbtwist.xbee.address import Address16, Address64

A, B, C, D = (Address64(0x0013A200_40000001 + n) for n in range(4))


class Computer:
    """Server endpoints of a computer on which other programs have some ports."""

    def __init__(self) -> None:
        self.taken: set[object] = set()
        self.open: dict[object, Any] = {}
        self.tried: list[object] = []
        self.opened: list[object] = []
        self.slow: Deferred[Any] | None = None
        self.error = errno.EADDRINUSE
        self.raises: Exception | None = None

    def endpoint(self, slot: object) -> Any:
        computer = self

        class Listening:
            def stopListening(self) -> None:
                del computer.open[slot]

            def getHost(self) -> object:
                return object()

        class Endpoint:
            def listen(self, factory: Any) -> Deferred[Any]:
                computer.tried.append(slot)
                if slot in computer.taken and computer.raises is not None:
                    raise computer.raises
                if slot in computer.taken or slot in computer.open:
                    error = OSError(computer.error, os.strerror(computer.error))
                    return fail(CannotListenError("127.0.0.1", slot, error))
                computer.open[slot] = factory
                computer.opened.append(slot)
                if computer.slow is not None:
                    return computer.slow.addCallback(lambda _: Listening())
                return succeed(Listening())

        return Endpoint()


class Writer:
    """A client as the way to a node knows it.

    @ivar calls: what it was told.
    """

    def __init__(self, share: str = "") -> None:
        self.share = share
        self.writes_no_more = False
        self.calls: list[str] = []

    @property
    def is_paused(self) -> bool:
        return self.calls[-1:] == ["pause"]

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")


def say(node: Node, data: bytes, clock: IReactorTime) -> None:
    """A node's device says something, and the network hands it on."""
    assert node.receiver is not None
    node.receiver(data)
    node.data_at = clock.seconds()


def full_disk(*arguments: object, **keywords: object) -> NoReturn:
    """In place of a method of the store that writes."""
    raise StoreError("The disk is full: make room.")


class BindingTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = Store().open()
        self.addCleanup(self.store.close)
        self.computer = Computer()
        self.start()

    def start(
        self, *wishes: PortRequest, base: int = 27001, last: int = 65535, **more: Any
    ) -> None:
        """Start a gateway that has the store of the one before."""
        self.wire = Wire()
        # A node that was seen at 0 was never seen.
        self.wire.clock.advance(1000)
        self.nodes = NodeTable(self.wire.bus)
        self.batch = WriteBatch()
        LogLines(self.wire.bus)
        self.bindings = BindingService(
            self.wire.clock,
            self.wire.coordinator,
            self.nodes,
            self.store,
            self.computer.endpoint,
            self.wire.bus,
            self.batch,
        )
        self.bindings.configure(wishes, base, last, **more)
        self.log = record_log(self)
        self.bindings.startService()

    def stop(self) -> None:
        self.successResultOf(self.bindings.stopService())
        self.assertEqual(self.computer.open, {})
        self.wire.coordinator.close()
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])

    def restart(self, *wishes: PortRequest, **more: Any) -> None:
        self.stop()
        self.start(*wishes, **more)

    def see(self, *addresses: Address64) -> None:
        for address64 in addresses:
            self.nodes.seen(address64, Address16(address64 & 0xFFFF), self.wire.clock.seconds())

    def crowd(self, count: int, first: int = A) -> list[Address64]:
        """See so many nodes, many in one read of the line; return their addresses."""
        addresses = [Address64(first + number) for number in range(count)]
        for start in range(0, count, 100):
            self.batch.begin()
            self.see(*addresses[start : start + 100])
            self.batch.end()
            self.wire.clock.pump([0, 0])
        self.successResultOf(self.bindings.settled())
        return addresses

    def node(self, address64: Address64) -> Node:
        node = self.nodes.get(address64)
        assert node is not None
        return node

    def slot(self, address64: Address64) -> object:
        """The port of a node, if it listens there."""
        port = self.bindings.port_of(self.node(address64))
        if port is None or port.listener is None:
            return None
        self.assertIs(self.computer.open[port.slot].server, port)
        return port.slot

    def slots(self) -> dict[Address64, object]:
        return {node.address64: self.slot(node.address64) for node in self.nodes}

    def connect(self, slot: object) -> Any:
        transport: Any = StringTransport()
        transport.protocol = connect(self.computer.open[slot], transport)
        return transport

    def change(self, wanted: dict[Address64, Any]) -> Deferred[None]:
        return Deferred.fromCoroutine(self.bindings.change(wanted))

    def remove(self, address64: Address64) -> Deferred[None]:
        return Deferred.fromCoroutine(self.bindings.remove(self.node(address64)))

    def problem(self, address64: Address64) -> str:
        return self.bindings.problem_of(self.node(address64))

    def lines(self) -> list[str]:
        return self.log.lines()
