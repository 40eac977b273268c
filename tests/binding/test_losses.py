"""A node that goes on losing: told once in full, then with a count, until it is over."""

from __future__ import annotations

import time

from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.control.support import GatewayTestCase
from zbtwist.binding.client_events import ClientClosed, ClientDropped, ClientOpened
from zbtwist.binding.losses import INTERVAL, LONGEST_INTERVAL, QUIET, Losses
from zbtwist.binding.stream_events import LossesCounted, StreamBroken
from zbtwist.health.events import HealthChanged
from zbtwist.network.events import TO_NODE
from zbtwist.network.node import Node
from zbtwist.observing.event_log import EventLog
from zbtwist.runtime.event_bus import Event, EventBus
from zbtwist.xbee.address import Address64


class LossesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.bus = Clock(), EventBus()
        self.told: list[LossesCounted] = []
        self.bus.subscribe(LossesCounted, self.told.append)
        self.node = Node(Address64(1), label="ECHO")
        self.losses = Losses(self.clock, self.node, self.bus)

    def lose(self, seconds: float, step: float = 10.0) -> None:
        for _ in range(round(seconds / step)):
            self.losses.happened(10, "No acknowledgement came.")
            self.clock.advance(step)

    def test_one_is_told_by_itself(self) -> None:
        self.losses.happened(10, "Why.")
        self.losses.happened(10, "Why.", is_break=False)
        self.assertFalse(self.losses.goes_on)
        self.clock.pump([INTERVAL] * 20)
        self.assertEqual(self.told, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_day_is_some_lines(self) -> None:
        """Less and less often, to once an hour; the last has all."""
        self.lose(86400)
        self.assertTrue(self.losses.goes_on)
        self.assertLess(len(self.told), 35)
        self.assertGreater(len(self.told), 24)
        self.assertEqual((self.told[0].times, self.told[0].bytes_lost), (6, 60))
        self.assertIn("goes on losing what is sent to it: 60 bytes, 6 times", str(self.told[0]))
        self.assertIs(self.told[0].level, LogLevel.warn)
        self.clock.pump([INTERVAL] * round(QUIET / INTERVAL + 1))
        over = self.told[-1]
        self.assertEqual((over.is_over, over.times, over.level), (True, 8640, LogLevel.info))
        self.assertIn("86,400 bytes, 8,640 times in 24 h.", str(over))
        self.assertFalse(self.losses.goes_on)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_now_and_then(self) -> None:
        """Nothing new is nothing to say."""
        self.lose(2 * INTERVAL)
        count = len(self.told)
        self.clock.advance(INTERVAL)
        self.clock.pump([INTERVAL] * 5)
        self.assertLessEqual(len(self.told), count + 1)
        self.assertLess(INTERVAL, LONGEST_INTERVAL)

    def test_it_begins_anew(self) -> None:
        self.lose(100)
        self.clock.pump([INTERVAL] * round(QUIET / INTERVAL + 2))
        self.losses.happened(7, "Why.")
        self.assertFalse(self.losses.goes_on)
        self.losses.happened(7, "Why.")
        self.losses.stop()
        self.assertEqual((self.told[-1].times, self.told[-1].bytes_lost), (2, 14))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class GatewayTests(GatewayTestCase):
    def test_clients_that_come_back_each_time(self) -> None:
        """The first time is told in full; then not even they are lines of the log."""
        self.build(kinds=("echo",), nodes=1)
        self.run_for(2)
        (device,) = self.network.nodes.values()
        device.reachable = False
        lines: list[Event] = []

        def hear(event: Event) -> None:
            if event.level is not None and event.level > LogLevel.debug:
                lines.append(event)

        self.gateway.bus.subscribe(Event, hear)
        for _ in range(40):
            transport = self.connect("ECHO")
            self.client.dataReceived(b"hello")
            self.run_for(30, 0.1)
            self.assertTrue(transport.disconnected)
            self.connected.pop().connectionLost()
        names = [event.name for event in lines if not isinstance(event, HealthChanged)]
        self.assertEqual(
            names[:5],
            ["client_opened", "stream_broken", "client_dropped", "client_closed", "client_opened"],
        )
        self.assertEqual(set(names[5:]), {"losses_counted"})
        self.assertLess(len(names), 12)
        self.assertLess(len(lines), 15)


class KeptTests(SynchronousTestCase):
    def test_a_thousand_events_hold_a_day(self) -> None:
        """Of twenty nodes that go on losing, what happened before them is still there."""
        bus = EventBus()
        events = EventLog(bus)
        quiet = Node(Address64(99))
        bus.publish(ClientOpened(quiet, 27099, "a:1"))
        nodes = [Node(Address64(number)) for number in range(1, 21)]
        for node in nodes:
            bus.publish(StreamBroken(node, TO_NODE, 10, "The first."))
        now = [1e9]
        self.patch(time, "time", lambda: now[0])
        for _ in range(200):
            now[0] += 15
            for node in nodes:
                bus.publish(StreamBroken(node, TO_NODE, 10, "Again.", goes_on=True))
                bus.publish(ClientDropped(node, 1, "a:1", "why", goes_on=True))
                bus.publish(ClientClosed(node, 1, "a:1", goes_on=True))
                bus.publish(ClientOpened(node, 1, "a:1", goes_on=True))
                bus.publish(LossesCounted(node, 2, 20, 60.0, "Again.", is_over=False))
        kept = events.since(0)
        self.assertEqual(len(kept), 1 + 20 + 5 * 20)
        self.assertEqual(kept[0].name, "client_opened")
        self.assertEqual(sum("The first." in event.text for event in kept), 20)
        self.assertEqual({event.level for event in kept[21:]}, {"debug", "warn"})

    def test_who_follows_is_told_of_each(self) -> None:
        """Many clients are dropped at the same moment."""
        bus = EventBus()
        events = EventLog(bus)
        node = Node(Address64(1))
        for number in range(40):
            bus.publish(ClientDropped(node, 1, f"a:{number}", "why", goes_on=True))
        self.assertEqual(len(events.since(0)), 40)
