"""The console's WebSockets with the real program, over real sockets."""

from __future__ import annotations

import json
import socket
from typing import Any

from twisted.trial.unittest import TestCase
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    RejectConnection,
    Request,
    TextMessage,
)

from tests.support import left_out
from tests.system.support import PATIENCE, PROMPT, Gateway

# It is the same with every Python.
skip = left_out() or None


class Viewer:
    """The other end of a WebSocket, on a real socket."""

    def __init__(self, control: int, path: str, origin: str = "", unread: int = 0) -> None:
        """
        @param unread: how many bytes the system is to keep for it; 0 leaves that to the system.
        """
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        if unread:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, unread)
        self.socket.connect(("127.0.0.1", control))
        self.websocket = WSConnection(ConnectionType.CLIENT)
        headers = [(b"Origin", origin.encode())] if origin else []
        host = f"127.0.0.1:{control}"
        self.send(Request(host=host, target=path, extra_headers=headers))

    def send(self, event: Event) -> None:
        self.socket.sendall(self.websocket.send(event))

    def wait_for(self, *kinds: type[Event]) -> Any:
        """Return the next event of one of these kinds; others are passed over."""
        while True:
            for event in self.websocket.events():
                if isinstance(event, kinds):
                    return event
            data = self.socket.recv(65536)
            assert data, f"no {kinds} before the end"
            self.websocket.receive_data(data)

    def message(self, kind: str) -> Any:
        """Return the next text message of that type."""
        text = ""
        while True:
            event = self.wait_for(TextMessage)
            text += event.data
            if event.message_finished:
                message, text = json.loads(text), ""
                if message["type"] == kind:
                    return message

    def stream(self, count: int) -> bytes:
        """Return the next `count` bytes that came as bytes messages."""
        data = b""
        while len(data) < count:
            data += self.wait_for(BytesMessage).data
        return data


class ConsoleTests(TestCase):
    def start(self, serial: str) -> Gateway:
        gateway = Gateway(serial)
        self.addCleanup(gateway.stop)
        return gateway

    def view(self, gateway: Gateway, path: str = "/live", **how: Any) -> Viewer:
        viewer = Viewer(gateway.control, path, **how)
        self.addCleanup(viewer.socket.close)
        return viewer

    def test_a_viewer_a_terminal_and_the_end(self) -> None:
        gateway = self.start("sim:nt=0.3")
        gateway.nodes(3)
        foreign = self.view(gateway, origin="http://evil.example")
        self.assertEqual(foreign.wait_for(RejectConnection).status_code, 403)
        live = self.view(gateway, origin=f"http://127.0.0.1:{gateway.control}")
        live.wait_for(AcceptConnection)
        labels = {node["label"] for node in live.message("snapshot")["nodes"]}
        self.assertIn("ECHO", labels)
        terminal = self.view(gateway, "/terminal/ECHO")
        self.assertEqual(terminal.message("open"), {"type": "open"})
        terminal.send(BytesMessage(b"hello\r"))
        self.assertEqual(terminal.stream(6), b"hello\r")
        while not any(node.get("bytes_sent") for node in live.message("changes")["nodes"]):
            pass
        self.assertLess(gateway.stop(), PROMPT)
        self.assertIn("closed", terminal.message("closed")["reason"])
        for viewer in (live, terminal):
            self.assertEqual(viewer.wait_for(CloseConnection).code, 1001)
        self.assertNotIn("Traceback", gateway.output)

    def test_viewer_that_stops_reading_holds_nobody_up(self) -> None:
        """Nothing is read from it any more; the nodes' streams go on, and the program can end."""
        gateway = self.start("sim:nt=0.3")
        node = gateway.nodes(3)["ECHO"]
        stuck = self.view(gateway, unread=4096)
        stuck.wait_for(AcceptConnection)
        stuck.socket.settimeout(0.5)
        # Each is refused in a sentence.
        call = {"id": 1, "call": "rename", "arguments": ["ECHO", "\1"]}
        data = b"".join(stuck.websocket.send(TextMessage(json.dumps(call))) for _ in range(200))
        with self.assertRaises(TimeoutError):
            for _ in range(2000):
                stuck.socket.sendall(data)
        client = socket.create_connection(("127.0.0.1", node["tcp_port"]), PATIENCE)
        self.addCleanup(client.close)
        piece = bytes(range(250))
        for _ in range(20):
            client.sendall(piece)
            echoed = b""
            while len(echoed) < len(piece):
                echoed += client.recv(65536)
            self.assertEqual(echoed, piece)
        self.assertLess(gateway.stop(), PROMPT)
        self.assertNotIn("Traceback", gateway.output)
