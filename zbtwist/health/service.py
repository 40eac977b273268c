"""Looks at the nodes, says when the health of one has changed, and has the doubtful ones asked.

Nothing of this is on the way of bytes: each node is looked at every `ROUND` seconds, some of them
each second (no more than `MAX_LOOKS`), and those in doubt each second, so that one that is back is
well with its first packet. While the radio is away nobody can be judged, and all stay as they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import ceil
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from zbtwist.binding.stream_events import LinkTested
from zbtwist.health.events import HealthChanged
from zbtwist.health.questions import Questions
from zbtwist.health.record import Deliveries, Record, first_condition
from zbtwist.health.state import PROBLEMS, Condition, Health, Moment
from zbtwist.network.events import NodeForgotten
from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.radio.events import LinkUp
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import Address64

#: Seconds between two looks at the same node, and between two parts of such a round.
ROUND = 5.0
TICK = 1.0

#: Nodes of a part at the most: with thousands a round takes longer, and no part holds up a stream.
MAX_LOOKS = 400

#: What the settings may say.
ACTIVE, PASSIVE = "active", "passive"


class HealthSettings(Protocol):
    """What is needed of the settings; see `zbtwist.config.settings.Settings`."""

    @property
    def health(self) -> str: ...


class HealthService(Service):
    """Knows how each node is."""

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        nodes: NodeTable,
        deliveries: Callable[[Node], Deliveries | None],
        bus: EventBus,
        health: str = ACTIVE,
    ) -> None:
        """
        @param deliveries: returns what became of the packets to a node, None if nothing is known.
        @param health: `ACTIVE`, or `PASSIVE` to ask no node anything.
        """
        self._clock = clock
        self._radio = radio
        self._nodes = nodes
        self._deliveries = deliveries
        self._bus = bus
        self._is_active = health == ACTIVE
        self._records: dict[Address64, Record] = {}
        # Those of them that are in doubt.
        self._doubtful: dict[Address64, Record] = {}
        self._questions = Questions(clock, radio, self._now, self._note_doubt)
        self._part = 0
        # What was heard before the radio came up says nothing of who is silent.
        self._up_at = clock.seconds()
        self._epoch = nodes.epoch
        self._looking = LoopingCall(self._tick)
        self._looking.clock = clock
        bus.subscribe(LinkUp, self._radio_up)
        bus.subscribe(LinkTested, self._tested)
        bus.subscribe(NodeForgotten, self._forgotten)

    def startService(self) -> None:
        super().startService()
        self._looking.start(TICK, now=False)

    def stopService(self) -> None:
        super().stopService()
        self._questions.stop()
        if self._looking.running:
            self._looking.stop()

    def reconfigure(self, old: HealthSettings, new: HealthSettings) -> None:
        """Follow new settings."""
        self._is_active = new.health == ACTIVE

    # --- who wants to know -----------------------------------------------------------------------

    def condition_of(self, node: Node) -> Condition:
        """Return how a node is."""
        why_away = self._why_away(node)
        if why_away:
            seconds = self._clock.seconds() - self._radio.way_to(node.address64).offline_since
            return Condition(Health.NOT_ANSWERING, self._nodes.wall() - seconds, why_away)
        record = self._records.get(node.address64)
        if record is None or record.node is not node or record.condition.health is Health.UNKNOWN:
            # It may have been heard a moment ago.
            return first_condition(node)
        return record.condition

    def _why_away(self, node: Node) -> str:
        """Return why the site of a node cannot be reached, a sentence; empty if it can. While the
        radio itself is away, all are said to be as they were.
        """
        if self._radio.facts is None:
            return ""
        return self._radio.why_site_is_away(node.address64)

    def counts(self) -> dict[Health, int]:
        """Return how many nodes are in which condition; all conditions are there."""
        counts = Counter(self.condition_of(node).health for node in self._nodes)
        return {health: counts[health] for health in Health}

    # --- looking ---------------------------------------------------------------------------------

    def _radio_up(self, event: LinkUp) -> None:
        self._up_at = self._clock.seconds()

    def _tested(self, event: LinkTested) -> None:
        record = self._records.get(event.node.address64)
        if record is not None and record.node is event.node:
            record.tested(event.sent, event.delivered, self._now())
            self._note_doubt(record)

    def _forgotten(self, event: NodeForgotten) -> None:
        self._records.pop(event.node.address64, None)
        self._doubtful.pop(event.node.address64, None)

    def _now(self) -> Moment:
        now, wall = self._clock.seconds(), self._nodes.wall()
        epoch = self._nodes.epoch
        if epoch != self._epoch:
            # A computer without a clock of its own boots in the past.
            for record in self._records.values():
                record.time_was_set(epoch - self._epoch)
            self._epoch = epoch
        return now, wall

    def _tick(self) -> None:
        if self._radio.facts is None:
            return
        parts = max(int(ROUND / TICK), ceil(len(self._nodes) / MAX_LOOKS))
        self._part = (self._part + 1) % parts
        for record in list(self._doubtful.values()):
            self._look(record.node)
        # A new part each time; one in doubt has been looked at.
        for node in list(self._nodes)[self._part :: parts]:
            if node.address64 not in self._doubtful:
                self._look(node)
        # Only once in a round: all are gone through for it.
        if self._is_active and not self._part and self._questions.may_ask:
            self._questions.ask_one(self._records.values())

    def _look(self, node: Node) -> None:
        record = self._records.get(node.address64)
        if record is None or record.node is not node:
            record = self._records[node.address64] = Record(node)
        now = self._now()
        if self._why_away(node):
            # That is said of its site. What it does meanwhile is not heard.
            record.away_until = now[0]
            return
        before = record.condition
        record.look(self._deliveries(node), now, max(self._up_at, record.away_until))
        condition = record.judge(now, self._way_of)
        self._note_doubt(record)
        if condition.health is not before.health:
            self._bus.publish(HealthChanged(node, condition, before))

    def _note_doubt(self, record: Record) -> None:
        address64 = record.node.address64
        if record.is_doubtful:
            self._doubtful[address64] = record
        else:
            self._doubtful.pop(address64, None)

    def _way_of(self, node: Node) -> str:
        """Say in a clause how the node is that a node's packets go through, if one is known."""
        neighbour = self._nodes.owner_of(node.route[0]) if node.route else None
        relay = None if neighbour is None else self._nodes.get(neighbour)
        if relay is None or relay is node:
            return ""
        name = relay.name or relay.label or str(relay)
        health = self.condition_of(relay).health
        if health is Health.NOT_ANSWERING:
            return f"nor does its neighbour {name} answer"
        return (
            "" if health in PROBLEMS or health is Health.UNKNOWN else f"its neighbour {name} does"
        )
