"""XML-RPC at an address: Twisted's resource for it, made to withstand whatever comes.

A call is answered with a value or a fault, whatever happens; a traceback goes to the log only. The
number of calls in hand is bounded, and `zbtwist.control.http.body` bounds what one brings.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET, Request
from twisted.web.xmlrpc import XMLRPC

from zbtwist.control.faults import GATEWAY_FAILED, ControlFault
from zbtwist.control.http.answers import not_found, text_answer
from zbtwist.control.http.body import read_document
from zbtwist.control.http.procedures import Procedure, Procedures
from zbtwist.control.xmlrpc import read_call, write_fault, write_response
from zbtwist.runtime.work_turns import WorkTurns

#: How many requests that wait for something may be in hand at once, also of clients that have gone
#: away since. Those that are answered at once (list, status) are not refused.
MAX_RUNNING = 128

log = Logger()


class XMLRPCResource(XMLRPC):
    """Answers XML-RPC calls. Serve it from a `ControlSite`, which bounds what it reads.

    @ivar running: how many requests are in hand.
    """

    # Twisted's answers at every address below its own as well.
    isLeaf = False

    def __init__(self, operations: object) -> None:
        """
        @param operations: what has the methods of the operations.
        """
        super().__init__()
        self.running = 0
        self._procedures = Procedures(operations)

    def listProcedures(self) -> list[str]:
        # Twisted's lists methods by a prefix; these are in a table.
        return self._procedures.names()

    def lookupProcedure(self, procedurePath: str) -> Procedure:
        """
        @raise ControlFault: with `NO_SUCH_METHOD`, whose sentence says more than Twisted's fault.
        """
        return self._procedures.named(procedurePath)

    def getChild(self, path: bytes, request: Request) -> IResource:
        # Some clients are configured with a slash at the end.
        return self if path == b"" and not request.postpath else not_found(request)

    def render(self, request: Request) -> bytes | int:
        # Twisted's answer to another method is a page of HTML, and it takes calls of any web page.
        if request.method != b"POST":
            request.setHeader(b"allow", b"POST")
            return text_answer(
                request, http.NOT_ALLOWED, "This is for XML-RPC calls; send them with POST."
            )
        rendered: int = super().render(request)
        return rendered

    def render_POST(self, request: Request) -> int:
        # Twisted's reads and writes with xmlrpc.client as that is, which no attribute changes: any
        # document is read, of any encoding and depth, and a large number is an error, not a double.
        Deferred.fromCoroutine(self._serve(request))
        return NOT_DONE_YET

    async def _serve(self, request: Request) -> None:
        # Most operations go on when their client goes: what was begun is to be done.
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
        channel: Any = request.channel
        turns: WorkTurns = channel.factory.turns
        await turns.turn()
        if gone:
            # It was not begun yet, and what it brought is gone as well.
            return
        try:
            answer = await self._answer(request)
        except ControlFault as fault:
            answer = write_fault(fault)
        except Exception:
            log.failure("A control request could not be read or answered")
            answer = write_fault(
                ControlFault(
                    GATEWAY_FAILED, "The gateway failed; look into its log for the reason."
                )
            )
        if gone:
            return
        request.setHeader(b"content-type", b"text/xml")
        request.setHeader(b"content-length", b"%d" % len(answer))
        request.write(answer)
        request.finish()

    async def _answer(self, request: Request) -> bytes:
        channel: Any = request.channel
        name, arguments = read_call(read_document(request))
        procedure = self.lookupProcedure(name)
        may_wait = procedure.operation.may_wait
        if channel.is_spare and may_wait:
            raise ControlFault(
                GATEWAY_FAILED, "All control connections have something in hand; close some."
            )
        if self.running >= MAX_RUNNING and may_wait:
            raise ControlFault(
                GATEWAY_FAILED,
                f"{self.running} calls are running; call again when some have ended.",
            )
        self.running += 1
        try:
            return write_response(await procedure(request, *arguments))
        finally:
            self.running -= 1
