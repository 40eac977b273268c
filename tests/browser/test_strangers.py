"""What a page of the web can do through its reader's browser: nothing comes to a device, and the
operator is served.

The page is of a server of the test's own, under names that lead to this computer: one of those that
a browser resolves so by itself, and ones without a dot, as of a site that has its name rebound.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import urlopen

from twisted.trial.unittest import SynchronousTestCase

from tests.browser.support import missing, start_browser, wait_until
from tests.support import left_out
from tests.system.support import Gateway

#: What the page does to a port; then it says in its title that it has.
PAGE = """<!doctype html><title>waiting</title><body><script>
const quiet = (work) => { try { return Promise.resolve(work()).catch(() => {}) } catch { } }
const forms = (url) => {
  for (const kind of ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded"]) {
    const frame = document.createElement("iframe");
    frame.name = "frame" + Math.random();
    const form = document.createElement("form");
    Object.assign(form, {method: "post", action: url, enctype: kind, target: frame.name});
    const field = document.createElement("textarea");
    Object.assign(field, {name: "x", value: "\\nRELAY ON\\n"});
    form.append(field);
    document.body.append(frame, form);
    form.submit();
  }
}
async function attack(host, port) {
  const place = host + ":" + port;
  forms("http://" + place + "/RPC2");
  const asked = [];
  for (const scheme of ["http://", "https://"]) {
    for (const method of ["GET", "POST", "PUT", "RELAY"]) {
      const body = method === "GET" ? undefined : "\\nRELAY ON\\n";
      asked.push(quiet(() => fetch(scheme + place + "/", {method, body, mode: "cors"})));
      if (method !== "PUT" && method !== "RELAY") {
        asked.push(quiet(() => fetch(scheme + place + "/", {method, body, mode: "no-cors"})));
      }
    }
  }
  for (const path of ["/", "/live", "/terminal/ECHO", "/tap/ECHO"]) {
    quiet(() => new WebSocket("ws://" + place + path));
    quiet(() => new WebSocket("wss://" + place + path));
  }
  quiet(() => new EventSource("http://" + place + "/events"));
  const peer = new RTCPeerConnection({iceServers: [
    {urls: "turn:" + place + "?transport=tcp", username: "RELAY ON", credential: "x"}]});
  peer.createDataChannel("x");
  await quiet(() => peer.createOffer().then((offer) => peer.setLocalDescription(offer)));
  await Promise.race([Promise.all(asked), new Promise((done) => setTimeout(done, 3000))]);
  document.title = "attacked";
}
async function crowd(port) {
  for (let number = 0; number < 150; number++) {
    quiet(() => new WebSocket("ws://x" + number + ".localhost:" + port + "/live"));
    quiet(() => fetch("http://y" + number + ".localhost:" + port + "/events", {mode: "no-cors"}));
  }
  await new Promise((done) => setTimeout(done, 1500));
  document.title = "crowded";
}
</script>"""


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer with the page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE.encode())

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


class StrangersTests(SynchronousTestCase):
    skip = missing() or left_out() or None

    def setUp(self) -> None:
        self.gateway = Gateway("sim:nodes=3:kinds=echo:nt=0.3:interval=0")
        self.addCleanup(self.gateway.stop)
        rows = self.gateway.nodes(3)
        self.port = min(row["tcp_port"] for row in rows.values())
        self.site = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
        threading.Thread(target=self.site.serve_forever, daemon=True).start()
        self.addCleanup(self.site.server_close)
        self.addCleanup(self.site.shutdown)
        self.driver = self.start_browser()

    def start_browser(self) -> Any:
        """Start a browser of its own, for which some names lead to this computer."""
        folder = tempfile.mkdtemp(prefix="zbtwist-test-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        driver = start_browser(
            "--host-resolver-rules=MAP evil 127.0.0.1, MAP evil.example 127.0.0.1",
            # What may keep a page off the local network in newer browsers is not tried here.
            "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
            f"--user-data-dir={folder}",
        )
        self.addCleanup(driver.quit)
        return driver

    def open(self, host: str = "evil.example") -> None:
        self.driver.get(f"http://{host}:{self.site.server_address[1]}/")

    def do(self, script: str, title: str) -> str:
        """Have the page do something, and wait until its title says that it has."""
        self.driver.execute_script(script)
        found: str = wait_until(
            lambda: self.driver.title if title in self.driver.title else None,
            f"{title} of {script}",
        )
        return found

    def bytes_out(self) -> float:
        return float(sum(row["bytes_out"] for row in self.gateway.api.stats()))

    def check_served(self) -> None:
        """The operator is, and no byte has come to a device."""
        with urlopen(f"http://127.0.0.1:{self.gateway.control}/healthz", timeout=10) as answer:
            self.assertEqual(answer.status, 200)
        self.assertEqual(self.bytes_out(), 0)
        self.assertNotIn("Traceback", self.gateway.output)

    def test_nodes(self) -> None:
        for page in ("evil.example", "localhost"):
            for host in ("127.0.0.1", "localhost", "evil"):
                self.open(page)
                self.do(f"attack('{host}', {self.port})", "attacked")
                self.check_served()
        self.assertIn("as a browser does for any web page", self.gateway.output)

    def test_control_port(self) -> None:
        """Nothing of the gateway is changed, and its clients are none of the page's."""
        for host in ("127.0.0.1", "localhost", "evil", "evil.example"):
            self.open()
            self.do(f"attack('{host}', {self.gateway.control})", "attacked")
            self.check_served()
            self.assertEqual(sum(row["clients"] for row in self.gateway.api.stats()), 0)

    def test_name_that_is_rebound(self) -> None:
        """The page is of the gateway's own origin, as far as the browser knows."""
        for host in ("evil", "evil.example"):
            self.driver.get(f"http://{host}:{self.gateway.control}/healthz")
            self.assertIn("a name that may be anybody's", self.driver.page_source)
        self.driver.get(f"http://localhost:{self.gateway.control}/healthz")
        self.assertIn("ok", self.driver.page_source)

    def test_crowd(self) -> None:
        """A page has as many connections as it has names."""
        for port in (self.gateway.control, self.port):
            self.open()
            self.do(f"crowd({port})", "crowded")
            self.check_served()
