"""What XML-RPC calls by name: the operations of the gateway, and the customary ``system`` ones,
which are about all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.server import Request
from twisted.web.xmlrpc import withRequest

from zbtwist.control.api import OPERATIONS
from zbtwist.control.faults import NO_SUCH_METHOD, ControlFault, bad_request, shown
from zbtwist.control.http.users import user_of
from zbtwist.control.operations.table import Harmless, Operation, operation, table_of
from zbtwist.control.xmlrpc import Written, fault_struct, write_value
from zbtwist.runtime.work_turns import WorkTurns

#: How many calls one `system.multicall` may hold, and characters of their answers behind which the
#: rest is refused.
MAX_MULTICALL = 100
MAX_ANSWER = 1 << 23

#: Characters of the answers of all that are under way, from which on the rest is refused.
MAX_HELD = 1 << 24

_MULTICALL = "system.multicall"


@dataclass(frozen=True, slots=True)
class Procedure:
    """An operation and who does it, as Twisted's XMLRPC calls and describes a procedure."""

    operation: Operation
    owner: object

    # As `twisted.web.xmlrpc.withRequest` sets it.
    withRequest: ClassVar[bool] = True

    @property
    def help(self) -> str:
        """What it does, for people."""
        return self.operation.help

    @property
    def signature(self) -> tuple[tuple[str, ...], ...]:
        """For each way to call it, the types of the result and of the arguments."""
        return self.operation.signatures

    async def __call__(self, request: Request, *arguments: object) -> Written:
        """Have it done, and write its result.

        @raise ControlFault: and nothing else.
        """
        if not self.operation.is_harmless(arguments):
            user_of(request).must_be_allowed(self.operation.name)
        first = (request,) if self.operation.takes_request else ()
        work = self.operation.call(self.owner, arguments, write_value, *first)
        if not self.operation.ends_with_asker:
            return await work
        working = Deferred.fromCoroutine(work)
        request.notifyFinish().addErrback(lambda _: working.cancel())
        return await working


class Procedures:
    """All procedures by name."""

    def __init__(self, operations: object) -> None:
        """
        @param operations: what has the methods of the operations.
        """
        system = SystemOperations(self)
        tables: tuple[tuple[object, Mapping[str, Operation]], ...] = (
            (operations, OPERATIONS),
            (system, SYSTEM_OPERATIONS),
        )
        self._procedures = {
            name: Procedure(found, owner)
            for owner, table in tables
            for name, found in table.items()
        }

    def names(self) -> list[str]:
        """Return the names of all, sorted."""
        return sorted(self._procedures)

    def named(self, name: str) -> Procedure:
        """
        @raise ControlFault: with `NO_SUCH_METHOD`.
        """
        try:
            return self._procedures[name]
        except KeyError:
            raise ControlFault(
                NO_SUCH_METHOD,
                f"There is no method {shown(name)}; system.listMethods names those there are.",
            ) from None


class SystemOperations:
    """The methods that every XML-RPC server has by custom."""

    def __init__(self, procedures: Procedures) -> None:
        """
        @param procedures: what they are about.
        """
        self._procedures = procedures
        # Characters of the answers to all multicalls that are under way.
        self._held = 0

    @operation("system.listMethods", harmless=Harmless.ALWAYS)
    def list_methods(self) -> list[str]:
        """List the names of all methods."""
        return self._procedures.names()

    @operation("system.methodHelp", harmless=Harmless.ALWAYS)
    def method_help(self, name: str) -> str:
        """Say what a method does."""
        return self._procedures.named(name).help

    @operation("system.methodSignature", harmless=Harmless.ALWAYS)
    def method_signature(self, name: str) -> list[list[str]]:
        """List the signatures of a method: for each, the type that it returns, then the types of
        its arguments.
        """
        return [[*signature] for signature in self._procedures.named(name).signature]

    @operation(_MULTICALL, harmless=Harmless.ALWAYS)
    @withRequest  # type: ignore[untyped-decorator]
    async def multicall(self, request: Request, calls: list[object]) -> list[object]:
        """Make several calls, at most 100, one after the other.

        Each is a struct with ``methodName`` and ``params``. What is returned has an element for
        each: an array that holds the result, or a struct with ``faultCode`` and ``faultString``.
        """
        if len(calls) > MAX_MULTICALL:
            raise bad_request(
                f"system.multicall takes at most {MAX_MULTICALL} calls, not {len(calls)}."
            )
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
        turns: WorkTurns = request.channel.factory.turns
        results: list[object] = []
        size = 0
        try:
            for call in calls:
                try:
                    if size >= MAX_ANSWER or self._held >= MAX_HELD:
                        raise bad_request(
                            f"The answers before, or those to others, are {MAX_ANSWER} bytes long "
                            "or more; call again for the rest."
                        )
                    written = await self._one_of_many(request, call)
                    size += len(written)
                    self._held += len(written)
                    results.append([written])
                    # The next one is a piece of work of its own.
                    await turns.pause()
                except ControlFault as fault:
                    results.append(fault_struct(fault))
                if gone:
                    break
        finally:
            self._held -= size
        return results

    async def _one_of_many(self, request: Request, call: object) -> Written:
        name = call.get("methodName") if isinstance(call, dict) else None
        arguments = call.get("params", []) if isinstance(call, dict) else None
        if not isinstance(name, str) or not isinstance(arguments, list):
            raise bad_request("Each call must be a struct with a methodName and an array params.")
        if name == _MULTICALL:
            raise bad_request("A system.multicall may not hold another one.")
        return await self._procedures.named(name)(request, *arguments)


#: The system operations by their names.
SYSTEM_OPERATIONS = table_of(SystemOperations)
