"""The dialogue in command mode, word by word; on a simulated radio it is in test_service."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.radio.support import Owner
from tests.support import take
from zbtwist.radio.command_mode import (
    COMMAND_TIMEOUT,
    ENTER_MARGIN,
    GUARD_MARGIN,
    GUARD_TIME,
    CommandMode,
)
from zbtwist.radio.errors import RadioError
from zbtwist.radio.protocol import RadioProtocol


class DialogueTests(SynchronousTestCase):
    """The text, the silences, and what else may come."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.frames: list[Any] = []
        self.protocol = RadioProtocol(self.clock, 1, Owner(self.frames.append))
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)

    def begin(self, api_mode: int = 1, write_flash: bool = False) -> Deferred[bool]:
        dialogue = CommandMode(self.clock, self.protocol)
        return Deferred.fromCoroutine(dialogue.move_to_api(api_mode, write_flash))

    def said(self) -> bytes:
        return take(self.transport)

    def enter(self) -> None:
        self.clock.advance(GUARD_TIME + GUARD_MARGIN)
        self.assertEqual(self.said(), b"+++")
        self.clock.advance(GUARD_TIME)
        self.protocol.dataReceived(b"OK\r")

    def test_order(self) -> None:
        for api_mode, write_flash in ((1, False), (2, False), (2, True)):
            moving = self.begin(api_mode, write_flash)
            self.clock.advance(GUARD_TIME)
            self.assertEqual(self.said(), b"")
            self.enter()
            self.assertEqual(self.said(), b"ATAP%d\r" % api_mode)
            self.protocol.dataReceived(b"O")
            self.assertEqual(self.said(), b"")
            self.protocol.dataReceived(b"K\r")
            if write_flash:
                self.assertEqual(self.said(), b"ATWR\r")
                self.protocol.dataReceived(b"OK\r")
            self.assertEqual(self.said(), b"ATCN\r")
            self.assertNoResult(moving)
            self.protocol.dataReceived(b"OK\r")
            self.assertTrue(self.successResultOf(moving))
            self.assertEqual(self.said(), b"")
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nobody_listens(self) -> None:
        moving = self.begin()
        self.clock.advance(GUARD_TIME + GUARD_MARGIN)
        self.clock.advance(GUARD_TIME + ENTER_MARGIN)
        self.assertFalse(self.successResultOf(moving))
        self.assertEqual(self.said(), b"+++")
        # Frames are looked for again.
        self.protocol.dataReceived(b"\x7e\x00\x02\x8a\x00\x75")
        self.assertEqual(len(self.frames), 1)

    def test_data_of_nodes_before_the_answer(self) -> None:
        """Also such as looks like a frame, and more than an answer is long."""
        moving = self.begin()
        self.clock.advance(GUARD_TIME + GUARD_MARGIN)
        self.said()
        self.protocol.dataReceived(b"\x7e\x00\x02\x8a\x00\x75" * 1000 + b"1.5 V OK\n")
        self.assertEqual(self.said(), b"")
        self.protocol.dataReceived(b"23.4OK\r")
        self.assertEqual(self.said(), b"ATAP1\r")
        self.assertEqual(self.frames, [])
        moving.addErrback(lambda _: None)
        moving.cancel()

    def test_refused(self) -> None:
        moving = self.begin()
        self.enter()
        self.said()
        self.protocol.dataReceived(b"ERROR\r")
        # It is not left where it takes everything for a command.
        self.assertEqual(self.said(), b"ATCN\r")
        self.assertNoResult(moving)
        self.protocol.dataReceived(b"OK\r")
        self.assertEqual(
            self.failureResultOf(moving, RadioError).getErrorMessage(),
            "The radio refused ATAP1 in command mode: it has AT firmware, which has no API mode, "
            "so load API firmware into it with XCTU.",
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_flash_is_refused(self) -> None:
        moving = self.begin(2, write_flash=True)
        self.enter()
        self.protocol.dataReceived(b"OK\r")
        self.said()
        self.protocol.dataReceived(b"ERROR\r")
        self.assertEqual(self.said(), b"ATCN\r")
        self.clock.advance(COMMAND_TIMEOUT)
        self.assertEqual(
            self.failureResultOf(moving, RadioError).getErrorMessage(),
            "The radio refused ATWR in command mode.",
        )

    def test_stops_answering(self) -> None:
        moving = self.begin()
        self.enter()
        self.clock.advance(COMMAND_TIMEOUT)
        self.assertEqual(
            self.failureResultOf(moving, RadioError).getErrorMessage(),
            "The radio stopped answering in command mode, at ATAP1.",
        )
        self.protocol.dataReceived(b"\x7e\x00\x02\x8a\x00\x75")
        self.assertEqual(len(self.frames), 1)

    def test_cancelled(self) -> None:
        for seconds in (0.5, GUARD_TIME + GUARD_MARGIN + 0.1):
            moving = self.begin()
            self.clock.advance(seconds)
            moving.cancel()
            moving.addErrback(lambda _: None)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.protocol.dataReceived(b"\x7e\x00\x02\x8a\x00\x75")
        self.assertEqual(len(self.frames), 2)
