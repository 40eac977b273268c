"""How a host and a port are written, as people and programs read them."""

from __future__ import annotations


def host_and_port(host: str, port: int) -> str:
    """Return them with a colon between them; an IPv6 address is in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
