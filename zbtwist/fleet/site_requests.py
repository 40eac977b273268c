"""Operations of a site's gateway as requests to its radio: what is asked, and what is answered.

What a site says is a stranger's word: an answer that is none is an error of the radio.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from zbtwist.mqtt.settings import STREAM
from zbtwist.mqtt.stream_messages import read_object, shown
from zbtwist.radio.errors import ATRefused, NoAnswer, RadioError, RadioOffline
from zbtwist.xbee.address import (
    UNKNOWN16,
    Address64,
    AddressError,
    format_address64,
    parse_address64,
)
from zbtwist.xbee.at import encode_value
from zbtwist.xbee.description import MAX_NODE_IDENTIFIER, NodeDescription
from zbtwist.xbee.devices import ROLES
from zbtwist.xbee.status import ATStatus

#: Numbers of faults, as docs/control-api.rst has them; this room knows no more of them.
_OFFLINE, _NO_ANSWER, _REFUSED = 6, 7, 8

#: Nodes of one site that are taken.
MAX_FOUND = 4096

_ROLES = {word: role for role, word in ROLES.items()}


class Refused(ATRefused):
    """A command is refused: by a node, as its site says, or since a hub has no radio for it."""

    def __init__(self, command: str, status: int, sentence: str) -> None:
        """
        @param sentence: which is said of it.
        """
        super().__init__(command, status, "")
        self.args = (sentence.rstrip("."),)


def arguments_of_at(address64: Address64, command: str, parameter: bytes) -> list[object]:
    """Return what the operation ``at`` takes."""
    asked: list[object] = [format_address64(address64), command]
    if parameter:
        asked.append({"base64": base64.b64encode(parameter).decode("ascii")})
    return asked


def answer_of_at(payload: bytes, command: str) -> bytes:
    """Return the value that ``at`` was answered with, as a module says it.

    @raise RadioError: it failed.
    """
    result = _result(payload, command)
    if isinstance(result, dict) and result.keys() == {"base64"}:
        try:
            return base64.b64decode(str(result["base64"]), validate=True)
        except (binascii.Error, ValueError):
            result = None
    if isinstance(result, bool) or not isinstance(result, int | str):
        raise RadioError(f"The site's answer to {command} makes no sense.")
    try:
        return encode_value(command, result) if result != "" else b""
    except ValueError as error:
        raise RadioError(f"The site's answer to {command} makes no sense: {error}.") from None


def found_in(payload: bytes) -> list[NodeDescription]:
    """Return who has answered a search, as ``discover`` tells it.

    @raise RadioError: it failed.
    """
    rows = rows_in(payload)
    return [
        description_of(address64, row.get("label"), row.get("type"), row.get("device_type"), row)
        for address64, row in rows.items()
        if row.get("missed_search") is False
    ]


def rows_in(payload: bytes) -> dict[Address64, dict[str, Any]]:
    """Return what ``list`` and ``discover`` tell of nodes, by their addresses.

    @raise RadioError: it failed.
    """
    result = _result(payload, "ND")
    if not isinstance(result, list):
        raise RadioError("The site's list of nodes makes no sense.")
    found: dict[Address64, dict[str, Any]] = {}
    for row in result[:MAX_FOUND]:
        if isinstance(row, dict):
            try:
                found[parse_address64(str(row.get("addr_extended", ""))[:40])] = row
            except AddressError:
                continue
    return found


def said_in_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of ``list`` as a site says it under the topic of a node whose stream it says."""
    signal = row.get("signal")
    return {**row, "mqtt": STREAM, "signal": -signal if isinstance(signal, int) else None}


def description_of(
    address64: Address64, label: object, kind: object, device_type: object, more: dict[str, Any]
) -> NodeDescription:
    """Return what a node would say of itself.

    @param kind: the word for its role.
    @param device_type: DD, as ``0x00030005``.
    @param more: has its profile and manufacturer.
    """
    named = shown(label)[:MAX_NODE_IDENTIFIER].encode()[:MAX_NODE_IDENTIFIER]
    return NodeDescription(
        UNKNOWN16,
        address64,
        named.replace(b"\0", b""),
        role=_ROLES.get(kind if isinstance(kind, str) else "", 1),
        profile_id=_short(more.get("profile_id")),
        manufacturer_id=_short(more.get("manufacturer_id")),
        device_type_identifier=_hexadecimal(device_type),
    )


def _short(number: object) -> int:
    return number if isinstance(number, int) and 0 <= number <= 0xFFFF else 0


def _hexadecimal(text: object) -> int | None:
    if not isinstance(text, str) or len(text) > 10:
        return None
    try:
        number = int(text, 16)
    except ValueError:
        return None
    return number if 0 <= number <= 0xFFFF_FFFF else None


def _result(payload: bytes, command: str) -> Any:
    said = read_object(payload)
    if said is None:
        raise RadioError(f"The site's answer to {command} makes no sense.")
    if "result" in said:
        return said["result"]
    fault, text = said.get("fault"), shown(said.get("text")) or "The site's gateway failed."
    if fault == _REFUSED:
        raise Refused(command, ATStatus.ERROR, text)
    if fault == _NO_ANSWER:
        raise NoAnswer(text)
    raise RadioOffline(text) if fault == _OFFLINE else RadioError(text)
