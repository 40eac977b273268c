"""Whom the modules of the network hear, and how well: each router is asked for its tables.

A Zigbee module keeps a table of its neighbours and one of its routes, and tells them when its ZDO
is asked (`zbtwist.xbee.zdo`), a few entries at a time. The local radio has the same, and is asked
in the same way. An end device has none but its parent, and may sleep: it is never asked.

Answers of ZDO are handed up only while AO of the local radio has bit 0, and the gateway runs with
AO=0 (see `zbtwist.radio.bring_up`). So AO is 1 for as long as a question is under way, and no
longer. What nodes say meanwhile comes as frames 91, which are their streams just as well; nothing
is lost or overtaken, since the radio takes commands and says frames one after the other. It is not
written to the radio's flash memory, and each bring-up sets it back.

One question is under way at a time, over the whole network, whoever asks. Who has asked rests
between two: for as long as he likes, or for as long as the answer took.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.network.events import NeighboursTold, NodeForgotten
from zbtwist.network.table import NodeTable
from zbtwist.radio.errors import ATRefused, NoAnswer, RadioError, RadioOffline
from zbtwist.radio.info import NO_RADIO
from zbtwist.radio.interfaces import IRadio
from zbtwist.xbee import devices
from zbtwist.xbee.address import (
    COORDINATOR64,
    UNKNOWN16,
    UNKNOWN64,
    Address64,
    format_address64,
)
from zbtwist.xbee.frames import ExplicitReceive, TransmitStatus
from zbtwist.xbee.status import ADDRESS_UNCERTAIN, DeliveryStatus, delivery_status_text
from zbtwist.xbee.zdo import (
    ANSWER,
    NEIGHBOURS_CLUSTER,
    ROUTES_CLUSTER,
    SUCCESS,
    ZDO_ENDPOINT,
    ZDO_PROFILE,
    Neighbour,
    Page,
    Route,
    neighbours_in,
    question,
    routes_in,
    zdo_status_text,
)

#: Seconds for which an answer is waited for when the question has arrived: three tries of up to
#: 1.6 s each on the way back (90000976, "Transmission timeouts").
ANSWER_TIMEOUT = 5.0
#: How often a question is asked to which there is no answer.
TRIES = 2
#: Seconds that who asks rests at the most, if he does not say how long.
LONGEST_REST = 0.25
#: Entries of one table that are read. A module has fewer: 40 routes at the most.
MAX_ENTRIES = 64
#: Modules whose tables are kept; the oldest goes.
MAX_TABLES = 1000

T = TypeVar("T", Neighbour, Route)


class NotAsked(Exception):
    """A module cannot be asked. `str()` of it is a sentence."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What a module has told.

    @ivar at: when, seconds since 1970; 0 if it has told nothing.
    @ivar neighbours: whom it hears.
    @ivar routes: the ways that it knows.
    @ivar problem: why it told nothing when it was asked last, a sentence; empty if it did.
    """

    at: float = 0.0
    neighbours: tuple[Neighbour, ...] = ()
    routes: tuple[Route, ...] = ()
    problem: str = ""


@dataclass(slots=True, eq=False)
class _Question:
    """The one that is under way.

    @ivar answered: fires with the answer.
    @ivar timer: ends it, when it has arrived.
    """

    address64: Address64
    cluster_id: int
    transaction: int
    answered: Deferred[bytes]
    timer: IDelayedCall | None = None


class Neighbours:
    """Asks modules for their tables, and keeps what they told.

    @ivar changes: how often what is kept has changed: who shows it sees whether it is news.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, radio: IRadio, nodes: NodeTable) -> None:
        self._clock = clock
        self._radio = radio
        self._nodes = nodes
        self._bus = nodes.bus
        # The oldest first.
        self._tables: dict[Address64, Tables] = {}
        self._one_at_a_time = DeferredLock()
        self._transaction = 0
        self._question: _Question | None = None
        self.changes = 0
        self._bus.subscribe(NodeForgotten, lambda event: self._forget(event.node.address64))

    # --- what is known ---------------------------------------------------------------------------

    @property
    def tables(self) -> dict[Address64, Tables]:
        """What is known, by who told it; not to be changed."""
        return self._tables

    def of(self, address64: Address64) -> Tables:
        """Return what a module has told."""
        return self._tables.get(address64, Tables())

    def _keep(self, address64: Address64, tables: Tables) -> None:
        self._tables.pop(address64, None)
        while len(self._tables) >= MAX_TABLES:
            del self._tables[next(iter(self._tables))]
        self._tables[address64] = tables
        self.changes += 1

    def _forget(self, address64: Address64) -> None:
        if self._tables.pop(address64, None) is not None:
            self.changes += 1

    # --- asking ----------------------------------------------------------------------------------

    async def ask(self, address64: Address64, pause: float | None = None) -> Tables:
        """Ask a module for its tables.

        @param address64: of a node, or of the local radio.
        @param pause: seconds between two questions; None for as long as the last took.
        @return: what it told. What it told before is kept if it tells nothing now.
        @raise NotAsked: it has no tables, or they cannot be asked for here.
        @raise RadioError: it did not answer, it refused, or the radio is away.
        """
        self.must_be_asked(address64)
        try:
            neighbours = await self._table(address64, NEIGHBOURS_CLUSTER, neighbours_in, pause)
            await self._rest(pause, 0.0)
            routes = await self._table(address64, ROUTES_CLUSTER, routes_in, pause)
        except RadioOffline:
            raise
        except RadioError as error:
            if self._is_known(address64):
                self._keep(address64, replace(self.of(address64), problem=str(error)))
            raise
        # A coordinator may appear once more with no 64-bit address.
        told = {
            one.address64: one
            for one in neighbours
            if one.address64 not in (COORDINATOR64, UNKNOWN64, address64)
        }
        tables = Tables(self._nodes.wall(), tuple(told.values()), tuple(routes))
        if self._is_known(address64):
            self._keep(address64, tables)
            self._bus.publish(NeighboursTold(address64, len(tables.neighbours), len(routes)))
        return tables

    def _is_known(self, address64: Address64) -> bool:
        """Whether it is (still) a node, or the local radio."""
        facts = self._radio.facts
        return address64 in self._nodes or (facts is not None and facts.address64 == address64)

    def must_be_asked(self, address64: Address64) -> None:
        """
        @raise NotAsked, RadioOffline: it cannot be asked.
        """
        facts = self._radio.facts
        if facts is None:
            raise RadioOffline(self._radio.offline_reason)
        if facts.problem:
            raise RadioOffline(facts.problem)
        if facts.is_fleet:
            raise NotAsked(NO_RADIO)
        if not facts.is_zigbee:
            raise NotAsked(
                "Only Zigbee modules tell whom they hear: those with DigiMesh or 802.15.4 firmware "
                "do not know the question (ZDO)."
            )
        node = self._nodes.get(address64)
        if node is not None and node.role == devices.END_DEVICE:
            raise NotAsked(
                f"{node} is an end device: it hears its parent alone, and may sleep. Ask a router."
            )

    async def _table(
        self,
        address64: Address64,
        cluster_id: int,
        parse: Callable[[bytes], Page[T]],
        pause: float | None,
    ) -> list[T]:
        entries: list[T] = []
        while True:
            began = self._clock.seconds()
            page = await self._page(address64, cluster_id, parse, len(entries))
            entries += page.entries
            if not page.entries or len(entries) >= min(page.total, MAX_ENTRIES):
                return entries[:MAX_ENTRIES]
            await self._rest(pause, self._clock.seconds() - began)

    async def _rest(self, pause: float | None, took: float) -> None:
        await deferLater(self._clock, min(took, LONGEST_REST) if pause is None else pause)

    async def _page(
        self,
        address64: Address64,
        cluster_id: int,
        parse: Callable[[bytes], Page[T]],
        start: int,
    ) -> Page[T]:
        """Ask one question, more than once if need be."""
        who = self._name_of(address64)
        for tries_left in reversed(range(TRIES)):
            try:
                data = await self._ask_once(address64, cluster_id, start)
            except NoAnswer:
                if not tries_left:
                    raise
                continue
            try:
                page = parse(data)
            except ValueError as error:
                raise RadioError(f"The answer of {who} makes no sense: {error}.") from None
            if page.status != SUCCESS:
                raise RadioError(
                    f"{who} does not tell whom it hears: {zdo_status_text(page.status)}."
                )
            if page.entries and page.start != start:
                raise RadioError(
                    f"The answer of {who} makes no sense: it begins with entry {page.start}, and "
                    f"{start} was asked for."
                )
            return page
        raise AssertionError

    def _name_of(self, address64: Address64) -> str:
        facts = self._radio.facts
        if facts is not None and facts.address64 == address64:
            return "The radio"
        return str(self._nodes.get(address64) or format_address64(address64))

    async def _ask_once(self, address64: Address64, cluster_id: int, start: int) -> bytes:
        await self._one_at_a_time.acquire()
        may_be_set = True
        try:
            await self._radio.at("AO", b"\1")
            return await self._exchange(address64, cluster_id, start)
        except ATRefused as error:
            may_be_set = False
            raise RadioError(f"{error}.") from None
        finally:
            try:
                if may_be_set:
                    await self._no_more_answers()
            finally:
                self._one_at_a_time.release()

    async def _no_more_answers(self) -> None:
        try:
            await self._radio.at("AO", b"\0")
        except RadioOffline:
            # It is set when the radio is brought up.
            pass
        except RadioError as error:
            self.log.warn(
                "{error} Until somebody is asked for neighbours again, nodes that join may go "
                "unnoticed.",
                error=f"{str(error).rstrip('.')}.",
            )

    async def _exchange(self, address64: Address64, cluster_id: int, start: int) -> bytes:
        node = self._nodes.get(address64)
        self._transaction = (self._transaction + 1) & 0xFF
        asked = _Question(address64, cluster_id, self._transaction, Deferred(_nobody_waits))
        self._question = asked
        try:
            self._radio.transmit_zdo(
                address64,
                cluster_id,
                question(asked.transaction, start),
                UNKNOWN16 if node is None else node.address16,
            ).addCallbacks(self._reported, _failed, callbackArgs=(asked,), errbackArgs=(asked,))
            return await asked.answered
        finally:
            self._question = None
            if asked.timer is not None and asked.timer.active():
                asked.timer.cancel()

    def _reported(self, status: TransmitStatus, asked: _Question) -> None:
        """The radio says what became of a question."""
        if asked.answered.called:
            return
        if status.delivery_status in (DeliveryStatus.DELIVERED, DeliveryStatus.SELF_ADDRESSED):
            asked.timer = self._clock.callLater(ANSWER_TIMEOUT, self._too_late, asked)
            return
        if status.delivery_status == DeliveryStatus.NOT_JOINED:
            facts = self._radio.facts
            asked.answered.errback(RadioOffline("" if facts is None else facts.problem))
            return
        node = self._nodes.get(asked.address64)
        if node is not None and status.delivery_status in ADDRESS_UNCERTAIN:
            # As after any packet that found nobody.
            self._nodes.located(node, UNKNOWN16)
        text = delivery_status_text(status.delivery_status)
        asked.answered.errback(
            RadioError(f"{self._name_of(asked.address64)} cannot be asked whom it hears: {text}.")
        )

    def _too_late(self, asked: _Question) -> None:
        who = self._name_of(asked.address64)
        asked.answered.errback(
            NoAnswer(f"{who} did not tell whom it hears within {ANSWER_TIMEOUT:g} s.")
        )

    def answered(self, frame: ExplicitReceive) -> bool:
        """A frame has come that is no stream of a node's; return whether it is an answer of ZDO, to
        whichever question.
        """
        if frame.profile_id != ZDO_PROFILE or frame.source_endpoint != ZDO_ENDPOINT:
            return False
        if not frame.cluster_id & ANSWER:
            return False
        asked = self._question
        if (
            asked is not None
            and not asked.answered.called
            and frame.cluster_id == asked.cluster_id | ANSWER
            and frame.data[:1] == bytes((asked.transaction,))
            and self._is_from(frame, asked.address64)
        ):
            asked.answered.callback(frame.data)
        return True

    def _is_from(self, frame: ExplicitReceive, address64: Address64) -> bool:
        if frame.address64 == address64:
            return True
        node = self._nodes.get(address64)
        if node is None:
            # Our own radio.
            return frame.address64 == COORDINATOR64
        return frame.address64 == UNKNOWN64 and frame.address16 == node.address16


def _failed(failure: Failure, asked: _Question) -> None:
    if not asked.answered.called:
        asked.answered.errback(failure)


def _nobody_waits(deferred: Deferred[bytes]) -> None:
    """It fails with a CancelledError."""
