"""The remote nodes, by what hangs on them: an echo, a power meter, a sensor, a pseudoterminal."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from zbtwist.simulator.medium import IMedium
from zbtwist.simulator.meter_models import LONGEST_QUESTION, ECM1220Model, MeterModel
from zbtwist.simulator.node import SERIAL_BUFFER, Node
from zbtwist.simulator.pseudoterminal import Pseudoterminal
from zbtwist.simulator.registers import Value
from zbtwist.xbee import devices
from zbtwist.xbee.samples import HUMIDITY_INPUT, LIGHT_INPUT, TEMPERATURE_INPUT

#: Digi's device types (90000833): a ZB module in each of these products.
WALL_ROUTER = 0x00030008
SENSOR_LTH = 0x0003000D

_FULL_SCALE = 1023
_REFERENCE_MILLIVOLTS = 1200.0

log = Logger()


class EchoNode(Node):
    """Sends back every byte."""

    def serial_received(self, data: bytes) -> None:
        super().serial_received(data)
        self.send(data)


class MeterNode(Node):
    """A power meter, an ECM-1220 unless another model is said."""

    def __init__(
        self,
        network: IMedium,
        address64: int,
        name: str,
        settings: Mapping[str, Value] | None = None,
        *,
        interval: float = 2.0,
        phase: float | None = None,
        model: type[MeterModel] = ECM1220Model,
    ) -> None:
        """
        @param interval: seconds between two packets in real-time mode; 0 sends only when asked.
        @param phase: seconds before the first one; as many as between two if None.
        @param model: which meter it is.
        """
        super().__init__(network, address64, name, settings)
        self.interval = interval
        self._phase = interval if phase is None else phase
        self.meter = model(self.chance)
        self._request = b""
        self._ticking: IDelayedCall | None = None

    def start(self) -> None:
        super().start()
        if self.interval:
            self._ticking = self.network.call_later(self._phase, self._tick)

    def stop(self) -> None:
        self.network.cancel(self._ticking)
        super().stop()

    def _tick(self) -> None:
        self._ticking = self.network.call_later(self.interval, self._tick)
        self._send_reading()

    def _send_reading(self) -> None:
        self.send(self.meter.packet(self.network.age))

    def serial_received(self, data: bytes) -> None:
        super().serial_received(data)
        # A request may come in pieces, and what is none is ignored.
        for value in data:
            self._request = (self._request + bytes([value]))[-LONGEST_QUESTION:]
            answer = self.meter.answer(self._request, self.network.age)
            if answer:
                self.send(answer)


class SensorNode(Node):
    """A Digi sensor, read by I/O samples: a wall router, or an /L/T/H sensor."""

    #: XBee S2, which has no thermometer of its own.
    hardware_version = 0x1947
    firmware_version = 0x2670
    has_thermometer = False

    def __init__(
        self,
        network: IMedium,
        address64: int,
        name: str,
        settings: Mapping[str, Value] | None = None,
        *,
        device_type_identifier: int = WALL_ROUTER,
    ) -> None:
        """
        @param device_type_identifier: `WALL_ROUTER` or `SENSOR_LTH`.
        """
        self.device_type_identifier = device_type_identifier
        self._warm = devices.product_of(device_type_identifier) == devices.WALL_ROUTER
        pins: dict[str, Value] = {"D0": 0, "D1": 2, "D2": 2, "D5": 0, "D7": 0, "P0": 0}
        if not self._warm:
            pins["D3"] = 2
        super().__init__(network, address64, name, {**pins, **(settings or {})})
        self._celsius = self.chance.uniform(18.0, 24.0)
        self._humidity = self.chance.uniform(35.0, 55.0)

    def analog_inputs(self) -> Mapping[int, int]:
        celsius = self._celsius + 2.0 * self.wave(300.0)
        if self._warm:
            # Its own electronics warm it by 4 °C (90000833).
            celsius += 4.0
        humidity = self._humidity + 5.0 * self.wave(200.0)
        millivolts = {
            LIGHT_INPUT: 600.0 + 400.0 * self.wave(120.0),
            TEMPERATURE_INPUT: 500.0 + 10.0 * celsius,
            # A humidity sensor at 5 V, behind the adapter's divider of 33.2 to 108.2 kOhm.
            HUMIDITY_INPUT: (humidity * 0.0062 + 0.16) * 5000.0 * 33.2 / 108.2,
        }
        return {
            channel: min(_FULL_SCALE, round(value * _FULL_SCALE / _REFERENCE_MILLIVOLTS))
            for channel, value in millivolts.items()
        }


class PtyNode(Node):
    """Its serial line is a pseudoterminal that any program may open and close.

    @ivar path: where; "" before the node is started.
    """

    def __init__(
        self,
        network: IMedium,
        address64: int,
        name: str,
        settings: Mapping[str, Value] | None = None,
        *,
        link: str | None = None,
    ) -> None:
        """
        @param link: where a symbolic link to the pseudoterminal is to be.
        """
        super().__init__(network, address64, name, settings)
        self._line: Pseudoterminal | None = None
        self._link = link

    @property
    def path(self) -> str:
        return "" if self._line is None else self._line.path

    @property
    def is_open(self) -> bool:
        """Whether a program has the device open."""
        return self._line is not None and self._line.is_open

    def start(self) -> None:
        super().start()
        self._line = Pseudoterminal(self.network.clock, self._said, self._link)
        log.info("node {name}: its serial line is {path}", name=self.identifier, path=self.path)

    def stop(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        super().stop()

    def _said(self, data: bytes) -> None:
        self.send(data)
        if self._line is not None and self.waiting_bytes > SERIAL_BUFFER // 2:
            self._line.pause()

    def sent(self) -> None:
        if self._line is not None and self.waiting_bytes < SERIAL_BUFFER // 4:
            self._line.resume()

    def serial_received(self, data: bytes) -> None:
        super().serial_received(data)
        if self._line is not None:
            self._line.write(data)
