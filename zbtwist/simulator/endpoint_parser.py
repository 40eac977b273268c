"""``sim:`` as a Twisted client endpoint string.

Twisted loads this whenever it looks for a plugin, so it does not load the simulator itself.
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
    from zbtwist.simulator.endpoint import SimulatorEndpoint


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class SimulatorEndpointParser:
    """Reads ``sim:`` and its options; see `zbtwist.simulator.options.OPTIONS`."""

    prefix = "sim"

    def parseStreamClient(
        self, reactor: IReactorCore | IReactorTime, *args: object, **kwargs: object
    ) -> SimulatorEndpoint:
        """
        @raise ValueError: an option is unknown or wrong. The message is a sentence for the user.
        """
        # The simulator is loaded for those who want it.
        from zbtwist.simulator.endpoint import SimulatorEndpoint
        from zbtwist.simulator.options import OPTIONS, OptionsError, SimulatorOptions

        # `sim:` has one argument, which is empty.
        unknown: list[object] = [argument for argument in args if argument] + sorted(
            set(kwargs) - set(OPTIONS)
        )
        if unknown:
            raise OptionsError(
                f"sim: does not know {unknown[0]!r}: its options are "
                f"{', '.join(f'{name}=' for name in OPTIONS)}"
            )
        return SimulatorEndpoint(
            IReactorTime(reactor), SimulatorOptions.parse(**{k: str(v) for k, v in kwargs.items()})
        )
