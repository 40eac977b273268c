"""Random checksummed streams through the gateway, and the judgement of what came of them.

A stream is made of records: a mark, the epoch, a number, random bytes, a CRC-32. Nothing in it
repeats, so that each byte that arrives has one place in the stream where it belongs.

To the node: a client writes at a rate. When it is reset it connects again, and begins a new epoch.
What the node got of an epoch must be all of it, or a beginning of it without a hole, and then the
client must have been reset.

From the node: its device talks at a rate, in one epoch. What a connection got must be one piece of
that, up to the end unless the connection was reset; and nothing is missing between a connection
and the next one of the same client, unless the gateway ended the first: such an end is counted.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tests.faults.connection import RESET, Client
from tests.faults.world import Device, World

_MARK = b"\xa5\x5a"
_HEAD = struct.Struct(">2sHIB")
_CHECK = struct.Struct(">I")

#: Bytes of a record that are not its random ones.
RECORD_OVERHEAD = _HEAD.size + _CHECK.size

#: Bytes of a stream that are kept behind what has arrived, to tell what is doubled; by default.
KEPT = 65536

#: Seconds between two bursts of a talker.
TICK = 0.25

#: Seconds until a client that lost its connection connects again.
RECONNECT = 0.5


#: So many bytes in a row are not found by chance elsewhere in a stream.
RECOGNIZED = 12


def longest(question: Callable[[int], bool], most: int) -> int:
    """Return the largest number up to `most` for which the answer is true.

    It must be so for all smaller ones. 0 is not asked for.
    """
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        if question(middle):
            low = middle
        else:
            high = middle
    return low


def record(chance: random.Random, epoch: int, number: int) -> bytes:
    """Return a record with 10 to 90 random bytes."""
    content = chance.randbytes(chance.randint(10, 90))
    head = _HEAD.pack(_MARK, epoch & 0xFFFF, number, len(content))
    return head + content + _CHECK.pack(zlib.crc32(head + content))


class RecordReader:
    """Finds whole records in what arrives, as a device would that knows nothing else."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, int]]:
        """Take bytes; return epoch and number of each record that is whole now."""
        buffer = self._data
        buffer += data
        found: list[tuple[int, int]] = []
        while True:
            start = buffer.find(_MARK)
            if start < 0:
                del buffer[:-1]
                return found
            del buffer[:start]
            if len(buffer) < _HEAD.size:
                return found
            _, epoch, number, size = _HEAD.unpack_from(buffer)
            end = _HEAD.size + size
            if len(buffer) < end + _CHECK.size:
                return found
            (check,) = _CHECK.unpack_from(buffer, end)
            if check == zlib.crc32(buffer[:end]):
                found.append((epoch, number))
                del buffer[: end + _CHECK.size]
            else:
                del buffer[:1]


class Said:
    """The bytes of an epoch; those that arrived long ago are forgotten."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._data = bytearray()
        self._forgotten = 0

    def __len__(self) -> int:
        return self._forgotten + len(self._data)

    def add(self, data: bytes) -> None:
        self._data += data

    def has_at(self, data: bytes, place: int) -> bool:
        """Whether `data` was said there."""
        return self._data.startswith(data, place - self._forgotten)

    def find(self, data: bytes, start: int = 0) -> int:
        """Where `data` was said, from `start` on; -1 for nowhere."""
        place = self._data.find(data, max(0, start - self._forgotten))
        return place if place < 0 else place + self._forgotten

    def forget(self, place: int) -> None:
        """What lies long before `place` is not needed any more."""
        surplus = place - self._kept - self._forgotten
        if surplus > self._kept:
            del self._data[:surplus]
            self._forgotten += surplus


@dataclass(slots=True)
class Tally:
    """What became of a stream; bytes all.

    @ivar doubled: that arrived again.
    @ivar reordered: that arrived behind later ones.
    @ivar strange: that nobody said.
    @ivar unannounced: that are missing although nobody was reset.
    @ivar resets: connections that were reset.
    @ivar closed: connections that were closed by the gateway.
    """

    sent: int = 0
    got: int = 0
    doubled: int = 0
    reordered: int = 0
    strange: int = 0
    unannounced: int = 0
    resets: int = 0
    closed: int = 0

    @property
    def lost(self) -> int:
        return self.sent - self.got

    @property
    def is_faithful(self) -> bool:
        """Whether nothing happened that nobody was told of."""
        return not (self.doubled or self.reordered or self.strange or self.unannounced)

    def __iadd__(self, other: Tally) -> Tally:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


@dataclass(slots=True)
class Epoch:
    """What was said on one connection, or by one device, and what arrived of it.

    @ivar place: where the next byte belongs.
    @ivar holes: from where to where nothing has arrived, though later bytes have.
    """

    said: Said
    place: int = 0
    got: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list)

    def take(self, data: bytes, tally: Tally) -> bool:
        """Judge bytes that arrived.

        @return: whether they are of this epoch.
        """
        if self.said.has_at(data, self.place):
            self._arrived(len(data))
            return True
        place = self.said.find(data)
        if place < 0:
            return False
        if place > self.place:
            self.holes.append((self.place, place))
            self.place = place
            self._arrived(len(data))
            return True
        for hole in self.holes:
            start, end = hole
            if start <= place < end:
                self.holes.remove(hole)
                rest = [(start, place), (place + len(data), end)]
                self.holes += [(one, other) for one, other in rest if one < other]
                tally.reordered += len(data)
                self.got += len(data)
                return True
        tally.doubled += len(data)
        return True

    def _arrived(self, count: int) -> None:
        self.place += count
        self.got += count
        self.said.forget(self.place)

    @property
    def missing(self) -> int:
        """Bytes that arrived neither in order nor at all."""
        return sum(end - start for start, end in self.holes)


class Talker:
    """Says records at a rate, in bursts, or when it is told to.

    @ivar chance: what the bytes are made from.
    @ivar pace: say a record every so many seconds, from the one to the other, instead.
    """

    def __init__(self, world: World, name: object, rate: float, kept: int = KEPT) -> None:
        """
        @param rate: in bytes a second.
        @param kept: bytes that are kept to tell what is doubled.
        """
        self.world = world
        self.rate = rate
        self.pace: tuple[float, float] | None = None
        self.kept = kept
        self.number = 0
        self.epoch = 0
        self.chance = random.Random(f"stream {name}")
        self._pauses = random.Random(f"pauses {name}")
        self._owed = 0.0
        self._talking = False

    def start(self) -> None:
        """Talk from now on."""
        if not self._talking:
            self._talking = True
            self._tick()

    def stop(self) -> None:
        """Say no more."""
        self._talking = False

    def _tick(self) -> None:
        if not self._talking:
            return
        if self.pace is not None:
            self.world.later(self._pauses.uniform(*self.pace), self._tick)
            if self.is_ready():
                self.say_record()
            return
        self.world.later(TICK, self._tick)
        self._owed += self.rate * TICK
        self.speak()

    def speak(self) -> None:
        """Say what is due."""
        while self._owed > 0 and self.is_ready():
            self._owed -= self.say_record()
        # What could not be said in its time is not made up for.
        self._owed = min(self._owed, 0.0)

    def say_record(self) -> int:
        """Say one record; return how many bytes it has."""
        said = record(self.chance, self.epoch, self.number)
        self.number += 1
        self.say(said)
        return len(said)

    def is_ready(self) -> bool:
        """Whether somebody hears it."""
        raise NotImplementedError

    def say(self, data: bytes) -> None:
        """Say a record."""
        raise NotImplementedError


class Writer(Talker):
    """A client that writes to a node, and connects again when it is reset; the node is judged.

    @ivar connection: the one at the moment, or the last one.
    """

    def __init__(
        self,
        world: World,
        device: Device,
        rate: float,
        *,
        name: object = "",
        kept: int = KEPT,
        record_whole: Callable[[tuple[int, int]], object] = lambda which: None,
    ) -> None:
        """
        @param record_whole: called with epoch and number of each record that is whole at the node.
        """
        super().__init__(world, f"to {device.address64:x} {name}", rate, kept)
        self.device = device
        self.tally = Tally()
        self._record_whole = record_whole
        self._reader = RecordReader()
        self._unsaid = b""
        self._epochs: list[tuple[Epoch, Client]] = []
        self._connect()

    def _connect(self) -> None:
        try:
            self.connection = connection = self.world.connect_client(self.device)
        except ConnectionRefusedError:
            self.world.later(RECONNECT, self._connect)
            return
        self.epoch += 1
        self.number = 0
        self._unsaid = b""
        self._epochs.append((Epoch(Said(self.kept)), connection))
        connection.has_room = self._go_on
        connection.at_end = self._ended

    def _ended(self) -> None:
        if self.connection.ended == RESET:
            self.tally.resets += 1
        elif not self.connection.has_ended_side:
            self.tally.closed += 1
        self._close_books()
        self.world.later(RECONNECT, self._connect)

    def _close_books(self) -> None:
        """Of epochs that were reset no more is expected; what is late must fit all the same."""
        while len(self._epochs) > 4:
            self._settle(*self._epochs.pop(0))

    def is_ready(self) -> bool:
        return not (self._unsaid or self.connection.ended or self.connection.has_ended_side)

    def say(self, data: bytes) -> None:
        took = self.connection.write(data)
        self._unsaid = data[took:]
        self.tally.sent += took
        self._epochs[-1][0].said.add(data[:took])

    def _go_on(self) -> None:
        if self._unsaid:
            self.say(self._unsaid)

    @property
    def is_through(self) -> bool:
        """Whether nothing is on the way any more."""
        epoch, connection = self._epochs[-1]
        return bool(connection.ended) or epoch.place >= len(epoch.said)

    def expects(self, data: bytes) -> bool:
        """Whether these bytes are the next ones, of any epoch."""
        return any(epoch.said.has_at(data, epoch.place) for epoch, _ in self._epochs)

    def take(self, data: bytes) -> bool:
        """Judge bytes that the node got.

        @return: whether they are of this client.
        """
        epochs = [epoch for epoch, _ in reversed(self._epochs)]
        epochs.sort(key=lambda epoch: not epoch.said.has_at(data, epoch.place))
        if not any(epoch.take(data, self.tally) for epoch in epochs):
            return False
        for which in self._reader.feed(data):
            self._record_whole(which)
        return True

    def _settle(self, epoch: Epoch, connection: Client) -> None:
        self.tally.got += epoch.got
        self.tally.unannounced += epoch.missing
        if connection.ended != RESET:
            self.tally.unannounced += max(0, len(epoch.said) - epoch.place)

    def judge(self) -> Tally:
        """All is over: what came of it."""
        self.stop()
        for epoch, connection in self._epochs:
            self._settle(epoch, connection)
        self._epochs.clear()
        return self.tally


def listen(device: Device, *writers: Writer) -> Tally:
    """Give what a device gets to the clients that wrote it.

    @return: what none of them wrote.
    """
    tally = Tally()

    def heard(data: bytes) -> None:
        # A packet of a few bytes may be found anywhere: who has it as the next one goes first.
        in_order = sorted(writers, key=lambda writer: not writer.expects(data))
        if not any(writer.take(data) for writer in in_order):
            tally.strange += len(data)

    device.listener = heard
    return tally


class Speech(Talker):
    """What a node's device says; it need not be heard by anybody."""

    def __init__(self, world: World, device: Device, rate: float, kept: int = KEPT) -> None:
        super().__init__(world, f"from {device.address64:x}", rate, kept)
        self.device = device
        self.said = Said(kept)
        self._readers: list[Reader] = []

    def heard_by(self, reader: Reader) -> None:
        """Keep what this reader does not have yet."""
        self._readers.append(reader)

    def forget(self) -> None:
        """Forget what all readers have."""
        self.said.forget(min(reader.place for reader in self._readers))

    def is_ready(self) -> bool:
        return True

    def say(self, data: bytes) -> None:
        self.said.add(data)
        self.device.send(data)


class Reader:
    """A client that reads what a device says, and connects again when its connection ends.

    @ivar connection: the one at the moment, or the last one.
    """

    def __init__(
        self,
        world: World,
        speech: Speech,
        *,
        record_whole: Callable[[tuple[int, int]], object] = lambda which: None,
        socket: int | None = None,
        write_buffer: int | None = None,
    ) -> None:
        """
        @param record_whole: called with epoch and number of each record that is whole at the
            client.
        @param socket, write_buffer: see `Connection`.
        """
        self.world = world
        self.speech = speech
        self.tally = Tally()
        self._record_whole = record_whole
        self._reader = RecordReader()
        self._sizes = {
            name: size
            for name, size in (("socket", socket), ("write_buffer", write_buffer))
            if size is not None
        }
        # Where the next byte belongs. On the first connection, and on one after a reset, that is
        # known when it comes, but it must not be later than what is said from then on.
        self.place = 0
        self._latest = 0
        self._is_new = True
        speech.heard_by(self)
        self._connect()

    def _connect(self) -> None:
        try:
            self.connection = self.world.connect_client(self.speech.device, **self._sizes)
        except ConnectionRefusedError:
            self.world.later(RECONNECT, self._connect)
            return
        if self._is_new:
            self._latest = len(self.speech.said)
        self.connection.received = self._received
        self.connection.at_end = self._ended

    def _ended(self) -> None:
        if self.connection.ended == RESET:
            self.tally.resets += 1
            self._is_new = True
        elif not self.connection.has_ended_side:
            self.tally.closed += 1
            self._is_new = True
        self._reader = RecordReader()
        self.world.later(RECONNECT, self._connect)

    def _received(self, data: bytes) -> None:
        while data:
            data = data[self._take(data) :]

    def _take(self, data: bytes) -> int:
        """Judge as many bytes as are one piece of what was said: one read may bring several.

        @return: how many these are.
        """
        said, tally = self.speech.said, self.tally
        place, size = self.place, len(data)
        if not said.has_at(data, place):
            place = said.find(data, self.place)
            if place < 0:
                place = said.find(data)
            if place < 0:
                place, size = self._find_beginning(data)
            if not size:
                tally.strange += 1
                return 1
            if place < self.place:
                size = min(size, self.place - place)
                tally.doubled += size
                return size
            tally.unannounced += max(0, place - max(self.place, self._latest))
        self._is_new = False
        self._latest = 0
        self.place = place + size
        tally.got += size
        self.speech.forget()
        for which in self._reader.feed(data[:size]):
            self._record_whole(which)
        return size

    def _find_beginning(self, data: bytes) -> tuple[int, int]:
        """Return where the beginning of `data` was said, and how long it is; 0 for nowhere."""
        said, place = self.speech.said, self.place
        size = longest(lambda size: said.has_at(data[:size], place), len(data))
        if size >= RECOGNIZED:
            return place, size
        for start in (place, 0):
            find = partial(said.find, start=start)
            size = longest(lambda size, find=find: find(data[:size]) >= 0, len(data))  # type: ignore[misc]
            if size >= RECOGNIZED:
                return find(data[:size]), size
        return -1, 0

    @property
    def is_through(self) -> bool:
        """Whether it has everything."""
        return self.place >= len(self.speech.said)

    def judge(self) -> Tally:
        """All is over: what came of it."""
        tally = self.tally
        tally.sent = len(self.speech.said)
        if not self.connection.ended:
            tally.unannounced += max(0, tally.sent - max(self.place, self._latest))
        return tally
