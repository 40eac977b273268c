"""The operations of the control interface, asked for by a message: its topic names the operation,
its payload is JSON, a list of arguments or an object of named ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from zbtwist.control.faults import NO_SUCH_METHOD, ControlFault, bad_request, shown
from zbtwist.control.operations.table import Operation
from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.site.desk import Desk, Wanted
from zbtwist.site.in_json import NotUnderstood, read


class Requests:
    """Hears them."""

    def __init__(self, broker: IBroker, desk: Desk, operations: Mapping[str, Operation]) -> None:
        """
        @param operations: those that there are, by their names.
        """
        self._broker = broker
        self._desk = desk
        self._operations = operations
        self._topics: SiteTopics | None = None

    # --- see `zbtwist.site.interfaces.Part` ------------------------------------------------------

    def moved(self, topics: SiteTopics | None) -> None:
        if self._topics is not None:
            self._broker.unsubscribe(self._topics.all_requests)
        self._topics = topics
        if topics is not None:
            self._broker.subscribe(topics.all_requests, self._heard)

    def connected(self) -> None:
        """They come by themselves."""

    def lost(self) -> None:
        """What is in hand is done, and answered if there is a connection by then."""

    def follow(self) -> None:
        """They are about nobody in particular."""

    # ---------------------------------------------------------------------------------------------

    def _heard(self, message: Message) -> None:
        self._desk.take(message, partial(self._understood, message))

    def _understood(self, message: Message) -> Wanted:
        name = message.topic.rpartition("/")[2]
        operation = self._operations.get(name)
        if operation is None:
            raise ControlFault(NO_SUCH_METHOD, f"There is no operation {shown(name)}.")
        return operation, arguments_in(message.payload, operation)


def arguments_in(payload: bytes, operation: Operation) -> list[object]:
    """Return what an operation is asked for with; nothing is no arguments.

    @raise ControlFault: with `BAD_REQUEST`.
    """
    if not payload.strip():
        return []
    try:
        found = read(payload)
    except NotUnderstood as error:
        raise bad_request(f"The arguments of {operation.name} cannot be read. {error}") from None
    if isinstance(found, list):
        # What is left out at the end may be null as well.
        while found and found[-1] is None:
            del found[-1]
        return found
    if isinstance(found, dict):
        return operation.arranged({name: each for name, each in found.items() if each is not None})
    raise bad_request(
        f"The arguments of {operation.name} must be a JSON list, or an object of named ones."
    )
