"""XML-RPC values and messages: from XML and to it, for clients of any age.

Values are written here, not by `xmlrpc.client`, so that nothing leaves that an old client cannot
read: no nil, no integer beyond 32 bits, no control character, no exponent in a double. Requests are
read by `xmlrpc.client`'s unmarshaller behind an XML parser that refuses document types, so that no
entity is ever expanded, and deep nesting. The parser is given text: it never looks for an encoding,
as Python remembers for ever each name that it was asked for, also of encodings that there are not.

The format is that of the XML-RPC specification (UserLand, 1999).
"""

from __future__ import annotations

import codecs
import re
import xmlrpc.client
from base64 import encodebytes
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from xml.parsers import expat
from xml.sax.saxutils import escape

from zbtwist.control.faults import BAD_REQUEST, ControlFault

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

_PROLOGUE = '<?xml version="1.0" encoding="utf-8"?>\n<methodResponse>'


class Written(str):
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
    if isinstance(value, Written):
        return value
    return f"<value>{_write_typed(value)}</value>"


def _write_typed(value: object) -> str:
    # Most values are one of these, and a list of all nodes has very many.
    if type(value) is str:
        return f"<string>{_write_text(value)}</string>"
    if type(value) is dict:
        return f"<struct>{''.join(map(_write_member, value.items()))}</struct>"
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
    return f"<member>{_write_name(name)}{write_value(value)}</member>"


@lru_cache(maxsize=256)
def _write_name(name: str) -> str:
    return f"<name>{_write_text(name)}</name>"


def _write_double(value: float) -> str:
    if not isfinite(value):
        raise ValueError(f"XML-RPC has no form for {value!r}")
    # The specification allows no exponent, which repr() likes to use.
    text = repr(value)
    return f"<double>{format(Decimal(text), 'f') if 'e' in text else text}</double>"


def _write_text(text: str) -> str:
    # Most texts have nothing in them that cannot be written as it is.
    if text.isascii() and text.isprintable():
        return escape(text) if _SPECIAL.search(text) else text
    return escape(_UNPRINTABLE.sub("?", text))


def write_response(value: object) -> bytes:
    """Write the whole answer to a call; see `write_value`."""
    text = f"{_PROLOGUE}<params><param>{write_value(value)}</param></params></methodResponse>\n"
    return text.encode()


def write_fault(fault: ControlFault) -> bytes:
    """Write the whole answer to a call that failed."""
    text = f"{_PROLOGUE}<fault>{write_value(fault_struct(fault))}</fault></methodResponse>\n"
    return text.encode()


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


def bad_request(sentence: str) -> ControlFault:
    """Return the fault for a request that is not as it should be."""
    return ControlFault(BAD_REQUEST, sentence)


def shown(name: str) -> str:
    """Quote a client's word in a sentence, but not a megabyte of it."""
    return repr(name if len(name) <= 60 else f"{name[:60]}…")
