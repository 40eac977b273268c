"""The program at the serial line of a simulated radio, for tests: it says and hears frames."""

from __future__ import annotations

from typing import TypeVar

from tests.clock import Clock
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.xbee.address import UNKNOWN16, Address64
from zbtwist.xbee.frames import (
    ATCommand,
    ATCommandResponse,
    Frame,
    QueuedATCommand,
    ReceivePacket,
    RemoteATCommand,
    RemoteATCommandResponse,
    TransmitRequest,
    TransmitStatus,
    parse_frame,
)
from zbtwist.xbee.framing import decoder_for, encode

F = TypeVar("F", bound=Frame)


def run(clock: Clock, seconds: float) -> None:
    """Let time go by from one event to the next, so that each sees its own time."""
    end = clock.seconds() + seconds
    while clock.calls and clock.calls[0].getTime() <= end:
        clock.rightNow = max(clock.rightNow, clock.calls[0].getTime())
        clock.advance(0)
    clock.rightNow = end


class Line:
    """
    @ivar raw: all bytes that the radio said.
    @ivar heard: all frames that it said in `api_mode`, with the time of each.
    """

    def __init__(self, network: SimulatedNetwork, api_mode: int = 1) -> None:
        self.network = network
        assert isinstance(network.clock, Clock)
        self.clock = network.clock
        self.raw = b""
        self.heard: list[tuple[float, Frame]] = []
        self.use_mode(api_mode)
        network.radio.serial_output = self._radio_said

    def use_mode(self, api_mode: int) -> None:
        self.api_mode = api_mode
        self._decoder = decoder_for(api_mode) if api_mode else None

    def _radio_said(self, data: bytes) -> None:
        self.raw += data
        if self._decoder is not None:
            now = self.clock.seconds()
            self.heard += [(now, parse_frame(found)) for found in self._decoder.feed(data)]

    @property
    def frames(self) -> list[Frame]:
        return [frame for _, frame in self.heard]

    @property
    def data(self) -> bytes:
        """What the nodes sent."""
        return b"".join(frame.data for frame in self.of(ReceivePacket))

    def of(self, kind: type[F]) -> list[F]:
        return [frame for frame in self.frames if isinstance(frame, kind)]

    def clear(self) -> None:
        self.raw = b""
        self.heard.clear()

    def run(self, seconds: float) -> None:
        run(self.clock, seconds)

    def type(self, data: bytes, seconds: float = 0.1) -> bytes:
        """Say bytes, and return what the radio says in the time that follows."""
        self.clear()
        self.network.radio.receive_bytes(data)
        self.run(seconds)
        return self.raw

    def say(self, *frames: Frame, seconds: float = 0.1) -> list[Frame]:
        """Say frames, and return those that the radio says in the time that follows."""
        self.type(b"".join(encode(f.to_bytes(), self.api_mode) for f in frames), seconds)
        return self.frames

    def at(
        self, command: str, parameter: bytes = b"", *, queued: bool = False
    ) -> tuple[int, bytes]:
        """Execute a local AT command; return its status and value."""
        kind = QueuedATCommand if queued else ATCommand
        self.say(kind(0x31, command, parameter))
        (answer,) = self.of(ATCommandResponse)
        assert (answer.frame_id, answer.command) == (0x31, command)
        return answer.status, answer.value

    def remote_at(
        self,
        address64: Address64,
        command: str,
        parameter: bytes = b"",
        *,
        apply: bool = True,
        seconds: float = 0.1,
    ) -> RemoteATCommandResponse:
        """Execute a remote AT command; return the answer."""
        self.say(
            RemoteATCommand(0x32, address64, UNKNOWN16, 2 * apply, command, parameter),
            seconds=seconds,
        )
        (answer,) = self.of(RemoteATCommandResponse)
        return answer

    def transmit(
        self, address64: Address64, data: bytes = b"x", *, options: int = 0, seconds: float = 0.1
    ) -> TransmitStatus:
        """Send data to a node; return the status."""
        self.say(TransmitRequest(0x33, address64, UNKNOWN16, 0, options, data), seconds=seconds)
        (status,) = self.of(TransmitStatus)
        return status
