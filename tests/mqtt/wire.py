"""The other end of a connection to a broker: what it hears, and whatever it says."""

from __future__ import annotations

import os
import sys
from typing import Any

import mqtt5
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.support import take
from zbtwist.mqtt import codec
from zbtwist.mqtt.protocol import Connection

#: What the codec panics of, which it says on the standard error output as well.
NO_UTF8 = b"\x30\x08\0\3a/\xff\0xx"

QOS = (mqtt5.QoS.AT_MOST_ONCE, mqtt5.QoS.AT_LEAST_ONCE, mqtt5.QoS.EXACTLY_ONCE)


class Transport(StringTransportWithDisconnection):
    """
    @ivar is_closed: it was to end when all is written.
    @ivar is_aborted: it was to end at once.
    @ivar waits_for_more: the system holds back what is less than a segment (Nagle's algorithm).
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_closed = self.is_aborted = False
        self.waits_for_more = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.waits_for_more = not enabled

    def loseConnection(self) -> None:
        self.is_closed = True

    def abortConnection(self) -> None:
        self.is_aborted = True


def silence_errors(case: SynchronousTestCase) -> None:
    """Let nothing be seen of the standard error output until the end of a test."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)

    def back() -> None:
        os.dup2(kept, 2)
        os.close(kept)

    case.addCleanup(back)


def encode(packet: Any) -> bytes:
    """Return any packet as bytes."""
    return codec._write(packet)


def publish_packet(topic: str, payload: bytes, qos: int = 0, **more: Any) -> bytes:
    """Return a message as a broker sends it."""
    return encode(mqtt5.PublishPacket(topic, payload=payload, qos=QOS[qos], **more))


class BrokerEnd:
    """A broker that says what a test has it say.

    @ivar heard: the packets that the client has written, as they were taken.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.transport = Transport()
        self.heard: list[Any] = []
        self._rest = b""
        connection.makeConnection(self.transport)

    def take(self) -> list[Any]:
        """Return the packets that came since the last time."""
        data = self._rest + take(self.transport)
        came = []
        start = 0
        while size := codec.size_of(data, start):
            if start + size > len(data):
                break
            # None of a client's packets is too strange for the codec.
            came.append(codec.read(data, start, start + size))
            start += size
        self._rest = data[start:]
        self.heard += came
        return came

    def names(self) -> list[str]:
        """Return the names of those packets."""
        return [type(packet).__name__.removesuffix("Packet") for packet in self.take()]

    def say(self, *packets: Any) -> None:
        """Send packets, or bytes, in one piece."""
        data = b"".join(
            packet if isinstance(packet, bytes) else encode(packet) for packet in packets
        )
        self.connection.dataReceived(data)

    def take_in(self, **more: Any) -> None:
        """Hear CONNECT, and let the client in."""
        (connect,) = self.take()
        assert isinstance(connect, mqtt5.ConnectPacket)
        self.say(mqtt5.ConnAckPacket(**more))

    def disconnect(self, reason: int, **more: Any) -> None:
        """Say that it is over, and why."""
        self.say(mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode(reason), **more))

    def hang_up(self) -> None:
        """End the connection."""
        self.connection.connectionLost(Failure(ConnectionDone()))
