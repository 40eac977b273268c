"""XML-RPC values and messages: from XML and to it, for clients of any age.

Both ways are `xmlrpc.client`'s, with what the contract needs beyond it. Its marshaller is made to
write nothing that an old client cannot read. Its unmarshaller is put behind an XML parser that
refuses document types, so that no entity is ever expanded, and deep nesting. The parser is given
text: it never looks for an encoding, as Python remembers for ever each name that it was asked for,
also of encodings that there are not.

The format is that of the XML-RPC specification (UserLand, 1999).
"""

from __future__ import annotations

import codecs
import re
import xmlrpc.client
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

from zbtwist.control.faults import ControlFault, bad_request, shown

#: How many XML elements deep a request may nest; an array in an array is three deeper.
MAX_DEPTH = 64

#: The encodings that a request may say that it is in, in lower case.
ENCODINGS = frozenset(
    (
        *("utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "ascii"),
        *("iso-8859-1", "iso8859-1", "iso_8859-1", "latin-1", "latin1", "windows-1252", "cp1252"),
    )
)

#: How documents begin that show their encoding themselves (XML 1.0, appendix F).
_BEGINNINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)

_DECLARATION = re.compile(r"""<\?xml\s[^>]*?\sencoding\s*=\s*["']([^"'>]*)""")

# XML 1.0 has no way to write most of these. The others (DEL and the C1 controls) may be written,
# but mean nothing good to the terminal that they end up on.
_UNPRINTABLE = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_SPECIAL = re.compile("[&<>]")

_Write = Callable[[str], object]


class Written(str):
    """A value that is XML already."""

    __slots__ = ()


class _Dispatch(dict[Any, Any]):
    """Which method writes values of a type. A type that is not there is written as its base is, and
    refused if none of those is there.
    """

    def __missing__(self, kind: type) -> Any:
        for base in kind.__mro__:
            if base in self:
                return self[base]
        raise TypeError(f"XML-RPC has no form for a value of {kind}")


class _Marshaller(xmlrpc.client.Marshaller):
    """Python's own, for what old clients read, and for lists of thousands of nodes.

    Python's writes integers up to 32 bits, doubles as ``repr`` has them, any character, and the
    attributes of any object. Lists and structs are those of this class because each value in them
    costs Python's a call more: a list of 1,000 nodes takes it half as long again.
    """

    dispatch = _Dispatch(
        {
            kind: write
            for kind, write in xmlrpc.client.Marshaller.dispatch.items()
            # It would show what an object has inside.
            if kind != "_arbitrary_instance"
        }
    )

    def dump_written(self, value: Written, write: _Write) -> None:
        write(value)

    dispatch[Written] = dump_written

    def dump_text(self, value: str, write: _Write) -> None:
        write(f"<value><string>{_text(value)}</string></value>")

    dispatch[str] = dump_text

    def dump_integer(self, value: int, write: _Write) -> None:
        # There is no larger one that every client knows.
        if -0x80000000 <= value <= 0x7FFFFFFF:
            write(f"<value><int>{value:d}</int></value>")
        else:
            self.dump_number(float(value), write)

    dispatch[int] = dump_integer

    def dump_number(self, value: float, write: _Write) -> None:
        if not isfinite(value):
            raise ValueError(f"XML-RPC has no form for {value!r}")
        # The specification allows no exponent, which repr() likes to use.
        text = repr(value)
        if "e" in text:
            text = format(Decimal(text), "f")
        write(f"<value><double>{text}</double></value>")

    dispatch[float] = dump_number

    def dump_list(self, values: list[object] | tuple[object, ...], write: _Write) -> None:
        dispatch = self.dispatch
        write("<value><array><data>")
        for value in values:
            dispatch[type(value)](self, value, write)
        write("</data></array></value>")

    dispatch[list] = dispatch[tuple] = dump_list

    def dump_members(self, values: dict[str, object], write: _Write) -> None:
        dispatch = self.dispatch
        write("<value><struct>")
        for name, value in values.items():
            write(_member(name))
            dispatch[type(value)](self, value, write)
            write("</member>")
        write("</struct></value>")

    dispatch[dict] = dump_members


@lru_cache(maxsize=256)
def _member(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of a struct's member must be text, not {name!r}")
    return f"<member><name>{_text(name)}</name>"


def _text(text: str) -> str:
    # Most texts have nothing in them that cannot be written as it is.
    if text.isascii() and text.isprintable():
        return escape(text) if _SPECIAL.search(text) else text
    return escape(_UNPRINTABLE.sub("?", text))


def write_value(value: object) -> Written:
    """Write one value as an XML-RPC ``<value>``.

    @param value: a bool, int, float, str, bytes, datetime, or a dict (with str keys), list or tuple
        of such. An int beyond 32 bits leaves as a double. Characters that are unprintable or not
        allowed in XML leave as question marks.
    @raise TypeError: XML-RPC has no such value; None is one of these.
    @raise ValueError: the float is infinite or not a number.
    """
    pieces: list[str] = []
    _Marshaller.dispatch[type(value)](_Marshaller(), value, pieces.append)
    return Written("".join(pieces))


def write_response(value: object) -> bytes:
    """Write the whole answer to a call; see `write_value`."""
    return _response((value,))


def write_fault(fault: ControlFault) -> bytes:
    """Write the whole answer to a call that failed."""
    return _response(xmlrpc.client.Fault(fault.number, fault.sentence))


def _response(outcome: tuple[Any] | xmlrpc.client.Fault) -> bytes:
    # A declaration of Python's says no encoding, and old clients do not know that it is UTF-8.
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f"<methodResponse>{_Marshaller().dumps(outcome)}</methodResponse>\n"
    ).encode()


def fault_struct(fault: ControlFault) -> dict[str, object]:
    """Return a fault as the struct that XML-RPC makes of it."""
    return {"faultCode": fault.number, "faultString": fault.sentence}


def read_call(body: bytes) -> tuple[str, list[object]]:
    """Read a ``methodCall``.

    @param body: the whole XML document, in one of `ENCODINGS`.
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
            raise bad_request(f"The document is a {shown(tag)}, not a methodCall.")
        depth += 1
        if depth > MAX_DEPTH:
            raise bad_request(f"The request nests deeper than {MAX_DEPTH} elements.")
        unmarshaller.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        unmarshaller.end(tag)

    def refuse_document_type(*_: object) -> None:
        raise bad_request("A DOCTYPE is not allowed in a request; leave it out.")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = unmarshaller.data
    # Else each line end is a call.
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse_document_type
    try:
        parser.Parse(_decoded(body), True)
        arguments: list[object] = [*unmarshaller.close()]
    except ControlFault:
        raise
    except expat.ExpatError as error:
        raise bad_request(f"The request is not well-formed XML: {error}.") from None
    except Exception:
        # The unmarshaller has no one exception for what it cannot read.
        raise bad_request("The request is XML, but its values are not XML-RPC's.") from None
    name = unmarshaller.getmethodname()
    if not name:
        raise bad_request("The methodCall has no methodName.")
    return name, arguments


def _decoded(body: bytes) -> str:
    """Return an XML document as text.

    @raise ControlFault: with `BAD_REQUEST`: it says that it is in no encoding of `ENCODINGS`, or is
        in another one than it says.
    """
    seen = next((encoding for first, encoding in _BEGINNINGS if body.startswith(first)), "")
    try:
        # A declaration has nothing beyond ASCII.
        text = body.decode(seen or "latin-1")
        match = _DECLARATION.match(text)
        declared = match[1].lower() if match else "utf-8"
        if declared not in ENCODINGS:
            raise bad_request(
                f"The request says that its encoding is {shown(declared)}, which is not taken; "
                "send utf-8."
            )
        if seen:
            return text
        if declared.startswith("utf-16"):
            raise bad_request("The request says that it is utf-16, and is not; send utf-8.")
        return body.decode(declared)
    except UnicodeDecodeError as error:
        raise bad_request(
            f"The request is not well-formed XML: byte {error.start} is not {error.encoding}."
        ) from None
