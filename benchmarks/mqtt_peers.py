"""What can publish and receive with MQTT 5, each driven as a reactor would drive it.

None has a socket: what one writes is handed to a function, and what it reads is in memory. So what
is timed is all that a client does with a message, and no more.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires
from statistics import median
from typing import Any

from benchmarks.codec_peers import WrongResultError
from benchmarks.report import version
from tests.clock import Clock
from zbtwist.mqtt import codec
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.outbox import Counters
from zbtwist.mqtt.owner import Login, Owner
from zbtwist.mqtt.protocol import Connection

#: CONNACK that says nothing more; MQTT 5, section 3.2.
CONNACK = b"\x20\3\0\0\0"

#: The gateway has these anyway.
_OWN = "Twisted"

Handle = Callable[[Any], object]
#: A message that has come: topic, payload and user properties.
Came = tuple[str, bytes, list[tuple[str, str]]]


@dataclass(frozen=True)
class Messages:
    """What is published or comes.

    @ivar messages: one after the other.
    @ivar at_once: how many of them in one turn of the reactor; of what comes, in one read.
    """

    messages: Sequence[Message]
    at_once: int

    @property
    def turns(self) -> list[Sequence[Message]]:
        return [
            self.messages[at : at + self.at_once]
            for at in range(0, len(self.messages), self.at_once)
        ]

    @property
    def reads(self) -> list[bytes]:
        return [b"".join(codec.publish(each, None) for each in turn) for turn in self.turns]

    @property
    def expected(self) -> list[Came]:
        return [(each.topic, each.payload, list(each.user_properties)) for each in self.messages]


class Contender:
    """One of those who are compared.

    @cvar name: its name in the tables.
    @cvar package: its name in the index of packages.
    @cvar module: what a program imports of it.
    """

    name: str
    package: str
    module: str

    def publish(self, messages: Messages, write: Handle) -> Callable[[], None]:
        """Return what publishes all messages, and hands their bytes to `write`, once a turn."""
        raise NotImplementedError

    def receive(self, messages: Messages, handle: Handle) -> Callable[[], None]:
        """Return what reads all messages, and hands each to `handle`."""
        raise NotImplementedError

    def came(self, message: Any) -> Came:
        """Return what is in a message that was handed to somebody."""
        raise NotImplementedError

    def check(self, messages: Messages) -> None:
        """
        @raise WrongResultError: it does something else.
        """
        written: list[bytes] = []
        self.publish(messages, written.append)()
        data = b"".join(map(bytes, written))
        found: list[Came] = []
        start = 0
        while start < len(data):
            end = start + codec.size_of(data, start)
            message = codec.message_of(codec.read(data, start, end))
            found.append((message.topic, message.payload, list(message.user_properties)))
            start = end
        heard: list[Any] = []
        self.receive(messages, heard.append)()
        if [found, list(map(self.came, heard))] != [messages.expected] * 2:
            raise WrongResultError(f"{self.name} made something else of the same messages")


class Sink:
    """A transport that hands on what is written."""

    def __init__(self, write: Handle) -> None:
        self.write = write

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """It takes everything."""


class Ours(Contender):
    """As `BrokerService` has it, but for who hears which topic."""

    name, package, module = "zbtwist", "mqtt5", "zbtwist.mqtt.service"

    def _connection(self, write: Handle, handle: Handle) -> tuple[Connection, Clock]:
        class Listener(Owner):
            heard = staticmethod(handle)  # type: ignore[assignment]

        clock = Clock()
        login = Login("me", "", None, 60, None)
        connection = Connection(clock, login, Listener(), Counters())
        sink: Any = Sink(lambda data: None)
        connection.makeConnection(sink)
        connection.dataReceived(CONNACK)
        sink.write = write
        return connection, clock

    def publish(self, messages: Messages, write: Handle) -> Callable[[], None]:
        connection, clock = self._connection(write, print)
        turns = messages.turns

        def work() -> None:
            for turn in turns:
                for message in turn:
                    # Made here, as others are given its parts here.
                    connection.publish(
                        Message(
                            message.topic,
                            message.payload,
                            content_type=message.content_type,
                            user_properties=message.user_properties,
                        ),
                        False,
                    )
                clock.advance(0)

        return work

    def receive(self, messages: Messages, handle: Handle) -> Callable[[], None]:
        connection, _ = self._connection(print, handle)
        reads = messages.reads

        def work() -> None:
            for data in reads:
                connection.dataReceived(data)

        return work

    def came(self, message: Message) -> Came:
        return message.topic, message.payload, list(message.user_properties)


class Moat(Contender):
    """Its state machine, which does no more than ours: who uses it has keepalive, bounds and all
    the rest to write.
    """

    name, package = "moat-lib-mqtt", "moat-lib-mqtt"
    module = "moat.lib.mqtt.client_state_machine"

    def __init__(self) -> None:
        self._machine = _module(self.module).MQTTClientStateMachine
        self._content_type = _module("moat.lib.mqtt").PropertyType.CONTENT_TYPE

    def _connected(self) -> Any:
        machine = self._machine("me")
        machine.connect()
        machine.feed_bytes(CONNACK)
        machine.get_outbound_data()
        return machine

    def publish(self, messages: Messages, write: Handle) -> Callable[[], None]:
        machine = self._connected()
        turns = messages.turns
        content_type = self._content_type

        def work() -> None:
            for turn in turns:
                for message in turn:
                    machine.publish(
                        message.topic,
                        message.payload,
                        properties={content_type: message.content_type},
                        user_properties=dict(message.user_properties),
                    )
                write(machine.get_outbound_data())

        return work

    def receive(self, messages: Messages, handle: Handle) -> Callable[[], None]:
        machine = self._connected()
        reads = messages.reads

        def work() -> None:
            for data in reads:
                for packet in machine.feed_bytes(data):
                    handle(packet)

        return work

    def came(self, message: Any) -> Came:
        return message.topic, bytes(message.payload), list(message.user_properties.items())


class Paho(Contender):
    """Driven by its callbacks, as its documentation says for a loop from outside."""

    name, package, module = "paho-mqtt", "paho-mqtt", "paho.mqtt.client"

    def __init__(self) -> None:
        self._client = _module(self.module)
        self._properties = _module("paho.mqtt.properties").Properties
        self._types = _module("paho.mqtt.packettypes").PacketTypes

    def _connected(self, wire: Wire) -> Any:
        module = self._client

        class Client(module.Client):  # type: ignore[misc, name-defined]
            def _create_socket(self) -> Any:
                return wire

        client = Client(module.CallbackAPIVersion.VERSION2, client_id="me", protocol=module.MQTTv5)
        # Someone else has the loop.
        client.on_socket_register_write = lambda *_: None
        wire.readable = CONNACK
        client.connect("nowhere")
        client.loop_write()
        client.loop_read()
        return client

    def publish(self, messages: Messages, write: Handle) -> Callable[[], None]:
        wire = Wire(lambda data: None)
        client = self._connected(wire)
        wire.write = write
        turns = messages.turns
        make, kind = self._properties, self._types.PUBLISH

        def work() -> None:
            for turn in turns:
                for message in turn:
                    properties = make(kind)
                    properties.ContentType = message.content_type
                    properties.UserProperty = list(message.user_properties)
                    client.publish(message.topic, message.payload, properties=properties)
                client.loop_write()

        return work

    def receive(self, messages: Messages, handle: Handle) -> Callable[[], None]:
        wire = Wire(lambda data: None)
        client = self._connected(wire)
        client.on_message = lambda client, userdata, message: handle(message)
        reads = messages.reads

        def work() -> None:
            for data in reads:
                wire.readable, wire.at = data, 0
                while wire.at < len(data):
                    client.loop_read()

        return work

    def came(self, message: Any) -> Came:
        return message.topic, message.payload, message.properties.UserProperty


class Wire(socket.socket):
    """As much of a socket as paho asks of it."""

    def __init__(self, write: Handle) -> None:
        super().__init__()
        self.write = write
        self.readable = b""
        self.at = 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        data = self.readable[self.at : self.at + size]
        if not data:
            raise BlockingIOError
        self.at += len(data)
        return data

    def send(self, data: Any, flags: int = 0) -> int:
        self.write(bytes(data))
        return len(data)


def _module(name: str) -> Any:
    """Import what may not be installed."""
    return import_module(name)


PEERS: tuple[type[Contender], ...] = (Moat, Paho)


def peers() -> list[Contender]:
    """Those that are installed."""
    return [peer() for peer in PEERS if version(peer.package) is not None]


# --- what they bring ---------------------------------------------------------------------------


def brought(package: str) -> list[str]:
    """Return the packages that it brings beside itself and what the gateway has anyway."""
    return sorted(_needed(package) - _needed("zbtwist") - {package})


def _needed(package: str) -> set[str]:
    found: set[str] = set()
    left = [package]
    while left:
        name = left.pop()
        if name in found:
            continue
        try:
            wanted = requires(name) or []
        except PackageNotFoundError:
            continue
        found.add(name)
        for each in wanted:
            words = each.partition(";")
            # What an extra needs is not brought.
            if "extra ==" not in words[2]:
                left.append(_name_of(words[0]))
    return found


def _name_of(requirement: str) -> str:
    name = requirement.strip()
    for sign in "[<>=!~ (":
        name = name.partition(sign)[0]
    return name.lower().replace("_", "-")


def import_seconds(module: str, times: int) -> float:
    """Return what it takes to import it, with Twisted there already."""
    code = (
        "import time, twisted.internet.endpoints, zbtwist.mqtt.settings; "
        f"begun = time.perf_counter(); import {module}; print(time.perf_counter() - begun)"
    )
    return median(
        float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(times)
    )
