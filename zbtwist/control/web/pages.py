"""The files of the page: its shell at ``/``, and what that needs at ``/static/``.

They come from the package itself and nothing else does: names are looked up in a listing, never
joined to a path. The browser keeps a file as long as its ETag is the file's.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from twisted.web import http
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from zbtwist.control.http.answers import header_of, not_found, refuse_method

#: Where the files are.
STATIC = Path(__file__).parent / "static"

#: What each kind of file is; others are not served.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}

#: What a page says in place of other answers (see `zbtwist.control.http.guards`): nothing of it
#: comes from anywhere else, nothing is written in the page itself, and no other page may show it.
_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    # Ask each time whether it is still so: the answer is short, and an update is seen at once.
    "cache-control": "no-cache",
}


class PageFile(Resource):
    """One file."""

    isLeaf = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def render(self, request: Request) -> bytes:
        if request.method not in (b"GET", b"HEAD"):
            return refuse_method(request)
        try:
            content = self._path.read_bytes()
        except OSError:
            # It was there a moment ago: the program is being updated.
            return not_found(request).render(request)  # type: ignore[no-any-return]
        for name, value in _HEADERS.items():
            request.setHeader(name, value)
        request.setHeader("content-type", TYPES[self._path.suffix])
        if request.setETag(b'"%s"' % sha256(content).hexdigest()[:32].encode()) is http.CACHED:
            return b""
        return content


class StaticFiles(Resource):
    """The files of a folder, without those of its folders."""

    def __init__(self, folder: Path = STATIC) -> None:
        super().__init__()
        self._folder = folder

    def getChild(self, path: bytes, request: Request) -> IResource:
        files = {}
        if self._folder.is_dir() and not request.postpath:
            files = {each.name: each for each in self._folder.iterdir() if each.is_file()}
        found = files.get(path.decode("utf-8", "replace"))
        if found is None or found.suffix not in TYPES:
            return not_found(request)
        return PageFile(found)

    def render(self, request: Request) -> bytes:
        return not_found(request).render(request)  # type: ignore[no-any-return]


class FrontPage(Resource):
    """The page for browsers, and a sentence for other programs."""

    def __init__(self, sentence: IResource, folder: Path = STATIC) -> None:
        """
        @param sentence: what those get who do not ask for HTML.
        """
        super().__init__()
        self._sentence = sentence
        self._page = folder / "index.html"

    def render(self, request: Request) -> bytes | int:
        request.setHeader("vary", "accept")
        wants_page = "text/html" in header_of(request, b"accept")
        if wants_page and self._page.is_file():
            shown: IResource = PageFile(self._page)
        else:
            shown = self._sentence
        answer: bytes | int = shown.render(request)
        return answer
