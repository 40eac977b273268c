"""What ``listen`` and ``connect`` say: endpoints of a node beside its port.

Each is an endpoint string of Twisted, with words of ours in it, such as ``protocol=telnet``, which
are taken out before it is one; and with ``{address}`` or ``{port}`` in it where it stands for many
nodes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from zbtwist.binding.protocols import PROTOCOLS, RAW
from zbtwist.runtime.endpoint_option import client_endpoint, server_endpoint
from zbtwist.runtime.option import Context, Mistake, Parser, choice, seconds
from zbtwist.runtime.udp import UDP, UDPPlace
from zbtwist.xbee.address import Address64

#: How many a node may have of each kind.
MAX_ENDPOINTS = 16

#: Seconds after which a connection that was opened for data is closed, when nothing has passed.
IDLE = 60.0

#: How strings of client endpoints begin that lead to devices, whose ends are no connections'.
_NO_SERVERS = ("serial:", "rfc2217:", "sim:", "stdio:")

#: What stands for something of the node, and what it is while it is only looked at.
_PLACES = ("{address}", "{port}")
_SOME_ADDRESS, _SOME_PORT = Address64(0x0013A200_40000001), 27001

#: A part of an endpoint string with what ends it. What follows a backslash ends none.
_PART = re.compile(r"((?:[^:\\]|\\.)*\\?)(:|$)", re.DOTALL)


@dataclass(frozen=True)
class EndpointWish:
    """One endpoint that a node is to have, or that each of many is.

    @ivar text: as it is written.
    @ivar endpoint: the same without our own words.
    @ivar protocol: what is spoken there: a name of `PROTOCOLS`; None for what the node's port
        speaks.
    @ivar connects: it is a client endpoint; else the node listens there.
    @ivar is_on_data: it is connected only when the node says something.
    @ivar idle: seconds after which it is closed then, when nothing has passed.
    """

    text: str
    endpoint: str
    protocol: str | None = None
    connects: bool = False
    is_on_data: bool = False
    idle: float = IDLE

    @property
    def is_for_many(self) -> bool:
        """Whether it is another one for each node."""
        return any(place in self.endpoint for place in _PLACES)

    @property
    def needs_port(self) -> bool:
        """Whether there is none for a node without a TCP port."""
        return "{port}" in self.endpoint

    @property
    def number(self) -> int:
        """The TCP port that it listens at; 0 if it says none."""
        number = re.match(r"(?:tcp6?|ssl|mtls):(\d{1,5})(?=:|$)", self.endpoint) or re.match(
            r"tls:.*:port=(\d{1,5})(?=:|$)", self.endpoint
        )
        return int(number[1]) if number else 0

    def of_node(self, address64: Address64, port: int) -> EndpointWish:
        """Return the one of a certain node.

        @param port: its TCP port.
        """
        if not self.is_for_many:
            return self
        filled = [self.text, self.endpoint]
        for place, word in zip(_PLACES, (f"{address64:016x}", str(port))):
            filled = [text.replace(place, word) for text in filled]
        return replace(self, text=filled[0], endpoint=filled[1])


def _our_words(text: str, known: dict[str, Parser], context: Context) -> tuple[str, dict[str, Any]]:
    """Return an endpoint string without our own words, and those.

    @param known: how they are read.
    @raise Mistake: one of them is wrong.
    """
    kept: list[str] = []
    words: dict[str, Any] = {}
    for part, end in _PART.findall(text):
        name, sign, value = part.partition("=")
        if not sign or name not in known:
            kept.append(part + end)
            continue
        try:
            words[name] = known[name](value, context)
        except Mistake as mistake:
            raise Mistake(f"{text} is not right: {name} {mistake}") from None
    return "".join(kept).removesuffix(":") if words else text, words


def _check_places(text: str) -> None:
    for place in re.findall(r"\{.*?\}", text):
        if place not in _PLACES:
            raise Mistake(f"{text} has {place}, and there are {' and '.join(_PLACES)} only.")


def _lines_of(parse: Callable[[str, Context], EndpointWish]) -> Parser:
    """Return what reads several, a line each."""

    def parse_all(text: str, context: Context) -> tuple[EndpointWish, ...]:
        found: dict[str, EndpointWish] = {}
        for line in filter(None, map(str.strip, text.split("\n"))):
            wish = parse(line, context)
            if wish.endpoint in found:
                raise Mistake(f"has {wish.endpoint} twice.")
            found[wish.endpoint] = wish
        if len(found) > MAX_ENDPOINTS:
            raise Mistake(f"has {len(found)} endpoints: a node has at most {MAX_ENDPOINTS}.")
        return tuple(found.values())

    return parse_all


def _listen(text: str, context: Context) -> EndpointWish:
    _check_places(text)
    # What PROTOCOLS has is not complete before all of the program is there.
    known = {"protocol": choice({name: name for name in PROTOCOLS})}
    endpoint, words = _our_words(text, known, context)
    wish = EndpointWish(text, endpoint, **words)
    some = wish.of_node(_SOME_ADDRESS, _SOME_PORT).endpoint
    if endpoint.startswith(UDP):
        if words.get("protocol", RAW) != RAW:
            raise Mistake(f"{text} is not right: over UDP the protocol is {RAW}, and no other.")
        try:
            UDPPlace.from_string(some)
        except ValueError as error:
            raise Mistake(f"{text} is no UDP endpoint, such as udp:4001: {error}.") from None
        return replace(wish, protocol=RAW)
    server_endpoint(some, context, "no server endpoint, such as tcp:4001:interface=127.0.0.1")
    return wish


def _connect(text: str, context: Context) -> EndpointWish:
    _check_places(text)
    known = {
        "protocol": choice({name: name for name in PROTOCOLS}),
        "open": choice({"always": False, "data": True}),
        "idle": seconds(1, 86400),
    }
    endpoint, words = _our_words(text, known, context)
    if "idle" in words and not words.get("open"):
        raise Mistake(f"{text} is not right: idle is for open=data only.")
    wish = EndpointWish(
        text,
        endpoint,
        words.get("protocol"),
        connects=True,
        is_on_data=words.get("open", False),
        idle=words.get("idle", IDLE),
    )
    if endpoint.startswith(_NO_SERVERS):
        raise Mistake(f"{endpoint} is no server: name one, such as tcp:HOST:PORT.")
    some = wish.of_node(_SOME_ADDRESS, _SOME_PORT).endpoint
    client_endpoint(some, context, "no client endpoint, such as tcp:HOST:PORT")
    return wish


#: Server endpoints, and those of UDP.
listen = _lines_of(_listen)

#: Client endpoints.
connect = _lines_of(_connect)
