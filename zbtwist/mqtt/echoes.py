"""What a client has published itself, and hears again from a broker that ignores No Local (MQTT 5,
section 3.8.3.1), as rumqttd does.

It is told by topic and payload: what somebody else says at the same time, word for word, is taken
for it as well.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from zbtwist.mqtt.interfaces import Message

#: Seconds within which it comes back, and messages that are remembered.
PATIENCE = 10.0
MAX_MESSAGES = 4096


class Echoes:
    """Those of one connection."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        # When they were published, the oldest first. Two that are alike are one.
        self._published: dict[tuple[str, int], float] = {}

    def published(self, message: Message) -> None:
        """A message was published that this client would hear if it were another's."""
        published = self._published
        key = _key(message)
        published.pop(key, None)
        published[key] = self._clock.seconds()
        if len(published) > MAX_MESSAGES:
            del published[next(iter(published))]

    def has(self, message: Message) -> bool:
        """Return whether a message that is heard is one of those."""
        if message.retained or not self._published:
            # One that the broker had kept was asked for.
            return False
        at = self._published.get(_key(message))
        return at is not None and self._clock.seconds() - at <= PATIENCE

    def clear(self) -> None:
        """There is another connection."""
        self._published.clear()


def _key(message: Message) -> tuple[str, int]:
    return message.topic, hash(message.payload)
