"""The faults, one by one, and what is to come of a stream that each of them meets.

`ALL`: every byte arrives, once, in order, and nobody is reset. `RESET`: bytes are lost, or nobody
can know whether they are, and the client's connection was reset. These are the only two ends that a
stream may have; what else comes out of a run is a defect. Only a gateway that is stopped says its
end in an orderly way, `CLOSED`.

The device of a node that loses its network, or its power, loses bytes of which no gateway can know.
So the faults of streams from a node are such that the node's own radio does not give up, or that
the gateway can notice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.faults.connection import CLOSED
from tests.faults.runs import INBOUND, OUTBOUND, RATE, Scene, Undo
from tests.faults.world import Device, World
from zbtwist.xbee.status import MODEM_LEFT

ALL, RESET = "all", "reset"

Injection = Callable[[Scene], Undo]


@dataclass(frozen=True)
class Fault:
    """A row of the table.

    @ivar inject: lets it happen, in mid-stream, and returns what ends it; None if that is nothing.
    @ivar outbound: what comes of a stream to the node.
    @ivar inbound: what comes of a stream from the node.
    @ivar lasts: seconds until it ends.
    @ivar ends: False if it never ends.
    @ivar asks: the client of the stream from the node sends a few bytes now and then, as one that
        polls a device does.
    @ivar settings: of the gateway.
    @ivar nodes: how many there are.
    @ivar prepare: called before the gateway starts.
    """

    name: str
    inject: Injection
    outbound: str = ALL
    inbound: str = ALL
    lasts: float = 0.0
    ends: bool = True
    asks: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    nodes: int = 1
    api_mode: int = 1
    prepare: Callable[[World], object] | None = None

    def verdict(self, direction: str) -> str:
        """What is to come of a stream in that direction."""
        return self.outbound if direction == OUTBOUND else self.inbound


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


def hang(scene: Scene) -> Undo:
    """The radio is dumb and deaf, until its watchdog resets it."""
    radio = scene.world.network.radio
    radio.hang()
    return partial(radio.reset, True)


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
    radio._in_network = False
    radio.emit_modem_status(MODEM_LEFT)
    return radio._coordinator_started


def spoil(what: str, probability: float, scene: Scene) -> Undo:
    """Each byte on the serial line may be damaged, lost, or joined by another."""
    line = scene.world.endpoint.line
    setattr(line, what, probability)
    return partial(setattr, line, what, 0.0)


def stick(scene: Scene) -> Undo:
    """The radio takes nothing: CTS is off."""
    scene.world.endpoint.line.stick()
    return scene.world.endpoint.line.release


def cut_up(scene: Scene) -> Undo:
    """The line's bytes come one by one."""
    line = scene.world.endpoint.line
    line.largest_piece = 1
    return partial(setattr, line, "largest_piece", 0)


def slow_line(scene: Scene) -> Undo:
    """9600 baud."""
    scene.world.endpoint.line.baud = 9600
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
    return None


def stop_reading(scene: Scene) -> Undo:
    """The client reads nothing."""
    scene.connection.stop_reading()
    return scene.connection.read_again


def never_read(scene: Scene) -> Undo:
    """The client reads nothing any more, and the device says much."""
    scene.connection.stop_reading()
    if scene.direction == INBOUND:
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

FAULTS = (
    Fault("none", nothing, lasts=2),
    Fault("5 % of tries lost in the air", partial(lose, 0.05), lasts=4),
    Fault("20 % of tries lost", partial(lose, 0.2), lasts=4),
    Fault("50 % of tries lost", partial(lose, 0.5), lasts=8),
    Fault(
        "acknowledgements lost in the air, packets sent twice",
        partial(lose_acknowledgements, 0.1),
        lasts=6,
    ),
    Fault("21, delivered", partial(fail, 0x21, 1, DELIVERED), RESET, RESET, asks=True),
    Fault("21, not delivered", partial(fail, 0x21, 1, NOT_DELIVERED), RESET, RESET, asks=True),
    Fault("01, not delivered", partial(fail, 0x01, 1, NOT_DELIVERED), RESET, RESET, asks=True),
    Fault("02 three times", partial(fail, 0x02, 3, NOT_DELIVERED), asks=True),
    Fault("15: wrong endpoint", partial(fail, 0x15, 1, NOT_DELIVERED), RESET, RESET, asks=True),
    Fault("a status that nobody knows", partial(fail, 0xEE, 1, DELIVERED), RESET, RESET, asks=True),
    Fault("status 1 s late", partial(delay_statuses, 1.0), lasts=5, asks=True),
    Fault("status 25 s late", partial(delay_statuses, 25.0), RESET, RESET, lasts=30, asks=True),
    Fault("status lost", lose_status, RESET, RESET, lasts=25, asks=True),
    Fault("22 for 3 s", partial(refuse, 0x22), lasts=3, asks=True),
    Fault("22 for 30 s", partial(refuse, 0x22), RESET, RESET, lasts=30, asks=True),
    Fault("24 twice", partial(fail, 0x24, 2, NOT_DELIVERED), asks=True),
    Fault("24 for ever", partial(refuse, 0x24), RESET, RESET, lasts=15, ends=False, asks=True),
    Fault("25 twice", partial(fail, 0x25, 2, NOT_DELIVERED), asks=True),
    Fault("2C five times", partial(fail, 0x2C, 5, NOT_DELIVERED), asks=True),
    Fault("32 five times", partial(fail, 0x32, 5, NOT_DELIVERED), asks=True),
    Fault("2C for 2 s", partial(refuse, 0x2C), lasts=2, asks=True),
    Fault("74: NP shrinks to 50", shrink, asks=True),
    Fault("75 once", partial(fail, 0x75, 1, NOT_DELIVERED), asks=True),
    Fault("end device that sleeps 10 s", nothing, prepare=partial(asleep, 10.0), lasts=30),
    Fault("end device that sleeps 60 s", nothing, prepare=partial(asleep, 60.0), lasts=130),
    Fault("router begins to sleep, 10 s", partial(begin_to_sleep, 10.0), lasts=25),
    Fault("router begins to sleep, 60 s", partial(begin_to_sleep, 60.0), RESET, lasts=130),
    Fault("radio reset", partial(reset_radio, False), RESET, RESET),
    Fault("watchdog reset", partial(reset_radio, True), RESET, RESET),
    Fault("radio hangs 5 s", hang, RESET, RESET, lasts=5),
    Fault("radio hangs 60 s", hang, RESET, RESET, lasts=60),
    Fault("radio unplugged 1 s", unplug, RESET, RESET, lasts=1),
    Fault("radio unplugged 8 s", unplug, RESET, RESET, lasts=8),
    Fault("radio unplugged 30 s", unplug, RESET, RESET, lasts=30),
    Fault("radio unplugged 2 s between two packets", unplug_between, ALL, RESET, lasts=2),
    Fault("radio swapped for another one", swap, RESET, RESET),
    Fault("radio leaves the network and joins", leave, ALL, RESET, lasts=1),
    Fault("radio in no network for 8 s", stay_away, ALL, RESET, lasts=8),
    Fault("bit errors, 1 in 100000 bytes", partial(spoil, "bit_errors", 1e-5), lasts=4),
    Fault(
        "bit errors, 1 in 1000 bytes", partial(spoil, "bit_errors", 1e-3), RESET, RESET, lasts=25
    ),
    Fault(
        "bytes lost on the line, 1 in 1000",
        partial(spoil, "lost_bytes", 1e-3),
        RESET,
        RESET,
        lasts=25,
    ),
    Fault(
        "garbage on the line, 1 in 1000", partial(spoil, "garbage", 1e-3), RESET, RESET, lasts=25
    ),
    Fault("line stuck (CTS) 3 s", stick, lasts=3),
    Fault("line stuck (CTS) 30 s", stick, RESET, ALL, lasts=30),
    Fault("line in pieces of one byte", cut_up, lasts=2),
    Fault("line of 9600 baud", slow_line, lasts=2),
    Fault("node moves to another 16-bit address", move),
    Fault("node switched off 5 s", switch_off, RESET, ALL, lasts=5),
    Fault("node switched off for ever", switch_off, RESET, ALL, lasts=8, ends=False),
    Fault("four hops", nothing, prepare=far_away, lasts=2),
    Fault("nine other busy nodes", others, nodes=10, lasts=2),
    Fault(
        "module with one buffer: 32 while it is taken",
        others,
        nodes=4,
        prepare=partial(one_buffer, 0x32),
        lasts=2,
    ),
    Fault(
        "module with one buffer: 2C while it is taken",
        others,
        nodes=4,
        prepare=partial(one_buffer, 0x2C),
        lasts=2,
    ),
    Fault("API mode 2", nothing, api_mode=2, lasts=2),
    Fault("AO=1: frames 91", use_explicit_frames, lasts=2),
    Fault("client stops reading 10 s", stop_reading, lasts=10),
    Fault("client never reads", never_read, ALL, RESET, lasts=100),
    Fault("another client comes and goes", come_and_go, lasts=1.03),
    Fault("two clients", second_client, lasts=2),
    Fault("gateway stopped", stop_gateway, RESET, CLOSED, lasts=1, ends=False),
    Fault("window of 4, and nothing is lost", nothing, settings={"window": 4}, lasts=2),
)

#: What other policies promise is less: of streams to the node.
OTHER_POLICIES = (
    Fault(
        "at least once: 21, delivered",
        partial(fail, 0x21, 1, DELIVERED),
        "doubled",
        settings={"at_least_once": True},
    ),
    Fault(
        "at least once: 21, not delivered",
        partial(fail, 0x21, 1, NOT_DELIVERED),
        settings={"at_least_once": True},
    ),
    Fault(
        "at least once: status lost",
        lose_status,
        "doubled",
        settings={"at_least_once": True},
        lasts=25,
    ),
    Fault(
        "window of 4: 02 once",
        partial(fail, 0x02, 1, NOT_DELIVERED),
        "reordered",
        settings={"window": 4},
    ),
    Fault(
        "window of 4: 40 % of tries lost",
        partial(lose, 0.4),
        "reordered",
        settings={"window": 4},
        lasts=8,
    ),
)
