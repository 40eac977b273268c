"""A fleet with streams both ways, at which random faults happen at every hop from a site's gateway
to the clients of hubs. What happens between a gateway and its radio is for `tests.faults`.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

from tests.faults import streams
from tests.faults.streams import RECORD_OVERHEAD, Reader, Talker, Tally, listen
from tests.fleet.support import Fleet
from zbtwist.fleet.way import EXPIRY
from zbtwist.mqtt.interfaces import Message

#: Bytes a second of each stream.
RATE = 400.0

#: Bytes of a record: a packet each. The streams of two clients, and of one that is reset again and
#: again, are in one node's: a packet of one byte may be anybody's.
RECORD = 84

#: Messages that a broker may bring once more, long after.
REMEMBERED = 200


class WholePackets(Talker):
    """Says records of the size of a packet."""

    def say_record(self) -> int:
        size = RECORD - RECORD_OVERHEAD
        head = streams._HEAD.pack(streams._MARK, self.epoch & 0xFFFF, self.number, size)
        said = head + self.chance.randbytes(size)
        said += streams._CHECK.pack(zlib.crc32(said))
        self.number += 1
        self.say(said)
        return len(said)


class Writer(WholePackets, streams.Writer):
    """Writes those. What was in the air when it was reset may come until it expires, and it may be
    reset again twice a second.
    """

    def _close_books(self) -> None:
        while len(self._epochs) > 2 * EXPIRY + 4:
            self._settle(*self._epochs.pop(0))


class Speech(WholePackets, streams.Speech):
    """Says those."""


class RandomRun:
    """
    @ivar happened: how often what did.
    """

    def __init__(self, seed: int, sites: int = 2, nodes: int = 2, hubs: int = 2) -> None:
        self.chance = random.Random(f"fleet {seed}")
        self.fleet = fleet = Fleet(sites, nodes, hubs)
        self.happened: Counter[str] = Counter()
        self.lossy = 0.0
        self.doubling = 0.0
        self._passed: deque[tuple[float, Any, str, Message]] = deque(maxlen=REMEMBERED)
        self._watch_broker()
        self.writers: list[Writer] = []
        self.readers: list[Reader] = []
        self.speeches: list[Speech] = []
        self.strange: list[Tally] = []
        for site in fleet.sites:
            for device in site.devices:
                views: list[Any] = list(fleet.hubs)
                writers = [Writer(hub, device, RATE, name=at) for at, hub in enumerate(views)]
                self.strange.append(listen(device, *writers))
                speech = Speech(views[0], device, RATE)
                self.readers += [Reader(hub, speech) for hub in views]
                self.writers += writers
                self.speeches.append(speech)

    def _watch_broker(self) -> None:
        broker: Any = self.fleet.broker
        send = broker._send

        def passes(message: Message) -> Iterable[Message]:
            chance = self.chance
            if chance.random() < self.lossy:
                return ()
            return (message, message) if chance.random() < self.doubling else (message,)

        def watched(client: Any, topic_filter: str, message: Message) -> None:
            if not message.retained:
                self._passed.append((self.fleet.now, client, topic_filter, message))
            send(client, topic_filter, message)

        broker.passes = passes
        broker._send = watched

    def run(self, seconds: float) -> None:
        """Let faults happen for so long, and then none until all is through."""
        for talker in (*self.writers, *self.speeches):
            talker.start()
        end = self.fleet.now + seconds
        while self.fleet.now < end:
            self.fleet.run(self.chance.uniform(0.2, 6.0))
            self.chance.choice(self._faults())()
        self.lossy = self.doubling = 0.0
        self.fleet.run(75)
        for talker in (*self.writers, *self.speeches):
            talker.stop()
        self.fleet.run(15)

    def _faults(self) -> list[Callable[[], None]]:
        return [
            self.restart_broker,
            self.cut_hub,
            self.cut_site,
            self.kill_site,
            self.kill_hub,
            self.lose_some,
            self.double_some,
            self.bring_again,
            self.nothing,
            self.nothing,
        ]

    def _for_a_while(self) -> float:
        return self.chance.choice((0.05, 0.5, 3.0, 8.0, 20.0))

    def restart_broker(self) -> None:
        self.happened["broker restarted"] += 1
        self.fleet.broker.cut()
        self.fleet.later(self._for_a_while(), self.fleet.broker.join)

    def cut_hub(self) -> None:
        self.happened["hub cut off"] += 1
        client = self.chance.choice(self.fleet.hubs).client
        client.cut()
        self.fleet.later(self._for_a_while(), client.join)

    def cut_site(self) -> None:
        self.happened["site cut off"] += 1
        client = self.chance.choice(self.fleet.sites).client
        client.cut()
        self.fleet.later(self._for_a_while(), client.join)

    def kill_site(self) -> None:
        self.happened["site killed"] += 1
        site = self.chance.choice(self.fleet.sites)
        site.kill()
        self.fleet.later(self._for_a_while(), site.start)

    def kill_hub(self) -> None:
        self.happened["hub killed"] += 1
        hub = self.chance.choice(self.fleet.hubs)
        hub.kill()
        self.fleet.later(self._for_a_while(), hub.start)

    def lose_some(self) -> None:
        self.happened["messages lost"] += 1
        self.lossy = 0.1
        self.fleet.later(self._for_a_while(), setattr, self, "lossy", 0.0)

    def double_some(self) -> None:
        self.happened["messages doubled"] += 1
        self.doubling = 0.3
        self.fleet.later(self._for_a_while(), setattr, self, "doubling", 0.0)

    def bring_again(self) -> None:
        self.happened["old messages brought again"] += 1
        passed = self.chance.sample(list(self._passed), min(20, len(self._passed)))
        for at, client, topic_filter, message in passed:
            # What has expired no broker brings.
            if message.expires_after is None or self.fleet.now < at + message.expires_after:
                client.arrival(topic_filter, message)()

    def nothing(self) -> None:
        self.happened["nothing"] += 1

    def judge(self) -> tuple[Tally, Tally]:
        """Return what came of the streams to the nodes, and of those from them."""
        to_nodes, from_nodes = Tally(), Tally()
        for writer in self.writers:
            to_nodes += writer.judge()
        for one in self.strange:
            to_nodes += one
        for reader in self.readers:
            from_nodes += reader.judge()
        return to_nodes, from_nodes
