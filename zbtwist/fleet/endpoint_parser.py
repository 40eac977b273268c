"""``mqtt:`` as a Twisted client endpoint string.

Twisted loads this whenever it looks for a plugin, so it loads nothing of MQTT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import (
    IReactorCore,
    IReactorTime,
    IStreamClientEndpointStringParserWithReactor,
)
from twisted.plugin import IPlugin
from zope.interface import implementer

if TYPE_CHECKING:
    from zbtwist.fleet.endpoint import FleetEndpoint


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class FleetEndpointParser:
    """Reads ``mqtt:HOST:PORT:base=zbtwist:sites=one,two``; see `zbtwist.fleet.endpoint`."""

    prefix = "mqtt"

    def parseStreamClient(
        self, reactor: IReactorCore | IReactorTime, *args: object, **kwargs: object
    ) -> FleetEndpoint:
        """
        @raise ValueError: it is none. The message is a sentence for the user.
        """
        from zbtwist.fleet.endpoint import FleetEndpoint

        return FleetEndpoint.parse(
            reactor, *map(str, args), **{name: str(value) for name, value in kwargs.items()}
        )
