"""Faults of hard weather: the gateway itself stands still, sleeps or dies, the radio is half-deaf
or slow, packets fail twice, clients leave in a hurry. Rows of the matrix, as those in `matrix`.
"""

from __future__ import annotations

from functools import partial

from tests.faults import signs
from tests.faults.fault import ALL, REORDERED, RESET, Fault
from tests.faults.runs import INBOUND, OUTBOUND, RATE, Scene, Undo
from tests.faults.signs import status
from tests.faults.streams import Writer
from tests.faults.tricks import be_far, be_half_deaf, be_slow, hide_addresses
from tests.faults.world import World
from zbtwist.binding.port_settings import PortSettings
from zbtwist.xbee.frames import TransmitStatus

#: Bytes that a client uploads before it closes, and that its gateway reads at once.
UPLOAD = 20_000
READ_AT_ONCE = 4096


# --- the gateway's process ----------------------------------------------------------------------


def stand_still(seconds: float, scene: Scene) -> Undo:
    """The gateway's process stands still."""
    scene.world.stand_still(seconds)
    scene.signs.counts[signs.STILL] += 1
    return None


def stand_still_replugged(seconds: float, scene: Scene) -> Undo:
    """The same, and the radio is pulled out and put in again meanwhile."""
    world = scene.world
    stand_still(seconds, scene)
    world.later(0.3 * seconds, world.endpoint.unplug)
    world.later(0.6 * seconds, world.endpoint.plug_in)
    return None


def fall_asleep(seconds: float, clock_goes_on: bool, scene: Scene) -> Undo:
    """The gateway's computer sleeps; the radio's adapter keeps the first of what comes."""
    scene.world.sleep(seconds, clock_goes_on)
    scene.signs.counts[signs.STILL] += 1
    return None


def set_time(seconds: float, scene: Scene) -> Undo:
    """Somebody sets the time of day."""
    scene.world.wall_step += seconds
    scene.signs.counts[signs.CLOCK_SET] += 1
    return None


def kill(scene: Scene) -> Undo:
    """The gateway is killed, and another one is started."""
    scene.world.kill_gateway()
    scene.signs.counts[signs.KILLED] += 1
    return scene.world.start_gateway


def kill_before_statuses(scene: Scene) -> Undo:
    """The gateway is killed while packets are in the air, and what became of those is told to the
    next one, which has a packet of its own on the way, with some id.
    """
    world = scene.world
    kill(scene)
    world.run(0.5)
    world.start_gateway()
    world.run_until(lambda: scene.connection.ended == "", 10.0)
    radio, other = world.network.radio, world.devices[1]
    # Nobody gets that packet, and it takes the radio a while to say so.
    world.network.fail_next(scene.device, 0x21)
    radio.late_statuses, radio.lateness = 1.0, 2.0
    world.run_until(lambda: world.gateway.bindings.turns.in_flight > 0, 10.0)
    for frame_id in range(1, 256):
        radio.write_frame(TransmitStatus(frame_id, other.address16, 0, 0x00, 0))
        scene.signs.counts[signs.FORMER_STATUS] += 1
    return partial(setattr, radio, "late_statuses", 0.0)


def lose_link_before_status(scene: Scene) -> Undo:
    """The link is lost for a moment while a packet is in the air, and what became of it is told
    afterwards.
    """
    world = scene.world
    radio = world.network.radio
    radio.late_statuses, radio.lateness = 1.0, 1.5
    world.run_until(lambda: scene.signs.under_way > 0, 1.0)
    world.endpoint.cut_link()

    def mend() -> None:
        radio.late_statuses = 0.0
        world.endpoint.mend_link()

    return mend


# --- the radio ----------------------------------------------------------------------------------


def cut_and_fail(number: int, scene: Scene) -> Undo:
    """The next packet is too large, and the first of its pieces ends with this status."""
    scene.world.network.fail_next(scene.device, 0x74)
    scene.world.network.fail_next(scene.device, number)
    return None


def half_deaf(scene: Scene) -> Undo:
    """The radio takes nothing from its host, but hands up what comes from the air."""
    scene.signs.counts[signs.HALF_DEAF] += 1
    return be_half_deaf(scene.world)


def hide(move: bool, scene: Scene) -> Undo:
    """The radio does not know the node's 64-bit address any more.

    @param move: the node has another 16-bit address, too.
    """
    undo = hide_addresses(scene.world, [scene.device])
    if move:
        scene.world.network.move_node(scene.device)
    scene.signs.counts[signs.HIDDEN] += 1
    return undo


def slow(seconds: float, world: World) -> None:
    """The radio needs so long for each AT command."""
    be_slow(world, seconds)


def answer_slowly(scene: Scene) -> Undo:
    """It goes on."""
    scene.signs.counts[signs.SLOW_RADIO] += 1
    return None


def far(world: World) -> None:
    """The radio is 3.5 s away, there and back."""
    be_far(world, 1.75)


def sleeps(world: World) -> None:
    """The node sleeps, and fetches what is kept for it soon."""
    device = world.devices[0]
    device.registers.store("ST", (100).to_bytes(2, "big"))
    device.apply()
    device.fall_asleep(1.0)


# --- the clients --------------------------------------------------------------------------------


def upload(scene: Scene) -> Undo:
    """The client sends much at once and closes, while the device says something."""
    connection = scene.connection
    # As the gateway's own connections, which read less at once than those here.
    transport = getattr(connection, "transport", None)
    if transport is not None:
        transport.bufferSize = READ_AT_ONCE
    scene.talker.stop()
    assert isinstance(scene.talker, Writer)
    scene.talker.say(scene.talker.chance.randbytes(UPLOAD))
    connection.close()
    scene.answer(RATE)
    scene.signs.counts[signs.UPLOADED] += 1
    return None


def write_late(scene: Scene) -> Undo:
    """The radio is unplugged, and a client that was silent writes 13 s later."""
    scene.talker.stop()
    scene.world.run(1.0)
    scene.world.endpoint.unplug()
    scene.world.run(13.0)
    assert isinstance(scene.talker, Writer)
    scene.talker.say_record()

    def undo() -> None:
        scene.world.endpoint.plug_in()
        scene.talker.start()

    return undo


def ask_beside_writer(scene: Scene) -> Undo:
    """The client asks and ends its side, the device answers, and another client writes."""
    scene.quiet()
    scene.ask(b"And what is it now?")
    scene.connection.end_side()
    scene.signs.counts[signs.HALF_CLOSED] += 1
    scene.add_writer()
    scene.world.later(0.8, scene.talker.say_record)
    return None


def end_side_of_chatty_node(scene: Scene) -> Undo:
    """The client ends its side, and the device is never silent."""
    scene.answer(RATE)
    scene.connection.end_side()
    scene.signs.counts[signs.HALF_CLOSED] += 1
    return None


_AT_LEAST_ONCE = {"port_settings": PortSettings(at_least_once=True)}

#: Statuses after which a packet is sent again: seconds that the run lasts.
_AGAIN = (0x02, 0x24, 0x25, 0x22, 0x2C, 0x32)

HARD_WEATHER = (
    *(
        Fault(
            f"74, then {number:02X} on a piece",
            partial(cut_and_fail, number),
            asks=True,
            lasts=2,
            seen=((status(0x74), 1), (status(number), 1)),
        )
        for number in _AGAIN
    ),
    Fault(
        "74, then 75 on a piece, end device",
        partial(cut_and_fail, 0x75),
        prepare=sleeps,
        asks=True,
        lasts=10,
        seen=((status(0x74), 1), (status(0x75), 1)),
    ),
    Fault(
        "gateway stands still 3 s, radio replugged",
        partial(stand_still_replugged, 3.0),
        RESET,
        RESET,
        lasts=4,
        seen=((signs.STILL, 1), (signs.OUTAGE, 1)),
    ),
    Fault(
        "gateway stands still 1 s, radio replugged",
        partial(stand_still_replugged, 1.0),
        RESET,
        RESET,
        lasts=2,
        seen=((signs.STILL, 1), (signs.OUTAGE, 1)),
    ),
    Fault(
        "gateway stands still 1 s",
        partial(stand_still, 1.0),
        lasts=2,
        seen=((signs.STILL, 1),),
    ),
    *(
        Fault(
            f"computer sleeps {seconds:g} s",
            partial(fall_asleep, seconds, True),
            RESET,
            RESET,
            lasts=seconds + 2,
            seen=((signs.STILL, 1),),
        )
        for seconds in (20.0, 40.0)
    ),
    # On a system without a clock that goes on meanwhile nobody knows that it slept. That its
    # adapter has kept half a frame is seen.
    Fault(
        "computer sleeps 20 s, and its clock with it",
        partial(fall_asleep, 20.0, False),
        ALL,
        RESET,
        lasts=22,
        seen=((signs.STILL, 1),),
    ),
    Fault(
        "time of day set back an hour",
        partial(set_time, -3600.0),
        lasts=2,
        seen=((signs.CLOCK_SET, 1),),
    ),
    Fault(
        "time of day set forward an hour",
        partial(set_time, 3600.0),
        lasts=2,
        seen=((signs.CLOCK_SET, 1),),
    ),
    Fault("gateway killed", kill, RESET, RESET, lasts=1, seen=((signs.KILLED, 1),)),
    Fault(
        "gateway killed, and statuses of its packets come to the next one",
        kill_before_statuses,
        RESET,
        nodes=2,
        lasts=6,
        seen=((signs.KILLED, 1), (signs.FORMER_STATUS, 255)),
        directions=(OUTBOUND,),
    ),
    Fault(
        "link lost 0.3 s, and a status comes afterwards",
        lose_link_before_status,
        RESET,
        lasts=0.3,
        seen=((signs.OUTAGE, 1),),
        directions=(OUTBOUND,),
    ),
    Fault(
        "sender FF…FF, its 16-bit address known",
        partial(hide, False),
        lasts=3,
        seen=((signs.HIDDEN, 1),),
    ),
    Fault(
        "sender FF…FF, its 16-bit address new",
        partial(hide, True),
        lasts=3,
        seen=((signs.HIDDEN, 1),),
    ),
    Fault(
        "half-deaf radio, 60 s, heartbeat=5",
        half_deaf,
        RESET,
        RESET,
        lasts=60,
        settings={"heartbeat": 5.0},
        seen=((signs.HALF_DEAF, 1), (signs.OUTAGE, 1)),
    ),
    *(
        Fault(
            f"slow radio: {seconds:g} s for an AT command",
            answer_slowly,
            prepare=partial(slow, seconds),
            beginning=20.0,
            lasts=2,
            seen=((signs.SLOW_RADIO, 1),),
        )
        for seconds in (0.3,)
    ),
    Fault(
        "slow radio: 3.5 s away",
        answer_slowly,
        prepare=far,
        beginning=150.0,
        rate=10.0,
        lasts=20,
        seen=((signs.SLOW_RADIO, 1),),
    ),
    Fault(
        "client sends 20,000 bytes and closes at once, device talks",
        upload,
        lasts=60,
        ends=False,
        seen=((signs.UPLOADED, 1),),
        directions=(OUTBOUND,),
    ),
    Fault(
        "client that was silent writes 13 s after the radio went",
        write_late,
        RESET,
        lasts=1,
        seen=((signs.OUTAGE, 1),),
        directions=(OUTBOUND,),
    ),
    Fault(
        "client asks and ends its side beside another that writes",
        ask_beside_writer,
        lasts=5,
        ends=False,
        seen=((signs.HALF_CLOSED, 1), (signs.ENDED, 1)),
        directions=(INBOUND,),
    ),
    Fault(
        "client ends its side, device is never silent",
        end_side_of_chatty_node,
        lasts=15,
        seen=((signs.HALF_CLOSED, 1), (signs.ENDED, 1)),
        directions=(OUTBOUND,),
    ),
)

WEATHER_OF_OTHER_POLICIES = (
    Fault(
        "at least once: 74, then 21 on a piece, not delivered",
        partial(cut_and_fail, 0x21),
        settings=_AT_LEAST_ONCE,
        seen=((status(0x74), 1), (status(0x21), 1)),
        directions=(OUTBOUND,),
    ),
    Fault(
        "window of 4: 74, then 02 on a piece",
        partial(cut_and_fail, 0x02),
        REORDERED,
        settings={"port_settings": PortSettings(window=4)},
        lasts=2,
        seen=((status(0x74), 1), (status(0x02), 1)),
        directions=(OUTBOUND,),
    ),
)
