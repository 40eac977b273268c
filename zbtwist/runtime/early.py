"""How exact the moments are that are sums of seconds."""

from __future__ import annotations

#: Seconds by which a timer may be early, since sums of seconds are not exact to the last bit.
EARLY = 1e-6
