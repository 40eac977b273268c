from __future__ import annotations

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet import error
from twisted.internet.defer import TimeoutError
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.mqtt.failures import why_lost, why_not_connected
from zbtwist.mqtt.reasons import LASTING, MAX_TEXT, clause_of


class FailuresTests(SynchronousTestCase):
    def test_no_connection(self) -> None:
        for problem, words in (
            (error.ConnectionRefusedError(), "nothing listens there"),
            (error.DNSLookupError("x"), "there is no such host"),
            (error.TimeoutError(), "nothing answers there"),
            (TimeoutError(), "nothing answers there"),
            (error.ConnectError(113, "No route to host"), "no route to host"),
            (OSError("Too bad."), "too bad"),
            (ValueError(), "ValueError"),
            (VerificationError([]), "its certificate is for another host"),
        ):
            self.assertIn(words, why_not_connected(problem))

    def test_lost(self) -> None:
        self.assertEqual(why_lost(error.ConnectionDone()), "it has closed the connection")
        self.assertEqual(why_lost(error.ConnectionLost()), "the connection broke")

    def test_tls(self) -> None:
        for said, words in (
            ("certificate verify failed", "is not trusted here"),
            ("wrong version number", "does not speak TLS"),
            ("tlsv13 alert certificate required", "this gateway's certificate"),
            ("unexpected eof while reading", "during TLS"),
            ("what is this", "TLS failed (what is this)"),
        ):
            self.assertIn(words, why_lost(SSL.Error([("SSL routines", "", said)])))
        self.assertEqual(why_lost(SSL.Error([])), "TLS failed (no reason is given)")
        self.assertEqual(why_lost(SSL.Error("x")), "TLS failed (x)")
        self.assertIn("TLS failed", why_lost(SSL.Error()))


class ReasonsTests(SynchronousTestCase):
    def test_every_code_has_words(self) -> None:
        """MQTT 5, section 2.4."""
        codes = [0, 4, *range(0x80, 0xA3)]
        for code in codes:
            if code != 0x92 and code not in (0x8B, 0x8D, 0x8E):
                self.assertNotIn("not known here", clause_of(code), hex(code))
        self.assertLessEqual(LASTING, set(codes))

    def test_others(self) -> None:
        self.assertIn("0xee", clause_of(0xEE))

    def test_what_a_stranger_says_is_shown_with_care(self) -> None:
        shown = clause_of(0x80, "\x1b[2J" + "x" * 1000, "y\n")
        self.assertTrue(shown.isprintable())
        self.assertLess(len(shown), MAX_TEXT + 100)
