"""One run: a fault that meets a stream, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.faults.connection import CLOSED, Client
from tests.faults.signs import LOOK, UNREAD, Signs
from tests.faults.streams import Reader, Speech, Tally, Writer, listen
from tests.faults.world import Device, World

if TYPE_CHECKING:
    from tests.faults.fault import Fault

Undo = Callable[[], object] | None

OUTBOUND, INBOUND = "to node", "from node"
DIRECTIONS = (OUTBOUND, INBOUND)

#: Bytes a second of the stream, and of the other nodes' streams, and of a client that asks.
RATE = 800.0
OTHERS_RATE = 250.0
ASKING_RATE = 60.0

#: Seconds from the stream's beginning to the fault: shortly after a burst began, so that a packet
#: is in the air and others wait.
BEFORE = 1.53

#: Seconds for which it is waited for a new record after the fault, what follows then, and for the
#: rest to arrive.
PATIENCE = 60.0
AFTER = 1.0
DRAIN = 150.0


class Scene:
    """
    @ivar device: the node whose stream is watched.
    @ivar signs: what was seen of the fault.
    """

    def __init__(self, fault: Fault, direction: str, seed: int) -> None:
        self.world = World(
            seed=seed,
            nodes=fault.nodes,
            api_mode=fault.api_mode,
            rate=fault.air_rate,
            settings=fault.settings,
            prepare=fault.prepare,
            sockets=fault.sockets,
            beginning=fault.beginning,
        )
        self.device = self.world.devices[0]
        # Else there is nothing to connect to.
        self.world.binding_of(self.device)
        self.signs = Signs(self.world, self.device)
        self.signs.look()
        self.direction = direction
        self.whole_at: float | None = None
        self._awaited: tuple[int, int] | None = None
        self._others: list[Writer | Reader] = []
        self._writers: list[Writer] = []
        self._speeches: list[Speech] = []
        self._stranger = Tally()
        self._question = b""
        self.main: Writer | Reader
        self.talker: Writer | Speech
        if direction == OUTBOUND:
            self.main = self.talker = Writer(
                self.world, self.device, fault.rate, record_whole=self._record_whole
            )
            self._writers.append(self.main)
        else:
            self.talker = Speech(self.world, self.device, fault.rate)
            self.main = Reader(self.world, self.talker, record_whole=self._record_whole)
            if fault.asks:
                asking = Writer(self.world, self.device, ASKING_RATE, name="asking")
                self._add(asking)
        self._listen()
        self.talker.pace = fault.pace
        self.talker.start()
        self._look()

    def _look(self) -> None:
        self.world.later(LOOK, self._look)
        self.signs.counts[UNREAD] += self.connection.unread > 0

    def _listen(self) -> None:
        self._stranger = listen(self.device, *self._writers)

    def _add(self, writer: Writer) -> None:
        self._others.append(writer)
        self._writers.append(writer)
        writer.start()

    def _record_whole(self, which: tuple[int, int]) -> None:
        if self._awaited is not None and self.whole_at is None and which >= self._awaited:
            self.whole_at = self.world.now

    @property
    def connection(self) -> Client:
        """The client's connection."""
        return self.main.connection

    # --- for faults ----------------------------------------------------------------------------

    def rest(self) -> None:
        """Wait until nothing is under way."""
        self.world.run_until(lambda: self.main.is_through, 1.0)
        self.world.run(0.05)

    def quiet(self) -> None:
        """The device says nothing until `talk`, and all that it has said is out."""
        if self.direction == INBOUND:
            self.talker.stop()
            self.rest()

    def talk(self) -> None:
        """The device talks again."""
        if self.direction == INBOUND:
            self.talker.start()

    def answer(self, rate: float) -> None:
        """The device talks to a client that writes."""
        speech = Speech(self.world, self.device, rate)
        self._speeches.append(speech)
        speech.start()

    def ask(self, question: bytes) -> None:
        """Let the client that reads write that to the device, which knows what it is."""
        heard = self.device.listener
        assert heard is not None
        self._question = question
        self.device.listener = lambda data: None if data == question else heard(data)
        self.connection.write(question)

    def add_traffic(self, device: Device) -> None:
        """Another node is busy, in both directions."""
        writer = Writer(self.world, device, OTHERS_RATE)
        listen(device, writer)
        writer.start()
        speech = Speech(self.world, device, OTHERS_RATE)
        reader = Reader(self.world, speech)
        speech.start()
        self._others += [writer, reader]

    def add_client(self) -> Writer:
        """Another client writes to the node; and one reads, if the node's device talks."""
        writer = Writer(self.world, self.device, RATE / 2, name="second")
        self._add(writer)
        self._listen()
        if isinstance(self.talker, Speech):
            self._others.append(Reader(self.world, self.talker))
        return writer

    def add_writer(self) -> None:
        """Another client writes to the node, and reads nothing."""
        self._add(Writer(self.world, self.device, RATE / 2, name="second"))
        self._listen()
        listening = self.device.listener
        assert listening is not None
        question = self._question

        def hear(data: bytes) -> None:
            if data != question:
                listening(data)

        self.device.listener = hear

    # --- the course of it ----------------------------------------------------------------------

    def wait_for_record(self) -> float | None:
        """Let time go by until a record is through that is said from now on.

        @return: seconds; None if there was none within `PATIENCE`.
        """
        began = self.world.now
        self._awaited = (self.talker.epoch, self.talker.number)
        self.world.run_until(lambda: self.whole_at is not None, PATIENCE)
        return None if self.whole_at is None else self.whole_at - began

    def finish(self) -> Tally:
        """Let all arrive that is under way, and judge."""
        self.talker.stop()
        for speech in self._speeches:
            speech.stop()
        for other in self._others:
            (other if isinstance(other, Writer) else other.speech).stop()
        everybody = [self.main, *self._others]
        self.world.run_until(lambda: all(one.is_through for one in everybody), DRAIN)
        self.world.run(0.5)
        tally = self.main.judge()
        tally.strange += self._stranger.strange
        for other in self._others:
            judged = other.judge()
            for wrong in ("doubled", "reordered", "strange", "unannounced"):
                setattr(tally, wrong, getattr(tally, wrong) + getattr(judged, wrong))
        # What the end of the world does to connections does not count.
        return replace(tally)


@dataclass(frozen=True, slots=True)
class Result:
    """
    @ivar again: seconds from the end of the fault until a record was through; None for never.
    """

    name: str
    direction: str
    tally: Tally
    again: float | None
    seen: Counter[str]

    @property
    def verdict(self) -> str:
        """How it ended: "all", "reset", "closed"; or as it must not by default: "doubled",
        "reordered", or "SILENCE" about what is lost or wrong.
        """
        tally = self.tally
        if tally.strange or tally.unannounced:
            return "SILENCE"
        if tally.doubled:
            return "doubled"
        if tally.reordered:
            return "reordered"
        if tally.closed:
            return CLOSED
        if tally.resets:
            return "reset"
        return "all" if not tally.lost else "SILENCE"


def run(fault: Fault, direction: str) -> Result:
    """Let a fault meet a stream."""
    scene = Scene(fault, direction, fault.seed)
    world = scene.world
    world.run(fault.before)
    undo = fault.inject(scene)
    world.run(fault.lasts)
    if undo is not None and fault.ends:
        undo()
    again = None
    if fault.ends:
        again = scene.wait_for_record()
        world.run(AFTER)
    tally = scene.finish()
    scene.signs.settle()
    seen = Counter(scene.signs.counts)
    world.stop()
    return Result(fault.name, direction, tally, again, seen)
