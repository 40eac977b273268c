"""Days of a network in which something goes wrong every few minutes.

Every node is polled: its client sends a record now and then, and the device answers each that it
gets with one of its own. All streams are judged, all the time.

`python -m tests.faults.long_run` runs it denser than the tests do.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
import tracemalloc
from collections.abc import Callable, Container
from functools import partial

from twisted.logger import globalLogBeginner

from tests.faults.streams import Reader, Speech, Tally, Writer, listen
from tests.faults.world import Device, World

#: Bytes of a stream that are kept to be compared.
KEPT = 512

#: Seconds that a node is left alone before it is switched off: what it is saying gets out.
PAUSE = 30.0

HOUR = 3600.0

Undo = Callable[[], object] | None


class Poll:
    """A node that is asked, and answers."""

    def __init__(self, world: World, device: Device, interval: float) -> None:
        """
        @param interval: seconds between two questions, on the average.
        """
        self.device = device
        self.asks = True
        self._world = world
        self._interval = interval
        self._chance = random.Random(f"poll {device.address64:x}")
        self.answers = Speech(world, device, 0.0, KEPT)
        self.questions = Writer(world, device, 0.0, kept=KEPT, record_whole=self._answer)
        self._strange = listen(device, self.questions)
        self.reader = Reader(world, self.answers)
        self.last_word = 0.0
        self._later()

    def _later(self) -> None:
        self._world.later(self._interval * self._chance.uniform(0.5, 1.5), self._ask)

    def _ask(self) -> None:
        self._later()
        if self.asks and self.questions.is_ready():
            self.last_word = self._world.now
            self.questions.say_record()

    def _answer(self, which: tuple[int, int]) -> None:
        self.last_word = self._world.now
        self.answers.say_record()

    @property
    def is_through(self) -> bool:
        """Whether nothing is under way."""
        return self.questions.is_through and self.reader.is_through

    def judge(self) -> tuple[Tally, Tally]:
        """What came of the questions, and of the answers."""
        asked, answered = self.questions.judge(), self.reader.judge()
        asked.strange += self._strange.strange
        return asked, answered


class Calamities:
    """Something goes wrong, then all is well for a while, and so on.

    @ivar counts: how often each thing happened.
    """

    def __init__(self, world: World, polls: list[Poll], interval: float, seed: int) -> None:
        """
        @param interval: seconds from one to the next, on the average.
        """
        self._world = world
        self._polls = polls
        self._interval = interval
        self._chance = random.Random(f"{seed} calamities")
        self.counts: dict[str, int] = {}
        self._all: dict[str, tuple[Callable[[], Undo], float]] = {
            "loss": (self._lose, 30.0),
            "acknowledgements lost": (self._lose_acknowledgements, 20.0),
            "status lost": (self._lose_statuses, 25.0),
            "status late": (self._delay_statuses, 15.0),
            "22": (partial(self._refuse, 0x22), 20.0),
            "24": (partial(self._refuse, 0x24), 5.0),
            "32": (partial(self._refuse, 0x32), 5.0),
            "21": (self._fail, 0.0),
            "reset": (partial(self._reset, False), 0.0),
            "watchdog": (partial(self._reset, True), 0.0),
            "hang": (self._hang, 45.0),
            "unplugged": (self._unplug, 20.0),
            "swapped": (self._swap, 0.0),
            "left": (self._leave, 0.0),
            "bit errors": (partial(self._spoil, "bit_errors"), 10.0),
            "bytes lost": (partial(self._spoil, "lost_bytes"), 10.0),
            "garbage": (partial(self._spoil, "garbage"), 10.0),
            "stuck": (self._stick, 25.0),
            "moved": (self._move, 0.0),
            "switched off": (self._switch_off, 60.0),
        }
        self._later()

    def stop(self) -> None:
        """Let nothing more happen."""
        self._all.clear()

    def _later(self) -> None:
        self._world.later(self._interval * self._chance.uniform(0.5, 1.5), self._happen)

    def _happen(self) -> None:
        if not self._all:
            return
        name = self._chance.choice(list(self._all))
        cause, longest = self._all[name]
        undo = cause()
        self.counts[name] = self.counts.get(name, 0) + 1
        self._world.later(self._chance.uniform(0, longest), self._end, undo)

    def _end(self, undo: Undo) -> None:
        if undo is not None:
            undo()
        self._later()

    def _set(self, target: object, name: str, value: float) -> Undo:
        setattr(target, name, value)
        return partial(setattr, target, name, 0.0)

    def _lose(self) -> Undo:
        return self._set(self._world.air, "loss", self._chance.uniform(0.05, 0.3))

    def _lose_acknowledgements(self) -> Undo:
        return self._set(self._world.air, "acknowledgement_loss", 0.2)

    def _lose_statuses(self) -> Undo:
        return self._set(self._world.network.radio, "lost_statuses", 0.2)

    def _delay_statuses(self) -> Undo:
        return self._set(self._world.network.radio, "late_statuses", 0.3)

    def _refuse(self, status: int) -> Undo:
        self._world.refusals.status = status
        return partial(setattr, self._world.refusals, "status", None)

    def _fail(self) -> Undo:
        device = self._chance.choice(self._world.devices)
        self._world.network.fail_next(device, 0x21, self._chance.random() < 0.5)
        return None

    def _reset(self, watchdog: bool) -> Undo:
        self._world.network.radio.reset(watchdog)
        return None

    def _hang(self) -> Undo:
        radio = self._world.network.radio
        radio.hang()
        return partial(radio.reset, True)

    def _unplug(self) -> Undo:
        self._world.endpoint.unplug()
        return self._world.endpoint.plug_in

    def _swap(self) -> Undo:
        self._world.endpoint.swap_radio()
        return None

    def _leave(self) -> Undo:
        self._world.network.radio.execute("NR", b"\0")
        return None

    def _spoil(self, what: str) -> Undo:
        return self._set(self._world.endpoint.line, what, 1e-3)

    def _stick(self) -> Undo:
        self._world.endpoint.line.stick()
        return self._world.endpoint.line.release

    def _move(self) -> Undo:
        self._world.network.move_node(self._chance.choice(self._world.devices))
        return None

    def _switch_off(self) -> Undo:
        """Not while its device says something, of which nobody could know."""
        poll = self._chance.choice(self._polls)
        if not poll.is_through or poll.last_word > self._world.now - PAUSE:
            return None
        poll.device.reachable = False
        return partial(setattr, poll.device, "reachable", True)


class LongRun:
    """
    @ivar questions: what came of the streams to the nodes.
    @ivar answers: what came of those from the nodes.
    @ivar calamities: what went wrong.
    @ivar objects: how many objects there were, by the hour.
    @ivar traced: how many bytes were in use, by the hour, if `tracemalloc` counts them.
    """

    def __init__(
        self,
        hours: int,
        nodes: int,
        poll_every: float,
        fault_every: float,
        seed: int = 1,
        looked_at: Container[int] | None = None,
    ) -> None:
        """
        @param poll_every, fault_every: seconds, on the average.
        @param looked_at: after which hours memory is looked at; each if None.
        """
        self.questions = Tally()
        self.answers = Tally()
        self.objects: dict[int, int] = {}
        self.traced: dict[int, int] = {}
        world = World(seed=seed, nodes=nodes)
        polls = [Poll(world, device, poll_every) for device in world.devices]
        self.calamities = Calamities(world, polls, fault_every, seed)
        for hour in range(1, hours + 1):
            world.run(HOUR)
            if looked_at is None or hour in looked_at:
                gc.collect()
                self.objects[hour] = len(gc.get_objects())
                self.traced[hour] = tracemalloc.get_traced_memory()[0]
        self.calamities.stop()
        for poll in polls:
            poll.asks = False
        world.run(600.0)
        for poll in polls:
            asked, answered = poll.judge()
            self.questions += asked
            self.answers += answered
        world.stop()


def main() -> None:
    """Run it, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.long_run", description=__doc__)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--nodes", type=int, default=50)
    parser.add_argument("--poll-every", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--fault-every", type=float, default=300.0, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trace-memory", action="store_true", help="count bytes; it takes longer")
    arguments = parser.parse_args()
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False)
    if arguments.trace_memory:
        tracemalloc.start()
    began = time.monotonic()
    run = LongRun(
        arguments.hours,
        arguments.nodes,
        arguments.poll_every,
        arguments.fault_every,
        arguments.seed,
    )
    print(f"{time.monotonic() - began:.1f} s for {arguments.hours} hours")
    print(f"to the nodes: {run.questions}")
    print(f"from the nodes: {run.answers}")
    print(f"what went wrong: {run.calamities.counts}")
    print(f"objects by the hour: {run.objects}")
    if arguments.trace_memory:
        print(f"bytes by the hour: {run.traced}")


if __name__ == "__main__":
    main()
