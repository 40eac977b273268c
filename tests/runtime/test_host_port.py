from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.runtime.host_port import host_and_port


class HostPortTests(SynchronousTestCase):
    def test_names_and_addresses(self) -> None:
        for host, text in {
            "gateway.example": "gateway.example:1",
            "10.0.0.7": "10.0.0.7:1",
            "::1": "[::1]:1",
            "fe80::1%eth0": "[fe80::1%eth0]:1",
        }.items():
            self.assertEqual(host_and_port(host, 1), text)
