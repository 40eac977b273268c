"""A radio behind ser2net, the serial server that most people have: raw, by RFC 2217, and set up in
another way; and what is the same there and here.

The radio is the simulator's, in a process of its own, at a pseudoterminal that ser2net opens.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import time
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.support import left_out
from tests.system.support import Gateway, Program, echo, free_ports, wait_until
from zbtwist.runtime.substitutions import About, Template

# It is the same with every Python.
skip = left_out() or None

SER2NET = shutil.which("ser2net")


class Ser2net:
    """One that runs.

    @ivar port: where it listens.
    """

    def __init__(self, line: str, accepter: str, options: str = "") -> None:
        """
        @param accepter: what it speaks, such as ``telnet(rfc2217),tcp``.
        @param options: of the connection, in YAML.
        """
        self.port = free_ports(1)
        self.directory = tempfile.mkdtemp(prefix="zbtwist-test-")
        configuration = Path(self.directory, "ser2net.yaml")
        configuration.write_text(
            "connection: &METER\n"
            f"  accepter: {accepter},127.0.0.1,{self.port}\n"
            f"  connector: serialdev,{line},9600n81,local\n"
            f"  options:\n    chardelay: false\n{options}"
        )
        assert SER2NET is not None
        self._process = subprocess.Popen(
            [SER2NET, "-n", "-u", "-c", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # A connection would open the line, and take it from the next one.
        wait_until(self._is_listening, "ser2net listens")

    def _is_listening(self) -> bool:
        wanted = f":{self.port:04X} 00000000:0000 0A"
        return wanted in Path("/proc/net/tcp").read_text()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.directory)


class Ser2netTestCase(TestCase):
    skip = None if SER2NET and os.path.exists("/proc/net/tcp") else "there is no ser2net"

    def simulate(self, *options: str) -> str:
        """Start a radio; return the path of its line."""
        directory = tempfile.mkdtemp(prefix="zbtwist-test-")
        self.addCleanup(shutil.rmtree, directory)
        link = os.path.join(directory, "radio")
        program = Program("-m", "zbtwist.simulator", "--link", link, "--nt", "0.4", *options)
        self.addCleanup(program.stop, signal.SIGTERM)
        program.wait_for("Ctrl-C")
        return link

    def serve(self, line: str, accepter: str, options: str = "") -> Ser2net:
        server = Ser2net(line, accepter, options)
        self.addCleanup(server.stop)
        return server

    def start(self, serial: str, *options: str) -> Gateway:
        gateway = Gateway(serial, *options)
        self.addCleanup(gateway.stop)
        return gateway

    def works(self, gateway: Gateway) -> None:
        """Its nodes are found, and every byte passes as it is."""
        port = int(gateway.nodes(3)["ECHO"]["tcp_port"])
        everything = b"\n" + bytes(range(256)) * 4 + b"\xff\xff\r\0\r\n\xff"
        self.assertEqual(echo(port, everything), everything)


class RadioTests(Ser2netTestCase):
    def test_rfc2217(self) -> None:
        """The line is set from here, whatever the server's file says."""
        line = self.simulate()
        server = self.serve(line, "telnet(rfc2217),tcp")
        gateway = self.start(
            f"rfc2217:127.0.0.1:{server.port}", "--baud", "57600", "--stop-bits", "2"
        )
        self.works(gateway)
        descriptor = os.open(line, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            _, _, control, _, rate, *_ = termios.tcgetattr(descriptor)
        finally:
            os.close(descriptor)
        self.assertEqual(rate, termios.B57600)
        self.assertTrue(control & termios.CSTOPB)
        gateway.wait_for("57600 baud")

    def test_rate_that_is_found_out(self) -> None:
        server = self.serve(self.simulate(), "telnet(rfc2217),tcp")
        self.works(self.start(f"rfc2217://127.0.0.1:{server.port}", "--baud", "auto"))

    def test_raw(self) -> None:
        server = self.serve(self.simulate(), "tcp")
        self.works(self.start(f"socket://127.0.0.1:{server.port}"))

    def test_telnet_where_raw_is_wanted(self) -> None:
        """It is recognised, and said, with what to write."""
        server = self.serve(self.simulate(), "telnet(rfc2217),tcp")
        gateway = self.start(f"tcp:127.0.0.1:{server.port}")
        gateway.wait_for("the serial server speaks telnet, which changes bytes: set it to raw, or")

    def test_telnet_where_rfc_2217_is_wanted(self) -> None:
        server = self.serve(self.simulate(), "telnet,tcp")
        gateway = self.start(f"rfc2217:127.0.0.1:{server.port}")
        gateway.wait_for("speaks telnet, and not RFC 2217: have it speak RFC 2217, or set it to")

    def test_raw_where_rfc_2217_is_wanted(self) -> None:
        server = self.serve(self.simulate(), "tcp")
        gateway = self.start(f"rfc2217:127.0.0.1:{server.port}")
        gateway.wait_for("says nothing of RFC 2217: have it speak RFC 2217, or set it to raw")

    def test_server_that_has_a_client(self) -> None:
        """The other one goes, and the gateway has the radio."""
        server = self.serve(self.simulate(), "telnet(rfc2217),tcp")
        with socket.create_connection(("127.0.0.1", server.port)) as other:
            other.recv(1)
            gateway = self.start(f"rfc2217:127.0.0.1:{server.port}")
            gateway.wait_for("Port already in use")
        self.works(gateway)


class SubstitutionTests(Ser2netTestCase):
    def test_banner(self) -> None:
        """The same letters stand for the same, of what both know."""
        letters = r"\N|\Y|\y|\M|\m|\A|\D|\H|\h|\q|\P|\x41\101\?\"\\|\t\r\n"
        server = self.serve(self.simulate(), "tcp", f"    banner: '{letters}'\n")
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            now = time.time()
            theirs = client.recv(1000)
        filled = [
            Template(letters).filled(About("d", "METER", 1, "", "", moment))
            for moment in (now - 1, now)
        ]
        self.assertIn(theirs, filled)
