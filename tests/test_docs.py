"""What the documentation says of the program, held against the program."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import MemoryReactorClock
from tests.faults.table import documented_rows
from tests.modbus.runs import fit
from tests.pages import DOCS, ROOT, blocks_of
from zbtwist.config.gateway_options import OPTIONS
from zbtwist.config.load import load
from zbtwist.config.toml_file import ConfigError
from zbtwist.simulator.nodes import EchoNode
from zbtwist.xbee.status import ATStatus, DeliveryStatus, ModemStatusCode

_LITERAL = re.compile(r"``(.+?)``")


class LinkTests(SynchronousTestCase):
    def test_pages_that_are_linked_are_there(self) -> None:
        pages = [*DOCS.glob("*.rst"), ROOT / "README.rst"]
        self.assertGreater(len(pages), 10)
        for page in pages:
            text = page.read_text()
            for target in re.findall(r"<([\w./-]+\.\w+)(?:#[\w-]+)?>`_", text):
                if not target.startswith("http"):
                    self.assertTrue((page.parent / target).exists(), f"{page.name}: {target}")


class DeliveryTests(SynchronousTestCase):
    """docs/delivery.rst and docs/modbus.rst, whose comments say which tests hold each paragraph."""

    def test_tests_are_there(self) -> None:
        for page, fewest in (("delivery.rst", 50), ("modbus.rst", 40)):
            text = (DOCS / page).read_text()
            names = re.findall(r"^ *\.\. test: (\S+)$", text, re.MULTILINE)
            self.assertGreater(len(names), fewest)
            for name in names:
                module, case, test = name.rsplit(".", 2)
                self.assertTrue(
                    callable(getattr(getattr(import_module(module), case, None), test, None)),
                    f"docs/{page} names {name}, and there is no such test",
                )

    def test_each_paragraph_has_one(self) -> None:
        """But for those that are about what is said elsewhere, or lead to what follows."""
        text = (DOCS / "delivery.rst").read_text()
        blocks = re.split(r"\n\n+", text)
        without = [
            re.split(r"\n|(?<=\.\*\*)", block)[0]
            for block, following in zip(blocks, [*blocks[1:], ""])
            if not re.match(r" *\.\. test: ", block) and not re.match(r" *\.\. test: ", following)
        ]
        lines = [line for line in without if not re.search(r"^[=-]+$", line)]
        self.assertEqual(
            lines,
            [
                "What happens to your bytes",
                "To the node",
                "**Again, or lost.**",
                "**Doubtful packets.**",
                "From the node",
                "While the radio is away",
                "Tests and restarts",
                "What a reset is",
            ],
        )


class ModbusTests(SynchronousTestCase):
    """docs/modbus.rst"""

    def test_each_row_beside_mbusd_has_its_test(self) -> None:
        text = (DOCS / "modbus.rst").read_text()
        rows = documented_rows("mbusd", text)
        self.assertGreater(len(rows), 20)
        for what, _, _, test in rows:
            if test.startswith("(none"):
                continue
            name = test.strip("`")
            if not name.startswith("tests."):
                name = f"tests.binding.modbus.{name}"
            self.assertTrue(callable(namedAny(name)), f"{what}: {name}")

    def test_numbers_are_those_that_were_measured(self) -> None:
        """In short: the first row of each table that ``python -m tests.modbus`` writes."""
        text = (DOCS / "modbus.rst").read_text()
        masters = documented_rows("masters", text)
        self.assertEqual([row[3] for row in masters if "raw" not in row[0]], ["0"] * 8)
        for row in documented_rows("writes", text)[:5]:
            payload = int(row[0].partition("(")[2].rstrip(")"))
            self.assertEqual(row[1], str(fit(payload)))


class ConfigurationTests(SynchronousTestCase):
    """docs/configuration.rst"""

    def test_mistakes(self) -> None:
        """The gateway says of such a file what the page says that it does."""
        block = next(
            block for block in blocks_of(DOCS / "configuration.rst") if "did you mean" in block.text
        )
        path = self.mktemp()
        lines = [""] * 12
        lines[0:3] = ['serial = "sim:"', 'retries = "5"', "base_port = 27001"]
        lines[4:6] = ["[[node]]", 'label = "A"']
        lines[8:11] = ["[[node]]", 'label = "B"', "port = 70000"]
        with open(path, "w") as file:
            file.write("\n".join(lines))
        with self.assertRaises(ConfigError) as caught:
            load(MemoryReactorClock(), {"config": path})
        said = str(caught.exception).replace(path, "/etc/zbtwist.toml")
        self.assertEqual(re.sub(r"^(twistd )?zbgate: ", "", block.text), said)

    def test_either(self) -> None:
        """What may stand in quotes or without."""
        text = (DOCS / "configuration.rst").read_text()
        sentence = re.search(r"none around numbers\.(.*?)may be\s+either\.", text, re.DOTALL)
        assert sentence is not None
        said = set(_LITERAL.findall(sentence[1]))
        self.assertEqual(
            said,
            {name for name, option in OPTIONS.items() if set(option.types) >= {int, str}},
        )


class SecurityTests(SynchronousTestCase):
    """docs/security.rst"""

    def test_each_promise_has_its_tests(self) -> None:
        """Every section names tests in comments, and they are there."""
        text = (DOCS / "security.rst").read_text()
        named = re.findall(r"(?m)^\.\. (tests\.[\w.]+)$", text)
        self.assertGreater(len(named), 30)
        for name in named:
            self.assertTrue(callable(namedAny(name)), name)
        for section in re.split(r"(?m)^[^\n]+\n~{3,}\n", text)[1:]:
            self.assertIn("\n.. tests.", section)


class Ser2netTests(SynchronousTestCase):
    """docs/ser2net.rst"""

    def test_each_row_has_its_test(self) -> None:
        """Whatever is said to be there is shown by a test that is."""
        text = (DOCS / "ser2net.rst").read_text()
        rows = re.findall(r"(?m)^   \* - .*(?:\n     .*)*", text)
        rows = [row for row in rows if not row.endswith("- test")]
        self.assertGreater(len(rows), 40)
        for row in rows:
            *_, here, test = re.split(r"\n? {3}[ *] - ?", row)
            if re.match("no[:\\n]|no$", here):
                self.assertEqual(test, "", row)
                continue
            named = re.fullmatch(r"``([\w.]+)``", test)
            assert named is not None, row
            self.assertTrue(callable(namedAny(f"tests.{named[1]}")), row)


class SimulatorTests(SynchronousTestCase):
    """docs/simulator.rst"""

    def run_snippet(self) -> dict[str, Any]:
        (snippet,) = (
            block for block in blocks_of(DOCS / "simulator.rst") if block.language == "python"
        )
        names: dict[str, Any] = {"EchoNode": EchoNode}
        exec(compile(snippet.text, snippet.place, "exec"), names)
        return names

    def test_snippet(self) -> None:
        names = self.run_snippet()
        self.assertIsInstance(names["clock"], Clock)
        self.successResultOf(names["connected"])
        self.assertIsInstance(names["echo"], EchoNode)

    def test_what_can_be_done(self) -> None:
        """Each line of the table can be run as it stands, and names what is there."""
        table = (DOCS / "simulator.rst").read_text().split("from_radio``:\n\n", 1)[1]
        table = table.split("\n\n", 1)[0]
        rows: list[list[str]] = []
        for line in table.split("\n")[1:-1]:
            first, rest = line[:47], line[47:]
            if first.strip():
                rows.append([first, ""])
            rows[-1][1] += f" {rest}"
        self.assertGreater(len(rows), 20)
        for code, remark in rows:
            self.check_row(code, remark)

    def check_row(self, code: str, remark: str) -> None:
        names = self.run_snippet()
        owner: Any = None
        for text in _LITERAL.findall(code):
            target, _, value = text.partition(" = ")
            path, _, last = target.partition("(")[0].rpartition(".")
            if not path:
                # Another method of the same object.
                self.assertTrue(hasattr(owner, last), text)
                continue
            owner = eval(path, names)
            self.assertTrue(hasattr(owner, last), text)
            if "(node)" in text:
                names["node"] = eval(_LITERAL.findall(remark)[0], names)
            if value:
                before = getattr(owner, last)
                exec(text, names)
                self.assertIsInstance(getattr(owner, last), type(before), text)
            else:
                eval(text, names)
        for text in _LITERAL.findall(remark):
            name = re.match(r"\w+", text)
            if text.startswith("ChannelAir"):
                continue
            assert name is not None, text
            if text.endswith("="):
                self.assertIn(name[0], owner.swap_radio.__code__.co_varnames)
            elif "(" not in text or text.endswith("()"):
                self.assertTrue(hasattr(owner, name[0]), text)
        for _ in range(20):
            names["clock"].advance(0.01)


#: Words of a field that stand for themselves: a name, a number, an address, a reason of the system.
MAX_WORDS = 5
#: Letters that a message must have beside its fields, to be told by them.
FEWEST_LETTERS = 6


@cache
def messages() -> list[re.Pattern[str]]:
    """Return every text of the program that could be a message, with its fields as groups."""
    found = []
    for path in sorted((ROOT / "zbtwist").rglob("*.py")):
        for text in texts_of(path):
            letters = sum(map(str.isalpha, "".join(text)))
            if letters >= FEWEST_LETTERS:
                found.append(re.compile("(.*?)".join(map(re.escape, text)), re.DOTALL))
    return found


def texts_of(path: Path) -> Iterator[list[str]]:
    """Yield the texts in a source, each as what is between its fields."""
    tree = ast.parse(path.read_text())
    within: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            # A docstring.
            within.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            text = [""]
            for part in node.values:
                within.add(id(part))
                if isinstance(part, ast.Constant):
                    text[-1] += str(part.value)
                else:
                    text.append("")
            yield text
        elif id(node) not in within and isinstance(node, ast.Constant):
            # A field of the log has its name in braces.
            yield re.split(r"\{\w+\}", str(node.value))


def is_said(text: str) -> bool:
    """Whether the program can say that, with words of its own in the fields as well."""
    return any(
        (match := message.fullmatch(text)) and all(map(may_stand_in_a_field, match.groups()))
        for message in messages()
    )


def may_stand_in_a_field(text: str) -> bool:
    return len(text.split()) <= MAX_WORDS or is_said(text) or is_said(f"{text}.")


class TroubleshootingTests(SynchronousTestCase):
    """docs/troubleshooting.rst"""

    page = DOCS / "troubleshooting.rst"

    def test_sentences(self) -> None:
        """What stands apart is what the program says."""
        blocks = blocks_of(self.page)
        self.assertGreater(len(blocks), 50)
        for block in blocks:
            sentence = " ".join(block.lines)
            # It is the subject of a mistake.
            sentence = re.sub(r"^--[a-z-]+ ", "", sentence)
            self.assertTrue(is_said(sentence), f"{block.place}: {sentence}")

    def test_sentences_that_are_not_said(self) -> None:
        for sentence in (
            "The radio on /dev/ttyUSB0 has fallen silent.",
            "No radio on /dev/ttyUSB0: nobody can tell why that is so. The gateway goes on trying.",
            "48 bytes for METER (00:13:a2:00:40:0a:3e:01) are lost: and nobody here can say why",
        ):
            self.assertFalse(is_said(sentence), sentence)

    def test_statuses(self) -> None:
        """Every report that the gateway has words for is explained, under its number."""
        text = self.page.read_text()
        rows = re.findall(r"^``([^`]+)`` +([0-9A-F]{2}): ", text, re.MULTILINE)
        expected = [
            (status.text, f"{status:02X}")
            for status in DeliveryStatus
            if status != DeliveryStatus.DELIVERED
        ]
        self.assertEqual(rows, expected)
        for words in (code.text for code in ModemStatusCode):
            self.assertIn(words, " ".join(text.split()))
        for answer in (
            ATStatus.INVALID_COMMAND,
            ATStatus.INVALID_PARAMETER,
            ATStatus.TRANSMISSION_FAILED,
        ):
            self.assertIn(answer.text, text.lower())
