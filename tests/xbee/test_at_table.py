"""The table of AT commands, and which module has which."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.xbee.at_table import (
    GROUPS,
    PARAMETERS,
    ROWS,
    Kind,
    rows_of,
    table_of,
)
from zbtwist.xbee.modules import DIGIMESH, IEEE802154, OTHER, ZIGBEE, Module
from zbtwist.xbee.modules import Kind as ModuleKind

#: Modules of which profiles were published, and a few more.
S2B_ROUTER, S2B_COORDINATOR = Module(0x1E46, 0x23A7), Module(0x1E46, 0x21A7)
S2C, XBEE3, S1 = Module(0x2D47, 0x4060), Module(0x4241, 0x1012), Module(0x1744, 0x10EF)


class ModuleTests(SynchronousTestCase):
    def test_protocols(self) -> None:
        for hardware, firmware, series, protocol in (
            (0x1744, 0x10EF, "S1", IEEE802154),
            (0x1744, 0x8067, "S1", DIGIMESH),
            (0x1947, 0x2670, "S2", ZIGBEE),
            (0x1947, 0x3370, "S2", OTHER),
            (0x1E46, 0x29A7, "S2B", ZIGBEE),
            (0x2D47, 0x4060, "S2C", ZIGBEE),
            (0x2E47, 0x2003, "S2C", IEEE802154),
            (0x2247, 0x9002, "S2C", DIGIMESH),
            (0x4241, 0x1012, "XBee 3", ZIGBEE),
            (0x4241, 0x2012, "XBee 3", IEEE802154),
            (0x4141, 0x300B, "XBee 3", DIGIMESH),
            (0x7F00, 0x1000, "", OTHER),
        ):
            module = Module(hardware, firmware)
            self.assertEqual((module.series, module.protocol), (series, protocol), str(module))

    def test_roles(self) -> None:
        """The firmware of S2 and S2B decides it."""
        self.assertEqual(S2B_COORDINATOR.role, "coordinator")
        self.assertEqual(S2B_ROUTER.role, "router")
        self.assertEqual(Module(0x1E46, 0x28A7).role, "end device")
        self.assertEqual(XBEE3.role, "")

    def test_words(self) -> None:
        self.assertEqual(str(S2C), "XBee-PRO S2C TH with Zigbee 4060")
        self.assertEqual(str(Module(0x7F01, 0x1234)), "module 7F01 with another protocol 1234")


class TableTests(SynchronousTestCase):
    def test_each_module_has_each_command_once(self) -> None:
        for kind in ModuleKind:
            names = [row.name for row in ROWS if row.of & kind]
            self.assertEqual(len(names), len(set(names)), kind)

    def test_what_profiles_have(self) -> None:
        """What XCTU saves of these modules."""
        router = (
            "ID SC SD ZS NJ DH DL NI NH BH AR DD NT NO CR PL PM EE EO KY BD NB SB D7 D6 AP AO SP"
        )
        router += " SN D0 D1 D2 D3 D4 D5 P0 P1 P2 PR LT RP DO IR IC V+ NW JV JN SM SO ST PO"
        self.assertEqual(set(router.split()) - set(rows_of(S2B_ROUTER)), set())
        old = "CH ID DH DL MY MM RR RN NT NO CE SC SD A1 A2 EE KY NI PL CA SM ST SP BD NB RO AP D8"
        self.assertEqual(set(old.split()) - set(rows_of(S1)), set())
        for command in "SB NP AO JN NJ P3".split():  # noqa: SIM905
            self.assertNotIn(command, rows_of(S1))
        for command in "P3 P4 D8 D9 CE".split():  # noqa: SIM905
            self.assertNotIn(command, rows_of(S2B_ROUTER))
            self.assertIn(command, rows_of(S2C))

    def test_what_differs_between_protocols(self) -> None:
        self.assertTrue(PARAMETERS["CH"].read_only)
        self.assertFalse(rows_of(S1)["CH"].read_only)
        self.assertEqual((rows_of(S2C)["ID"].size, rows_of(S1)["ID"].size), (8, 2))

    def test_table(self) -> None:
        for module in (S2B_ROUTER, S2C, XBEE3, S1, Module(0x7F00, 0)):
            table = table_of(module)
            groups = [GROUPS.index(row.group) for row in table]
            self.assertEqual(groups, sorted(groups))
            self.assertTrue(30 < len(table) < 120, (str(module), len(table)))
            for row in table:
                self.assertIsNot(row.kind, Kind.ACTION)

    def test_rows_make_sense(self) -> None:
        for row in ROWS:
            self.assertEqual(len(row.name), 2)
            self.assertTrue(row.meaning)
            if row.why:
                self.assertTrue(row.why.endswith("."), row.name)
                self.assertFalse(row.read_only, row.name)
            for low, high in row.ranges:
                self.assertLessEqual(low, high)
                self.assertLess(high, 1 << 8 * row.size, row.name)
            if isinstance(row.default, int):
                self.assertTrue(row.takes(row.default), row.name)
            if row.words and row.ranges and row.factor == 1 and row.name != "BD":
                self.assertTrue(all(map(row.takes, row.words)), row.name)

    def test_texts(self) -> None:
        self.assertEqual(PARAMETERS["BD"].text_of(7), "115200 bit/s")
        self.assertEqual(PARAMETERS["BD"].text_of(31250), "31250 bit/s")
        self.assertEqual(PARAMETERS["SP"].text_of(0x20), "320 ms")
        self.assertEqual(PARAMETERS["SC"].text_of(0x8001), "11 26")
        self.assertEqual(PARAMETERS["SC"].text_of(0), "none")
        self.assertEqual(PARAMETERS["DH"].text_of(0x13A200), "0x13a200")
        self.assertEqual(PARAMETERS["NH"].text_of(30), "30")
        self.assertEqual(PARAMETERS["D1"].text_of(9), "9")
        self.assertEqual(PARAMETERS["IR"].range_text, "0, 50 to 65535")
        self.assertEqual(PARAMETERS["NI"].range_text, "at most 20 bytes")
        self.assertEqual(PARAMETERS["HV"].range_text, "")
