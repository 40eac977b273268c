"""Clients whose computer dies without a word, before the real program.

    unshare -rn python -m tests.system.dead_clients METER [--keepalive 60 …]

runs a gateway on a simulated network, has 64 clients come to one node from an address each, takes
those addresses away, and prints after how many seconds there is room for one more. It needs a
network of its own, which ``unshare -rn`` makes, and ``ip``. What stands behind is for the gateway.
"""

from __future__ import annotations

import select
import shutil
import socket
import subprocess
import sys
import time

from tests.system.support import QUICK, Gateway, wait_until

#: The clients' computers, which die: as many as there may be clients. Of one that has several of
#: them one would give way to the newcomer.
ADDRESSES = [f"10.99.99.{number}" for number in range(1, 65)]

_IP = shutil.which("ip") or "ip"

#: Seconds within which there must be room.
PATIENCE = 180.0


def _ip(*words: str) -> None:
    subprocess.run([_IP, *words], check=True)


def is_taken(port: int) -> bool:
    """Whether a client of this computer is taken, and stays for a moment."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        # Whoever is refused is reset.
        readable, _, _ = select.select([client], [], [], 0.3)
        try:
            return not readable or bool(client.recv(1000))
        except ConnectionResetError:
            return False


def seconds_until_there_is_room(label: str, *options: str) -> float:
    """
    @param label: the node that they come to: METER talks all the time, ECHO is silent.
    @param options: of the gateway.
    """
    # What goes to them when they are dead leads nowhere, and nothing says so.
    _ip("link", "add", "grave", "arp", "off", "type", "veth", "peer", "name", "below")
    for name in ("grave", "below"):
        _ip("link", "set", name, "up")
    _ip("route", "add", "10.99.99.0/24", "dev", "grave")
    for address in ADDRESSES:
        _ip("address", "add", f"{address}/32", "dev", "lo")
    gateway = Gateway(QUICK, "--interface", "0.0.0.0", "--no-auth", *options)
    try:
        port = int(gateway.nodes(3)[label]["tcp_port"])
        clients = [
            socket.create_connection(("127.0.0.1", port), source_address=(address, 0))
            for address in ADDRESSES
        ]
        wait_until(lambda: len(gateway.api.clients(label)) == len(clients), "all are there")
        for address in ADDRESSES:
            _ip("address", "del", f"{address}/32", "dev", "lo")
        began = time.monotonic()
        wait_until(lambda: is_taken(port), "there is room", PATIENCE)
        took = time.monotonic() - began
        for client in clients:
            client.close()
    finally:
        gateway.stop()
    return took


def main() -> None:
    label, *options = sys.argv[1:]
    _ip("link", "set", "lo", "up")
    print(f"{seconds_until_there_is_room(label, *options):.1f}")


if __name__ == "__main__":
    main()
