"""pymodbus and mbpoll against a strict slave on a node's pseudoterminal, in a bad air; see
`tests.modbus.programs`, which has more of it.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.modbus.masters import Tally
from tests.modbus.programs import (
    MBPOLL,
    Plant,
    mbpoll,
    poll,
    torn_request,
    two_pollers,
    write_and_read,
)
from tests.support import left_out

try:
    import pymodbus  # noqa: F401
except ImportError:
    _MISSING = "pymodbus is not installed"
else:
    _MISSING = ""


class PlantTestCase(SynchronousTestCase):
    skip = left_out() or None
    protocol: str

    def setUp(self) -> None:
        self.plant = Plant(self.protocol, 19200, 0.2)
        self.addCleanup(self.plant.stop)

    def check(self, tally: Tally) -> None:
        """A question may be lost in the air; nobody is told what is not so."""
        self.assertEqual(tally.wrong, 0)
        self.assertGreater(tally.right, 0)


class RTUTests(PlantTestCase):
    protocol = "modbus-rtu"
    skip = left_out() or _MISSING or None

    def test_pymodbus(self) -> None:
        port = self.plant.port
        self.check(poll(port, False, 6, lambda n: (1 + n % 3, 7 * n, 1 + n * 37 % 125)))
        self.check(write_and_read(port, False, [37]))
        for tally in two_pollers(port, False, 5):
            self.check(tally)
        self.check(torn_request(port, 3))


class TCPTests(PlantTestCase):
    protocol = "modbus-tcp"

    def test_pymodbus(self) -> None:
        port = self.plant.port
        self.check(poll(port, True, 6, lambda n: (1 + n % 3, 7 * n, 1 + n * 37 % 125)))
        for tally in two_pollers(port, True, 5):
            self.check(tally)

    test_pymodbus.skip = _MISSING or None  # type: ignore[attr-defined]

    def test_mbpoll(self) -> None:
        self.check(mbpoll(self.plant.port, 3))

    test_mbpoll.skip = None if MBPOLL else "mbpoll is not installed"  # type: ignore[attr-defined]
