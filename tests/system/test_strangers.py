"""The real program under attack, beside a stream that is watched; see `tests.system.attacks`."""

from __future__ import annotations

import contextlib
import socket
import time

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support import left_out
from tests.system.attacks import ATTACKS, FORM, SIMULATED, Target, run
from tests.system.support import Gateway, wait_until

#: Seconds that each attack takes here.
SECONDS = 1.5

#: Seconds that a stream, and whoever watches over the gateway, may wait, on a computer that is busy
#: with other tests. ``python -m tests.system.attacks`` says how long they do on one that is not.
LONGEST = 20.0

#: Bytes of memory that may stay: what is done for the first time makes room for it, and what the
#: allocator keeps is not the same each time.
GROWTH = 60_000_000


class AttackTests(SynchronousTestCase):
    skip = left_out() or None

    def setUp(self) -> None:
        self.gateway = Gateway(SIMULATED)
        self.addCleanup(self.gateway.stop)
        self.target = Target(self.gateway)

    def test_all_of_them(self) -> None:
        """The stream goes on, and nothing stays."""
        before, files = self.target.resident(), self.target.descriptors()
        for name, stream, answered in run(self.target, ATTACKS, SECONDS):
            if "The gateway stood still" in self.gateway.output:
                # Then it resets streams, as it should, and nothing of this is told of it.
                raise SkipTest("this computer let the gateway stand still for seconds")
            said = [line for line in self.gateway.output.splitlines() if "reset" in line]
            self.assertEqual(stream.error, "", f"{name}: {said[-3:]}")
            self.assertGreater(stream.answers, 0, name)
            self.assertLess(stream.longest, LONGEST, name)
            self.assertLess(answered, LONGEST, name)
        wait_until(
            lambda: self.target.resident() - before < GROWTH, "the memory is as it was before"
        )
        wait_until(lambda: self.target.descriptors() <= files + 5, "the files are closed")
        _, _, traceback = self.gateway.output.partition("Traceback")
        self.assertEqual(traceback[:3000], "")

    def test_no_byte_of_a_web_page_comes_to_a_node(self) -> None:
        for size in (len(FORM), 10, 3):
            with socket.create_connection(("127.0.0.1", self.target.port)) as client:
                client.sendall(FORM[:size])
                time.sleep(0.05)
                client.settimeout(10)
                with contextlib.suppress(ConnectionError):
                    client.sendall(FORM[size:])
                    # An echo node would have answered.
                    self.assertEqual(client.recv(100), b"")
        rows = self.gateway.api.stats()
        self.assertEqual(sum(row["bytes_out"] for row in rows), 0)
        self.gateway.wait_for("as a browser does for any web page")
