"""What is known of what was told of devices, and who else tells."""

from __future__ import annotations

from math import inf

from zbtwist.home_assistant.messages import identifier_of
from zbtwist.home_assistant.shape import NodeShape
from zbtwist.mqtt.interfaces import Message

#: Gateways that are remembered to be there.
MAX_GATEWAYS = 10_000


class Told:
    """Of one device.

    @ivar shape: what it was like when it was looked at last.
    @ivar platforms: those of the components that Home Assistant may have, by identifier.
    @ivar kept: a digest of what the broker has; None if that is nothing, or is not known.
    @ivar teller: the gateway that has told of it, by its identifier; empty for this one.
    @ivar heard_at: when that was heard, seconds of the clock.
    @ivar leaves_at: when it is to be removed, seconds of the clock; infinite while it is not.
    @ivar has_left: it was removed.
    @ivar at: when it was told last.
    """

    __slots__ = (
        *("at", "has_left", "heard_at", "kept", "leaves_at"),
        *("platforms", "shape", "teller"),
    )

    def __init__(self) -> None:
        self.shape: NodeShape | None = None
        self.platforms: dict[str, str] = {}
        self.kept: bytes | None = None
        self.teller = ""
        self.heard_at = -inf
        self.leaves_at = inf
        self.has_left = False
        self.at = -inf

    @property
    def may_be_there(self) -> bool:
        """Whether the broker, or Home Assistant, may have it of this gateway."""
        is_known = self.kept is not None or self.at > -inf
        return is_known and not self.has_left and not self.teller


class Gateways:
    """Those that are there, by their identifiers."""

    def __init__(self) -> None:
        self._online: set[str] = set()

    def __contains__(self, gateway: str) -> bool:
        return gateway in self._online

    def __len__(self) -> int:
        return len(self._online)

    def forget(self) -> None:
        """Forget them: they are heard of again."""
        self._online.clear()

    def heard(self, message: Message) -> None:
        """One has said whether it is there, or the broker has for it."""
        gateway = identifier_of(message.topic.split("/")[-2])
        if message.payload != b"online":
            self._online.discard(gateway)
        elif len(self._online) < MAX_GATEWAYS:
            self._online.add(gateway)
