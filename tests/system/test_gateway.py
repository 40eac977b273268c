"""The real program: on `sim:` and on ptys, in the foreground and as a daemon."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import xmlrpc.client
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.system.forked import TWISTD, ZBGATE
from tests.system.support import (
    PATIENCE,
    PROMPT,
    QUICK,
    Gateway,
    Program,
    echo,
    is_listening,
    wait_until,
)
from zbtwist.app.command import CONFIG_ERROR
from zbtwist.simulator.meter import PACKET_SIZE, parse_packet

#: Has a program's time of the day step back by an hour on SIGUSR1, and forward on SIGUSR2.
CLOCK_THAT_IS_SET = """
import signal, time
of_day, steps = time.time, [0]
time.time = lambda: of_day() + steps[0]
signal.signal(signal.SIGUSR1, lambda *_: steps.__setitem__(0, -3600))
signal.signal(signal.SIGUSR2, lambda *_: steps.__setitem__(0, 3600))
"""


def meter_packets(port: int, count: int) -> list[bytes]:
    """Return what a meter sends in `count` packets."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        received = b""
        while len(received) < count * PACKET_SIZE:
            piece = connection.recv(65536)
            assert piece, "the gateway closed the connection"
            received += piece
    return [
        received[start : start + PACKET_SIZE]
        for start in range(0, count * PACKET_SIZE, PACKET_SIZE)
    ]


class GatewayTestCase(SynchronousTestCase):
    def start(self, *arguments: str, **keywords: Any) -> Gateway:
        gateway = Gateway(*arguments, **keywords)
        self.addCleanup(gateway.stop)
        return gateway

    def check_everything(self, gateway: Gateway) -> None:
        """Three nodes with ports; the echo echoes, the meter measures, the sensor senses."""
        nodes = gateway.nodes(3)
        self.assertEqual(set(nodes), {"METER", "SENSOR", "ECHO"})
        self.assertEqual(
            sorted(row["tcp_port"] for row in nodes.values()),
            [gateway.base_port + n for n in range(3)],
        )
        data = os.urandom(20_000)
        self.assertEqual(echo(nodes["ECHO"]["tcp_port"], data), data)
        first, second = map(parse_packet, meter_packets(nodes["METER"]["tcp_port"], 2))
        self.assertGreaterEqual(second.seconds, first.seconds)
        self.assertGreaterEqual(second.absolute, first.absolute)
        self.assertTrue(90 < first.volts < 260)
        temperatures = {row["label"]: row["temperature"] for row in gateway.api.get_temperatures()}
        self.assertTrue(10 < temperatures["SENSOR"] < 40)
        self.assertNotIn("Traceback", gateway.output)

    def check_stop(self, gateway: Gateway, number: int) -> None:
        """It waits for no client, and leaves no socket behind."""
        ports = [gateway.control, *(row["tcp_port"] for row in gateway.api.list())]
        with socket.create_connection(("127.0.0.1", ports[1])) as connection:
            self.assertLess(gateway.stop(number), PROMPT)
            connection.settimeout(PATIENCE)
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(100_000):
                    pass
        self.assertEqual([port for port in ports if is_listening(port)], [])
        self.assertNotIn("Traceback", gateway.output)
        self.assertEqual(os.listdir(gateway.directory), [])

    def check_mistakes(self, gateway: Gateway, output: str) -> None:
        self.assertEqual(len(output.splitlines()), 2, output)
        self.assertIn("--baud must be", output)
        self.assertIn("--serial sim:nodes=many", output)
        self.assertEqual(os.listdir(gateway.directory), [])


class SimulatedTests(GatewayTestCase):
    def test_sim(self) -> None:
        gateway = self.start(QUICK)
        self.check_everything(gateway)
        self.check_stop(gateway, signal.SIGTERM)

    def test_interrupt(self) -> None:
        gateway = self.start(QUICK)
        gateway.nodes(3)
        self.check_stop(gateway, signal.SIGINT)

    def test_hundred_thousand_bytes(self) -> None:
        gateway = self.start("sim:kinds=echo:nt=0.2:node_baud=230400")
        data = os.urandom(100_000)
        self.assertEqual(echo(gateway.nodes(1)["ECHO"]["tcp_port"], data), data)

    def test_client_that_ends_its_side(self) -> None:
        """``printf … | nc -N`` reads the answer, and then the end."""
        gateway = self.start("sim:kinds=echo:nt=0.2:node_baud=230400")
        port = gateway.nodes(1)["ECHO"]["tcp_port"]
        data = os.urandom(2000)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        self.assertEqual(answer, data)

    def test_polled_meter(self) -> None:
        gateway = self.start("sim:kinds=meter:nt=0.2:interval=0")
        port = gateway.nodes(1)["METER"]["tcp_port"]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"\xfc")
            self.assertEqual(connection.recv(1), b"\xfc")
            connection.sendall(b"SPK")
            answer = b""
            while len(answer) < 1 + PACKET_SIZE:
                answer += connection.recv(100)
        self.assertEqual(answer[:1], b"\xfc")
        parse_packet(answer[1:])

    def test_bad_requests(self) -> None:
        """Whatever comes to the control port, the gateway answers and goes on."""
        gateway = self.start(QUICK)
        gateway.nodes(3)

        def post(body: bytes) -> xmlrpc.client.Fault:
            connection = http.client.HTTPConnection("127.0.0.1", gateway.control, timeout=30)
            connection.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
            answer = connection.getresponse()
            self.assertEqual(answer.status, 200)
            text = answer.read()
            connection.close()
            with self.assertRaises(xmlrpc.client.Fault) as caught:
                xmlrpc.client.loads(text)
            fault: xmlrpc.client.Fault = caught.exception
            self.assertNotIn("Traceback", fault.faultString)
            return fault

        call = "<methodCall><methodName>%s</methodName>%s</methodCall>"
        argument = "<params><param><value><int>1</int></value></param></params>"
        for body, number in (
            (b"<methodCall><oops", 8002),
            (b"\x00\xff not XML at all", 8002),
            (b"", 8002),
            ((call % ("no_such_method", "")).encode(), 8001),
            ((call % ("list", argument)).encode(), 8002),
            (b"<methodCall>" + b"x" * 10_000_000 + b"</methodCall>", 8002),
        ):
            self.assertEqual(post(body).faultCode, number, body[:60])
        self.assertEqual(len(gateway.api.list()), 3)
        self.assertNotIn("Traceback", gateway.output)

    def test_taken_port_is_skipped(self) -> None:
        with socket.socket() as squatter:
            squatter.bind(("127.0.0.1", 0))
            squatter.listen()
            taken = squatter.getsockname()[1]
            gateway = self.start("sim:kinds=echo:nodes=2:nt=0.2", "--base-port", str(taken))
            ports = {row["tcp_port"] for row in gateway.nodes(2).values()}
            self.assertNotIn(taken, ports)
            self.assertTrue(all(port > taken for port in ports))
            gateway.wait_for(f"Port {taken} is skipped")

    def test_control_port_taken(self) -> None:
        first = self.start(QUICK)
        first.nodes(3)
        second = self.start(QUICK, "--control", str(first.control))
        second.wait_for(f"The control API cannot listen on {first.control}")
        self.assertNotIn("Traceback", second.output)

    def test_daemon(self) -> None:
        gateway = self.start(QUICK, twistd=("--pidfile", "gateway.pid", "--logfile", "log"))
        status, output = gateway.finish()
        self.assertEqual((status, output), (0, ""))
        pid_file = Path(gateway.directory, "gateway.pid")
        pid = int(pid_file.read_text())

        def answers() -> bool:
            try:
                return len(gateway.api.list()) == 3
            except ConnectionRefusedError:
                return False

        wait_until(answers, "the daemon answers")
        path, moved = (Path(gateway.directory, name) for name in ("log", "log.moved"))
        # As logrotate does, in its two ways; without a configuration SIGHUP is no end.
        path.rename(moved)
        os.kill(pid, signal.SIGUSR1)
        wait_until(path.exists, "the log is opened anew")
        os.kill(pid, signal.SIGHUP)
        sentence = "There is no configuration file to read again"
        wait_until(lambda: sentence in path.read_text(), "SIGHUP is said")
        os.truncate(path, 0)
        os.kill(pid, signal.SIGHUP)
        wait_until(lambda: sentence in path.read_text(), "it is said again")
        self.assertNotIn("\0", path.read_text())
        self.assertTrue(answers())
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not pid_file.exists(), "the daemon ends", 2.0)
        wait_until(lambda: not is_listening(gateway.control), "the port is closed", 2.0)
        log = moved.read_text() + path.read_text()
        self.assertIn("is on port", log)
        self.assertNotIn("Traceback", log)


class PtyTests(GatewayTestCase):
    """The gateway on a pty that the simulator holds."""

    def simulator(self, link: str, *options: str) -> Program:
        simulator = Program(
            "-m",
            "zbtwist.simulator",
            "--link",
            link,
            "--nt",
            "0.3",
            "--interval",
            "0.2",
            *("--node-baud", "230400"),
            *options,
        )
        self.addCleanup(simulator.stop)
        return simulator

    def link(self) -> str:
        os.makedirs(directory := self.mktemp())
        return os.path.abspath(os.path.join(directory, "radio"))

    def run_on_pty(self, mode: str, simulator_first: bool, *options: str) -> None:
        link = self.link()
        if simulator_first:
            simulator = self.simulator(link, "--api-mode", mode)
            wait_until(lambda: os.path.exists(link), lambda: f"the link {simulator.output}")
            gateway = self.start(link, *options)
        else:
            gateway = self.start(link, *options)
            gateway.wait_for(f"There is no serial port {link}")
            simulator = self.simulator(link, "--api-mode", mode)
        gateway.wait_for(f"API mode {mode}")
        self.check_everything(gateway)
        self.check_stop(gateway, signal.SIGTERM)
        # The lock is gone with it: another gateway takes the same port.
        again = self.start(link)
        again.nodes(3)
        simulator.stop()

    def test_mode_1_simulator_first(self) -> None:
        self.run_on_pty("1", True)

    def test_mode_1_gateway_first(self) -> None:
        self.run_on_pty("1", False, "--api-mode", "1")

    def test_mode_2_simulator_first(self) -> None:
        self.run_on_pty("2", True, "--api-mode", "2")

    def test_mode_2_gateway_first(self) -> None:
        self.run_on_pty("2", False)

    def test_pty_in_use(self) -> None:
        link = self.link()
        self.simulator(link)
        wait_until(lambda: os.path.exists(link), "the link")
        first = self.start(link)
        first.nodes(3)
        second = self.start(link)
        second.wait_for("is in use by another program")
        first.stop()
        second.nodes(3)


class CommandLineTests(GatewayTestCase):
    def test_help(self) -> None:
        """The options, each said once, by whatever name the program is called."""
        texts = []
        for program, usage in (
            ((*TWISTD, "zbgate"), "Usage: twistd [options] zbgate --serial PORT [options]"),
            (ZBGATE, "Usage: zbgate --serial PORT [options]"),
        ):
            status, output = self.run_program(*program, "--help")
            self.assertEqual(status, 0)
            first, _, rest = output.partition("\n")
            self.assertEqual(first, usage)
            for option in ("serial", "baud", "api-mode", "control", "base-port", "interface"):
                self.assertIn(f"--{option}=", rest)
            self.assertNotIn("Usage:", rest)
            # No text of an option was broken where the source was.
            self.assertNotRegex(rest, r"[a-z,;]   +[a-z]")
            texts.append(rest)
        self.assertEqual(*texts)

    def run_program(self, *arguments: str) -> tuple[int, str]:
        program = Program(*arguments, is_forked=False)
        self.addCleanup(program.stop)
        return program.finish()

    def test_stray_argument(self) -> None:
        """A port without --serial before it is the mistake of everybody who knows serial tools."""
        for program, name, expected in (
            ((*TWISTD, "zbgate"), "twistd zbgate", 1),
            (ZBGATE, "zbgate", CONFIG_ERROR),
        ):
            status, output = self.run_program(*program, "/dev/ttyUSB0")
            self.assertEqual(status, expected)
            (line,) = output.splitlines()
            self.assertTrue(line.startswith(f"{name}: '/dev/ttyUSB0' stands alone"), line)
            self.assertIn("--serial", line)

    def test_reactor(self) -> None:
        """Our own, unless the user names another."""
        for twistd, expected in (
            (("-n",), "zbtwist.runtime.reactor.QuickReactor"),
            (("-n", "--reactor", "poll"), "twisted.internet.pollreactor.PollReactor"),
        ):
            gateway = self.start("sim:kinds=echo:nt=0.2:node_baud=230400", twistd=twistd)
            gateway.nodes(1)
            self.check_stop(gateway, signal.SIGTERM)
            self.assertIn(f"reactor class: {expected}", gateway.output)

    def test_mistakes(self) -> None:
        gateway = self.start("sim:nodes=many", "--baud", "fast")
        status, output = gateway.finish()
        self.assertEqual(status, 1)
        self.assertTrue(output.startswith("twistd zbgate: --"), output)
        self.check_mistakes(gateway, output)


class CommandTests(GatewayTestCase):
    """`zbgate`: the same gateway, without twistd."""

    def test_sim(self) -> None:
        """All there is, and no file is left where it was started."""
        gateway = self.start(QUICK, program=ZBGATE, is_forked=False)
        self.check_everything(gateway)
        self.check_stop(gateway, signal.SIGTERM)
        self.assertEqual(gateway.process.returncode, 0)
        self.assertIn(
            f"] Open http://127.0.0.1:{gateway.control}/ in a browser.",
            gateway.output.splitlines()[0],
        )
        self.assertIn("] zbgate ", gateway.output)

    def test_where_to_look_comes_first(self) -> None:
        """Also where the limit on open files has to be raised, as on most systems."""
        program = """if True:
            import resource
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
            from zbtwist.app.command import main
            main()
        """
        gateway = self.start(QUICK, program=("-c", program))
        gateway.wait_for("in a browser.")
        self.assertIn("in a browser.", gateway.output.splitlines()[0])

    def test_interrupt(self) -> None:
        """It ends as a signal ends a program, so that a shell's loop ends as well."""
        gateway = self.start(QUICK, program=ZBGATE, is_forked=False)
        gateway.nodes(3)
        self.check_stop(gateway, signal.SIGINT)
        self.assertEqual(gateway.process.returncode, -signal.SIGINT)

    def test_reactor(self) -> None:
        program = """if True:
            from zbtwist.app.command import main
            from twisted.internet.base import ReactorBase
            ReactorBase.run = lambda reactor, *_: print(type(reactor))
            main()
        """
        gateway = self.start(QUICK, program=("-c", program))
        self.assertIn("zbtwist.runtime.reactor.QuickReactor", gateway.finish()[1])

    def test_mistakes(self) -> None:
        gateway = self.start("sim:nodes=many", "--baud", "fast", program=ZBGATE, is_forked=False)
        status, output = gateway.finish()
        self.assertEqual(status, CONFIG_ERROR)
        self.assertTrue(output.startswith("zbgate: --"), output)
        self.check_mistakes(gateway, output)

    def test_no_such_option(self) -> None:
        status, output = self.start(
            "sim:", "--bautrate", "9600", program=ZBGATE, is_forked=False
        ).finish()
        self.assertEqual(status, CONFIG_ERROR)
        (line,) = output.splitlines()
        self.assertIn("--bautrate", line)
        self.assertIn("zbgate --help", line)

    def test_plugin_cache_of_others(self) -> None:
        """Where other plugins lie, which are looked into before ours, is nothing of its own."""
        plugins = Path(self.mktemp()).absolute() / "twisted" / "plugins"
        # Not even root can write a file where a directory is.
        (plugins / "dropin.cache" / "full").mkdir(parents=True)
        (plugins / "another_plugin.py").touch()
        program = f"""if True:
            import sys
            sys.path.insert(0, {str(plugins.parents[1])!r})
            from zbtwist.app.command import main
            main()
        """
        gateway = self.start(QUICK, program=("-c", program))
        gateway.nodes(3)
        gateway.stop()
        self.assertNotIn("plugin cache", gateway.output)

    def test_state_that_cannot_be_used(self) -> None:
        """That is no mistake of the configuration: it may be mended, and tried again."""
        gateway = self.start(QUICK, "--state", "/dev/null", program=ZBGATE, is_forked=False)
        status, output = gateway.finish()
        self.assertEqual(status, 1)
        self.assertEqual(output, "zbgate: /dev/null is not a file: name a file with --state.\n")

    def test_state_that_cannot_be_made(self) -> None:
        """It is said once, in words, and by nobody else's name."""
        gateway = self.start(
            QUICK, "--state", "/proc/zbtwist/state", program=ZBGATE, is_forked=False
        )
        status, output = gateway.finish()
        self.assertEqual(status, 1)
        self.assertEqual(output.count("/proc/zbtwist/state"), 1, output)
        self.assertNotIn("twistd", output.splitlines()[-1])
        self.assertNotIn("Errno", output)

    def test_new_state(self) -> None:
        """It is said when it is made, and only then."""
        os.makedirs(directory := os.path.abspath(self.mktemp()))
        state = os.path.join(directory, "zbtwist.sqlite3")
        for expected in (1, 0):
            gateway = self.start(QUICK, "--state", state, program=ZBGATE, is_forked=False)
            gateway.nodes(3)
            gateway.stop()
            said = f"There was no state file {state}"
            self.assertEqual(gateway.output.count(said), expected)
            self.assertEqual(os.stat(state).st_mode & 0o777, 0o600)


class HardWeatherTests(GatewayTestCase):
    """What comes over the whole program from outside."""

    def test_killed(self) -> None:
        """Its clients do not take that for the end of what the node had to say."""
        for program in (None, ZBGATE):
            gateway = self.start(QUICK, program=program)
            port = gateway.nodes(3)["ECHO"]["tcp_port"]
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(b"x")
                self.assertEqual(client.recv(1), b"x")
                gateway.process.kill()
                self.assertRaises(ConnectionResetError, client.recv, 1)
            gateway.finish()

    def test_clock_that_is_set(self) -> None:
        """A stream goes on when the time of the day steps back by an hour, or forward."""
        for program, reactor in (
            ("from zbtwist.app.command import main; main()", ()),
            (
                "from twisted.scripts.twistd import run; run()",
                ("-n", "--reactor", "poll", "zbgate"),
            ),
        ):
            gateway = self.start(QUICK, program=("-c", CLOCK_THAT_IS_SET + program, *reactor))
            port = gateway.nodes(3)["ECHO"]["tcp_port"]
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1):
                    data = os.urandom(10_000)
                    client.sendall(data)
                    received = client.recv(1)
                    gateway.process.send_signal(number)
                    while len(received) < len(data):
                        received += client.recv(65536) or b"CLOSED" * len(data)
                    self.assertEqual(received, data)
            self.assertNotIn("is lost", gateway.output)
            gateway.stop()
