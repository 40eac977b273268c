"""The pages of the documentation, as tests read them: their literal blocks."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

_DIRECTIVE = re.compile(r"\.\. code-block:: *(\S*)")


@dataclass(frozen=True, slots=True)
class Block:
    """
    @ivar place: page and line, for what a test says.
    @ivar language: of a ``code-block``; empty for a block behind ``::``.
    @ivar lines: without their common indentation.
    """

    place: str
    language: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def blocks_of(page: Path) -> list[Block]:
    """Return the literal blocks of a page, in their order."""
    lines = page.read_text().split("\n")
    blocks = []
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        directive = _DIRECTIVE.fullmatch(line.strip())
        # A block within a table or another block is no business of ours.
        if directive is None and (not line.endswith("::") or line.strip().startswith(".. ")):
            continue
        indentation = _indentation(line)
        first = number
        while number < len(lines) and (
            not lines[number].strip() or _indentation(lines[number]) > indentation
        ):
            number += 1
        body = textwrap.dedent("\n".join(lines[first:number])).strip("\n")
        if body:
            blanks = next(n for n, text in enumerate(lines[first:number]) if text.strip())
            blocks.append(
                Block(
                    f"{page.name}:{first + blanks + 1}",
                    directive[1] if directive else "",
                    tuple(body.split("\n")),
                )
            )
    return blocks


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


@dataclass(frozen=True, slots=True)
class Command:
    """A line that a reader pastes into a shell.

    @ivar line: as it stands on the page, without its comment.
    """

    place: str
    line: str


#: What begins a dialogue with a radio in command mode.
ESCAPE = "+++"


def commands_of(block: Block) -> list[Command]:
    """Return the commands of a block: its lines that begin with ``$``, if there are such; else all,
    a line for each.
    """
    lines = [without_comment(line) for line in block.lines]
    prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [Command(block.place, line) for line in prompted or lines if line]


def without_comment(line: str) -> str:
    """Return a line without the remark behind ``#``."""
    return re.sub(r"(^|\s+)# .*", "", line).rstrip()


def is_dialogue(block: Block) -> bool:
    """Whether the lines are for a radio in command mode."""
    return without_comment(block.lines[0]) == ESCAPE


def dialogue_of(block: Block) -> list[str]:
    """Return what is typed, without the comments."""
    return [without_comment(line) for line in block.lines]
