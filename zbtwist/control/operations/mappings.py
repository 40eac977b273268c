"""Which node has which TCP port, by hand."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager

from zbtwist.binding.errors import BindingError, Configured, NodeGone, NoMapping
from zbtwist.binding.listener import ListenAddress
from zbtwist.control.faults import (
    BAD_PORT,
    BAD_VALUE,
    GATEWAY_FAILED,
    PORT_TAKEN,
    UNKNOWN_NODE,
    ControlFault,
    bad_request,
    shown,
)
from zbtwist.control.operations.base import GatewayOperations
from zbtwist.control.operations.table import operation, shown_types, type_of
from zbtwist.runtime.endpoint_option import LAST_PORT
from zbtwist.runtime.pace import Stopped
from zbtwist.store.errors import StoreError
from zbtwist.xbee.address import Address64, digi_address64

#: The longest silence that can be asked for, and what a day has.
MAX_DAYS = 36500
SECONDS_A_DAY = 86400.0

_DIGITS = re.compile(r" *[0-9]{1,9} *")


class MappingOperations(GatewayOperations):
    """Mappings that a person makes and removes."""

    @operation("create_mapping", changes=True, page="bind")
    async def create_mapping(self, address: str, tcp_port: int | str) -> bool:
        """Give a node this TCP port from now on, also after a restart; returns true.

        The node need not have been seen. Its old port is closed, with its clients; the gateway
        gives it to no other node by itself. A port that belongs to another node, or to another
        program, is fault 5; a node whose port the configuration file says is fault 9; then nothing
        has changed. The port is a number, or its digits as text.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL, BAD_PORT, PORT_TAKEN,
            BAD_VALUE, GATEWAY_FAILED.
        """
        await self._change([(address, _number(tcp_port))], "")
        return True

    @operation("bind_using_list", changes=True, page="bind_all")
    async def bind_using_list(self, rows: Sequence[object]) -> bool:
        """Do ``create_mapping`` for many nodes, or for none of them if one cannot be; returns true.

        A row is ``[address, tcp_port]``. Nodes may exchange their ports. The text of a fault names
        the row that makes no sense, counted from 1 (``Row 3: ...``), or the port that cannot be
        had.

        @raise ControlFault: as `create_mapping`, and BAD_REQUEST.
        """
        mappings = [_mapping(row, f"Row {number}: ") for number, row in enumerate(rows, 1)]
        await self._change(mappings, "Row {}: ")
        return True

    @operation("remove_mapping", changes=True, page="unbind")
    async def remove_mapping(self, address: str) -> bool:
        """Close a node's TCP port, with its clients, and forget that it was the node's; returns
        true.

        Only then may the port, and every one that the node had before, be given to another node. A
        node that was never seen is forgotten with it. The node has none until ``create_mapping``
        gives it one, or a ``discover`` finds it.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL, GATEWAY_FAILED.
        """
        await self._done(self._bindings.remove(self._resolver.node(address)))
        return True

    @operation("forget", changes=True, page="forget")
    async def forget(self, address: str) -> bool:
        """Close a node's TCP port, with its clients, and forget the node: its mapping, its name and
        its counters; returns true.

        If it is heard again, it is a new node. One of ``waiting()`` is forgotten as well. A node
        that the configuration file names by its address is fault 9.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL, BAD_VALUE, GATEWAY_FAILED.
        """
        address64 = self._resolver.address(address)
        candidates = self._network.admission.candidates
        candidate = candidates.get(address64)
        if candidate is not None:
            candidates.remove(candidate)
            self._bindings.labels.gone(candidate.node)
        else:
            await self._done(self._bindings.forget([self._resolver.node(address)]))
        return True

    @operation("forget_silent", changes=True)
    async def forget_silent(self, days: float) -> list[str]:
        """Do ``forget`` for all nodes that have not been heard for so many days, 1 at least;
        returns their addresses, as ``addr_extended``.

        Nodes that the configuration file names stay, and those that were never heard. For what was
        before the gateway started, it goes by the computer's time of day.

        @raise ControlFault: BAD_VALUE, GATEWAY_FAILED.
        """
        if not 1 <= days <= MAX_DAYS:
            raise ControlFault(
                BAD_VALUE, f"{days:g} is no number of days: write one from 1 to {MAX_DAYS}."
            )
        nodes = [
            node
            for node in self._network.silent_for(days * SECONDS_A_DAY)
            if not self._bindings.is_listed(node)
        ]
        await self._done(self._bindings.forget(nodes))
        return [digi_address64(node.address64) for node in nodes]

    async def _change(self, mappings: list[tuple[str, int]], where: str) -> None:
        """
        @param where: what a sentence about one of them begins with, with a place for its number.
        """
        wanted: dict[Address64, ListenAddress] = {}
        for number, (address, tcp_port) in enumerate(mappings, 1):
            with _told_where(where.format(number)):
                address64 = self._resolver.address(address)
                if not 0 < tcp_port <= LAST_PORT:
                    raise ControlFault(
                        BAD_PORT, f"{tcp_port} is no TCP port: choose one from 1 to {LAST_PORT}."
                    )
                if address64 in wanted:
                    raise ControlFault(
                        BAD_VALUE, f"{address!r} stands there twice: a node has one port."
                    )
            wanted[address64] = tcp_port
        await self._done(self._bindings.change(wanted))

    async def _done(self, change: Awaitable[None]) -> None:
        with told_of_ports():
            await change


@contextmanager
def told_of_ports() -> Iterator[None]:
    """Say in a fault why a port or a mapping cannot be changed."""
    try:
        yield
    except (NoMapping, NodeGone) as error:
        raise ControlFault(UNKNOWN_NODE, str(error)) from None
    except Configured as error:
        raise ControlFault(BAD_VALUE, str(error)) from None
    except BindingError as error:
        raise ControlFault(PORT_TAKEN, str(error)) from None
    except StoreError as error:
        raise ControlFault(GATEWAY_FAILED, str(error)) from None
    except Stopped:
        raise ControlFault(
            GATEWAY_FAILED, "The gateway stops: list the nodes when it is back."
        ) from None


@contextmanager
def _told_where(where: str) -> Iterator[None]:
    """Put what a fault is about before its sentence."""
    try:
        yield
    except ControlFault as fault:
        raise ControlFault(fault.number, where + fault.sentence) from None


def _mapping(row: object, where: str) -> tuple[str, int]:
    """
    @raise ControlFault: with `BAD_REQUEST`, if it is no row of bind_using_list; with `BAD_PORT`, if
        its port is text, but no number.
    """
    with _told_where(where):
        match row:
            case [str(address), (int() | str()) as port] if not isinstance(port, bool):
                return address, _number(port)
            case list():
                given = f"an array of {shown_types(row)}"
            case _:
                given = type_of(row)
        raise bad_request(f"it must be an array of (string, int), not {given}.")


def _number(tcp_port: int | str) -> int:
    """Read a TCP port, which shells and languages without numbers send as text.

    @raise ControlFault: with `BAD_PORT`, if the text is no number.
    """
    if isinstance(tcp_port, str) and not _DIGITS.fullmatch(tcp_port):
        raise ControlFault(
            BAD_PORT, f"{shown(tcp_port)} is no TCP port: write a number from 1 to 65535."
        )
    return int(tcp_port)
