"""The files of the page: who gets them, with which headers, and that nobody gets others."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.clock import Clock
from tests.control.http.support import FakeOperations, parse_response
from zbtwist.control.http.site import control_site
from zbtwist.control.web.pages import STATIC, TYPES, Files, FrontPage, StaticFiles

PAGE = b"<!doctype html><title>zbtwist</title>"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class PagesTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        (self.folder / "below").mkdir(parents=True)
        (self.folder / "index.html").write_bytes(PAGE)
        (self.folder / "console.js").write_bytes(b"export const x = 1;\n")
        (self.folder / "notes.txt").write_bytes(b"not served")
        (self.folder / "below" / "deep.js").write_bytes(b"not served")
        (self.folder.parent / "secret.js").write_bytes(b"not served")
        # A clock of its own, so that nothing waits in the reactor behind the test.
        self.site = control_site(FakeOperations(), Clock())
        root = self.site.resource
        files = Files(self.folder)
        root.front_page = FrontPage(root.front_page, files)
        root.putChild(b"static", StaticFiles(files))

    def get(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        transport = StringTransport()
        channel = self.site.buildProtocol(None)
        channel.makeConnection(transport)
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        channel.dataReceived("\r\n".join([*lines, "", ""]).encode())
        return parse_response(transport.value())


class Front(PagesTestCase):
    def test_browsers_get_the_page(self) -> None:
        status, headers, body = self.get("/", **BROWSER)
        self.assertEqual((status, body), (200, PAGE))
        self.assertEqual(headers["content-type"], "text/html; charset=utf-8")
        self.assertEqual(headers["vary"], "accept, accept-encoding")

    def test_others_get_a_sentence(self) -> None:
        for accept in ({}, {"Accept": "*/*"}, {"Accept": "text/plain"}):
            status, headers, body = self.get("/", **accept)
            self.assertEqual(status, 200)
            self.assertTrue(headers["content-type"].startswith("text/plain"))
            self.assertIn(b"XML-RPC", body)
            self.assertEqual(headers["vary"], "accept")

    def test_package_without_a_page(self) -> None:
        (self.folder / "index.html").unlink()
        self.assertIn(b"XML-RPC", self.get("/", **BROWSER)[2])

    def test_head(self) -> None:
        status, headers, body = self.get("/", "HEAD", **BROWSER)
        self.assertEqual((status, body), (200, b""))
        self.assertEqual(headers["content-length"], str(len(PAGE)))

    def test_the_real_page_needs_nothing_but_its_own_files(self) -> None:
        names = {each.name for each in STATIC.iterdir()}
        self.assertIn("index.html", names)
        self.assertEqual({Path(name).suffix for name in names} - TYPES.keys(), set())


class Served(PagesTestCase):
    def test_types(self) -> None:
        for suffix, content_type in TYPES.items():
            (self.folder / f"a{suffix}").write_bytes(b"content")
            status, headers, body = self.get(f"/static/a{suffix}")
            self.assertEqual((status, body), (200, b"content"))
            self.assertEqual(headers["content-type"], content_type)

    def test_no_others_are_served(self) -> None:
        for path in (
            "/static/notes.txt",
            "/static/below",
            "/static/below/deep.js",
            "/static/console.js/x",
            "/static/../secret.js",
            "/static/%2e%2e/secret.js",
            "/static/..%2fsecret.js",
            "/static/%2e%2e%2fsecret.js",
            "/static/below%2fdeep.js",
            "/static/.",
            "/static/",
            "/static",
            "/static/%ff.js",
            "/static/nothing.js",
        ):
            status, _, body = self.get(path)
            self.assertEqual(status, 404, path)
            self.assertNotIn(b"not served", body)

    def test_headers_that_keep_strangers_out(self) -> None:
        for path in ("/", "/static/console.js"):
            _, headers, _ = self.get(path, **BROWSER)
            policy = headers["content-security-policy"]
            self.assertTrue(policy.startswith("default-src 'self';"))
            self.assertIn("frame-ancestors 'none'", policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertEqual(headers["referrer-policy"], "no-referrer")

    def test_what_the_browser_has_is_not_sent_again(self) -> None:
        for path in ("/", "/static/console.js"):
            _, headers, _ = self.get(path, **BROWSER)
            self.assertEqual(headers["cache-control"], "no-cache")
            status, again, body = self.get(path, If_None_Match=headers["etag"], **BROWSER)
            self.assertEqual((status, body), (304, b""))
            self.assertEqual(again["etag"], headers["etag"])

    def test_compressed(self) -> None:
        """Who takes that gets it; it is another thing to a cache than what others get."""
        content = b"export const x = 1;\n" * 100
        (self.folder / "console.js").write_bytes(content)
        _, plain, body = self.get("/static/console.js")
        self.assertEqual(body, content)
        self.assertNotIn("content-encoding", plain)
        for accepted in ("gzip", "gzip, deflate, br", "br;q=1.0, GZIP;q=0.5", "*"):
            status, headers, body = self.get("/static/console.js", Accept_Encoding=accepted)
            self.assertEqual((status, headers["content-encoding"]), (200, "gzip"), accepted)
            self.assertEqual(gzip.decompress(body), content)
            self.assertEqual(headers["content-length"], str(len(body)))
            self.assertIn("accept-encoding", headers["vary"])
            self.assertNotEqual(headers["etag"], plain["etag"])
        for accepted in ("", "identity", "gzip;q=0", "gzip; q=0.0, br", "x-gzipped"):
            _, headers, body = self.get("/static/console.js", Accept_Encoding=accepted)
            self.assertEqual((body, headers["etag"]), (content, plain["etag"]), accepted)
        headers = self.get("/static/console.js", Accept_Encoding="gzip")[1]
        again = {"Accept_Encoding": "gzip", "If_None_Match": headers["etag"]}
        self.assertEqual(self.get("/static/console.js", **again)[0::2], (304, b""))

    def test_what_gets_no_shorter_is_sent_as_it_is(self) -> None:
        (self.folder / "a.png").write_bytes(bytes(1000))
        for path in ("/static/a.png", "/static/console.js"):
            headers = self.get(path, Accept_Encoding="gzip")[1]
            self.assertNotIn("content-encoding", headers)

    def test_file_that_has_gone(self) -> None:
        files = Files(self.folder)
        path = self.folder / "console.js"
        self.assertIsNotNone(files.content(path))
        path.unlink()
        self.assertIsNone(files.content(path))

    def shell(self) -> str:
        (self.folder / "theme.js").write_bytes(b"show()\n")
        (self.folder / "index.html").write_bytes(
            b'<script src="static/theme.js"></script>\n'
            b'<script type="module" src="static/console.js"></script>\n'
        )
        return self.get("/", **BROWSER)[2].decode()

    def test_page_names_its_files_by_their_edition(self) -> None:
        """They are kept, and another edition has other names."""
        said = self.shell()
        [edition] = set(re.findall(r"static/([0-9a-f]{16})/", said))
        modules = re.findall(r'rel="modulepreload" href="([^"]+)"', said)
        self.assertEqual(modules, [f"static/{edition}/console.js"])
        self.assertNotIn('"static/theme', said)
        path = f"/static/{edition}/console.js"
        status, headers, body = self.get(path)
        self.assertEqual((status, body), (200, b"export const x = 1;\n"))
        self.assertIn("immutable", headers["cache-control"])
        (self.folder / "console.js").write_bytes(b"export const x = 22;\n")
        # Nobody keeps another edition's file under this name.
        _, headers, body = self.get(path)
        self.assertEqual((body, headers["cache-control"]), (b"export const x = 22;\n", "no-cache"))
        again = self.get("/", **BROWSER)[2].decode()
        self.assertNotIn(edition, again)

    def test_folders_that_are_no_edition(self) -> None:
        self.shell()
        for path in ("/static/abc/console.js", f"/static/{'a' * 16}/below/deep.js"):
            self.assertEqual(self.get(path)[0], 404, path)
        _, headers, _ = self.get(f"/static/{'a' * 16}/console.js")
        self.assertEqual(headers["cache-control"], "no-cache")

    def test_update_is_seen_at_once(self) -> None:
        _, headers, _ = self.get("/static/console.js")
        (self.folder / "console.js").write_bytes(b"export const x = 2;\n")
        status, _, body = self.get("/static/console.js", If_None_Match=headers["etag"])
        self.assertEqual((status, body), (200, b"export const x = 2;\n"))

    def test_other_methods_are_refused(self) -> None:
        for method in ("POST", "PUT", "DELETE"):
            self.assertIn(self.get("/static/console.js", method)[0], (405, 501))
