"""Who is told of new settings: who reads something of them that is another, and nobody else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from types import CodeType, FrameType
from typing import Any, Protocol

from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

import zbtwist
from tests.clock import MemoryReactorClock
from zbtwist.app.followers import Followers
from zbtwist.app.gateway import Gateway
from zbtwist.app.reload import Reloader
from zbtwist.binding.port_settings import PortSettings
from zbtwist.config.node_settings import NodeSettings
from zbtwist.config.settings import Settings
from zbtwist.network.admission import Admit
from zbtwist.runtime.substitutions import Template
from zbtwist.xbee.address import Address64

_OURS = os.path.dirname(zbtwist.__file__)
# The simulated radio is no part of the gateway; and a line of the log costs some calls for each who
# reads the log, who may be a gateway that another test has left.
_NOT_COUNTED = (os.path.join(_OURS, "simulator"), os.path.join(_OURS, "observing"))

#: Calls that a SIGHUP takes which changes one number, without the six of its line in the log.
MAX_CALLS = 34


def _calls(do: Callable[[], object]) -> list[tuple[CodeType, object]]:
    """Return what is called while something is done, and of methods the object."""
    calls: list[tuple[CodeType, object]] = []

    def hear(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            calls.append((frame.f_code, frame.f_locals.get("self")))

    sys.setprofile(hear)
    try:
        do()
    finally:
        sys.setprofile(None)
    return calls


class _Reads(Protocol):
    @property
    def in_flight(self) -> int: ...
    @property
    def has_decoders(self) -> bool: ...
    def radio_endpoint(self, reactor: Any) -> object: ...


class _Part:
    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def reconfigure(self, old: _Reads, new: _Reads) -> None:
        self.told.append((old.in_flight, new.in_flight))


class FollowersTests(SynchronousTestCase):
    def told(self, **changes: Any) -> list[tuple[int, int]]:
        old = Settings(serial="sim:", in_flight=4)
        part = _Part()
        Followers(part).follow(old, replace(old, **changes))
        return part.told

    def test_what_is_read(self) -> None:
        self.assertEqual(self.told(in_flight=5), [(4, 5)])

    def test_what_is_made_of_others(self) -> None:
        self.assertEqual(self.told(port_settings=PortSettings(decoder="lines")), [(4, 4)])

    def test_what_is_not_read(self) -> None:
        self.assertEqual(self.told(heartbeat=1.0, serial="/dev/ttyUSB0"), [])


class GatewayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.settings = Settings(serial="sim:nt=0.3:nodes=1:kinds=echo")
        self.gateway = Gateway(self.settings, self.reactor)
        self.gateway.startService()
        self.addCleanup(self.gateway.stopService)
        self.reactor.pump([0.01] * 200)

    def told(self, **changes: Any) -> list[str]:
        """Return the names of the parts that are told of new settings."""
        new = replace(self.settings, **changes)
        told = [
            type(part).__name__
            for code, part in _calls(lambda: self.gateway.reconfigure(new))
            if code.co_name == "reconfigure"
        ]
        # These always look whether files of users, and what they say of the broker, are others.
        for name in ("Gateway", "Door", "Brokerage"):
            told.remove(name)
        return told

    def test_nothing(self) -> None:
        self.assertEqual(self.told(), [])

    def test_heartbeat(self) -> None:
        self.assertEqual(self.told(heartbeat=31.0), ["RadioService"])

    def test_health(self) -> None:
        self.assertEqual(self.told(health="passive"), ["HealthService"])

    def test_admit(self) -> None:
        self.assertEqual(self.told(admit=Admit.ALL), ["NetworkService"])

    def test_names_of_the_control_port(self) -> None:
        self.assertEqual(self.told(control_host=("gateway.example",)), ["Hosts"])

    def test_in_flight(self) -> None:
        self.assertEqual(self.told(in_flight=3), ["BindingService"])

    def test_nodes(self) -> None:
        """Others may be listed then, and be announced by other names."""
        node = NodeSettings(address64=Address64(1), name="mains")
        expected = ["BindingService", "NetworkService", "Announcer"]
        self.assertEqual(self.told(nodes=(node,)), expected)

    def test_all_that_a_port_has(self) -> None:
        settings = PortSettings(decoder="lines", log_bytes=Template("/bytes"))
        self.assertEqual(
            self.told(port_settings=settings),
            [
                *("BindingService", "Broadcast", "NetworkService", "Announcer"),
                *("DecodingService", "ByteLog"),
            ],
        )

    def test_calls(self) -> None:
        """It costs no more for the parts that have nothing to do with it."""
        new = replace(self.settings, heartbeat=31.0)
        new.prepare()
        reloader = Reloader(self.gateway, lambda: new, self.reactor, lambda load: succeed(load()))
        reloader.running = 1

        def reload() -> None:
            reloader.reload()
            self.reactor.advance(0)

        calls = [
            code.co_name
            for code, _ in _calls(reload)
            if code.co_filename.startswith(_OURS) and not code.co_filename.startswith(_NOT_COUNTED)
        ]
        self.assertIn("follow", calls)
        self.assertLessEqual(len(calls), MAX_CALLS, calls)
