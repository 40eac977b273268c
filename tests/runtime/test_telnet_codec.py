"""Telnet, however its bytes were cut, and whatever a client sends."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.xbee.strategies import repeatable
from zbtwist.runtime.telnet_codec import (
    AYT,
    BINARY,
    BREAK,
    DO,
    DONT,
    ECHO,
    IAC,
    MAX_ANSWERS,
    MAX_COMMANDS,
    MAX_SUBNEGOTIATION,
    NOP,
    SB,
    SE,
    WILL,
    WONT,
    Side,
    State,
    TelnetError,
    TelnetParser,
    escaped,
    subnegotiation,
)

#: What a client may say, with how it is heard.
data = st.binary(min_size=1, max_size=40).map(lambda some: (escaped(some), ("data", some)))
command = st.sampled_from((NOP, BREAK, AYT, 0, 0x80)).map(
    lambda one: (bytes((IAC, one)), ("command", one))
)
option = st.tuples(st.sampled_from((WILL, WONT, DO, DONT)), st.integers(0, 255)).map(
    lambda one: (bytes((IAC, *one)), ("option", *one))
)
subnegotiations = st.tuples(st.integers(0, 254), st.binary(max_size=40)).map(
    lambda one: (subnegotiation(*one), ("subnegotiation", *one))
)
sayings = st.lists(st.one_of(data, command, option, subnegotiations), max_size=20)

#: Bytes of which many mean something.
busy = st.lists(
    st.sampled_from((IAC, IAC, SB, SE, WILL, DO, DONT, WONT, 44, 1, 0, 65)),
    min_size=1,
    max_size=400,
).map(bytes)


class Hearing:
    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def data_came(self, data: bytes) -> None:
        if self.heard and self.heard[-1][0] == "data":
            data = self.heard.pop()[1] + data  # type: ignore[operator]
        self.heard.append(("data", data))

    def command_came(self, command: int) -> None:
        self.heard.append(("command", command))

    def option_came(self, verb: int, option: int) -> None:
        self.heard.append(("option", verb, option))

    def subnegotiation_came(self, option: int, payload: bytes) -> None:
        self.heard.append(("subnegotiation", option, payload))


def parse(*pieces: bytes) -> list[tuple[object, ...]]:
    hearing = Hearing()
    parser = TelnetParser(hearing)
    for piece in pieces:
        parser.feed(piece)
    return hearing.heard


class ParserTests(SynchronousTestCase):
    @repeatable(150)
    @given(sayings, st.lists(st.integers(0, 400), max_size=8))
    def test_cut_anywhere(
        self, sayings: list[tuple[bytes, tuple[object, ...]]], cuts: list[int]
    ) -> None:
        whole = b"".join(sent for sent, _ in sayings)
        expected = Hearing()
        for _, (kind, *what) in sayings:
            getattr(expected, f"{kind}_came")(*what)
        places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
        pieces = [whole[start:end] for start, end in pairwise(places)]
        self.assertEqual(parse(*pieces), expected.heard)

    @repeatable(150)
    @given(busy, st.integers(1, 7))
    def test_whatever_comes(self, sent: bytes, size: int) -> None:
        """In pieces or whole, it means the same, and nothing is kept that has come to its end."""
        whole = parse(sent)
        pieces = [sent[start : start + size] for start in range(0, len(sent), size)]
        self.assertEqual(parse(*pieces), whole)

    def test_something_else_in_a_subnegotiation(self) -> None:
        """It has no end: what has begun meanwhile counts."""
        self.assertEqual(
            parse(bytes((IAC, SB, 44, 1, IAC, WILL, 3)) + b"x"),
            [("option", WILL, 3), ("data", b"x")],
        )
        self.assertEqual(parse(bytes((IAC, SB, IAC, SE)) + b"x"), [("data", b"x")])

    def test_endless_subnegotiation(self) -> None:
        for filling in (b"x", b"\xff\xff"):
            parser = TelnetParser(Hearing())
            with self.assertRaisesRegex(TelnetError, "subnegotiation of more than 1024"):
                parser.feed(bytes((IAC, SB, 44)))
                for _ in range(MAX_SUBNEGOTIATION):
                    parser.feed(filling)
        with self.assertRaises(TelnetError):
            parse(subnegotiation(44, bytes(MAX_SUBNEGOTIATION)))

    def test_flood(self) -> None:
        flood = bytes((IAC, NOP)) * MAX_COMMANDS
        self.assertEqual(len(parse(flood, flood)), 2 * MAX_COMMANDS)
        with self.assertRaisesRegex(TelnetError, "1000 telnet commands at once"):
            parse(flood + bytes((IAC, NOP)))

    def test_nothing_but_escapes(self) -> None:
        """Data, however many of its bytes are doubled."""
        self.assertEqual(parse(b"\xff" * 65536), [("data", b"\xff" * 32768)])


class SideTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.said: list[bytes] = []
        self.side = Side(self.said.append, WILL, WONT, {BINARY, ECHO})

    def check(self, *verbs: int) -> None:
        self.assertEqual(self.said, [bytes((IAC, verb, ECHO)) for verb in verbs])
        self.said.clear()

    def test_peer_wants_it(self) -> None:
        self.side.heard(ECHO, True)
        self.check(WILL)
        self.side.heard(ECHO, True)
        self.check()
        self.side.heard(ECHO, False)
        self.check(WONT)
        self.side.heard(ECHO, False)
        self.check()

    def test_we_ask(self) -> None:
        self.side.ask(ECHO)
        self.check(WILL)
        self.side.ask(ECHO)
        self.side.heard(ECHO, True)
        self.check()
        self.assertIs(self.side.state_of(ECHO), State.YES)

    def test_we_ask_in_vain(self) -> None:
        self.side.ask(ECHO)
        self.said.clear()
        self.side.heard(ECHO, False)
        self.check()
        self.assertIs(self.side.state_of(ECHO), State.REFUSED)
        self.side.heard(ECHO, True)
        self.check(WILL)

    def test_what_is_not_there(self) -> None:
        self.side.heard(44, True)
        self.assertEqual(self.said, [bytes((IAC, WONT, 44))])

    @repeatable(100)
    @given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60))
    def test_foolish_peer(self, begins: list[tuple[int, bool]]) -> None:
        """One that answers all that it hears, however it likes, comes to an end."""
        said: list[bytes] = []
        side = Side(said.append, WILL, WONT, {0, 1})
        for option, is_on in begins:
            said.clear()
            side.heard(option, is_on)
            for answers in range(1000):
                if not said:
                    break
                _, verb, option = said.pop(0)
                side.heard(option, (verb == WILL) ^ (answers % 2 == 0))
            self.assertEqual(said, [])

    def test_answers_are_bounded(self) -> None:
        for _ in range(1000):
            self.side.heard(44, True)
        self.assertEqual(len(self.said), MAX_ANSWERS)
