"""What the page can ask for, through its WebSocket: the operations of the control API, by names of
the page's own, with the same checks and the same faults as over XML-RPC.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from zbtwist.control.faults import (
    BAD_REQUEST,
    BAD_VALUE,
    GATEWAY_FAILED,
    NO_SUCH_METHOD,
    ControlFault,
)
from zbtwist.control.operations import Method, Methods, Operations
from zbtwist.control.resolver import NodeResolver
from zbtwist.control.web.traffic import TrafficHistory
from zbtwist.control.xmlrpc import shown
from zbtwist.xbee.address import format_address64, parse_address64


def _same(result: Any) -> Any:
    return result


#: The published methods behind the page's calls, and what the page is told of their results: it has
#: the nodes from the feed.
_PUBLISHED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "discover": ("discover", len),
    "temperatures": ("get_temperatures", len),
    "rename": ("rename", _same),
    "bind": ("create_mapping", _same),
    "unbind": ("remove_mapping", _same),
}


class Calls:
    """The page's calls by name."""

    log = Logger()

    def __init__(
        self, operations: Operations, directory: NodeResolver, traffic: TrafficHistory
    ) -> None:
        """
        @param operations: what does the work.
        @param directory: tells which node is meant.
        """
        self._methods = Methods(operations)
        self._directory = directory
        self._traffic = traffic
        self._operations = operations
        own = (
            Method("traffic", (("struct", "string"),), self._traffic_of),
            Method("frames", (("struct",), ("struct", "string", "string")), self._frames),
        )
        self._own = {method.name: method for method in own}

    def may_change_something(self, name: str) -> bool:
        """Whether the page may show something else after this call."""
        return name in _PUBLISHED

    async def call(self, name: str, arguments: list[Any]) -> Any:
        """Do what the page asks for.

        @param arguments: values as JSON has them.
        @return: the result, a value for JSON.
        @raise ControlFault: and nothing else. What an operation should not have raised is logged.
        """
        if not all(map(_is_text_if_a_str, arguments)):
            raise ControlFault(BAD_REQUEST, f"{shown(name)} takes text, not halves of characters.")
        try:
            if name in self._own:
                method = self._own[name]
                method.check(arguments)
                return method.function(*arguments)
            if name not in _PUBLISHED:
                raise ControlFault(NO_SUCH_METHOD, f"The console has no call {shown(name)}.")
            published, told = _PUBLISHED[name]
            method = self._methods.table[published]
            method.check(arguments)
            result = method.function(self._methods, *arguments)
            return told(await result if inspect.isawaitable(result) else result)
        except ControlFault:
            raise
        except Exception:
            self.log.failure("The console's call {name} failed", name=name)
            raise ControlFault(
                GATEWAY_FAILED, f"The gateway failed in {name}; look into its log for the reason."
            ) from None

    def _traffic_of(self, address: str) -> dict[str, Any]:
        """
        @param address: of a node; "" for all together.
        """
        return self._traffic.of(self._directory.address(address) if address else None)

    def _frames(self, switch: str | None = None, address: str = "") -> object:
        """
        @param switch: ``on`` or ``off``; None changes nothing.
        @param address: of the node whose frames are traced; "" for all.
        """
        if switch not in (None, "on", "off"):
            raise ControlFault(BAD_VALUE, f"Frames can be traced on or off, not {shown(switch)}.")
        traced = self._operations.frames(None if switch is None else switch == "on", address)
        # The page has addresses in one form only.
        nodes = [format_address64(parse_address64(one)) for one in traced["nodes"]]
        return {**traced, "nodes": nodes}


def _is_text_if_a_str(argument: Any) -> bool:
    """JSON can say half of a surrogate pair, which is no text."""
    if not isinstance(argument, str):
        return True
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True
