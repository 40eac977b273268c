"""Tells Home Assistant which devices there are, and follows as they change.

The nodes are looked at in turn. A message is made only when the shape of its node is another one,
and a device is told at most every `REST` seconds: Home Assistant drops the rest of a message of
which it still works at a part of the last one (``discovery.py`` there, "queuing update").

What this gateway has told is kept by the broker and heard on each connection: so it is known which
components and devices are to be removed, also after a restart, and nothing is said again that is
there already. A node that two gateways know is told of by the one that heard it last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from math import inf
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from zbtwist.decoding.service import Reading
from zbtwist.home_assistant.kept import Kept
from zbtwist.home_assistant.messages import Device, DeviceMessages, teller_of
from zbtwist.home_assistant.shape import NodeShape, shape_of
from zbtwist.home_assistant.told import Gateways, Told
from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.settings import ALL_COMMANDS
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.network.events import NodeForgotten
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable

#: Seconds from one turn to the next, and nodes that are looked at in one: it takes some 5 ms.
TICK = 1.0
MAX_LOOKS = 100

#: Messages that are made in one turn, and bytes that are said: no other is begun when there are so
#: many.
MAX_MESSAGES = 20
MAX_BYTES = 128 * 1024

#: Seconds between two messages of one device.
REST = 10.0

#: Seconds without a message that the broker has kept, after which all of those are heard; and of
#: all these seconds together.
LISTEN = 3.0
MAX_LISTEN = 60.0

#: Seconds after Home Assistant has started until it is told all again, and between two such times.
BIRTH_PAUSE = 5.0
BIRTH_REST = 60.0

#: Seconds until a device is removed that the broker has kept and that is no node: after a start
#: without a state file nodes are found one by one.
PATIENCE = 600.0

#: How many such devices are kept in mind: others are heard of again on the next connection.
MAX_STRANGE = 500

#: Seconds after another gateway has told of a node until it is told of here, if it is heard here
#: and the other one is there as well.
TAKEOVER = 300.0

#: What Home Assistant says when it has started.
_BIRTH = b"online"


class HomeAssistantSettings(Protocol):
    """What this needs of the settings; see `zbtwist.mqtt.settings.MQTTSettings`."""

    @property
    def home_assistant(self) -> bool: ...
    @property
    def discovery_prefix(self) -> str: ...
    @property
    def commands(self) -> str: ...


class HomeAssistantService(Service):
    """Tells of all nodes that the settings say, and of the gateway, while there is a broker."""

    def __init__(
        self,
        clock: IReactorTime,
        broker: IBroker,
        nodes: NodeTable,
        settings: HomeAssistantSettings,
        topics: Callable[[], SiteTopics | None],
        is_said: Callable[[Node], bool],
        readings_of: Callable[[Node], Iterable[Reading]],
        decoder_of: Callable[[Node], str],
    ) -> None:
        """
        @param topics: returns where the gateway speaks at the broker, None while that is not known.
        @param is_said: returns whether anything is said of a node there.
        @param readings_of: returns the last values of a node.
        @param decoder_of: returns what makes them, empty for nothing.
        """
        self._clock = clock
        self._broker = broker
        self._nodes = nodes
        self._bus = nodes.bus
        self._settings = settings
        self._topics = topics
        self._is_said = is_said
        self._readings_of = readings_of
        self._decoder_of = decoder_of
        self._messages: DeviceMessages | None = None
        self._told: dict[Device, Told] = {}
        # Those that are to be told or removed, whoever waits longest first.
        self._due: dict[Device, None] = {}
        self._gateways = Gateways()
        # What removes devices from where they are told no more.
        self._farewells: list[Message] = []
        # How many of the nodes have had their turn in this round.
        self._looked_at = 0
        self._listens_until = inf
        self._listens_from = 0.0
        self._was_born = False
        self._birth_at = -inf
        self._ticking = LoopingCall(self._tick)
        self._ticking.clock = clock

    def startService(self) -> None:
        super().startService()
        self._broker.connected.append(self._connected)
        self._bus.subscribe(NodeForgotten, self._forgotten)
        self._ticking.start(TICK, now=True)

    def stopService(self) -> None:
        super().stopService()
        self._broker.connected.remove(self._connected)
        self._bus.unsubscribe(NodeForgotten, self._forgotten)
        if self._ticking.running:
            self._ticking.stop()
        if self._messages is not None:
            self._unsubscribe(self._messages)

    def reconfigure(self, settings: HomeAssistantSettings) -> None:
        """Follow new settings."""
        self._settings = settings
        if self.running:
            # Before the broker is told to keep nothing of what entities look at.
            self._tick()

    # --- where it is told ------------------------------------------------------------------------

    def _follow_place(self) -> None:
        """Follow the settings, and what the gateway is called at the broker."""
        settings, topics, messages = self._settings, self._topics(), None
        if settings.home_assistant and topics is not None:
            has_commands = settings.commands == ALL_COMMANDS
            messages = DeviceMessages(settings.discovery_prefix, topics, has_commands)
        before, self._messages = self._messages, messages
        if before == messages:
            return
        if before is not None and messages is not None and before.is_of(messages):
            self._due.update(dict.fromkeys(self._told))
            return
        if before is not None:
            self._unsubscribe(before)
            stays = messages is not None and before.is_beside(messages)
            for device, told in list(self._told.items()):
                if device is None or not stays:
                    if told.may_be_there:
                        self._farewells.append(before.removal(device))
                    del self._told[device]
        self._due = dict.fromkeys(self._told)
        self._gateways.forget()
        if messages is not None:
            self._listen()
            self._broker.subscribe(messages.every_topic, self._heard)
            self._broker.subscribe(messages.every_state, self._gateways.heard)
            self._broker.subscribe(messages.status_topic, self._heard_status)
            self._device(None)

    def _unsubscribe(self, messages: DeviceMessages) -> None:
        self._broker.unsubscribe(messages.every_topic)
        self._broker.unsubscribe(messages.every_state)
        self._broker.unsubscribe(messages.status_topic)

    # --- what the broker says --------------------------------------------------------------------

    def _connected(self) -> None:
        self._tell_all_again()
        self._listen()

    def _listen(self) -> None:
        self._listens_from = self._clock.seconds()
        self._listens_until = self._listens_from + LISTEN

    def _heard(self, message: Message) -> None:
        assert self._messages is not None
        try:
            device = self._messages.device_of(message.topic)
        except ValueError:
            return
        teller = "" if device is None else teller_of(message)
        if teller == self._messages.gateway:
            teller = ""
        told = self._told.get(device)
        if not (message.retained or teller):
            self._emptied(device, told)
            return
        now = self._clock.seconds()
        if message.retained:
            self._listens_until = min(
                max(self._listens_until, now + LISTEN), self._listens_from + MAX_LISTEN
            )
        if told is None:
            is_known = device is None or device in self._nodes
            if not is_known and (teller or len(self._told) > len(self._nodes) + MAX_STRANGE):
                return
            told = self._device(device)
            told.leaves_at = inf if is_known else now + PATIENCE
        kept = Kept(message)
        told.kept, told.has_left = _digest(message), False
        told.teller, told.heard_at = teller, now
        told.platforms.update(kept.platforms)
        former = kept.shape
        told.shape = former if told.shape is None else told.shape.with_former(former)
        if teller:
            self._due[device] = None

    def _emptied(self, device: Device, told: Told | None) -> None:
        """Somebody has removed a device.

        If a person did so in Home Assistant, it is told again when Home Assistant or this gateway
        starts; at once if another gateway did.
        """
        if told is not None:
            told.kept = None
            if told.teller:
                told.teller = ""
                self._due[device] = None

    def _heard_status(self, message: Message) -> None:
        if message.payload == _BIRTH and not message.retained and not self._was_born:
            self._was_born = True
            self._birth_at = max(self._birth_at, self._clock.seconds() + BIRTH_PAUSE)

    # --- what is told ----------------------------------------------------------------------------

    def _tick(self) -> None:
        self._follow_place()
        if not self._broker.is_connected:
            return
        while self._farewells and not self._broker.is_full:
            if not self._broker.publish(self._farewells[-1], at_least_once=True):
                return
            self._farewells.pop()
        now = self._clock.seconds()
        if self._messages is None or not self._may_tell(now):
            return
        if self._was_born and now >= self._birth_at:
            self._was_born, self._birth_at = False, now + BIRTH_REST
            self._tell_all_again()
        self._look(now)
        self._tell(self._messages, now)

    def _forgotten(self, event: NodeForgotten) -> None:
        device = event.node.address64
        told = self._told.get(device)
        now = self._clock.seconds()
        if told is None or self._messages is None or not self._may_tell(now):
            return
        told.leaves_at = now
        self._due[device] = None
        if now - told.at >= REST and not told.teller and not self._broker.is_full:
            # At once, likewise.
            self._tell_one(self._messages, device, told, now)

    def _may_tell(self, now: float) -> bool:
        return bool(self._broker.is_connected) and now >= self._listens_until

    def _tell_all_again(self) -> None:
        for device, told in self._told.items():
            told.kept = None
            self._due[device] = None

    def _device(self, device: Device) -> Told:
        self._due[device] = None
        return self._told.setdefault(device, Told())

    def _is_wanted(self, device: Device) -> bool:
        node = None if device is None else self._nodes.get(device)
        return device is None or (node is not None and self._is_said(node))

    def _look(self, now: float) -> None:
        """Look at some of the nodes, and at who has come and gone."""
        for device, told in self._told.items():
            if self._is_wanted(device):
                told.leaves_at = told.leaves_at if told.has_left else inf
            elif told.leaves_at == inf:
                told.leaves_at = now
                self._due[device] = None
        nodes = list(self._nodes)
        start = self._looked_at if self._looked_at < len(nodes) else 0
        self._looked_at = start + MAX_LOOKS
        for node in nodes[start : self._looked_at]:
            known = self._told.get(node.address64)
            if known is None:
                if self._is_said(node):
                    self._device(node.address64)
            elif known.leaves_at == inf and known.shape != self._shape_of(node, known):
                self._due[node.address64] = None

    def _shape_of(self, node: Node, told: Told) -> NodeShape:
        return shape_of(node, self._readings_of(node), self._decoder_of(node), told.shape)

    def _tell(self, messages: DeviceMessages, now: float) -> None:
        """Tell what is to be told, as far as that is not too much at once."""
        count = size = 0
        for device in list(self._due):
            told = self._told[device]
            if now - told.at < REST or now < told.leaves_at < inf:
                continue
            if told.teller and self._is_elsewhere(device, told):
                continue
            if told.has_left:
                del self._told[device], self._due[device]
                continue
            if count >= MAX_MESSAGES or size >= MAX_BYTES or self._broker.is_full:
                return
            size_of_it = self._tell_one(messages, device, told, now)
            if size_of_it is None:
                return
            count, size = count + 1, size + size_of_it

    def _is_elsewhere(self, device: Device, told: Told) -> bool:
        """Whether it is for another gateway to tell of a node."""
        if told.leaves_at < inf:
            # It is forgotten here, and nothing is removed there.
            told.has_left = True
            return False
        node = None if device is None else self._nodes.get(device)
        is_heard = node is not None and node.heard_at > told.heard_at + TAKEOVER
        return told.teller in self._gateways and not is_heard

    def _tell_one(
        self, messages: DeviceMessages, device: Device, told: Told, now: float
    ) -> int | None:
        """Tell of a device what is to be told.

        @return: bytes of the message, with those of its topic; 0 if the broker has it. None if the
            broker takes no more now.
        """
        size = 0
        has: dict[str, str] = {}
        if told.leaves_at < inf:
            message = messages.removal(device)
        else:
            message, has = self._message(messages, device, told)
        if told.kept != (kept := _digest(message)):
            is_told = self._broker.publish(message, at_least_once=True)
            if not is_told and (self._broker.is_full or not self._broker.is_connected):
                return None
            # What the broker takes not at all, it has said in the log, and it would again.
            told.kept, told.at, told.teller = kept, now, ""
            size = len(message.topic) + len(message.payload)
        told.has_left = not message.payload
        # What is removed now is to be left out of the next one.
        if not told.has_left and told.platforms.keys() <= has.keys():
            del self._due[device]
        told.platforms = has
        return size

    def _message(
        self, messages: DeviceMessages, device: Device, told: Told
    ) -> tuple[Message, dict[str, str]]:
        """Return what is to be told of a device now, and the platforms of what it consists of."""
        node = None if device is None else self._nodes.get(device)
        if node is not None:
            told.shape = self._shape_of(node, told)
        shape = told.shape or NodeShape()
        components = messages.components(device, shape)
        has = {name: str(each["platform"]) for name, each in components.items()}
        gone = {name: each for name, each in told.platforms.items() if name not in has}
        return messages.message(device, shape, components, gone), has


def _digest(message: Message) -> bytes:
    said = repr(message.user_properties).encode() + message.payload
    return hashlib.blake2b(said, digest_size=16).digest()
