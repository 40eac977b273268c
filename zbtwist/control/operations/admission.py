"""Who was heard and is no node, and who is let in."""

from __future__ import annotations

from typing import Annotated, TypedDict

from zbtwist.control.faults import BAD_VALUE, UNKNOWN_NODE, ControlFault
from zbtwist.control.operations.base import GatewayOperations
from zbtwist.control.operations.table import Harmless, operation
from zbtwist.network.candidates import Candidate
from zbtwist.xbee.address import digi_address16, digi_address64, format_address64
from zbtwist.xbee.devices import ROLES


class WaitingRow(TypedDict):
    """Somebody in ``waiting()``. All of it is a stranger's word."""

    addr_extended: Annotated[str, "as in ``list()``"]
    addr_short: Annotated[str, "the same"]
    type: Annotated[str, "the same"]
    label: Annotated[str, "the same"]
    answered: Annotated[bool, "it has answered something of the gateway's"]
    packets: Annotated[float, "how often it was heard"]
    bytes_in: Annotated[float, "bytes of its stream, which nobody has got"]
    last_seen: Annotated[float, "as in ``list()``"]
    state_text: Annotated[str, "why it is no node, in a sentence"]


class AdmissionOperations(GatewayOperations):
    """Candidates, and what a person says of them."""

    @operation("waiting", harmless=Harmless.ALWAYS)
    def waiting(self) -> list[WaitingRow]:
        """List who was heard and is no node, so that it has no port: those that have answered
        first, then those that were heard more than once.

        Who has not answered is forgotten after 10 minutes of silence, and sooner when there are
        more than 4096; who has, after a week.
        """
        return list(map(self._candidate, self._network.admission.candidates))

    def _candidate(self, candidate: Candidate) -> WaitingRow:
        node = candidate.node
        return {
            "addr_extended": digi_address64(node.address64),
            "addr_short": digi_address16(node.address16),
            "type": ROLES.get(node.role, "") if node.role is not None else "",
            "label": node.label or "",
            "answered": candidate.has_answered,
            "packets": float(candidate.packets),
            "bytes_in": float(candidate.bytes_received),
            "last_seen": self._network.nodes.last_seen(node),
            "state_text": self._network.admission.why_not(candidate),
        }

    @operation("accept", changes=True)
    async def accept(self, address: str) -> bool:
        """Let somebody in who was heard, so that it is a node and has a port, whatever ``admit``
        and ``max-nodes`` say; returns true, also for a node that is known. If the configuration
        names it by what it calls itself, or a call has, the name is its from now on, whoever else
        calls itself so.

        It must be one in ``waiting()``, by its address; a node that is yet to come can be given a
        port by ``create_mapping``.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL, BAD_VALUE.
        """
        address64 = self._resolver.address(address)
        nodes = self._network.nodes
        if address64 not in nodes:
            admission = self._network.admission
            candidate = admission.candidates.get(address64)
            if candidate is None:
                raise ControlFault(
                    UNKNOWN_NODE,
                    f"{format_address64(address64)} was not heard lately: list those that were. "
                    "One that is yet to come can be given a port all the same.",
                )
            if not nodes.has_room_for(1):
                raise ControlFault(
                    BAD_VALUE, f"There is no room for another node: {len(nodes)} are kept."
                )
            admission.accept(candidate)
        self._bindings.let_have_label(nodes.get(address64))
        await self._bindings.settled()
        return True
