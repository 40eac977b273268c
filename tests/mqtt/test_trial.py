from __future__ import annotations

from typing import Any

import mqtt5
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.mqtt.network import Network
from zbtwist.mqtt import reasons
from zbtwist.mqtt import trial as module
from zbtwist.mqtt.endpoint import FileError
from zbtwist.mqtt.protocol import GREETING_TIMEOUT
from zbtwist.mqtt.service import CONNECT_TIMEOUT
from zbtwist.mqtt.settings import MQTTSettings
from zbtwist.mqtt.trial import why_not_taken

PLACE = MQTTSettings(broker="tcp:broker:1883")


class TrialTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network()
        self.patch(module, "endpoint_of", self.network.endpoint_of)

    def begin(self) -> Deferred[str]:
        return Deferred.fromCoroutine(why_not_taken(self.clock, PLACE))

    def outcome(self, trying: Deferred[str]) -> str:
        why = self.successResultOf(trying)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return why

    def test_it_takes_us(self) -> None:
        """It hears nothing but that, and that it was all."""
        trying = self.begin()
        end = self.network.end
        end.take_in()
        self.assertNoResult(trying)
        (packet,) = end.take()
        self.assertIsInstance(packet, mqtt5.DisconnectPacket)
        self.assertIsNone(end.heard[0].will)
        end.hang_up()
        self.assertEqual(self.outcome(trying), "")

    def test_each_by_another_name(self) -> None:
        """Since who comes by a name that another has ends the other's connection."""
        names = set()
        for _ in range(3):
            trying = self.begin()
            end = self.network.end
            end.take_in()
            names.add(end.heard[0].client_id)
            end.hang_up()
            self.outcome(trying)
        self.assertEqual(len(names), 3)

    def test_it_refuses(self) -> None:
        trying = self.begin()
        code = mqtt5.ConnAckReasonCode.NOT_AUTHORIZED
        self.network.end.take_in(reason_code=code)
        self.network.end.hang_up()
        self.assertEqual(
            self.outcome(trying), reasons.clause_of(int(code), None, None, is_greeting=True)
        )

    def test_it_hangs_up(self) -> None:
        """There is nothing to be ended then."""
        trying = self.begin()
        self.network.end.hang_up()
        self.assertIn("without a word", self.outcome(trying))
        self.assertFalse(self.network.end.transport.is_closed)

    def test_it_says_nothing(self) -> None:
        trying = self.begin()
        self.clock.advance(GREETING_TIMEOUT)
        self.network.end.hang_up()
        self.assertIn("did not answer within", self.outcome(trying))

    def test_none_is_there(self) -> None:
        self.network.outcome = ConnectionRefusedError()
        self.assertIn("nothing listens", self.outcome(self.begin()))

    def test_no_connection_comes(self) -> None:
        self.network.outcome = Deferred()
        trying = self.begin()
        self.clock.advance(CONNECT_TIMEOUT)
        self.assertIn("nothing answers", self.outcome(trying))

    def test_it_is_given_up(self) -> None:
        self.network.outcome = Deferred()
        trying = self.begin()
        trying.cancel()
        self.failureResultOf(trying, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_is_given_up_while_connected(self) -> None:
        trying = self.begin()
        trying.cancel()
        self.network.end.hang_up()
        self.failureResultOf(trying, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_file_is_not_in_order(self) -> None:
        def refuse(*arguments: Any) -> None:
            raise FileError("password-file", "cannot be read: it is not there.")

        self.patch(module, "password_of", refuse)
        self.assertEqual(
            self.outcome(self.begin()), "password-file cannot be read: it is not there"
        )
