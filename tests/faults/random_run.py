"""Fifty nodes, many clients that come and go, and everything that can go wrong, at once.

`python -m tests.faults.random_run --seed N` lets one such quarter of an hour go by, on a clock of
its own; with `--minutes M` the seeds N, N+1 and so on, until M minutes are over. Each seed is
printed, with what it found and a digest of all that passed: a seed that is run again has the same.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterable

from twisted.logger import globalLogBeginner

from tests.faults.calamities import Calamities
from tests.faults.judge import Judge, watch_packets
from tests.faults.visitors import LONG_GONE, Place
from tests.faults.world import Device, World
from zbtwist.binding.losses import INTERVAL, QUIET
from zbtwist.radio.events import LinkHeard, LinkUp

#: Seconds that something goes wrong, of a run.
DURATION = 900.0

NODES = 50

#: Seconds between two looks at the radio.
LOOK = 0.05

#: Things that go wrong beside each other.
AT_ONCE = 4

#: Seconds from one thing to the next, on the average, of each of these.
INTERVALS = (3.0, 6.0, 20.0, 60.0)

#: Seconds until the gateway has heard of a radio that is back, or never will.
PATIENCE = 60.0

#: Calls that a gateway has in its clock when nothing is to be done, beyond those that it had when
#: it was new.
MORE_CALLS = 3

_STYLES = ("meter", "bursts", "polled", "polled")


class RandomRun:
    """
    @ivar judge: what came of it.
    @ivar counts: what went wrong, how often.
    """

    def __init__(
        self,
        seed: int,
        *,
        nodes: int = NODES,
        duration: float = DURATION,
        without: Iterable[str] = (),
        only: Iterable[str] = (),
    ) -> None:
        """
        @param without: what is not to go wrong, by the names of `Calamities`; and styles and ends
            that clients are not to have, see `Visitor`.
        @param only: if it is not empty, what is to go wrong.
        """
        chance = random.Random(f"{seed} random run")
        # What the gateway itself leaves to chance.
        random.seed(seed)
        self._world = world = World(
            seed=seed,
            nodes=nodes,
            api_mode=chance.choice((1, 1, 2)),
            rate=chance.choice((35_000.0, 250_000.0, 250_000.0)),
            settings={"heartbeat": chance.choice((1.0, 5.0, 30.0))},
        )
        self.judge = judge = Judge(world)
        self._chance = chance
        # The outage that there is, and which kind of one; empty for none.
        self._is_away: list[float] | None = None
        self._how_away = ""
        self._was_killed = False
        self._calls = len(world.process.getDelayedCalls())
        self._follow()
        leisure = chance.choice((0.5, 1.0, 3.0))
        left_out = tuple(without)
        self.places: dict[int, Place] = {
            device.address64: Place(
                judge, device, chance.choice(_STYLES), seed, leisure=leisure, without=left_out
            )
            for device in world.devices
        }
        watch_packets(world, {address: place.speaker for address, place in self.places.items()})
        self.counts: dict[str, int] = {}
        self._interval = chance.choice(INTERVALS)
        self.calamities = [
            self._calamities(seed, number, set(without), set(only)) for number in range(AT_ONCE)
        ]
        self._look_again()
        world.run(duration)
        self._end()
        world.stop()

    def _calamities(self, seed: int, number: int, without: set[str], only: set[str]) -> Calamities:
        calamities = Calamities(
            self._world, self._interval, f"{seed} calamities {number}", self._quiet
        )
        # Some of them each time: many of a kind show more than one of each.
        names = sorted((only or set(calamities.names)) - without)
        calamities.names = self._chance.sample(names, min(len(names), 12))
        calamities.happened = self._happened
        calamities.killed = self._killed
        calamities.port_goes = lambda device: self.places[device.address64].closing()
        calamities.counts = self.counts
        return calamities

    # --- what the judge has to know -------------------------------------------------------------

    def _happened(self, what: str) -> None:
        self.judge.note(what)
        self._look()

    def _follow(self) -> None:
        bus = self._world.gateway.bus
        bus.subscribe(LinkUp, lambda event: self._heard())
        bus.subscribe(LinkHeard, lambda event: self._heard())

    def _heard(self) -> None:
        self._look()
        self.judge.note("the gateway hears the radio")
        self.judge.heard()

    def _killed(self) -> None:
        if self._world.process.is_dead:
            self._was_killed = True
            self.judge.started = float("inf")
            for place in self.places.values():
                place.killed()
        else:
            self.judge.started = self._world.now
            self._follow()

    def _look_again(self) -> None:
        self._world.later(LOOK, self._look_again)
        self._look()

    def _look(self) -> None:
        """See whether the radio is there, and hears, and is heard."""
        world, judge = self._world, self.judge
        radio = world.network.radio
        is_away = (
            not (world.endpoint.plugged and radio.listening)
            # Nobody has opened the line.
            or world.endpoint.line.from_radio.take is None
            or (not world.process.is_running and not world.process.is_dead)
        )
        # Such a radio hands up what nodes say, so it is another outage when it goes altogether.
        how = "away" if is_away else "half-deaf" if getattr(radio, "is_half_deaf", False) else ""
        if how != self._how_away:
            if self._is_away is not None:
                judge.back(self._is_away)
            self._is_away = judge.away() if how else None
            self._how_away = how
        judge.forget(PATIENCE)

    def _quiet(self) -> Device | None:
        """Let a device say nothing any more, and return it when all of it is out."""
        place = self._chance.choice(list(self.places.values()))
        speaker = place.speaker
        if speaker.is_silent:
            return None
        if speaker.is_idle and speaker.heard_before(self._world.now) < self._world.now - 5.0:
            # It stays silent while it is off, since a node that is off has no device that speaks.
            return place.device
        return None

    # --- the end --------------------------------------------------------------------------------

    def _end(self) -> None:
        """Let all come to rest, and see that nothing is left."""
        world, judge = self._world, self.judge
        judge.note("the end begins")
        for calamities in self.calamities:
            calamities.stop()
        world.run_until(lambda: not any(one.at_work for one in self.calamities), 300.0)
        for place in self.places.values():
            place.is_open = place.asks = False
            place.speaker.is_silent = True
        world.run(LONG_GONE + 50.0)
        for place in self.places.values():
            for visitor in place.visitors:
                if visitor is not None:
                    visitor.judge_end()
        # What was lost is counted for so long.
        world.run(QUIET + 2 * INTERVAL)
        # The radio may just be asked whether it is there.
        world.run_until(lambda: not world.gateway.radio.coordinator.outstanding, 10.0)
        self._check_rest()
        for place in self.places.values():
            for visitor in place.visitors:
                if visitor is not None:
                    visitor.connection.close()
        world.run(5.0)
        gateway = world.gateway
        if gateway.bindings.clients:
            judge.broken(
                "left", f"{gateway.bindings.clients} clients that are gone are still there"
            )
        for place in self.places.values():
            place.settle(all_of_them=True)
            self._check_counters(place)

    def _check_rest(self) -> None:
        """Nothing waits any more, nothing has grown."""
        world, judge = self._world, self.judge
        gateway = world.gateway
        coordinator = gateway.radio.coordinator
        if coordinator.facts is None:
            judge.broken("left", f"the radio is not up: {coordinator.offline_reason}")
        left = {
            "requests": coordinator.outstanding,
            "waiting requests": coordinator.waiting,
            "packets in flight": gateway.bindings.turns.in_flight,
            "nodes that wait": gateway.bindings.turns.waiting,
            "calls": max(0, len(world.process.getDelayedCalls()) - self._calls - MORE_CALLS),
        }
        for place in self.places.values():
            try:
                outbound = world.binding_of(place.device).outbound
            except ConnectionRefusedError:
                if place.speaker.heard_before(world.now) >= judge.started:
                    judge.broken("left", f"{place} was heard, and has no port")
                continue
            left[f"bytes for {place}"] = outbound.unconfirmed
        for what, number in left.items():
            if number:
                judge.broken("left", f"{number} {what}")

    def _check_counters(self, place: Place) -> None:
        if self._was_killed:
            # What a gateway has counted is gone with it.
            return
        try:
            outbound = self._world.binding_of(place.device).outbound
        except ConnectionRefusedError:
            return
        judge, arrived = self.judge, place.arrived_bytes
        sent, lost = outbound.bytes_sent, outbound.bytes_lost
        if sent + lost != place.read_bytes:
            judge.broken(
                "counters",
                f"{place}: {place.read_bytes} bytes were read, {sent} sent, and {lost} lost",
            )
        if not sent <= arrived <= sent + lost:
            judge.broken("counters", f"{place}: {sent} sent, {lost} lost, and {arrived} arrived")
        if place.missing > lost:
            judge.broken(
                "counters", f"{place}: {place.missing} are missing, {lost} counted as lost"
            )


def main() -> None:
    """Run seeds, and say what came of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.random_run", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, help="run this seed and the next ones so long")
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument("--duration", type=float, default=DURATION, metavar="SECONDS")
    parser.add_argument("--without", default="", help="names, with commas, of what is left out")
    parser.add_argument("--only", default="", help="names, with commas, of what goes wrong")
    parser.add_argument("--verbose", action="store_true", help="print counts as well")
    arguments = parser.parse_args()
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False)
    end = time.monotonic() + 60 * (arguments.minutes or 0)
    seed, violations = arguments.seed, 0
    while True:
        began = time.monotonic()
        run = RandomRun(
            seed,
            nodes=arguments.nodes,
            duration=arguments.duration,
            without=[name.strip() for name in arguments.without.split(",") if name],
            only=[name.strip() for name in arguments.only.split(",") if name],
        )
        judge = run.judge
        found = len(judge.violations)
        violations += found
        counts = judge.counts
        print(
            f"seed {seed}: {found} violations; {counts.get('bytes to nodes', 0)} bytes to nodes, "
            f"{counts.get('bytes read', 0)} bytes from them, {counts.get('clients reset', 0)} "
            f"resets, {sum(run.counts.values())} calamities; {judge.digest.hexdigest()[:16]}; "
            f"{time.monotonic() - began:.0f} s",
            flush=True,
        )
        for violation in judge.violations:
            print(violation, flush=True)
        if arguments.verbose:
            print(dict(sorted(counts.items())), dict(sorted(run.counts.items())), flush=True)
        seed += 1
        if time.monotonic() >= end:
            break
    raise SystemExit(bool(violations))


if __name__ == "__main__":
    main()
