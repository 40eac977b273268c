"""What the radio does with the frames that the program at its serial line sends it.

An answer goes out before what it answers takes effect, so the answer to a new AP is in the old
mode (90001539 and 90002002, "API frames").
"""

from __future__ import annotations

from twisted.logger import Logger

from zbtwist.simulator.indications import address64_of
from zbtwist.simulator.interfaces import ILocalRadio
from zbtwist.simulator.medium import SEARCH_TIME
from zbtwist.simulator.packet import IModule, Packet
from zbtwist.xbee.address import BROADCAST64, UNKNOWN16, Address16
from zbtwist.xbee.frames import (
    OPTION_APPLY,
    ATCommand,
    ATCommandResponse,
    ExplicitTransmitRequest,
    Frame,
    QueuedATCommand,
    RegisterJoiningDevice,
    RegisterJoiningDeviceStatus,
    RemoteATCommand,
    RemoteATCommandResponse,
    TransmitRequest,
    TransmitStatus,
)
from zbtwist.xbee.status import ATStatus

log = Logger()


class APIRequests:
    """Carries out frames."""

    def __init__(self, radio: ILocalRadio) -> None:
        self._radio = radio

    def process(self, frame: Frame) -> None:
        """Do what a frame asks for, and answer if it has a frame id."""
        if isinstance(frame, ATCommand):
            self._at_command(frame)
        elif isinstance(frame, RemoteATCommand):
            self._remote_at_command(frame)
        elif isinstance(frame, TransmitRequest):
            self._transmit(frame, Packet(self._radio, frame.data))
        elif isinstance(frame, ExplicitTransmitRequest):
            packet = Packet(
                self._radio,
                frame.data,
                frame.cluster_id,
                frame.source_endpoint,
                frame.destination_endpoint,
                frame.profile_id,
            )
            self._transmit(frame, packet)
        elif isinstance(frame, RegisterJoiningDevice):
            if frame.frame_id:
                self._radio.write_frame(RegisterJoiningDeviceStatus(frame.frame_id, 0))
        else:
            # A source route needs no answer here, and a radio ignores what it does not know.
            log.debug("the simulated radio ignores {frame}", frame=frame)

    def _at_command(self, frame: ATCommand) -> None:
        frame_id, command, parameter = frame.frame_id, frame.command.upper(), frame.parameter

        def answer(status: int, value: bytes = b"") -> None:
            if frame_id:
                self._radio.write_frame(ATCommandResponse(frame_id, frame.command, status, value))

        if command == "ND":
            self._radio.discover(parameter, lambda found: answer(ATStatus.OK, found.to_bytes()))
        elif command == "DN":
            self._radio.look_up(
                parameter,
                lambda node: answer(
                    *(ATStatus.ERROR, b"")
                    if node is None
                    else (
                        ATStatus.OK,
                        node.address16.to_bytes(2, "big") + node.address64.to_bytes(8, "big"),
                    )
                ),
            )
        elif command == "CN":
            answer(ATStatus.INVALID_COMMAND)
        elif command == "AC":
            # The answer comes before what it changes, which may be the mode.
            answer(ATStatus.OK)
            self._radio.apply()
        else:
            answer(*self._radio.execute(command, parameter))
        if not isinstance(frame, QueuedATCommand):
            self._radio.apply()

    def _remote_at_command(self, frame: RemoteATCommand) -> None:
        @self._radio.unless_restarted
        def answer(node: IModule | None, status: int, value: bytes) -> None:
            if frame.frame_id:
                self._radio.write_frame(
                    RemoteATCommandResponse(
                        frame.frame_id,
                        frame.address64 if node is None else address64_of(node),
                        UNKNOWN16 if node is None else node.address16,
                        frame.command,
                        status,
                        value,
                    )
                )

        def ask(node: IModule) -> None:
            def answered(status: int, value: bytes) -> None:
                # No answer has no sender, but the radio says whom it asked.
                answer(None if status == ATStatus.TRANSMISSION_FAILED else node, status, value)

            self._radio.network.remote_command(
                node.address64,
                frame.command.upper(),
                frame.parameter,
                bool(frame.options & OPTION_APPLY),
                answered,
                frame.options,
            )

        if frame.address64 == BROADCAST64:
            for node in self._radio.network.nodes_in_pan:
                ask(node)
            return
        module = self._radio.network.find(frame.address64, frame.address16)
        found = None if module is None else self._radio.network.nodes.get(module.address64)
        if found is None or found.pan_id != self._radio.pan_id or not self._radio.in_network:
            self._radio.network.call_later(
                SEARCH_TIME, answer, None, ATStatus.TRANSMISSION_FAILED, b""
            )
        else:
            ask(found)

    def _transmit(self, frame: TransmitRequest | ExplicitTransmitRequest, packet: Packet) -> None:
        def report(address16: Address16, status: int, retries: int, discovery: int) -> None:
            if frame.frame_id:
                self._radio.write_frame(
                    TransmitStatus(frame.frame_id, address16, retries, status, discovery)
                )

        self._radio.transmit(packet, frame.address64, frame.address16, frame.options, report)
