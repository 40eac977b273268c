from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.site.in_json import MAX_DEPTH, NotUnderstood, read, written

#: What operations return.
VALUES = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(-(2**63) + 1, 2**63 - 1), st.binary(max_size=20)),
        *(st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=8).filter(lambda name: name != "base64"), inner),
    ),
    max_leaves=10,
)


class InJSONTests(SynchronousTestCase):
    @given(VALUES)
    @settings(deadline=None)
    def test_what_is_written_is_read(self, value: object) -> None:
        self.assertEqual(read(written(value)), value)

    def test_it_is_compact_and_in_utf8(self) -> None:
        self.assertEqual(
            written({"a": [1, "é", b"\0\xff"]}), '{"a":[1,"é",{"base64":"AP8="}]}'.encode()
        )

    def test_half_of_a_character_is_not_written(self) -> None:
        self.assertEqual(written("\ud800"), b'"?"')

    def test_what_is_no_number_is_not_written(self) -> None:
        self.assertRaises(ValueError, written, float("inf"))
        self.assertRaises(TypeError, written, object())

    def refused(self, payload: bytes) -> str:
        return str(self.assertRaises(NotUnderstood, read, payload))

    def test_what_is_not_understood(self) -> None:
        for payload, words in {
            b"\xff": "UTF-8",
            b"": "JSON",
            b"{": "JSON",
            b"'a'": "JSON",
            b"NaN": "no number",
            b"[-Infinity]": "no number",
            b"1e999": "too large",
            b"9" * 30: "64 bits",
            b"-" + b"9" * 100_000: "64 bits",
            b'"\\ud800"': "half of a character",
            b'{"\\udc00":1}': "half of a character",
            b'{"base64":"***"}': "base64",
            b'{"base64":"AA=A"}': "base64",
            b'{"base64":7}': "base64",
            b"[" * 1_000 + b"]" * 1_000: "deeper",
            b"[" * 100_000: "deeper",
            b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1): "deeper",
        }.items():
            self.assertIn(words, self.refused(payload), payload[:40])

    def test_as_deep_as_may_be(self) -> None:
        payload = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
        self.assertEqual(read(payload), json.loads(payload))

    @given(st.binary(max_size=200))
    @settings(deadline=None)
    def test_whatever_comes(self, payload: bytes) -> None:
        try:
            read(payload)
        except NotUnderstood as error:
            self.assertTrue(str(error))
