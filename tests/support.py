"""What tests of every room need: the log, connections in memory, what must be there by now, and
which are left out.
"""

from __future__ import annotations

import os
from typing import NoReturn, TypeVar

from twisted.internet.interfaces import IProtocol, IProtocolFactory, IPushProducer
from twisted.internet.testing import StringTransport, StringTransportWithDisconnection
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

T = TypeVar("T")


def left_out() -> str:
    """Return why a test that takes long, and is the same with every Python, is left out; "" if it
    is not. `.ci/run` runs those with one Python only.
    """
    return "it takes long: make long runs it" if os.environ.get("ZBTWIST_SHORT_TESTS") else ""


def present(value: T | None) -> T:
    """Return what may be None elsewhere, and must not be here."""
    assert value is not None
    return value


@implementer(ILogObserver)
class RecordedLog:
    """
    @ivar events: all of the log so far, the latest last.
    """

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        self.events.append(event)

    def lines(self, level: str = "", namespace: str = "") -> list[str]:
        """Return what was said, as a reader of the log has it.

        @param level: a level by its name; empty: all of them.
        @param namespace: how the names of the loggers begin.
        """
        return [
            event["log_format"].format(**event)
            for event in self.events
            if level in ("", event["log_level"].name)
            and event["log_namespace"].startswith(namespace)
        ]


def record_log(case: SynchronousTestCase) -> RecordedLog:
    """Record what is logged from here to the end of a test."""
    log = RecordedLog()
    globalLogPublisher.addObserver(log)
    case.addCleanup(globalLogPublisher.removeObserver, log)
    return log


def without_log_of_the_runner(case: SynchronousTestCase) -> None:
    """Let nobody observe the log who did so until now, until the end of a test that measures
    memory.

    The workers of ``trial -j`` pass each line of the log on to their manager, and keep it until the
    reactor runs again: a test that logs a lot and does not give the reactor a turn looks as if the
    gateway's memory grew.
    """
    observers = list(globalLogPublisher._observers)
    for observer in observers:
        globalLogPublisher.removeObserver(observer)
        case.addCleanup(globalLogPublisher.addObserver, observer)


def connect(factory: IProtocolFactory, transport: StringTransport) -> IProtocol:
    """Let a client come to a server in memory; return the server's protocol for it."""
    protocol = present(factory.buildProtocol(transport.getPeer()))
    if isinstance(transport, StringTransportWithDisconnection):
        transport.protocol = protocol
    protocol.makeConnection(transport)
    return protocol


def producer_of(transport: StringTransport) -> IPushProducer:
    """Return who writes to a transport, to be told that it is full or has room again."""
    producer: IPushProducer = present(transport.producer)
    return producer


def take(transport: StringTransport) -> bytes:
    """Return what was written to a transport since the last time."""
    data: bytes = transport.value()
    transport.clear()
    return data


def record_calls(case: SynchronousTestCase, thing: object, name: str) -> list[tuple[object, ...]]:
    """Let a method do what it does, until the end of the test.

    @return: what gets the arguments of each call.
    """
    calls: list[tuple[object, ...]] = []
    method = getattr(thing, name)

    def recorded(*arguments: object) -> object:
        calls.append(arguments)
        return method(*arguments)

    case.patch(thing, name, recorded)
    return calls


def mistake(*_: object) -> NoReturn:
    """A function of ours in which there is a mistake: it raises `ZeroDivisionError`."""
    raise ZeroDivisionError
