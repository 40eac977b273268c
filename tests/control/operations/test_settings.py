"""Settings of nodes, on a whole gateway with a simulated network, under a clock."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import deferLater

from tests.control.support import GatewayTestCase
from tests.support import present
from zbtwist.config.node_settings import NodeSettings
from zbtwist.config.settings import Settings
from zbtwist.control.faults import (
    BAD_ADDRESS,
    BAD_VALUE,
    MAY_CUT_OFF,
    NO_ANSWER,
    NODE_REFUSED,
    ControlFault,
)
from zbtwist.network.settings import LONGEST_REST, TABLES_AT_ONCE
from zbtwist.simulator.node import Node
from zbtwist.simulator.nodes import EchoNode
from zbtwist.xbee.address import digi_address64, parse_address64
from zbtwist.xbee.at_table import PARAMETERS
from zbtwist.xbee.status import ATStatus


class SettingsTestCase(GatewayTestCase):
    def setUp(self) -> None:
        self.build(kinds=("meter", "sensor", "echo"))
        self.run_for(3)

    def node(self, name: str) -> Node:
        node: Node = self.network.node(name)
        return node

    def done(self, operation: Any, seconds: float = 8) -> Any:
        call = self.call(operation)
        self.run_for(seconds)
        return self.successResultOf(call)

    def fault(self, operation: Any, seconds: float = 8) -> ControlFault:
        call = self.call(operation)
        self.run_for(seconds)
        fault = self.failureResultOf(call, ControlFault).value
        assert isinstance(fault, ControlFault)
        return fault

    def rows(self, name: str) -> dict[str, dict[str, Any]]:
        return {row["command"]: row for row in self.done(self.api.settings(name))}

    def successor(self, name: str = "SPARE", **settings: int) -> Node:
        """A new module, as it comes out of its box."""
        made = EchoNode(self.network, 0x13A200400A3EAA, name, settings)
        self.network.add_node(made)
        self.run_for(2)
        return made


class TableTests(SettingsTestCase):
    def test_rows(self) -> None:
        rows = self.rows("METER")
        self.assertGreater(len(rows), 60)
        row = rows["BD"]
        self.assertEqual((row["value"], row["text"], row["unit"]), (3, "9600 bit/s", "bit/s"))
        self.assertEqual(row["range"], "0 to 10, 1200 to 921600")
        self.assertIn([7, "115200 bit/s"], row["words"])
        self.assertTrue(row["stored"])
        self.assertFalse(row["read_only"])
        self.assertIn("serial line", row["why"])
        self.assertEqual(rows["NI"]["value"], "METER")
        self.assertEqual(rows["D0"]["text"], "commissioning button")
        self.assertEqual(rows["HV"]["text"], "0x2d47")
        self.assertTrue(rows["HV"]["read_only"])
        self.assertEqual(rows["CT"]["text"], "10000 ms")
        for key in ("KY", "NK", "ND", "WR"):
            self.assertNotIn(key, rows)
        groups = [row["group"] for row in rows.values()]
        self.assertEqual(sorted(set(groups), key=groups.index), list(dict.fromkeys(groups)))

    def test_what_can_cut_a_node_off_says_why(self) -> None:
        rows = self.rows("METER")
        for command in [
            "ID",
            "SC",
            "CE",
            "EE",
            "EO",
            "BD",
            "NB",
            "SB",
            "D6",
            "D7",
            "P3",
            "P4",
            "AP",
            "SM",
        ]:
            self.assertTrue(rows[command]["why"].endswith("."), command)
        for command in ["NI", "D0", "D1", "IR", "NT", "DH", "PL", "RO"]:
            self.assertEqual(rows[command]["why"], "", command)
        self.assertTrue(PARAMETERS["KY"].why)
        self.assertTrue(PARAMETERS["NK"].why)

    def test_by_hardware(self) -> None:
        """An S2 has no P3, and nobody asks it."""
        asked: list[str] = []
        sensor = self.node("SENSOR")
        execute = sensor.execute
        self.patch(
            sensor,
            "execute",
            lambda c, p: asked.append(c) or execute(c, p),  # type: ignore[func-returns-value]
        )
        rows = self.rows("SENSOR")
        for command in ["P3", "P4", "D8", "D9", "CE", "PD"]:
            self.assertNotIn(command, rows)
            self.assertNotIn(command, asked)
        self.assertEqual(sensor.execute("P3", b"")[0], ATStatus.INVALID_COMMAND)
        self.assertIn("D5", rows)
        self.assertIn("pin", rows["SM"]["words"][1][1])

    def test_unknown_hardware_is_asked_for_everything(self) -> None:
        node = self.node("METER")
        execute = node.execute
        self.patch(node, "execute", lambda c, p: (0, b"\x7f\x01") if c == "HV" else execute(c, p))
        rows = self.rows("METER")
        self.assertIn("P3", rows)
        self.assertNotIn("MM", rows)

    def test_local_radio(self) -> None:
        rows = self.rows("")
        self.assertEqual(rows["VR"]["text"], "0x1012")
        self.assertEqual(rows["CE"]["text"], "forms a network: coordinator")

    def test_what_is_not_in_flash(self) -> None:
        self.done(self.api.at("METER", "D1", 3))
        rows = self.rows("METER")
        self.assertFalse(rows["D1"]["stored"])
        self.assertTrue(rows["D2"]["stored"])
        self.done(self.api.at("METER", "WR"))
        self.assertTrue(self.rows("METER")["D1"]["stored"])

    def test_a_restart_takes_away_what_is_not_in_flash(self) -> None:
        self.done(self.api.at("METER", "D1", 3))
        self.node("METER")._restart()
        self.run_for(1)
        row = self.rows("METER")["D1"]
        self.assertEqual((row["value"], row["stored"]), (0, True))

    def test_what_is_not_in_flash_is_known_after_a_restart_of_the_gateway(self) -> None:
        self.done(self.api.at("METER", "D1", 3), 10)
        (stored,) = (one for one in self.gateway.store.nodes() if one.label == "METER")
        self.assertEqual(stored.unwritten, {"D1"})

    def test_a_node_that_does_not_answer(self) -> None:
        self.node("METER").reachable = False
        self.assertEqual(self.fault(self.api.settings("METER"), 30).number, NO_ANSWER)

    def test_a_lost_answer_is_asked_for_again(self) -> None:
        node = self.node("METER")
        execute, lost = node.execute, ["RO"]

        def once_away(command: str, parameter: bytes) -> tuple[int, bytes]:
            if command in lost:
                lost.remove(command)
                return ATStatus.TRANSMISSION_FAILED, b""
            return execute(command, parameter)

        self.patch(node, "execute", once_away)
        self.assertIn("RO", self.rows("METER"))

    def test_one_question_at_a_time_and_few_nodes_at_once(self) -> None:
        self.build(nodes=6, rate=35_000.0, hops=(3,))
        self.run_for(10)
        most = 0
        calls = [self.call(self.api.settings(row["label"])) for row in self.api.list_nodes()]
        radio: Any = self.api._radio
        for _ in range(3000):
            self.run_for(0.01)
            most = max(most, radio.outstanding)
        self.assertLessEqual(most, TABLES_AT_ONCE + 1)
        self.run_for(60)
        for call in calls:
            self.assertGreater(len(self.successResultOf(call)), 40)

    def test_two_askers_share_one_reading_that_ends_when_both_are_gone(self) -> None:
        node = self.node("METER")
        asked: list[str] = []
        execute = node.execute

        def count(command: str, parameter: bytes) -> tuple[int, bytes]:
            asked.append(command)
            return execute(command, parameter)

        self.patch(node, "execute", count)
        # Each takes a while.
        reader = self.gateway.network.settings
        original = reader.ask

        async def slowly(node: Any, command: str) -> bytes:
            await deferLater(self.reactor, LONGEST_REST)
            return await original(node, command)

        self.patch(reader, "ask", slowly)
        first, second = (self.call(self.api.settings("METER")) for _ in range(2))
        self.run_for(2)
        self.assertEqual(asked.count("HV"), 1)
        first.addErrback(lambda _: None)
        first.cancel()
        self.run_for(1)
        count_then = len(asked)
        self.run_for(1)
        self.assertGreater(len(asked), count_then)
        second.addErrback(lambda _: None)
        second.cancel()
        self.run_for(1)
        count_then = len(asked)
        self.run_for(5)
        self.assertEqual(len(asked), count_then)


class FileTests(SettingsTestCase):
    def test_saved_and_applied_again_nothing_changes(self) -> None:
        text = self.done(self.api.save_settings("METER"))
        for words in ('name = "METER"', 'hardware = "2D47"', "cannot be read", "# Network"):
            self.assertIn(words, text)
        self.assertEqual(self.done(self.api.compare_settings("METER", text)), [])
        answer = self.done(self.api.apply_settings("METER", text))
        self.assertEqual((answer["changed"], answer["skipped"]), ([], []))
        self.assertGreater(answer["same"], 50)
        self.assertEqual(self.done(self.api.save_settings("METER")), text)

    def test_applied_to_another(self) -> None:
        self.done(self.api.at("METER", "D1", 3))
        self.done(self.api.at("METER", "IR", 1000))
        text = self.done(self.api.save_settings("METER"))
        rows = self.done(self.api.compare_settings("ECHO", text))
        self.assertEqual(
            {row["command"]: (row["text"], row["new_text"], row["known"]) for row in rows},
            {
                "D1": ("off", "digital input", True),
                "IR": ("none", "1000 ms", True),
                "NI": ("", "METER", False),
            },
        )
        answer = self.done(self.api.apply_settings("ECHO", text))
        self.assertEqual(set(answer["changed"]), {"D1", "IR"})
        self.assertEqual((answer["skipped"], answer["written"]), (["NI"], False))
        registers = self.node("ECHO").registers
        self.assertEqual((registers.active["D1"], registers.flash_writes), (3, 0))
        self.assertFalse(self.rows("ECHO")["D1"]["stored"])
        answer = self.done(self.api.apply_settings("ECHO", text, False, True))
        self.assertEqual((answer["changed"], answer["written"]), ([], True))
        self.assertEqual(registers.flash_writes, 1)
        self.assertTrue(self.rows("ECHO")["D1"]["stored"])

    def test_what_may_cut_off_is_asked_for_and_goes_last(self) -> None:
        text = "[settings]\nSM = 4\nBD = 7\nD1 = 3\nNT = 0x40\n"
        fault = self.fault(self.api.apply_settings("METER", text))
        self.assertEqual(fault.number, MAY_CUT_OFF)
        self.assertIn("SM: ", str(fault))
        self.assertIn("BD: ", str(fault))
        self.assertNotIn("D1", str(fault))
        node = self.node("METER")
        self.assertEqual(node.registers.active["D1"], 0)
        told: list[str] = []
        execute = node.execute

        def count(command: str, parameter: bytes) -> tuple[int, bytes]:
            if parameter or command in ("AC", "WR"):
                told.append(command)
                if command != "AC":
                    # Nothing is in force before all is there.
                    self.assertEqual(node.registers.active["D1"], 0)
            return execute(command, parameter)

        self.patch(node, "execute", count)
        self.done(self.api.apply_settings("METER", text, True))
        self.assertEqual(told, ["D1", "NT", "SM", "BD", "AC"])
        self.assertEqual(node.registers.active["BD"], 7)

    def test_a_value_that_is_refused_changes_nothing(self) -> None:
        text = "[settings]\nD1 = 3\nNT = 0x40\nIR = 7\n"
        fault = self.fault(self.api.apply_settings("METER", text))
        self.assertEqual(fault.number, NODE_REFUSED)
        self.assertIn("nothing has changed", str(fault))
        self.assertIn("IR", str(fault))
        node = self.node("METER")
        self.done(self.api.at("METER", "AC"))
        self.assertEqual((node.registers.active["D1"], node.registers.active["NT"]), (0, 0x3C))

    def test_a_value_that_is_refused_is_said_as_the_file_has_it(self) -> None:
        """And never a key."""
        execute = self.node("METER").execute

        def refuse(command: str, parameter: bytes) -> tuple[int, bytes]:
            refused = parameter and command in ("D1", "D2", "PL", "DH", "NI", "KY")
            return (ATStatus.INVALID_PARAMETER, b"") if refused else execute(command, parameter)

        self.patch(self.node("METER"), "execute", refuse)
        for line, words in (
            ("D1 = 99", "the value 99 (0x63) of D1,"),
            ("D2 = 0x63", "the value 99 (0x63) of D2,"),
            ("PL = 2", "the value 2 of PL,"),
            ("DH = 0x0013a200", "the value 1286656 (0x13a200) of DH,"),
            ('KY = "hex:0011"', "correct the value of KY,"),
        ):
            text = f"[settings]\n{line}\n"
            self.assertIn(words, str(self.fault(self.api.apply_settings("METER", text, True))))
        own = self.done(self.api.save_settings("METER")).replace('"METER"', '"M"')
        self.assertIn(
            "the value 'M' of NI,", str(self.fault(self.api.apply_settings("METER", own)))
        )

    def test_broken_off_in_the_middle(self) -> None:
        """It says what was set, and what was not."""
        node = self.node("METER")
        execute = node.execute

        def goes_away(command: str, parameter: bytes) -> tuple[int, bytes]:
            if command == "NT" and parameter:
                node.reachable = False
            return execute(command, parameter)

        self.patch(node, "execute", goes_away)
        text = "[settings]\nD1 = 3\nNT = 0x40\nIR = 1000\n"
        fault = self.fault(self.api.apply_settings("METER", text), 40)
        self.assertEqual(fault.number, NO_ANSWER)
        self.assertIn("Not set on METER (00:13:a2:00:40:0a:3e:01): NT, IR.", str(fault))
        self.assertIn("Set there, but not in force: D1;", str(fault))
        self.assertEqual(node.registers.active["D1"], 0)

    def test_gone_after_it_was_applied(self) -> None:
        node = self.node("METER")
        apply = node.apply

        def cut_off() -> None:
            apply()
            if node.registers.active["ID"]:
                node.reachable = False

        self.patch(node, "apply", cut_off)
        fault = self.fault(
            self.api.apply_settings("METER", "[settings]\nID = 0x77\n", True, True), 60
        )
        self.assertEqual(fault.number, NO_ANSWER)
        self.assertIn("switched off and on, it is as it was", str(fault))
        self.assertEqual(node.registers.flash_writes, 0)

    def test_wrong_hardware(self) -> None:
        text = self.done(self.api.save_settings("SENSOR"))
        for operation in (self.api.compare_settings, self.api.apply_settings):
            fault = self.fault(operation("METER", text))
            self.assertEqual(fault.number, BAD_VALUE)
            self.assertIn("XBee S2 with Zigbee 2670", str(fault))
            self.assertIn("XBee-PRO S2C TH with Zigbee 4060", str(fault))

    def test_xctu(self) -> None:
        self.done(self.api.at("METER", "D1", 3))
        profile = self.done(self.api.save_settings("METER", "xctu"))
        self.assertIn('<setting command="D1">3</setting>', profile)
        self.assertIn('<setting command="KY"></setting>', profile)
        self.assertIn("_4060.xml</description_file>", profile)
        self.assertEqual(self.done(self.api.compare_settings("METER", profile)), [])
        other = profile.replace('"D1">3<', '"D1">4<')
        (row,) = self.done(self.api.compare_settings("METER", other))
        self.assertEqual((row["command"], row["new_text"]), ("D1", "output low"))
        for name in ("XBP24-ZB_21A7_S2B.xml", "XB24C_2003.xml"):
            wrong = profile.replace("XB24C_4060.xml", name)
            self.assertEqual(self.fault(self.api.apply_settings("METER", wrong)).number, BAD_VALUE)
        fault = self.fault(self.api.save_settings("METER", "json"))
        self.assertEqual(fault.number, BAD_VALUE)

    def test_only_a_file_of_the_node_itself_gives_a_name(self) -> None:
        """A profile of XCTU, and a file without an address, may be of anybody."""
        profile = self.done(self.api.save_settings("METER", "xctu"))
        self.assertIn('<setting command="NI">METER</setting>', profile)
        of_no_address = '[settings]\nNI = "METER"\n'
        of_no_sense = f'address = "somewhere"\n{of_no_address}'
        for text in (profile, of_no_address, of_no_sense):
            (row,) = (
                row
                for row in self.done(self.api.compare_settings("ECHO", text))
                if row["command"] == "NI"
            )
            self.assertFalse(row["known"])
            answer = self.done(self.api.apply_settings("ECHO", text))
            self.assertEqual((answer["changed"], answer["skipped"]), ([], ["NI"]))
            self.assertEqual(self.node("ECHO").identifier, b"ECHO")
        own = self.done(self.api.save_settings("ECHO")).replace('"ECHO"', '"BELL"')
        self.assertEqual(self.done(self.api.apply_settings("ECHO", own))["changed"], ["NI"])
        self.assertEqual(self.node("BELL").identifier, b"BELL")

    def test_a_key_that_somebody_added(self) -> None:
        text = '[settings]\nKY = "hex:00112233445566778899aabbccddeeff"\n'
        self.assertEqual(self.fault(self.api.apply_settings("METER", text)).number, MAY_CUT_OFF)
        (row,) = self.done(self.api.compare_settings("METER", text))
        self.assertEqual((row["text"], row["new_text"]), ("", ""))
        answer = self.done(self.api.apply_settings("METER", text, True))
        self.assertEqual(answer["changed"], ["KY"])
        self.assertEqual(
            self.node("METER").registers.active["KY"], bytes.fromhex(text.split(":")[1][:32])
        )

    def test_local_radio(self) -> None:
        """A file is compared with it, and not given to it."""
        text = self.done(self.api.save_settings(""))
        self.assertEqual(self.done(self.api.compare_settings("", text)), [])
        other = text.replace("\nNT = ", "\nNT = 1")
        (row,) = self.done(self.api.compare_settings("", other))
        self.assertEqual((row["command"], row["known"]), ("NT", True))
        fault = self.fault(self.api.apply_settings("", text))
        self.assertEqual(fault.number, BAD_ADDRESS)
        self.assertIn("local radio", str(fault))

    def test_senseless_files(self) -> None:
        for text, words in (
            ("", "no settings"),
            ("[settings", "no TOML"),
            ("[settings]\nD1 = true\n", "must be a number"),
            ("[settings]\nD11 = 1\n", "no AT command"),
            ("[settings]\nD1 = 300\n", "D1"),
            ('[settings]\nD1 = "high"\n', "takes a number"),
            ("format = 2\n[settings]\nD1 = 3\n", "later version"),
            ('hardware = "x"\n[settings]\nD1 = 3\n', "four hexadecimal digits"),
            ("D1 = 3\n", "stands before"),
            ("<data>", "no XML"),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><data/>", "DOCTYPE"),
            ("<a>" * 10, "too deep"),
            ("[settings]\nD1 = 5\nd1 = 4\n", "D1 stands there twice"),
            (
                "<data><setting command='D1'>5</setting><setting command='d1'>4</setting></data>",
                "D1 stands there twice",
            ),
            ("#" * 70_000, "another file"),
        ):
            fault = self.fault(self.api.apply_settings("METER", text))
            self.assertEqual(fault.number, BAD_VALUE, text[:40])
            self.assertIn(words, str(fault))


class ReplaceTests(SettingsTestCase):
    def test_a_dead_module(self) -> None:
        """Same port, name and settings, by one command."""
        self.done(self.api.at("METER", "D1", 3))
        self.done(self.api.at("METER", "IR", 5000))
        self.done(self.api.settings("METER"))
        old = self.node("METER")
        (port,) = (one["tcp_port"] for one in self.api.list_nodes() if one["label"] == "METER")
        self.network.remove_node(old)
        new = self.successor()
        answer = self.done(self.api.replace("METER", "SPARE"))
        self.assertEqual((answer["tcp_port"], answer["label"]), (port, "METER"))
        self.assertEqual(set(answer["changed"]), {"D1", "IR", "NI"})
        self.assertEqual((answer["skipped"], answer["text"]), ([], ""))
        (row,) = (one for one in self.api.list_nodes() if one["label"] == "METER")
        self.assertEqual(row["addr_extended"], "[00:13:a2:00:40:0a:3e:aa]!")
        self.assertEqual((row["tcp_port"], row["state"]), (port, "listening"))
        self.assertEqual(len(self.api.list_nodes()), 3)
        self.assertEqual((new.identifier, new.registers.active["IR"]), (b"METER", 5000))
        # It lasts.
        new._restart()
        self.run_for(1)
        self.assertEqual((new.identifier, new.registers.active["D1"]), (b"METER", 3))
        mapping = {one.address64: one.port for one in self.gateway.store.mappings()}
        self.assertEqual(mapping[new.address64], port)
        self.assertNotIn(old.address64, mapping)

    def test_what_was_set_after_they_were_read(self) -> None:
        self.done(self.api.settings("METER"))
        self.done(self.api.at("METER", "D2", 2))
        self.done(self.api.at("METER", "DL", b"\x00\x00\x00\x05"))
        self.done(self.api.rename("METER", "Boiler"))
        self.network.remove_node(self.node("Boiler"))
        new = self.successor()
        answer = self.done(self.api.replace("Boiler", "SPARE"))
        self.assertEqual(set(answer["changed"]), {"D2", "DL", "NI"})
        self.assertEqual(answer["label"], "Boiler")
        self.assertEqual((new.registers.active["D2"], new.registers.active["DL"]), (2, 5))

    def test_another_that_calls_itself_as_the_old_one(self) -> None:
        """It was refused the name, and does not get it by what is done with the right ones."""
        self.stop_now()
        self.build(Settings(serial="sim:", nodes=(NodeSettings(label="METER", port=28600),)))
        self.run_for(3)
        meter, rogue = self.node("METER"), self.node("ECHO")
        nodes = self.gateway.network.nodes
        known = present(nodes.get(rogue.address64))
        known.label = "METER"
        nodes.changed(known)
        self.network.remove_node(meter)
        new = self.successor()
        self.done(self.api.replace("METER", "SPARE"))
        labels = self.gateway.bindings.labels
        self.assertEqual(labels.pins, {"METER": new.address64})
        self.done(self.api.rename("METER", "KETTLE"))
        self.done(self.api.rename("KETTLE", "METER"))
        self.assertEqual(labels.pins, {"METER": new.address64})
        self.done(self.api.forget("METER"))
        self.run_for(5)
        ports = {row["addr_extended"]: row["tcp_port"] for row in self.api.list_nodes()}
        self.assertNotEqual(ports[digi_address64(rogue.address64)], 28600)

    def test_settings_that_were_never_read(self) -> None:
        (port,) = (one["tcp_port"] for one in self.api.list_nodes() if one["label"] == "METER")
        self.network.remove_node(self.node("METER"))
        self.successor()
        answer = self.done(self.api.replace("METER", "SPARE"), 60)
        self.assertEqual((answer["tcp_port"], answer["changed"]), (port, ["NI"]))
        self.assertIn("were ever read", answer["text"])

    def test_old_one_that_still_answers(self) -> None:
        self.done(self.api.at("METER", "D1", 3))
        new = self.successor()
        self.done(self.api.replace("METER", "SPARE"))
        self.assertEqual(new.registers.active["D1"], 3)

    def test_file(self) -> None:
        self.network.remove_node(self.node("METER"))
        new = self.successor()
        answer = self.done(self.api.replace("METER", "SPARE", False, "[settings]\nD2 = 2\n"))
        self.assertEqual(answer["label"], "METER")
        self.assertEqual(new.registers.active["D2"], 2)

    def test_wrong_hardware_changes_nothing(self) -> None:
        self.done(self.api.settings("SENSOR"))
        self.successor()
        before = self.api.list_nodes()
        fault = self.fault(self.api.replace("SENSOR", "SPARE"))
        self.assertEqual(fault.number, BAD_VALUE)
        self.assertIn("XBee S2", str(fault))
        after = self.api.list_nodes()
        self.assertEqual(
            [(one["label"], one["tcp_port"]) for one in after],
            [(one["label"], one["tcp_port"]) for one in before],
        )

    def test_what_may_cut_off_is_asked_for(self) -> None:
        self.done(self.api.settings("METER"))
        self.network.remove_node(self.node("METER"))
        self.successor(BD=7)
        fault = self.fault(self.api.replace("METER", "SPARE"))
        self.assertEqual(fault.number, MAY_CUT_OFF)
        self.done(self.api.replace("METER", "SPARE", True))
        self.assertEqual(self.node("METER").registers.active["BD"], 3)

    def test_itself(self) -> None:
        self.assertEqual(self.fault(self.api.replace("METER", "METER")).number, BAD_VALUE)

    def test_port_of_the_configuration(self) -> None:
        """Who has it is written there; a name there goes with the name."""
        for number, words in ((0, "27500"), (1, "27501")):
            addresses = ("00:13:a2:00:40:0a:3e:01", "00:13:a2:00:40:0a:3e:aa")
            self.stop_now()
            wish = NodeSettings(address64=parse_address64(addresses[number]), port=27500 + number)
            self.build(Settings(serial="sim:", nodes=(wish,)))
            self.run_for(3)
            new = self.successor()
            fault = self.fault(self.api.replace("METER", "SPARE"))
            self.assertEqual(fault.number, BAD_VALUE)
            self.assertIn(words, str(fault))
            self.assertEqual(new.identifier, b"SPARE")

    def test_name_in_the_configuration(self) -> None:
        """The port that is asked for a name goes to the new one, which has the name."""
        self.stop_now()
        wish = NodeSettings(label="METER", port=27500)
        self.build(Settings(serial="sim:", nodes=(wish,)))
        self.run_for(3)
        self.done(self.api.settings("METER"))
        self.network.remove_node(self.node("METER"))
        new = self.successor()
        answer = self.done(self.api.replace("METER", "SPARE"))
        self.assertEqual((answer["tcp_port"], answer["label"]), (27500, "METER"))
        self.assertEqual(self.gateway.bindings.labels.owner_of("METER"), new.address64)
        (row,) = (one for one in self.api.list_nodes() if one["label"] == "METER")
        self.assertEqual((row["tcp_port"], row["state_text"]), (27500, ""))
        texts = [one["text"] for one in self.api.trace(0)]
        self.assertFalse([text for text in texts if "calls itself" in text])
