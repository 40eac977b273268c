"""Reading the table of AT commands of a node, one question after the other.

A table is 40 to 80 questions over the air. `TABLES_AT_ONCE` nodes are read at once, each is asked
one thing at a time, and after each answer it rests for as long as that took: so the streams have
the air for most of the time, and no more than so many frame ids are ever taken. Who asks for a
table that is being read gets the same one; when nobody waits for it any more, its reading ends.

What a node does not know (AT status 2) is left out. One question without an answer is asked again,
then the reading fails: a table with holes would be taken for the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from zbtwist.network.flash import may_have_been_done
from zbtwist.network.node import Node
from zbtwist.radio.errors import ATRefused, RadioError
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.single_flight import SingleFlight
from zbtwist.xbee.at_table import Parameter, table_of
from zbtwist.xbee.modules import Module
from zbtwist.xbee.status import ATStatus

#: How many tables are read at once; the others wait.
TABLES_AT_ONCE = 2
#: How often a question is asked.
TRIES = 2
#: Seconds that a node rests at the most after an answer, and that the reading of a table may take:
#: a node that sleeps answers when it wakes up.
LONGEST_REST = 0.25
LONGEST_READING = 600.0


class Asks(Protocol):
    """Who asks nodes."""

    async def remote_at(
        self, node: Node, command: str, parameter: bytes = b"", *, apply: bool = True
    ) -> bytes:
        """An AT command to a node."""


@dataclass(frozen=True, slots=True)
class Setting:
    """
    @ivar value: as the node answered.
    """

    row: Parameter
    value: bytes

    @property
    def number(self) -> int:
        """Its value, of a command that has a number."""
        return self.row.number_of(self.value)


@dataclass(frozen=True, slots=True)
class SettingsTable:
    """What a node has answered.

    @ivar settings: by their commands, in the order of the table.
    """

    module: Module
    settings: Mapping[str, Setting]


class SettingsReader:
    """Reads tables."""

    def __init__(self, clock: IReactorTime, radio: IRadio, asks: Asks) -> None:
        self._clock = clock
        self._radio = radio
        self._asks = asks
        self._free = DeferredSemaphore(TABLES_AT_ONCE)
        # None is the local radio.
        self._reading: dict[Node | None, SingleFlight[SettingsTable]] = {}

    def stop(self) -> None:
        """Read no more."""
        for reading in list(self._reading.values()):
            reading.cancel()

    async def read(self, node: Node | None) -> SettingsTable:
        """Read the table of a node; None is the local radio.

        @raise RadioError: it did not answer, or the radio is away.
        """
        reading = self._reading.get(node)
        if reading is None:
            reading = SingleFlight(lambda: self._read_in_turn(node), ends_alone=True)
            self._reading[node] = reading
        return await reading()

    async def _read_in_turn(self, node: Node | None) -> SettingsTable:
        try:
            await self._free.acquire()
            try:
                return await self._read(node)
            finally:
                self._free.release()
        finally:
            self._reading.pop(node, None)

    async def _read(self, node: Node | None) -> SettingsTable:
        ends = self._clock.seconds() + LONGEST_READING
        known = {command: await self.ask(node, command) for command in ("HV", "VR")}
        module = Module(*(int.from_bytes(value, "big") for value in known.values()))
        settings: dict[str, Setting] = {}
        for row in table_of(module):
            if row.write_only:
                continue
            if self._clock.seconds() > ends:
                raise RadioError(
                    f"{node} answers so slowly that its settings were not read within "
                    f"{LONGEST_READING / 60:.0f} minutes: if it sleeps, wake it up and ask again."
                )
            try:
                value = known.get(row.name) or await self.ask(node, row.name)
            except ATRefused as error:
                if error.status == ATStatus.TRANSMISSION_FAILED:
                    raise
                continue
            if value or not row.is_number:
                settings[row.name] = Setting(row, value)
        return SettingsTable(module, settings)

    async def ask(self, node: Node | None, command: str) -> bytes:
        """Ask one question, and let the air rest."""
        began = self._clock.seconds()
        refused: ATRefused | None = None
        value = b""
        for tries_left in reversed(range(TRIES)):
            try:
                if node is None:
                    value = await self._radio.at(command)
                else:
                    value = await self._asks.remote_at(node, command)
                break
            except RadioError as error:
                if may_have_been_done(error):
                    if tries_left:
                        continue
                    raise
                if not isinstance(error, ATRefused):
                    raise
                refused = error
                break
        took = self._clock.seconds() - began
        await deferLater(self._clock, min(took, LONGEST_REST))
        if refused is not None:
            raise refused
        return value
