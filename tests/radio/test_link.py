"""The machine of the link: it is as docs/architecture.rst draws it, and what it asks for."""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.pages import DOCS, blocks_of
from tests.radio.support import FACTS
from zbtwist.radio.interfaces import ILinkOwner
from zbtwist.radio.link import INPUTS, STATES, closing, make_link, opening, pausing, probing, up
from zbtwist.radio.probe import ProbeResult

PAGE = DOCS / "architecture.rst"

#: What an input comes with, if it comes with something.
ARGUMENTS: dict[str, Any] = {
    "not_opened": "There is no port.",
    "found": ProbeResult(1),
    "ready": FACTS,
    "ready_alone": FACTS,
    "failed": "It does not answer.",
    "given_up": "It does not answer.",
    "in_other_mode": 1,
    "left": 0x22,
}


def transitions() -> dict[tuple[str, str], tuple[str, bool]]:
    """Return for each state and input the next state, and whether anything is done."""
    return {
        (state.name, name): (then.name, outputs[-1].name != "returns(None)")
        for state, name, then, outputs in make_link.__automat_automaton__.allTransitions()
    }


def table() -> str:
    """Return the machine as a table in reStructuredText: what comes, and where it leads from each
    state; nothing where nothing is done.
    """
    found = transitions()
    rows = [["", *(state.name for state in STATES)]]
    for happens in INPUTS:
        row = [f"``{happens.__name__}``"]
        for state in STATES:
            then, is_something_done = found[state.name, happens.__name__]
            row.append(then if is_something_done or then != state.name else "")
        rows.append(row)
    rows[0][0] = "what comes"
    widths = [max(map(len, column)) for column in zip(*rows)]
    edge = " ".join("=" * width for width in widths)
    lines = [
        " ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    ]
    return "\n".join([edge, lines[0], edge, *lines[1:], edge, ""])


class Owner:
    """Remembers what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        if name not in ILinkOwner:
            raise AttributeError(name)
        return lambda *arguments, **options: self.asked.append((name, *arguments))


class PictureTests(SynchronousTestCase):
    """docs/architecture.rst, "The link" """

    def test_table(self) -> None:
        made = table()
        self.assertIn(f"\n{made}", PAGE.read_text(), f"it must have this:\n{made}")
        self.assertLessEqual(max(map(len, made.splitlines())), 100)

    def test_arrows(self) -> None:
        (block,) = (block for block in blocks_of(PAGE) if "bringing_up ─" in block.text)
        found = transitions()
        # An arrow's end is the next one's beginning.
        arrows = re.findall(r"(\w+) ─+(\w+)─*→ (?=(\w+))", block.text)
        self.assertGreater(len(arrows), 10)
        self.assertEqual(len(arrows), block.text.count("→"))
        for state, happens, then in arrows:
            self.assertEqual(found[state, happens][0], then, (state, happens))
        self.assertEqual(
            {state for state, _, _ in arrows} | {then for _, _, then in arrows},
            {state.name for state in STATES},
        )

    def test_each_state_is_explained(self) -> None:
        text = PAGE.read_text()
        for state in STATES:
            self.assertRegex(text, rf"\n{state.name}\n    \w")


class LinkTests(SynchronousTestCase):
    def link(self, state: Any) -> Any:
        self.owner = Owner()
        return make_link(self.owner, state)  # type: ignore[call-overload]

    def test_every_state_takes_every_input(self) -> None:
        """Nothing that comes at the wrong time is an error."""
        for state in STATES:
            for happens in INPUTS:
                name = happens.__name__
                arguments = (ARGUMENTS[name],) if name in ARGUMENTS else ()
                getattr(self.link(state), name)(*arguments)
                is_something_done = transitions()[state.name, name][1]
                self.assertEqual(bool(self.owner.asked), is_something_done, (state.name, name))

    def test_from_the_beginning_to_the_end(self) -> None:
        link = self.link(STATES[0])
        found = ProbeResult(2)
        for happens, arguments, asked in (
            ("started", (), []),
            ("not_opened", ("There is none.",), [("no_radio", "There is none.")]),
            ("opened", (), [("probe",)]),
            ("failed", ("It is mute.",), [("no_radio", "It is mute."), ("pause",)]),
            ("pause_over", (), [("probe",)]),
            ("found", (found,), [("bring_up", found)]),
            ("ready", (FACTS,), [("announce", FACTS)]),
            ("joined", (), [("begin_again", "The radio has just joined its network.")]),
            ("found", (found,), [("bring_up", found)]),
            ("ready", (FACTS,), [("announce", FACTS)]),
            ("left", (0x22,), [("announce_left", 0x22)]),
            ("left", (0x23,), [("watch_alone", 0x23)]),
            ("joined", (), [("begin_again", "The radio has just joined its network.")]),
            ("given_up", ("It is mute.",), [("no_radio", "It is mute."), ("close_line",)]),
            ("reset", (), []),
            ("lost", (), [("link_down", None)]),
            ("stopped", (), [("link_down", "The gateway is stopping."), ("close_line",)]),
            ("stopped", (), []),
            ("started", (), []),
            ("opened", (), [("probe",)]),
        ):
            self.owner.asked.clear()
            getattr(link, happens)(*arguments)
            self.assertEqual(self.owner.asked, asked, happens)

    def test_silence(self) -> None:
        """It is said before the radio is looked for anew, with one try left on its line."""
        self.link(up).silent()
        self.assertEqual([asked[0] for asked in self.owner.asked], ["say_silent", "begin_again"])

    def test_frame_in_a_pause(self) -> None:
        self.link(pausing).frame_came()
        self.assertEqual(self.owner.asked, [("probe",)])
        # What it said has ended the pause already.
        self.link(probing).frame_came()
        self.assertEqual(self.owner.asked, [])

    def test_line_that_is_closed_says_nothing(self) -> None:
        for state in (opening, closing):
            link = self.link(state)
            link.reset()
            link.joined()
            link.left(0x22)
            link.frame_came()
            self.assertEqual(self.owner.asked, [])

    def test_one_thing_after_the_other(self) -> None:
        """The line is lost while the radio is looked for on it: that comes behind it."""
        link = self.link(opening)
        heard: list[str] = []

        def probe() -> None:
            link.failed("It could not be written to.")
            link.lost()
            heard.append("probe")

        self.owner.probe = probe  # type: ignore[attr-defined]
        self.owner.no_radio = heard.append  # type: ignore[attr-defined]
        self.owner.line_closed = lambda: heard.append("closed")  # type: ignore[attr-defined]
        link.opened()
        self.assertEqual(heard, ["probe", "It could not be written to.", "closed"])
