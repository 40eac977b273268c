"""The faults, one by one, and what is to come of a stream that each of them meets.

`ALL`: every byte arrives, once, in order, and nobody is reset. `RESET`: bytes are lost, or nobody
can know whether they are, and the client's connection was reset. These are the only two ends that a
stream may have; what else comes out of a run is a defect. Only a gateway that is stopped, or a port
that is moved, says its end in an orderly way, `CLOSED`.

The device of a node that loses its network, or its power, loses bytes of which no gateway can know.
So the faults of streams from a node are such that the node's own radio does not give up, or that
the gateway can notice; the others stand by themselves, in `UNKNOWABLE`.

Each row says what shows that its fault did happen, and how often it must; see `signs`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from tests.faults import signs
from tests.faults.connection import CLOSED
from tests.faults.fault import ALL, DOUBLED, REORDERED, RESET, SILENCE, Fault, Injection
from tests.faults.runs import INBOUND, OUTBOUND, RATE, Scene, Undo
from tests.faults.signs import modem_status, status
from tests.faults.weather import HARD_WEATHER, WEATHER_OF_OTHER_POLICIES
from tests.faults.world import Device, World
from zbtwist.binding.port_settings import PortSettings
from zbtwist.network.admission import Admit
from zbtwist.xbee.status import ModemStatusCode


def nothing(scene: Scene) -> Undo:
    """All is well."""
    return None


def lose(probability: float, scene: Scene) -> Undo:
    """Tries are lost in the air."""
    scene.world.air.loss = probability
    return partial(setattr, scene.world.air, "loss", 0.0)


def lose_acknowledgements(probability: float, scene: Scene) -> Undo:
    """The module sends again what has arrived, and the other one knows it again."""
    scene.world.air.acknowledgement_loss = probability
    return partial(setattr, scene.world.air, "acknowledgement_loss", 0.0)


def spoil_air(what: str, probability: float, scene: Scene) -> Undo:
    """A chance of the air: packets come twice, or overtake each other."""
    setattr(scene.world.air, what, probability)
    return partial(setattr, scene.world.air, what, 0.0)


def overtake(scene: Scene) -> Undo:
    """Packets are overtaken by others of the same module."""
    others(scene)
    return spoil_air("reorder", 0.3, scene)


def fail(status: int, times: int, delivered: bool, scene: Scene) -> Undo:
    """The next packets end with this status."""
    scene.world.network.fail_next(scene.device, status, delivered, times)
    return None


def refuse(status: int, scene: Scene) -> Undo:
    """All packets of the radio end with this status."""
    scene.world.refusals.status = status
    return partial(setattr, scene.world.refusals, "status", None)


def delay_statuses(seconds: float, scene: Scene) -> Undo:
    """What became of a packet is told late."""
    radio = scene.world.network.radio
    radio.late_statuses, radio.lateness = 1.0, seconds
    return partial(setattr, radio, "late_statuses", 0.0)


def lose_status(scene: Scene) -> Undo:
    """What became of a packet is never told."""
    radio = scene.world.network.radio
    radio.lost_statuses = 1.0
    return partial(setattr, radio, "lost_statuses", 0.0)


def shrink(scene: Scene) -> Undo:
    """Fewer bytes fit into a packet, as when a route record needs the room."""
    scene.world.network.radio.registers.state_fact("NP", 50)
    return None


def one_buffer(status: int, world: World) -> None:
    """The radio has room for one packet, and refuses the next with this status."""
    radio = world.network.radio
    radio.buffers, radio.full_status = 1, status


def sleep(seconds: float, device: Device) -> None:
    """The node is an end device that sleeps whenever there is nothing to do for 0.1 s."""
    device.registers.store("ST", (100).to_bytes(2, "big"))
    device.apply()
    device.fall_asleep(seconds)


def asleep(seconds: float, world: World) -> None:
    """The node sleeps from the beginning, and the gateway knows."""
    sleep(seconds, world.devices[0])


def begin_to_sleep(seconds: float, scene: Scene) -> Undo:
    """The node becomes an end device, and nobody tells the gateway."""
    sleep(seconds, scene.device)
    return partial(scene.device.fall_asleep, 0)


def reset_radio(watchdog: bool, scene: Scene) -> Undo:
    """The radio restarts, and says so."""
    scene.world.network.radio.reset(watchdog)
    return None


def other_mode(api_mode: int, scene: Scene) -> Undo:
    """Somebody sets another API mode, and the line hears nothing of it."""
    radio = scene.world.network.radio
    radio.execute("AP", bytes([api_mode]))
    radio.apply()
    return None


def hang(scene: Scene) -> Undo:
    """The radio is dumb and deaf, until its watchdog resets it."""
    radio = scene.world.network.radio
    radio.hang()
    return partial(radio.reset, True)


def hang_and_recover(scene: Scene) -> Undo:
    """The radio is dumb and deaf for a while, and says nothing of it."""
    radio = scene.world.network.radio
    radio.hang()
    return radio.recover


def lose_link(scene: Scene) -> Undo:
    """The connection to the radio is gone, as that to a serial server may be. The radio goes on."""
    endpoint = scene.world.endpoint
    endpoint.cut_link()
    return endpoint.mend_link


def lose_busy_link(scene: Scene) -> Undo:
    """The same, while a packet is on its way to the node."""
    if scene.direction == OUTBOUND:
        scene.world.run_until(lambda: scene.signs.under_way > 0, 1.0)
    return lose_link(scene)


def unplug(scene: Scene) -> Undo:
    """The radio is pulled out, while something is under way."""
    scene.world.endpoint.unplug()
    return scene.world.endpoint.plug_in


def unplug_between(scene: Scene) -> Undo:
    """The radio is pulled out when nothing is under way."""
    scene.rest()
    return unplug(scene)


def swap(scene: Scene) -> Undo:
    """Another radio of the same network takes its place."""
    scene.world.endpoint.swap_radio()
    return None


def leave(scene: Scene) -> Undo:
    """The radio leaves the network, and joins it again."""
    scene.world.network.radio.execute("NR", b"\0")
    return None


def stay_away(scene: Scene) -> Undo:
    """The radio leaves the network, says so, and finds no other for a while."""
    radio = scene.world.network.radio
    radio.leave()
    return radio.join


def spoil(what: str, probability: float, scene: Scene) -> Undo:
    """Each byte on the serial line may be damaged, lost, or joined by another."""
    line = scene.world.endpoint.line
    setattr(line, what, probability)
    return partial(setattr, line, what, 0.0)


def _frames(data: bytearray) -> list[tuple[int, int]]:
    """Return from where to where the frames are in what the radio said in API mode 1."""
    places = []
    place = 0
    while place < len(data):
        end = place + int.from_bytes(data[place + 1 : place + 3], "big") + 4
        places.append((place, end))
        place = end
    return places


def damage_one(which: int, offset: int, scene: Scene) -> Undo:
    """Several frames come in one read, and one bit of one of them is turned over.

    @param which: -1 for the last one.
    @param offset: of the byte, from the frame's start byte; or, below 0, from its end.
    """
    wire = scene.world.endpoint.line.from_radio
    wire.pause()
    if scene.direction == OUTBOUND:
        # Else there is but one frame, which the next one waits for.
        scene.answer(RATE)

    def undo() -> None:
        frames = _frames(wire.waiting)
        scene.signs.counts[signs.SAME_READ] += len(frames)
        start, end = frames[which]
        wire.waiting[start + offset if offset >= 0 else end + offset] ^= 4
        wire.resume()

    return undo


def swap_bytes(scene: Scene) -> Undo:
    """Two bytes of a frame with data change places on the line: its sum is the same."""
    wire = scene.world.endpoint.line.from_radio
    wire.pause()

    def undo() -> None:
        data = wire.waiting
        _, end = _frames(data)[-1]
        data[end - 4], data[end - 3] = data[end - 3], data[end - 4]
        scene.signs.counts[signs.SPOILED] += 1
        wire.resume()

    return undo


def spoil_long_reads(probability: float, scene: Scene) -> Undo:
    """The same, and bytes come as an adapter brings them that waits for more: many frames in one
    read.
    """
    line = scene.world.endpoint.line
    line.piece_delay = 0.2
    undo = spoil("bit_errors", probability, scene)
    assert undo is not None

    def end() -> None:
        line.piece_delay = 0.0
        undo()

    return end


def stick(scene: Scene) -> Undo:
    """The radio takes nothing: CTS is off."""
    scene.world.endpoint.line.stick()
    return scene.world.endpoint.line.release


def cut_up(scene: Scene) -> Undo:
    """The line's bytes come one by one."""
    line = scene.world.endpoint.line
    line.largest_piece = 1
    return partial(setattr, line, "largest_piece", 0)


def slow_line(baud: int, scene: Scene) -> Undo:
    """The line to the radio has a rate."""
    scene.world.endpoint.line.baud = baud
    return None


def move(scene: Scene) -> Undo:
    """The node gets another 16-bit address."""
    scene.world.network.move_node(scene.device)
    return None


def switch_off(scene: Scene) -> Undo:
    """The node is switched off, and its device with it."""
    scene.quiet()
    scene.device.reachable = False

    def undo() -> None:
        scene.device.reachable = True
        scene.talk()

    return undo


def move_port(scene: Scene) -> Undo:
    """The node gets another TCP port."""
    number = scene.world.binding_of(scene.device).number
    bindings = scene.world.gateway.bindings
    moving = bindings.change({scene.device.address64: number + 100})
    Deferred.fromCoroutine(moving).addCallback(lambda _: scene.signs.counts.update([signs.MOVED]))
    return None


def half_close(scene: Scene) -> Undo:
    """The client ends its side, and one that reads goes on reading, having asked something."""
    if scene.direction == INBOUND:
        scene.ask(b"And what is it now?")
    scene.connection.end_side()
    scene.signs.counts[signs.HALF_CLOSED] += 1
    return None


def far_away(world: World) -> None:
    """The node is four hops away."""
    world.devices[0].hops = 4


def others(scene: Scene) -> Undo:
    """All other nodes are busy, in both directions."""
    for device in scene.world.devices[1:]:
        scene.add_traffic(device)
    return None


def use_explicit_frames(scene: Scene) -> Undo:
    """Somebody sets AO to 1, and data comes as frames 91."""
    radio = scene.world.network.radio
    radio.execute("AO", b"\1")
    radio.apply()
    if scene.direction == OUTBOUND:
        scene.answer(RATE)
    return None


def stop_reading(scene: Scene) -> Undo:
    """The client reads nothing."""
    scene.connection.stop_reading()
    if scene.direction == OUTBOUND:
        scene.answer(RATE)
    return scene.connection.read_again


def never_read(scene: Scene) -> Undo:
    """The client reads nothing any more, and the device says much."""
    scene.connection.stop_reading()
    if scene.direction == OUTBOUND:
        scene.answer(4000)
        return None
    scene.talker.rate = 4000
    return partial(setattr, scene.talker, "rate", RATE)


def come_and_go(scene: Scene) -> Undo:
    """Another client comes, writes and reads, and goes."""
    other = scene.add_client()

    def undo() -> None:
        other.connection.close()

    return undo


def second_client(scene: Scene) -> Undo:
    """Another client writes and reads as well."""
    scene.add_client()
    return None


def stop_gateway(scene: Scene) -> Undo:
    """The gateway is stopped."""
    scene.world.gateway.stopService()
    return None


NOT_DELIVERED, DELIVERED = False, True

#: Seconds from one record to the next of a node that says much, and of one that says little.
QUICKLY, SLOWLY = (0.004, 0.010), (2.0, 2.0)
#: An air for those that say much, in bit/s.
QUICK_AIR = 250_000.0


def _single(
    name: str, number: int, times: int, delivered: bool = NOT_DELIVERED, end: str = ALL, **more: Any
) -> Fault:
    """The next packets end with that status."""
    inject = partial(fail, number, times, delivered)
    return Fault(name, inject, end, end, asks=True, seen=((status(number), times),), **more)


def _for_a_while(
    name: str, number: int, seconds: float, end: str = ALL, at_least: int = 3, **more: Any
) -> Fault:
    """All packets end with that status."""
    seen = ((status(number), at_least),)
    inject = partial(refuse, number)
    return Fault(name, inject, end, end, lasts=seconds, asks=True, seen=seen, **more)


def _outage(
    name: str, inject: Injection, seconds: float = 0.0, outbound: str = RESET, **more: Any
) -> Fault:
    """The radio is not there for a while."""
    seen = ((signs.OUTAGE, 1),)
    return Fault(name, inject, outbound, RESET, lasts=seconds, seen=seen, **more)


def _link_lost(seconds: float) -> tuple[Fault, Fault]:
    name = f"link lost {seconds:g} s, radio talks on"
    quick = _outage(f"{name}, quickly", lose_busy_link, seconds, pace=QUICKLY, air_rate=QUICK_AIR)
    # A node that was quiet for longer than the outage lasts was not in the middle of something.
    end = RESET if seconds > SLOWLY[0] else ALL
    seen = ((signs.OUTAGE, 1),)
    slow = Fault(
        f"{name}, slowly",
        lose_link,
        ALL,
        end,
        lasts=seconds,
        seen=seen,
        pace=SLOWLY,
        before=3.2,
    )
    return quick, slow


def _bad_line(
    name: str, what: str, probability: float, seconds: float, seed: int, inject: Injection | None
) -> Fault:
    return Fault(
        name,
        inject or partial(spoil, what, probability),
        RESET,
        RESET,
        lasts=seconds,
        seen=((signs.SPOILED, 5),),
        seed=seed,
    )


def _damaged_frame(name: str, which: int, offset: int) -> Fault:
    return Fault(
        f"{name} in one read is damaged",
        partial(damage_one, which, offset),
        RESET,
        RESET,
        lasts=0.4,
        seen=((signs.SAME_READ, 3),),
    )


FAULTS = (
    Fault("none", nothing, lasts=2),
    Fault(
        "5 % of tries lost in the air", partial(lose, 0.05), lasts=8, seen=((signs.LOST_TRIES, 5),)
    ),
    Fault("20 % of tries lost", partial(lose, 0.2), lasts=4, seen=((signs.LOST_TRIES, 5),)),
    Fault("50 % of tries lost", partial(lose, 0.5), lasts=8, seen=((signs.LOST_TRIES, 20),)),
    Fault(
        "acknowledgements lost in the air, packets sent twice",
        partial(lose_acknowledgements, 0.1),
        lasts=6,
        seen=((signs.LOST_ACKNOWLEDGEMENTS, 2),),
    ),
    Fault(
        "packets overtaken in the radio's queue",
        overtake,
        nodes=5,
        lasts=5,
        seen=((signs.OVERTAKEN, 3),),
    ),
    _single("21, delivered", 0x21, 1, DELIVERED, RESET),
    _single("21, not delivered", 0x21, 1, NOT_DELIVERED, RESET),
    _single("01, not delivered", 0x01, 1, NOT_DELIVERED, RESET),
    _single("02 three times", 0x02, 3, lasts=1),
    _single("15: wrong endpoint", 0x15, 1, NOT_DELIVERED, RESET),
    _single("a status that nobody knows", 0xEE, 1, DELIVERED, RESET),
    Fault(
        "status 1 s late",
        partial(delay_statuses, 1.0),
        lasts=5,
        asks=True,
        seen=((signs.LATE_STATUS, 2),),
    ),
    Fault(
        "status 25 s late",
        partial(delay_statuses, 25.0),
        RESET,
        RESET,
        lasts=30,
        asks=True,
        seen=((signs.LATE_STATUS, 1),),
    ),
    Fault(
        "status lost",
        lose_status,
        RESET,
        RESET,
        lasts=25,
        asks=True,
        seen=((signs.LOST_STATUS, 1),),
    ),
    _for_a_while("22 for 3 s", 0x22, 3),
    _for_a_while("22 for 30 s", 0x22, 30, RESET),
    _single("24 twice", 0x24, 2, lasts=1),
    _for_a_while("24 for ever", 0x24, 15, RESET, ends=False),
    _single("25 twice", 0x25, 2, lasts=1),
    _single("2C five times", 0x2C, 5, lasts=4),
    _single("32 five times", 0x32, 5, lasts=4),
    _for_a_while("2C for 2 s", 0x2C, 2),
    Fault("74: NP shrinks to 50", shrink, asks=True, lasts=3, seen=((status(0x74), 1),)),
    _single("75 once", 0x75, 1),
    Fault(
        "end device that sleeps 10 s",
        nothing,
        prepare=partial(asleep, 10.0),
        settings={"admit": Admit.ALL},
        lasts=30,
        seen=((signs.ASLEEP, 50),),
    ),
    Fault(
        "end device that sleeps 60 s",
        nothing,
        prepare=partial(asleep, 60.0),
        settings={"admit": Admit.ALL},
        lasts=130,
        seen=((signs.ASLEEP, 50),),
    ),
    Fault(
        "router begins to sleep, 10 s",
        partial(begin_to_sleep, 10.0),
        lasts=25,
        seen=((signs.ASLEEP, 50),),
    ),
    Fault(
        "router begins to sleep, 60 s",
        partial(begin_to_sleep, 60.0),
        RESET,
        lasts=130,
        seen=((signs.ASLEEP, 50),),
    ),
    Fault(
        "radio reset", partial(reset_radio, False), RESET, RESET, seen=((modem_status(0x00), 1),)
    ),
    Fault(
        "watchdog reset", partial(reset_radio, True), RESET, RESET, seen=((modem_status(0x01), 1),)
    ),
    Fault(
        "API mode 2 becomes 1, and nobody says so",
        partial(other_mode, 1),
        RESET,
        RESET,
        api_mode=2,
        lasts=5,
        seen=((signs.OUTAGE, 1),),
    ),
    Fault(
        "API mode 1 becomes 2, and nobody says so",
        partial(other_mode, 2),
        RESET,
        RESET,
        lasts=5,
        seen=((signs.OUTAGE, 1),),
    ),
    Fault("radio hangs 5 s", hang, RESET, RESET, lasts=5, seen=((modem_status(0x01), 1),)),
    Fault("radio hangs 60 s", hang, RESET, RESET, lasts=60, seen=((signs.OUTAGE, 1),)),
    Fault(
        "radio hangs 5 s and says nothing of it, heartbeat=1",
        hang_and_recover,
        RESET,
        RESET,
        lasts=5,
        settings={"heartbeat": 1.0},
        seen=((signs.NO_ANSWER, 1),),
    ),
    Fault(
        "radio hangs 12 s and says nothing of it, heartbeat=1",
        hang_and_recover,
        RESET,
        RESET,
        lasts=12,
        settings={"heartbeat": 1.0},
        seen=((signs.OUTAGE, 1),),
    ),
    _outage("radio unplugged 1 s", unplug, 1),
    _outage("radio unplugged 8 s", unplug, 8),
    _outage("radio unplugged 30 s", unplug, 30),
    _outage("radio unplugged 2 s between two packets", unplug_between, 2, ALL),
    *_link_lost(0.02),
    *_link_lost(0.3),
    *_link_lost(3),
    _outage("link lost 30 s, radio talks on", lose_link, 30),
    _outage("radio swapped for another one", swap),
    Fault(
        "radio leaves the network and joins",
        leave,
        ALL,
        RESET,
        lasts=1,
        seen=((modem_status(ModemStatusCode.LEFT), 1),),
    ),
    Fault(
        "radio in no network for 8 s",
        stay_away,
        ALL,
        RESET,
        lasts=8,
        seen=((modem_status(ModemStatusCode.LEFT), 1),),
    ),
    _bad_line("bit errors, 1 in 10000 bytes", "bit_errors", 1e-4, 200, 2, None),
    _bad_line("bit errors, 1 in 1000 bytes", "bit_errors", 1e-3, 120, 4, None),
    _bad_line("bit errors, 1 in 2000, long reads", "", 0, 120, 4, partial(spoil_long_reads, 5e-4)),
    _bad_line("bytes lost on the line, 1 in 1000", "lost_bytes", 1e-3, 120, 5, None),
    _bad_line("garbage on the line, 1 in 1000", "garbage", 1e-3, 120, 7, None),
    _damaged_frame("data of the first of several frames", 0, -2),
    _damaged_frame("data of the last of several frames", -1, -2),
    _damaged_frame("address of the first of several frames", 0, 6),
    _damaged_frame("address of the last of several frames", -1, 6),
    _damaged_frame("length of the first of several frames", 0, 2),
    _damaged_frame("length of the last of several frames", -1, 2),
    _damaged_frame("start of the first of several frames", 0, 0),
    _damaged_frame("start of the last of several frames", -1, 0),
    Fault("line stuck (CTS) 3 s", stick, lasts=3, asks=True, seen=((signs.HELD, 10),)),
    Fault(
        "line stuck (CTS) 30 s", stick, RESET, RESET, lasts=30, asks=True, seen=((signs.HELD, 100),)
    ),
    Fault("line in pieces of one byte", cut_up, lasts=2, seen=((signs.SINGLE, 1000),)),
    Fault("line of 38400 baud", partial(slow_line, 38400), lasts=2, seen=((signs.SLOW, 100),)),
    Fault(
        "line of 9600 baud",
        partial(slow_line, 9600),
        lasts=2,
        seen=((signs.SLOW, 100),),
        directions=(OUTBOUND,),
    ),
    Fault("node moves to another 16-bit address", move, lasts=1, seen=((signs.NEW_ADDRESS, 1),)),
    Fault(
        "node switched off 5 s", switch_off, RESET, ALL, lasts=5, seen=((signs.SWITCHED_OFF, 40),)
    ),
    Fault(
        "node switched off for ever",
        switch_off,
        RESET,
        ALL,
        lasts=8,
        ends=False,
        seen=((signs.SWITCHED_OFF, 70),),
    ),
    Fault("four hops", nothing, prepare=far_away, lasts=2, seen=((signs.FOUR_HOPS, 20),)),
    Fault("nine other busy nodes", others, nodes=10, lasts=2, seen=((signs.OTHERS, 100),)),
    Fault(
        "module with one buffer: 32 while it is taken",
        others,
        nodes=4,
        prepare=partial(one_buffer, 0x32),
        lasts=2,
        seen=((status(0x32), 5),),
    ),
    Fault(
        "module with one buffer: 2C while it is taken",
        others,
        nodes=4,
        prepare=partial(one_buffer, 0x2C),
        lasts=2,
        seen=((status(0x2C), 5),),
    ),
    Fault("API mode 2", nothing, api_mode=2, lasts=2, seen=((signs.ESCAPES, 20),)),
    Fault("AO=1: frames 91", use_explicit_frames, lasts=2, seen=((signs.EXPLICIT, 20),)),
    Fault(
        "client stops reading 10 s",
        stop_reading,
        lasts=10,
        sockets=False,
        seen=((signs.UNREAD, 80),),
    ),
    Fault(
        "client never reads",
        never_read,
        RESET,
        RESET,
        lasts=130,
        sockets=False,
        seen=((signs.UNREAD, 800),),
    ),
    Fault(
        "client ends its side, and reads on",
        half_close,
        lasts=1,
        seen=((signs.HALF_CLOSED, 1),),
    ),
    Fault(
        "another client comes and goes", come_and_go, lasts=1.03, seen=((signs.TWO_CLIENTS, 10),)
    ),
    Fault("two clients", second_client, lasts=2, seen=((signs.TWO_CLIENTS, 20),)),
    Fault("port moved", move_port, RESET, CLOSED, lasts=1, seen=((signs.MOVED, 1),)),
    Fault(
        "gateway stopped",
        stop_gateway,
        RESET,
        CLOSED,
        lasts=1,
        ends=False,
        seen=((signs.STOPPED, 1),),
    ),
    Fault(
        "window of 4, and nothing is lost",
        nothing,
        settings={"port_settings": PortSettings(window=4)},
        lasts=2,
        seen=((signs.BESIDE, 10),),
        directions=(OUTBOUND,),
    ),
    *HARD_WEATHER,
)

#: What other policies promise is less: of streams to the node.
OTHER_POLICIES = tuple(
    replace(fault, directions=(OUTBOUND,))
    for fault in (
        Fault(
            "at least once: 21, delivered",
            partial(fail, 0x21, 1, DELIVERED),
            DOUBLED,
            settings={"port_settings": PortSettings(at_least_once=True)},
            seen=((status(0x21), 1),),
        ),
        Fault(
            "at least once: 21, not delivered",
            partial(fail, 0x21, 1, NOT_DELIVERED),
            settings={"port_settings": PortSettings(at_least_once=True)},
            seen=((status(0x21), 1),),
        ),
        Fault(
            "at least once: status lost",
            lose_status,
            DOUBLED,
            settings={"port_settings": PortSettings(at_least_once=True)},
            lasts=25,
            seen=((signs.LOST_STATUS, 1),),
        ),
        Fault(
            "window of 4: 02 once",
            partial(fail, 0x02, 1, NOT_DELIVERED),
            REORDERED,
            settings={"port_settings": PortSettings(window=4)},
            seen=((status(0x02), 1),),
        ),
        Fault(
            "window of 4: 40 % of tries lost",
            partial(lose, 0.4),
            REORDERED,
            settings={"port_settings": PortSettings(window=4)},
            lasts=8,
            seen=((signs.LOST_TRIES, 20),),
        ),
        Fault(
            "window of 4: packets overtaken in the radio's queue",
            partial(spoil_air, "reorder", 0.3),
            REORDERED,
            settings={"port_settings": PortSettings(window=4)},
            lasts=4,
            seen=((signs.OVERTAKEN, 1),),
        ),
        *WEATHER_OF_OTHER_POLICIES,
    )
)

#: What no gateway can know, or this one does not tell; see the end of docs/faults.rst.
UNKNOWABLE = (
    Fault(
        "a module lets packets through twice",
        partial(spoil_air, "duplicate", 0.1),
        DOUBLED,
        DOUBLED,
        lasts=4,
        seen=((signs.DOUBLED, 2),),
    ),
    Fault(
        "two bytes change places on the line",
        swap_bytes,
        inbound=SILENCE,
        lasts=0.4,
        seen=((signs.SPOILED, 1),),
        directions=(INBOUND,),
    ),
    Fault(
        "90 % of tries lost: the node's radio gives up",
        partial(lose, 0.9),
        inbound=SILENCE,
        lasts=30,
        seen=((signs.LOST_TRIES, 50),),
        directions=(INBOUND,),
    ),
    Fault(
        "line of 9600 baud, slower than the air",
        partial(slow_line, 9600),
        inbound=SILENCE,
        lasts=2,
        seen=((signs.SLOW, 100),),
        directions=(INBOUND,),
    ),
    Fault(
        "radio hangs 8 s and says nothing of it, heartbeat=30",
        hang_and_recover,
        RESET,
        SILENCE,
        lasts=8,
        seen=((signs.HUNG, 70),),
    ),
    Fault(
        "link lost 1 s, in which a quiet node speaks",
        lose_link,
        inbound=SILENCE,
        lasts=1,
        before=3.9,
        pace=SLOWLY,
        seen=((signs.OUTAGE, 1),),
        directions=(INBOUND,),
    ),
)
