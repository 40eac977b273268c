"""The files of the page: its shell at ``/``, and what that needs at ``/static/``.

They come from the package itself and nothing else does: names are looked up in a listing, never
joined to a path. The browser keeps a file as long as its ETag is the file's. What is text is sent
compressed to who takes that, as all browsers do.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
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

#: Those that are shorter when they are compressed.
PACKED = frozenset((".css", ".html", ".js", ".json", ".svg", ".webmanifest"))

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


@dataclass(frozen=True, slots=True)
class _Content:
    """A file as it was read last.

    @ivar stamp: by which it is known to be the same still.
    @ivar packed: the same, compressed; empty if that is no shorter.
    """

    stamp: tuple[int, int]
    plain: bytes
    packed: bytes
    etag: str


class Files:
    """The files of a folder, as they were read last: each is read, and compressed, only when it is
    another one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, _Content] = {}

    def content(self, path: Path) -> _Content | None:
        """Return what is in a file; None if it is not there."""
        try:
            found = path.stat()
            stamp = found.st_mtime_ns, found.st_size
            known = self._read.get(path)
            if known is not None and known.stamp == stamp:
                return known
            plain = path.read_bytes()
        except OSError:
            # It was there a moment ago: the program is being updated.
            self._read.pop(path, None)
            return None
        packed = gzip.compress(plain, mtime=0) if path.suffix in PACKED else b""
        if len(packed) >= len(plain):
            packed = b""
        content = _Content(stamp, plain, packed, sha256(plain).hexdigest()[:32])
        self._read[path] = content
        return content


class PageFile(Resource):
    """One file."""

    isLeaf = True

    def __init__(self, files: Files, path: Path) -> None:
        super().__init__()
        self._files = files
        self._path = path

    def render(self, request: Request) -> bytes:
        if request.method not in (b"GET", b"HEAD"):
            return refuse_method(request)
        content = self._files.content(self._path)
        if content is None:
            return not_found(request).render(request)  # type: ignore[no-any-return]
        for name, value in _HEADERS.items():
            request.setHeader(name, value)
        request.setHeader("content-type", TYPES[self._path.suffix])
        vary = request.responseHeaders.getRawHeaders("vary", [])
        request.setHeader("vary", ", ".join((*vary, "accept-encoding")))
        body, etag = content.plain, content.etag
        if content.packed and takes_gzip(header_of(request, b"accept-encoding")):
            request.setHeader("content-encoding", "gzip")
            # What is sent is another sequence of bytes: RFC 9110, 8.8.3.3.
            body, etag = content.packed, f"{etag}-gzip"
        if request.setETag(f'"{etag}"'.encode()) is http.CACHED:
            return b""
        return body


def takes_gzip(accepted: str) -> bool:
    """Whether a header Accept-Encoding allows gzip: RFC 9110, 12.5.3."""
    for coding in accepted.lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() in ("gzip", "*"):
            return re.fullmatch(r"\s*q=0(\.0*)?\s*", weight) is None
    return False


class StaticFiles(Resource):
    """The files of a folder, without those of its folders."""

    def __init__(self, folder: Path = STATIC) -> None:
        super().__init__()
        self._files = Files(folder)

    def getChild(self, path: bytes, request: Request) -> IResource:
        files = {}
        folder = self._files.folder
        if folder.is_dir() and not request.postpath:
            files = {each.name: each for each in folder.iterdir() if each.is_file()}
        found = files.get(path.decode("utf-8", "replace"))
        if found is None or found.suffix not in TYPES:
            return not_found(request)
        return PageFile(self._files, found)

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
        self._files = Files(folder)
        self._page = folder / "index.html"

    def render(self, request: Request) -> bytes | int:
        request.setHeader("vary", "accept")
        wants_page = "text/html" in header_of(request, b"accept")
        if wants_page and self._page.is_file():
            shown: IResource = PageFile(self._files, self._page)
        else:
            shown = self._sentence
        answer: bytes | int = shown.render(request)
        return answer
