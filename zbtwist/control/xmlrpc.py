"""The control API as XML-RPC over HTTP, for clients of any age.

From the inside out: values to XML and back, the table of methods, the resource that answers POSTs,
and the site that it is served from.

* Values are written here, not by `xmlrpc.client`, so that nothing leaves that an old client cannot
  read: no nil, no integer beyond 32 bits, no control character, no exponent in a double.
* Requests are read by `xmlrpc.client`'s unmarshaller behind an XML parser that refuses document
  types, so that no entity is ever expanded, and deep nesting.
* A method is one decorated function of `Methods`: its signatures are checked before it is called,
  and its docstring is its help.
* Whatever happens, a call is answered with a value or a fault. A traceback goes to the log only.

The format is that of the XML-RPC specification (UserLand, 1999) with the customary ``system``
methods.
"""

from __future__ import annotations

import inspect
import re
import xmlrpc.client
from base64 import encodebytes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from io import BytesIO
from math import isfinite
from typing import Any, Protocol
from urllib.parse import urlsplit
from xml.parsers import expat
from xml.sax.saxutils import escape

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from zbtwist import __version__
from zbtwist.control.faults import (
    BAD_REQUEST,
    GATEWAY_FAILED,
    NO_SUCH_METHOD,
    ControlFault,
)

#: The longest request body, in bytes. What comes beyond it is thrown away as it comes.
MAXIMUM_BODY = 1 << 20

#: How many XML elements deep a request may nest; an array in an array is three deeper.
MAXIMUM_DEPTH = 64

#: How many calls one `system.multicall` may hold.
MAXIMUM_MULTICALL = 100

#: How many requests may be in hand at once, also of clients that have gone away since.
MAXIMUM_RUNNING = 64

#: How many control connections may be open at once.
MAXIMUM_CONNECTIONS = 128

#: How long a connection may be silent between requests, or within one, in seconds.
IDLE_TIMEOUT = 60.0

log = Logger()


# Values to XML and back

# XML 1.0 has no way to write most of these. The others (DEL and the C1 controls) may be written,
# but mean nothing good to the terminal that they end up on.
_UNPRINTABLE = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_PROLOGUE = '<?xml version="1.0" encoding="utf-8"?>\n<methodResponse>'


class _Written(str):
    """A value that is XML already."""

    __slots__ = ()


def write_value(value: object) -> str:
    """Write one value as an XML-RPC ``<value>``.

    @param value: a bool, int, float, str, bytes, datetime, or a mapping (with str keys) or sequence
        of such. An int beyond 32 bits leaves as a double. Characters that are unprintable or not
        allowed in XML leave as question marks.
    @raise TypeError: XML-RPC has no such value; None is one of these.
    @raise ValueError: the float is infinite or not a number.
    """
    if isinstance(value, _Written):
        return value
    return f"<value>{_write_typed(value)}</value>"


def _write_typed(value: object) -> str:
    if isinstance(value, bool):
        return f"<boolean>{value:d}</boolean>"
    if isinstance(value, int):
        if -0x80000000 <= value <= 0x7FFFFFFF:
            return f"<int>{value:d}</int>"
        return _write_double(float(value))
    if isinstance(value, float):
        return _write_double(value)
    if isinstance(value, str):
        return f"<string>{_write_text(value)}</string>"
    if isinstance(value, (bytes, bytearray)):
        return f"<base64>{encodebytes(value).decode()}</base64>"
    if isinstance(value, datetime):
        return f"<dateTime.iso8601>{value:%Y%m%dT%H:%M:%S}</dateTime.iso8601>"
    if isinstance(value, Mapping):
        return f"<struct>{''.join(map(_write_member, value.items()))}</struct>"
    if isinstance(value, Sequence):
        return f"<array><data>{''.join(map(write_value, value))}</data></array>"
    raise TypeError(f"XML-RPC has no form for {value!r}")


def _write_member(member: tuple[object, object]) -> str:
    name, value = member
    if not isinstance(name, str):
        raise TypeError(f"the name of a struct's member must be text, not {name!r}")
    return f"<member><name>{_write_text(name)}</name>{write_value(value)}</member>"


def _write_double(value: float) -> str:
    if not isfinite(value):
        raise ValueError(f"XML-RPC has no form for {value!r}")
    # The specification allows no exponent, which repr() likes to use.
    return f"<double>{format(Decimal(repr(value)), 'f')}</double>"


def _write_text(text: str) -> str:
    return escape(_UNPRINTABLE.sub("?", text))


def write_response(value: object) -> bytes:
    """Write the whole answer to a call; see `write_value`."""
    text = f"{_PROLOGUE}<params><param>{write_value(value)}</param></params></methodResponse>\n"
    return text.encode()


def write_fault(fault: ControlFault) -> bytes:
    """Write the whole answer to a call that failed."""
    text = f"{_PROLOGUE}<fault>{write_value(_fault_struct(fault))}</fault></methodResponse>\n"
    return text.encode()


def _fault_struct(fault: ControlFault) -> dict[str, object]:
    return {"faultCode": fault.number, "faultString": fault.sentence}


def read_call(body: bytes) -> tuple[str, list[object]]:
    """Read a ``methodCall``.

    @param body: the whole XML document, in any encoding that its declaration or its byte order
        mark names.
    @return: the method's name, and its arguments as int, bool, str, float, bytes, datetime, list
        and dict.
    @raise ControlFault: with `BAD_REQUEST`, for anything that is not a ``methodCall``.
    """
    unmarshaller = xmlrpc.client.Unmarshaller(use_builtin_types=True)
    # Character data comes as text, so the unmarshaller must not decode it again.
    unmarshaller.xml(None, None)  # type: ignore[arg-type]
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        if depth == 0 and tag != "methodCall":
            raise _bad_request(f"The document is a {_shown(tag)}, not a methodCall.")
        depth += 1
        if depth > MAXIMUM_DEPTH:
            raise _bad_request(f"The request nests deeper than {MAXIMUM_DEPTH} elements.")
        unmarshaller.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        unmarshaller.end(tag)

    def refuse_document_type(*_: object) -> None:
        raise _bad_request("A DOCTYPE is not allowed in a request; leave it out.")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = unmarshaller.data
    parser.StartDoctypeDeclHandler = refuse_document_type
    try:
        parser.Parse(body, True)
        arguments: list[object] = [*unmarshaller.close()]
    except ControlFault:
        raise
    except expat.ExpatError as error:
        raise _bad_request(f"The request is not well-formed XML: {error}.") from None
    except Exception:
        # The unmarshaller has no one exception for what it cannot read.
        raise _bad_request("The request is XML, but its values are not XML-RPC's.") from None
    name = unmarshaller.getmethodname()
    if not name:
        raise _bad_request("The methodCall has no methodName.")
    return name, arguments


def _bad_request(sentence: str) -> ControlFault:
    return ControlFault(BAD_REQUEST, sentence)


def _shown(name: str) -> str:
    """Quote a client's word in a sentence, but not a megabyte of it."""
    return repr(name if len(name) <= 60 else f"{name[:60]}…")


# The table of methods


class Operations(Protocol):
    """What is published: plain or async methods, see `zbtwist.control.api`."""

    def discover(self) -> object: ...

    def list_nodes(self) -> object: ...

    def get_temperatures(self) -> object: ...

    def status(self) -> object: ...


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
        allowed = " or ".join(_shown_types(signature[1:]) for signature in self.signatures)
        # A client may send thousands of arguments; a few tell it what it did.
        given = [_type_name(argument) for argument in arguments[:10]]
        if len(arguments) > 10:
            given.append("…")
        raise _bad_request(f"{self.name} takes {allowed}, not {_shown_types(given)}.")


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

    async def call(self, name: str, arguments: list[object]) -> str:
        """Call a method and write its result.

        @param name: the name on the wire.
        @param arguments: as `read_call` returns them.
        @return: the result, as XML.
        @raise ControlFault: and nothing else. What an operation should not have raised is logged.
        """
        method = self._method(name)
        method.check(arguments)
        try:
            result = method.function(self, *arguments)
            if inspect.isawaitable(result):
                result = await result
            return _Written(write_value(result))
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
                f"There is no method {_shown(name)}; system.listMethods names those there are.",
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
        of nodes and clients.
        """
        return self._operations.status()

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

    @published("system.multicall", ("array", "array"))
    async def _multicall(self, calls: list[object]) -> object:
        """Make several calls, one after the other.

        Takes an array of structs with methodName and params. Returns an array with one element for
        each: an array that holds the result, or a struct with faultCode and faultString.
        """
        if len(calls) > MAXIMUM_MULTICALL:
            raise _bad_request(
                f"system.multicall takes at most {MAXIMUM_MULTICALL} calls, not {len(calls)}."
            )
        return [await self._one_of_many(call) for call in calls]

    async def _one_of_many(self, call: object) -> object:
        try:
            return [await self._call_struct(call)]
        except ControlFault as fault:
            return _fault_struct(fault)

    async def _call_struct(self, call: object) -> str:
        name = call.get("methodName") if isinstance(call, dict) else None
        arguments = call.get("params", []) if isinstance(call, dict) else None
        if not isinstance(name, str) or not isinstance(arguments, list):
            raise _bad_request("Each call must be a struct with a methodName and an array params.")
        if name == "system.multicall":
            raise _bad_request("A system.multicall may not hold another one.")
        return await self.call(name, arguments)


# The resource that answers POSTs


class _BoundedBody(BytesIO):
    """A request body that remembers no more than `MAXIMUM_BODY` bytes.

    The rest is still read: a client that is cut off while it sends never sees why.
    """

    too_long = False

    def write(self, data: Any) -> int:
        if self.too_long or self.tell() + len(data) > MAXIMUM_BODY:
            self.too_long = True
            self.truncate(0)
            self.seek(0)
            return len(data)
        return super().write(data)


class XMLRPCResource(Resource):
    """Answers XML-RPC calls. Serve it from a `ControlSite`, which bounds what it reads.

    @ivar running: how many requests are in hand.
    """

    def __init__(self, operations: Operations) -> None:
        """
        @param operations: what does the work.
        """
        super().__init__()
        self.running = 0
        self._methods = Methods(operations)

    def getChild(self, path: bytes, request: Request) -> IResource:
        # Some clients are configured with a slash at the end.
        return self if path == b"" and not request.postpath else not_found(request)

    def render(self, request: Request) -> bytes | int:
        if request.method != b"POST":
            request.setHeader(b"allow", b"POST")
            return _text(
                request, http.NOT_ALLOWED, "This is for XML-RPC calls; send them with POST."
            )
        if _is_cross_site(request):
            return _text(
                request, http.FORBIDDEN, "Calls from web pages of other sites are refused."
            )
        Deferred.fromCoroutine(self._serve(request))
        return NOT_DONE_YET

    async def _serve(self, request: Request) -> None:
        # The operation goes on when its client goes: another may wait for the same search.
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
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
        content = request.content
        if isinstance(content, _BoundedBody) and content.too_long:
            raise _bad_request(f"The request is longer than {MAXIMUM_BODY} bytes; send less.")
        if self.running >= MAXIMUM_RUNNING:
            raise ControlFault(
                GATEWAY_FAILED,
                f"{self.running} calls are running; call again when some have ended.",
            )
        assert content is not None
        name, arguments = read_call(content.read())
        self.running += 1
        try:
            return write_response(await self._methods.call(name, arguments))
        finally:
            self.running -= 1


def _is_cross_site(request: Request) -> bool:
    """Whether a browser sends this on behalf of a page that did not come from here.

    Any page on the web may make its reader's browser POST to the loopback interface. Only browsers
    send an Origin.
    """
    origin = request.getHeader(b"origin")
    if origin is None:
        return False
    return urlsplit(origin).netloc != (request.getHeader(b"host") or b"")


# The site


class _ControlRequest(Request):
    """A request that reads no more of its body than is of use."""

    def gotLength(self, length: int | None) -> None:
        self.content = _BoundedBody()


class _ControlChannel(http.HTTPChannel):
    """A connection that registers itself, and excuses itself if there are too many."""

    factory: ControlSite

    def connectionMade(self) -> None:
        if len(self.factory.channels) >= MAXIMUM_CONNECTIONS:
            sentence = b"Too many control connections are open; close some.\n"
            transport = self.transport
            assert transport is not None
            transport.write(
                b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n"
                b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(sentence), sentence)
            )
            transport.loseConnection()
            return
        self.factory.channels.add(self)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        if self in self.factory.channels:
            super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self in self.factory.channels:
            self.factory.channels.remove(self)
            super().connectionLost(reason)


class ControlSite(Site):
    """The site of the control port.

    @ivar channels: the control connections that are open.
    """

    # Twisted declares the channel that can change to HTTP/2.
    protocol = _ControlChannel  # type: ignore[assignment]
    requestFactory = _ControlRequest
    noisy = False

    def __init__(self, root: ControlRoot, reactor: IReactorTime | None = None) -> None:
        super().__init__(root, timeout=IDLE_TIMEOUT, reactor=reactor)
        self.channels: set[_ControlChannel] = set()

    def stopFactory(self) -> None:
        """The port was closed: so are the connections, whose clients may mean to stay for long."""
        super().stopFactory()
        for channel in self.channels.copy():
            channel.loseConnection()

    def acceptableProtocols(self) -> list[bytes]:
        # The channel above is HTTP/1.1's, so HTTP/2 must not be offered over TLS.
        return [b"http/1.1"]

    def log(self, request: http.Request) -> None:
        """No line for each request: a client that polls would fill the log."""


class ControlRoot(Resource):
    """The root of the control port. More children can be put beside ``RPC2``.

    @ivar front_page: what answers a GET of ``/``.
    """

    def __init__(self, rpc: IResource) -> None:
        """
        @param rpc: what answers ``/RPC2``, and POSTs to ``/``.
        """
        super().__init__()
        self.front_page: IResource = _FrontPage()
        self._rpc = rpc
        self.putChild(b"RPC2", rpc)

    def getChild(self, path: bytes, request: Request) -> IResource:
        return self if path == b"" and not request.postpath else not_found(request)

    def render(self, request: Request) -> bytes | int:
        if request.method in (b"GET", b"HEAD"):
            page: bytes | int = self.front_page.render(request)
        elif request.method == b"POST":
            page = self._rpc.render(request)
        else:
            request.setHeader(b"allow", b"GET, HEAD, POST")
            page = _text(request, http.NOT_ALLOWED, "This answers GET and POST only.")
        return page


class _Sentence(Resource):
    """A sentence for whoever came to a wrong address."""

    isLeaf = True

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__()
        self._code = code
        self._sentence = sentence

    def render(self, request: Request) -> bytes:
        return _text(request, self._code, self._sentence)


class _FrontPage(Resource):
    """Says what this is and where the interface is."""

    def render(self, request: Request) -> bytes:
        host = request.getHeader("host")
        address = f"http://{host}/RPC2" if host else "/RPC2"
        return _text(
            request,
            http.OK,
            f"zbtwist {__version__}: a gateway that gives every XBee node a TCP port.\n"
            f"Its control interface is XML-RPC at {address}; system.listMethods says what it can.",
        )


def not_found(request: Request) -> IResource:
    """Return what answers an address that leads nowhere."""
    return _Sentence(http.NOT_FOUND, "There is nothing here; the XML-RPC interface is at /RPC2.")


def _text(request: Request, code: int, text: str) -> bytes:
    body = f"{text}\n".encode()
    request.setResponseCode(code)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    if request.method == b"HEAD":
        request.setHeader(b"content-length", b"%d" % len(body))
        return b""
    return body


def control_site(operations: Operations, reactor: IReactorTime | None = None) -> ControlSite:
    """Make the site of the control port.

    @param operations: what does the work.
    @param reactor: keeps the time of idle connections; None is the global reactor.
    @return: a factory for any server endpoint. Its ``resource`` is a `ControlRoot`, to which other
        children can be added.
    """
    return ControlSite(ControlRoot(XMLRPCResource(operations)), reactor)
