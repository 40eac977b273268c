"""A network service, and the radio that it hears."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.radio.support import FACTS, REMOTE, REMOTE16, Wire
from tests.support import present
from zbtwist.network.admission import Admit
from zbtwist.network.node import Node
from zbtwist.network.service import NetworkService
from zbtwist.radio.coordinator import DISCOVERY_MARGIN
from zbtwist.runtime.event_bus import Event
from zbtwist.xbee.address import Address16, Address64
from zbtwist.xbee.frames import ReceivePacket, RemoteATCommandResponse

#: Seconds that a search takes.
SEARCH = FACTS.discovery_time + DISCOVERY_MARGIN


class NetworkTestCase(SynchronousTestCase):
    """
    @ivar events: what was published.
    @cvar admit: who becomes a node; whoever is heard, where that is not what a test is about.
    """

    admit: ClassVar[Admit] = Admit.ALL

    def setUp(self) -> None:
        self.wire = Wire(ready=False)
        self.wire.clock.advance(1000)
        self.network = NetworkService(
            self.wire.clock, self.wire.coordinator, self.wire.bus, admit=self.admit
        )
        self.network.startService()
        self.events: list[Event] = []
        self.wire.bus.subscribe(Event, self.events.append)

    def up(self) -> None:
        """The radio comes up, and the first search finds nothing."""
        self.wire.coordinator.ready(FACTS)
        self.advance(SEARCH)
        self.wire.sent.clear()
        self.events.clear()

    def advance(self, seconds: float) -> None:
        self.wire.clock.pump([0.5] * int(seconds / 0.5) + [seconds % 0.5])

    def node(self, address64: Address64 = REMOTE) -> Node:
        return present(self.network.nodes.get(address64))

    def hear(
        self,
        data: bytes,
        address64: Address64 = REMOTE,
        address16: Address16 = REMOTE16,
        options: int = 1,
    ) -> None:
        """Bytes come from a node."""
        self.wire.receive(ReceivePacket(address64, address16, options, data))

    def known(self, address64: Address64 = REMOTE, address16: Address16 = REMOTE16) -> list[bytes]:
        """A node of which all is known; return what gets its stream from now on."""
        node = present(self.network.nodes.seen(address64, address16, self.wire.clock.seconds()))
        node.label, node.device_type_identifier, node.role = "E1", 0x30005, 1
        received: list[bytes] = []
        node.receiver = received.append
        return received

    def answer(self, status: int, value: bytes = b"", **other: Any) -> None:
        """Answer the remote AT command that was sent last, with other fields of the frame."""
        sent = self.wire.last
        frame = RemoteATCommandResponse(
            sent.frame_id, sent.address64, sent.address16, sent.command, status, value
        )
        for name, field in other.items():
            setattr(frame, name, field)
        self.wire.receive(frame)

    def asked(self) -> list[str]:
        """The commands that were sent, of any kind."""
        return [getattr(frame, "command", "") for frame in self.wire.sent]
