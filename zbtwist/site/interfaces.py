"""What the parts of this room, and who adds one, ask of each other."""

from __future__ import annotations

from typing import Protocol

from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.network.node import Node


class Part(Protocol):
    """One of those who speak for the gateway at the broker. See `zbtwist.site.service`."""

    def moved(self, topics: SiteTopics | None) -> None:
        """Speak and listen under these topics from now on, under none before the first time and
        when the gateway stops: subscribe to them, and no more to those before.
        """

    def connected(self) -> None:
        """There is a connection, on which nothing was said yet."""

    def lost(self) -> None:
        """It is gone."""

    def follow(self) -> None:
        """What the settings say of nodes may be something else."""


class IsSaid(Protocol):
    """Says of which nodes the broker is told."""

    def __call__(self, node: Node) -> bool:
        """Return whether it is told of this one."""
