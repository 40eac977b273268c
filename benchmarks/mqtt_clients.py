"""Publishing and receiving with MQTT 5.

Messages with a payload of 72 bytes, as a node's packets are at a broker, from values to bytes and
back, by all that could be the gateway's client.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random

from benchmarks import mqtt_peers
from benchmarks.measure import Run, Spread, in_turn, ratio, timed
from benchmarks.mqtt_peers import Contender, Messages, Ours, brought, import_seconds
from benchmarks.report import Options, Table, thousands, version
from zbtwist.mqtt.interfaces import Message

#: Messages in one turn of the reactor, or in one read.
AT_ONCE = (1, 10, 100)

MESSAGES = 1000

CONTENDERS: tuple[type[Contender], ...] = (Ours, *mqtt_peers.PEERS)

EXPLANATION = """\
Each message has a topic of 50 bytes, 72 random bytes, a content type and two user properties: how
many, and in which run of the gateway. QoS is 0. A turn is one of the reactor, in which so many are
published, or come in one read. Each column of a peer says how many times as fast zbtwist is; beside
it stand the messages per second that zbtwist made. No socket is part of it.

zbtwist
  is ``Connection``, with its queue, its windows and its timers, over the codec of the package
  mqtt5, which is written in Rust.
moat-lib-mqtt
  is the state machine, in Python, which has no queue and no timers.
paho-mqtt
  is ``Client`` with a loop from outside: ``publish`` and ``loop_write``; ``loop_read`` as often as
  it takes, since it reads a packet at a time.

What comes out of each is compared with what went in, before it is timed.
"""

BROUGHT = """\
To import it once Twisted is there, and the packages that it needs beside those that the gateway has
anyway.
"""


def versions(options: Options) -> Iterable[tuple[str, str]]:
    """What is compared."""
    return [(each.package, version(each.package) or "not installed") for each in CONTENDERS]


def tables(options: Options) -> Iterator[Table]:
    """Measure, and give each table when it is ready."""
    yield from Comparison(mqtt_peers.peers(), options.quick).tables()


class Comparison:
    """Ours against these peers."""

    def __init__(self, peers: Sequence[Contender], quick: bool) -> None:
        self._peers = peers
        self._all: list[Contender] = [Ours(), *peers]
        self._rounds, self._at_least, self._count = (2, 0.0, 20) if quick else (21, 0.05, MESSAGES)
        self._imports = 1 if quick else 7

    def tables(self) -> Iterator[Table]:
        header = ["at once", "messages/s", *(peer.name for peer in self._peers)]
        rows = [
            self._row(at_once, lambda one, m, sink: one.publish(m, sink)) for at_once in AT_ONCE
        ]
        yield Table("Publish", EXPLANATION, header, rows)
        rows = [
            self._row(at_once, lambda one, m, sink: one.receive(m, sink)) for at_once in AT_ONCE
        ]
        yield Table("Receive", "As above.", header, rows)
        rows = [
            [
                one.name,
                f"{1000 * import_seconds(one.module, self._imports):.0f} ms",
                ", ".join([one.package, *brought(one.package)]),
            ]
            for one in self._all
        ]
        yield Table("What they bring", BROUGHT, ["", "import", "packages"], rows)

    def _row(
        self,
        at_once: int,
        work: Callable[[Contender, Messages, Callable[[object], object]], Callable[[], None]],
    ) -> list[str]:
        messages = Messages(some(self._count), at_once)
        runs: list[Run] = []
        for one in self._all:
            one.check(messages)
            sink = deque[object](maxlen=1).append
            runs.append(timed(work(one, messages, sink), self._count, self._at_least))
        ours, *theirs = in_turn(runs, self._rounds)
        return [
            str(at_once),
            thousands(1 / Spread.of(ours).median),
            *(str(ratio(times, ours)) for times in theirs),
        ]


def some(count: int) -> list[Message]:
    """Return messages, always the same."""
    random = Random(count)
    return [
        Message(
            f"zbtwist/0013a200400a3eff/nodes/{0x0013A200_40000000 + random.randrange(50):016x}/rx",
            random.randbytes(72),
            content_type="application/octet-stream",
            user_properties=(("n", str(number)), ("run", "5f2a9c1e")),
        )
        for number in range(count)
    ]
