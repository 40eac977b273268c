"""Meters that speak only when they are asked, in a whole gateway, by its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import MemoryReactorClock
from zbtwist.app.gateway import Gateway
from zbtwist.config.load import load
from zbtwist.config.settings import Settings
from zbtwist.network.events import TO_NODE, BytesPassed

FILE = """
serial = "sim:kinds=meter+ecm1240+gem:interval=0:nt=0.3"
ask-every = {every}
[[node]]
label = "METER"
decoder = "ecm1220"
[[node]]
label = "ECM1240"
decoder = "ecm1240"
turns = "reply"
[[node]]
label = "GEM"
decoder = "gem"
"""


class AskedTests(SynchronousTestCase):
    def settings(self, every: int) -> Settings:
        path = Path(self.mktemp())
        path.write_text(FILE.format(every=every))
        return load(self.reactor, {"config": str(path)})

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.gateway = Gateway(self.settings(10), self.reactor)
        self.asked: list[tuple[str | None, bytes]] = []
        self.gateway.bus.subscribe(BytesPassed, self.passed)
        self.gateway.startService()
        self.addCleanup(self.gateway.stopService)

    def passed(self, event: BytesPassed) -> None:
        if event.direction == TO_NODE:
            self.asked.append((event.node.label, event.data))

    def run_for(self, seconds: float) -> None:
        self.reactor.pump([0.01] * round(seconds / 0.01))

    def told(self, label: str) -> dict[str, float | str | bool]:
        (row,) = [row for row in self.gateway.api.list_nodes() if row["label"] == label]
        return {each["name"]: each["value"] for each in row["values"]}

    def test_all_kinds(self) -> None:
        self.run_for(32)
        for label, least in (("METER", 300), ("ECM1240", 300), ("GEM", 300)):
            self.assertGreater(float(self.told(label)["ch1_power"]), least, label)
        self.assertIn("aux5_power", self.told("ECM1240"))
        self.assertEqual(self.told("GEM")["temperature1"], 21.5)
        questions = [data for label, data in self.asked if label == "METER"]
        self.assertEqual(questions[:4], [b"\xfc", b"SPK"] * 2)
        self.assertEqual({data for label, data in self.asked if label == "GEM"}, {b"^^^APISPK"})
        # It is no client, and nothing that it says is lost.
        status = self.gateway.api.status()
        self.assertEqual(status["clients"], 0)
        self.assertEqual([row["failures"] for row in self.gateway.api.stats()], [0.0] * 3)

    def test_file_that_changes(self) -> None:
        self.run_for(15)
        self.gateway.reconfigure(self.settings(0))
        self.asked.clear()
        self.run_for(30)
        self.assertEqual(self.asked, [])
        self.gateway.reconfigure(self.settings(5))
        self.run_for(10)
        self.assertEqual({label for label, _ in self.asked}, {"METER", "ECM1240", "GEM"})
