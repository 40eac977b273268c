"""The collector rests while services start."""

from __future__ import annotations

import gc

from twisted.application.service import MultiService, Service
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.runtime.garbage import GCFreeze


class SparedTests(SynchronousTestCase):
    def test_start(self) -> None:
        self.addCleanup(gc.enable)
        self.addCleanup(gc.unfreeze)
        enabled: list[bool] = []

        class Starting(Service):
            def startService(self) -> None:
                enabled.append(gc.isenabled())

        services = MultiService()
        Starting().setServiceParent(services)
        GCFreeze().setServiceParent(services)
        before = gc.get_freeze_count()
        services.privilegedStartService()
        services.startService()
        self.assertEqual(enabled, [False])
        self.assertTrue(gc.isenabled())
        self.assertGreater(gc.get_freeze_count(), before)
