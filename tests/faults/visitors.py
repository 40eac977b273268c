"""Clients that come and go, in a world in which everything goes wrong at once.

Each client of a node has a slot, which is in the upper half of each byte that it writes. So each
packet that the node gets tells whose it is, and must be the next bytes of that client. What it
reads must be packet after packet of its node; see `tests.faults.judge`.
"""

from __future__ import annotations

import random
from math import inf

from tests.faults.connection import GONE, RESET, Connection
from tests.faults.judge import Judge, Speaker
from tests.faults.streams import Said, longest
from tests.faults.world import Device

#: Clients of a node whose bytes may be under way.
SLOTS = 16

#: Seconds after which nothing of a client that is gone is under way: bytes wait for an end device
#: for 300 s, and for the status of the last packet for 120 s.
LONG_GONE = 450.0

#: Bytes that tell a place in a stream.
CERTAIN = 8


class Visitor:
    """A client that comes, writes, reads, and goes.

    @ivar is_settled: nothing of what it wrote is under way.
    """

    def __init__(self, place: Place, slot: int, chance: random.Random) -> None:
        """
        @raise ConnectionRefusedError: nobody is there.
        """
        self.place = place
        self.judge = place.judge
        self.world = place.judge.world
        self.slot = slot
        self.written = Said(200_000)
        self.arrived = 0
        self.left_at = inf
        self.left_by = ""
        self.is_excused = False
        self.may_be_closed = False
        self._chance = chance
        self._read_to: int | None = None
        self._since = self.world.now
        self._unsaid = b""
        self._closes = False
        self.connection: Connection = self.world.connect(
            place.device, socket=chance.choice((2048, 65536)), read_size=4096
        )
        self.connection.received = self._received
        self.connection.at_end = self._ended
        self.connection.has_room = self._go_on
        style = chance.choice(("talks", "talks", "listens", "asks", "uploads", "half-closes"))
        if style in place.without:
            style = "talks"
        self.style = style
        life = chance.choice((1.0, 10.0, 60.0, 300.0)) * chance.uniform(0.1, 1.0)
        if style == "uploads":
            self._write(chance.choice((2000, 6000)))
            self._leave("close")
        else:
            if style != "listens":
                self._talk()
            ends = ["close", "abort", "end side"] if style != "half-closes" else ["end side"]
            ends = [end for end in ends if end not in place.without]
            self.world.later(life, self._leave, chance.choice(ends))
        if chance.random() < 0.1:
            self.world.later(chance.uniform(0, life), self._stop_reading)

    def __repr__(self) -> str:
        return (
            f"<{self.style} client in slot {self.slot} since {self._since:.3f} s, wrote "
            f"{len(self.written)}, of which {self.arrived} have arrived; read up to "
            f"{self._read_to}; {self.connection.ended or 'open'}, left by {self.left_by or '-'}>"
        )

    # --- what it does ---------------------------------------------------------------------------

    def _talk(self) -> None:
        if self.connection.ended or self.left_by:
            return
        pause = {"talks": 3.0, "asks": 5.0, "half-closes": 1.0}[self.style]
        self.world.later(self._chance.expovariate(1 / (pause * self.place.leisure)), self._talk)
        if self.place.asks and not self._unsaid:
            self._write(self._chance.choice((1, 8, 20, 84, 100, 300)))

    def _write(self, size: int) -> None:
        data = bytes(self.slot << 4 | value & 15 for value in self._chance.randbytes(size))
        self._say(data)

    def _say(self, data: bytes) -> None:
        took = self.connection.write(data)
        self.written.add(data[:took])
        self._unsaid = data[took:]

    def _go_on(self) -> None:
        if self._unsaid:
            self._say(self._unsaid)
        if self._closes and not self._unsaid:
            self.connection.close()

    def _stop_reading(self) -> None:
        if not self.connection.ended:
            self.connection.stop_reading()
            self.world.later(self._chance.choice((1.0, 20.0)), self._read_again)

    def _read_again(self) -> None:
        if not self.connection.ended:
            self.connection.read_again()

    def _leave(self, how: str) -> None:
        if self.connection.ended or self.left_by:
            return
        self.left_by = how
        self.left_at = self.world.now
        if how == "close" and self._unsaid:
            self._closes = True
        elif how == "close":
            self.connection.close()
        elif how == "abort":
            self.connection.abort()
        else:
            self._unsaid = b""
            self.connection.end_side()

    # --- what comes of it -----------------------------------------------------------------------

    def _ended(self) -> None:
        self.left_at = min(self.left_at, self.world.now)
        ended = self.connection.ended
        self.judge.passed(self.place.device.address64, self.slot, ended)
        self.judge.count(f"clients {ended}")
        if ended == RESET:
            return
        if self.left_by != "end side" and not self.may_be_closed:
            self.judge.broken("FIN", f"{self.place}: {self} was ended as if all were well")
        elif self.arrived < len(self.written) and not self.may_be_closed:
            self.judge.broken("FIN too early", f"{self.place}: {self}: not all has arrived")

    def hears(self, data: bytes) -> None:
        """The node has got bytes of this client."""
        place = self.arrived
        if self.written.has_at(data, place):
            self.arrived += len(data)
            self.written.forget(self.arrived)
            return
        found = self.written.find(data)
        if found < 0:
            self.judge.broken("strange bytes", f"{self.place} got {data.hex()} of {self}")
        elif found > place:
            self.judge.broken(
                "hole on the way to the node",
                f"{self.place} got {len(data)} bytes of place {found}, not {place}, of {self}",
            )
            self.arrived = found + len(data)
        else:
            self.judge.broken(
                "doubled or reordered on the way to the node",
                f"{self.place} got {len(data)} bytes of place {found}, not {place}, of {self}",
            )

    def _received(self, data: bytes) -> None:
        self.judge.passed(self.place.device.address64, self.slot, data)
        self.judge.count("bytes read", len(data))
        while data:
            data = data[self._take(data) :]

    def _take(self, data: bytes) -> int:
        """Tell where the next bytes belong, and return how many of them follow each other."""
        said = self.place.speaker.said
        follow = 0 if self._read_to is None else self._alike(data, self._read_to)
        enough = min(len(data), CERTAIN)
        if self._read_to is not None and follow >= enough:
            self._read_to += follow
            return follow
        # It is its first piece, which may have waited on the line before it came, or a jump: a
        # packet begins here. A byte or two may be alike by chance.
        for packet in self.place.speaker.packets:
            if packet.start >= (self._read_to or 0):
                size = self._alike(data, packet.start)
                if size >= enough:
                    if self._read_to is not None:
                        self._jumped(self._read_to, packet.start)
                    self._read_to = packet.start + size
                    return size
        if self._read_to is not None and follow:
            self._read_to += follow
            return follow
        where = said.find(data[:CERTAIN])
        kind = "strange bytes from the node" if where < 0 else "doubled from the node"
        self.judge.broken(kind, f"{self.place}: {self} got {data[:40].hex()} of place {where}")
        return len(data)

    def _alike(self, data: bytes, place: int) -> int:
        """Return how many bytes were said there."""
        said = self.place.speaker.said
        return longest(lambda size: said.has_at(data[:size], place), len(data))

    def _jumped(self, start: int, end: int) -> None:
        lost = self.place.speaker.lost_without_excuse(start, end)
        if lost:
            self.judge.broken(
                "hole from the node",
                f"{self.place}: {self} misses {start} to {end}: {lost}",
            )

    @property
    def is_settled(self) -> bool:
        if not self.connection.ended:
            return False
        return self.arrived >= len(self.written) or self.world.now > self.left_at + LONG_GONE

    @property
    def missing(self) -> int:
        """Bytes that have not arrived, of a client that nobody told of that."""
        if self.connection.ended == RESET:
            return 0
        # What was not read is counted by the real socket alone.
        return max(0, self.connection.gateway_end.read_bytes - self.arrived)

    def judge_end(self) -> None:
        """All is quiet: whoever is still there must have everything."""
        if self.connection.ended:
            return
        if self.arrived < len(self.written):
            self.judge.broken("tail to the node", f"{self.place}: {self}: not all has arrived")
        speaker = self.place.speaker
        if self._read_to is not None and self._read_to < len(speaker.said):
            self._jumped(self._read_to, len(speaker.said))


class Place:
    """A node, and who visits it.

    @ivar leisure: how slow its visitors are; 1 is quick.
    """

    def __init__(
        self,
        judge: Judge,
        device: Device,
        style: str,
        seed: int,
        *,
        leisure: float,
        without: tuple[str, ...] = (),
    ) -> None:
        """
        @param without: styles and ends that clients do not have.
        """
        self.judge = judge
        self.device = device
        self.leisure = leisure
        self.without = without
        self.asks = True
        self.is_open = True
        self.speaker = Speaker(judge, device, style, seed)
        self.visitors: list[Visitor | None] = [None] * SLOTS
        self.arrived_bytes = 0
        # Of visitors that are forgotten: what the gateway has read of them, and what did not
        # arrive although they were not reset.
        self.read_bytes = 0
        self.missing = 0
        self._chance = random.Random(f"{seed} visitors {device.address64:x}")
        device.listener = self._hears
        self._later()

    def __repr__(self) -> str:
        return self.device.identifier.decode()

    def _later(self) -> None:
        self.judge.world.later(self._chance.expovariate(1 / (15 * self.leisure)), self._comes)

    def _comes(self) -> None:
        if not self.is_open:
            return
        self._later()
        self.settle()
        free = [slot for slot, visitor in enumerate(self.visitors) if visitor is None]
        if not free:
            return
        try:
            visitor = Visitor(self, self._chance.choice(free), self._chance)
        except ConnectionRefusedError:
            self.judge.count("clients refused")
            return
        self.judge.count(f"clients that came: {visitor.style}")
        self.visitors[visitor.slot] = visitor

    def settle(self, all_of_them: bool = False) -> None:
        """Forget those that are settled."""
        for slot, visitor in enumerate(self.visitors):
            if visitor is not None and (all_of_them or visitor.is_settled):
                self.read_bytes += visitor.connection.gateway_end.read_bytes
                if not visitor.is_excused:
                    self.missing += visitor.missing
                self.visitors[slot] = None

    def _hears(self, data: bytes) -> None:
        judge = self.judge
        judge.passed(self.device.address64, data)
        judge.count("bytes to nodes", len(data))
        self.arrived_bytes += len(data)
        self.speaker.asked()
        slots = {value >> 4 for value in data}
        visitor = self.visitors[data[0] >> 4]
        if len(slots) > 1:
            judge.broken("mixed packet", f"{self} got bytes of slots {sorted(slots)} in one packet")
        elif visitor is None:
            judge.broken("ghost", f"{self} got {data.hex()} of nobody who is there")
        else:
            visitor.hears(data)

    def killed(self) -> None:
        """The gateway was killed: what it had in hand is gone, and nobody counts it."""
        for visitor in self.visitors:
            if visitor is not None and visitor.connection.ended == GONE:
                visitor.is_excused = True

    def closing(self) -> None:
        """Its port goes away in an orderly manner: that is no violation."""
        for visitor in self.visitors:
            if visitor is not None:
                visitor.may_be_closed = True
