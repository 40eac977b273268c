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
from collections.abc import Container

from twisted.logger import globalLogBeginner

from tests.faults.calamities import OLD_ONES, Calamities
from tests.faults.streams import Reader, Speech, Tally, Writer, listen
from tests.faults.world import Device, World

#: Bytes of a stream that are kept to be compared.
KEPT = 512

#: Seconds that a node is left alone before it is switched off: what it is saying gets out.
PAUSE = 30.0

HOUR = 3600.0


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
        self._world = world
        self._polls = polls
        self.calamities = Calamities(
            world, fault_every, f"{seed} calamities", self._quiet, OLD_ONES
        )
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

    def _quiet(self) -> Device | None:
        """Return a node whose device says nothing, of which nobody could know; or None."""
        poll = self.calamities.chance.choice(self._polls)
        is_quiet = poll.is_through and poll.last_word <= self._world.now - PAUSE
        return poll.device if is_quiet else None


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
