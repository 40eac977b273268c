"""A remote node: an XBee module in transparent mode.

What its device says goes into packets of at most NP bytes to DH and DL (0: the coordinator), the
next one when the last is acknowledged; what arrives for its serial line goes to its device, at the
rate of that line (`zbtwist.simulator.uart`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IDelayedCall

from zbtwist.simulator.medium import IMedium
from zbtwist.simulator.module import DIGITAL_PINS, REJOIN_DELAY, Module
from zbtwist.simulator.packet import Outcome, Packet
from zbtwist.simulator.registers import Fact, Value
from zbtwist.simulator.uart import LINE_SETTINGS, Uart
from zbtwist.simulator.zdo import answer_to
from zbtwist.xbee import devices
from zbtwist.xbee.address import COORDINATOR64
from zbtwist.xbee.at import BAUD_RATES
from zbtwist.xbee.description import BUTTON, SWITCHED_ON
from zbtwist.xbee.frames import (
    IO_SAMPLE_CLUSTER,
    LOOPBACK_CLUSTER,
    NODE_IDENTIFICATION_CLUSTER,
    SENSOR_CLUSTER,
    SERIAL_CLUSTER,
    SERIAL_ENDPOINT,
)
from zbtwist.xbee.sensor_reading import SensorReading
from zbtwist.xbee.status import ATStatus

#: Digi's device type of an RS-232 adapter with a ZB module (90000833).
RS232_ADAPTER = 0x00030005

#: How many bytes a node keeps for the air; what comes when it is full is lost, as on a real UART
#: without flow control.
SERIAL_BUFFER = 0x10000


class Node(Module):
    """A remote module. Nothing hangs on this one: what it hears is kept for whoever looks.

    @ivar heard: the last bytes that arrived for its serial line, at most `SERIAL_BUFFER` bytes.
    @ivar lost_bytes: how many bytes of its device found the buffer full.
    @ivar uart: its serial line to the device.
    @ivar sleep_period: seconds between two moments at which it is awake; 0 for always.
    """

    #: XBee-PRO S2C, which measures its own temperature.
    hardware_version = 0x2D47
    firmware_version = 0x4060
    device_type_identifier = RS232_ADAPTER
    has_thermometer = True

    def __init__(
        self,
        network: IMedium,
        address64: int,
        name: str,
        settings: Mapping[str, Value] | None = None,
    ) -> None:
        """
        @param name: NI, at most 20 bytes.
        @param settings: where it differs from the factory settings.
        @raise ValueError: the name is too long.
        """
        identifier = name.encode("utf-8")
        if len(identifier) > 20:
            raise ValueError(f"a node identifier has at most 20 bytes, and {name!r} has more")
        self.chance = network.generator(f"{address64:016x}")
        millivolts = 3300 - self.chance.randint(0, 40)
        facts: dict[str, int | Fact] = {
            "HV": self.hardware_version,
            "VR": self.firmware_version,
            "%V": lambda: self.supply(millivolts),
        }
        if self.has_thermometer:
            warmth = self.chance.uniform(24.0, 31.0)
            facts["TP"] = lambda: round(warmth + 1.5 * self.wave(600.0))
        super().__init__(
            network,
            address64,
            facts,
            # These say who they are when they are switched on (90000976, "JN").
            {"NI": identifier, "DD": self.device_type_identifier, "JN": 1, **(settings or {})},
        )
        self.rssi = self.chance.randint(0x28, 0x4B)
        self.registers.state_fact("DB", self.rssi)
        self.heard = bytearray()
        self.lost_bytes = 0
        self.uart = Uart(network, self.serial_received)
        self._set_up_uart()
        self.sleep_period = 0.0
        self._awake_until = float("-inf")
        self._waiting = bytearray()
        self._sending = False
        self._sampling: IDelayedCall | None = None

    def start(self) -> None:
        """The node was switched on."""
        self._sample_again()

    def stop(self) -> None:
        """The node is taken away."""
        self.network.cancel(self._sampling)
        self.uart.clear()

    def seconds_until_awake(self) -> float:
        if not self.sleep_period or self.network.seconds() < self._awake_until:
            return 0.0
        return -self.network.age % self.sleep_period

    def _stay_awake(self) -> None:
        """Something happens: do not sleep for ST (90001539, "ST")."""
        if self.sleep_period:
            self._awake_until = self.network.seconds() + self.registers.number("ST") / 1000

    def fall_asleep(self, period: float) -> None:
        """Become an end device that wakes up every `period` seconds; 0 makes it a router again.

        It stays awake for ST (5 s, if it was not set) after it heard or said something.
        """
        self.sleep_period = period
        self._awake_until = float("-inf")
        self.role = devices.END_DEVICE if period else devices.ROUTER
        self.parent16 = self.network.radio.address16 if period else type(self).parent16
        self.registers.state_fact("MP", int(self.parent16))
        # Cyclic sleep (90001539, "SM").
        self.registers.store("SM", b"\4" if period else b"\0")
        self.apply()

    def wave(self, period: float) -> float:
        """Something between -1 and 1 that comes and goes."""
        return math.sin(2 * math.pi * self.network.age / period)

    # --- The air -------------------------------------------------------------------------------

    def hear(self, packet: Packet) -> None:
        self._stay_awake()
        if packet.destination_endpoint != SERIAL_ENDPOINT:
            answer = answer_to(packet, self, self.network)
            if answer is not None:
                self.network.transmit(answer, packet.sender.address64)
            return
        if packet.cluster_id == SERIAL_CLUSTER:
            self.uart.send(packet.data)
        elif packet.cluster_id == LOOPBACK_CLUSTER:
            # It comes back as serial data (90001539, "Test links in a network - loopback cluster").
            self.network.transmit(Packet(self, packet.data), packet.sender.address64)

    def identify(self, event: int) -> None:
        """Tell everybody who this is.

        @param event: why, as `NodeDescription.event`.
        """
        data = self.description(self.network.description_options, event).to_bytes()
        # All hear the broadcast, but only the module in API mode does something with it.
        packet = Packet(self, data, NODE_IDENTIFICATION_CLUSTER, broadcast=True)
        self.network.transmit(packet, COORDINATOR64)

    def press_button(self) -> None:
        self.identify(BUTTON)

    def execute(self, command: str, parameter: bytes) -> tuple[int, bytes]:
        self._stay_awake()
        if command in ("ND", "DN"):
            return ATStatus.ERROR, b""
        if command == "CN":
            return ATStatus.INVALID_COMMAND, b""
        return super().execute(command, parameter)

    def _rejoin(self) -> None:
        if not self.reachable:
            return
        self.reachable = False
        self.network.call_later(REJOIN_DELAY, self._joined)

    def _joined(self) -> None:
        if self.address64 in self.network.nodes:
            self.reachable = True
            if self.registers.number("JN"):
                self.identify(SWITCHED_ON)

    def _restart(self) -> None:
        self.uart.clear()
        super()._restart()

    # --- Samples -------------------------------------------------------------------------------

    def settings_changed(self, before: Mapping[str, Value]) -> None:
        if "IR" in before:
            self._sample_again()
        if any(self.is_watched(pin) for pin in before if pin in DIGITAL_PINS):
            self._report_change()
        if not LINE_SETTINGS.isdisjoint(before):
            self._set_up_uart()

    def _set_up_uart(self) -> None:
        self.uart.set_up(*map(self.registers.number, ("BD", "NB", "SB")))

    def set_baud(self, baud: int) -> None:
        """Set BD by hand, as at its own serial line.

        @param baud: bits per second.
        """
        bd = BAUD_RATES.index(baud) if baud in BAUD_RATES else baud
        if bd != self.registers.number("BD"):
            self.registers.store("BD", bd.to_bytes(4, "big"))
            self.apply()

    def _sample_again(self) -> None:
        self.network.cancel(self._sampling)
        milliseconds = self.registers.number("IR")
        if milliseconds:
            self._sampling = self.network.call_later(milliseconds / 1000, self._send_sample)

    def _send_sample(self) -> None:
        self._sample_again()
        self.emit_sample()

    def is_watched(self, pin: str) -> bool:
        """Whether a change of a digital line is to be reported (90000976, "IC")."""
        bit = DIGITAL_PINS[pin]
        return self.is_digital(pin) and bool(self.registers.number("IC") >> bit & 1)

    def set_input(self, pin: str, high: bool) -> None:
        """Something changes at a digital input."""
        was_high = self.is_high(pin)
        self.inputs[pin] = high
        if self.is_high(pin) != was_high and self.is_watched(pin):
            self._report_change()

    def _report_change(self) -> None:
        """Send the digital lines alone, at once, as IC asks for it."""
        sample = self.sample(with_analog=False)
        if sample is not None:
            self._transmit(Packet(self, sample.to_bytes(), IO_SAMPLE_CLUSTER))

    def emit_sample(self) -> None:
        """Send an I/O sample, if a pin is set up for one."""
        sample = self.sample()
        if sample is not None:
            self._transmit(Packet(self, sample.to_bytes(), IO_SAMPLE_CLUSTER))

    def emit_reading(self, celsius: float) -> None:
        """Send what a 1-wire thermometer measures, as Digi's sensor adapters do."""
        reading = SensorReading.of_temperature(celsius)
        self._transmit(Packet(self, reading.to_bytes(), SENSOR_CLUSTER))

    # --- The serial line -----------------------------------------------------------------------

    def serial_received(self, data: bytes) -> None:
        """Bytes for the device on the serial line arrived."""
        self.heard += data
        del self.heard[:-SERIAL_BUFFER]

    def send(self, data: bytes) -> None:
        """The device says something."""
        room = SERIAL_BUFFER - len(self._waiting)
        self.lost_bytes += max(0, len(data) - room)
        self._waiting += data[:room]
        self._send_next()

    @property
    def waiting_bytes(self) -> int:
        """How many bytes of the device are not yet in the air."""
        return len(self._waiting)

    def sent(self) -> None:
        """A packet is gone, there is room for more."""

    def _send_next(self) -> None:
        if self._sending or not self._waiting:
            return
        size = self.longest_payload
        data = bytes(self._waiting[:size])
        del self._waiting[:size]
        self._sending = True
        self._transmit(Packet(self, data), self._packet_finished)

    def _packet_finished(self, outcome: Outcome) -> None:
        # What did not get through is lost, as it is with a real node.
        self._sending = False
        self._send_next()
        self.sent()

    def _transmit(self, packet: Packet, finished: Callable[[Outcome], None] | None = None) -> None:
        self._stay_awake()
        destination = self.registers.number("DH") << 32 | self.registers.number("DL")
        self.network.transmit(packet, destination, finished=finished)
