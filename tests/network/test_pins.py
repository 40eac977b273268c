"""What is learnt of the lines of nodes from what passes."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from tests.network.support import NetworkTestCase
from tests.radio.support import REMOTE, REMOTE16
from tests.support import present
from zbtwist.network.events import PinsChanged
from zbtwist.network.node_pins import NodePins
from zbtwist.radio.errors import ATRefused
from zbtwist.xbee.address import UNKNOWN16
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    DIGI_PROFILE,
    IO_SAMPLE_CLUSTER,
    SERIAL_ENDPOINT,
    ExplicitReceive,
    IODataSample,
    NodeIdentification,
)
from zbtwist.xbee.samples import IOSample


class PinsTests(NetworkTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.up()
        self.known()

    @property
    def pins(self) -> NodePins:
        return present(self.node().pins)

    def sampled(self, sample: IOSample) -> None:
        self.wire.receive(IODataSample(REMOTE, REMOTE16, 1, sample))

    def ask(
        self, command: str, status: int = 0, value: bytes = b"", parameter: bytes = b""
    ) -> None:
        asking = Deferred.fromCoroutine(self.network.remote_at(self.node(), command, parameter))
        self.answer(status, value)
        if status:
            self.failureResultOf(asking, ATRefused)
        else:
            self.successResultOf(asking)

    def shown(self) -> dict[str, tuple[str, str]]:
        return {line.name: (line.mode, line.text) for line in self.pins.lines()}

    def test_nothing(self) -> None:
        self.assertIsNone(self.node().pins)

    def test_sample(self) -> None:
        """An analog input says what it is; of a digital line it is not known which way it goes."""
        self.sampled(IOSample(0b10010, 0b10, {0: 512, 7: 0x900}))
        self.assertEqual(
            self.shown(),
            {
                "AD0": ("analog input", "512 of 1023"),
                "DIO1": ("", "high"),
                "DIO4": ("", "low"),
                "supply": ("supply voltage", ""),
            },
        )

    def test_volts_by_hardware(self) -> None:
        """The supply of an S2 is in 1200/1024 mV (90000976, "%V"), of an S2C in mV (90002002)."""
        self.sampled(IOSample(analog={0: 512, 7: 0x900}))
        for hardware, analog, supply in (
            (b"\x19\x47", "601 mV", "2700 mV"),
            (b"\x1e\x46", "601 mV", "2700 mV"),
            (b"\x2d\x47", "601 mV", "2304 mV"),
            (b"\x42\x41", "512 of 1023", "2304 mV"),
            (b"\x17\x44", "512 of 1023", "2304 mV"),
        ):
            self.ask("HV", value=hardware)
            self.assertEqual(
                (self.shown()["AD0"][1], self.shown()["supply"][1]), (analog, supply), hardware
            )

    def test_reference_of_an_xbee_3(self) -> None:
        self.sampled(IOSample(analog={0: 1023, 7: 3300}))
        self.assertEqual(self.network.pins.questions(self.node()), ["HV"])
        self.ask("HV", value=b"\x42\x41")
        self.assertEqual(self.network.pins.questions(self.node()), ["AV"])
        for reference, text in ((b"\0", "1250 mV"), (b"\1", "2500 mV"), (b"\2", "3300 mV")):
            self.ask("AV", value=reference)
            self.assertEqual(self.shown()["AD0"][1], text)
        self.ask("AV", parameter=b"\0")
        self.assertEqual(self.shown()["AD0"][1], "1250 mV")

    def test_supply_that_was_asked_for(self) -> None:
        self.ask("HV", value=b"\x1e\x46")
        self.ask("%V", value=b"\x0b\x00")
        self.assertEqual(self.shown(), {"supply": ("supply voltage", "3300 mV")})
        self.assertTrue(self.pins.has_supply_command)
        # XTC: 2.8 V (90001476, "%V").
        self.ask("HV", value=b"\x3e\x00")
        self.ask("%V", value=b"\x00\x02\xcc\xcd")
        self.assertEqual(self.shown()["supply"][1], "2800 mV")

    def test_module_without_supply_voltage(self) -> None:
        """An S1 does not know %V."""
        self.ask("%V", status=2)
        self.assertFalse(self.pins.has_supply_command)

    def test_sample_that_was_asked_for(self) -> None:
        """What is not in it is not set up for one any more."""
        self.sampled(IOSample(0b110, 0, {0: 1}))
        self.ask("D1", value=b"\3")
        self.ask("IS", value=IOSample(0b100, 0b100).to_bytes())
        self.assertEqual(self.shown(), {"DIO2": ("", "high")})
        self.ask("IS", value=b"\1\2")
        self.assertEqual(self.shown(), {"DIO2": ("", "high")})
        self.ask("IS", status=1)
        self.assertEqual(self.shown(), {})

    def test_change_sends_digital_lines_alone(self) -> None:
        """What is analog is still that."""
        self.sampled(IOSample(0b110, 0, {0: 1}))
        self.sampled(IOSample(0b100, 0b100))
        self.assertEqual(self.shown(), {"AD0": ("analog input", "1 of 1023"), "DIO2": ("", "high")})

    def test_commands_of_anybody(self) -> None:
        self.ask("D1", value=b"\3")
        self.assertEqual(self.shown(), {"DIO1": ("digital input", "")})
        self.sampled(IOSample(0b10, 0b10))
        self.ask("D1", parameter=b"\4")
        self.assertEqual(self.shown(), {"DIO1": ("output low", "low")})
        self.sampled(IOSample(0b10, 0b10))
        self.assertEqual(self.shown(), {"DIO1": ("output high", "high")})
        self.ask("D1", parameter=b"\2")
        self.assertEqual(self.shown(), {"AD1": ("analog input", "")})
        self.ask("D1", parameter=b"\5", status=3)
        self.assertEqual(self.shown(), {"AD1": ("analog input", "")})
        self.ask("D7", value=b"\1")
        self.assertEqual(self.shown()["DIO7"], ("CTS flow control", ""))

    def test_what_waits_for_being_applied(self) -> None:
        """It is not in force, so the line is as it was, until it is read."""
        self.ask("D1", value=b"\3")
        asking = Deferred.fromCoroutine(
            self.network.remote_at(self.node(), "D1", b"\5", apply=False)
        )
        self.answer(0)
        self.successResultOf(asking)
        self.assertEqual(self.shown(), {"DIO1": ("digital input", "")})
        self.assertEqual(self.node().unwritten, {"D1"})
        asking = Deferred.fromCoroutine(self.network.remote_at(self.node(), "D1", apply=False))
        self.answer(0, b"\5")
        self.successResultOf(asking)
        self.assertEqual(self.shown(), {"DIO1": ("output high", "")})

    def test_what_is_asked_for(self) -> None:
        """The modes of digital lines, once."""
        self.ask("HV", value=b"\x2d\x47")
        self.sampled(IOSample(0x4002, 0x4002))
        self.assertEqual(self.network.pins.questions(self.node()), ["D1", "P4"])
        self.ask("D1", value=b"\4")
        self.ask("P4", value=b"\3")
        self.assertEqual(self.network.pins.questions(self.node()), [])
        self.ask("FR")
        self.assertEqual(self.network.pins.questions(self.node()), ["D1", "P4"])

    def test_switched_on(self) -> None:
        """It may be set up in another way; a button that is pressed changes nothing."""
        self.ask("D1", value=b"\3")
        for reason, known in ((1, {"D1": 3}), (3, {})):
            description = NodeDescription(REMOTE16, REMOTE, b"E1", UNKNOWN16, 1, reason)
            self.wire.receive(NodeIdentification(REMOTE, REMOTE16, 1, description))
            self.assertEqual(self.pins.modes, known)

    def test_explicit_frame(self) -> None:
        data = IOSample(0b10, 0b10).to_bytes()
        for sent in (data, data[:-1]):
            self.wire.receive(
                ExplicitReceive(
                    *(REMOTE, REMOTE16, SERIAL_ENDPOINT, SERIAL_ENDPOINT),
                    *(IO_SAMPLE_CLUSTER, DIGI_PROFILE, 1, sent),
                )
            )
        self.assertEqual(self.shown(), {"DIO1": ("", "high")})

    def test_lines_that_no_module_has(self) -> None:
        """Bit 15 of the mask is not used; an S1 has six analog inputs."""
        self.sampled(IOSample(0x8002, 0xFFFF, {5: 7}))
        self.assertEqual(self.shown(), {"DIO1": ("", "high"), "AD5": ("", "7 of 1023")})

    def test_all_is_bounded(self) -> None:
        channels = dict.fromkeys(range(8), 1)
        self.sampled(IOSample(0xFFFF, 0, channels))
        for number in range(10):
            self.ask(f"D{number}", value=b"\3")
        self.assertLessEqual(len(list(self.pins.lines())), 15 + 4)

    def test_changes(self) -> None:
        """They are told to whoever wants to hear, and only what is new."""
        self.sampled(IOSample(0b10, 0b10))
        self.assertEqual([event for event in self.events if isinstance(event, PinsChanged)], [])
        heard: list[PinsChanged] = []
        self.wire.bus.subscribe(PinsChanged, heard.append)
        self.sampled(IOSample(0b10, 0b10))
        self.assertEqual(heard, [])
        self.sampled(IOSample(0b11, 0b01, {2: 5}))
        self.assertEqual(heard[-1].changed, {"DIO0": 1, "DIO1": 0, "AD2": 5})
        self.assertEqual(heard[-1].values()["changed"], {"DIO0": 1, "DIO1": 0, "AD2": 5})
        self.assertIn("DIO0 1, DIO1 0, AD2 5", str(heard[-1]))
        self.ask("D0", parameter=b"\4")
        self.assertEqual(heard[-1].changed, {"DIO0": 0})
        self.assertEqual(len(heard), 2)
