"""The files of the page: its shell at ``/``, and what that needs at ``/static/``.

They come from the package itself and nothing else does: names are looked up in a listing, never
joined to a path. What is text is sent compressed to who takes that, as all browsers do.

A page needs several dozen files. So that the browser asks for each only once, the shell names them
in a folder that is called by what is in all of them: what is there never changes, and is kept. And
it names the modules at once, which the browser would else find one in the other.
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
}

#: Ask each time whether it is still so: the answer is short, and an update is seen at once.
_ASK = "no-cache"

#: It stays so: RFC 8246.
_KEEP = "max-age=31536000, immutable"

#: What a folder is called by, in hexadecimal digits.
_EDITION = re.compile(rb"[0-9a-f]{16}")


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


def _content(stamp: tuple[int, int], plain: bytes, pack: bool) -> _Content:
    packed = gzip.compress(plain, mtime=0) if pack else b""
    if len(packed) >= len(plain):
        packed = b""
    return _Content(stamp, plain, packed, sha256(plain).hexdigest()[:32])


class Files:
    """The files of a folder, as they were read last: each is read, and compressed, only when it is
    another one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: What they were called by when they were looked at last, and of what that was made.
        self.edition = ""
        self.known: dict[str, Path] = {}
        self.etags: dict[str, str] = {}
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
        content = self._read[path] = _content(stamp, plain, path.suffix in PACKED)
        return content

    def listed(self) -> dict[str, Path]:
        """Return the files that are served, by their names."""
        if not self.folder.is_dir():
            return {}
        found = (each for each in self.folder.iterdir() if each.suffix in TYPES and each.is_file())
        return {each.name: each for each in found}

    def take_edition(self) -> str:
        """Look at all of them, and return what they are called by."""
        self.known = self.listed()
        contents = {name: self.content(path) for name, path in sorted(self.known.items())}
        self.etags = {name: one.etag for name, one in contents.items() if one is not None}
        self.edition = sha256(repr(self.etags).encode()).hexdigest()[:16]
        return self.edition


class PageFile(Resource):
    """One file."""

    isLeaf = True

    def __init__(self, files: Files, path: Path, edition: str = "") -> None:
        """
        @param edition: what its folder is called by; empty for its plain name.
        """
        super().__init__()
        self._files = files
        self._path = path
        self._edition = edition

    def content(self) -> _Content | None:
        """Return what is sent; None if it is not there."""
        return self._files.content(self._path)

    def render(self, request: Request) -> bytes:
        if request.method not in (b"GET", b"HEAD"):
            return refuse_method(request)
        content = self.content()
        if content is None:
            return not_found(request).render(request)  # type: ignore[no-any-return]
        for name, value in _HEADERS.items():
            request.setHeader(name, value)
        # While the program is being updated, a name may stand for another edition's file.
        stays = self._edition and self._edition == self._files.edition
        is_kept = stays and self._files.etags.get(self._path.name) == content.etag
        request.setHeader("cache-control", _KEEP if is_kept else _ASK)
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


class Shell(PageFile):
    """The page itself, which names its files by their edition."""

    def __init__(self, files: Files) -> None:
        super().__init__(files, files.folder / "index.html")
        self._made: _Content | None = None
        self._made_of: tuple[str, str] | None = None

    @property
    def is_there(self) -> bool:
        """Whether the package has a page."""
        return self._path.is_file()

    def content(self) -> _Content | None:
        found = super().content()
        if found is None:
            return None
        edition = self._files.take_edition()
        if self._made is None or self._made_of != (found.etag, edition):
            self._made = _content(found.stamp, self._named(found.plain, edition), pack=True)
            self._made_of = found.etag, edition
        return self._made

    def _named(self, page: bytes, edition: str) -> bytes:
        modules = "".join(
            f'<link rel="modulepreload" href="static/{name}">\n  '
            for name in self._files.etags
            if name.endswith(".js") and f'<script src="static/{name}"'.encode() not in page
        )
        begin = b'<script type="module"'
        page = page.replace(begin, modules.encode() + begin, 1)
        return page.replace(b'"static/', f'"static/{edition}/'.encode())


def takes_gzip(accepted: str) -> bool:
    """Whether a header Accept-Encoding allows gzip: RFC 9110, 12.5.3."""
    for coding in accepted.lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() in ("gzip", "*"):
            return re.fullmatch(r"\s*q=0(\.0*)?\s*", weight) is None
    return False


class StaticFiles(Resource):
    """The files of a folder, without those of its folders; each by its name, and also in a folder
    that is called by the edition.
    """

    def __init__(self, files: Files | None = None) -> None:
        super().__init__()
        self._files = files or Files(STATIC)

    def getChild(self, path: bytes, request: Request) -> IResource:
        edition = ""
        rest = request.postpath or []
        if _EDITION.fullmatch(path) and len(rest) == 1:
            edition = path.decode()
            path = rest.pop()
        if rest:
            return not_found(request)
        files = self._files
        # A page has asked for them a moment ago; to list them for each takes longer than the rest.
        found = files.known if edition and edition == files.edition else files.listed()
        file = found.get(path.decode("utf-8", "replace"))
        return not_found(request) if file is None else PageFile(self._files, file, edition)

    def render(self, request: Request) -> bytes:
        return not_found(request).render(request)  # type: ignore[no-any-return]


class FrontPage(Resource):
    """The page for browsers, and a sentence for other programs."""

    def __init__(self, sentence: IResource, files: Files | None = None) -> None:
        """
        @param sentence: what those get who do not ask for HTML.
        @param files: those that `StaticFiles` has.
        """
        super().__init__()
        self._sentence = sentence
        self._shell = Shell(files or Files(STATIC))

    def render(self, request: Request) -> bytes | int:
        request.setHeader("vary", "accept")
        wants_page = "text/html" in header_of(request, b"accept")
        shown = self._shell if wants_page and self._shell.is_there else self._sentence
        answer: bytes | int = shown.render(request)
        return answer
