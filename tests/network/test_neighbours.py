"""Asking modules whom they hear, of a radio on the other end of a coordinator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from tests.network.support import NetworkTestCase
from tests.radio.support import FACTS, LOCAL, REMOTE, REMOTE16
from zbtwist.network.events import NeighboursTold
from zbtwist.network.neighbours import (
    ANSWER_TIMEOUT,
    LONGEST_REST,
    MAX_ENTRIES,
    MAX_TABLES,
    NotAsked,
    Tables,
)
from zbtwist.radio.errors import NoAnswer, RadioError, RadioOffline
from zbtwist.xbee.address import COORDINATOR64, UNKNOWN16, UNKNOWN64, Address16, Address64
from zbtwist.xbee.frames import (
    DIGI_PROFILE,
    SERIAL_CLUSTER,
    SERIAL_ENDPOINT,
    ATCommand,
    ATCommandResponse,
    ExplicitReceive,
    ExplicitTransmitRequest,
    TransmitStatus,
)
from zbtwist.xbee.zdo import (
    ANSWER,
    NEIGHBOURS_CLUSTER,
    NOT_SUPPORTED,
    ROUTES_CLUSTER,
    SUCCESS,
    ZDO_ENDPOINT,
    ZDO_PROFILE,
    Neighbour,
    Page,
    Route,
)


def neighbour(number: int, lqi: int = 200) -> Neighbour:
    return Neighbour(
        1, Address64(0x0013A200_00000100 + number), Address16(number), 1, True, 2, 1, lqi
    )


class NeighboursTestCase(NetworkTestCase):
    """
    @ivar ao: what AO of the radio was set to.
    @ivar questions: the questions: cluster, transaction, start.
    """

    def setUp(self) -> None:
        super().setUp()
        self.up()
        self.stream = self.known()
        self.ao: list[int] = []
        self.questions: list[tuple[int, int, int]] = []
        self.done = 0

    def ask(self, address64: Address64 = REMOTE, pause: float | None = None) -> Deferred[Tables]:
        return Deferred.fromCoroutine(self.network.neighbours.ask(address64, pause))

    def answer_commands(self) -> None:
        """The radio takes what AO is set to; note the questions."""
        while self.done < len(self.wire.sent):
            frame = self.wire.sent[self.done]
            self.done += 1
            if isinstance(frame, ATCommand):
                self.assertEqual(frame.command, "AO")
                self.ao.append(frame.parameter[0])
                self.wire.receive(ATCommandResponse(frame.frame_id, "AO", 0))
            elif isinstance(frame, ExplicitTransmitRequest):
                self.assertEqual((frame.profile_id, frame.destination_endpoint), (0, 0))
                self.question = frame
                self.questions.append((frame.cluster_id, frame.data[0], frame.data[1]))

    def report(self, status: int = 0) -> None:
        """The radio says what became of the question."""
        self.wire.receive(
            TransmitStatus(self.question.frame_id, self.question.address16, 0, status, 0)
        )

    def say(self, data: bytes, cluster: int | None = None, **other: Any) -> None:
        """A module answers the question."""
        frame = ExplicitReceive(
            *(self.question.address64, REMOTE16, ZDO_ENDPOINT, ZDO_ENDPOINT),
            *(self.question.cluster_id | ANSWER if cluster is None else cluster, ZDO_PROFILE, 1),
            data,
        )
        self.wire.receive(replace(frame, **other))

    def page(self, total: int, start: int, *entries: Any, status: int = SUCCESS) -> bytes:
        page: Page[Any] = Page(self.questions[-1][1], status, total, start, entries)
        return page.to_bytes()

    def tell(self, total: int, *entries: Any) -> None:
        """A module answers the question that is under way, as it should."""
        self.answer_commands()
        self.report()
        self.say(self.page(total, self.questions[-1][2], *entries))
        self.answer_commands()
        self.advance(LONGEST_REST)
        self.answer_commands()


class AskTests(NeighboursTestCase):
    def test_pages(self) -> None:
        """A table comes in pieces, and AO is 1 while a question is under way, and no longer."""
        told = self.ask()
        entries = [neighbour(number) for number in range(5)]
        self.tell(5, *entries[:3])
        self.tell(5, *entries[3:])
        self.assertNoResult(told)
        self.assertEqual(self.ao[-1], 1)
        self.tell(1, Route(Address16(0), 0, Address16(7), True))
        tables = self.successResultOf(told)
        self.assertEqual(tables.neighbours, tuple(entries))
        self.assertEqual(tables.routes, (Route(Address16(0), 0, Address16(7), True),))
        self.assertEqual(
            [(cluster, start) for cluster, _, start in self.questions],
            [(NEIGHBOURS_CLUSTER, 0), (NEIGHBOURS_CLUSTER, 3), (ROUTES_CLUSTER, 0)],
        )
        self.assertEqual(len({transaction for _, transaction, _ in self.questions}), 3)
        self.assertEqual(self.ao, [1, 0] * 3)
        self.assertEqual(self.question.address16, REMOTE16)
        self.assertEqual(self.network.neighbours.of(REMOTE), tables)
        told_of = [one for one in self.events if isinstance(one, NeighboursTold)]
        self.assertEqual(told_of, [NeighboursTold(REMOTE, 5, 1)])

    def test_nobody(self) -> None:
        told = self.ask()
        self.tell(0)
        self.tell(0)
        self.assertEqual(self.successResultOf(told).neighbours, ())

    def test_our_own_radio(self) -> None:
        """It says 23, self-addressed, and answers all the same; from 64-bit address 0 if it
        likes.
        """
        told = self.ask(LOCAL)
        self.answer_commands()
        self.assertEqual((self.question.address64, self.question.address16), (LOCAL, UNKNOWN16))
        self.report(0x23)
        self.say(self.page(1, 0, neighbour(1)), address64=COORDINATOR64)
        self.answer_commands()
        self.advance(LONGEST_REST)
        self.tell(0)
        self.assertEqual(self.successResultOf(told).neighbours, (neighbour(1),))
        self.assertEqual(self.network.neighbours.of(LOCAL).neighbours, (neighbour(1),))

    def test_streams_go_on(self) -> None:
        """What a device says while AO is 1 is its stream just as well."""
        self.ask()
        self.answer_commands()
        self.hear(b"before")
        self.wire.receive(
            ExplicitReceive(
                *(REMOTE, REMOTE16, SERIAL_ENDPOINT, SERIAL_ENDPOINT, SERIAL_CLUSTER),
                *(DIGI_PROFILE, 1, b"during"),
            )
        )
        self.report()
        self.say(self.page(0, 0))
        self.answer_commands()
        self.hear(b"after")
        self.assertEqual(self.stream, [b"before", b"during", b"after"])

    def test_is_no_sign_of_the_device(self) -> None:
        """It is an answer of the radio: it does not count as something that a node says itself."""
        spoke_at = self.node().spoke_at
        told = self.ask()
        self.tell(0)
        self.tell(0)
        self.successResultOf(told)
        self.assertEqual(self.node().spoke_at, spoke_at)
        self.assertEqual(self.node().heard_at, self.wire.clock.seconds() - LONGEST_REST)

    def test_one_question_at_a_time(self) -> None:
        other = Address64(REMOTE + 1)
        self.known(other, Address16(0x2222))
        first, second = self.ask(), self.ask(other)
        self.answer_commands()
        self.assertEqual(len(self.questions), 1)
        for _ in range(4):
            self.tell(0)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(self.ao, [1, 0] * 4)

    def test_given_up(self) -> None:
        """AO is set back, and the next may ask."""
        told = self.ask()
        self.answer_commands()
        told.cancel()
        self.answer_commands()
        self.failureResultOf(told)
        self.assertEqual(self.ao, [1, 0])
        again = self.ask()
        self.tell(0)
        self.tell(0)
        self.successResultOf(again)

    def test_forgotten_with_its_node(self) -> None:
        told = self.ask()
        self.tell(0)
        self.tell(0)
        self.successResultOf(told)
        self.assertEqual(list(self.network.neighbours.tables), [REMOTE])
        self.network.nodes.remove(self.node())
        self.assertEqual(list(self.network.neighbours.tables), [])

    def test_most_tables(self) -> None:
        kept = self.network.neighbours
        for number in range(MAX_TABLES + 5):
            kept._keep(Address64(number), Tables(1.0))
        self.assertEqual(len(kept.tables), MAX_TABLES)
        self.assertNotIn(Address64(0), kept.tables)


class RefusalTests(NeighboursTestCase):
    def failed(self, told: Deferred[Tables], kind: type[Exception] = RadioError) -> str:
        error = self.failureResultOf(told, kind).value
        self.assertTrue(str(error).endswith("."), error)
        self.assertEqual(self.ao, [1, 0] * (len(self.ao) // 2))
        return str(error)

    def test_end_device(self) -> None:
        self.node().role = 2
        self.assertIn("end device", self.failed(self.ask(), NotAsked))
        self.assertEqual(self.wire.sent, [])

    def test_other_firmware(self) -> None:
        self.wire.coordinator.facts = replace(FACTS, is_zigbee=False)
        self.assertIn("DigiMesh", self.failed(self.ask(), NotAsked))

    def test_offline(self) -> None:
        told = self.ask()
        self.answer_commands()
        self.wire.coordinator.link_down("The line is gone.")
        self.failureResultOf(told, RadioOffline)
        self.failureResultOf(self.ask(), RadioOffline)
        # It was no fault of the node's.
        self.assertEqual(self.network.neighbours.of(REMOTE), Tables())

    def test_radio_refuses_ao(self) -> None:
        told = self.ask()
        self.wire.receive(ATCommandResponse(self.wire.last.frame_id, "AO", 2))
        self.assertIn("AO", self.failed(told))
        self.assertEqual(len(self.wire.sent), 1)

    def test_not_supported(self) -> None:
        told = self.ask()
        self.answer_commands()
        self.report()
        self.say(self.page(0, 0, status=NOT_SUPPORTED))
        self.answer_commands()
        self.assertIn("not supported", self.failed(told))
        self.assertIn("not supported", self.network.neighbours.of(REMOTE).problem)

    def test_not_reached(self) -> None:
        """The radio looks its address up the next time."""
        told = self.ask()
        self.answer_commands()
        self.report(0x24)
        self.answer_commands()
        self.assertIn("address not found", self.failed(told))
        self.assertEqual(self.node().address16, UNKNOWN16)

    def test_no_answer(self) -> None:
        """It is asked once more. What it told before is kept."""
        before = self.ask()
        self.tell(1, neighbour(1))
        self.tell(0)
        kept = self.successResultOf(before)
        told = self.ask()
        for _ in range(2):
            self.answer_commands()
            self.report()
            self.advance(ANSWER_TIMEOUT)
            self.answer_commands()
        self.failed(told, NoAnswer)
        self.assertEqual(len(self.questions), 4)
        now = self.network.neighbours.of(REMOTE)
        self.assertEqual((now.at, now.neighbours), (kept.at, kept.neighbours))
        self.assertIn("did not tell", now.problem)

    def test_answers_of_others(self) -> None:
        """Late ones, those of other nodes, those to other questions: none counts."""
        told = self.ask()
        self.answer_commands()
        self.report()
        good = self.page(0, 0)
        self.say(bytes((good[0] ^ 1,)) + good[1:])
        self.say(good, cluster=ROUTES_CLUSTER | ANSWER)
        self.say(good, cluster=NEIGHBOURS_CLUSTER)
        self.say(good, address64=Address64(5))
        self.say(good, address64=UNKNOWN64, address16=Address16(5))
        self.say(good, profile_id=DIGI_PROFILE)
        self.say(b"")
        self.answer_commands()
        self.assertEqual(self.ao, [1])
        self.say(good, address64=UNKNOWN64)
        self.answer_commands()
        self.assertEqual(self.ao, [1, 0])
        # Once more, when nobody waits for it.
        self.say(good)
        self.advance(LONGEST_REST)
        self.tell(0)
        self.successResultOf(told)

    def test_another_page(self) -> None:
        told = self.ask()
        self.answer_commands()
        self.report()
        self.say(self.page(9, 4, neighbour(1)))
        self.answer_commands()
        self.assertIn("makes no sense", self.failed(told))

    def test_a_table_without_end(self) -> None:
        """It says that there is always more: so much is read, and no more."""
        told = self.ask()
        for number in range(MAX_ENTRIES // 3 + 1):
            self.tell(255, *(neighbour(3 * number + each) for each in range(3)))
        self.tell(0)
        self.assertEqual(len(self.successResultOf(told).neighbours), MAX_ENTRIES)

    def test_nothing_where_there_should_be_more(self) -> None:
        told = self.ask()
        self.tell(200, neighbour(1))
        self.tell(200)
        self.tell(0)
        self.assertEqual(len(self.successResultOf(told).neighbours), 1)

    def test_who_does_not_count(self) -> None:
        """A coordinator's second entry, and a module that hears itself."""
        told = self.ask()
        strange = [
            neighbour(1)._replace(address64=address64)
            for address64 in (COORDINATOR64, UNKNOWN64, REMOTE)
        ]
        self.tell(6, neighbour(1), *strange[:2])
        self.tell(6, strange[2], neighbour(2), neighbour(1, lqi=7))
        self.tell(0)
        self.assertEqual(self.successResultOf(told).neighbours, (neighbour(1, lqi=7), neighbour(2)))


class HostileTests(NeighboursTestCase):
    @given(st.lists(st.binary(max_size=84), min_size=1, max_size=20), st.booleans())
    def test_anything(self, answers: list[bytes], knows_transaction: bool) -> None:
        """Whatever is answered, the asking ends, the radio is as it was, and all is bounded."""
        self.ao, self.questions = [], []
        told = self.ask()
        results: list[Any] = []
        told.addBoth(results.append)
        for data in answers:
            self.answer_commands()
            if results:
                break
            self.report()
            self.say((bytes((self.questions[-1][1],)) if knows_transaction else b"") + data)
            self.answer_commands()
            self.advance(LONGEST_REST)
        while not results:
            self.answer_commands()
            self.advance(21)
        self.answer_commands()
        self.assertEqual(len(results), 1)
        self.assertEqual(self.ao, [1, 0] * (len(self.ao) // 2))
        self.assertEqual(self.wire.coordinator.outstanding, 0)
        self.assertLessEqual(len(self.network.neighbours.of(REMOTE).neighbours), MAX_ENTRIES)
