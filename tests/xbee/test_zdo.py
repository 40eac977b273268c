"""Answers of ZDO: as Digi's library makes and reads them, and as nobody should make them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from zbtwist.xbee.address import Address16
from zbtwist.xbee.frame import parse_frame
from zbtwist.xbee.frames import ExplicitReceive, ExplicitTransmitRequest
from zbtwist.xbee.zdo import (
    ACTIVE,
    ANSWER,
    CHILD,
    NEIGHBOURS_CLUSTER,
    NOT_SUPPORTED,
    PARENT,
    ROUTES_CLUSTER,
    SIBLING,
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

VECTORS = {
    one["meaning"]: bytes.fromhex(one["hex"])[3:-1]
    for one in json.loads(
        (Path(__file__).parent.parent / "vectors" / "zdo-frames.json").read_text()
    )
}

bytes8 = st.integers(0, 2**64 - 1)
neighbours = st.builds(
    Neighbour,
    bytes8,
    bytes8,
    st.integers(0, 0xFFFF),
    st.sampled_from([0, 1, 2, None]),
    st.sampled_from([True, False, None]),
    st.integers(0, 7),
    st.integers(0, 255),
    st.integers(0, 255),
)
routes = st.builds(
    Route,
    st.integers(0, 0xFFFF),
    st.integers(0, 7),
    st.integers(0, 0xFFFF),
    st.booleans(),
)


def frame(meaning: str) -> ExplicitReceive | ExplicitTransmitRequest:
    (data,) = (data for begin, data in VECTORS.items() if begin.startswith(meaning))
    parsed = parse_frame(data)
    assert isinstance(parsed, (ExplicitReceive, ExplicitTransmitRequest))
    assert parsed.profile_id == ZDO_PROFILE and parsed.destination_endpoint == ZDO_ENDPOINT
    return parsed


class DigiTests(SynchronousTestCase):
    """Frames that Digi's own library made, and read again."""

    def test_questions(self) -> None:
        for meaning, cluster, asked in (
            ("Mgmt_Lqi_req to node 1A2B", NEIGHBOURS_CLUSTER, (5, 0)),
            ("Mgmt_Lqi_req, transaction 06", NEIGHBOURS_CLUSTER, (6, 2)),
            ("Mgmt_Rtg_req", ROUTES_CLUSTER, (8, 0)),
        ):
            made = frame(meaning)
            self.assertEqual(made.cluster_id, cluster)
            self.assertEqual(made.data, question(*asked))

    def test_neighbours(self) -> None:
        answer = frame("Mgmt_Lqi_rsp: 3 entries")
        self.assertEqual(answer.cluster_id, NEIGHBOURS_CLUSTER | ANSWER)
        page = neighbours_in(answer.data)
        self.assertEqual((page.transaction, page.status), (5, SUCCESS))
        self.assertEqual((page.total, page.start), (3, 0))
        first, second = page.entries
        self.assertEqual((first.role, first.relationship, first.lqi), (0, PARENT, 0xFA))
        self.assertEqual(first.address64, 0x0013A200_40401122)
        self.assertEqual((second.address64, second.address16), (0x0013A200_4052_2BAA, 0x7D84))
        self.assertEqual((second.role, second.relationship), (1, SIBLING))
        self.assertEqual((second.is_awake, second.depth, second.lqi), (True, 2, 0x8C))
        self.assertEqual(page.to_bytes()[:5], answer.data[:5])
        (third,) = neighbours_in(frame("Mgmt_Lqi_rsp: third").data).entries
        self.assertEqual((third.role, third.relationship, third.is_awake), (2, CHILD, False))

    def test_routes(self) -> None:
        answer = frame("Mgmt_Rtg_rsp")
        self.assertEqual(answer.cluster_id, ROUTES_CLUSTER | ANSWER)
        page = routes_in(answer.data)
        self.assertEqual(
            page.entries,
            (
                Route(Address16(0), ACTIVE, Address16(0x7D84), True),
                Route(Address16(0x33AA), ACTIVE, Address16(0x33AA)),
            ),
        )
        self.assertEqual(page.to_bytes(), answer.data)

    def test_refusal(self) -> None:
        page = neighbours_in(frame("Mgmt_Lqi_rsp: not supported").data)
        self.assertEqual((page.status, page.entries), (NOT_SUPPORTED, ()))
        self.assertEqual(zdo_status_text(page.status), "not supported")
        self.assertEqual(zdo_status_text(0xC3), "status 0xc3")


class AnyTests(SynchronousTestCase):
    @given(st.integers(0, 255), st.integers(0, 255), st.lists(neighbours, max_size=4))
    def test_neighbours(self, total: int, start: int, entries: list[Neighbour]) -> None:
        page = Page(7, SUCCESS, total, start, tuple(entries))
        self.assertEqual(neighbours_in(page.to_bytes()), page)

    @given(st.integers(0, 255), st.integers(0, 255), st.lists(routes, max_size=20))
    def test_routes(self, total: int, start: int, entries: list[Route]) -> None:
        page = Page(7, SUCCESS, total, start, tuple(entries))
        self.assertEqual(routes_in(page.to_bytes()), page)

    @given(st.binary(max_size=300))
    def test_hostile(self, data: bytes) -> None:
        """Whatever comes: an answer of no more than is there, or a sentence."""
        for read, size in ((neighbours_in, 22), (routes_in, 5)):
            self.read(read, size, data)

    def read(self, read: Callable[[bytes], Page[Any]], size: int, data: bytes) -> None:
        try:
            page = read(data)
        except ValueError as error:
            self.assertNotIn("unpack", str(error))
        else:
            self.assertLessEqual(len(page.entries) * size, len(data))
            self.assertEqual(page.transaction, data[0])

    @given(st.lists(neighbours, min_size=1, max_size=3), st.data())
    def test_cut_off(self, entries: list[Neighbour], data: st.DataObject) -> None:
        whole = Page(1, SUCCESS, len(entries), 0, tuple(entries)).to_bytes()
        size = data.draw(st.integers(0, len(whole) - 1))
        self.assertRaises(ValueError, neighbours_in, whole[:size])
        # What stands behind does not matter.
        self.assertEqual(neighbours_in(whole + b"x"), neighbours_in(whole))
