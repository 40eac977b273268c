"""Whose turn it is to go when all places are taken."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.runtime.shares import peer_of, who_gives_way


class PeerTests(SynchronousTestCase):
    def test_addresses(self) -> None:
        self.assertEqual(peer_of(IPv4Address("TCP", "192.168.1.7", 1)), "192.168.1.7")
        self.assertEqual(peer_of(IPv6Address("TCP", "::ffff:192.168.1.7", 1)), "192.168.1.7")
        self.assertEqual(peer_of(UNIXAddress(b"/run/x")), "")
        self.assertEqual(peer_of(None), "")

    def test_a_computer_has_a_network_of_addresses(self) -> None:
        one, two, other, scoped = (
            peer_of(IPv6Address("TCP", host, 1))
            for host in ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1", "fe80::1%eth0")
        )
        self.assertEqual(one, two)
        self.assertEqual(len({one, other, scoped}), 3)


class ShareTests(SynchronousTestCase):
    def test_who_has_the_most(self) -> None:
        """The latest of its places goes."""
        holders = [("a", 1), ("b", 2), ("b", 3), ("b", 4), ("a", 5)]
        self.assertEqual(who_gives_way(holders, "c"), 4)
        self.assertEqual(who_gives_way(holders, "b"), None)

    def test_nobody_gives_way_for_somebody_who_has_as_many_then(self) -> None:
        """Else two would take turns for ever."""
        self.assertEqual(who_gives_way([("a", 1), ("a", 2), ("b", 3)], "b"), None)
        self.assertEqual(who_gives_way([("a", 1), ("b", 3)], "c"), None)
        self.assertEqual(who_gives_way([], "c"), None)

    def test_shares_become_equal(self) -> None:
        holders = [("a", number) for number in range(64)]
        for newcomer in range(64, 200):
            leaving = who_gives_way(holders, "b")
            if leaving is not None:
                holders = [holder for holder in holders if holder[1] != leaving]
                holders.append(("b", newcomer))
        self.assertEqual(sum(peer == "b" for peer, _ in holders), 32)
