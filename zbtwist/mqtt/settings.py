"""``[mqtt]``: the broker, and what is said there.

It is imported with the configuration, so it imports nothing else of MQTT until there is a broker.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from twisted.internet.endpoints import quoteStringArgument

from zbtwist.mqtt.topics import is_topic
from zbtwist.runtime.endpoint_option import client_endpoint
from zbtwist.runtime.extras import missing
from zbtwist.runtime.host_port import host_and_port
from zbtwist.runtime.option import (
    Context,
    Mistake,
    choice,
    file_path,
    flag,
    number,
    option,
    printable,
)

#: What is said of a node: all but its stream; its stream as well; nothing.
VALUES, STREAM, NOTHING = "values", "stream", "off"

#: What clients of the broker may have done: everything; what changes nothing and reaches no node;
#: nothing.
ALL_COMMANDS, LOOK, NO_COMMANDS = "all", "look", "none"

#: An option that is one of them.
what_is_said = choice({word: word for word in (VALUES, STREAM, NOTHING)})

#: The ports that IANA has given to MQTT, as it is and within TLS.
PORT, TLS_PORT = 1883, 8883

#: Bytes of the topic that all others are below, of a site's name, and of a user's.
MAX_BASE, MAX_SITE, MAX_USER = 200, 64, 256

#: What stands in a site's place for hubs: below it they have their topics.
HUBS = "hubs"

#: Seconds of silence after which it is asked whether the other end is there: a broker that is told
#: of less would have to be asked all the time.
MIN_KEEPALIVE, MAX_KEEPALIVE = 5, 3600

# What URLs are as endpoints: those of MQTT, and as other programs write them.
_OF_URLS = {"mqtt": "tcp", "tcp": "tcp", "mqtts": "tls", "ssl": "tls", "tls": "tls"}
_URL = re.compile(r"([a-z0-9+.-]+)://(?:([^/@]*)@)?([^/@?#]*)/?", re.IGNORECASE)
_HOST = re.compile(r"\[([0-9a-f:.]+)\](?::(\d{1,5}))?|([^:\s/\\\[\]@]+)(?::(\d{1,5}))?", re.I)
_SIMPLE = re.compile(r"(tcp|tls):((?:[^:=\\]|\\.)+)(?::(\d{1,5}))?")


def broker(text: str, context: Context) -> str:
    """A Twisted client endpoint; also of a URL, and of a host with or without a port."""
    if find_spec("mqtt5") is None:
        raise Mistake(f"{missing('mqtt')}.")
    if "://" in text:
        text = _endpoint_of_url(text)
    elif ":" not in text or (_HOST.fullmatch(text) and not text.startswith(("tcp:", "tls:"))):
        text = _endpoint_of_host("tcp", text)
    elif _is_address(text):
        text = _endpoint_of_host("tcp", f"[{text}]")
    elif simple := _SIMPLE.fullmatch(text):
        kind, host, port = simple.groups()
        text = f"{kind}:{host}:{port or _port_of(kind)}"
    # The parser of tls: takes no IPv6 address; without words of its own it is ours.
    ours = text.replace("tls:", "tcp:", 1) if _SIMPLE.fullmatch(text) else text
    client_endpoint(ours, context, "no broker, such as tcp:HOST:1883 or tls:HOST:8883")
    if ours != text and find_spec("service_identity") is None:
        raise Mistake(f"{text} {missing('tls')}.")
    return text


def _endpoint_of_url(text: str) -> str:
    url = _URL.fullmatch(text)
    kind = _OF_URLS.get(url[1].lower()) if url else None
    if url is None or kind is None:
        raise Mistake(
            f"{text} is no URL that is known here: write tcp:HOST:PORT, or tls:HOST:PORT for a "
            "connection with TLS."
        )
    if url[2] is not None:
        # The rest may be a password.
        raise Mistake("has a user's name in it: write it as user, and the password as a file.")
    return _endpoint_of_host(kind, url[3])


def _endpoint_of_host(kind: str, text: str) -> str:
    host = _HOST.fullmatch(text)
    if host is None:
        raise Mistake(f"must be tcp:HOST:PORT, tls:HOST:PORT, or a host, not {text!r}.")
    name, port = host[1] or host[3], host[2] or host[4] or _port_of(kind)
    return f"{kind}:{quoteStringArgument(name)}:{port}"


def _port_of(kind: str) -> int:
    return TLS_PORT if kind == "tls" else PORT


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def base(text: str, context: Context) -> str:
    """What stands before all topics."""
    levels = text.split("/")
    if not is_topic(text) or "" in levels or text.startswith("$"):
        raise Mistake(
            "must be a topic of MQTT, without +, # and $, and without / at either end, not "
            f"{text!r}."
        )
    if len(text.encode()) > MAX_BASE:
        raise Mistake(f"must have at most {MAX_BASE} bytes.")
    return text


#: Home Assistant's prefix may be what ours may.
prefix = base


def site(text: str, context: Context) -> str:
    """The name of this gateway: one level of a topic."""
    if not text:
        return text
    printable(MAX_SITE)(text, context)
    if re.search(r"[+#/$]", text):
        raise Mistake(f"must be one level of a topic, without +, #, / and $, not {text!r}.")
    if text == HUBS:
        raise Mistake(
            f"must not be {HUBS}: gateways whose radio is the broker have their topics there."
        )
    return text


@dataclass(frozen=True, kw_only=True)
class MQTTSettings:
    """
    @ivar broker: its Twisted client endpoint string; empty for none.
    @ivar base: what stands before all topics.
    @ivar site: what this gateway is called there; empty: as its radio's address.
    @ivar user: who logs in to the broker; empty for nobody.
    @ivar password_file: the absolute path of the file whose first line is the password.
    @ivar ca: that of the certificates of whoever signs the broker's; None: those of the system.
    @ivar certificate: that of this gateway's own, None for none.
    @ivar key: that of its private key; None: it is in the file of the certificate.
    @ivar keepalive: seconds of silence after which the broker is asked whether it is there.
    @ivar home_assistant: nodes are announced to Home Assistant.
    @ivar discovery_prefix: the topic that it looks for devices below.
    @ivar nodes: what is said of nodes that have no word of their own: `VALUES`, `STREAM` or
        `NOTHING`.
    @ivar commands: what clients of the broker may have done: `ALL_COMMANDS`, `LOOK` or
        `NO_COMMANDS`.
    """

    broker: str = option(
        "",
        broker,
        help="The broker, such as tcp:HOST:1883, or tls:HOST:8883 for a connection with TLS",
        more="A host alone will do, and URLs (``mqtt://``, ``mqtts://``) are understood as well. "
        "It may be any Twisted client endpoint. The broker must speak MQTT 5.",
        example='"tls:broker.example:8883"',
    )
    base: str = option(
        "zbtwist",
        base,
        help="What stands before all topics",
        more="All gateways of a fleet have the same.",
    )
    site: str = option(
        "",
        site,
        help="What this gateway is called at the broker, if not by its radio's address: a level of "
        "its topics, and its client id",
        more="No two gateways at a broker may have the same. The address is 16 hex digits, as in "
        "``0013a200400a3e01``.",
        example='"house-7"',
    )
    user: str = option(
        "",
        printable(MAX_USER),
        help="Who logs in to the broker",
        example='"zbtwist"',
    )
    password_file: str | None = option(
        None,
        file_path,
        help="File whose first line is that user's password",
        more="It is read at each connection, so a new password counts from the next one on.",
        example='"/etc/zbtwist/mqtt-password"',
    )
    ca: str | None = option(
        None,
        file_path,
        help="File with the certificates (PEM) of who signs the broker's, in place of the system's",
        more="This file and the next two are read at each connection, too.",
        example='"/etc/zbtwist/mqtt-ca.pem"',
    )
    certificate: str | None = option(
        None,
        file_path,
        help="File with a certificate (PEM) that the broker is shown",
        example='"/etc/zbtwist/mqtt.pem"',
    )
    key: str | None = option(
        None,
        file_path,
        help="File with that certificate's private key (PEM), if it is not in the same file",
        example='"/etc/zbtwist/mqtt-key.pem"',
    )
    keepalive: int = option(
        60,
        number(MIN_KEEPALIVE, MAX_KEEPALIVE),
        (int,),
        "Seconds of silence after which the broker is asked whether it is there",
        unit="s",
        more="A broker that does not answer in time is left and connected to anew. It does the "
        "same with a gateway that is silent for one and a half times as long.",
    )
    home_assistant: bool = option(
        False,
        flag,
        (bool,),
        "Announce nodes to Home Assistant, as devices with entities",
        more="See `Home Assistant <home-assistant.rst>`_.",
    )
    discovery_prefix: str = option(
        "homeassistant",
        prefix,
        help="The topic that Home Assistant looks for devices below",
        more="It is that of its MQTT integration, which calls it the discovery prefix.",
    )
    nodes: str = option(
        VALUES,
        what_is_said,
        help="What is said of nodes: values (all but their bytes), stream (their bytes as well, "
        "and bytes to them are taken) or off",
        more="A node may have its own: ``mqtt`` in its ``[[node]]`` table.",
    )
    commands: str = option(
        ALL_COMMANDS,
        choice({word: word for word in (ALL_COMMANDS, LOOK, NO_COMMANDS)}),
        help="What others at the broker may have done by requests and settings: all, look (what "
        "changes nothing and reaches no node) or none",
        more="Whom the broker lets publish there may do all of that: see `Who may what`_. Bytes to "
        "nodes are for ``nodes`` to say.",
    )

    @property
    def is_encrypted(self) -> bool:
        """Whether what passes is hidden from others, or never leaves this computer."""
        return self.broker.startswith(("tls:", "ssl:", "unix:")) or self.host in (
            *("localhost", "127.0.0.1", "::1"),
        )

    @property
    def host(self) -> str:
        """The broker's host; empty if it is another kind of endpoint."""
        simple = _SIMPLE.fullmatch(self.broker)
        return simple[2].replace("\\", "") if simple else ""

    @property
    def port(self) -> int:
        """The broker's TCP port; 0 if it is another kind of endpoint."""
        simple = _SIMPLE.fullmatch(self.broker)
        return int(simple[3]) if simple and simple[3] else 0

    @property
    def is_tls(self) -> bool:
        """Whether TLS is as `ca`, `certificate` and `key` say."""
        return self.broker.startswith("tls:") and bool(self.host)

    @property
    def place(self) -> str:
        """The broker, as people read it."""
        return host_and_port(self.host, self.port) if self.host else self.broker

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield what is wrong between options, and with the files that they name."""
        settings = cls(**values)
        if not settings.broker and settings != cls():
            yield "", "has no broker: name one, such as tcp:HOST:1883, or take the section out."
            return
        files = [name for name in ("ca", "certificate", "key") if values.get(name)]
        for name in files:
            if not settings.is_tls:
                yield name, "is for a broker with TLS: tls:HOST:PORT."
        if settings.key and not settings.certificate:
            yield "key", "needs a certificate."
        elif files and settings.is_tls:
            yield from _try_files(settings)
        if settings.password_file:
            yield from _try_password(settings)


def _try_files(settings: MQTTSettings) -> Iterator[tuple[str, str]]:
    from zbtwist.mqtt.endpoint import FileError, tls_of

    try:
        tls_of(settings)
    except FileError as error:
        yield error.option, str(error)


def _try_password(settings: MQTTSettings) -> Iterator[tuple[str, str]]:
    from zbtwist.mqtt.endpoint import FileError, password_of

    try:
        password_of(settings)
    except FileError as error:
        yield error.option, str(error)
