"""What a message tells that the broker has kept since an earlier run of the gateway: which
components a node had then. It is read as a stranger's word.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from zbtwist.decoding.service import MAX_NAMES
from zbtwist.decoding.value import name_of
from zbtwist.home_assistant.components import PLATFORMS
from zbtwist.home_assistant.messages import DECODER
from zbtwist.home_assistant.shape import (
    IS_TRUTH,
    IS_VALUE,
    MEASURED,
    NodeShape,
    ValueShape,
)
from zbtwist.mqtt.interfaces import Message
from zbtwist.xbee.pins import PIN_OF_COMMAND

#: Bytes of a message that is looked at: more than the largest that is made, and less than what a
#: broker may send.
MAX_PAYLOAD = 240 * 1024

#: Components of one device that are looked at: as many values as there can be, and all else.
MAX_COMPONENTS = MAX_NAMES + 64

#: Characters of an identifier, and of another text.
_MAX_TEXT = 80

#: What a text does not have, and a number has one of.
_OF_NUMBERS = ("state_class", "unit_of_measurement", "device_class")


class Kept:
    """
    @ivar platforms: those of its components by identifier, also of those that are there to be
        removed.
    """

    def __init__(self, message: Message) -> None:
        self._decoder = dict(message.user_properties).get(DECODER, "")
        payload = _object_in(message.payload)
        self._device = _object(payload.get("device"))
        self._components = {
            identifier: component
            for identifier, component in _first(_object(payload.get("components")))
            if isinstance(component, dict) and len(identifier) <= _MAX_TEXT
            if _is_text(component.get("platform"))
        }
        self.platforms = {name: each["platform"] for name, each in self._components.items()}

    @property
    def shape(self) -> NodeShape:
        """As much as it tells of what a node was like."""
        pins: dict[str, str] = {}
        values: dict[str, ValueShape] = {}
        measured = set()
        for identifier, component in self._components.items():
            use, _, name = identifier.partition("_")
            if len(component) == 1:
                continue
            if identifier in MEASURED:
                measured.add(identifier)
            elif component["platform"] != PLATFORMS.get(use):
                continue
            elif use in (IS_VALUE, IS_TRUTH):
                if name and name == name_of(name) and len(values) < MAX_NAMES:
                    values[name] = _value(use, component)
            elif name in PIN_OF_COMMAND:
                pins[name] = use
        return NodeShape(
            firmware=_text(self._device.get("sw_version")),
            hardware=_text(self._device.get("hw_version")),
            measured=frozenset(measured),
            pins=pins,
            decoder=self._decoder,
            values=values,
        )


def _object_in(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_PAYLOAD:
        return {}
    try:
        return _object(json.loads(payload))
    except (ValueError, RecursionError):
        return {}


def _object(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _first(found: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return islice(found.items(), MAX_COMPONENTS)


def _value(kind: str, component: Mapping[str, Any]) -> ValueShape:
    return ValueShape(
        kind,
        kind == IS_VALUE and any(key in component for key in _OF_NUMBERS),
        _text(component.get("unit_of_measurement")),
        component.get("state_class") == "total_increasing",
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_TEXT


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= _MAX_TEXT else ""
