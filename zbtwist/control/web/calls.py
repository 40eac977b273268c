"""What the page can ask for, through its WebSocket: the operations for which the table has a name
of the page's, with the same checks and the same faults as over XML-RPC, and some of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


def _in_json(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """JSON has no bytes: they become hexadecimal digits."""
    return [
        {key: one.hex() if isinstance(one, bytes) else one for key, one in row.items()}
        for row in rows
    ]


#: What becomes of results, by the name of the operation.
_TOLD: dict[str, Callable[[Any], Any]] = {
    # The feed has the nodes: the page is told how many they are.
    "discover": len,
    "get_temperatures": len,
    "settings": _in_json,
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
