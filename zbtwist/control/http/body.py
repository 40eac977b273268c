"""The body of a call: how much of it is kept, what it may come as, and how it is unpacked.

Nothing but this reads a body. Twisted would take forms apart before anything could refuse them, and
a nested one keeps it busy for seconds.
"""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import Any

from twisted.web.server import Request

from zbtwist.control.faults import ControlFault, bad_request, shown

#: The longest request body, in bytes, as it comes and unpacked. What comes beyond it is thrown away
#: as it comes.
MAX_BODY = 1 << 20

#: What a form of any web page can have its text sent as. The third such type,
#: application/x-www-form-urlencoded, is also what curl, wget and Python's urllib say of whatever
#: they are told to post; a form's text comes with its ``<`` as ``%3C`` in it, which is no XML.
_FORMS = (b"text/plain", b"multipart/form-data")

#: zlib's name for the gzip format (RFC 1952).
_GZIP_FORMAT = 16 + zlib.MAX_WBITS


class BoundedBody(BytesIO):
    """A request body that remembers no more than `MAX_BODY` bytes.

    The rest is still read: a client that is cut off while it sends never sees why.
    """

    too_long = False

    def write(self, data: Any) -> int:
        if self.too_long or self.tell() + len(data) > MAX_BODY:
            self.too_long = True
            self.truncate(0)
            self.seek(0)
            return len(data)
        return super().write(data)


def read_document(request: Request) -> bytes:
    """Return the XML document that a request brings.

    @raise ControlFault: with `BAD_REQUEST`: too long, a form, or packed in another way than gzip.
    """
    content = request.content
    assert isinstance(content, BoundedBody)
    if content.too_long:
        raise _too_long()
    content_type = (request.getHeader(b"content-type") or b"").partition(b";")[0].strip().lower()
    if content_type in _FORMS:
        raise bad_request(
            f"Calls are not taken as {content_type.decode()}, which any web page can send; send "
            "Content-Type: text/xml."
        )
    headers = request.requestHeaders.getRawHeaders(b"content-encoding", [])
    encoding = b",".join(headers).strip().lower()
    if encoding in (b"", b"identity"):
        return content.read()
    if encoding in (b"gzip", b"x-gzip"):
        return _unpacked(content.read())
    raise bad_request(
        f"The Content-Encoding {shown(encoding.decode('latin-1'))} is not known; send gzip, or the "
        "document as it is."
    )


def _unpacked(body: bytes) -> bytes:
    decompressor = zlib.decompressobj(_GZIP_FORMAT)
    try:
        document = decompressor.decompress(body, MAX_BODY + 1)
    except zlib.error as error:
        raise bad_request(
            f"The request says that it is gzip, and cannot be unpacked: {error}."
        ) from None
    if len(document) > MAX_BODY:
        raise _too_long()
    if not decompressor.eof:
        raise bad_request("The request is gzip that ends too early; send all of it.")
    if decompressor.unused_data:
        raise bad_request(
            f"The request has {len(decompressor.unused_data)} bytes behind its gzip; send none."
        )
    return document


def _too_long() -> ControlFault:
    return bad_request(f"The request is longer than {MAX_BODY} bytes; send less.")
