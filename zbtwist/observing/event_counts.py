"""How often each kind of event has happened."""

from __future__ import annotations

from collections import Counter

from zbtwist.runtime.event_bus import Event, EventBus


class EventCounts(Counter[str]):
    """Counts by the names of events: there are as many as there are classes of events."""

    def __init__(self, bus: EventBus) -> None:
        super().__init__()
        bus.subscribe(Event, self._happened)

    def _happened(self, event: Event) -> None:
        self[event.name] += event.occurrences
