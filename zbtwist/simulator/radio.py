"""The local radio: a coordinator behind a serial line, bytes in, bytes out.

It speaks the mode that AP says: transparent (0, with command mode), API (1) or escaped API (2). In
command mode the radio is deaf to the air. What it had in hand is gone when it restarts or loses its
power: packets, answers, and all that would have been said about them.

Behaviour: 90001539 (XBee 3 Zigbee) and 90002002 (S2C), "API frames" and "AT commands".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.interfaces import IDelayedCall
from zope.interface import implementer

from zbtwist.simulator.air import Transmission
from zbtwist.simulator.api_requests import APIRequests
from zbtwist.simulator.indications import Routes, frame_of, route_record
from zbtwist.simulator.interfaces import ILocalRadio, P
from zbtwist.simulator.medium import IMedium
from zbtwist.simulator.module import REJOIN_DELAY, Module
from zbtwist.simulator.packet import IModule, Outcome, Packet
from zbtwist.simulator.registers import Value
from zbtwist.simulator.serial_input import SerialInput
from zbtwist.simulator.zdo import answer_to
from zbtwist.xbee import devices
from zbtwist.xbee.address import BROADCAST64, UNKNOWN16, Address16
from zbtwist.xbee.description import NO_OWN_ANSWER, NodeDescription
from zbtwist.xbee.frames import (
    OPTION_ENCRYPTION,
    SERIAL_CLUSTER,
    ATCommand,
    Frame,
    ModemStatus,
)
from zbtwist.xbee.framing import encode
from zbtwist.xbee.status import ASSOCIATED, ModemStatusCode

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

#: A reading of AI while the radio is not in a network (90001539, "AI": scanning).
_SEARCHING = 0xFF


@implementer(ILocalRadio)
class LocalRadio(Module):
    """The module at the serial line.

    @ivar in_network: whether it is in a network.
    @ivar serial_output: what takes the radio's bytes; None drops them, as an open line does.
    @ivar has_room: whether so many bytes find room in its serial transmit buffer.
    @ivar dropped_packets: packets from the air for which there was none. They are dropped whole,
        as at a node, and their senders are told that they arrived; see `zbtwist.simulator.uart`.
    @ivar dropped: called with each of them; None to call nobody.
    @ivar buffers: how many packets it keeps in flight; more are refused with `full_status`.
    @ivar full_status: 32 or 2C.
    @ivar lost_statuses: the probability of a frame 8B never to be said.
    @ivar late_statuses: the probability of a frame 8B to come `lateness` seconds later.
    """

    role = devices.COORDINATOR

    def __init__(self, network: IMedium, address64: int, settings: dict[str, Value]) -> None:
        """
        @param settings: where it differs from the factory settings.
        """
        self.serial_output: Callable[[bytes], None] | None = None
        self.has_room: Callable[[int], bool] = lambda size: True
        self.dropped_packets = 0
        self.dropped: Callable[[Packet], object] | None = None
        self.in_network = True
        self._routes = Routes()
        super().__init__(
            network,
            address64,
            {
                # XBee 3, as a Zigbee coordinator.
                "HV": 0x4241,
                "VR": 0x1012,
                "MY": 0,
                "TP": lambda: 27 + round(network.age / 60) % 3,
                "AI": lambda: ASSOCIATED if self.in_network else _SEARCHING,
            },
            {"NI": b"COORDINATOR", "CE": 1, **settings},
        )
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
        self._requests = APIRequests(self)
        self._input = SerialInput(self, self._frame_received, self._data_received)

    @property
    def api_mode(self) -> int:
        return self.registers.number("AP")

    @property
    def _is_explicit(self) -> bool:
        return self.registers.number("AO") != 0

    @property
    def flash_writes(self) -> int:
        """How often settings were written to flash."""
        return self.registers.flash_writes

    @property
    def listening(self) -> bool:
        return self.reachable and self.in_network and not (self._asleep or self._hung)

    def unless_restarted(self, function: Callable[P, object]) -> Callable[P, None]:
        restarts = self._restarts

        def call(*args: P.args, **kwargs: P.kwargs) -> None:
            if restarts == self._restarts:
                function(*args, **kwargs)

        return call

    # --- The serial line -----------------------------------------------------------------------

    def receive_bytes(self, data: bytes) -> None:
        """Bytes arrived on the serial line."""
        if not (self._asleep or self._hung):
            self._input.feed(data)

    def write(self, data: bytes) -> None:
        if self.serial_output is not None and not self._hung:
            self.serial_output(data)

    def write_frame(self, frame: Frame) -> None:
        if self.api_mode and not self._input.is_in_command_mode and not self._asleep:
            self.write(encode(frame.to_bytes(), self.api_mode))

    def _frame_received(self, frame: Frame) -> None:
        """Let frames take effect one after the other, however long each takes."""
        seconds = PROCESSING_TIME if isinstance(frame, ATCommand) else 0.0
        process = self.unless_restarted(self._process)
        self.network.in_order((self.address64, "serial line"), seconds, lambda: process(frame))

    def _process(self, frame: Frame) -> None:
        if not (self._asleep or self._hung):
            self._requests.process(frame)

    def _data_received(self, data: bytes) -> None:
        """Send data; nobody is told what becomes of them in transparent mode."""
        destination = self.registers.number("DH") << 32 | self.registers.number("DL")
        if self.in_network and self._transmissions < self.buffers:
            self._send(Packet(self, data), destination, UNKNOWN16, 0, _nobody_asks)

    # --- Packets -------------------------------------------------------------------------------

    def transmit(
        self,
        packet: Packet,
        address64: int,
        address16: Address16,
        options: int,
        report: Callable[[Address16, int, int, int], None],
    ) -> None:
        broadcast = address64 == BROADCAST64
        refusal = self._refusal(len(packet.data), options, broadcast)
        if refusal is not None:
            report(address16, refusal, 0, 0)
            return

        def settled(outcome: Outcome) -> None:
            moved = not broadcast and outcome.address16 != address16
            if self._happens(self.lost_statuses):
                return
            arguments = (
                outcome.address16,
                outcome.fate.delivery_status,
                outcome.fate.retries,
                outcome.fate.discovery_status | (ADDRESS_DISCOVERY if moved else 0),
            )
            if self._happens(self.late_statuses):
                self.network.call_later(self.lateness, self.unless_restarted(report), *arguments)
            else:
                report(*arguments)

        self._send(packet, address64, address16, options, settled)
        if self.network.find(address64, address16) is self:
            # What is for itself does not go into the air.
            answer = answer_to(packet, self, self.network)
            frame = None if answer is None else frame_of(answer, self._is_explicit)
            if frame is not None:
                self.write_frame(frame)

    def _refusal(self, size: int, options: int, broadcast: bool) -> int | None:
        """Why the radio does not even try to send, None if it does."""
        if not self.in_network:
            return NOT_JOINED
        if size > self.longest_payload:
            return PAYLOAD_TOO_LARGE
        if options & OPTION_ENCRYPTION and not self.encrypts:
            return BROADCAST_WITHOUT_KEY if broadcast else UNICAST_WITHOUT_KEY
        if self._transmissions >= self.buffers:
            return self.full_status
        return None

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self._chance.random() < probability

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
            packet, address64, address16, self.unless_restarted(finished), options
        )
        if transmission is not None:
            self._in_flight.add(transmission)

    # --- AT commands that need the network -----------------------------------------------------

    def discover(
        self,
        name: bytes,
        found: Callable[[NodeDescription], None],
        ended: Callable[[], None] | None = None,
    ) -> None:
        seconds = self.discovery_seconds
        options = self.registers.number("NO")
        if options & NO_OWN_ANSWER and name in (b"", self.identifier):
            found(self.description(options))
        if self.in_network:
            self.network.discover(seconds, options, name, self.unless_restarted(found))
        if ended is not None:
            self.network.call_later(seconds, self.unless_restarted(ended))

    def look_up(self, name: bytes, ended: Callable[[IModule | None], None]) -> None:
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
            give_up = self.unless_restarted(ended)
            timer = self.network.call_later(self.discovery_seconds, give_up, None)
            self.network.discover(self.discovery_seconds, 0, name, self.unless_restarted(found))
        else:
            ended(None)

    @property
    def discovery_seconds(self) -> float:
        """NT in seconds."""
        return self.registers.number("NT") / 10

    # --- Restarts ------------------------------------------------------------------------------

    def settings_changed(self, before: Mapping[str, Value]) -> None:
        if "AP" in before:
            self._input.mode_changed()

    def press_button(self) -> None:
        """The coordinator says who it is to all nodes, none of which shows it."""

    def reset(self, watchdog: bool = False) -> None:
        """Restart now; what the radio had in hand is gone.

        @param watchdog: whether it says that its watchdog did it (8A 01), or not (8A 00).
        """
        self._stop_work()
        status = ModemStatusCode.WATCHDOG_RESET if watchdog else ModemStatusCode.HARDWARE_RESET
        self._later(self._restarted, status)

    def hang(self, seconds: float | None = None) -> None:
        """Be dumb and deaf, on the line and in the air, for so many seconds or until a reset.

        What it had in hand may get out or not, and what it would say of that meanwhile is lost.
        """
        self.network.cancel(self._hanging)
        self._hung = True
        if seconds is not None:
            self._hanging = self.network.call_later(seconds, self.recover)

    def recover(self) -> None:
        """Work again, and say nothing of it."""
        self._hung = False

    @property
    def is_hung(self) -> bool:
        """Whether it is dumb and deaf."""
        return self._hung

    def power_off(self) -> None:
        """Lose all that is not in flash."""
        self._stop_work()
        self.reachable = False

    def power_on(self) -> None:
        """Start."""
        if not self.reachable:
            self.reachable = True
            self._later(self._restarted, ModemStatusCode.HARDWARE_RESET)

    def _later(self, function: Callable[..., object], *args: object) -> None:
        """Do the next step of coming back, unless a restart comes in between."""
        self.network.call_later(REJOIN_DELAY, self.unless_restarted(function), *args)

    def _stop_work(self) -> None:
        self._restarts += 1
        self._input.stop()
        self.network.cancel(self._hanging)
        self._hung = False
        self.in_network = False
        self._asleep = True
        for transmission in self._in_flight:
            transmission.abandon()
        self._in_flight.clear()
        self._transmissions = 0

    def _restart(self) -> None:
        self.reset()

    def _restarted(self, status: int) -> None:
        self._asleep = False
        self._input.restart()
        self.settings_changed(self.registers.restart())
        self.emit_modem_status(status)
        self._later(self.join)

    def _rejoin(self) -> None:
        self.leave()
        self._later(self.join)

    def leave(self) -> None:
        """Leave the network, say so, and find no other until `join`."""
        self.in_network = False
        self.emit_modem_status(ModemStatusCode.LEFT)

    def join(self) -> None:
        """Be in a network again, and say so."""
        self.in_network = True
        self.emit_modem_status(ModemStatusCode.COORDINATOR_STARTED)

    # --- From the air --------------------------------------------------------------------------

    def hear(self, packet: Packet) -> None:
        if self._input.is_in_command_mode or not self.listening:
            return
        sender = packet.sender
        # It is how the last hop is heard.
        self.registers.state_fact("DB", [sender, *sender.relays][-1].rssi)
        # Any value of AR but FF means that it collects routes (90001539, "AR").
        if self.registers.number("AR") != 0xFF and self._routes.is_news(packet):
            self.emit_route_record(sender, [relay.address16 for relay in sender.relays])
        if not self.api_mode:
            if packet.cluster_id == SERIAL_CLUSTER and self._takes(packet, packet.data):
                self.write(packet.data)
            return
        frame = frame_of(packet, self._is_explicit)
        if frame is not None and self._takes(packet, encode(frame.to_bytes(), self.api_mode)):
            self.write_frame(frame)

    def _takes(self, packet: Packet, data: bytes) -> bool:
        if self.has_room(len(data)):
            return True
        self.dropped_packets += 1
        if self.dropped is not None:
            self.dropped(packet)
        return False

    def emit_modem_status(self, status: int) -> None:
        """Say a frame 8A."""
        self.write_frame(ModemStatus(status))

    def emit_route_record(self, node: IModule, hops: Sequence[int]) -> None:
        """Say a frame A1.

        @param hops: the 16-bit addresses from the node's neighbour to ours.
        """
        self.write_frame(route_record(node, hops))


def _nobody_asks(outcome: Outcome) -> None:
    """Nobody waits for what becomes of a packet."""
