"""Which pins stand for lines of a serial port, as a person writes it, and how they are."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.binding.modem_lines import CTS, DTR, RI, ModemState, modem_lines
from zbtwist.network.node import Node
from zbtwist.network.node_pins import NodePins, Reading
from zbtwist.runtime.option import Context, Mistake
from zbtwist.xbee.address import Address64
from zbtwist.xbee.pins import OUTPUT_HIGH, OUTPUT_LOW

HERE = Context(None, "/")


class OptionTests(SynchronousTestCase):
    def test_lines(self) -> None:
        lines = modem_lines("dtr=D4\ncts=dio1:high, break=D2", HERE)
        self.assertEqual(list(map(str, lines)), ["dtr=D4", "cts=D1:high", "break=D2"])
        self.assertEqual(modem_lines("", HERE), ())

    def test_mistakes(self) -> None:
        for text, why in (
            ("dtr", "must be lines and their pins"),
            ("dtr=", "must be lines and their pins"),
            ("dtr=D77", "not 'dtr=D77'; the lines are dtr, rts, break, cts, dsr, ri, dcd"),
            ("tx=D4", "not 'tx=D4'"),
            ("dtr=D4:low", "not 'dtr=D4:low'"),
            ("dtr=D4,dtr=D3", "has dtr=D4, and dtr once more"),
            ("dtr=D4,cts=DIO4", "has dtr=D4, and D4 once more"),
            ("cts=P4", "P4 carries the bytes"),
        ):
            with self.assertRaises(Mistake) as caught:
                modem_lines(text, HERE)
            self.assertIn(why, str(caught.exception))

    def test_on_is_low(self) -> None:
        low, high = modem_lines("dtr=D4,rts=D3:high", HERE)
        self.assertEqual((low.mode_of(True), low.mode_of(False)), (OUTPUT_LOW, OUTPUT_HIGH))
        self.assertEqual((high.mode_of(True), high.mode_of(False)), (OUTPUT_HIGH, OUTPUT_LOW))


class StateTests(SynchronousTestCase):
    def test_state(self) -> None:
        node = Node(Address64(1))
        state = ModemState(node)
        lines = modem_lines("cts=D1,ri=D2:high,dtr=D4", HERE)
        # As a program needs them, until something is known.
        self.assertEqual([state.is_on(name, lines) for name in (CTS, RI, DTR)], [True, False, True])
        node.pins = NodePins(digital={1: Reading(1, 0.0), 2: Reading(1, 0.0)})
        self.assertEqual([state.is_on(name, lines) for name in (CTS, RI, DTR)], [False, True, True])
        state.said[DTR] = False
        self.assertFalse(state.is_on(DTR, lines))
        node.pins.digital[4] = Reading(0, 0.0)
        self.assertTrue(state.is_on(DTR, lines))
        self.assertEqual(state.inputs(()), {"cts": True, "dsr": True, "ri": False, "dcd": True})
