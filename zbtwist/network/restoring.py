"""Giving a node other settings, all of them or with a sentence that says which.

They are set without effect (queued), what may cut the node off last; then AC puts all of them into
force at once, each is read back, and only then, if that was asked for, WR writes them to flash
memory: a node that was lost by a mistake comes back as it was when it is switched off and on
(90001539, "AC" and "WR"). A node that refuses a value gets back what was set before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zbtwist.network.flash import may_have_been_done
from zbtwist.network.node import Node
from zbtwist.network.settings import TRIES, Asks
from zbtwist.radio.errors import ATRefused, RadioError
from zbtwist.xbee.at_table import Kind, Parameter
from zbtwist.xbee.description import label_text
from zbtwist.xbee.status import ATStatus


@dataclass(frozen=True, slots=True)
class Change:
    """
    @ivar before: what it is; None if that cannot be read.
    """

    row: Parameter
    before: bytes | None
    after: bytes

    @property
    def is_sameness(self) -> bool:
        """Whether nothing would change: modules differ in how many bytes they answer."""
        if self.before is None:
            return False
        if not self.row.is_number:
            return self.before == self.after
        return int.from_bytes(self.before, "big") == int.from_bytes(self.after, "big")

    @property
    def text(self) -> str:
        """What was to be set, as a file may have it, with a blank before it; nothing of a key."""
        row = self.row
        if row.write_only:
            return ""
        if row.is_number:
            number = row.number_of(self.after)
            return f" {number}" + (f" ({number:#x})" if abs(number) > 9 else "")
        return f" {label_text(self.after)!r}" if row.kind is Kind.TEXT else f" {self.after.hex()}"


class NotRestored(RadioError):
    """The settings of a node are not what was asked for. The text says which are.

    @ivar has_refused: it said no, and is as it was; else it did not answer, or answers otherwise.
    """

    def __init__(self, sentence: str, has_refused: bool = False) -> None:
        super().__init__(sentence)
        self.has_refused = has_refused


def _names(changes: Sequence[Change]) -> str:
    return ", ".join(change.row.name for change in changes)


class Restorer:
    """Changes settings of nodes; of each node only once at a time."""

    def __init__(self, asks: Asks) -> None:
        self._asks = asks
        self._busy: set[Node] = set()

    async def change(self, node: Node, changes: Sequence[Change], write: bool) -> None:
        """Make the changes.

        @param write: write them, and what was set before, to flash memory.
        @raise NotRestored: not all of it could be done.
        """
        if node in self._busy:
            raise NotRestored(
                f"The settings of {node} are being changed already: wait until that is done.", True
            )
        self._busy.add(node)
        try:
            ordered = sorted(changes, key=lambda change: bool(change.row.why))
            if ordered:
                await self._queue(node, ordered)
                await self._apply(node, ordered)
                await self._verify(node, ordered)
            if write:
                await self._write(node, ordered)
        finally:
            self._busy.discard(node)

    async def _tell(self, node: Node, command: str, value: bytes = b"") -> bytes:
        """A command that may be said twice."""
        for tries_left in reversed(range(TRIES)):
            try:
                return await self._asks.remote_at(node, command, value, apply=False)
            except RadioError as error:  # noqa: PERF203  # there are two
                if not tries_left or not may_have_been_done(error):
                    raise
        raise AssertionError("the last try returns or raises")

    async def _queue(self, node: Node, changes: Sequence[Change]) -> None:
        done = 0
        try:
            for change in changes:
                await self._tell(node, change.row.name, change.after)
                done += 1
        except RadioError as error:
            if isinstance(error, ATRefused) and error.status != ATStatus.TRANSMISSION_FAILED:
                await self._take_back(node, changes, done, error)
            raise self._stuck(node, changes, done, str(error)) from None

    def _stuck(self, node: Node, changes: Sequence[Change], done: int, reason: str) -> NotRestored:
        there = (
            f" Set there, but not in force: {_names(changes[:done])}; a restart of the node takes "
            "that back, AC puts it into force."
            if done
            else " Nothing has changed."
        )
        return NotRestored(f"{_end(reason)} Not set on {node}: {_names(changes[done:])}.{there}")

    async def _take_back(
        self, node: Node, changes: Sequence[Change], done: int, error: ATRefused
    ) -> None:
        """
        @raise NotRestored: always.
        """
        try:
            for change in changes[:done]:
                if change.before is not None:
                    await self._tell(node, change.row.name, change.before)
        except RadioError:
            raise self._stuck(node, changes, done, str(error)) from None
        raise NotRestored(
            f"{_end(str(error))} So nothing has changed on {node}: correct the value"
            f"{changes[done].text} of {changes[done].row.name}, or take it out.",
            has_refused=True,
        ) from None

    async def _apply(self, node: Node, changes: Sequence[Change]) -> None:
        try:
            await self._tell(node, "AC")
        except RadioError as error:
            if not may_have_been_done(error):
                raise NotRestored(
                    f"{_end(str(error))} All is set on {node} ({_names(changes)}), and not in "
                    "force: try AC."
                ) from None
            # It may have been heard, and have changed how the node is reached: reading tells.

    async def _verify(self, node: Node, changes: Sequence[Change]) -> None:
        wrong: list[Change] = []
        for change in changes:
            if change.before is None:
                continue
            try:
                value = await self._tell(node, change.row.name)
            except RadioError as error:
                raise NotRestored(
                    f"{node} was set and put into force ({_names(changes)}), and now it does not "
                    f"answer: {_end(str(error))} Nothing was written to its flash memory: "
                    "switched off and on, it is as it was."
                ) from None
            if not Change(change.row, value, change.after).is_sameness:
                wrong.append(change)
        if wrong:
            right = [change for change in changes if change not in wrong]
            raise NotRestored(
                f"{node} says that it took {_names(wrong)}, and reads otherwise"
                f"{f'; {_names(right)} are as they should be' if right else ''}. Nothing was "
                "written to its flash memory."
            )

    async def _write(self, node: Node, changes: Sequence[Change]) -> None:
        try:
            await self._tell(node, "WR")
        except RadioError as error:
            what = f" ({_names(changes)})" if changes else ""
            raise NotRestored(
                f"{_end(str(error))} All is set on {node} and in force{what}, and may not be "
                "in its flash memory: send it WR again."
            ) from None


def _end(sentence: str) -> str:
    return sentence if sentence.endswith(".") else f"{sentence}."
