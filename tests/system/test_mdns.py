"""The real program on a network, as a real browser of multicast DNS sees it: that of loopback."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support import left_out
from tests.system.forked import ZBGATE
from tests.system.support import QUICK, Gateway, Program, free_ports, wait_until

# It is the same with every Python.
skip = left_out() or None

try:
    import zeroconf
except ImportError:  # pragma: no cover - it is one of the test's own requirements
    zeroconf = None  # type: ignore[assignment]


class Browser:
    """What is announced, by its name."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}
        self._zeroconf = zeroconf.Zeroconf(interfaces=["127.0.0.1"])
        kinds = ["_iostream._tcp.local.", "_http._tcp.local."]
        self._browser = zeroconf.ServiceBrowser(self._zeroconf, kinds, handlers=[self._changed])

    def _changed(self, zeroconf: Any, service_type: str, name: str, state_change: Any) -> None:
        if state_change.name == "Removed":
            self.seen.pop(name, None)
        else:
            self.seen[name] = zeroconf.get_service_info(service_type, name)

    def of(self, gateway: Gateway, name: str) -> list[Any]:
        """Return the services of a gateway that are called so; there may be others'."""
        ports = range(gateway.control, gateway.control + 8)
        return [
            service
            for each, service in list(self.seen.items())
            if each.startswith(name) and service is not None and service.port in ports
        ]

    def close(self) -> None:
        self._zeroconf.close()


class AnnouncedTests(SynchronousTestCase):
    skip = None if zeroconf is not None else "needs zeroconf"

    def setUp(self) -> None:
        self.browser = Browser()
        self.addCleanup(self.browser.close)

    def test_a_gateway_and_its_nodes(self) -> None:
        gateway = Gateway(f"{QUICK}:nodes=2:kinds=echo", "--zeroconf")
        self.addCleanup(gateway.stop)
        rows = gateway.nodes(2)
        address = rows["ECHO2"]["addr_extended"].strip("[]!").replace(":", "")
        name = f"ECHO2 {address}"
        (service,) = wait_until(lambda: self.browser.of(gateway, name), "a node is announced")
        self.assertEqual(service.port, rows["ECHO2"]["tcp_port"])
        self.assertEqual(service.parsed_addresses(), ["127.0.0.1"])
        self.assertEqual(service.properties[b"gensiostack"], b"tcp")
        (mine,) = wait_until(
            lambda: self.browser.of(gateway, "zbtwist on "), "the control port is announced"
        )
        self.assertEqual((mine.port, mine.properties[b"path"]), (gateway.control, b"/"))
        gateway.api.rename("ECHO2", "BARN")
        wait_until(
            lambda: (
                self.browser.of(gateway, f"BARN {address}")
                and not self.browser.of(gateway, "ECHO2 ")
            ),
            "it is announced by its new name alone",
        )
        gateway.stop()
        wait_until(lambda: not self.browser.of(gateway, ""), "all was taken back")
        self.assertNotIn("Traceback", gateway.output)

    def test_a_new_configuration(self) -> None:
        config, control = self.mktemp(), free_ports(6)
        told = f'serial = "{QUICK}:nodes=1:kinds=echo"\ncontrol = {control}\nstate = ":memory:"\n'
        told += f"base-port = {control + 1}\n"
        Path(config).write_text(told)
        gateway = Gateway(
            None, "--config", str(Path(config).absolute()), control=control, program=ZBGATE
        )
        self.addCleanup(gateway.stop)
        gateway.nodes(1)
        for text, is_there in (("zeroconf = true", True), ("", False), ("zeroconf = true", True)):
            Path(config).write_text(told + text)
            gateway.process.send_signal(signal.SIGHUP)
            wait_until(
                lambda is_there=is_there: bool(self.browser.of(gateway, "ECHO ")) is is_there,  # type: ignore[misc]
                f"it is announced: {is_there}",
            )

    def test_without_it_nothing_is_loaded(self) -> None:
        code = (
            "import sys; import zbtwist.app.gateway, zbtwist.tap; "
            "print([name for name in ('zeroconf', 'ifaddr') if name in sys.modules])"
        )
        program = Program("-c", code)
        self.addCleanup(program.stop)
        self.assertEqual(program.finish(), (0, "[]\n"))
