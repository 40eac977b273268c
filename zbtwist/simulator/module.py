"""What every simulated XBee module can do, at the gateway or far away: its AT commands.

Commands that need nobody else are answered here at once. What a module does when it restarts,
when its button is pressed, or when a setting changes is left to the two kinds of module.
"""

from __future__ import annotations

from collections.abc import Mapping

from zope.interface import implementer

from zbtwist.simulator.medium import IMedium
from zbtwist.simulator.packet import IModule, Packet
from zbtwist.simulator.registers import Fact, RegisterFile, Value
from zbtwist.xbee import devices
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64
from zbtwist.xbee.description import NO_DEVICE_TYPE, NO_RSSI, NodeDescription
from zbtwist.xbee.samples import SUPPLY_VOLTAGE, IOSample
from zbtwist.xbee.status import ATStatus

#: Seconds from FR until the module restarts: its answer gets out before.
RESTART_DELAY = 0.1
#: Seconds that a restarted module needs to be back in the network.
REJOIN_DELAY = 0.2

#: The lines that can be analog inputs, by their channel.
ANALOG_PINS = {"D0": 0, "D1": 1, "D2": 2, "D3": 3}
#: The digital lines of a sample by their bit (90001539, "IO Data Sample Rx Indicator").
DIGITAL_PINS = {
    **{f"D{line}": line for line in range(10)},
    **{f"P{line}": 10 + line for line in range(5)},
}
_ANALOG, _DIGITAL_INPUT, _OUTPUT_LOW, _OUTPUT_HIGH = 2, 3, 4, 5


@implementer(IModule)
class Module:
    """An XBee module.

    @ivar reachable: set it to False to switch the module off, or take it out of range.
    @ivar is_anonymous: set it to True to have the radio say FF…FF for its 64-bit address, as a
        radio does that has not got it in its tables.
    @ivar network: the network it is in.
    @ivar pan_id: the extended PAN that it is in; only modules of the same one hear each other.
    @ivar rssi: how strongly others hear it, in -dBm.
    @ivar hops: how many hops it is away from the coordinator.
    @ivar relays: the modules in between, its neighbour first, as far as they are modelled.
    @ivar inputs: what lies at the digital inputs, True for high; where nothing does they are high.
    """

    role = devices.ROUTER
    parent16 = UNKNOWN16

    def __init__(
        self,
        network: IMedium,
        address64: int,
        facts: Mapping[str, int | Fact],
        settings: Mapping[str, Value],
    ) -> None:
        self.network = network
        self.address64 = Address64(address64)
        self.reachable = True
        self.is_anonymous = False
        self.pan_id = network.pan_id
        self.rssi = 0x28
        self.hops = 1
        self.relays: tuple[IModule, ...] = ()
        self.inputs: dict[str, bool] = {}
        own_facts: dict[str, int | Fact] = {
            "SH": address64 >> 32,
            "SL": address64 & 0xFFFF_FFFF,
            "MY": int(UNKNOWN16),
            "MP": int(self.parent16),
            "OP": lambda: self.pan_id,
            "OI": network.pan_id16,
            "CH": network.channel,
            "AI": 0,
            "NP": 0x54,
            "NC": 0x14,
            "DB": self.rssi,
            "%V": lambda: self.supply(3300),
        }
        self.registers = RegisterFile({**own_facts, **facts}, settings)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.identifier.decode('utf-8', 'replace')!r}>"

    @property
    def address16(self) -> Address16:
        """The 16-bit address that the module has now."""
        return Address16(self.registers.number("MY"))

    @address16.setter
    def address16(self, address16: int) -> None:
        self.registers.state_fact("MY", address16)

    def supply(self, millivolts: int) -> int:
        """Return what %V says of a supply voltage: mV; with an S2 in 1200/1024 mV (90000976)."""
        if devices.is_series_2(self.registers.number("HV")):
            return round(millivolts * 1024 / 1200)
        return millivolts

    @property
    def identifier(self) -> bytes:
        """NI as it was set."""
        return self.registers.text("NI")

    @property
    def longest_payload(self) -> int:
        """How many bytes fit into one packet."""
        return self.registers.number("NP")

    @property
    def encrypts(self) -> bool:
        """Whether its network is encrypted (EE)."""
        return bool(self.registers.number("EE"))

    @property
    def listening(self) -> bool:
        """Whether it hears what is in the air; one that sleeps does when it wakes up."""
        return self.reachable

    def seconds_until_awake(self) -> float:
        return 0.0

    def description(self, options: int, event: int = 0) -> NodeDescription:
        """What the module says of itself.

        @param options: NO of the module that asks: which optional parts to add.
        @param event: see `NodeDescription.event`.
        """
        return NodeDescription(
            self.address16,
            self.address64,
            self.identifier,
            Address16(self.parent16),
            self.role,
            event,
            device_type_identifier=self.registers.number("DD")
            if options & NO_DEVICE_TYPE
            else None,
            rssi=self.rssi if options & NO_RSSI else None,
        )

    def hear(self, packet: Packet) -> None:
        """A packet arrived."""
        raise NotImplementedError

    def execute(self, command: str, parameter: bytes) -> tuple[int, bytes]:
        """Read, set or execute an AT command; what it sets is not yet in force.

        @param parameter: the new value; empty to read or execute.
        @return: AT status and value.
        """
        if command == "AC":
            self.apply()
        elif command == "WR":
            self.registers.write()
        elif command == "RE":
            self.registers.restore_factory_settings()
        elif command == "IS":
            sample = self.sample()
            return (ATStatus.ERROR, b"") if sample is None else (ATStatus.OK, sample.to_bytes())
        elif command == "FR":
            self.network.call_later(RESTART_DELAY, self._restart)
        elif command == "NR":
            if parameter not in (b"\0", b"\1"):
                return ATStatus.INVALID_PARAMETER, b""
            self.network.call_later(RESTART_DELAY, self._rejoin)
        elif command == "CB":
            presses = int.from_bytes(parameter, "big")
            if presses not in (1, 2, 4):
                return ATStatus.INVALID_PARAMETER, b""
            if presses == 1:
                self.press_button()
        elif parameter:
            return self.registers.store(command, parameter), b""
        else:
            return self.registers.read(command)
        return ATStatus.OK, b""

    def apply(self) -> None:
        """Put all settings into force."""
        self.settings_changed(self.registers.apply())

    def settings_changed(self, before: Mapping[str, Value]) -> None:
        """Settings came into force.

        @param before: which, with the values before.
        """

    def press_button(self) -> None:
        """The commissioning button was pressed once."""

    def _restart(self) -> None:
        self.settings_changed(self.registers.restart())
        self._rejoin()

    def _rejoin(self) -> None:
        """Leave the network and come back."""

    def analog_inputs(self) -> Mapping[int, int]:
        """What lies at the analog inputs: raw readings (0 to 1023 of 1200 mV) by channel."""
        return {}

    def is_digital(self, pin: str) -> bool:
        """Whether a line is set up as a digital input or output."""
        return self.registers.number(pin) in (_DIGITAL_INPUT, _OUTPUT_LOW, _OUTPUT_HIGH)

    def is_high(self, pin: str) -> bool:
        """Whether a digital line is high: as an output says it, or as what lies at an input."""
        use = self.registers.number(pin)
        # An open input is pulled up.
        return self.inputs.get(pin, True) if use == _DIGITAL_INPUT else use == _OUTPUT_HIGH

    def sample(self, with_analog: bool = True) -> IOSample | None:
        """Read the pins that are set up as inputs or outputs.

        @param with_analog: whether also the analog ones, and the supply voltage when it is not
            above V+ (90000976, "V+").
        @return: the sample, None if no pin is.
        """
        analog: dict[int, int] = {}
        if with_analog:
            readings = self.analog_inputs()
            analog = {
                channel: readings.get(channel, 0)
                for pin, channel in ANALOG_PINS.items()
                if self.registers.number(pin) == _ANALOG
            }
            supply = self.registers.number("%V")
            if supply <= self.registers.number("V+"):
                analog[SUPPLY_VOLTAGE] = supply
        mask = lines = 0
        for pin, bit in DIGITAL_PINS.items():
            if self.is_digital(pin):
                mask |= 1 << bit
                lines |= self.is_high(pin) << bit
        if not (analog or mask):
            return None
        return IOSample(mask, lines if mask else None, analog)
