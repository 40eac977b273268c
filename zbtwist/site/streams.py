"""The bytes of nodes at the broker: what comes from those with ``mqtt = "stream"``, packet by
packet, and what is to go to them.

A broker may lose a message, bring it twice, or bring it to nobody for a while. So whoever reads a
stream is told with each packet how many there were before it (`zbtwist.mqtt.stream_messages`), and
can ask for the counts of all nodes at once when it may have missed something. It may take what it
reads for the stream without a hole only then.

A node is heard as its TCP clients hear it, behind what its port knows of outages: what is said here
to follow does follow. To its port this is somebody who reads, so that nothing is kept for the next
client (`backlog`) while a node is heard here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from zbtwist.binding.service import BindingService
from zbtwist.binding.stream_events import StreamBroken
from zbtwist.control.faults import shown
from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.settings import STREAM
from zbtwist.mqtt.site_topics import SiteTopics, is_of_gateways, node_of
from zbtwist.mqtt.stream_messages import (
    BYTES,
    HOLE,
    JSON,
    NUMBER,
    RUN,
    Answer,
    Counts,
    Outcome,
)
from zbtwist.mqtt.topics import is_topic
from zbtwist.network.events import FROM_NODE, NodeChanged
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.event_bus import EventBus
from zbtwist.runtime.repeats import Interval
from zbtwist.site.desk import SAID_EACH
from zbtwist.site.transmissions import PastStreams, Transmissions
from zbtwist.xbee.address import Address64

if TYPE_CHECKING:
    from zbtwist.binding.port import NodePort


class Streams:
    """The streams of all nodes that have one at the broker; see `zbtwist.site.interfaces.Part`."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        broker: IBroker,
        run: str,
        radio: IRadio,
        bindings: BindingService,
        bus: EventBus,
    ) -> None:
        """
        @param run: stands for this run of the gateway, and no other one: up to 48 ASCII characters.
        @param bus: tells of nodes and of their streams.
        """
        self._clock = clock
        self._broker = broker
        self._topics: SiteTopics | None = None
        self._first_run = self._run = run
        self._moves = 0
        self._radio = radio
        self._bindings = bindings
        self._bus = bus
        # Whom this has ever heard; there are no more of them than nodes, and few that were
        # forgotten.
        self._from: dict[Address64, FromNode] = {}
        self._to: dict[Address64, Transmissions] = {}
        self._past = PastStreams()
        self._refusals_said = Interval(SAID_EACH)
        # Of questions that nobody can be answered; a hub goes on to ask.
        self._is_vain_said = False
        self._vain_said = Interval(SAID_EACH)

    # --- see `zbtwist.site.interfaces.Part` ------------------------------------------------------

    def moved(self, topics: SiteTopics | None) -> None:
        if self._topics is not None:
            self._end_all(self._topics)
        self._topics = topics
        if topics is not None:
            self._begin(topics)

    def connected(self) -> None:
        """What was said without a connection is missing in the numbers."""

    def lost(self) -> None:
        """The same."""

    def follow(self) -> None:
        for transmissions in list(self._to.values()):
            self._look_at(transmissions.port)
        if self._topics is not None:
            # Those that had none are found by their ports.
            self._bindings.watch_ports_no_more(self._look_at, self._gone)
            self._bindings.watch_ports(self._look_at, self._gone)

    def _begin(self, topics: SiteTopics) -> None:
        # Under another name all is counted anew.
        self._moves += 1
        self._run = self._first_run if self._moves == 1 else f"{self._first_run}.{self._moves}"
        self._bus.subscribe(StreamBroken, self._broken)
        self._bus.subscribe(NodeChanged, self._node_changed)
        self._broker.subscribe(topics.all_tx, self._told)
        self._broker.subscribe(topics.streams, self._asked)
        self._bindings.watch_ports(self._look_at, self._gone)

    def _end_all(self, topics: SiteTopics) -> None:
        self._bindings.watch_ports_no_more(self._look_at, self._gone)
        self._broker.unsubscribe(topics.all_tx)
        self._broker.unsubscribe(topics.streams)
        self._bus.unsubscribe(StreamBroken, self._broken)
        self._bus.unsubscribe(NodeChanged, self._node_changed)
        for address64 in list(self._to):
            self._end(address64)
        self._from.clear()

    # --- which nodes -----------------------------------------------------------------------------

    def _node_changed(self, event: NodeChanged) -> None:
        """It may have settings of its own now."""
        port = self._bindings.port_of(event.node)
        if port is not None:
            self._look_at(port)

    def _look_at(self, port: NodePort) -> None:
        """Begin to hear a node, or end it, as its settings say."""
        address64 = port.node.address64
        topics = self._topics
        is_wanted = topics is not None and port.outbound.settings.mqtt == STREAM
        known = self._to.get(address64)
        if known is not None and (known.port is not port or not is_wanted):
            self._end(address64)
            known = None
        if topics is None or not is_wanted or known is not None:
            return
        heard = self._from.get(address64)
        if heard is None:
            heard = FromNode(self._broker, topics.rx(address64), self._run)
            self._from[address64] = heard
        else:
            # What it has said meanwhile was not counted.
            heard.interrupted()
        port.hear(heard)
        self._to[address64] = Transmissions(self._clock, port, self._run, self._tell, self._past)

    def _gone(self, port: NodePort) -> None:
        known = self._to.get(port.node.address64)
        if known is not None and known.port is port:
            self._end(port.node.address64)

    def _end(self, address64: Address64) -> None:
        transmissions = self._to.pop(address64)
        transmissions.port.hear_no_more(self._from[address64])
        transmissions.stop()

    # --- what happens ----------------------------------------------------------------------------

    def _broken(self, event: StreamBroken) -> None:
        address64 = event.node.address64
        transmissions = self._to.get(address64)
        if transmissions is None:
            return
        if event.direction == FROM_NODE:
            self._from[address64].interrupted()
        else:
            transmissions.look_for_losses(event.reason)

    def _told(self, message: Message) -> None:
        """Bytes for a node have come."""
        topics = self._topics
        found = None if topics is None else node_of(topics.base, message.topic)
        if message.retained or found is None:
            # What waits there for whoever comes is an old command.
            return
        transmissions = self._to.get(Address64(found[1]))
        if transmissions is not None:
            transmissions.take(message)
        else:
            why = 'There is no such node here whose stream is at the broker (mqtt = "stream").'
            self._tell(message, Answer(Outcome.REFUSED, None, why))

    def _tell(self, message: Message, answer: Answer) -> None:
        """Say what became of a message: in the log if it is refused and nobody is answered."""
        if message.response_topic:
            self._answer(message, answer.to_bytes())
        elif answer.outcome is Outcome.REFUSED:
            self._say_refused(message, answer.text)

    def _say_refused(self, message: Message, why: str) -> None:
        """Say in the log that a message is not sent: nobody is to be answered."""
        # An empty one removes what the broker keeps.
        if message.payload and self._refusals_said.is_over(self._clock.seconds()):
            self.log.warn(
                "What a client of the broker has for a node at {topic} is not sent: {why} Others "
                "may follow that are not said.",
                topic=shown(message.topic),
                why=why,
            )

    def _asked(self, message: Message) -> None:
        """Somebody asks for the counts."""
        if message.retained:
            return
        if not message.response_topic:
            self._say_vain(message)
            return
        self._is_vain_said = False
        facts = self._radio.facts
        counts = Counts(
            self._run,
            facts.payload_limit if facts is not None else 0,
            {address64: heard.count for address64, heard in self._from.items()},
        )
        self._answer(message, counts.to_bytes())

    def _say_vain(self, message: Message) -> None:
        """Say in the log that nobody can be answered, once until a question can be."""
        if not self._is_vain_said and self._vain_said.is_over(self._clock.seconds()):
            self._is_vain_said = True
            self.log.warn(
                "What asks at {topic} cannot be answered, since it names no response topic. If it "
                "is a hub, something between it and this gateway speaks MQTT 3.1.1, which has "
                "none: let it speak MQTT 5; a bridge of mosquitto needs the line "
                "bridge_protocol_version mqttv50.",
                topic=shown(message.topic),
            )

    def _answer(self, message: Message, payload: bytes) -> None:
        """Answer a message where it says."""
        topic, topics = message.response_topic, self._topics
        if topics is not None and may_answer_at(topics.base, topic):
            self._broker.publish(
                Message(
                    topic,
                    payload,
                    content_type=JSON,
                    correlation_data=message.correlation_data,
                )
            )


class FromNode:
    """What a node says, at the broker.

    @ivar count: how many packets there were in this run.
    """

    __slots__ = ("_broker", "_run", "_topic", "count")

    def __init__(self, broker: IBroker, topic: str, run: str) -> None:
        self._broker = broker
        self._topic = topic
        self._run = (RUN, run)
        self.count = 0

    def deliver(self, data: bytes) -> None:
        """The node says something; see `zbtwist.binding.stream.Hearer`."""
        self.count += 1
        self._broker.publish(
            Message(
                self._topic,
                data,
                content_type=BYTES,
                user_properties=((NUMBER, str(self.count)), self._run),
            )
        )

    def interrupted(self) -> None:
        """Bytes of the node are lost, or may be: whoever reads is to know before the next come."""
        self.count += 1
        self._broker.publish(
            Message(
                self._topic,
                b"",
                content_type=BYTES,
                user_properties=((NUMBER, str(self.count)), self._run, (HOLE, "1")),
            )
        )


def may_answer_at(base: str, topic: str) -> bool:
    """Return whether something may be answered under a topic that a stranger has named."""
    return is_topic(topic) and not topic.startswith("$") and not is_of_gateways(base, topic)
