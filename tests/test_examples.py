"""The examples of the documentation, run as a user runs them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase
from twisted.web.server import Site

from tests.system.support import Program, find_python2, wait_until
from zbtwist.control.http.site import control_site

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


class Operations:
    """A gateway with a fixed list of nodes, one of them with a name beyond ASCII."""

    def list_nodes(self) -> list[dict[str, object]]:
        return [
            {"addr_extended": "[00:13:a2:00:40:0a:3e:ff]!", "label": "E2", "tcp_port": 27001},
            {"addr_extended": "[00:13:a2:00:40:0a:3e:fe]!", "label": "Küche", "tcp_port": 27002},
            {"addr_extended": "[00:13:a2:00:40:0a:3e:fd]!", "label": "", "tcp_port": 0},
        ]

    discover = get_temperatures = status = list_nodes


class ListPorts(TestCase):
    """``list_ports.py``"""

    interpreter = sys.executable

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor = reactor

    async def run_example(self, *arguments: str) -> tuple[str, str, int]:
        """Run it; return what it wrote to standard output and error, and its exit status."""
        output, errors, status = await getProcessOutputAndValue(
            self.interpreter,
            [str(EXAMPLES / "list_ports.py"), *arguments],
            env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
            reactor=self.reactor,
        )
        return output.decode(), errors.decode(), status

    async def serve(self, site: Site) -> str:
        """Serve `site` on a free port; return its URL."""
        port = await TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1").listen(site)
        self.addCleanup(port.stopListening)
        return f"http://127.0.0.1:{port.getHost().port}/RPC2"

    async def test_one_line_per_node(self) -> None:
        url = await self.serve(control_site(Operations(), self.reactor))
        output, errors, status = await self.run_example(url)
        self.assertEqual(
            output,
            "64-bit Address: 00:13:a2:00:40:0a:3e:ff, NodeID: E2, TCP Port: 27001\n"
            "64-bit Address: 00:13:a2:00:40:0a:3e:fe, NodeID: Küche, TCP Port: 27002\n"
            "64-bit Address: 00:13:a2:00:40:0a:3e:fd, NodeID: , TCP Port: 0\n",
        )
        self.assertEqual((errors, status), ("", 0))

    async def test_no_gateway_is_a_sentence(self) -> None:
        # A port that was free a moment ago, and a server that is no gateway.
        gone = await TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1").listen(
            control_site(Operations(), self.reactor)
        )
        port = gone.getHost().port
        await gone.stopListening()
        url = await self.serve(control_site(Operations(), self.reactor))
        for address in (f"http://127.0.0.1:{port}/RPC2", f"{url}/nothing", "fnord"):
            output, errors, status = await self.run_example(address)
            self.assertEqual((output, status), ("", 1), address)
            self.assertTrue(errors.startswith(f"No gateway answers at {address} ("), errors)
            self.assertEqual(errors.count("\n"), 1, errors)

    async def test_help(self) -> None:
        _, errors, status = await self.run_example("--help")
        self.assertIn("list_ports.py [http://127.0.0.1:27000/RPC2]", errors)
        self.assertEqual(status, 1)


class ListPortsOnPython2(ListPorts):
    """The same file under Python 2.7, where there is one."""

    def setUp(self) -> None:
        super().setUp()
        interpreter = find_python2()
        if interpreter is None:
            raise SkipTest("there is no Python 2.7 here")
        self.interpreter = interpreter


class TxXBeeMonitor(SynchronousTestCase):
    """``txxbee_monitor.py``, on the simulator's radio."""

    def test_it_prints_inputs_and_what_is_said(self) -> None:
        os.makedirs(directory := self.mktemp())
        link = os.path.abspath(os.path.join(directory, "radio"))
        options = ("--api-mode", "2", "--kinds", "meter+sensor", "--interval", "0.2")
        simulator = Program("-m", "zbtwist.simulator", "--link", link, *options)
        self.addCleanup(simulator.stop)
        wait_until(lambda: os.path.exists(link), "the link")
        monitor = Program(str(EXAMPLES / "txxbee_monitor.py"), link, "00:13:a2:00:40:0a:3e:02")
        self.addCleanup(monitor.stop)
        monitor.wait_for("inputs: {")
        monitor.wait_for("00:13:a2:00:40:0a:3e:01 says b'")
        self.assertNotIn("Warning", monitor.output)
        self.assertNotIn("not a frame", monitor.output)
