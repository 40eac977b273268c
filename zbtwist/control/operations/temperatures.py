"""The temperatures: each node is asked in the way that it knows."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, TypedDict

from twisted.internet.defer import Deferred, TimeoutError, gatherResults

from zbtwist.control.operations.base import GatewayOperations
from zbtwist.control.operations.table import operation
from zbtwist.network.node import Node
from zbtwist.radio.errors import ATRefused, RadioError
from zbtwist.runtime.single_flight import SingleFlight
from zbtwist.xbee.address import digi_address64
from zbtwist.xbee.at import decode_value
from zbtwist.xbee.samples import IOSample, SampleError, has_temperature_sensor, temperature
from zbtwist.xbee.status import ATStatus

#: Seconds that all nodes together have to tell their temperature.
TEMPERATURE_DEADLINE = 10.0


class TemperatureRow(TypedDict):
    """A node in ``get_temperatures()``."""

    addr_extended: Annotated[str, "as in ``list()``"]
    label: Annotated[str, "the same"]
    name: Annotated[str, "the same"]
    temperature: Annotated[float, "degrees Celsius"]


class TemperatureOperations(GatewayOperations):
    """Asking for temperatures."""

    @operation("get_temperatures", changes=True, page="temperatures")
    async def get_temperatures(self) -> list[TemperatureRow]:
        """Ask every node that can measure for its temperature, all side by side.

        A module that knows TP is asked for it; of Digi's wall routers and /L/T and /L/T/H sensors
        an I/O sample is read. A node that cannot measure, or does not answer within 10 seconds, is
        left out. Two at once share one round.

        @raise ControlFault: RADIO_OFFLINE.
        """
        await self._ready_radio()
        return await self._round()

    @cached_property
    def _round(self) -> SingleFlight[list[TemperatureRow]]:
        return SingleFlight(self._ask_all)

    async def _ask_all(self) -> list[TemperatureRow]:
        nodes = list(self._network.nodes)
        readings: list[Deferred[float | None]] = []
        for node in nodes:
            reading = Deferred.fromCoroutine(self._temperature_of(node))
            reading.addTimeout(TEMPERATURE_DEADLINE, self._clock)
            reading.addErrback(lambda failure: failure.trap(TimeoutError) and None)
            readings.append(reading)
        celsius = await gatherResults(readings, consumeErrors=True)
        for node, value in zip(nodes, celsius):
            if value is not None:
                node.temperature = value
        return [
            {
                "addr_extended": digi_address64(node.address64),
                "label": node.label or "",
                "name": node.name,
                "temperature": value,
            }
            for node, value in zip(nodes, celsius)
            if value is not None
        ]

    async def _temperature_of(self, node: Node) -> float | None:
        """Return a node's temperature in °C, None if it cannot measure or does not answer."""
        ask = self._network.remote_at
        try:
            if node.has_temperature_command is not False:
                try:
                    value = decode_value("TP", await ask(node, "TP"))
                except ATRefused as error:
                    if error.status != ATStatus.INVALID_COMMAND:
                        return None
                    node.has_temperature_command = False
                else:
                    node.has_temperature_command = True
                    return float(value) if isinstance(value, int) else None
            device_type = await self._network.device_type_of(node)
            if not has_temperature_sensor(device_type):
                return None
            return temperature(IOSample.parse(await ask(node, "IS")), device_type)
        except (RadioError, SampleError):
            return None
