"""What an option may be: from the text that a person writes to a value, or a sentence.

Each parser is one of `zbtwist.runtime.option.Parser`; those that any option may have are there.
"""

from __future__ import annotations

import ipaddress
import os
import re

from twisted.internet.endpoints import quoteStringArgument

from zbtwist.control.http.login import FILE_KINDS, checker_of
from zbtwist.mqtt.settings import PORT, TLS_PORT
from zbtwist.runtime.endpoint_option import LAST_PORT, client_endpoint, server_endpoint
from zbtwist.runtime.option import (
    Context,
    Mistake,
    Parser,
    absolute,
    choice,
    file_path,
    number,
    printable,
    word_or,
)
from zbtwist.xbee.address import (
    BROADCAST64,
    COORDINATOR64,
    UNKNOWN64,
    Address64,
    AddressError,
    parse_address64,
)

#: The state that is forgotten at the end.
IN_MEMORY = ":memory:"

NO_SERIAL = (
    "is missing: name the port of the XBee (such as /dev/ttyUSB0), "
    "or sim: to try the gateway without one."
)


#: A TCP port.
port = number(1, LAST_PORT)


#: None is to be found out.
baud_rate = word_or({"auto": None}, number(1, 4_000_000), "auto or a number from 1 to 4000000")


def serial(text: str, context: Context) -> str:
    if not text:
        raise Mistake(NO_SERIAL)
    if is_path(text):
        if not text.isprintable():
            raise Mistake(f"must be printable, not {text!r}.")
        return text if text.startswith("/") else absolute(text, context)
    if "://" in text:
        text = _fleet_of_url(text) or _endpoint_of_url(text)
    if ":" not in text:
        raise Mistake(
            f"{text} is neither the path of a port, such as /dev/ttyUSB0, nor an endpoint, such as "
            "tcp:HOST:PORT."
        )
    client_endpoint(text, context, "neither the path of a port nor an endpoint")
    return text


#: What the URLs of pyserial, and of programs that write them as it does, are as endpoints.
_OF_URLS = {"tcp": "tcp", "socket": "tcp", "rfc2217": "rfc2217", "tls": "tls", "ssl": "tls"}


def _fleet_of_url(text: str) -> str:
    """Return the endpoint of a broker for a URL such as ``mqtt://HOST:PORT``; empty for another."""
    url = re.fullmatch(r"(mqtts?)://(\[[0-9a-fA-F:.]+\]|[^:/?#\[\]@]+)(?::(\d+))?/?", text)
    if url is None:
        return ""
    tls = url[1] == "mqtts"
    port = url[3] or str(TLS_PORT if tls else PORT)
    host = quoteStringArgument(url[2].strip("[]"))
    return f"mqtt:{host}:{port}" + (":tls=yes" if tls else "")


def _endpoint_of_url(text: str) -> str:
    """Return the endpoint that a URL such as ``socket://HOST:PORT`` stands for.

    @raise Mistake: it stands for none.
    """
    kind, _, rest = text.partition("://")
    if kind.lower() not in _OF_URLS:
        raise Mistake(
            f"{text} is no URL that is known here: write the path of a port, such as "
            "/dev/ttyUSB0, or of a serial server tcp:HOST:PORT (raw) or rfc2217:HOST:PORT."
        )
    endpoint = _OF_URLS[kind.lower()]
    where = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:/?#\[\]]+)):(\d+)/?", rest)
    if where is None:
        host = re.match(r"(?:\[[^\]]*\]|[^:/?#\[\]]+):\d+", rest)
        raise Mistake(
            f"{text} must have a host and a port and nothing else: write "
            f"{endpoint}:{host[0] if host else 'HOST:PORT'}."
        )
    host_name = quoteStringArgument(where[1] or where[2])
    return f"{endpoint}:{host_name}:{where[3]}"


#: None stands for whatever the radio is in.
api_mode = choice({"auto": None, "1": 1, "2": 2})


def control(text: str, context: Context) -> str:
    if text.lstrip("-").isdecimal():
        return str(port(text, context))
    return _server(text, context, "neither a port number nor a server endpoint")


def endpoint(text: str, context: Context) -> str:
    return _server(text, context, "not a server endpoint, such as tcp:27001:interface=127.0.0.1")


def _server(text: str, context: Context, verdict: str) -> str:
    server_endpoint(text, context, verdict)
    return text


def users(text: str, context: Context) -> tuple[str, ...]:
    """Whose passwords are right: descriptions for twisted.cred's --auth, a line each."""
    return tuple(_users(line.strip(), context) for line in text.split("\n") if line.strip())


def _users(description: str, context: Context) -> str:
    kind, colon, argument = description.partition(":")
    if colon and argument and kind in FILE_KINDS:
        path = file_path(argument, context)
        if not os.path.isfile(path):
            raise Mistake(f"names users in {path}, and there is no such file.")
        description = f"{kind}:{path}"
    try:
        checker_of(description)
    except ValueError as error:
        # What follows the kind may be a password.
        raise Mistake(
            f"must be such as argon2:/etc/zbtwist/users, and {kind[:20]!r} is not: {error}."
        ) from None
    return description


def interface(text: str, context: Context) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise Mistake(
            "must be an IP address of this computer, such as 127.0.0.1, "
            f"or 0.0.0.0 for all of them, not {text!r}."
        ) from error
    if (
        isinstance(address, ipaddress.IPv6Address)
        and address.is_link_local
        and not address.scope_id
    ):
        raise Mistake(
            f"must say behind {text} which link it is at, such as {text}%eth0: each link may have "
            "that address."
        )
    return text


def hosts(text: str, context: Context) -> tuple[str, ...]:
    names = tuple(name.strip().rstrip(".").lower() for name in text.split(","))
    for name in names:
        if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", name):
            raise Mistake(
                f"must be names such as gateway.example, with commas between them, not {text!r}."
            )
    return names


def state(text: str, context: Context) -> str:
    if text == IN_MEMORY:
        return text
    return file_path(text, context, f"the path of a file, or {IN_MEMORY}")


def address(text: str, context: Context) -> Address64:
    try:
        address = parse_address64(text)
    except AddressError as error:
        raise Mistake(f"{error}.") from error
    if address in (COORDINATOR64, BROADCAST64, UNKNOWN64):
        raise Mistake(f"{text} stands for no single node: write the address on its label.")
    return address


def name(longest: int) -> Parser:
    """What a node may be called beside its address."""
    parse_text = printable(longest)

    def parse(text: str, context: Context) -> str:
        parsed: str = parse_text(text, context)
        try:
            parse_address64(parsed)
        except AddressError:
            return parsed
        raise Mistake(f"{text} reads as an address, perhaps another node's: write a name.")

    return parse


def is_path(serial: str) -> bool:
    """Whether a radio is named by the path of its port."""
    return serial.startswith(("/", "./", "../"))


def is_fleet(serial: str) -> bool:
    """Whether a radio is a broker, and the nodes are those of the gateways there."""
    return serial.startswith("mqtt:")
