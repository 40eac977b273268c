"""Who may connect."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import MemoryReactorClock
from zbtwist.runtime.allowed import Refusal, lets_in, networks
from zbtwist.runtime.option import Context, Mistake


def parsed(text: str) -> object:
    return networks(text, Context(MemoryReactorClock(), "/"))


class AllowedTests(SynchronousTestCase):
    def lets_in(self, text: str, host: str) -> bool:
        kind = IPv6Address if ":" in host else IPv4Address
        return lets_in(networks(text, Context(None, "/")), kind("TCP", host, 50000))

    def test_networks(self) -> None:
        for text, host, expected in (
            ("", "8.8.8.8", True),
            ("192.168.1.0/24", "192.168.1.255", True),
            ("192.168.1.0/24", "192.168.2.0", False),
            ("192.168.1.0/24", "127.0.0.1", False),
            ("192.168.1.0/24", "::ffff:192.168.1.7", True),
            ("192.168.1.0/24", "::ffff:192.168.2.7", False),
            ("192.168.1.0/24", "2001:db8::1", False),
            ("10.0.0.1, fd00::/8", "10.0.0.1", True),
            ("10.0.0.1, fd00::/8", "fd12::1", True),
            ("10.0.0.1\nfe80::/10", "fe80::1%eth0", True),
            ("10.0.0.1", "10.0.0.2", False),
        ):
            self.assertEqual(self.lets_in(text, host), expected, (text, host))

    def test_what_has_no_ip_address(self) -> None:
        here = networks("10.0.0.1", Context(None, "/"))
        # Its file has permissions.
        self.assertTrue(lets_in(here, UNIXAddress(b"/x")))
        self.assertFalse(lets_in(here, IPv4Address("TCP", "localhost", 1)))

    def test_mistakes(self) -> None:
        for text in ("192.168.1.5/24", "everybody", "10.0.0.0/33", "1.2.3", "10.0.0.1;10.0.0.2"):
            error = self.assertRaises(Mistake, parsed, text)
            self.assertIn(repr(text), str(error))
        self.assertEqual(parsed(" , \n"), ())

    def test_turned_away(self) -> None:
        transport = StringTransportWithDisconnection()
        transport.protocol = Refusal()
        transport.protocol.makeConnection(transport)
        self.assertFalse(transport.connected)
        self.assertEqual(transport.value(), b"")
