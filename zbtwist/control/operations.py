"""The methods of the control API: names, signatures, help, and what each calls.

A method is one decorated function of `Methods`: its signatures are checked before it is called, and
its docstring is its help. Beside the gateway's own there are the customary ``system`` methods.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from twisted.logger import Logger

from zbtwist.control.faults import BAD_PORT, GATEWAY_FAILED, NO_SUCH_METHOD, ControlFault
from zbtwist.control.xmlrpc import Written, bad_request, fault_struct, shown, write_value

#: How many calls one `system.multicall` may hold.
MAX_MULTICALL = 100

#: The largest whole number of which a double tells each one.
MAX_EXACT = 1 << 53

_MULTICALL = "system.multicall"

_DIGITS = re.compile(r" *[0-9]{1,9} *")

#: Methods that wait for nothing.
_ANSWERED_AT_ONCE = frozenset(
    (
        "frames",
        "list",
        "stats",
        "status",
        "trace",
        "system.listMethods",
        "system.methodHelp",
        "system.methodSignature",
    )
)

log = Logger()


class Operations(Protocol):
    """What is published: plain or async methods, see `zbtwist.control.api`."""

    def discover(self) -> object: ...

    def list_nodes(self) -> object: ...

    def get_temperatures(self) -> object: ...

    def status(self) -> object: ...

    async def create_mapping(self, address: str, tcp_port: int) -> None: ...

    async def bind_using_list(self, rows: list[tuple[str, int]]) -> None: ...

    async def remove_mapping(self, address: str) -> None: ...

    async def rename(self, address: str, label: str) -> None: ...

    async def at(
        self, address: str, command: str, value: int | str | bytes | None = None
    ) -> int | str | bytes: ...

    def stats(self) -> list[dict[str, Any]]: ...

    def trace(self, seq: int) -> list[dict[str, Any]]: ...

    def frames(self, on: bool | None = None, address: str = "") -> dict[str, Any]: ...


#: The signatures of ``at``: what it returns depends on the command.
_AT_SIGNATURES = tuple(
    (result, "string", "string", *value)
    for value in ((), ("int",), ("string",), ("base64",))
    for result in ("int", "string", "base64")
)

_ARGUMENT_TYPES: dict[str, type | tuple[type, ...]] = {
    "array": list,
    "base64": bytes,
    "boolean": bool,
    "dateTime.iso8601": datetime,
    "double": (float, int),
    "int": int,
    "string": str,
    "struct": dict,
}


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the control API.

    @ivar name: its name on the wire.
    @ivar signatures: as in ``system.methodSignature``: the result's type, then the arguments'.
    @ivar function: what is called, with the `Methods` and the arguments; its docstring is the help.
    """

    name: str
    signatures: tuple[tuple[str, ...], ...]
    function: Callable[..., object]

    @property
    def help(self) -> str:
        """What the method does, for people."""
        return inspect.getdoc(self.function) or ""

    def check(self, arguments: list[object]) -> None:
        """
        @raise ControlFault: with `BAD_REQUEST`, if no signature allows these arguments.
        """
        if any(_fits(arguments, signature[1:]) for signature in self.signatures):
            return
        # Signatures may differ in their results only.
        ways = dict.fromkeys(_shown_types(signature[1:]) for signature in self.signatures)
        allowed = " or ".join(ways)
        raise bad_request(f"{self.name} takes {allowed}, not {_shown_types_of(arguments)}.")


def _fits(arguments: list[object], types: Sequence[str]) -> bool:
    return len(arguments) == len(types) and all(map(_is_a, arguments, types))


def _is_a(argument: object, type_name: str) -> bool:
    if isinstance(argument, bool):
        return type_name == "boolean"
    return isinstance(argument, _ARGUMENT_TYPES[type_name])


def _type_name(argument: object) -> str:
    if isinstance(argument, float):
        return "double"
    # "double" takes an int as well, but is not what an int is called.
    return next(
        (name for name in _ARGUMENT_TYPES if name != "double" and _is_a(argument, name)), "nil"
    )


def _shown_types(types: Sequence[str]) -> str:
    return f"({', '.join(types)})"


def _shown_types_of(arguments: list[object]) -> str:
    # A client may send thousands of arguments; a few tell it what it did.
    names = [_type_name(argument) for argument in arguments[:10]]
    if len(arguments) > 10:
        names.append("…")
    return _shown_types(names)


def _tcp_port(value: int | str) -> int:
    """Read a TCP port, which shells and languages without numbers send as text.

    @raise ControlFault: with `BAD_PORT`, if the text is no number.
    """
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ControlFault(
            BAD_PORT, f"{shown(value)} is no TCP port: write a number from 1 to 65535."
        )
    return int(value)


def _mapping_row(number: int, row: object) -> tuple[str, int]:
    """
    @param number: of the row, from 1, for the fault.
    @raise ControlFault: with `BAD_REQUEST`, if it is no row of bind_using_list; with `BAD_PORT`, if
        its port is text, but no number.
    """
    match row:
        case [str(address), int(tcp_port)] if not isinstance(tcp_port, bool):
            return address, tcp_port
        case [str(address), str(tcp_port)]:
            try:
                return address, _tcp_port(tcp_port)
            except ControlFault as fault:
                raise ControlFault(fault.number, f"Row {number}: {fault.sentence}") from None
        case list():
            given = f"an array of {_shown_types_of(row)}"
        case _:
            given = _type_name(row)
    raise bad_request(f"Row {number}: it must be an array of (string, int), not {given}.")


def published(name: str, *signatures: tuple[str, ...]) -> Callable[[Callable[..., object]], Method]:
    """Publish a function of `Methods` under `name`, with one or more `Method.signatures`."""

    def publish(function: Callable[..., object]) -> Method:
        return Method(name, signatures, function)

    return publish


class Methods:
    """Every method of the control API, by name.

    To add one, add a function here: the decorator says its name and signatures, the docstring its
    help. It may be async, and may raise `ControlFault`.

    @ivar table: the published methods by their names.
    """

    def __init__(self, operations: Operations) -> None:
        """
        @param operations: what does the work.
        """
        self._operations = operations
        self.table = {
            method.name: method
            for method in vars(type(self)).values()
            if isinstance(method, Method)
        }

    def may_wait(self, name: str) -> bool:
        """Whether a call of this method may take longer than the moment."""
        return name not in _ANSWERED_AT_ONCE

    async def call(
        self,
        name: str,
        arguments: list[object],
        is_gone: Callable[[], bool] = lambda: False,
    ) -> str:
        """Call a method and write its result.

        @param name: the name on the wire.
        @param arguments: as `read_call` returns them.
        @param is_gone: whether nobody waits for the result any more.
        @return: the result, as XML.
        @raise ControlFault: and nothing else. What an operation should not have raised is logged.
        """
        method = self._method(name)
        method.check(arguments)
        try:
            if name == _MULTICALL:
                result = method.function(self, *arguments, is_gone)
            else:
                result = method.function(self, *arguments)
            if inspect.isawaitable(result):
                result = await result
            return Written(write_value(result))
        except ControlFault:
            raise
        except Exception:
            log.failure("The control method {name} failed", name=name)
            raise ControlFault(
                GATEWAY_FAILED, f"The gateway failed in {name}; look into its log for the reason."
            ) from None

    def _method(self, name: str) -> Method:
        try:
            return self.table[name]
        except KeyError:
            raise ControlFault(
                NO_SUCH_METHOD,
                f"There is no method {shown(name)}; system.listMethods names those there are.",
            ) from None

    @published("discover", ("array",))
    def _discover(self) -> object:
        """Search the network for nodes and give every new node a TCP port.

        Returns what list() returns, when the search has ended; this takes some seconds.
        """
        return self._operations.discover()

    @published("list", ("array",))
    def _list(self) -> object:
        """List the known nodes, ordered by TCP port, without asking the network.

        Each node is a struct with addr_extended, addr_short, addr_parent, type, label, profile_id,
        manufacturer_id, device_type and tcp_port. A tcp_port of 0 means that the node has none.
        Beyond what Digi's gateways tell there are name (from the configuration), state
        ("listening"; "taken": another program has the port; "none": there was none to give;
        "unbound": its mapping was removed), state_text (a sentence if something is not as it
        should be), by_hand (a person chose the port) and last_seen (seconds since 1970, 0 for
        never).
        """
        return self._operations.list_nodes()

    @published("get_temperatures", ("array",))
    def _get_temperatures(self) -> object:
        """Ask every node that can measure for its temperature.

        Each answer is a struct with addr_extended, label and temperature, in degrees Celsius. A
        node that cannot measure or does not answer is left out.
        """
        return self._operations.get_temperatures()

    @published("status", ("struct",))
    def _status(self) -> object:
        """Say how the gateway is: its version and uptime, the radio and its network, the numbers
        of nodes, clients and problems, and where its state is kept.
        """
        return self._operations.status()

    @published("create_mapping", ("boolean", "string", "int"), ("boolean", "string", "string"))
    async def _create_mapping(self, address: str, tcp_port: int | str) -> object:
        """Give a node this TCP port from now on, also after a restart; returns true.

        The address is any text form of a 64-bit address, also of a node that was never seen, or
        the label or the configured name of just one node. The port is a number, or its digits as
        text.
        """
        await self._operations.create_mapping(address, _tcp_port(tcp_port))
        return True

    @published("bind_using_list", ("boolean", "array"))
    async def _bind_using_list(self, rows: list[object]) -> object:
        """Do create_mapping for many nodes, or for none of them if one cannot be; returns true.

        Takes an array of rows, each an array of an address and a tcp_port.
        """
        await self._operations.bind_using_list(
            [_mapping_row(number, row) for number, row in enumerate(rows, 1)]
        )
        return True

    @published("remove_mapping", ("boolean", "string"))
    async def _remove_mapping(self, address: str) -> object:
        """Close a node's TCP port and forget that it was the node's; returns true.

        The node has no port until create_mapping gives it one, or a discover finds it.
        """
        await self._operations.remove_mapping(address)
        return True

    @published("rename", ("boolean", "string", "string"))
    async def _rename(self, address: str, label: str) -> object:
        """Write a node identifier (NI) to a node, and keep it in its flash (WR); returns true."""
        await self._operations.rename(address, label)
        return True

    @published("at", *_AT_SIGNATURES)
    async def _at(self, address: str, command: str, *value: int | str | bytes) -> object:
        """Read, set or execute an AT command on a node; an empty address is the local radio.

        Returns the value of the answer: an int for a number, a string for a text, base64 for what
        is neither. A number beyond 32 bits is a double; one beyond 53 bits, which a double cannot
        tell exactly, is base64 of at least 8 bytes, most significant first.
        """
        result = await self._operations.at(address, command, *value)
        if isinstance(result, int) and abs(result) > MAX_EXACT:
            size = max(8, (result.bit_length() + (result < 0) + 7) // 8)
            return result.to_bytes(size, "big", signed=result < 0)
        return result

    @published("stats", ("array",))
    def _stats(self) -> object:
        """Count what went through the gateway, per node.

        Each node is a struct with addr_extended, label, tcp_port, clients and, as doubles,
        bytes_in and packets_in (from the node), bytes_out and packets_out (to it), retries,
        failures, bytes_lost, bytes_unread and last_seen (seconds since 1970, 0 for never).
        """
        return self._operations.stats()

    @published("trace", ("array", "int"))
    def _trace(self, seq: int) -> object:
        """List the gateway's events after the one with the number seq; 0 lists all there are.

        Each event is a struct with seq, time (seconds since 1970), level ("info", "warn", "error"
        or "critical"), text and kind: "log", or "frame" (of level "debug") while frames are traced.
        A seq that does not follow on the one before, or on the one that was asked for, tells that
        events in between are forgotten, or that the gateway was restarted.
        """
        return self._operations.trace(seq)

    @published("frames", ("struct",), ("struct", "boolean"), ("struct", "boolean", "string"))
    def _frames(self, *arguments: Any) -> object:
        """Trace frames from now on (true), or no more (false): each frame to the radio and from it
        is an event then. An address means the frames of that node only; without one it is those of
        all nodes and of the radio itself, and false ends those of single nodes too. Without
        arguments nothing is changed.

        Returns a struct that says what is traced now: all (boolean), nodes (an array of addresses)
        and file (where all frames are written, empty for nowhere).
        """
        return self._operations.frames(*arguments)

    @published("system.listMethods", ("array",))
    def _list_methods(self) -> object:
        """List the names of all methods."""
        return sorted(self.table)

    @published("system.methodHelp", ("string", "string"))
    def _method_help(self, name: str) -> object:
        """Say what a method does."""
        return self._method(name).help

    @published("system.methodSignature", ("array", "string"))
    def _method_signature(self, name: str) -> object:
        """List the signatures of a method: for each, the type that it returns, then the types of
        its arguments.
        """
        return self._method(name).signatures

    @published(_MULTICALL, ("array", "array"))
    async def _multicall(self, calls: list[object], is_gone: Callable[[], bool]) -> object:
        """Make several calls, one after the other.

        Takes an array of structs with methodName and params. Returns an array with one element for
        each: an array that holds the result, or a struct with faultCode and faultString.
        """
        if len(calls) > MAX_MULTICALL:
            raise bad_request(
                f"system.multicall takes at most {MAX_MULTICALL} calls, not {len(calls)}."
            )
        results = []
        for call in calls:
            if is_gone():
                break
            results.append(await self._one_of_many(call))
        return results

    async def _one_of_many(self, call: object) -> object:
        try:
            return [await self._call_struct(call)]
        except ControlFault as fault:
            return fault_struct(fault)

    async def _call_struct(self, call: object) -> str:
        name = call.get("methodName") if isinstance(call, dict) else None
        arguments = call.get("params", []) if isinstance(call, dict) else None
        if not isinstance(name, str) or not isinstance(arguments, list):
            raise bad_request("Each call must be a struct with a methodName and an array params.")
        if name == _MULTICALL:
            raise bad_request("A system.multicall may not hold another one.")
        return await self.call(name, arguments)
