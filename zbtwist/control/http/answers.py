"""Plain answers, which all that is on the control port gives."""

from __future__ import annotations

from twisted.web import http
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request


class Sentence(Resource):
    """A sentence for whoever came to a wrong address."""

    isLeaf = True

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__()
        self._code = code
        self._sentence = sentence

    def render(self, request: Request) -> bytes:
        return text_answer(request, self._code, self._sentence)


def not_found(request: Request) -> IResource:
    """Return what answers an address that leads nowhere."""
    return Sentence(http.NOT_FOUND, "There is nothing here; the XML-RPC interface is at /RPC2.")


def header_of(request: Request, name: bytes) -> str:
    """Return a header of a request as text, whatever bytes it is of; empty if there is none."""
    return (request.getHeader(name) or b"").decode("latin-1")


def refuse_method(request: Request) -> bytes:
    """Set up the answer to a method that is neither GET nor HEAD, and return its body."""
    request.setHeader(b"allow", b"GET, HEAD")
    return text_answer(request, http.NOT_ALLOWED, "This answers GET and HEAD only.")


def text_answer(request: Request, code: int, text: str) -> bytes:
    """Set up a plain answer, and return its body: nothing for HEAD.

    @param text: without a line end.
    """
    body = f"{text}\n".encode()
    request.setResponseCode(code)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    if request.method == b"HEAD":
        request.setHeader(b"content-length", b"%d" % len(body))
        return b""
    return body
