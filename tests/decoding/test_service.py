from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.clock import Clock
from zbtwist.decoding import makers
from zbtwist.decoding.events import DecoderFailed, ValuesDecoded, ValuesLeftOut
from zbtwist.decoding.interfaces import IDecoderMaker
from zbtwist.decoding.service import BEGINS_EACH, MAX_NAMES, DecodingService, Reading
from zbtwist.decoding.text import LineDecoder, TextMaker
from zbtwist.decoding.value import Value
from zbtwist.network.events import FROM_NODE, TO_NODE, BytesPassed, NodeForgotten
from zbtwist.network.node import Node
from zbtwist.runtime.event_bus import Event, EventBus
from zbtwist.simulator.meter import Meter, encode_packet
from zbtwist.xbee.address import Address64


class Wanted:
    """Settings."""

    def __init__(self, has_decoders: bool) -> None:
        self.has_decoders = has_decoders


class Strange:
    """A decoder of somebody's."""

    name = "strange"
    question: tuple[bytes, ...] = ()

    def __init__(self) -> None:
        self.made = 0
        self.holes = 0
        self.is_unmade = False
        self.fails_at_holes = False

    def make(self) -> Strange:
        self.made += 1
        if self.is_unmade:
            raise OSError
        return self

    def feed(self, data: bytes, now: float) -> Sequence[Any]:
        if data == b"raise":
            raise RuntimeError("no")
        if data == b"many":
            return [Value(f"n{number}", number) for number in range(MAX_NAMES + 10)]
        answers: dict[bytes, list[Any]] = {
            b"none": [None],
            b"name": [Value("Not A Name", 1)],
            b"good": [Value("x", 1)],
            b"other": [Value("y", 1)],
            b"third": [Value("z", 1)],
        }
        return answers[data]

    def broken(self) -> None:
        self.holes += 1
        if self.fails_at_holes:
            raise ValueError("never")


class DecodingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.bus = EventBus()
        self.names: dict[Node, str] = {}
        self.decoding = DecodingService(self.clock, self.bus, lambda node: self.names.get(node, ""))
        self.node = Node(Address64(0x0013A200_400A3E01), label="METER")
        self.names[self.node] = "lines"
        self.events: list[Event] = []
        self.bus.subscribe(DecoderFailed, self.events.append)
        self.bus.subscribe(ValuesLeftOut, self.events.append)
        self.decoding.follow(Wanted(True))

    def say(self, data: bytes, node: Node | None = None, direction: str = FROM_NODE) -> None:
        self.bus.publish(BytesPassed(node or self.node, direction, data, 1.7e9))

    def told(self, node: Node | None = None) -> dict[str, float | str | bool]:
        readings = self.decoding.readings_of(node or self.node)
        return {reading.value.name: reading.value.value for reading in readings}

    def use(self, decoder: Any) -> None:
        """Have a decoder of somebody's, as a plugin would."""
        self.patch(makers, "getPlugins", lambda interface: iter([decoder]))
        self.names[self.node] = decoder.name

    def test_last_value_of_each_name(self) -> None:
        self.say(b"one\n2")
        self.say(b"1 W\n")
        self.assertEqual(self.told(), {"line": "21 W", "value": 21.0})
        self.assertEqual(
            self.decoding.readings_of(self.node)[1], Reading(Value("value", 21.0, "W"), 1.7e9)
        )
        self.assertEqual(list(self.decoding), [self.node])

    def test_what_is_sent_to_the_node(self) -> None:
        self.say(b"one\n", direction=TO_NODE)
        self.assertEqual(self.told(), {})

    def test_nobody_observes_where_there_is_no_decoder(self) -> None:
        self.say(b"one\n")
        self.decoding.reconfigure(Wanted(True), Wanted(False))
        self.assertEqual(self.bus.subscribers(BytesPassed), [])
        self.assertEqual(self.told(), {})
        self.decoding.reconfigure(Wanted(False), Wanted(True))
        self.say(b"two\n")
        self.assertEqual(self.told(), {"line": "two"})

    def test_each_node_has_its_own(self) -> None:
        other = Node(Address64(2))
        self.say(b"on", other)
        self.say(b"one\n")
        self.assertEqual(self.told(other), {})
        self.names[other] = "lines"
        self.say(b"two\n", other)
        self.assertEqual(self.told(other), {"line": "two"})

    def test_another_decoder(self) -> None:
        self.say(b"a=1\n")
        self.names[self.node] = "keyvalue"
        self.assertEqual(self.told(), {})
        self.say(b"a=1\n")
        self.assertEqual(self.told(), {"a": 1.0})
        del self.names[self.node]
        self.assertEqual(self.told(), {})
        self.say(b"a=2\n")
        self.assertEqual(list(self.decoding), [])

    def test_forgotten(self) -> None:
        self.say(b"one\n")
        self.bus.publish(NodeForgotten(self.node))
        self.assertEqual(list(self.decoding), [])

    def test_hole_in_the_stream(self) -> None:
        self.say(b"tempera")
        self.decoding.broken(self.node)
        self.say(b"ture\nnext\n")
        self.assertEqual(self.told(), {"line": "next"})
        self.decoding.broken(Node(Address64(3)))

    def test_event(self) -> None:
        heard: list[ValuesDecoded] = []
        self.bus.subscribe(ValuesDecoded, heard.append)
        self.say(b"21 W\n")
        (event,) = heard
        self.assertEqual(event.decoded, (Value("line", "21 W"), Value("value", 21.0, "W")))
        self.assertEqual(event.values()["decoded"], {"line": "21 W", "value": 21.0})
        self.assertIn("value 21.0 W", str(event))
        self.say(b"no end")
        self.assertEqual(len(heard), 1)

    def test_meter(self) -> None:
        self.names[self.node] = "ecm1220"
        meter = Meter(random.Random(1))
        for time in (0, 5):
            self.clock.advance(5)
            self.say(encode_packet(meter.read(time)))
        first, last = meter.read(0), meter.read(5)
        watts = (last.absolute[0] - first.absolute[0]) / 5
        self.assertEqual(self.told()["ch1_power"], round(watts, 1))

    def test_decoder_that_raises(self) -> None:
        """A new one goes on at once, after another mistake when a minute is over."""
        strange = Strange()
        self.use(strange)
        self.say(b"good")
        self.say(b"raise")
        self.assertEqual((strange.made, strange.holes), (2, 1))
        self.assertEqual(self.told(), {"x": 1})
        self.say(b"other")
        self.assertEqual(self.told(), {"x": 1, "y": 1})
        (event,) = self.events
        self.assertEqual(
            str(event),
            f"The decoder strange made a mistake with what {self.node} says: it raised "
            "RuntimeError: no. It begins anew, once a minute at the most; in between nothing is "
            "decoded.",
        )
        for _ in range(3):
            self.say(b"raise")
        self.decoding.broken(self.node)
        self.clock.advance(BEGINS_EACH - 1)
        self.say(b"third")
        self.assertEqual(self.told(), {"x": 1, "y": 1})
        self.assertEqual((strange.made, strange.holes), (2, 1))
        self.clock.advance(1)
        self.say(b"third")
        self.assertEqual(self.told(), {"x": 1, "y": 1, "z": 1})
        self.assertEqual((strange.made, strange.holes, len(self.events)), (3, 2, 1))

    def test_decoder_that_always_raises(self) -> None:
        """It is said once a minute, and made as often."""
        strange = Strange()
        self.use(strange)
        for _ in range(600):
            self.say(b"raise")
            self.clock.advance(1)
        self.assertEqual(len(self.events), 10)
        self.assertLessEqual(strange.made, 11)

    def test_decoder_that_cannot_be_made(self) -> None:
        strange = Strange()
        strange.is_unmade = True
        self.use(strange)
        self.say(b"good")
        self.assertIn("it raised OSError.", str(self.events[0]))
        self.assertEqual(self.told(), {})
        strange.is_unmade = False
        self.clock.advance(BEGINS_EACH)
        self.say(b"good")
        self.assertEqual(self.told(), {"x": 1})

    def test_one_line_that_a_decoder_does_not_expect(self) -> None:
        class Careless(LineDecoder):
            def values(self, line: str) -> Iterator[Value]:
                yield Value("x", float(line))

        self.use(TextMaker("careless", Careless))
        for line in (b"1\n", b"x\n2", b"3\n", b"4\n"):
            self.say(line)
        self.assertEqual(self.told(), {"x": 4.0})
        self.assertIn("could not convert string to float: 'x'. It begins", str(self.events[0]))

    def test_decoder_that_raises_at_a_hole(self) -> None:
        strange = Strange()
        strange.fails_at_holes = True
        self.use(strange)
        self.say(b"good")
        self.decoding.broken(self.node)
        self.assertIn("ValueError: never", str(self.events[0]))

    def test_decoder_that_tells_no_values(self) -> None:
        for data in (b"none", b"name"):
            self.events.clear()
            self.names[self.node] = ""
            self.say(b"")
            self.use(Strange())
            self.say(data)
            self.assertIn("which is no value", str(self.events[0]))
            self.assertEqual(self.told(), {})

    def test_names_are_bounded(self) -> None:
        self.use(Strange())
        self.say(b"many")
        self.say(b"many")
        self.assertEqual(len(self.told()), MAX_NAMES)
        (event,) = self.events
        self.assertIn(f"more than {MAX_NAMES} names", str(event))

    def test_nobody_takes_the_name_of_ours(self) -> None:
        impostor = Strange()
        impostor.name = "lines"
        self.use(impostor)
        self.say(b"one\n")
        self.assertEqual(impostor.made, 0)


class ExampleTests(SynchronousTestCase):
    def test_example_of_the_documentation(self) -> None:
        page = (Path(__file__).parents[2] / "docs/decoders.rst").read_text(encoding="utf-8")
        block = page.split(".. code-block:: python\n\n")[1].split("\n\n``decoder")[0]
        names: dict[str, Any] = {}
        exec(dedent(block), names)
        maker = names["scale"]
        verifyObject(IDecoderMaker, maker)
        decoder = maker.make()
        found = decoder.feed(b"ST,+00012.5kg\r\nUS,+00013.0kg\r\n", 1.0)
        self.assertEqual(found, [Value("weight", 12.5, "kg")])
        for bad in (b"ST,xkg", b"ST,kg", b"ST,1" + b"0" * 400 + b"kg", b"ST,nankg", b"\xff,1kg"):
            self.assertEqual(decoder.feed(bad + b"\r\n", 2.0), [], bad)
        self.assertEqual(decoder.feed(b"ST,-7kg\r\n", 3.0), [Value("weight", -7.0, "kg")])
