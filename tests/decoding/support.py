"""A meter whose counters have come to their end, which tests of all that show values know."""

from __future__ import annotations

from zbtwist.simulator.meter import Reading

_END = 1 << 40

#: Two packets of a meter, 7 s apart; the counters and the clock are full in between.
BEFORE = Reading(
    volts=120.3,
    absolute=(_END - 1234, 3_600_001),
    polarized=(_END - 1234, 3_600_001),
    amperes=(12.34, 0.01),
    seconds=(1 << 24) - 3,
)
AFTER = Reading(
    volts=120.1,
    absolute=(2345, 3_600_002),
    polarized=(2345, 3_600_002),
    amperes=(4.26, 0.01),
    seconds=4,
)

#: What the first one says, by hand: 1,099,511,626,542 Ws / 3,600,000; and the second one: (1234 +
#: 2345) Ws / 7 s, and 2345 Ws / 3,600,000.
KWH_BEFORE = 305419.896262
WATTS, KWH = 511.3, 0.000651
