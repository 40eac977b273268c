"""The broker of a fleet as an endpoint: ``mqtt:HOST:PORT:base=zbtwist:sites=one,two``.

It stands where a radio's does, and the gateway asks it for its radio in place of connecting to it.
The words are those of the ``[mqtt]`` section; nothing of MQTT is imported before it is used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import quoteStringArgument
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from zbtwist.mqtt.settings import PORT, TLS_PORT, MQTTSettings
from zbtwist.runtime.option import Context, Mistake, options_of

if TYPE_CHECKING:
    from zbtwist.mqtt.interfaces import IBroker

#: What may be said beside the host and the port, by word: the option of ``[mqtt]`` that it is.
WORDS = {
    "base": "base",
    "user": "user",
    "passwordFile": "password-file",
    "ca": "ca",
    "certificate": "certificate",
    "key": "key",
    "keepalive": "keepalive",
}

#: Those that are of this endpoint alone.
SITES, TLS = "sites", "tls"

#: Sites that may be named.
MAX_SITES = 1000


class FleetEndpointError(ValueError):
    """The string is no such endpoint. The message is a sentence without its subject."""


@implementer(IStreamClientEndpoint)
class FleetEndpoint:
    """
    @ivar settings: the broker, and how to log in there.
    @ivar sites: the sites that this gateway is the hub of; none for all.
    @ivar broker: what is used in place of a connection to that broker; None for nothing.
    """

    def __init__(
        self, settings: MQTTSettings, sites: tuple[str, ...] = (), broker: IBroker | None = None
    ) -> None:
        self.settings = settings
        self.sites = sites
        self.broker = broker

    @classmethod
    def parse(cls, reactor: Any, *args: str, **words: str) -> FleetEndpoint:
        """
        @param args: host and port.
        @raise FleetEndpointError: it is none.
        """
        unknown = sorted(set(words) - {*WORDS, SITES, TLS})
        if unknown:
            known = ", ".join(f"{word}=" for word in (*WORDS, SITES, TLS))
            raise FleetEndpointError(f"mqtt: does not know {unknown[0]}=: it knows {known}")
        if not 1 <= len(args) <= 2 or not args[0]:
            raise FleetEndpointError("a host is missing: write mqtt:HOST:PORT")
        tls = words.get(TLS, "no")
        if tls not in ("yes", "no"):
            raise FleetEndpointError(f"tls= must be yes or no, not {tls!r}")
        kind, port = ("tls", TLS_PORT) if tls == "yes" else ("tcp", PORT)
        broker = f"{kind}:{quoteStringArgument(args[0])}:{args[1] if len(args) == 2 else port}"
        found = {"broker": broker, **{WORDS[w]: words[w] for w in WORDS if w in words}}
        names = [name for name in words.get(SITES, "").split(",") if name]
        if len(names) > MAX_SITES:
            raise FleetEndpointError(f"{len(names)} sites are named, and {MAX_SITES} may be")
        context = Context(reactor, os.getcwd())
        try:
            settings = _settings(found, context)
            options = options_of(MQTTSettings)
            sites = tuple(dict.fromkeys(options["site"].parse(name, context) for name in names))
        except Mistake as mistake:
            raise FleetEndpointError(str(mistake).rstrip(".")) from None
        return cls(settings, sites)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """There is no serial line. A gateway that has another radio becomes no hub as it runs."""
        return fail(ConnectError(string="a radio that is a broker is used from the next start on"))


def _settings(found: Mapping[str, str], context: Context) -> MQTTSettings:
    options = options_of(MQTTSettings)
    values: dict[str, Any] = {}
    for name, text in found.items():
        option = options[name]
        try:
            values[option.attribute] = option.parse(text, context)
        except Mistake as mistake:
            raise Mistake(f"{name} {mistake}") from None
    return MQTTSettings(**values)
