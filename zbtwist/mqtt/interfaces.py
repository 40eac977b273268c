"""What the parts of this room ask of the connection to a broker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zope.interface import Attribute, Interface


# To make a frozen one takes several times as long.
@dataclass(slots=True, unsafe_hash=True)
class Message:
    """One that is published, or was heard, and is not changed; MQTT 5, section 3.3.

    @ivar retained: to be kept by the broker for whoever subscribes later; or heard, it was kept. An
        empty payload that is to be kept removes what is.
    @ivar user_properties: pairs of name and value, in their order.
    @ivar response_topic: where an answer is expected, empty for none.
    @ivar correlation_data: what an answer to it must carry.
    @ivar expires_after: seconds after which the broker hands it on to nobody, None for never. Of
        one that was heard, what is left of them.
    """

    topic: str
    payload: bytes
    retained: bool = False
    content_type: str = ""
    user_properties: tuple[tuple[str, str], ...] = ()
    response_topic: str = ""
    correlation_data: bytes | None = None
    expires_after: int | None = None


class IBroker(Interface):
    """A broker, whether there is a connection to it or not.

    A session ends with its connection: whoever has retained messages there publishes them each time
    in `connected`, and what was published meanwhile is not made up for.
    """

    is_connected: bool = Attribute("Whether messages can be published now.")
    is_full: bool = Attribute(
        "Whether more than half of what may wait does: whoever has much to say waits for `drained`."
    )
    connected: list[Callable[[], None]] = Attribute(
        "Called in their order each time that a connection is made, when all was subscribed to and "
        "before anything is heard."
    )
    lost: list[Callable[[], None]] = Attribute("Called each time that a connection is lost.")
    drained: list[Callable[[], None]] = Attribute(
        "Called when nothing waits any more, after it was full."
    )

    def identify(client_id: str, will: Message | None = None) -> None:
        """Say who this client is, without which no connection is made.

        To be said again when it has changed: then the connection is made anew.

        @param client_id: the broker knows one client by this name. A second one ends the connection
            of the first. Access lists of brokers go by it.
        @param will: what is published when the connection ends, however it ends: by the broker, or
            by this client before it ends it itself.
        """

    def publish(message: Message, at_least_once: bool = False) -> bool:
        """Hand a message to the broker.

        @param at_least_once: with QoS 1, else with QoS 0. Within one connection it is the same: all
            arrive once and in order, since TCP does that.
        @return: whether it is on its way. It is dropped, and counted, if there is no connection, or
            if more than the bound waits already.
        @raise ValueError: what it says cannot be a topic.
        """

    def subscribe(
        topic_filter: str, heard: Callable[[Message], None], at_most_once: bool = False
    ) -> None:
        """Call `heard` with each message whose topic fits, on this connection and those to come.

        What this client publishes itself is not heard. A filter has one hearer; a message that fits
        two filters of one client is heard by both, once or twice, as the broker has it. The
        messages that the broker has kept are heard on each connection anew, after `connected`.

        @param at_most_once: with QoS 0, else with QoS 1 where they are published so. Of thousands
            that it has kept a broker may drop some with QoS 1: it lets few wait for one client.
        @raise ValueError: it cannot be a filter.
        """

    def unsubscribe(topic_filter: str) -> None:
        """Hear no more of it."""
