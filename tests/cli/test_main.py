"""zbctl against a small XML-RPC server that gives the documented answers."""

from __future__ import annotations

import ast
import contextlib
import csv
import io
import json
import re
import socket
import socketserver
import ssl
import threading
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from xmlrpc.server import SimpleXMLRPCServer

import trustme
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from rich.cells import cell_len
from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

import zbtwist
from tests.pages import DOCS
from zbtwist.cli import client, doing, following, main, options, settings, tables, watching, words
from zbtwist.cli.options import Command
from zbtwist.control.api import OPERATIONS

ADDRESS = "00:13:a2:00:40:0a:3e:ff"

#: All, those of a group by the words of both.
COMMANDS = {
    f"{before}{name}": command
    for before, group in (("", main.main), ("settings ", settings.settings))
    for name, command in group.commands.items()
    if isinstance(command, Command)
}


def node(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A row of list()."""
    return {
        "addr_extended": f"[00:13:a2:00:40:0a:{number >> 8:02x}:{number & 255:02x}]!",
        "addr_short": "[1234]!",
        "addr_parent": "[fffe]!",
        "type": "router",
        "label": f"E{number}",
        "profile_id": 49413,
        "manufacturer_id": 4126,
        "device_type": "0x00030005",
        "tcp_port": 27000 + number,
        **fields,
    }


class _Server(socketserver.ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True


class CtlTestCase(SynchronousTestCase):
    """Gives each test a server, whose answers are in `answers`, and zbctl."""

    def setUp(self) -> None:
        self.answers: dict[str, Any] = {"list": [node()]}
        self.calls: list[tuple[Any, ...]] = []
        server = _Server(("127.0.0.1", 0), logRequests=False, use_builtin_types=True)
        self.patch(server, "_dispatch", self.dispatch)
        self.serve(server)
        self.port = server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/RPC2"

    def serve(self, server: HTTPServer | SimpleXMLRPCServer) -> None:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)

    def dispatch(self, method: str, arguments: tuple[Any, ...]) -> Any:
        self.calls.append((method, *arguments))
        answer = self.answers[method]
        if callable(answer):
            answer = answer(*arguments)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def zbctl(self, *arguments: str, columns: int | None = 80, url: str | None = None) -> Result:
        """Run it; `columns` None is a pipe."""
        env = {
            "ZBCTL_URL": url or self.url,
            "COLUMNS": str(columns) if columns else None,
            "FORCE_COLOR": None,
            "TTY_COMPATIBLE": None,
        }
        return CliRunner(env=env).invoke(main.main, arguments, prog_name="zbctl")

    def done(self, *arguments: str, **keywords: Any) -> str:
        """Run it well; return what it printed."""
        result = self.zbctl(*arguments, **keywords)
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        return str(result.stdout)

    def failed(self, exit_code: int, *arguments: str, **keywords: Any) -> str:
        """Run it badly; return its one line of reason."""
        result = self.zbctl(*arguments, **keywords)
        self.assertEqual((result.exit_code, result.stdout), (exit_code, ""), result.output)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.assertTrue(result.stderr.startswith("zbctl: "), result.stderr)
        self.assertTrue(result.stderr.endswith(".\n"), result.stderr)
        return str(result.stderr)

    def misused(self, *arguments: str) -> str:
        """Run it with a wrong command line; return the last line of what click says."""
        result = self.zbctl(*arguments)
        self.assertEqual((result.exit_code, result.stdout, self.calls), (2, "", []))
        return str(result.stderr.splitlines()[-1])


class Lists(CtlTestCase):
    """zbctl list, as people and as programs see it."""

    def test_a_node(self) -> None:
        self.answers["list"] = [node(1, label="METER", type="end", state="listening")]
        self.assertEqual(
            self.done("list", columns=70).splitlines(),
            [
                "name   address                   port  state      type  device",
                "METER  00:13:a2:00:40:0a:00:01  27001  listening  end   RS-232 adapter",
            ],
        )

    def test_what_an_older_gateway_does_not_tell_has_no_column(self) -> None:
        heading = self.done("list", columns=200).splitlines()[0]
        self.assertEqual(
            heading.split(), ["name", "address", "port", "type", "device", "short", "parent"]
        )

    def test_a_name_from_the_configuration(self) -> None:
        self.answers["list"] = [node(1, name="Boiler"), node(2, name="")]
        lines = self.done("list", columns=70).splitlines()
        self.assertIn("name    address  ", lines[0])
        self.assertIn("  type    label  device", lines[0])
        self.assertTrue(lines[1].startswith("Boiler  00:13:a2:"), lines[1])
        self.assertIn("  27001  router  E1     RS-232", lines[1])
        self.answers["list"] = [node(1, name="")]
        self.assertNotIn("label", self.done("list", columns=200))

    def test_what_is_not_known(self) -> None:
        self.answers["list"] = [node(1, label="", type="", device_type="", tcp_port=0)]
        line = self.done("list").splitlines()[1]
        self.assertEqual(line.split(), ["-", "00:13:a2:00:40:0a:00:01", "-", "-", "-", "1234", "-"])

    def test_an_unknown_product(self) -> None:
        self.answers["list"] = [node(1, device_type="0x000300ee")]
        self.assertIn(" 0x000300ee ", self.done("list"))

    def test_two_hundred_nodes_in_eighty_columns(self) -> None:
        states = ["listening", "taken", "none", "unbound"]
        self.answers["list"] = [
            node(
                number,
                label=f"Node {number} of the long hall"[: number % 20],
                type=["router", "end", "coordinator"][number % 3],
                device_type=f"0x000300{number % 18:02x}",
                state=states[number % 4],
                last_seen=time.time() - number,
            )
            for number in range(200)
        ]
        lines = self.done("list").splitlines()
        self.assertEqual(len(lines), 201)
        self.assertLessEqual(max(map(cell_len, lines)), 80)
        for number, line in enumerate(lines[1:]):
            self.assertIn(f"00:13:a2:00:40:0a:00:{number:02x}  ", line)
            self.assertIn(f" {27000 + number} ", line)
            self.assertIn(f" {states[number % 4]} ", line)

    def test_a_pipe_gets_it_all(self) -> None:
        label = "温" * 100
        self.answers["list"] = [node(1, label=label, last_seen=time.time() - 7200)]
        output = self.done("list", columns=None)
        self.assertIn(label, output)
        self.assertIn(" 2 h ago ", output)
        self.assertEqual(output.count("\n"), 2)

    def test_names_from_the_air_do_nothing(self) -> None:
        self.answers["list"] = [node(1, label="[red]x[/]\x9b1m:boom:\u202e\n")]
        self.assertIn("[red]x[/]?1m:boom:? ", self.done("list", columns=200))

    def test_why_nodes_have_no_port(self) -> None:
        sentence = "Port 27001 belongs to another program; stop it."
        row = node(1, state="taken", state_text=sentence)
        self.answers["list"] = [row]
        self.assertEqual(self.done("list").splitlines()[2:], [f"E1: {sentence}"])
        self.answers["list"] = [row] * 15
        lines = self.done("list").splitlines()
        self.assertEqual(len(lines), 1 + 15 + 10 + 1)
        self.assertIn("5 more", lines[-1])

    def test_no_nodes(self) -> None:
        self.answers["list"] = []
        self.assertIn("zbctl discover", self.done("list"))
        self.assertEqual(json.loads(self.done("list", "--json")), [])

    def test_json_is_what_the_gateway_answered(self) -> None:
        self.answers["list"] = [node(1, label="Küche\x9b", more=[1.5, True])]
        for arguments in (("list", "--json"), ("--json", "list")):
            self.assertEqual(json.loads(self.done(*arguments)), self.answers["list"])

    def test_only_problems(self) -> None:
        why = "Does not answer since 01:00:12: 3 packets got no acknowledgement."
        self.answers["list"] = [
            node(1, state="listening", health="ok", health_text="It says something every 2 s."),
            node(2, state="listening", health="not-answering", health_text=why),
            node(3, state="taken", state_text="Port 27003 is taken; stop it."),
        ]
        shown = self.done("list", "--problems")
        self.assertNotIn("E1 ", shown)
        self.assertEqual(shown.splitlines()[-2], f"E2: {why}")
        self.assertEqual(len(json.loads(self.done("list", "--problems", "--json"))), 2)
        self.answers["list"] = [node(1, state="listening", health="ok")]
        self.assertEqual(self.done("list", "--problems"), "All nodes are as they should be.\n")

    def order(self, column: str) -> list[str]:
        return [row["label"] for row in json.loads(self.done("list", "--json", "--sort", column))]

    def test_sorted(self) -> None:
        """Blanks are last, whichever column it is."""
        self.answers["list"] = [
            node(10, health="ok", state="listening", signal=40, hops=2, lost=0.0, last_seen=5.0),
            node(
                2, health="losing", state="listening", signal=80, hops=-1, lost=7.0, last_seen=9.0
            ),
            node(3, label="", tcp_port=0, state="none", signal=0, hops=1, lost=1.0, last_seen=0.0),
        ]
        for column, order in (
            ("name", ["E2", "E10", ""]),
            ("label", ["E2", "E10", ""]),
            ("port", ["E2", "E10", ""]),
            ("state", ["", "E2", "E10"]),
            ("signal", ["E2", "E10", ""]),
            ("hops", ["", "E10", "E2"]),
            ("lost", ["E2", "", "E10"]),
            ("heard", ["E2", "E10", ""]),
            ("address", ["E2", "", "E10"]),
        ):
            self.assertEqual(self.order(column), order, column)
        for column in ("type", "device"):
            self.assertEqual(self.order(column), ["E10", "E2", ""], column)
        self.assertIn("color", self.misused_after_calls("list", "--sort", "color"))

    def misused_after_calls(self, *arguments: str) -> str:
        self.calls.clear()
        return self.misused(*arguments)

    def test_a_table_to_take_away(self) -> None:
        self.answers["list"] = [
            node(1, label='=SUM(A1),"x"', state="listening", health="weak", health_text="It is so.")
            | {"signal": 85, "hops": 2, "lost": 123456.0, "last_seen": 1795000000.0},
            node(2, label="Küche", tcp_port=0, state="none", hops=-1)
            | {"addr_short": "[fffe]!", "addr_parent": "[fffe]!"},
        ]
        first, *rows = csv.reader(io.StringIO(self.done("list", "--csv")))
        self.assertEqual(first[:5], ["name", "address", "port", "state", "why"])
        one, two = (dict(zip(first, row)) for row in rows)
        self.assertEqual(one["name"], '\'=SUM(A1),"x"')
        self.assertEqual(
            [one[key] for key in ("port", "state", "why", "signal", "hops", "lost")],
            ["27001", "weak", "It is so.", "-85", "2", "123456"],
        )
        self.assertTrue(one["last heard"].startswith("2026-"), one["last heard"])
        self.assertEqual(
            [two[key] for key in ("name", "port", "signal", "hops", "last heard")],
            ["Küche", "", "", "", ""],
        )
        # What stands for no address is none.
        self.assertEqual(
            [[row[key] for key in ("short", "parent")] for row in (one, two)],
            [["1234", ""], ["", ""]],
        )
        for arguments in (("--csv", "--json"), ("--waiting", "--csv"), ("--waiting", "--problems")):
            self.misused_after_calls("list", *arguments)


class Fitting(SynchronousTestCase):
    """Which columns a terminal gets."""

    COLUMNS = (
        tables.Column("name", lambda row: row["name"], 0, least=4),
        tables.Column("extra", lambda row: row["extra"], 2),
        tables.Column("port", lambda row: row["port"], 1),
    )
    ROWS = ({"name": "longest", "extra": "123456", "port": "1"},)

    def widths(self, width: int) -> dict[str, int]:
        return {c.heading: size for c, size, _ in tables.fit(self.COLUMNS, self.ROWS, width)}

    def test_all(self) -> None:
        self.assertEqual(self.widths(1000), {"name": 7, "extra": 6, "port": 4})
        self.assertEqual(self.widths(21), {"name": 7, "extra": 6, "port": 4})

    def test_cut(self) -> None:
        self.assertEqual(self.widths(20), {"name": 6, "extra": 6, "port": 4})
        self.assertEqual(self.widths(18), {"name": 4, "extra": 6, "port": 4})

    def test_left_out(self) -> None:
        self.assertEqual(self.widths(17), {"name": 7, "port": 4})
        self.assertEqual(self.widths(10), {"name": 4, "port": 4})
        self.assertEqual(self.widths(9), {"name": 7})
        self.assertEqual(self.widths(1), {"name": 4})

    def test_one_that_leaves_room_for_others(self) -> None:
        """It gets what it wants when they have what they want."""
        long, other = "1234567890", "abcdefgh"
        columns = (
            tables.Column("a", lambda row: long, 0, least=2, most=4),
            tables.Column("b", lambda row: other, 1, least=2),
        )
        for width, widths in ((8, [4, 2]), (14, [4, 8]), (16, [6, 8]), (99, [10, 8])):
            fitted = tables.fit(columns, [{}], width)
            self.assertEqual([size for _, size, _ in fitted], widths, width)

    def test_what_is_cut_ends_with_an_ellipsis(self) -> None:
        output = io.StringIO()
        tables.show_table(Console(file=output, width=18), self.COLUMNS, self.ROWS)
        self.assertEqual(
            output.getvalue().splitlines(),
            ["name  extra   port", "lon…  123456  1"],
        )


class Commands(CtlTestCase):
    """What each command asks of the gateway, and what it says."""

    def test_discover(self) -> None:
        self.answers["discover"] = [node(7)]
        self.assertIn("E7 ", self.done("discover"))
        self.assertEqual(json.loads(self.done("discover", "--json")), [node(7)])

    def test_who_did_not_answer(self) -> None:
        self.answers["discover"] = [node(1), node(2, missed_search=True, name="Küche")]
        self.assertTrue(self.done("discover").endswith("\n1 known node did not answer: Küche.\n"))
        self.answers["discover"] = [node(number, missed_search=True) for number in range(12)]
        last = self.done("discover").splitlines()[-1]
        self.assertTrue(last.startswith("12 known nodes did not answer: E0, E1, "), last)
        self.assertTrue(last.endswith(" E9 and 2 more."), last)

    def test_clients(self) -> None:
        client = {"peer": "10.0.0.7:50312", "seconds": 90.0, "unsent": 12345.0, "ended": True}
        self.answers["clients"] = [client]
        self.assertRegex(
            self.done("clients", "E1"), r"\n10\.0\.0\.7:50312 +2 min +12345  writes no more\n$"
        )
        client |= {"ended": False, "writes": False, "ignored": 42.0}
        self.assertRegex(self.done("clients", "E1"), r" +12345 +42  may only listen\n$")
        self.answers["clients"] = []
        self.assertEqual(self.done("clients", "E1"), "E1 has no client.\n")
        self.answers["disconnect"] = True
        self.assertIn("is disconnected", self.done("disconnect", "10.0.0.7:50312"))
        self.assertEqual(self.calls[-1], ("disconnect", "10.0.0.7:50312"))

    def test_show(self) -> None:
        counters = dict.fromkeys(("bytes_in", "packets_in", "bytes_unread", "bytes_out"), 5.0)
        row = node(
            1,
            state="listening",
            health="not-answering",
            why="Does not answer since 01:00:12.",
            since=1795000000.0,
            device="RS-232 adapter",
            signal=61,
            hops=3,
            route=[
                {"label": "E2", "name": "", "signal": 50},
                {"addr_short": "[abcd]!", "signal": 0},
            ],
            has_temperature=True,
            temperature=21.5,
            stats=counters,
            clients=[{"peer": "10.0.0.7:50312", "seconds": 5.0, "unsent": 3.0, "ended": True}],
            pins=[{"name": "DIO1", "text": "high", "mode": "digital output, high", "pin": "D1"}],
            settings_read=1795000000.0,
            unwritten=["D1"],
            test={"began": 1795000000.0, "text": "10 of 10 packets came back."},
            events=[{"seq": 7, "time": 1795000000.0, "level": "warn", "text": "It went."}],
            missed_search=True,
            queued=17.0,
            kept=4.0,
            neighbours={
                "at": 1795000000.0,
                "neighbours": [{"label": "E3", "lqi": 90}, {"label": "E2", "lqi": 200}],
            },
        )
        self.answers["show"] = row
        shown = self.done("show", "E1", columns=200)
        for line in (
            r"^E1 \(00:13:a2:00:40:0a:00:01\)$",
            r"^state +not answering since 2026-",
            r"^why +Does not answer since 01:00:12\.$",
            r"^port +27001$",
            r"^type +router, RS-232 adapter$",
            r"^search +it did not answer the last one$",
            r"^signal +-61 dBm$",
            r"^route +3 hops, by E2 \(-50 dBm\), abcd$",
            r"^hears +E2 \(200\), E3 \(90\), as it told .* ago$",
            r"^temperature +21\.5 °C$",
            r"^from it +5 bytes in 5 packets; 5 of them unread$",
            r"^to it +5 bytes in 0 packets; 0 sent again, 0 given up, 0 bytes lost$",
            r"^queued +17 bytes for it$",
            r"^client +10\.0\.0\.7:50312, for 5 s, 3 bytes wait for it, it writes no more$",
            r"^not in flash +D1$",
            r"^last test +2026-.*: 10 of 10 packets came back\.$",
            r"^DIO1 +D1 +high +digital output, high",
            r"^ +7 .*warn +It went\.$",
        ):
            self.assertRegex(shown, f"(?m){line}")
        self.assertEqual(json.loads(self.done("show", "E1", "--json")), row)
        self.answers["show"] = node(2)
        self.assertNotIn("Lines", self.done("show", "E2"))

    def test_temperatures(self) -> None:
        self.answers["get_temperatures"] = [
            {"addr_extended": f"[{ADDRESS}]!", "label": "HALL", "temperature": -3.25}
        ]
        lines = self.done("temperatures").splitlines()
        self.assertEqual(lines[1].split(), ["HALL", ADDRESS, "-3.2"])
        self.answers["get_temperatures"] = []
        self.assertEqual(self.done("temperatures"), "No node told a temperature.\n")

    def test_values(self) -> None:
        readings: list[dict[str, object]] = [
            {"name": "ch1_current", "value": 2.5, "unit": "A", "at": time.time()},
            {"name": "ch1_power", "value": 1872.5, "unit": "W", "at": time.time()},
            {"name": "door", "value": True, "unit": "", "at": time.time()},
            {"name": "line", "value": "hello", "unit": "", "at": time.time()},
        ]
        self.answers["values"] = [{**node(label="METER", name=""), **each} for each in readings]
        for row, reading in zip(self.answers["values"], readings):
            row["node"] = ""
            row["name"] = reading["name"]
        lines = self.done("values").splitlines()
        self.assertRegex(lines[0], "^name +value of +value +heard +address$")
        self.assertRegex(lines[2], "^METER +ch1_power +1872.5 W +\\d s ago +00:13")
        self.assertRegex(lines[3], "^METER +door +yes ")
        self.answers["values"] = []
        self.assertEqual(self.done("values"), "No node has told a value.\n")
        self.answers["list"] = [node(values=readings), node(label="B", values=readings[2:])]
        lines = self.zbctl("list", columns=200).output.splitlines()
        self.assertTrue(lines[0].endswith("values"))
        self.assertTrue(lines[1].endswith("  ch1_power 1872.5 W"))
        self.assertTrue(lines[2].endswith("  door yes, line hello"))

    def test_all_digits_of_a_value(self) -> None:
        """A meter's counter grows by its last ones."""
        for value, text in (
            (305419.896188, "305419.896188 kWh"),
            (0.000028, "0.000028 kWh"),
            (-1e-6, "-0.000001 kWh"),
            (40.0, "40 kWh"),
            (7, "7 kWh"),
            (2.0**53, "9007199254740992 kWh"),
            (1.5e17, "150000000000000000 kWh"),
            (1e300, "1e+300 kWh"),
            (1e-300, "1e-300 kWh"),
            (0.0, "0 kWh"),
        ):
            reading = {"name": "ch1_energy", "value": value, "unit": "kWh", "at": time.time()}
            self.answers["list"] = [node(values=[reading])]
            lines = self.zbctl("list", columns=200).output.splitlines()
            self.assertTrue(lines[1].endswith(f"  ch1_energy {text}"), lines[1])
            self.answers["values"] = [{**node(), **reading, "node": ""}]
            self.assertIn(f" {text} ", self.done("values").splitlines()[1])

    def test_status(self) -> None:
        self.answers["status"] = {
            "version": "0.2",
            "uptime": 7300.0,
            "link": "down",
            "link_text": "It is unplugged.",
            "address": "",
            "nodes": 3,
            "problems": 0,
            "health": {"not-answering": 1, "losing": 0, "ok": 2},
        }
        self.assertEqual(
            self.done("status").splitlines(),
            [
                "version        0.2",
                "uptime         2 h",
                "link           down",
                "link text      It is unplugged.",
                "nodes          3",
                # How they are stands beside it: it is no contradiction.
                "port problems  0",
                "health         1 not answering, 2 ok",
            ],
        )

    def test_status_of_a_broker(self) -> None:
        mqtt: dict[str, object] = {
            "broker": "h:1883",
            "site": "home",
            "connected": True,
            "reason": "",
            "published": 1234.0,
            "dropped": 0.0,
        }
        self.answers["status"] = {"link": "up", "mqtt": mqtt}
        self.assertIn("mqtt  h:1883, as home (1,234 published)\n", self.done("status"))
        mqtt["published"] = 0.0
        self.assertIn("mqtt  h:1883, as home\n", self.done("status"))
        mqtt.update(connected=False, reason="It is away.")
        self.assertIn("mqtt  It is away.\n", self.done("status"))
        self.answers["status"] = {"link": "up", "mqtt": {}}
        self.assertNotIn("mqtt", self.done("status"))

    def test_status_of_the_broadcast_port(self) -> None:
        port: dict[str, object] = {
            "endpoint": "27900",
            "state": "listening",
            "reason": "",
            "clients": 1,
            "bytes_out": 1234.0,
            "bytes_lost": 5.0,
        }
        self.answers["status"] = {"link": "up", "broadcast": port}
        self.assertIn(
            "broadcast  27900 (1 client, 1,234 bytes sent, 5 bytes lost)\n", self.done("status")
        )
        port.update(clients=2, bytes_out=0.0, bytes_lost=0.0)
        self.assertIn("broadcast  27900 (2 clients)\n", self.done("status"))
        port.update(state="taken", reason="")
        self.assertIn("broadcast  27900, taken\n", self.done("status"))
        port["reason"] = "27900 does not open: another program has it."
        self.assertIn(f"broadcast  {port['reason']}\n", self.done("status"))
        self.answers["status"] = {"link": "up", "broadcast": {}}
        self.assertNotIn("broadcast", self.done("status"))

    def test_bind_one(self) -> None:
        self.answers["create_mapping"] = True
        self.assertEqual(self.done("bind", "E2", "27005"), "E2 has port 27005 now.\n")
        self.assertEqual(self.calls, [("create_mapping", "E2", 27005)])

    def test_bind_many(self) -> None:
        self.answers["bind_using_list"] = True
        output = self.done("bind", ADDRESS, "27005", "E2", "27006")
        self.assertEqual(output, f"{ADDRESS} has port 27005 now.\nE2 has port 27006 now.\n")
        self.assertEqual(self.calls, [("bind_using_list", [[ADDRESS, 27005], ["E2", 27006]])])
        self.assertEqual(self.done("bind", "a", "1", "b", "2", "--json"), "true\n")

    def test_bind_wrongly(self) -> None:
        self.assertIn("'E3' has none", self.misused("bind", "E2", "27005", "E3"))
        for port in ("0", "65536", "x", "1.5", "٣", "9" * 5000):
            self.assertIn("from 1 to 65535", self.misused("bind", "E2", port)[:200])
        self.assertIn("NODE PORT", self.misused("bind"))

    def test_unbind(self) -> None:
        self.answers["remove_mapping"] = True
        self.assertEqual(self.done("unbind", "E2"), "E2 has no port now.\n")
        self.assertEqual(self.calls, [("remove_mapping", "E2")])

    def test_accept(self) -> None:
        self.answers["accept"] = True
        self.assertEqual(self.done("accept", ADDRESS), f"{ADDRESS} is let in.\n")
        self.assertEqual(self.calls, [("accept", ADDRESS)])

    def test_waiting(self) -> None:
        self.answers["waiting"] = []
        self.assertEqual(self.done("list", "--waiting"), "Nobody waits to be let in.\n")
        row = {
            "addr_extended": f"[{ADDRESS}]!",
            "label": "E1",
            "answered": True,
            "packets": 3.0,
            "bytes_in": 12.0,
            "state_text": "It waits.",
        }
        self.answers["waiting"] = [row]
        lines = self.done("list", "--waiting").splitlines()
        self.assertEqual(
            lines[0].split(),
            ["name", "address", "answered", "heard", "why", "type", "bytes", "short"],
        )
        self.assertEqual(lines[1].split()[:4], ["E1", ADDRESS, "yes", "3"])

    def test_forget(self) -> None:
        self.answers["forget"] = True
        self.assertEqual(
            self.done("forget", "E2"), "E2 is forgotten. If it is heard again, it is a new node.\n"
        )
        self.answers["forget_silent"] = [f"[{ADDRESS}]!"]
        self.assertEqual(
            self.done("forget", "--silent-for", "30"), f"{ADDRESS}\n1 node is forgotten.\n"
        )
        self.answers["forget_silent"] = []
        self.assertEqual(self.done("forget", "--silent-for", "30"), "0 nodes are forgotten.\n")
        self.assertEqual(
            self.calls, [("forget", "E2"), ("forget_silent", 30.0), ("forget_silent", 30.0)]
        )

    def test_forget_nobody_or_both(self) -> None:
        for arguments in ((), ("E2", "--silent-for", "30")):
            self.assertIn("Write a NODE", self.misused("forget", *arguments))

    def test_rename(self) -> None:
        self.answers["rename"] = True
        self.assertEqual(self.done("rename", "E2", "Küche"), "E2 is called Küche now.\n")
        self.assertEqual(self.calls, [("rename", "E2", "Küche")])

    def test_told(self) -> None:
        for command, said in (
            ("restart", "E2 restarts."),
            ("identify", "E2 says who it is."),
            ("leave", "E2 leaves the network."),
        ):
            self.answers[command] = True
            self.assertEqual(self.done(command, "E2"), f"{said}\n")
            self.assertEqual(self.done(command, "E2", "--json"), "true\n")
            self.assertEqual(self.calls, [(command, "E2")] * 2)
            self.calls.clear()

    def test_permit_join(self) -> None:
        self.answers["permit_join"] = lambda seconds: {"seconds": seconds, "always": False}
        self.assertEqual(self.done("permit-join"), "Nodes may join for 60 s.\n")
        self.assertEqual(self.done("permit-join", "0"), "No node may join at the radio now.\n")
        self.answers["permit_join"] = {"seconds": 0, "always": True}
        self.assertIn("at all times", self.done("permit-join", "5"))
        self.assertEqual(self.calls, [("permit_join", seconds) for seconds in (60, 0, 5)])
        self.calls.clear()
        self.misused("permit-join", "255")

    def test_test(self) -> None:
        self.answers["test"] = {
            "sent": 10,
            "delivered": 9,
            "received": 8,
            "retries": 3,
            "fastest": 20.4,
            "average": 33.3,
            "slowest": 80.0,
            "signal": 71,
            "weakest": 75,
            "signal_there": 0,
            "text": "8 of 10 packets came back.",
        }
        self.assertEqual(
            self.done("test", "E2").splitlines(),
            [
                "8 of 10 packets came back.",
                "lost 20 %; arrived 9, retries 3",
                "there and back: 20 / 33 / 80 ms (least, average, most)",
                "signal of the last hop: here -71 dBm, weakest -75 dBm",
            ],
        )
        self.done("test", "E2", "--count", "3", "--size", "84")
        self.assertEqual(self.calls, [("test", "E2", 10, 64), ("test", "E2", 3, 84)])
        self.answers["test"] = {"sent": 0, "text": "Gone."}
        self.assertEqual(self.done("test", "E2"), "Gone.\n")
        self.calls.clear()
        self.answers["end_test"] = {"began": 1795000000.0, "sent": 0, "text": "It was ended."}
        self.assertEqual(self.done("test", "E2", "--end"), "It was ended.\n")
        self.answers["end_test"] = {"began": 0.0, "sent": 0, "text": ""}
        self.assertEqual(self.done("test", "E2", "--end"), "E2 was never tested.\n")
        self.assertEqual(self.calls, [("end_test", "E2")] * 2)
        self.calls.clear()
        self.misused("test", "E2", "--count", "0")
        self.misused("test", "E2", "--size", "85")

    def test_neighbours_of_one(self) -> None:
        row = {
            "neighbours": [
                {"addr_extended": "[00:01]!", "label": "E3", "lqi": 90, "relationship": "child"},
                {"addr_extended": "[00:02]!", "label": "", "lqi": 200, "type": "router"},
            ],
            "routes": [
                {"addr_short": "[0000]!", "next_hop": "[7d84]!", "state": "active"},
                {"addr_short": "[1111]!", "next_hop": "[7d84]!", "state": "inactive"},
            ],
        }
        self.answers["neighbours"] = row
        heading, first, second, routes = self.done("neighbours", "E2").splitlines()
        self.assertEqual(heading.split(), ["hears", "address", "lqi", "type", "is", "its", "short"])
        self.assertEqual(first.split()[:3], ["-", "00:02", "200"])
        self.assertEqual(second.split(), ["E3", "00:01", "90", "-", "child", "-"])
        self.assertEqual(routes, "It knows routes to 0000 by 7d84.")
        self.assertEqual(json.loads(self.done("neighbours", "radio", "--json")), row)
        self.answers["neighbours"] = {}
        self.assertEqual(self.done("neighbours", "E2"), "E2 hears nobody.\n")
        self.assertEqual(
            self.calls, [("neighbours", "E2"), ("neighbours", ""), ("neighbours", "E2")]
        )

    def test_neighbours_of_all(self) -> None:
        now = time.time()
        self.answers["links"] = {
            "running": True,
            "pause": 60.0,
            "text": "1 of 3 modules were asked, 1 have told.",
            "links": [
                {"addr_extended": "[a]!", "neighbour": "[b]!", "lqi": 100, "at": now},
                {"addr_extended": "[b]!", "neighbour": "[a]!", "lqi": 90, "at": now},
                {"addr_extended": "[a]!", "neighbour": "[c]!", "lqi": 200, "at": now},
            ],
        }
        self.answers["list"] = [{"addr_extended": "[a]!", "label": "A1"}]
        lines = [line.split() for line in self.done("neighbours").splitlines()]
        self.assertEqual(lines[0], ["who", "hears", "lqi", "back", "told"])
        self.assertEqual(lines[1][:4], ["A1", "c", "200", "-"])
        self.assertEqual(lines[2][:4], ["A1", "b", "100", "90"])
        self.assertEqual(lines[3][:4], ["b", "A1", "90", "100"])
        self.assertEqual(" ".join(lines[4]), "1 of 3 modules were asked, 1 have told.")
        self.assertEqual(" ".join(lines[5]), "One question in 1 min.")
        self.answers["links"] = {"running": False, "text": "", "links": []}
        self.assertIn("--walk asks all", self.done("neighbours"))

    def test_walk(self) -> None:
        self.answers["list"] = []
        self.answers["walk"] = {"running": True, "pause": 0.5, "text": "0 of 3.", "links": []}
        self.answers["end_walk"] = {"running": False, "text": "1 of 3.", "links": []}
        self.assertEqual(self.done("neighbours", "--walk"), "0 of 3.\nOne question in 0.5 s.\n")
        self.done("neighbours", "--walk", "--pause", "0.5")
        self.assertEqual(self.done("neighbours", "--end"), "1 of 3.\n")
        self.done("neighbours", "--end", "--json")
        self.assertEqual(
            self.calls,
            [
                ("walk",),
                ("list",),
                ("walk", 0.5),
                ("list",),
                ("end_walk",),
                ("list",),
                ("end_walk",),
            ],
        )
        self.calls.clear()
        self.misused("neighbours", "--walk", "--end")
        self.misused("neighbours", "E2", "--walk")
        self.misused("neighbours", "--pause", "5")
        self.misused("neighbours", "--walk", "--pause", "0")

    def test_lines(self) -> None:
        rows = [
            {
                "pin": "D1",
                "name": "AD1",
                "text": "612 mV",
                "mode": "analog input",
                "at": time.time() - 5,
            },
            {"pin": "", "name": "supply", "text": "", "mode": "supply voltage", "at": 0.0},
        ]
        self.answers["sample"] = self.answers["pins"] = rows
        expected = [
            "line    pin   value  set up as        read",
            "AD1     D1   612 mV  analog input  5 s ago",
            "supply  -         -  supply voltage      -",
        ]
        for more in ((), ("--known",)):
            # A second may have gone by.
            shown = self.done("io", "E2", *more).replace("6 s ago", "5 s ago").splitlines()
            self.assertEqual([line.split() for line in shown], [line.split() for line in expected])
        self.assertEqual(json.loads(self.done("io", "E2", "--json"))[0]["text"], "612 mV")
        self.assertEqual(self.calls, [("sample", "E2"), ("pins", "E2"), ("sample", "E2")])
        self.answers["sample"] = self.answers["pins"] = []
        self.assertEqual(self.done("io", "E2"), "No line is an input or output of E2.\n")
        self.assertEqual(self.done("io", "E2", "--known"), "Nothing is known of E2.\n")

    def test_setting_a_line(self) -> None:
        self.answers["set_pin"] = {"name": "DIO1", "text": "high"}
        self.assertEqual(self.done("io", "E2", "D1", "high"), "DIO1 of E2 is high now.\n")
        self.done("io", "E2", "D1", "low", "--make-output")
        self.assertEqual(
            self.calls, [("set_pin", "E2", "D1", "high"), ("set_pin", "E2", "D1", "low", True)]
        )
        self.calls.clear()
        self.assertIn("high or low after D1", self.misused("io", "E2", "D1"))
        self.misused("io", "E2", "D1", "maybe")

    def test_text_that_cannot_be_sent(self) -> None:
        for arguments in (
            ("rename", "E2", "a\x07"),
            ("rename", "\x1b", "a"),
            ("rename", "E2", "a\udcff"),
            ("at", "E2", "NI", "a\nb"),
        ):
            self.assertIn("cannot be sent", self.misused(*arguments))

    def test_stats(self) -> None:
        self.answers["stats"] = [
            {
                "addr_extended": f"[{ADDRESS}]!",
                "label": "",
                "tcp_port": 27001,
                "bytes_in": 9999.0,
                "bytes_out": 123456789.0,
                "bytes_lost": 0.0,
                "clients": 2,
                "last_seen": time.time() - 7300,
                "failures": 10000.0,
            }
        ]
        lines = self.done("stats").splitlines()
        self.assertEqual(
            lines[1].split(), [ADDRESS, "27001", "2", "9999", "123456789", "0", "2", "h", "ago"]
        )
        self.assertIn("failures", self.done("stats", columns=200))
        self.assertEqual(json.loads(self.done("stats", "--json")), self.answers["stats"])

    def test_stats_to_take_away(self) -> None:
        """Numbers in full, none left out, and a nought where there is nothing."""
        row = node(1, label="Küche", bytes_in=123456789.0, bytes_lost=0.0, last_seen=1795000000.0)
        self.answers["stats"] = [row]
        first, one = csv.reader(io.StringIO(self.done("stats", "--csv")))
        self.assertEqual(
            ",".join(first),
            "name,address,port,clients,bytes in,bytes out,packets in,packets out,lost,failures,"
            "retries,unread,last heard",
        )
        told = dict(zip(first, one))
        self.assertEqual(
            [told[key] for key in ("name", "port", "bytes in", "lost", "clients")],
            ["Küche", "27001", "123456789", "0", "0"],
        )
        self.assertTrue(told["last heard"].startswith("2026-"), told["last heard"])
        self.calls.clear()
        self.misused("stats", "--csv", "--json")

    def test_amounts(self) -> None:
        show = words.amount("x")
        for value, text in (
            (0, "0"),
            (9999.0, "9999"),
            (10000.0, "10k"),
            (12345.0, "12.3k"),
            (99940.0, "99.9k"),
            (99960.0, "100k"),
            (999499.0, "999k"),
            (999500.0, "1M"),
            (1.5e9, "1.5G"),
            (9.99e20, "999000P"),
        ):
            self.assertEqual(show({"x": value}), text)

    def test_how_long_ago(self) -> None:
        now = time.time()
        for seconds, text in (
            (-100, "0 s ago"),
            (40, "40 s ago"),
            (180, "3 min ago"),
            (7300, "2 h ago"),
            (5 * 86400, "5 d ago"),
        ):
            self.assertEqual(words.last_seen({"last_seen": now - seconds}), text)
        self.assertEqual(words.last_seen({"last_seen": 0.0}), "never")


class ATCommands(CtlTestCase):
    def test_values(self) -> None:
        self.answers["at"] = ""
        for text, value in (
            ("60", 60),
            ("0x3C", 60),
            ("hex:0011ff", b"\x00\x11\xff"),
            ("hex:", b""),
            ("text:42", "42"),
            ("text:hex:00", "hex:00"),
            ("Küche", "Küche"),
            ("a:b", "a:b"),
            ("", ""),
            ("0x7fffffff", 2**31 - 1),
            # These do not fit an XML-RPC integer.
            ("0x80000000", b"\x80\x00\x00\x00"),
        ):
            self.assertEqual(self.done("at", "E2", "dl", text), "OK\n")
            self.assertEqual(self.calls.pop(), ("at", "E2", "DL", value))
        self.done("at", "", "ID", "0x0123456789abcdef", "--yes")
        self.assertEqual(self.calls.pop()[3], bytes.fromhex("0123456789abcdef"))

    def test_reading(self) -> None:
        self.answers["at"] = "E2"
        self.assertEqual(self.done("at", "E2", "ni"), "E2\n")
        self.assertEqual(self.calls, [("at", "E2", "NI")])

    def test_the_local_radio(self) -> None:
        self.answers["at"] = 60
        for name in ("radio", ""):
            self.done("at", name, "NT")
            self.assertEqual(self.calls.pop(), ("at", "", "NT"))

    def test_answers(self) -> None:
        for answer, line, value in (
            (60, "60  0x3c", {"type": "int", "value": 60}),
            (-5, "-5  -0x5", {"type": "int", "value": -5}),
            (2.0**32, "4294967296  0x100000000", {"type": "int", "value": 2**32}),
            (b"\x00\xff", "00ff", {"type": "bytes", "value": "00ff"}),
            ("a\x9b", "a?", {"type": "string", "value": "a\x9b"}),
            ("", "OK", {"type": "string", "value": ""}),
        ):
            self.answers["at"] = answer
            self.assertEqual(self.done("at", "E2", "XX"), f"{line}\n")
            self.assertEqual(json.loads(self.done("at", "E2", "XX", "--json")), value)

    def test_values_that_are_none(self) -> None:
        self.assertIn("hexadecimal digits", self.misused("at", "E2", "XX", "hex:0"))
        self.assertIn("5000 digits", self.misused("at", "E2", "XX", "9" * 5000))
        self.assertIn(
            "NT takes a number, 0 to 0xff, and", self.misused("at", "E2", "NT", "9999999999")
        )


class TracesTestCase(CtlTestCase):
    def event(self, seq: int, level: str = "info", text: str = "It began.") -> dict[str, Any]:
        return {"seq": seq, "time": 1795000000.5, "level": level, "text": text}

    def frame(self, seq: int) -> dict[str, Any]:
        return {**self.event(seq, "debug", "sent x"), "kind": "frame"}


class Traces(TracesTestCase):
    """zbctl trace."""

    def test_events(self) -> None:
        self.answers["trace"] = [self.event(1), self.event(2, "warn", "[b]" + "x" * 200)]
        lines = self.done("trace").splitlines()
        moment = f"{datetime.fromtimestamp(1795000000.5):%Y-%m-%d %H:%M:%S}"
        self.assertEqual(
            lines,
            [
                f"    1  {moment}  info      It began.",
                f"    2  {moment}  warn      [b]{'x' * 200}",
            ],
        )
        self.assertEqual(self.calls, [("trace", 0)])
        self.assertEqual(json.loads(self.done("trace", "--json")), self.answers["trace"])

    def test_a_time_that_is_none(self) -> None:
        self.answers["trace"] = [{**self.event(1), "time": 1e300}]
        self.assertIn("at no known time", self.done("trace"))

    def test_since(self) -> None:
        self.answers["trace"] = [self.event(8)]
        self.done("trace", "--since", "7")
        self.assertEqual(self.calls, [("trace", 7)])

    def test_what_is_forgotten_is_said(self) -> None:
        self.answers["trace"] = [self.event(8)]
        result = self.zbctl("trace", "--since", "5")
        self.assertEqual(result.exit_code, 0)
        self.assertEqual(result.stderr, "zbctl: 2 events before these are forgotten.\n")
        self.assertEqual(self.zbctl("trace").stderr, "", "nobody asked for those")
        result = self.zbctl("trace", "--since", "8")
        self.assertEqual(result.stderr, "zbctl: the gateway was restarted.\n")

    def test_frames(self) -> None:
        self.answers["trace"] = [{**self.event(1), "kind": "log"}, self.frame(2), self.frame(5)]
        result = self.zbctl("trace")
        self.assertIn("  frame     sent x", result.stdout.splitlines()[1])
        self.assertEqual(result.stderr, "zbctl: 2 events among these are forgotten.\n")
        for only, count in (("log", 1), ("frames", 2)):
            shown = self.zbctl("trace", "--only", only)
            self.assertEqual(len(shown.stdout.splitlines()), count)
            self.assertEqual(len(json.loads(self.done("trace", "--json", "--only", only))), count)

    def test_tracing_is_switched(self) -> None:
        node = f"[{ADDRESS}]!"
        for arguments, call, answer, sentence in (
            (("on",), (True,), (True, []), "of all nodes are traced now"),
            (("off",), (False,), (False, []), "No frames are traced now."),
            (("on", "E2"), (True, "E2"), (False, [node]), f"of {ADDRESS} are traced now"),
            (("off", "E2"), (False, "E2"), (False, [node] * 5), "of 5 nodes ("),
        ):
            self.answers["frames"] = {"all": answer[0], "nodes": answer[1], "file": ""}
            self.calls.clear()
            self.assertIn(sentence, self.done("trace", "--frames", *arguments))
            self.assertEqual(self.calls, [("frames", *call)])
            said = json.loads(self.done("trace", "--json", "--frames", *arguments))
            self.assertEqual(said, self.answers["frames"])

    def test_tracing_that_is_refused(self) -> None:
        self.answers["frames"] = xmlrpc.client.Fault(2, "No node is called 'E9'.")
        self.assertIn("E9", self.failed(1, "trace", "--frames", "on", "E9", "--follow"))
        self.calls.clear()

    def test_of_a_node(self) -> None:
        """What is missing in between are events of others."""
        self.answers["trace"] = [self.event(1), self.event(5)]
        self.assertEqual(len(self.done("trace", "E1").splitlines()), 2)
        self.assertEqual(self.calls, [("trace", 0, "E1")])


class Watching(CtlTestCase):
    """zbctl watch, which ends when the gateway says no."""

    END = xmlrpc.client.Fault(8003, "That is all.")

    def watch(self, *answers: Any, arguments: tuple[str, ...] = ()) -> Result:
        self.patch(watching, "WATCH_INTERVAL", 0.0)
        left = iter([*answers, self.END])
        self.answers["watch"] = lambda node, seq: next(left)
        result = self.zbctl("watch", "E1", *arguments)
        self.assertEqual(result.exit_code, 1)
        return result

    def seen(self, seq: int, *packets: tuple[str, bytes], lost: int = 0) -> dict[str, Any]:
        rows = [
            {"seq": number, "time": 1795000000.25, "direction": way, "data": data}
            for number, (way, data) in enumerate(packets, seq - len(packets) + 1)
        ]
        return {"seq": seq, "lost": lost, "packets": rows}

    def test_both_ways(self) -> None:
        moment = f"{datetime.fromtimestamp(1795000000.25):%H:%M:%S}.250"
        result = self.watch(
            self.seen(0),
            self.seen(2, ("to_node", b"READ?\r\n"), ("from_node", b"\xfe\xff\x00")),
        )
        self.assertEqual(
            result.stdout.splitlines(),
            [f"{moment}  to    READ?\\r\\n", f"{moment}  from  fe ff 00"],
        )
        self.assertEqual([call[2] for call in self.calls], [-1, 0, 2])

    def test_what_is_forgotten_is_said(self) -> None:
        result = self.watch(self.seen(9, ("to_node", b"x"), lost=4))
        self.assertIn("zbctl: 4 packets before these are forgotten.\n", result.stderr)

    def test_forms(self) -> None:
        for data, form, text in (
            (b"a\tb\\", watching.AUTO, "a\\tb\\\\"),
            ("Küche".encode(), watching.AUTO, "Küche"),
            (b"a\x1b[2J", watching.AUTO, "61 1b 5b 32 4a"),
            (b"a\x1b\xff", watching.TEXT, "a\\x1b\\xff"),
            ("\x9b".encode(), watching.TEXT, "\\xc2\\x9b"),
            (b"ab", watching.HEX, "61 62"),
        ):
            self.assertEqual(watching.shown(data, form), text)

    def test_json(self) -> None:
        packet = ("from_node", b"ab")
        result = self.watch(self.seen(1, packet), arguments=("--json",))
        self.assertEqual(
            json.loads(result.stdout),
            {"seq": 1, "time": 1795000000.25, "direction": "from_node", "data": "6162"},
        )
        self.assertIn("61 62", self.watch(self.seen(1, packet), arguments=("--hex",)).stdout)

    def test_a_gateway_that_is_away(self) -> None:
        self.assertEqual(self.zbctl("watch", "E1", url="127.0.0.1:1").exit_code, 3)


class Following(TracesTestCase):
    """zbctl trace --follow, which ends when the gateway says no."""

    END = xmlrpc.client.Fault(8003, "That is all.")

    def setUp(self) -> None:
        super().setUp()
        self.patch(following, "FOLLOW_INTERVAL", 0.0)

    def follow(self, *pages: Any, arguments: tuple[str, ...] = ()) -> tuple[list[int], str]:
        """Let the gateway answer so; return the numbers that were shown, and what was said."""
        answers = iter([*pages, self.END])
        self.answers["trace"] = lambda seq: next(answers)
        self.calls.clear()
        result = self.zbctl("trace", "--follow", *arguments)
        self.assertEqual(result.exit_code, 1)
        self.assertTrue(result.stderr.endswith("zbctl: That is all.\n"))
        numbers = [int(line.split()[0]) for line in result.stdout.splitlines()]
        return numbers, result.stderr[: -len("zbctl: That is all.\n")]

    def asked(self) -> list[int]:
        return [call[1] for call in self.calls if call[0] == "trace"]

    def test_it_goes_on(self) -> None:
        one, two, three = (self.event(seq) for seq in (1, 2, 3))
        self.assertEqual(self.follow([], [one], [one], [one, two, three], [three]), ([1, 2, 3], ""))
        # Each time the last one is asked for once more.
        self.assertEqual(self.asked(), [0, 0, 0, 0, 2, 2])

    def test_since(self) -> None:
        numbers = self.follow([self.event(8)], [self.event(8)], arguments=("--since", "7"))
        self.assertEqual((numbers, self.asked()), (([8], ""), [7, 7, 7]))

    def test_json(self) -> None:
        pages = iter([[self.event(1)], [self.event(1), self.frame(2)], self.END])
        self.answers["trace"] = lambda seq: next(pages)
        result = self.zbctl("trace", "--follow", "--json")
        self.assertEqual(
            [json.loads(line) for line in result.stdout.splitlines()],
            [self.event(1), self.frame(2)],
        )

    def test_what_is_forgotten_is_said(self) -> None:
        numbers, said = self.follow([self.event(1)], [self.event(5), self.frame(8)])
        self.assertEqual(numbers, [1, 5, 8])
        self.assertEqual(
            said,
            "zbctl: 3 events before these are forgotten.\n"
            "zbctl: 2 events among these are forgotten.\n",
        )

    def test_a_restart(self) -> None:
        """It is noticed, however many events the new run has had."""
        old = [self.event(seq) for seq in range(1, 6)]
        for count in (1, 4, 5, 9):
            new = [self.event(seq, text="Anew.") for seq in range(1, count + 1)]
            # What the gateway has after event 4; all of it, if there was no event 4 yet.
            page = new[4:] if count >= 4 else new
            numbers, said = self.follow(old, page, new)
            self.assertEqual(numbers, [*range(1, 6), *range(1, count + 1)])
            self.assertEqual(said, "zbctl: the gateway was restarted.\n")
            self.assertEqual(self.asked()[:3], [0, 4, 0])

    def test_a_gateway_that_is_away(self) -> None:
        """It is waited for, with one line, and then it goes on."""
        one, two = self.event(1), self.event(2)
        away = client.Unreachable("No gateway answers.")
        looks: Any = iter(
            [[], away, [one], away, away, [one, two], away, [two], client.Refused("That is all.")]
        )

        def rows(*_: object) -> list[dict[str, Any]]:
            look = next(looks)
            if isinstance(look, Exception):
                raise look
            return list(look)

        self.patch(client.Gateway, "rows", rows)
        result = self.zbctl("trace", "--follow")
        self.assertEqual([line.split()[0] for line in result.stdout.splitlines()], ["1", "2"])
        self.assertEqual(
            result.stderr.splitlines(),
            ["zbctl: No gateway answers. It is waited for."] * 3 + ["zbctl: That is all."],
        )

    def test_a_gateway_that_was_never_there(self) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"127.0.0.1:{closed.getsockname()[1]}"
            result = self.zbctl("trace", "--follow", url=url)
        self.assertEqual((result.exit_code, result.stdout), (3, ""))

    def test_with_frames(self) -> None:
        self.answers["frames"] = {"all": True, "nodes": [], "file": ""}
        numbers, _ = self.follow([self.frame(1)], arguments=("--frames", "on", "--only", "frames"))
        self.assertEqual((numbers, self.calls[0]), ([1], ("frames", True)))
        # Another run of the gateway knows nothing of it.
        self.follow([self.frame(1)], [self.event(1)], [self.event(1)], arguments=("--frames", "on"))
        self.assertEqual(self.calls.count(("frames", True)), 2)


class Progressing(CtlTestCase):
    """On a terminal a search shows how many nodes are known so far."""

    def search(self, answer: Callable[[], Any]) -> tuple[list[dict[str, Any]], str]:
        self.patch(main, "PROGRESS_INTERVAL", 0.01)
        self.answers["discover"] = answer
        output = io.StringIO()
        console = Console(file=output, force_terminal=True, width=80, color_system=None)
        gateway = client.Gateway(self.url)
        rows = main._discover_visibly(console, gateway, gateway)
        return rows, output.getvalue()

    def wait_for(self, event: threading.Event) -> None:
        self.assertTrue(event.wait(10))

    def test_nodes_are_counted(self) -> None:
        counted = threading.Event()
        looks = iter([[], [node(1)], [node(1), node(2)]])

        def listed() -> list[dict[str, Any]]:
            rows = next(looks, None)
            if rows is None:
                counted.set()
                return [node(1), node(2)]
            return rows

        def discovered() -> list[dict[str, Any]]:
            self.wait_for(counted)
            return [node(1), node(2), node(3)]

        self.answers["list"] = listed
        rows, output = self.search(discovered)
        self.assertEqual(len(rows), 3)
        self.assertIn("Searching", output)
        self.assertIn("2 nodes known", output)

    def test_a_fault_ends_it(self) -> None:
        fault = xmlrpc.client.Fault(6, "The radio is offline.")
        failure = self.assertRaises(client.Refused, self.search, lambda: fault)
        self.assertEqual(failure.message, "The radio is offline.")

    def test_a_count_that_fails_does_not_matter(self) -> None:
        asked = threading.Event()

        def listed() -> Exception:
            asked.set()
            return xmlrpc.client.Fault(8003, "Too many calls.")

        def discovered() -> list[dict[str, Any]]:
            self.wait_for(asked)
            return []

        self.answers["list"] = listed
        self.assertEqual(self.search(discovered)[0], [])


class Testing(CtlTestCase):
    """On a terminal a test shows how far it is."""

    def test_packets_are_counted(self) -> None:
        self.patch(doing, "PROGRESS_INTERVAL", 0.01)
        output = io.StringIO()
        console = Console(file=output, force_terminal=True, width=80, color_system=None)
        self.patch(doing, "error_console", lambda: console)
        looked = threading.Event()
        looks = iter(
            [
                xmlrpc.client.Fault(8003, "Too many calls."),
                {"running": False, "sent": 9, "text": "An old one."},
                {"running": True, "sent": 3, "text": "3 of 3 packets came back."},
            ]
        )

        def seen(node: str) -> Any:
            found = next(looks, None)
            if found is None:
                looked.set()
                text = "3 of 4 packets came back; of one that did not: it was lost."
                return {"running": True, "sent": 4, "text": text}
            return found

        def tested(*arguments: Any) -> dict[str, Any]:
            self.assertTrue(looked.wait(10))
            return {"sent": 10, "received": 0, "text": "Nothing came back."}

        self.answers.update(test=tested, test_result=seen)
        self.assertIn("Nothing came back.", self.done("test", "E2"))
        self.assertIn("Testing", output.getvalue())
        self.assertIn("3 of 4 packets came back", output.getvalue())
        # The bar needs the room.
        self.assertNotIn("of one that did not", output.getvalue())
        self.assertNotIn("An old one", output.getvalue())


class Failures(CtlTestCase):
    """One line on stderr, whatever is at the other end."""

    def answer_with(self, status: int, body: bytes, content_type: str = "text/html") -> str:
        """Serve `body` to every POST; return the URL."""

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(status)
                self.send_header("content-type", content_type)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        self.serve(server)
        return f"http://127.0.0.1:{server.server_address[1]}/RPC2"

    def test_the_gateway_says_no(self) -> None:
        self.answers["create_mapping"] = xmlrpc.client.Fault(5, "Port 27001 is METER's; unbind it.")
        sentence = self.failed(1, "bind", "E2", "27001")
        self.assertEqual(sentence, "zbctl: Port 27001 is METER's; unbind it.\n")
        self.assertEqual(self.failed(1, "--json", "bind", "E2", "27001"), sentence)

    def test_a_fault_with_control_characters(self) -> None:
        self.answers["list"] = xmlrpc.client.Fault(1, "No [b]node\n\x9b1m.")
        self.assertEqual(self.failed(1, "list"), "zbctl: No [b]node ?1m.\n")

    def test_nobody_listens(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}/RPC2"
            sentence = self.failed(3, "list", url=url)
        self.assertIn(f"No gateway answers at {url} (Connection refused). ", sentence)
        self.assertIn("--url or ZBCTL_URL", sentence)

    def test_no_such_host(self) -> None:
        for host in ("no-such-host.invalid", f"{'x' * 70}.invalid"):
            self.assertIn("No gateway answers", self.failed(3, "list", url=host))

    @contextlib.contextmanager
    def who_hangs_up(self, answer: bytes) -> Iterator[str]:
        """Give the URL, without its scheme, of somebody who answers so whatever it is asked, and
        hangs up.
        """

        def serve() -> None:
            # Until the listener is shut down.
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(65536)
                        connection.sendall(answer)

        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve)
            thread.start()
            try:
                yield f"://127.0.0.1:{listener.getsockname()[1]}/RPC2"
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join()

    def test_tls_where_there_is_none(self) -> None:
        """Whether the other end says so in HTTP, or only hangs up."""
        for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b""):
            with self.who_hangs_up(answer) as where:
                url = f"https{where}"
                self.assertEqual(
                    self.failed(3, "list", url=url),
                    f"zbctl: What answers at {url} does not seem to speak TLS. "
                    "If it is your gateway, use http:// in --url or ZBCTL_URL.\n",
                )

    def test_no_tls_where_there_is_some(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

        class Server(HTTPServer):
            def get_request(self) -> Any:
                plain, address = self.socket.accept()
                try:
                    return context.wrap_socket(plain, server_side=True), address
                finally:
                    # It is not in use any more if TLS has begun.
                    plain.close()

        server = Server(("127.0.0.1", 0), BaseHTTPRequestHandler)
        self.serve(server)
        at = f"127.0.0.1:{server.server_address[1]}/RPC2"
        sentence = self.failed(3, "list", url=f"http://me:secret@{at}")
        self.assertEqual(
            sentence,
            f"zbctl: What answers at http://{at} seems to speak TLS. "
            "If it is your gateway, use https:// in --url or ZBCTL_URL.\n",
        )

    def test_who_hangs_up_on_both(self) -> None:
        with self.who_hangs_up(b"") as where:
            url = f"http{where}"
            self.assertIn(f"No gateway answers at {url} (", self.failed(3, "list", url=url))

    def test_a_password_is_not_shown(self) -> None:
        sentence = self.failed(3, "list", url="http://me:secret@no-such-host.invalid")
        self.assertIn("http://no-such-host.invalid/RPC2", sentence)
        self.assertNotIn("secret", sentence)

    def test_nobody_answers(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"127.0.0.1:{silent.getsockname()[1]}"
            sentence = self.failed(3, "list", "--timeout", "0.05", url=url)
        self.assertIn("within 0.05 s", sentence)
        self.assertIn("--timeout", sentence)

    def test_what_the_gateway_says_of_a_fault_of_its_own(self) -> None:
        url = self.answer_with(500, b"The file is\x1b gone.\n", "text/plain; charset=utf-8")
        self.assertEqual(
            self.failed(1, "list", url=url),
            f"zbctl: The gateway at {url} says: The file is? gone.\n",
        )

    def test_http_errors(self) -> None:
        sentence = self.failed(3, "list", url=self.answer_with(503, b"Too many."))
        self.assertIn("HTTP 503 (Service Unavailable)", sentence)
        self.assertIn("check --url", self.failed(3, "list", url=self.answer_with(500, b"Ha.")))
        url = f"http://127.0.0.1:{self.port}/elsewhere"
        self.assertIn("HTTP 404", self.failed(3, "list", url=url))

    def test_other_servers(self) -> None:
        for body in (
            b"",
            b"<html>hello</html>",
            b"<html>",
            b"\x00\xff",
            b"<methodResponse><params></params></methodResponse>",
            b"<methodResponse><params><param><value><int>x</int></value></param></params>",
            b"<methodResponse><params><param><value><int>x</int></value>",
        ):
            sentence = self.failed(3, "list", url=self.answer_with(200, body))
            self.assertIn("What answers at http://127.0.0.1:", sentence)
            self.assertIn(" is no gateway: ", sentence)

    def test_no_http_at_all(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer() -> None:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(100)
                    connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
                    connection.recv(100_000)

            thread = threading.Thread(target=answer)
            thread.start()
            self.addCleanup(thread.join)
            url = f"127.0.0.1:{listener.getsockname()[1]}"
            self.assertIn("does not speak XML-RPC", self.failed(3, "list", url=url))

    def test_answers_that_make_no_sense(self) -> None:
        senseless: list[object] = [5, "x", {}, [1], [[]]]
        for answer in senseless:
            self.answers["list"] = answer
            self.assertIn("its answer to list makes no sense", self.failed(3, "list"))
        self.answers["status"] = []
        self.assertIn("its answer to status makes no sense", self.failed(3, "status"))

    def test_rows_of_a_strange_gateway(self) -> None:
        row = {key: [1] for key in node(state="x", state_text="x", last_seen=1)}
        for method, command in (
            ("list", "list"),
            ("stats", "stats"),
            ("get_temperatures", "temperatures"),
            ("values", "values"),
            ("trace", "trace"),
        ):
            for strange in (row, {}, {"tcp_port": "x", "label": 5, "seq": "x", "time": {}}):
                self.answers[method] = [strange]
                result = self.zbctl(command, columns=200)
                self.assertEqual(result.exit_code, 0, result.exception)


class Addresses(CtlTestCase):
    """Where the gateway is."""

    def test_forms(self) -> None:
        for text, url in (
            ("gate", "http://gate:27000/RPC2"),
            ("gate:80", "http://gate:80/RPC2"),
            ("192.0.2.1", "http://192.0.2.1:27000/RPC2"),
            ("::1", "http://[::1]:27000/RPC2"),
            ("[::1]", "http://[::1]:27000/RPC2"),
            ("[::1]:80", "http://[::1]:80/RPC2"),
            ("gate/", "http://gate:27000/"),
            ("http://gate", "http://gate/RPC2"),
            ("http://gate:27000/", "http://gate:27000/"),
            ("https://gate/zb/RPC2?a=b#c", "https://gate/zb/RPC2?a=b"),
            ("http://me:pw@gate:1", "http://me:pw@gate:1/RPC2"),
        ):
            self.assertEqual(client.parse_url(text), url)

    def test_what_is_no_address(self) -> None:
        for text in (
            "",
            "ftp://gate",
            "http://",
            ":80",
            "gate:x",
            "gate:99999",
            "a b",
            "[::1",
            "/x",
        ):
            self.assertRaises(ValueError, client.parse_url, text)
            if text:
                self.assertIn("HOST:PORT", self.misused("--url", text, "list"))

    def test_the_option_goes_before_the_environment(self) -> None:
        nowhere = "http://127.0.0.1:1/RPC2"
        for arguments in (("--url", self.url, "list"), ("list", "--url", self.url)):
            self.assertIn("E1", self.done(*arguments, url=nowhere))
        self.assertIn("E1", self.done("--url", nowhere, "list", "--url", self.url, url=nowhere))

    def test_timeouts_are_positive(self) -> None:
        for text in ("nan", "inf", "0", "-1", "x"):
            self.misused("list", "--timeout", text)


class OwnWords(CtlTestCase):
    """What the gateway says to programs is not what its user must read."""

    def test_every_sentence_of_the_gateway(self) -> None:
        """None of them leaves a call of the API standing."""
        room = Path(zbtwist.__file__).parent / "control"
        sources = [room / "resolver.py", *(room / "operations").glob("*.py")]
        sources += [*(room.parent / "binding").glob("*.py"), *(room.parent / "radio").glob("*.py")]
        texts = [
            node.value
            for source in sources
            for call in ast.walk(ast.parse(source.read_text()))
            if isinstance(call, ast.Call)
            for node in ast.walk(call)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        said = [text for text in texts if "()" in text or "mapping" in text]
        self.assertGreater(len(said), 3)
        for text in said:
            own = client.in_own_words(text)
            self.assertNotIn("()", own)
            if " mapping " in text and "first" in text:
                self.assertIn("unbind", own)

    def test_sentences(self) -> None:
        for said, own in (
            (
                "No node is called 'E9': list() has those known, discover() finds more.",
                "No node is called 'E9': zbctl list has those known, zbctl discover finds more.",
            ),
            (
                "Port 5000 belongs to E1: choose another, or remove that mapping first.",
                "Port 5000 belongs to E1: choose another, or unbind that node first.",
            ),
        ):
            self.answers["create_mapping"] = xmlrpc.client.Fault(5, said)
            self.assertEqual(self.failed(1, "bind", "E2", "5000"), f"zbctl: {own}\n")

    def test_another_version(self) -> None:
        """A gateway without that method is of another version, whatever it says."""
        self.answers["frames"] = xmlrpc.client.Fault(
            8001, "There is no method 'frames'; system.listMethods names those there are."
        )
        line = self.failed(1, "trace", "--frames", "on")
        self.assertIn("another version", line)
        self.assertNotIn("system.", line)


class Completion(CtlTestCase):
    """What the shell offers."""

    def offered(self, *words: str, url: str | None = None) -> list[tuple[str, str | None]]:
        *arguments, incomplete = words
        completer = ShellComplete(main.main, {}, "zbctl", "_ZBCTL_COMPLETE")
        items = completer.get_completions(["--url", url or self.url, *arguments], incomplete)
        return [(item.value, item.help) for item in items]

    def setUp(self) -> None:
        super().setUp()
        self.answers["list"] = [node(1), node(2, label="two words"), node(3, label="Hall-3")]

    def test_commands(self) -> None:
        self.assertEqual([value for value, _ in self.offered("st")], ["stats", "status"])

    def test_names_and_addresses(self) -> None:
        first = ("E1", "00:13:a2:00:40:0a:00:01")
        second = ("0013a200400a0002", "two words")
        third = ("Hall-3", "00:13:a2:00:40:0a:00:03")
        for command in ("unbind", "rename", "at", "bind"):
            self.assertEqual(self.offered(command, ""), [first, second, third])
            self.assertEqual(self.offered(command, "H"), [third])
            self.assertEqual(self.offered(command, "E2"), [])

    def test_names_of_the_configuration(self) -> None:
        self.answers["list"] = [node(1, name="Boiler"), node(2, name="Big boiler", label="B2")]
        first = "00:13:a2:00:40:0a:00:01"
        self.assertEqual(self.offered("at", "B"), [("Boiler", first), ("B2", first[:-1] + "2")])
        self.assertEqual(self.offered("at", "E"), [("E1", first)])

    def test_addresses_in_the_form_that_was_begun(self) -> None:
        self.assertEqual(
            [value for value, _ in self.offered("unbind", "0013A2")],
            ["0013a200400a0001", "0013a200400a0002", "0013a200400a0003"],
        )
        self.assertEqual(len(self.offered("unbind", "00:13")), 3)
        self.assertEqual(
            self.offered("unbind", "00:13:a2:00:40:0a:00:03"),
            [("00:13:a2:00:40:0a:00:03", "Hall-3")],
        )

    def test_ports_are_not_completed(self) -> None:
        self.assertEqual(self.offered("bind", "E1", ""), [])
        self.assertEqual(self.offered("bind", "E1", "27001", "H")[0][0], "Hall-3")

    def test_silent_without_a_gateway(self) -> None:
        self.assertEqual(self.offered("unbind", "", url="127.0.0.1:1"), [])
        self.answers["list"] = 5
        self.assertEqual(self.offered("unbind", ""), [])


class Help(CtlTestCase):
    def test_every_command(self) -> None:
        self.assertEqual(
            " ".join(sorted(main.main.commands)),
            "accept at bind clients disconnect discover forget identify io leave list "
            "neighbours permit-join rename replace restart settings show stats status temperatures "
            "test trace unbind values watch",
        )
        self.assertEqual(" ".join(sorted(settings.settings.commands)), "apply diff save show")
        for command in (*COMMANDS, "settings"):
            output = self.done(*command.split(), "--help")
            self.assertIn("--json", output)
            self.assertIn("--url", output)
        self.assertEqual(len(COMMANDS), len(main.main.commands) - 1 + 4)

    def test_every_operation_has_a_command(self) -> None:
        asked = {name for command in COMMANDS.values() for name in command.operations}
        self.assertEqual(asked, set(OPERATIONS))

    def test_every_command_is_on_the_page(self) -> None:
        page = (DOCS / "zbctl.rst").read_text()
        for command in COMMANDS:
            self.assertIsNotNone(re.search(rf"\n``{command}\b.*`` +\w", page), command)

    def test_version(self) -> None:
        self.assertRegex(self.done("--version"), r"^zbctl \d+\.\d+")


def fault(number: int, text: str) -> xmlrpc.client.Fault:
    return xmlrpc.client.Fault(number, text)


SETTING = {
    "command": "BD",
    "name": "rate",
    "group": "Serial line",
    "value": 3,
    "text": "9600 bit/s",
    "unit": "bit/s",
    "range": "0 to 10",
    "words": [],
    "stored": True,
    "read_only": False,
    "why": "",
}
APPLIED = {"changed": ["D1", "IR"], "skipped": ["NI"], "same": 60, "written": False}
REPLACED = {
    "addr_extended": "[00:13:a2:00:40:0a:00:02]!",
    "label": "E1",
    "tcp_port": 27001,
    "changed": ["NI"],
    "skipped": [],
    "text": "",
}
MAY = "This may cut E1 off, and was not done. ID: it leaves. Call again with sure if that is meant."


class SettingsOfNodes(CtlTestCase):
    def file(self, name: str = "e1.toml", text: str = "[settings]\nD1 = 3\n") -> str:
        path = f"{self.mktemp()}-{name}"
        with open(path, "w") as opened:
            opened.write(text)
        return path

    def test_table(self) -> None:
        self.answers["settings"] = [SETTING, {**SETTING, "command": "D1", "stored": False}]
        for command in (("settings", "show", "E1"), ("at", "E1")):
            output = self.done(*command)
            self.assertRegex(output, r"(?m)^BD +3  9600 bit/s +rate +0 to 10$")
            self.assertRegex(output, r"(?m)^D1 +3  9600 bit/s +not in flash +rate")
        self.answers["settings"] = [SETTING]
        self.assertNotIn("flash", self.done("at", "radio"))
        self.assertEqual(self.calls[-1], ("settings", ""))
        self.assertEqual(json.loads(self.done("at", "E1", "--json")), [SETTING])

    def test_long_values_leave_room_for_names(self) -> None:
        name = "16-bit address of its parent"
        long = {
            **SETTING,
            "command": "SC",
            "value": 32767,
            "text": "11 12 13 14 15 16 17 18 19 20 21",
        }
        self.answers["settings"] = [{**SETTING, "command": "MP", "name": name}, long]
        lines = self.done("at", "E1", columns=72).splitlines()
        self.assertIn(name, lines[1])
        self.assertTrue(lines[2].startswith("SC  32767  11 12 13 14 1"), lines[2])
        self.assertIn(long["text"], self.done("at", "E1", columns=None))

    def test_save(self) -> None:
        self.answers["save_settings"] = "D1 = 3\n"
        for name, form in (("a.toml", "toml"), ("a.XML", "xctu")):
            path = f"{self.mktemp()}-{name}"
            self.assertIn("are in", self.done("settings", "save", "E1", path))
            self.assertEqual(Path(path).read_text(), "D1 = 3\n")
            self.assertEqual(self.calls.pop(), ("save_settings", "E1", form))
        self.assertEqual(self.done("settings", "save", "E1", "-"), "D1 = 3\n")
        self.assertIn(
            "cannot be written", self.failed(1, "settings", "save", "E1", "/nowhere/a.toml")
        )

    def test_diff(self) -> None:
        row = {
            "command": "D1",
            "name": "a pin",
            "text": "off",
            "new_text": "output low",
            "known": True,
            "why": "",
        }
        self.answers["compare_settings"] = [row, {**row, "command": "NI", "known": False}]
        output = self.done("settings", "diff", "E1", self.file())
        self.assertRegex(output, r"(?m)^D1 +off +output low +a pin$")
        self.assertRegex(output, r"(?m)^NI .*left out")
        self.answers["compare_settings"] = []
        self.assertIn("is as", self.done("settings", "diff", "E1", self.file()))

    def test_local_radio(self) -> None:
        """The gateway says what cannot be done with it."""
        path = self.file()
        self.answers["compare_settings"] = []
        self.answers["save_settings"] = "D1 = 3\n"
        self.answers["apply_settings"] = fault(1, "Not it: set what you need with at().")
        self.done("settings", "diff", "radio", path)
        self.done("settings", "save", "radio", "-")
        said = self.failed(1, "settings", "apply", path, "radio")
        self.assertIn("with zbctl at.", said)
        self.assertEqual([call[1] for call in self.calls], ["", "", ""])

    def test_apply(self) -> None:
        self.answers["apply_settings"] = APPLIED
        path = self.file()
        output = self.done("settings", "apply", path, "E1", "E2")
        self.assertEqual(
            output.splitlines()[0],
            "E1 has D1, IR as the file says, not in flash memory yet. 60 were so already. Left "
            "out: NI.",
        )
        self.assertEqual([call[1] for call in self.calls], ["E1", "E2"])
        self.assertEqual(self.calls[0][2:], ("[settings]\nD1 = 3\n", False, False))
        self.answers["apply_settings"] = {**APPLIED, "changed": [], "written": True, "skipped": []}
        self.assertEqual(
            self.done("settings", "apply", path, "E1", "--write", "--yes"), "E1 was so already.\n"
        )
        self.assertEqual(self.calls[-1][3:], (True, True))
        self.assertIn("E1", json.loads(self.done("settings", "apply", path, "E1", "--json")))

    def test_one_that_fails_does_not_stop_the_others(self) -> None:
        self.answers["apply_settings"] = lambda node, *_: (
            fault(8, "E1 refused D1.") if node == "E1" else APPLIED
        )
        result = self.zbctl("settings", "apply", self.file(), "E1", "E2")
        self.assertEqual((result.exit_code, result.stderr), (1, "zbctl: E1 refused D1.\n"))
        self.assertTrue(result.stdout.startswith("E2 has D1"))

    def test_what_may_cut_off_is_asked(self) -> None:
        """Nobody is there to answer: --yes says it."""

        def apply(node: str, text: str, sure: bool, write: bool) -> Any:
            return APPLIED if sure else fault(11, MAY)

        self.answers["apply_settings"] = apply
        path = self.file()
        self.assertEqual(
            self.failed(1, "settings", "apply", path, "E1"),
            "zbctl: This may cut E1 off, and was not done. ID: it leaves. Say --yes if that is "
            "meant.\n",
        )
        self.done("settings", "apply", path, "E1", "--yes")

    def test_a_person_is_asked(self) -> None:
        self.answers["at"] = ""
        self.patch(options, "_is_somebody_there", lambda: True)
        for answer, calls in (("n\n", 0), ("y\n", 1)):
            result = CliRunner(env={"ZBCTL_URL": self.url}).invoke(
                main.main, ["at", "E1", "BD", "7"], prog_name="zbctl", input=answer
            )
            self.assertEqual(len(self.calls), calls, result.output)
            self.assertIn("BD may cut E1 off. What is connected", result.stderr)
            self.assertIn("Do it?", result.stderr)

    def test_at_asks(self) -> None:
        self.answers["at"] = ""
        self.assertIn("Say --yes", self.failed(1, "at", "E1", "SM", "4"))
        self.assertEqual(self.calls, [])
        self.done("at", "E1", "SM", "4", "--yes")
        self.done("at", "E1", "SM")
        self.done("at", "E1", "D1", "4")
        self.assertEqual(len(self.calls), 3)

    def test_replace(self) -> None:
        self.answers["replace"] = REPLACED
        self.assertEqual(self.done("replace", "E1", "E2"), "E2 is E1 at port 27001 now. Set: NI.\n")
        self.assertEqual(self.calls.pop(), ("replace", "E1", "E2", False, ""))
        self.answers["replace"] = {**REPLACED, "changed": [], "text": "None were ever read."}
        output = self.done("replace", "E1", "E2", "--from", self.file(), "--yes")
        self.assertIn("None were ever read.", output)
        self.assertEqual(self.calls.pop()[3:], (True, "[settings]\nD1 = 3\n"))
        self.answers["replace"] = lambda old, new, sure, text: REPLACED if sure else fault(11, MAY)
        self.assertIn("--yes", self.failed(1, "replace", "E1", "E2"))
        self.done("replace", "E1", "E2", "--yes")

    def test_file_that_is_no_text(self) -> None:
        path = self.file()
        # The first is no UTF-8; the others are, and XML cannot say them.
        for content in (b"\xff\xfe\x00", b"D1 = 3\0\n", b"\x1b[1m", "\uffff".encode()):
            Path(path).write_bytes(content)
            for command in (
                ("settings", "diff", "E1", path),
                ("settings", "apply", path, "E1"),
                ("replace", "E1", "E2", "--from", path),
            ):
                self.assertIn("it is no text", self.failed(1, *command))
        self.assertEqual(self.calls, [])

    def test_url_before_the_group(self) -> None:
        """The variable does not overrule what was said."""
        self.answers["settings"] = [SETTING]
        result = CliRunner(env={"ZBCTL_URL": "127.0.0.1:1"}).invoke(
            main.main, ["--url", self.url, "settings", "show", "E1"], prog_name="zbctl"
        )
        self.assertEqual(result.exit_code, 0, result.output)
