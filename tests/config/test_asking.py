"""Options by which the gateway itself asks nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.clock import MemoryReactorClock
from zbtwist.config.load import load
from zbtwist.config.toml_file import ConfigError
from zbtwist.decoding import makers


class AskingOptionsTests(SynchronousTestCase):
    def load(self, text: str) -> Any:
        path = Path(self.mktemp())
        path.write_text('serial = "sim:"\n' + text)
        return load(MemoryReactorClock(), {"config": str(path)})

    def of_node(self, text: str) -> Any:
        return self.load(f'[[node]]\nlabel = "N"\n{text}').nodes[0].port_settings

    def mistakes(self, text: str) -> str:
        error = self.assertRaises(ConfigError, self.load, text)
        return str(error)

    def test_questions(self) -> None:
        for text, wanted in (
            ("decoder = 'ecm1220'", (b"\xfc", b"SPK")),
            ("decoder = 'gem'", (b"^^^APISPK",)),
            (r"ask = 'READ\r\n'", (b"READ\r\n",)),
            (r'ask = "READ\r\n"', (b"READ\r\n",)),
            (r"ask = '\xfc\wSPK'", (b"\xfc", b"SPK")),
            (r"ask = 'a\\w'", (b"a\\w",)),
            ("decoder = 'gem'\nask = '^^^NMB01234APISPK'", (b"^^^NMB01234APISPK",)),
            ("ask = 'ä'\ndecoder = 'lines'", ("ä".encode(),)),
        ):
            settings = self.of_node(f"ask-every = 10\n{text}\n")
            self.assertEqual((settings.question, settings.ask_every), (wanted, 10.0), text)

    def test_wrong_questions(self) -> None:
        for text, wanted in (
            (r"ask = '\q'", r"must have \r, \n, \t, \0, \\, \w or \x and two digits"),
            (r"ask = '\w'", r"must have something to send before and behind each \w"),
            (r"ask = 'a\w\wb'", "before and behind each"),
            ("ask = '" + "a" * 256 + "'", "at most 255 bytes in 8 pieces"),
            ("ask = '" + r"a\w" * 8 + "b'", "at most 255 bytes in 8 pieces"),
            ("ask-every = 0.5", "must be 0, or a number of seconds from 1 to 86400, not '0.5'"),
            ("ask-every = 90000", "must be 0, or"),
            (r"delimiter = '\w'", r"must have \r, \n, \t, \0, \\ or \x"),
        ):
            self.assertIn(wanted, self.mistakes(f"[[node]]\nlabel = 'N'\n{text}\n"), text)

    def test_no_question(self) -> None:
        for text in ("", "decoder = 'lines'", "decoder = ''"):
            said = self.mistakes(f"[[node]]\nlabel = 'N'\nask-every = 10\n{text}\n")
            self.assertIn("node[1].ask-every needs a question", said)
        self.assertIn("2: ask-every needs a question", self.mistakes("ask-every = 10\n"))
        # One node that has one is enough.
        self.load("ask-every = 10\n[[node]]\nlabel = 'N'\ndecoder = 'gem'\n")

    def test_no_interval(self) -> None:
        said = self.mistakes("[[node]]\nlabel = 'N'\nask = 'x'\n")
        self.assertIn("node[1].ask needs ask-every", said)
        self.assertIn("2: ask needs ask-every", self.mistakes("ask = 'x'\n"))
        self.load("[[node]]\nlabel = 'N'\nask = 'x'\nask-every = 0\n")

    def test_modbus(self) -> None:
        for text in (
            "protocol = 'modbus-rtu'",
            "protocol = 'modbus-tcp'",
            "listen = ['tcp:20502:protocol=modbus-tcp']",
        ):
            said = self.mistakes(
                f"[[node]]\nlabel = 'N'\nask-every = 10\ndecoder = 'gem'\n{text}\n"
            )
            self.assertIn("node[1].ask-every is not for nodes that masters ask by Modbus", said)
        inherited = "ask-every = 10\nask = 'x'\n[[node]]\nlabel = 'N'\nprotocol = 'modbus-rtu'\n"
        self.assertIn("node[1].protocol is not for nodes that masters", self.mistakes(inherited))
        self.load(inherited + "ask-every = 0\n")
        for_all = "ask-every = 10\nask = 'x'\nprotocol = 'modbus-rtu'\n[[node]]\nlabel = 'N'\n"
        self.assertEqual(self.mistakes(for_all).count("masters ask by Modbus"), 1)
        # A port of its own for each protocol spoils nothing.
        self.of_node("ask-every = 10\ndecoder = 'gem'\nlisten = 'tcp:20502:protocol=telnet'\n")

    def test_one_mistake_is_blamed_once(self) -> None:
        said = self.mistakes("[[node]]\nlabel = 'N'\nask-every = 10\ndecoder = 'gme'\n")
        self.assertNotIn("needs a question", said)

    def test_plugin_with_a_wrong_question(self) -> None:
        class Wrong:
            name = "wrong"
            question: Any = b"READ"

        self.patch(makers, "getPlugins", lambda interface: iter([Wrong()]))
        said = self.mistakes("[[node]]\nlabel = 'N'\ndecoder = 'wrong'\n")
        self.assertIn("is wrong, whose question is no tuple of bytes: b'READ'", said)
