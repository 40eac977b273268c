"""What a radio can do to a gateway that the simulator's do not; each returns what ends it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from typing import Any

from tests.faults.world import Device, World
from zbtwist.xbee.address import UNKNOWN64
from zbtwist.xbee.frames import ExplicitReceive, Frame, ReceivePacket

Undo = Callable[[], object]


def _instead(owner: Any, name: str, make: Callable[[Callable[..., Any]], Any]) -> Undo:
    """Put something in the place of an object's method, until the end."""
    is_over = False
    method = getattr(owner, name)
    other = make(method)

    def chosen(*arguments: Any, **named: Any) -> Any:
        return (method if is_over else other)(*arguments, **named)

    def end() -> None:
        nonlocal is_over
        is_over = True
        # Others may have put something before it meanwhile.
        if owner.__dict__.get(name) is chosen:
            setattr(owner, name, method)

    setattr(owner, name, chosen)
    return end


def be_half_deaf(world: World) -> Undo:
    """The radio takes nothing from its host, but hands up what comes from the air."""
    radio: Any = world.network.radio
    radio.is_half_deaf = True
    end = _instead(radio, "receive_bytes", lambda method: bool)

    def undo() -> None:
        end()
        radio.is_half_deaf = False

    return undo


def be_slow(world: World, seconds: float) -> Undo:
    """Each AT command takes the radio so long, one after the other."""
    free_at = 0.0

    def make(in_order: Callable[..., Any]) -> Callable[..., Any]:
        def slowly(way: Hashable, delay: float, function: Callable[[], object]) -> None:
            nonlocal free_at
            if isinstance(way, tuple) and way[-1] == "serial line" and delay > 0:
                free_at = max(free_at, world.now) + seconds
                delay = free_at - world.now
            in_order(way, delay, function)

        return slowly

    return _instead(world.network, "in_order", make)


def be_far(world: World, seconds: float) -> Undo:
    """What the gateway and the radio say to each other is so long on the way, each way."""

    def make(write: Callable[..., Any]) -> Callable[..., Any]:
        return lambda data: world.later(seconds, write, data)

    ends = [_instead(wire, "write", make) for wire in world.endpoint.line.directions]
    return lambda: [end() for end in ends]


def hide_addresses(world: World, devices: Iterable[Device]) -> Undo:
    """The radio does not know the 64-bit addresses of these nodes, and says FF…FF (90001539,
    "Receive Packet").
    """
    hidden = {device.address64 for device in devices}

    def make(write_frame: Callable[..., Any]) -> Callable[..., Any]:
        def write(frame: Frame) -> None:
            if isinstance(frame, (ReceivePacket, ExplicitReceive)) and frame.address64 in hidden:
                frame = replace(frame, address64=UNKNOWN64)
            write_frame(frame)

        return write

    return _instead(world.network.radio, "write_frame", make)
