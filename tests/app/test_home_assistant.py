"""Home Assistant is told nothing, and nothing of it is imported, before the settings want it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from twisted.application.service import Service
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.app.home_assistant import HomeAssistantPart
from zbtwist.mqtt.settings import MQTTSettings

OFF = MQTTSettings(broker="tcp:broker:1883")
ON = MQTTSettings(broker="tcp:broker:1883", home_assistant=True)


class Made(Service):
    """What is made when it is wanted."""

    def __init__(self, settings: MQTTSettings) -> None:
        self.followed = [settings]

    def reconfigure(self, settings: MQTTSettings) -> None:
        self.followed.append(settings)


class PartTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.made: list[Made] = []

    def make(self, settings: MQTTSettings) -> Any:
        self.made.append(Made(settings))
        return self.made[-1]

    def test_not_wanted(self) -> None:
        part = HomeAssistantPart(OFF, self.make)
        part.startService()
        self.assertEqual(self.made, [])

    def test_wanted_later(self) -> None:
        """Then it stays: it has devices to remove."""
        part = HomeAssistantPart(OFF, self.make)
        part.startService()
        for settings in (ON, OFF, ON):
            part.reconfigure(settings)
        self.assertEqual([each.followed for each in self.made], [[ON, OFF, ON]])
        self.assertTrue(self.made[0].running)

    def test_nothing_is_imported(self) -> None:
        code = (
            "import sys, zbtwist.app.home_assistant as m; from zbtwist.mqtt.settings import *; "
            "m.HomeAssistantPart(MQTTSettings(broker='tcp:x:1'), print).startService(); "
            "print(*(n for n in sys.modules if n.startswith('zbtwist.home_assistant')))"
        )
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        self.assertEqual(found.stdout.strip(), b"")
