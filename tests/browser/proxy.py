"""What stands between a browser and a gateway: a proxy, as wrong as people set them up."""

from __future__ import annotations

import re
import socket
import threading
from base64 import b64encode
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Rules:
    """What a proxy does with requests.

    @ivar host: how it asks for the gateway; "" as the browser did.
    @ivar passes_websockets: whether it lets a connection be upgraded.
    @ivar wants: ``NAME:PASSWORD`` that it asks for by itself; "" for none.
    @ivar cookie: what it asks for in place of that, and gives to who opens the page.
    @ivar leads_away: whether who lacks that is sent to another site to get it.
    @ivar folder: where in its own addresses those of the gateway begin.
    """

    host: str = ""
    passes_websockets: bool = True
    wants: str = ""
    cookie: str = ""
    leads_away: bool = False
    folder: str = "/"


class Proxy:
    """A proxy to a port of this computer; each connection is one request."""

    def __init__(self, port: int, **rules: Any) -> None:
        self._port = port
        self.rules = Rules(**rules)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def change(self, **rules: Any) -> None:
        """Do something else from now on."""
        self.rules = replace(self.rules, **rules)

    def close(self) -> None:
        """Take no more connections."""
        # Else who waits for one goes on to.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client:
                self._pass_on(client)
        except OSError:
            # One of both has left.
            pass

    def _pass_on(self, client: socket.socket) -> None:
        read = b""
        while b"\r\n\r\n" not in read:
            piece = client.recv(65536)
            if not piece:
                return
            read += piece
        rules = self.rules
        head, _, rest = read.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(re.split(r":\s*", line.lower(), maxsplit=1) for line in lines)
        method, path, _ = first.split(" ")
        if rules.wants:
            wanted = f"Basic {b64encode(rules.wants.encode()).decode()}"
            if f"authorization: {wanted}".lower() not in map(str.lower, lines):
                self._refuse(client, 'WWW-Authenticate: Basic realm="proxy"\r\n')
                return
        is_page = method == "GET" and path.partition("?")[0] == rules.folder
        if rules.cookie and not is_page and rules.cookie not in headers.get("cookie", ""):
            self._refuse(client, "")
            return
        dropped = ["connection:"] if headers.get("upgrade") is None else []
        if not rules.passes_websockets:
            dropped = ["connection:", "upgrade:"]
        lines = [line for line in lines if not line.lower().startswith(tuple(dropped) or ("\0",))]
        if rules.host:
            lines = [line for line in lines if not line.lower().startswith("host:")]
            lines.append(f"Host: {rules.host}")
        if dropped:
            lines.append("Connection: close")
        path = "/" + path.removeprefix(rules.folder)
        with socket.create_connection(("127.0.0.1", self._port)) as gateway:
            asked = "\r\n".join((f"{method} {path} HTTP/1.1", *lines, "", ""))
            gateway.sendall(asked.encode("latin-1") + rest)
            threading.Thread(target=_copy, args=(client, gateway), daemon=True).start()
            if rules.cookie and is_page:
                answer = gateway.recv(65536)
                begin, _, end = answer.partition(b"\r\n")
                cookie = f"Set-Cookie: {rules.cookie}; Path=/; SameSite=Strict; HttpOnly"
                client.sendall(b"%b\r\n%b\r\n%b" % (begin, cookie.encode(), end))
            _copy(gateway, client)

    def _refuse(self, client: socket.socket, header: str) -> None:
        status = "401 Unauthorized"
        if self.rules.leads_away:
            status, header = "302 Found", "Location: http://login.example/\r\n"
        client.sendall(
            f"HTTP/1.1 {status}\r\n{header}Content-Type: text/html\r\n"
            "Content-Length: 20\r\nConnection: close\r\n\r\n<h1>Who is it?</h1>\n".encode()
        )


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        # One of both has left.
        pass
