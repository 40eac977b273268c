"""Texts with ser2net's escapes and substitutions."""

from __future__ import annotations

import os
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from zbtwist.runtime.option import Context, Mistake
from zbtwist.runtime.substitutions import About, Template, template

#: 27 November 2026, 03:05:06.000789, a Friday, where these tests are.
MOMENT = 1795748706.000789


class SubstitutionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        before = os.environ.get("TZ")
        os.environ["TZ"] = "UTC"
        time.tzset()
        self.addCleanup(self.reset, before)

    def reset(self, zone: str | None) -> None:
        if zone is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = zone
        time.tzset()

    def filled(self, text: str, moment: float = MOMENT) -> bytes:
        return Template(text).filled(
            About("0013a200400a3eff", "E1", 27001, "9600N81", "10.0.0.7", moment)
        )

    def test_as_ser2net_does(self) -> None:
        """By what ser2net 4.3.11 made of the same, but for what a device and a port are."""
        self.assertEqual(self.filled(r"\d|\o|\N|\p|\I"), b"0013a200400a3eff|E1|E1|27001|10.0.0.7")
        self.assertEqual(
            self.filled(r"\Y|\y|\M|\m|\A|\D|\e|\U|\H|\h|\i|\S|\q|\P"),
            b"2026|330|Nov|11|Fri|27|1795748706|000789|03|03|05|06|am|AM",
        )
        self.assertEqual(self.filled(r"\H|\h|\q|\P", MOMENT + 43200), b"15|03|pm|PM")
        self.assertEqual(self.filled(r"\H|\h|\q|\P", MOMENT - 3 * 3600), b"00|12|am|AM")

    def test_escapes(self) -> None:
        self.assertEqual(self.filled(r"\a\b\f\n\r\t\v\\\?\'\""), b"\a\b\f\n\r\t\v\\?'\"")
        self.assertEqual(self.filled(r"\x41\xff\x7g\101\0\377\18"), b"A\xff\x07gA\x00\xff\x018")

    def test_text(self) -> None:
        """It may have line ends of its own, as TOML's double quotes make them."""
        self.assertEqual(self.filled("Grüße\r\n"), "Grüße\r\n".encode())

    def test_cleaned(self) -> None:
        about = About("d", "../E1", 1, "", "", MOMENT)
        filled = Template(r"/a/\N.b").filled(about, lambda text: text.replace("/", "_"))
        self.assertEqual(filled, b"/a/.._E1.b")

    def test_mistakes(self) -> None:
        context: Any = Context(None, "/")
        parse = template(10)
        for wrong, said in (
            (r"\z", r"has \z, which stands for nothing here"),
            ("x\\", "has \\, which stands for nothing here"),
            (r"\xg", r"has \x, which"),
            ("x" * 11, "at most 10 bytes"),
        ):
            self.assertIn(said, str(self.assertRaises(Mistake, parse, wrong, context)))
        self.assertIsNone(parse("", context))
        self.assertEqual(parse(r"\N\r\n", context), Template(r"\N\r\n"))
