"""What is asked of one node, or of the local radio, by AT command."""

from __future__ import annotations

from zbtwist.control.faults import (
    BAD_VALUE,
    NO_ANSWER,
    NODE_REFUSED,
    RADIO_OFFLINE,
    ControlFault,
)
from zbtwist.control.operations.base import GatewayOperations
from zbtwist.control.operations.table import operation
from zbtwist.network.node import Node
from zbtwist.radio.errors import ATRefused, NoAnswer, RadioError
from zbtwist.xbee.at import PARAMETERS, decode_value, encode_value
from zbtwist.xbee.description import label_text
from zbtwist.xbee.status import ATStatus

#: Settings of the local radio that the link to it depends on.
_KEPT_BY_THE_GATEWAY = frozenset(("AP", "AO", "BD", "NB", "SB"))

#: Bytes that are tried as the value of an AT command; none is known that takes as many.
MAX_VALUE = 255

#: The largest whole number of which a double tells each one.
MAX_EXACT = 1 << 53


class CommandOperations(GatewayOperations):
    """AT commands, and what consists of them."""

    @operation("rename", changes=True, page="rename")
    async def rename(self, address: str, label: str) -> bool:
        """Write a node identifier (NI, at most 20 bytes) to a node, and have it kept in its flash
        memory (WR); returns true.

        @param label: at most 20 bytes of UTF-8, no control characters.
        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL, RADIO_OFFLINE, NO_ANSWER,
            NODE_REFUSED, BAD_VALUE.
        """
        try:
            encode_value("NI", label)
        except ValueError as error:
            raise ControlFault(BAD_VALUE, f"{error}.") from None
        if label != label_text(label.encode()) or not label:
            raise ControlFault(
                BAD_VALUE,
                f"{label[:60]!r} cannot be a node identifier: it needs a character, no blank at "
                "either end, and no control characters.",
            )
        node = self._resolver.node(address)
        await self._command(node, "NI", label)
        try:
            await self._command(node, "WR", None)
        except ControlFault as fault:
            raise ControlFault(
                fault.number,
                f"The node has its new name, but only until it restarts: {fault.sentence}",
            ) from None
        return True

    @operation("at", page="at")
    async def at(
        self, address: str, command: str, value: int | str | bytes | None = None
    ) -> int | str | bytes:
        """Read or execute an AT command of a node, or set it to a value; an empty address is the
        local radio.

        What is set is not written to flash memory; that is the command WR. A node of which NI is
        set is called that from then on, as by ``rename``. The answer has a value
        by the kind of the command: an int, a string, or base64 for what is neither; an empty string
        if it has none. A number beyond 32 bits is a double; one beyond 53 bits, which a double
        cannot tell exactly, is base64 of at least 8 bytes, most significant first.

        @param command: two characters.
        @param value: what to set; None to read or execute.
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
        row = PARAMETERS.get(command)
        if value is None and row is not None and row.write_only:
            raise ControlFault(
                BAD_VALUE, f"{command} cannot be read: modules take a key, and never tell it."
            )
        if value in ("", b""):
            raise ControlFault(
                BAD_VALUE,
                f"{command} cannot be set to an empty value: on the air a command without one "
                "reads, or does what it is for. Leave the value out if that is meant.",
            )
        answer = await self._command(
            self._resolver.node(address) if address else None, command, value
        )
        result = decode_value(command, answer) if answer else None
        return "" if result is None else exact(result)

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
        await self._ready_radio(in_network=node is not None)
        # It may say its new name itself before its answer is here.
        before = None if node is None else node.label
        try:
            if node is None:
                return await self._radio.at(command, parameter)
            answer = await self._network.remote_at(node, command, parameter)
        except RadioError as error:
            raise fault_of(error) from None
        if command == "NI" and parameter:
            # However it was set: else the lists, and hubs, would have the old one until it says
            # who it is.
            node.label = label_text(parameter)
            self._bindings.renamed(node, before)
        return answer


def fault_of(error: RadioError) -> ControlFault:
    """Return what a caller is told of a request that has failed."""
    if isinstance(error, ATRefused):
        unreachable = error.status == ATStatus.TRANSMISSION_FAILED
        return ControlFault(NO_ANSWER if unreachable else NODE_REFUSED, f"{error}.")
    return ControlFault(NO_ANSWER if isinstance(error, NoAnswer) else RADIO_OFFLINE, str(error))


def exact(value: int | str | bytes) -> int | str | bytes:
    """Return a value in a form in which every client gets all of it."""
    if isinstance(value, int) and abs(value) > MAX_EXACT:
        size = max(8, (value.bit_length() + (value < 0) + 7) // 8)
        return value.to_bytes(size, "big", signed=value < 0)
    return value
