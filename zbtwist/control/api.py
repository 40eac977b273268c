"""What the gateway can be asked and told, in no wire format.

Every face of the gateway (XML-RPC now) calls these operations. They return plain values: dicts,
lists, str, int, float. What cannot be done is a `ControlFault`, whose text is a sentence.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, gatherResults
from twisted.internet.interfaces import IReactorTime

import zbtwist
from zbtwist.binding.service import BindingService
from zbtwist.control.faults import RADIO_OFFLINE, ControlFault
from zbtwist.interfaces import IRadio
from zbtwist.network import NetworkService, Node
from zbtwist.radio.errors import ATRefused, RadioError
from zbtwist.xbee.address import digi_address16, digi_address64, format_address64
from zbtwist.xbee.at import decode_value
from zbtwist.xbee.devices import ROLES
from zbtwist.xbee.samples import IOSample, SampleError, has_temperature_sensor, temperature
from zbtwist.xbee.status import AT_INVALID_COMMAND

#: Seconds that all nodes together have to tell their temperature.
TEMPERATURE_DEADLINE = 10.0


class GatewayAPI:
    """The operations of control-api.md."""

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        network: NetworkService,
        bindings: BindingService,
    ) -> None:
        self._clock = clock
        self._radio = radio
        self._network = network
        self._bindings = bindings
        self._started = clock.seconds()

    async def discover(self) -> list[dict[str, Any]]:
        """Search the network, give every new node a port, wait for the search to end.

        @return: what `list_nodes` returns.
        @raise ControlFault: the radio is offline.
        """
        self._must_be_online()
        try:
            await self._network.discover()
        except RadioError as error:
            raise ControlFault(RADIO_OFFLINE, str(error)) from error
        await self._bindings.settled()
        return self.list_nodes()

    def list_nodes(self) -> list[dict[str, Any]]:
        """Return a dict for each known node, ordered by TCP port; no radio traffic.

        The keys are those of Digi's getnodelist(): addr_extended, addr_short, addr_parent, type,
        label, profile_id, manufacturer_id, device_type, and tcp_port (0: it has none).
        """
        rows = [self._row(node) for node in self._network.nodes]
        # Nodes without a port come last.
        rows.sort(key=lambda row: (row["tcp_port"] or 1 << 16, row["addr_extended"]))
        return rows

    def _row(self, node: Node) -> dict[str, Any]:
        port = self._bindings.port_of(node)
        dd = node.device_type_identifier
        return {
            "addr_extended": digi_address64(node.address64),
            "addr_short": digi_address16(node.address16),
            "addr_parent": digi_address16(node.parent16),
            "type": ROLES.get(node.role, "") if node.role is not None else "",
            "label": node.label or "",
            "profile_id": node.profile_id,
            "manufacturer_id": node.manufacturer_id,
            "device_type": f"0x{dd:08x}" if dd is not None else "",
            "tcp_port": port.number if port else 0,
        }

    async def get_temperatures(self) -> list[dict[str, Any]]:
        """Ask every node that can measure for its temperature, all side by side.

        @return: addr_extended, label and temperature (°C) of each node that answered within
            `TEMPERATURE_DEADLINE`.
        @raise ControlFault: the radio is offline.
        """
        self._must_be_online()
        nodes = list(self._network.nodes)
        readings: list[Deferred[float | None]] = []
        for node in nodes:
            reading = Deferred.fromCoroutine(self._temperature_of(node))
            reading.addTimeout(TEMPERATURE_DEADLINE, self._clock)
            reading.addErrback(lambda failure: failure.trap(TimeoutError) and None)
            readings.append(reading)
        celsius = await gatherResults(readings, consumeErrors=True)
        return [
            {
                "addr_extended": digi_address64(node.address64),
                "label": node.label or "",
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
                    if error.status != AT_INVALID_COMMAND:
                        return None
                    node.has_temperature_command = False
                else:
                    node.has_temperature_command = True
                    return float(value) if isinstance(value, int) else None
            if node.device_type_identifier is None:
                node.device_type_identifier = int.from_bytes(await ask(node, "DD"), "big")
            if not has_temperature_sensor(node.device_type_identifier):
                return None
            sample = IOSample.parse(await ask(node, "IS"))
            return temperature(sample, node.device_type_identifier)
        except (RadioError, SampleError):
            return None

    def status(self) -> dict[str, Any]:
        """Return the state of the gateway and its radio.

        version, uptime (s), link ("up" or "down"), link_text (why it is down, a sentence),
        address, firmware, hardware, api_mode, pan (in use) of the radio, "" or 0 while it is down;
        nodes, clients (counts).
        """
        facts = self._radio.facts
        return {
            "version": zbtwist.__version__,
            "uptime": self._clock.seconds() - self._started,
            "link": "up" if facts else "down",
            "link_text": self._radio.offline_reason,
            "address": format_address64(facts.address64) if facts else "",
            "firmware": f"{facts.firmware_version:04x}" if facts else "",
            "hardware": f"{facts.hardware_version:04x}" if facts else "",
            "api_mode": facts.api_mode if facts else 0,
            "pan": f"{facts.operating_pan_id:016x}" if facts else "",
            "nodes": len(self._network.nodes),
            "clients": self._bindings.clients,
        }

    def _must_be_online(self) -> None:
        if self._radio.facts is None:
            raise ControlFault(RADIO_OFFLINE, self._radio.offline_reason)
