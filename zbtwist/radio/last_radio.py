"""The radio as it was found last, and where it is looked for by that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zbtwist.radio.baud_rates import rates_to_try
from zbtwist.radio.probe import AS_IT_IS, ProbePlan, ProbeResult
from zbtwist.xbee.address import Address64

#: After so many failures, an odd number, a radio that was there before is looked for everywhere.
EVERYWHERE = 7


@dataclass(slots=True)
class LastRadio:
    """What is remembered of a radio from one link to the next.

    @ivar searches_rate: whether the rate of its serial line is to be found out.
    @ivar wanted_mode: the API mode that the user named, if he did.
    @ivar api_mode: the one that it was in, 1 or 2; at first where to begin.
    @ivar baud_rate: of its serial line, where there is one.
    @ivar address64: its address when it was up; None if none was yet.
    @ivar bootloader: what was said of its bootloader, in which it was on this line when it was
        looked for; empty if it was not.
    @ivar forgets: whether it was moved to its mode and did not write that to its flash.
    """

    searches_rate: bool
    wanted_mode: int | None
    api_mode: int
    baud_rate: int | None = None
    address64: Address64 | None = None
    forgets: bool = False
    bootloader: str = ""

    def found(self, found: ProbeResult, baud_rate: int | None) -> None:
        """It was found, at that rate."""
        self.api_mode, self.baud_rate = found.api_mode, baud_rate
        self.bootloader = ""
        self.forgets |= found.forgets

    def was_at(self, baud_rate: int | None) -> bool:
        """Whether a radio was up before, on a line of that rate: then what comes are its frames."""
        return self.address64 is not None and self.baud_rate == baud_rate

    def plan(self, failures: int, configure: bool, write_flash: bool) -> ProbePlan:
        """Where to look for it this time.

        One that was there before is most likely there again, as it was. So it is looked for there
        alone at first and every second time, and it does not take a round of all rates and of
        ``+++`` until it is noticed that it is back. But a radio that was moved to its mode and did
        not write it to its flash may have forgotten it: there ``+++`` is tried at once.

        @param failures: how often it was not brought up since it was up.
        @param configure: see `ProbePlan`, as for `write_flash`.
        """
        rates: Sequence[int] = rates_to_try(self.baud_rate) if self.searches_rate else ()
        transparent_rates: Sequence[int] = rates or AS_IT_IS
        here = rates[:1]
        everywhere = failures % (2 * EVERYWHERE) == EVERYWHERE
        if self.address64 is not None and not everywhere:
            transparent_rates = here or AS_IT_IS
            if self.forgets and not failures:
                rates = here
            elif failures % 2 == 0:
                rates, transparent_rates = here, ()
        return ProbePlan(
            rates,
            transparent_rates if configure else (),
            self.searches_rate,
            self.address64 is not None,
            self.wanted_mode,
            configure,
            write_flash,
        )
