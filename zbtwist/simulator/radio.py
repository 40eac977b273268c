"""The local radio: a coordinator behind a serial line, bytes in, bytes out.

It speaks the mode that AP says: transparent (0, with command mode), API (1) or escaped API (2). An
answer goes out before what it answers takes effect, so the answer to a new AP is in the old mode.
In command mode the radio is deaf to the air. What it had in hand is gone when it restarts or loses
its power: packets, answers, and all that would have been said about them.

Behaviour: 90001539 (XBee 3 Zigbee) and 90002002 (S2C), "API frames" and "AT commands".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ParamSpec

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from zbtwist.simulator.air import Transmission
from zbtwist.simulator.command_mode import CommandMode, EscapeWatch
from zbtwist.simulator.module import REJOIN_DELAY, Module, Packet
from zbtwist.simulator.registers import Value
from zbtwist.xbee import devices
from zbtwist.xbee.address import (
    BROADCAST64,
    UNKNOWN16,
    Address16,
    Address64,
)
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    IO_SAMPLE_CLUSTER,
    NODE_IDENTIFICATION_CLUSTER,
    OPTION_APPLY,
    OPTION_ENCRYPTION,
    RECEIVED_ACKNOWLEDGED,
    RECEIVED_BROADCAST,
    SERIAL_CLUSTER,
    ATCommand,
    ATCommandResponse,
    ExplicitReceive,
    ExplicitTransmitRequest,
    Frame,
    IODataSample,
    ModemStatus,
    NodeIdentification,
    QueuedATCommand,
    ReceivePacket,
    RegisterJoiningDevice,
    RegisterJoiningDeviceStatus,
    RemoteATCommand,
    RemoteATCommandResponse,
    RouteRecord,
    TransmitRequest,
    TransmitStatus,
    parse_frame,
)
from zbtwist.xbee.framing import FrameDecoder, decoder_for, encode
from zbtwist.xbee.samples import IOSample
from zbtwist.xbee.status import (
    ASSOCIATED,
    AT_ERROR,
    AT_INVALID_COMMAND,
    AT_OK,
    AT_TRANSMISSION_FAILED,
    MODEM_COORDINATOR_STARTED,
    MODEM_HARDWARE_RESET,
    MODEM_LEFT,
    MODEM_WATCHDOG_RESET,
)

if TYPE_CHECKING:
    from zbtwist.simulator.network import Outcome, SimulatedNetwork
    from zbtwist.simulator.nodes import Node

#: Delivery statuses that the radio gives without asking the air.
NOT_JOINED = 0x22
BROADCAST_WITHOUT_KEY = 0x2D
UNICAST_WITHOUT_KEY = 0x2E
OUT_OF_RESOURCES = 0x32
PAYLOAD_TOO_LARGE = 0x74

#: The discovery status of a packet for which the 16-bit address had to be found.
ADDRESS_DISCOVERY = 0x01

#: How many packets the radio keeps in flight at most: as many as there are frame ids.
MAX_TRANSMISSIONS = 255

#: Seconds that the radio takes to answer an AT command. A real one needs longer at 9600 baud, and
#: there is software that misses an answer which is there before it begins to wait.
PROCESSING_TIME = 0.005

#: Seconds of silence on the serial line that end a frame that is not complete.
FRAME_TIMEOUT = 0.5

#: Seconds until the radio gives up looking for a 64-bit address.
SEARCH_TIME = 0.5

#: A reading of AI while the radio is not in a network (90001539, "AI": scanning).
_SEARCHING = 0xFF

_P = ParamSpec("_P")

log = Logger()


class LocalRadio(Module):
    """The module at the serial line.

    @ivar serial_output: what takes the radio's bytes; None drops them, as an open line does.
    @ivar buffers: how many packets it keeps in flight; more are refused with `full_status`.
    @ivar full_status: 32 or 2C.
    @ivar lost_statuses: the probability of a frame 8B never to be said.
    @ivar late_statuses: the probability of a frame 8B to come `lateness` seconds later.
    """

    role = devices.COORDINATOR

    def __init__(
        self, network: SimulatedNetwork, address64: int, settings: dict[str, Value]
    ) -> None:
        """
        @param settings: where it differs from the factory settings.
        """
        self.serial_output: Callable[[bytes], None] | None = None
        self._in_network = True
        # The way of each node that was told of.
        self._routes: dict[Address64, list[Address16]] = {}
        super().__init__(
            network,
            address64,
            {
                # XBee 3, as a Zigbee coordinator.
                "HV": 0x4241,
                "VR": 0x1012,
                "MY": 0,
                "TP": lambda: 27 + round(network.age / 60) % 3,
                "AI": lambda: ASSOCIATED if self._in_network else _SEARCHING,
            },
            {"NI": b"COORDINATOR", "CE": 1, **settings},
        )
        self._escape_watch = EscapeWatch(self, self._data_received, self._enter_command_mode)
        self._command_mode: CommandMode | None = None
        self._decoder: FrameDecoder | None = None
        self._frame_timer: IDelayedCall | None = None
        self._line_buffer = b""
        self._line_timer: IDelayedCall | None = None
        self._transmissions = 0
        self._in_flight: set[Transmission] = set()
        self._asleep = False
        self._hung = False
        self._hanging: IDelayedCall | None = None
        self._restarts = 0
        self._chance = network.generator("radio")
        self.buffers = MAX_TRANSMISSIONS
        self.full_status = OUT_OF_RESOURCES
        self.lost_statuses = 0.0
        self.late_statuses = 0.0
        self.lateness = 5.0
        self._mode_changed()

    @property
    def api_mode(self) -> int:
        """AP in force."""
        return self.registers.number("AP")

    @property
    def flash_writes(self) -> int:
        """How often settings were written to flash."""
        return self.registers.flash_writes

    @property
    def listening(self) -> bool:
        return self.reachable and self._in_network and not (self._asleep or self._hung)

    def _unless_restarted(self, function: Callable[_P, object]) -> Callable[_P, None]:
        """What is to be forgotten when the radio restarts."""
        restarts = self._restarts

        def call(*args: _P.args, **kwargs: _P.kwargs) -> None:
            if restarts == self._restarts:
                function(*args, **kwargs)

        return call

    # --- The serial line -----------------------------------------------------------------------

    def receive_bytes(self, data: bytes) -> None:
        """Bytes arrived on the serial line."""
        if self._asleep or self._hung:
            return
        if self._command_mode is not None:
            data = self._command_mode.feed(data)
            self._escape_watch.touch()
        if data:
            self._escape_watch.feed(data)

    def write(self, data: bytes) -> None:
        """Say bytes on the serial line."""
        if self.serial_output is not None and not self._hung:
            self.serial_output(data)

    def write_frame(self, frame: Frame) -> None:
        """Say a frame, if the radio is in an API mode and not in command mode."""
        if self.api_mode and self._command_mode is None and not self._asleep:
            self.write(encode(frame.to_bytes(), self.api_mode))

    def _enter_command_mode(self) -> None:
        self._command_mode = CommandMode(self, self._leave_command_mode)

    def _leave_command_mode(self) -> None:
        self._command_mode = None

    def _mode_changed(self) -> None:
        rest = self._decoder.pending if self._decoder else b""
        self.network.cancel(self._frame_timer)
        self._decoder = decoder_for(self.api_mode) if self.api_mode else None
        if rest:
            self._data_received(rest)

    def _data_received(self, data: bytes) -> None:
        if self._decoder is None:
            self._transparent_data(data)
            return
        decoder = self._decoder
        self.network.cancel(self._frame_timer)
        for frame_data in decoder.feed(data):
            self._process_later(parse_frame(frame_data))
        if decoder.pending and decoder is self._decoder:
            self._frame_timer = self.network.call_later(FRAME_TIMEOUT, self._give_up)

    def _give_up(self) -> None:
        if self._decoder is not None:
            for frame_data in self._decoder.give_up():
                self._process_later(parse_frame(frame_data))

    # --- Transparent mode ----------------------------------------------------------------------

    def _transparent_data(self, data: bytes) -> None:
        """Collect bytes until the packet is full or the line pauses (RO), then send them."""
        self.network.cancel(self._line_timer)
        self._line_buffer += data
        size = self.longest_payload
        while len(self._line_buffer) >= size:
            self._send_line(size)
        if self._line_buffer:
            # RO counts characters; one takes about 1 ms at 9600 baud.
            pause = self.registers.number("RO") / 1000
            self._line_timer = self.network.call_later(pause, self._send_line, size)

    def _send_line(self, size: int) -> None:
        data, self._line_buffer = self._line_buffer[:size], self._line_buffer[size:]
        destination = self.registers.number("DH") << 32 | self.registers.number("DL")
        if data and self._in_network and self._transmissions < self.buffers:
            self._send(Packet(self, data), destination, UNKNOWN16, 0, self._line_sent)

    def _line_sent(self, outcome: Outcome) -> None:
        """Nobody is told in transparent mode."""

    def _send(
        self,
        packet: Packet,
        address64: int,
        address16: int,
        options: int,
        settled: Callable[[Outcome], object],
    ) -> None:
        """Send a packet, unless a restart comes in between."""
        transmission: Transmission | None = None

        def finished(outcome: Outcome) -> None:
            self._transmissions -= 1
            if transmission is not None:
                self._in_flight.discard(transmission)
            settled(outcome)

        self._transmissions += 1
        transmission = self.network.transmit(
            packet, address64, address16, self._unless_restarted(finished), options
        )
        if transmission is not None:
            self._in_flight.add(transmission)

    # --- Frames from the serial line -----------------------------------------------------------

    def _process_later(self, frame: Frame) -> None:
        """Let frames take effect one after the other, however long each takes."""
        seconds = PROCESSING_TIME if isinstance(frame, ATCommand) else 0.0
        process = self._unless_restarted(self._process)
        self.network.in_order((self.address64, "serial line"), seconds, lambda: process(frame))

    def _process(self, frame: Frame) -> None:
        if self._asleep or self._hung:
            return
        if isinstance(frame, ATCommand):
            self._at_command(frame)
        elif isinstance(frame, RemoteATCommand):
            self._remote_at_command(frame)
        elif isinstance(frame, TransmitRequest):
            self._transmit(frame, Packet(self, frame.data))
        elif isinstance(frame, ExplicitTransmitRequest):
            packet = Packet(
                self,
                frame.data,
                frame.cluster_id,
                frame.source_endpoint,
                frame.destination_endpoint,
                frame.profile_id,
            )
            self._transmit(frame, packet)
        elif isinstance(frame, RegisterJoiningDevice):
            if frame.frame_id:
                self.write_frame(RegisterJoiningDeviceStatus(frame.frame_id, 0))
        else:
            # A source route needs no answer here, and a radio ignores what it does not know.
            log.debug("the simulated radio ignores {frame}", frame=frame)

    def _at_command(self, frame: ATCommand) -> None:
        frame_id, command, parameter = frame.frame_id, frame.command.upper(), frame.parameter

        def answer(status: int, value: bytes = b"") -> None:
            if frame_id:
                self.write_frame(ATCommandResponse(frame_id, frame.command, status, value))

        if command == "ND":
            self.discover(parameter, lambda found: answer(AT_OK, found.to_bytes()))
        elif command == "DN":
            self.look_up(
                parameter,
                lambda node: answer(
                    *(AT_ERROR, b"")
                    if node is None
                    else (
                        AT_OK,
                        node.address16.to_bytes(2, "big") + node.address64.to_bytes(8, "big"),
                    )
                ),
            )
        elif command == "CN":
            answer(AT_INVALID_COMMAND)
        elif command == "AC":
            # The answer comes before what it changes, which may be the mode.
            answer(AT_OK)
            self.apply()
        else:
            answer(*self.execute(command, parameter))
        if not isinstance(frame, QueuedATCommand):
            self.apply()

    def _remote_at_command(self, frame: RemoteATCommand) -> None:
        @self._unless_restarted
        def answer(node: Module | None, status: int, value: bytes) -> None:
            if frame.frame_id:
                self.write_frame(
                    RemoteATCommandResponse(
                        frame.frame_id,
                        frame.address64 if node is None else node.address64,
                        UNKNOWN16 if node is None else node.address16,
                        frame.command,
                        status,
                        value,
                    )
                )

        def ask(node: Node) -> None:
            def answered(status: int, value: bytes) -> None:
                # No answer has no sender, but the radio says whom it asked.
                answer(None if status == AT_TRANSMISSION_FAILED else node, status, value)

            self.network.remote_command(
                node,
                frame.command.upper(),
                frame.parameter,
                bool(frame.options & OPTION_APPLY),
                answered,
                frame.options,
            )

        if frame.address64 == BROADCAST64:
            for node in self.network.nodes_in_pan:
                ask(node)
            return
        module = self.network.find(frame.address64, frame.address16)
        found = None if module is None else self.network.nodes.get(module.address64)
        if found is None or found.pan_id != self.pan_id or not self._in_network:
            self.network.call_later(SEARCH_TIME, answer, None, AT_TRANSMISSION_FAILED, b"")
        else:
            ask(found)

    def _transmit(self, frame: TransmitRequest | ExplicitTransmitRequest, packet: Packet) -> None:
        def report(address16: Address16, status: int, retries: int = 0, discovery: int = 0) -> None:
            if frame.frame_id:
                self.write_frame(
                    TransmitStatus(frame.frame_id, address16, retries, status, discovery)
                )

        broadcast = frame.address64 == BROADCAST64
        refusal = self._refusal(frame, broadcast)
        if refusal is not None:
            report(frame.address16, refusal)
            return

        def settled(outcome: Outcome) -> None:
            moved = not broadcast and outcome.address16 != frame.address16
            if self._happens(self.lost_statuses):
                return
            arguments = (
                outcome.address16,
                outcome.fate.delivery_status,
                outcome.fate.retries,
                outcome.fate.discovery_status | (ADDRESS_DISCOVERY if moved else 0),
            )
            if self._happens(self.late_statuses):
                self.network.call_later(self.lateness, self._unless_restarted(report), *arguments)
            else:
                report(*arguments)

        self._send(packet, frame.address64, frame.address16, frame.options, settled)

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self._chance.random() < probability

    def _refusal(
        self, frame: TransmitRequest | ExplicitTransmitRequest, broadcast: bool
    ) -> int | None:
        """Why the radio does not even try to send, None if it does."""
        if not self._in_network:
            return NOT_JOINED
        if len(frame.data) > self.longest_payload:
            return PAYLOAD_TOO_LARGE
        if frame.options & OPTION_ENCRYPTION and not self.registers.number("EE"):
            return BROADCAST_WITHOUT_KEY if broadcast else UNICAST_WITHOUT_KEY
        if self._transmissions >= self.buffers:
            return self.full_status
        return None

    # --- AT commands that need the network -----------------------------------------------------

    def discover(
        self,
        name: bytes,
        found: Callable[[NodeDescription], None],
        ended: Callable[[], None] | None = None,
    ) -> None:
        """Execute ND: ask who is there.

        @param name: only this node identifier; all if it is empty.
        @param found: called with each answer.
        @param ended: called after the discovery time.
        """
        seconds = self.discovery_seconds
        if self._in_network:
            self.network.discover(
                seconds, self.registers.number("NO"), name, self._unless_restarted(found)
            )
        if ended is not None:
            self.network.call_later(seconds, self._unless_restarted(ended))

    def look_up(self, name: bytes, ended: Callable[[Node | None], None]) -> None:
        """Execute DN: find a node by its identifier, and make it the destination.

        @param ended: called with the node; or, after the discovery time, with None.
        """
        answers: list[NodeDescription] = []
        timer: IDelayedCall | None = None

        def found(description: NodeDescription) -> None:
            node = self.network.nodes.get(description.address64)
            if answers or node is None:
                return
            answers.append(description)
            self.network.cancel(timer)
            self.registers.store("DH", (description.address64 >> 32).to_bytes(4, "big"))
            self.registers.store("DL", (description.address64 & 0xFFFF_FFFF).to_bytes(4, "big"))
            self.apply()
            ended(node)

        if name:
            give_up = self._unless_restarted(ended)
            timer = self.network.call_later(self.discovery_seconds, give_up, None)
            self.network.discover(self.discovery_seconds, 0, name, self._unless_restarted(found))
        else:
            ended(None)

    @property
    def discovery_seconds(self) -> float:
        """NT in seconds."""
        return self.registers.number("NT") / 10

    # --- Restarts ------------------------------------------------------------------------------

    def settings_changed(self, before: Mapping[str, Value]) -> None:
        if "AP" in before:
            self._mode_changed()

    def press_button(self) -> None:
        """The coordinator says who it is to all nodes, none of which shows it."""

    def reset(self, watchdog: bool = False) -> None:
        """Restart now; what the radio had in hand is gone.

        @param watchdog: whether it says that its watchdog did it (8A 01), or not (8A 00).
        """
        self._stop_work()
        status = MODEM_WATCHDOG_RESET if watchdog else MODEM_HARDWARE_RESET
        self._later(self._restarted, status)

    def hang(self, seconds: float | None = None) -> None:
        """Be dumb and deaf, on the line and in the air, for so many seconds or until a reset.

        What it had in hand may get out or not, and what it would say of that meanwhile is lost.
        """
        self.network.cancel(self._hanging)
        self._hung = True
        if seconds is not None:
            self._hanging = self.network.call_later(seconds, self._recover)

    def _recover(self) -> None:
        self._hung = False

    def power_off(self) -> None:
        """Lose all that is not in flash."""
        self._stop_work()
        self.reachable = False

    def power_on(self) -> None:
        """Start."""
        if not self.reachable:
            self.reachable = True
            self._later(self._restarted, MODEM_HARDWARE_RESET)

    def _later(self, function: Callable[..., object], *args: object) -> None:
        """Do the next step of coming back, unless a restart comes in between."""
        self.network.call_later(REJOIN_DELAY, self._unless_restarted(function), *args)

    def _stop_work(self) -> None:
        self._restarts += 1
        if self._command_mode is not None:
            self._command_mode.stop()
        self.network.cancel(self._hanging)
        self.network.cancel(self._line_timer)
        self._hung = False
        self._in_network = False
        self._line_buffer = b""
        self._asleep = True
        for transmission in self._in_flight:
            transmission.abandon()
        self._in_flight.clear()
        self._transmissions = 0

    def _restart(self) -> None:
        self.reset()

    def _restarted(self, status: int) -> None:
        self._asleep = False
        if self._decoder is not None:
            self._decoder.give_up()
        self.settings_changed(self.registers.restart())
        self.emit_modem_status(status)
        self._later(self._coordinator_started)

    def _rejoin(self) -> None:
        self._in_network = False
        self.emit_modem_status(MODEM_LEFT)
        self._later(self._coordinator_started)

    def _coordinator_started(self) -> None:
        self._in_network = True
        self.emit_modem_status(MODEM_COORDINATOR_STARTED)

    # --- From the air --------------------------------------------------------------------------

    def hear(self, packet: Packet) -> None:
        if self._command_mode is not None or not self.listening:
            return
        sender = packet.sender
        # It is how the last hop is heard.
        self.registers.state_fact("DB", [sender, *sender.relays][-1].rssi)
        self._tell_route(packet)
        options = RECEIVED_BROADCAST if packet.broadcast else RECEIVED_ACKNOWLEDGED
        if not self.api_mode:
            if packet.cluster_id == SERIAL_CLUSTER:
                self.write(packet.data)
            return
        frame: Frame
        if self.registers.number("AO"):
            frame = ExplicitReceive(
                sender.address64,
                sender.address16,
                packet.source_endpoint,
                packet.destination_endpoint,
                packet.cluster_id,
                packet.profile_id,
                options,
                packet.data,
            )
        elif packet.cluster_id == SERIAL_CLUSTER:
            frame = ReceivePacket(sender.address64, sender.address16, options, packet.data)
        elif packet.cluster_id == IO_SAMPLE_CLUSTER:
            sample = IOSample.parse(packet.data)
            frame = IODataSample(sender.address64, sender.address16, options, sample)
        elif packet.cluster_id == NODE_IDENTIFICATION_CLUSTER:
            description = NodeDescription.parse(packet.data)
            frame = NodeIdentification(sender.address64, sender.address16, options, description)
        else:
            return
        self.write_frame(frame)

    def _tell_route(self, packet: Packet) -> None:
        """Say on which way a node's packets come, if that is news and the radio collects routes
        (90001539, "AR": any value but FF).
        """
        sender = packet.sender
        way = [relay.address16 for relay in sender.relays]
        collects = self.registers.number("AR") != 0xFF
        if collects and not packet.broadcast and self._routes.get(sender.address64) != way:
            self._routes[sender.address64] = way
            self.emit_route_record(sender, way)

    def emit_modem_status(self, status: int) -> None:
        """Say a frame 8A."""
        self.write_frame(ModemStatus(status))

    def emit_route_record(self, node: Module, hops: Sequence[int]) -> None:
        """Say a frame A1.

        @param hops: the 16-bit addresses from the node's neighbour to ours.
        """
        self.write_frame(
            RouteRecord(
                node.address64,
                node.address16,
                RECEIVED_ACKNOWLEDGED,
                [Address16(hop) for hop in hops],
            )
        )
