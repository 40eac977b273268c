"""What the gateway can be asked and told, in no wire format.

Every face of the gateway (XML-RPC now) calls these operations. They return plain values: dicts,
lists, str, int, float. What cannot be done is a `ControlFault`, whose text is a sentence.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

import zbtwist
from zbtwist.binding.errors import BindingError, Configured, NoMapping
from zbtwist.binding.listener import LAST_PORT, ListenAddress
from zbtwist.binding.port import NodePort
from zbtwist.binding.service import BindingService
from zbtwist.control.faults import (
    BAD_PORT,
    BAD_VALUE,
    GATEWAY_FAILED,
    NO_ANSWER,
    NODE_REFUSED,
    PORT_TAKEN,
    RADIO_OFFLINE,
    UNKNOWN_NODE,
    ControlFault,
)
from zbtwist.control.resolver import NodeResolver
from zbtwist.network.node import Node
from zbtwist.network.service import NetworkService
from zbtwist.observing.event_log import EventLog
from zbtwist.observing.tracer import FrameTracer, TooManyTraced
from zbtwist.radio.errors import ATRefused, NoAnswer, RadioError
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.single_flight import SingleFlight
from zbtwist.store.errors import StoreError
from zbtwist.xbee.address import (
    Address64,
    digi_address16,
    digi_address64,
    format_address64,
    parse_address64,
)
from zbtwist.xbee.at import decode_value, encode_value
from zbtwist.xbee.description import label_text
from zbtwist.xbee.devices import ROLES
from zbtwist.xbee.samples import IOSample, SampleError, has_temperature_sensor, temperature
from zbtwist.xbee.status import AT_INVALID_COMMAND, AT_TRANSMISSION_FAILED

#: Settings of the local radio that the link to it depends on.
_KEPT_BY_THE_GATEWAY = frozenset(("AP", "AO", "BD", "NB", "SB"))

#: Bytes that are tried as the value of an AT command; none is known that takes as many.
MAX_VALUE = 255

#: Seconds that all nodes together have to tell their temperature.
TEMPERATURE_DEADLINE = 10.0

log = Logger()


class GatewayAPI:
    """The operations of control-api.md."""

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        network: NetworkService,
        bindings: BindingService,
        events: EventLog,
        tracer: FrameTracer,
    ) -> None:
        self._clock = clock
        self._radio = radio
        self._network = network
        self._bindings = bindings
        self._events = events
        self._tracer = tracer
        self._started = clock.seconds()
        self._directory = NodeResolver(network.nodes, radio)
        self._temperatures = SingleFlight(self._ask_temperatures)

    async def discover(self) -> list[dict[str, Any]]:
        """Search the network, give every new node a port, wait for the search to end.

        @return: what `list_nodes` returns.
        @raise ControlFault: the radio is offline.
        """
        self._must_be_online()
        try:
            found = await self._network.discover()
        except RadioError as error:
            raise ControlFault(RADIO_OFFLINE, str(error)) from error
        for node in found:
            self._bindings.node_found(node)
        await self._bindings.settled()
        return self.list_nodes()

    def list_nodes(self) -> list[dict[str, Any]]:
        """Return a dict for each known node, ordered by TCP port; no radio traffic.

        The keys are those of Digi's getnodelist(): addr_extended, addr_short, addr_parent, type,
        label, profile_id, manufacturer_id, device_type, and tcp_port (0: it has none). Beyond
        these: name (from the configuration), state ("listening"; "taken": another program has the
        port; "none": there is none to give; "unbound": its mapping was removed), state_text (a
        sentence if something is not as it should be), by_hand (a person chose the port), last_seen
        (seconds since 1970, 0 for never).
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
            "name": node.name,
            "state": self._state(node, port),
            "state_text": self._bindings.problem_of(node),
            "by_hand": port.by_hand if port else False,
            "last_seen": node.last_seen,
        }

    def _state(self, node: Node, port: NodePort | None) -> str:
        if port is None:
            return "unbound" if self._bindings.is_unbound(node) else "none"
        if port.listener is not None:
            return "listening"
        return "none" if port.slot is None else "taken"

    async def get_temperatures(self) -> list[dict[str, Any]]:
        """Ask every node that can measure for its temperature, all side by side. Two at once share
        one round.

        @return: addr_extended, label, name and temperature (°C) of each node that answered within
            `TEMPERATURE_DEADLINE`.
        @raise ControlFault: the radio is offline.
        """
        self._must_be_online()
        return await self._temperatures()

    async def _ask_temperatures(self) -> list[dict[str, Any]]:
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
                    if error.status != AT_INVALID_COMMAND:
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

    def status(self) -> dict[str, Any]:
        """Return the state of the gateway and its radio.

        version, uptime (s), link ("up" or "down"), link_text (why it is down, a sentence),
        address, firmware, hardware, api_mode, pan (in use) of the radio, "" or 0 while it is down;
        nodes, clients, problems (counts; a problem is a node whose port is not as it should be);
        store (where mappings are kept), store_text (why they are not being saved, a sentence).
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
            "problems": sum(bool(self._bindings.problem_of(node)) for node in self._network.nodes),
            "store": self._bindings.store_path,
            "store_text": self._bindings.store_problem,
        }

    # --- by hand -------------------------------------------------------------------------------

    async def create_mapping(self, address: str, tcp_port: int) -> None:
        """Give a node this port from now on, also after a restart; it need not have been seen.

        @param address: any text form of a 64-bit address, or a node identifier.
        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL, BAD_PORT, PORT_TAKEN.
        """
        await self.bind_using_list([(address, tcp_port)])

    async def bind_using_list(self, rows: list[tuple[str, int]]) -> None:
        """The same for many nodes, all or none."""
        wanted: dict[Address64, ListenAddress] = {}
        for number, (address, tcp_port) in enumerate(rows, 1):
            where = f"Row {number}: " if len(rows) > 1 else ""
            try:
                address64 = self._directory.address(address)
                if not 0 < tcp_port <= LAST_PORT:
                    raise ControlFault(
                        BAD_PORT, f"{tcp_port} is no TCP port: choose one from 1 to {LAST_PORT}."
                    )
                if address64 in wanted:
                    raise ControlFault(
                        BAD_VALUE, f"{address!r} stands there twice: a node has one port."
                    )
            except ControlFault as fault:
                raise ControlFault(fault.number, where + fault.sentence) from None
            wanted[address64] = tcp_port
        await self._bind(self._bindings.change(wanted))

    async def remove_mapping(self, address: str) -> None:
        """Close a node's port and forget its mapping. It has no port until it is given one again,
        by `create_mapping`, or by a `discover` that finds it.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL.
        """
        await self._bind(self._bindings.remove(self._directory.node(address)))

    async def _bind(self, change: Awaitable[None]) -> None:
        try:
            await change
        except NoMapping as error:
            raise ControlFault(UNKNOWN_NODE, str(error)) from None
        except Configured as error:
            raise ControlFault(BAD_VALUE, str(error)) from None
        except BindingError as error:
            raise ControlFault(PORT_TAKEN, str(error)) from None
        except StoreError as error:
            raise ControlFault(GATEWAY_FAILED, str(error)) from None

    async def rename(self, address: str, label: str) -> None:
        """Write a node's identifier (NI) to it, to stay (WR).

        @param label: at most 20 bytes of UTF-8, no control characters.
        @raise ControlFault: UNKNOWN_NODE and its like, RADIO_OFFLINE, NO_ANSWER, NODE_REFUSED,
            BAD_VALUE.
        """
        if label != label_text(label.encode()) or not label:
            raise ControlFault(
                BAD_VALUE,
                f"{label[:60]!r} cannot be a node identifier: it needs a character, no blank at "
                "either end, and no control characters.",
            )
        node = self._directory.node(address)
        await self._command(node, "NI", label)
        node.label = label
        self._network.nodes.changed(node)
        try:
            await self._command(node, "WR", None)
        except ControlFault as fault:
            raise ControlFault(
                fault.number,
                f"The node has its new name, but only until it restarts: {fault.sentence}",
            ) from None

    async def at(
        self, address: str, command: str, value: int | str | bytes | None = None
    ) -> int | str | bytes:
        """Read, set or execute an AT command.

        @param address: a node, or "" for the local radio.
        @param command: two characters.
        @param value: what to set; None to read or execute.
        @return: the value of the answer: an int, a str or bytes by the command; "" for none.
        @raise ControlFault: as `rename`.
        """
        if len(command) != 2 or not command.isascii() or not command.isprintable():
            raise ControlFault(
                BAD_VALUE, f"{command!r} is no AT command: those have two characters, such as NI."
            )
        command = command.upper()
        if command == "ND":
            raise ControlFault(BAD_VALUE, "ND has many answers: use discover instead.")
        if not address and value is not None and command in _KEPT_BY_THE_GATEWAY:
            raise ControlFault(
                BAD_VALUE,
                f"The gateway would lose its radio if {command} changed: change it with another "
                "program while the gateway is stopped.",
            )
        answer = await self._command(
            self._directory.node(address) if address else None, command, value
        )
        result = decode_value(command, answer) if answer else None
        return "" if result is None else result

    async def _command(
        self, node: Node | None, command: str, value: int | str | bytes | None
    ) -> bytes:
        try:
            parameter = encode_value(command, value)
        except ValueError as error:
            raise ControlFault(BAD_VALUE, f"{error}.") from None
        if len(parameter) > MAX_VALUE:
            raise ControlFault(
                BAD_VALUE,
                f"A value of {len(parameter)} bytes is too long for {command}: no AT command takes "
                f"more than {MAX_VALUE}.",
            )
        self._must_be_online()
        try:
            if node is None:
                return await self._radio.at(command, parameter)
            return await self._network.remote_at(node, command, parameter)
        except ATRefused as error:
            unreachable = error.status == AT_TRANSMISSION_FAILED
            raise ControlFault(NO_ANSWER if unreachable else NODE_REFUSED, f"{error}.") from None
        except NoAnswer as error:
            raise ControlFault(NO_ANSWER, str(error)) from None
        except RadioError as error:
            raise ControlFault(RADIO_OFFLINE, str(error)) from None

    def stats(self) -> list[dict[str, Any]]:
        """Return the counters of each node, ordered by TCP port.

        bytes_in, packets_in, bytes_unread (no client was connected) from the node; bytes_out,
        packets_out, failures, bytes_lost to it; clients, last_seen.
        """
        rows = []
        for row in self.list_nodes():
            node = self._network.nodes.get(parse_address64(row["addr_extended"]))
            port = self._bindings.port_of(node) if node else None
            outbound = port.outbound if port else None
            rows.append(
                {
                    **{key: row[key] for key in ("addr_extended", "label", "name", "tcp_port")},
                    "bytes_in": float(port.bytes_received if port else 0),
                    "packets_in": float(port.packets_received if port else 0),
                    "bytes_unread": float(port.bytes_unread if port else 0),
                    "bytes_out": float(outbound.bytes_sent if outbound else 0),
                    "packets_out": float(outbound.packets_sent if outbound else 0),
                    "retries": float(outbound.retries if outbound else 0),
                    "failures": float(outbound.failures if outbound else 0),
                    "bytes_lost": float(outbound.bytes_lost if outbound else 0),
                    "clients": port.clients if port else 0,
                    "last_seen": row["last_seen"],
                }
            )
        return rows

    def trace(self, seq: int) -> list[dict[str, Any]]:
        """Return the events after sequence number `seq`: seq, time, level, text and kind of each.

        A kind is "log" or "frame"; there are frames only while they are traced.
        """
        return [
            {
                "seq": event.seq,
                "time": event.time,
                "level": event.level,
                "text": event.text,
                "kind": event.kind,
            }
            for event in self._events.since(seq)
        ]

    def frames(self, on: bool | None = None, address: str = "") -> dict[str, Any]:
        """Trace frames from now on, or no more: each is an event, as it comes or goes.

        @param on: None changes nothing.
        @param address: the node whose frames are meant; it need not have been seen. "" for all.
        @return: all: whether the frames of all nodes and of the radio itself are traced; nodes:
            the addresses of the single nodes whose frames are; file: what all frames are written
            to, "" for none.
        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL; BAD_VALUE: all are traced,
            or too many single ones.
        """
        tracer = self._tracer
        if on is not None:
            address64 = self._directory.address(address) if address else None
            if address64 is not None and not on and tracer.is_on_for_all:
                raise ControlFault(
                    BAD_VALUE,
                    "The frames of all nodes are traced: switch that off, and single nodes on.",
                )
            try:
                tracer.switch(on, address64)
            except TooManyTraced as error:
                raise ControlFault(BAD_VALUE, f"{error} Switch some off.") from None
            log.info(
                "The frames of {who} are traced {when}.",
                who=self._who(address64),
                when="from now on, by hand" if on else "no more",
            )
        return {
            "all": tracer.is_on_for_all,
            "nodes": [digi_address64(address64) for address64 in sorted(tracer.addresses)],
            "file": tracer.file.path if tracer.file is not None else "",
        }

    def _who(self, address64: Address64 | None) -> str:
        if address64 is None:
            return "all nodes"
        return str(self._network.nodes.get(address64) or format_address64(address64))

    def _must_be_online(self) -> None:
        if self._radio.facts is None:
            raise ControlFault(RADIO_OFFLINE, self._radio.offline_reason)
