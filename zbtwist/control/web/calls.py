"""What the page can ask for, through its WebSocket: the operations for which the table has a name
of the page's, with the same checks and the same faults as over XML-RPC, and some of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

from zbtwist.control.api import OPERATIONS, GatewayAPI
from zbtwist.control.faults import BAD_VALUE, NO_SUCH_METHOD, ControlFault, bad_request, shown
from zbtwist.control.http.users import User
from zbtwist.control.operations.table import Harmless, Operation, operation, table_of
from zbtwist.control.operations.tracing import Traced
from zbtwist.control.resolver import NodeResolver
from zbtwist.control.web.traffic import TrafficHistory
from zbtwist.xbee.address import format_address64, parse_address64


def _same(result: Any) -> Any:
    return result


def _in_json(result: Any) -> Any:
    """JSON has no bytes: they become hexadecimal digits."""
    if isinstance(result, bytes):
        return result.hex()
    if isinstance(result, list):
        return [_in_json(one) for one in result]
    if isinstance(result, dict):
        return {key: _in_json(one) for key, one in result.items()}
    return result


def _without_settings(row: dict[str, Any]) -> dict[str, Any]:
    """The page asks for them in another way, and for the rest every few seconds: it is told by a
    number whether they are still those that it knows.
    """
    return {**row, "settings": crc32(row["settings"].encode())}


#: What becomes of results, by the name of the operation.
_TOLD: dict[str, Callable[[Any], Any]] = {
    # The feed has the nodes: the page is told how many they are.
    "discover": len,
    "get_temperatures": len,
    "settings": _in_json,
    "known_settings": _in_json,
    "set_setting": _in_json,
    "at": _in_json,
    "show": _without_settings,
}


class PageOperations:
    """What is there for the page only."""

    def __init__(
        self, operations: GatewayAPI, resolver: NodeResolver, traffic: TrafficHistory
    ) -> None:
        self._operations = operations
        self._resolver = resolver
        self._traffic = traffic

    @operation("traffic", harmless=Harmless.ALWAYS, page="traffic")
    def traffic(self, address: str) -> dict[str, Any]:
        """Tell what went through lately.

        @param address: of a node; "" for all together.
        """
        return self._traffic.of(self._resolver.address(address) if address else None)

    @operation("known_settings", harmless=Harmless.ALWAYS, page="known_settings")
    def known_settings(self, address: str) -> list[dict[str, Any]]:
        """Tell the settings of a node as they are kept, without asking it.

        @param address: of a node.
        """
        return [dict(row) for row in self._operations.known_settings(address)]

    @operation("set_setting", changes=True, page="set_setting")
    async def set_setting(
        self, address: str, command: str, value: int | str, is_hex: bool = False
    ) -> dict[str, Any]:
        """Set a setting of a node and tell how it is then, as a row of ``settings``.

        @param is_hex: the value is hexadecimal digits: bytes, or a number that is none in
            JavaScript.
        """
        given: int | str | bytes = value
        if is_hex:
            try:
                given = bytes.fromhex(str(value))
            except ValueError:
                raise ControlFault(
                    BAD_VALUE, f"{shown(str(value))} are no hexadecimal digits."
                ) from None
        return dict(await self._operations.set_setting(address, command, given))

    @operation("frames", harmless=Harmless.WITHOUT_ARGUMENTS, page="frames")
    def frames(self, switch: str | None = None, address: str = "") -> Traced:
        """Trace frames, or no more.

        @param switch: ``on`` or ``off``; None changes nothing.
        @param address: of the node whose frames are traced; "" for all.
        """
        if switch not in (None, "on", "off"):
            raise ControlFault(BAD_VALUE, f"Frames can be traced on or off, not {shown(switch)}.")
        traced = self._operations.frames(None if switch is None else switch == "on", address)
        # The page has addresses in one form only.
        nodes = [format_address64(parse_address64(one)) for one in traced["nodes"]]
        return {**traced, "nodes": nodes}


class Calls:
    """The page's calls by name."""

    def __init__(
        self, operations: GatewayAPI, resolver: NodeResolver, traffic: TrafficHistory
    ) -> None:
        """
        @param operations: what has the methods of the operations.
        @param resolver: tells which node is meant.
        """
        own = PageOperations(operations, resolver, traffic)
        self._calls: dict[str, tuple[object, Operation]] = {
            found.page: (owner, found)
            for owner, table in ((operations, OPERATIONS), (own, table_of(PageOperations)))
            for found in table.values()
            if found.page
        }

    def may_change_something(self, name: str) -> bool:
        """Whether the page may show something else after this call."""
        return name in self._calls and self._calls[name][1].changes

    def ends_with_asker(self, name: str) -> bool:
        """Whether this call is given up when the page is gone."""
        return name in self._calls and self._calls[name][1].ends_with_asker

    async def call(self, name: str, arguments: list[Any], user: User) -> Any:
        """Do what the page asks for.

        @param arguments: values as JSON has them.
        @param user: who looks at the page.
        @return: the result, a value for JSON.
        @raise ControlFault: and nothing else.
        """
        if not all(map(_is_text_if_a_str, arguments)):
            raise bad_request(f"{shown(name)} takes text, not halves of characters.")
        if name not in self._calls:
            raise ControlFault(NO_SUCH_METHOD, f"The console has no call {shown(name)}.")
        owner, found = self._calls[name]
        if not found.is_harmless(arguments):
            user.must_be_allowed(found.name)
        return await found.call(owner, arguments, _TOLD.get(found.name, _same))


def _is_text_if_a_str(argument: Any) -> bool:
    """JSON can say half of a surrogate pair, which is no text."""
    if not isinstance(argument, str):
        return True
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True
