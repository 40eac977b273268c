"""Clients whose computer dies without a word leave room, on real sockets that lead nowhere."""

from __future__ import annotations

import shutil
import subprocess
import sys

from twisted.trial.unittest import TestCase

from tests.pages import ROOT
from tests.support import left_out

#: What makes a network of its own, of which one is the administrator.
UNSHARE = ("unshare", "--map-root-user", "--net")


def _cannot() -> str:
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        return "there is no ip, or no unshare"
    tried = subprocess.run([*UNSHARE, "ip", "link", "set", "lo", "up"], capture_output=True)
    return "" if tried.returncode == 0 else "this user may have no network of its own"


class DeadClientsTests(TestCase):
    skip = left_out() or _cannot() or None

    def seconds_until_there_is_room(self, *words: str) -> float:
        done = subprocess.run(
            [*UNSHARE, sys.executable, "-m", "tests.system.dead_clients", *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=100,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return float(done.stdout)

    def test_keepalive(self) -> None:
        """Also of a node that talks: what is on its way to a client keeps TCP from asking it."""
        for label in ("ECHO", "METER"):
            took = self.seconds_until_there_is_room(
                *(label, "--keepalive", "2", "--keepalive-interval", "1"),
                *("--keepalive-probes", "2"),
            )
            self.assertLess(took, 15)

    def test_kick_idle(self) -> None:
        """At once, whatever keepalive says."""
        self.assertLess(self.seconds_until_there_is_room("METER", "--when-full", "kick-idle"), 5)
