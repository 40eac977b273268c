"""What nodes say, decoded: values with names and units."""

from __future__ import annotations

from typing import Annotated, TypedDict

from zbtwist.control.operations.base import GatewayOperations
from zbtwist.control.operations.table import Harmless, operation
from zbtwist.decoding.service import Reading
from zbtwist.network.node import Node
from zbtwist.xbee.address import digi_address64


class ReadingRow(TypedDict):
    """A value in ``list()`` and ``show()``."""

    name: Annotated[str, "what its decoder calls it, such as ``ch1_power``"]
    value: Annotated[float | str | bool, "the last one"]
    unit: Annotated[str, "such as ``W``; empty if it has none"]
    at: Annotated[float, "when it came, seconds since 1970"]


class ValueRow(ReadingRow):
    """A value in ``values()``."""

    addr_extended: Annotated[str, "of its node, as in ``list()``"]
    label: Annotated[str, "the same"]
    node: Annotated[str, "``name`` there"]
    kind: Annotated[str, "what it measures, such as ``power``; empty if that is not known"]
    total: Annotated[bool, "it only grows, until its counter begins anew"]


def _plain(value: float | str | bool) -> float | str | bool:
    # XML-RPC's whole numbers have 32 bits.
    return value if isinstance(value, bool | str) else float(value)


class ValueOperations(GatewayOperations):
    """The decoded values of nodes."""

    @operation("values", harmless=Harmless.ALWAYS)
    def values(self) -> list[ValueRow]:
        """List the last value of each name that nodes have told, of those with a decoder."""
        return [
            {
                **_reading_row(reading),
                "addr_extended": digi_address64(node.address64),
                "label": node.label or "",
                "node": node.name,
                "kind": reading.value.kind,
                "total": reading.value.is_total,
            }
            for node in self._decoding
            for reading in self._decoding.readings_of(node)
        ]

    def _readings_of(self, node: Node) -> list[ReadingRow]:
        return list(map(_reading_row, self._decoding.readings_of(node)))


def _reading_row(reading: Reading) -> ReadingRow:
    value = reading.value
    return {
        "name": value.name,
        "value": _plain(value.value),
        "unit": value.unit,
        "at": reading.time,
    }
