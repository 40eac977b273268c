"""What the service manager is told, and that it cannot do harm."""

from __future__ import annotations

import os
import socket
import tempfile
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.runtime.support import socket_path
from zbtwist.runtime.service_manager import MAX_VALUE, ServiceManager


class ServiceManagerTests(SynchronousTestCase):
    def listen(self, address: str) -> socket.socket:
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(address)
        manager.settimeout(5)
        return manager

    def test_path(self) -> None:
        path = socket_path(self)
        manager = self.listen(path)
        ServiceManager({"NOTIFY_SOCKET": path}).tell(READY="1", STATUS="All is well.")
        self.assertEqual(manager.recv(4096), b"READY=1\nSTATUS=All is well.\n")

    def test_abstract(self) -> None:
        name = f"zbtwist-test-{os.getpid()}"
        manager = self.listen(f"\0{name}")
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).ready()
        self.assertEqual(manager.recv(4096), b"READY=1\n")

    def test_reloading(self) -> None:
        """With the moment, by the clock that systemd goes by."""
        path = socket_path(self)
        manager = self.listen(path)
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        ServiceManager({"NOTIFY_SOCKET": path}).reloading()
        first, second, _ = manager.recv(4096).decode().split("\n")
        self.assertEqual(first, "RELOADING=1")
        name, _, moment = second.partition("=")
        self.assertEqual(name, "MONOTONIC_USEC")
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.assertTrue(before <= int(moment) <= now, moment)

    def test_a_value_is_one_line(self) -> None:
        """A text of others does not become a value of its own, nor too much for systemd."""
        path = socket_path(self)
        manager = self.listen(path)
        told = ServiceManager({"NOTIFY_SOCKET": path})
        told.tell(STATUS="No radio:\nMAINPID=1\r\n  again\udcff")
        self.assertEqual(manager.recv(8192), b"STATUS=No radio: MAINPID=1 again?\n")
        told.tell(STATUS="\u20ac" * 10_000)
        self.assertEqual(manager.recv(8192).decode(), f"STATUS={MAX_VALUE * chr(0x20AC)}\n")

    def test_nobody(self) -> None:
        """Neither without a manager, nor with one that is gone, nor with one of another kind."""
        gone = os.path.join(tempfile.gettempdir(), "zbtwist-test-nobody")
        for environment in ({}, {"NOTIFY_SOCKET": gone}, {"NOTIFY_SOCKET": "vsock:2:1234"}):
            manager = ServiceManager(environment)
            manager.tell(READY="1")
            self.assertEqual(manager.is_there, gone in environment.values())

    def test_manager_that_reads_nothing(self) -> None:
        """It is not waited for."""
        path = socket_path(self)
        self.listen(path)
        manager = ServiceManager({"NOTIFY_SOCKET": path})
        for _ in range(5000):
            manager.tell(WATCHDOG="1")

    def test_watchdog(self) -> None:
        def seconds(**more: str) -> float:
            return ServiceManager({"NOTIFY_SOCKET": "/run/systemd/notify", **more}).watchdog

        self.assertEqual(seconds(), 0)
        self.assertEqual(seconds(WATCHDOG_USEC="60000000"), 60)
        self.assertEqual(seconds(WATCHDOG_USEC="500000", WATCHDOG_PID=str(os.getpid())), 0.5)
        self.assertEqual(seconds(WATCHDOG_USEC="500000", WATCHDOG_PID="1"), 0)
        self.assertEqual(seconds(WATCHDOG_USEC="soon"), 0)
        self.assertEqual(ServiceManager({"WATCHDOG_USEC": "500000"}).watchdog, 0)
