"""What Hypothesis draws for the tests of the protocol: frames of every class, garbage, chunks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from zbtwist.xbee import frames
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.samples import IOSample
from zbtwist.xbee.sensor_reading import SensorReading


def repeatable(max_examples: int = 100) -> settings:
    """The profile of the tests (see `tests`), with so many examples."""
    return settings(max_examples=max_examples)


uint8 = st.integers(0, 0xFF)
uint16 = st.integers(0, 0xFFFF)
uint32 = st.integers(0, 0xFFFF_FFFF)
uint64 = st.integers(0, 0xFFFF_FFFF_FFFF_FFFF)

#: Bytes in which those that matter to framing are frequent.
busy_bytes = st.lists(
    st.one_of(st.sampled_from(b"\x7e\x7d\x11\x13\x00\x5e\xff"), uint8), max_size=40
)
payloads = st.one_of(busy_bytes.map(bytes), st.binary(max_size=100))

commands = st.one_of(
    st.sampled_from(("NI", "ND", "IS", "TP", "%V", "D0")),
    st.binary(min_size=2, max_size=2).map(lambda two: two.decode("latin-1")),
)
#: A node identifier may be any bytes but the one that ends it.
node_identifiers = st.binary(max_size=20).map(lambda name: name.replace(b"\0", b" "))
hops = st.lists(uint16, max_size=10)


@st.composite
def samples(
    draw: st.DrawFn, digital_lines: int = 0xFFFF, channels: Sequence[int] = range(8)
) -> IOSample:
    """An I/O sample: with or without digital lines, with any of the analog channels.

    @param digital_lines: which digital lines may be in the mask.
    @param channels: which analog channels there may be.
    """
    digital_mask = draw(st.sampled_from((0, digital_lines)) | uint16) & digital_lines
    digital = draw(uint16) if digital_mask else None
    analog = sorted(draw(st.sets(st.sampled_from(channels))))
    return IOSample(digital_mask, digital, {channel: draw(uint16) for channel in analog})


descriptions = st.builds(
    NodeDescription,
    address16=uint16,
    address64=uint64,
    node_identifier=node_identifiers,
    parent16=uint16,
    role=uint8,
    event=uint8,
    profile_id=uint16,
    manufacturer_id=uint16,
    device_type_identifier=st.none() | uint32,
    rssi=st.none() | uint8,
)

readings = st.builds(
    SensorReading, uint8, st.tuples(uint16, uint16, uint16, uint16), thermometer=uint16
)

#: By the names of the fields, which mean the same in every class that has them.
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "address64": uint64,
    "address16": uint16,
    "cluster_id": uint16,
    "profile_id": uint16,
    "destination64": uint64,
    "source64": uint64,
    "responder64": uint64,
    "receiver64": uint64,
    "command": commands,
    "parameter": payloads,
    "value": payloads,
    "data": payloads,
    "key": payloads,
    "timestamp": st.binary(min_size=4, max_size=4),
    "hops": hops,
    "sample": samples(),
    "reading": readings,
    "description": descriptions,
}


def frames_of(
    frame_class: type[frames.Frame], **chosen: st.SearchStrategy[Any]
) -> st.SearchStrategy[frames.Frame]:
    """Any frame of this class; a field that is not in the table above is one byte.

    @param chosen: what to draw for a field instead.
    """
    names = [field.name for field in dataclasses.fields(frame_class)]  # type: ignore[arg-type]
    return st.builds(
        frame_class, **{name: {**_FIELDS, **chosen}.get(name, uint8) for name in names}
    )


any_frame: st.SearchStrategy[frames.Frame] = st.sampled_from(
    list(frames.FRAME_CLASSES.values())
).flatmap(frames_of)

#: Sizes of the chunks in which a stream arrives, taken in turn.
chunk_sizes = st.lists(st.integers(1, 50), min_size=1, max_size=8)


def chunks(stream: bytes, sizes: list[int]) -> Iterator[bytes]:
    """Cut `stream` into pieces of these sizes, beginning again when they are used up."""
    position = turn = 0
    while position < len(stream):
        size = sizes[turn % len(sizes)]
        yield stream[position : position + size]
        position += size
        turn += 1
