"""What goes wrong by chance: something, then all is well for a while, and so on.

Several of them at once, each with a chance of its own, let several things go wrong at once.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from tests.faults.damage import damage_visibly
from tests.faults.tricks import be_half_deaf, be_slow, hide_addresses
from tests.faults.world import Device, World

Undo = Callable[[], object] | None

#: Those that do not need a gateway which may stand still or die.
OLD_ONES = (
    *("loss", "acknowledgements lost", "status lost", "status late", "22", "24", "32", "21"),
    *("reset", "watchdog", "hang", "unplugged", "swapped", "left"),
    *("bit errors", "bytes lost", "garbage", "stuck", "moved", "switched off"),
)

#: Statuses that a single packet may end with, the packet not delivered.
_SINGLE = (0x02, 0x15, 0x22, 0x24, 0x25, 0x2C, 0x32, 0x75, 0xEE)

#: Statuses that a piece of a cut packet may end with.
_AFTER_74 = (0x02, 0x24, 0x25, 0x22, 0x2C, 0x32, 0x21)

#: Seconds for which a node says nothing before it is switched off.
_QUIET = 30.0


def _nobody() -> Device | None:
    return None


class Calamities:
    """
    @ivar chance: where it all comes from.
    @ivar names: what may happen.
    @ivar counts: how often each thing happened.
    @ivar at_work: how many things are wrong at the moment.
    @ivar happened: called with what happens, or is over.
    @ivar killed: called when the gateway has been killed, and again when another one has started.
    @ivar port_goes: called with the node whose port is about to be moved.
    """

    def __init__(
        self,
        world: World,
        interval: float,
        seed: object,
        quiet: Callable[[], Device | None] = _nobody,
        names: Iterable[str] | None = None,
    ) -> None:
        """
        @param interval: seconds from one to the next, on the average.
        @param quiet: returns a node whose device says nothing, and so loses nothing of which nobody
            could know when it is switched off; None for nobody.
        @param names: what may happen; all if None.
        """
        self._world = world
        self._interval = interval
        self._quiet = quiet
        self.chance = random.Random(str(seed))
        self.counts: dict[str, int] = {}
        self.at_work = 0
        self.happened: Callable[[str], object] = bool
        self.killed: Callable[[], object] = int
        self.port_goes: Callable[[Device], object] = bool
        self._causes = self._all_causes()
        self.names = list(self._causes if names is None else names)
        self._later()

    def _all_causes(self) -> dict[str, tuple[Callable[[], Undo], float]]:
        """Return what may happen, and how many seconds it lasts at the most."""
        return {
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
            "damage": (self._damage, 10.0),
            "single statuses": (self._fail_often, 0.0),
            "74 and then": (self._cut, 0.0),
            "link cut": (self._cut_link, 20.0),
            "in no network": (self._stay_away, 30.0),
            "one buffer": (self._one_buffer, 20.0),
            "sleepy": (self._sleepy, 60.0),
            "frames 91": (self._explicit, 30.0),
            "line in pieces": (self._pieces, 10.0),
            "slow line": (self._slow_line, 10.0),
            "slow radio": (self._slow_radio, 30.0),
            "half-deaf": (self._half_deaf, 60.0),
            "unknown sender": (partial(self._hide, False), 10.0),
            "unknown sender moved": (partial(self._hide, True), 10.0),
            "time of day": (self._set_time, 0.0),
            "stall": (self._stand_still, 0.0),
            "stall replugged": (self._stand_still_replugged, 0.0),
            "asleep": (partial(self._sleep, True), 0.0),
            "asleep without clock": (partial(self._sleep, False), 0.0),
            "killed": (self._kill, 5.0),
            "port moved": (self._move_port, 0.0),
        }

    def stop(self) -> None:
        """Let nothing more happen."""
        self.names.clear()

    def _later(self) -> None:
        self._world.later(self._interval * self.chance.uniform(0.5, 1.5), self._happen)

    def _happen(self) -> None:
        if not self.names:
            return
        name = self.chance.choice(self.names)
        cause, longest = self._causes[name]
        undo = cause()
        self.at_work += 1
        self.happened(name)
        self.counts[name] = self.counts.get(name, 0) + 1
        self._world.later(self.chance.uniform(0, longest), self._end, name, undo)

    def _end(self, name: str, undo: Undo) -> None:
        if undo is not None:
            undo()
        self.at_work -= 1
        self.happened(f"end of: {name}")
        self._later()

    def _set(self, target: object, name: str, value: float) -> Undo:
        setattr(target, name, value)
        return partial(setattr, target, name, 0.0)

    @property
    def _device(self) -> Device:
        return self.chance.choice(self._world.devices)

    # --- the air --------------------------------------------------------------------------------

    def _lose(self) -> Undo:
        return self._set(self._world.air, "loss", self.chance.uniform(0.05, 0.3))

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
        device = self._device
        self._world.network.fail_next(device, 0x21, self.chance.random() < 0.5)
        return None

    def _fail_often(self) -> Undo:
        for _ in range(self.chance.randint(1, 10)):
            times = self.chance.choice((1, 1, 2, 5, 7))
            self._world.network.fail_next(self._device, self.chance.choice(_SINGLE), False, times)
        return None

    def _cut(self) -> Undo:
        for _ in range(self.chance.randint(1, 10)):
            device = self._device
            self._world.network.fail_next(device, 0x74)
            self._world.network.fail_next(device, self.chance.choice(_AFTER_74))
        return None

    def _move(self) -> Undo:
        self._world.network.move_node(self._device)
        return None

    def _switch_off(self) -> Undo:
        """Not while its device says something, of which nobody could know."""
        device = self._quiet()
        if device is None:
            return None
        device.reachable = False
        return partial(setattr, device, "reachable", True)

    def _sleepy(self) -> Undo:
        device = self._device
        device.registers.store("ST", (100).to_bytes(2, "big"))
        device.apply()
        device.fall_asleep(self.chance.choice((2.0, 10.0, 40.0)))
        return partial(device.fall_asleep, 0)

    # --- the radio ------------------------------------------------------------------------------

    def _reset(self, watchdog: bool) -> Undo:
        self._world.network.radio.reset(watchdog)
        return None

    def _hang(self) -> Undo:
        radio = self._world.network.radio
        if not self._world.endpoint.plugged:
            return None
        radio.hang()

        def recover() -> None:
            # It may have been unplugged meanwhile.
            if radio.is_hung:
                radio.reset(True)

        return recover

    @property
    def _is_silently_deaf(self) -> bool:
        """Whether the radio is deaf and nobody knows: if its link is lost then, nobody can know
        since when it was.
        """
        return self._world.network.radio.is_hung

    def _unplug(self) -> Undo:
        if self._is_silently_deaf:
            return None
        self._world.endpoint.unplug()
        return self._world.endpoint.plug_in

    def _cut_link(self) -> Undo:
        if not self._world.endpoint.plugged or self._is_silently_deaf:
            return None
        self._world.endpoint.cut_link()

        def mend() -> None:
            # Who has pulled the radio out meanwhile puts it in again.
            if self._world.network.radio.reachable:
                self._world.endpoint.mend_link()

        return mend

    def _swap(self) -> Undo:
        if self._is_silently_deaf:
            return None
        self._world.endpoint.swap_radio()
        return None

    def _leave(self) -> Undo:
        self._world.network.radio.execute("NR", b"\0")
        return None

    def _stay_away(self) -> Undo:
        radio = self._world.network.radio
        if not radio.listening:
            return None
        radio.leave()
        return partial(self._join, radio)

    @staticmethod
    def _join(radio: Any) -> None:
        if radio.reachable and not radio.in_network:
            radio.join()

    def _one_buffer(self) -> Undo:
        radio = self._world.network.radio
        before = radio.buffers
        radio.buffers = self.chance.choice((1, 2))
        radio.full_status = self.chance.choice((0x2C, 0x32))
        return partial(setattr, radio, "buffers", before)

    def _explicit(self) -> Undo:
        radio = self._world.network.radio

        def say(value: bytes) -> None:
            radio.execute("AO", value)
            radio.apply()

        say(b"\1")
        return partial(say, b"\0")

    def _slow_radio(self) -> Undo:
        return be_slow(self._world, 0.3)

    def _half_deaf(self) -> Undo:
        return be_half_deaf(self._world)

    def _hide(self, move: bool) -> Undo:
        device = self._device
        undo = hide_addresses(self._world, [device])
        if move:
            self._world.network.move_node(device)
        return undo

    # --- the line -------------------------------------------------------------------------------

    def _spoil(self, what: str) -> Undo:
        return self._set(self._world.endpoint.line, what, 1e-3)

    def _damage(self) -> Undo:
        return damage_visibly(self._world, self.chance)

    def _stick(self) -> Undo:
        self._world.endpoint.line.stick()
        return self._world.endpoint.line.release

    def _pieces(self) -> Undo:
        return self._set(self._world.endpoint.line, "largest_piece", self.chance.choice((1, 7, 90)))

    def _slow_line(self) -> Undo:
        return self._set(self._world.endpoint.line, "baud", self.chance.choice((9600, 38400)))

    # --- the gateway ----------------------------------------------------------------------------

    def _set_time(self) -> Undo:
        self._world.wall_step += self.chance.choice((-3600.0, 3600.0))
        return None

    def _stand_still(self) -> Undo:
        self._world.stand_still(self.chance.uniform(0.5, 5.0))
        return None

    def _stand_still_replugged(self) -> Undo:
        endpoint = self._world.endpoint
        is_up = endpoint.plugged and self._world.process.is_running
        if not is_up or self._is_silently_deaf:
            return None
        seconds = self.chance.uniform(1.0, 5.0)
        self._world.stand_still(seconds)
        self._world.later(self.chance.uniform(0, seconds - 0.5), self._unplug)
        self._world.later(seconds - self.chance.uniform(0.05, 0.45), endpoint.plug_in)
        return None

    def _sleep(self, clock_goes_on: bool) -> Undo:
        self._world.sleep(self.chance.uniform(5.0, 40.0), clock_goes_on)
        return None

    def _kill(self) -> Undo:
        if self._world.process.is_dead:
            return None
        self._world.kill_gateway()
        self.killed()

        def start() -> None:
            self._world.start_gateway()
            self.killed()

        return start

    def _move_port(self) -> Undo:
        device = self._device
        try:
            number = self._world.binding_of(device).number
        except ConnectionRefusedError:
            return None
        if not number or not self._world.process.is_running:
            return None
        self.port_goes(device)
        moving = self._world.gateway.bindings.change({device.address64: number + 1000})
        # The port may be another one's.
        Deferred.fromCoroutine(moving).addErrback(bool)
        return None
