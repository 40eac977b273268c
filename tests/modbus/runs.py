"""What is promised of Modbus, run on a clock: masters, the gateway, a bad air, strict slaves."""

from __future__ import annotations

from typing import Any

from tests.faults.world import World
from tests.modbus.masters import Master, Poller, Tally, read, write
from tests.modbus.slave import StrictSlave
from zbtwist.binding.port_settings import PortSettings

#: The part of all tries in the air that is lost.
LOSS = 0.2

#: The rate of the slaves' lines where nothing else is said, bits per second.
BAUD = 9600

#: Payloads of one packet, in bytes, by the firmware (XBee S2C and XBee 3 user guides, NP).
FIRMWARE = {
    "Zigbee, encrypted (66)": 66,
    "DigiMesh (73)": 73,
    "Zigbee (84)": 84,
    "802.15.4 (100)": 100,
    "Zigbee that fragments (255)": 255,
}
RATES = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)

#: The registers of a write, at the most (Modbus application protocol 1.1b3, 6.12).
MOST_WRITTEN = 123
MOST_READ = 125


def world_of(
    protocol: str, *, baud: int = BAUD, loss: float = 0.0, payload: int = 84, **settings: Any
) -> World:
    """Return a world with one strict slave.

    @param payload: bytes that the radio and the node put into a packet.
    @param settings: more of its port.
    """

    def prepare(world: World) -> None:
        world.network.radio.registers.state_fact("NP", payload)
        for device in world.devices:
            device.registers.state_fact("NP", payload)
        world.air.loss = loss

    port_settings = PortSettings(protocol=protocol, **settings)
    return World(
        baud=baud, make=StrictSlave, prepare=prepare, settings={"port_settings": port_settings}
    )


def slave_of(world: World) -> StrictSlave:
    (slave,) = world.devices
    assert isinstance(slave, StrictSlave)
    return slave


def reads(protocol: str, count: int, loss: float = LOSS, baud: int = BAUD) -> Tally:
    """Read 1 to 125 registers, so many times, in turn."""
    world = world_of(protocol, loss=loss, baud=baud)
    master = Master(world, slave_of(world), is_tcp=protocol == "modbus-tcp")
    for number in range(count):
        # All counts come, in no order.
        master.ask(read(1 + number % 3, 7 * number, 1 + number * 37 % MOST_READ))
    world.stop()
    return master.tally


def requests_in_pieces(count: int, loss: float = 0.0) -> Tally:
    """Ask in eight pieces of a byte each, as some masters' TCP does."""
    world = world_of("modbus-rtu", loss=loss)
    master = Master(world, slave_of(world), pieces=8)
    for number in range(count):
        master.ask(read(1, number, 10))
    world.stop()
    return master.tally


def two_masters(protocol: str, count: int, loss: float = 0.0, **settings: Any) -> list[Tally]:
    """Two masters of one node, that poll every 0.2 s and 0.23 s for as many other registers of the
    same slave: their answers can be told apart by nothing but whose turn it was.
    """
    world = world_of(protocol, loss=loss, **settings)
    slave = slave_of(world)
    is_tcp = protocol == "modbus-tcp"
    pollers = [
        Poller(world, Master(world, slave, is_tcp=is_tcp), interval, question, count)
        for interval, question in (
            (0.2, lambda number: read(1, 2 * number, 10)),
            (0.23, lambda number: read(1, 20_000 + 2 * number, 10)),
        )
    ]
    world.run_until(lambda: all(poller.is_over for poller in pollers), count * 0.25 + 60)
    world.stop()
    return [poller.master.tally for poller in pollers]


def writes(payload: int, baud: int, strict: bool = False) -> int:
    """Return the most registers that can be written at once, as all fewer can: in an air in which
    nothing is lost.
    """
    world = world_of("modbus-tcp", payload=payload, baud=baud, strict=strict)
    slave = slave_of(world)
    master = Master(world, slave, is_tcp=True)

    def arrives(count: int) -> bool:
        return master.ask(write(1, 0, count)) == "right"

    most = 0
    for count in range(1, MOST_WRITTEN + 1):
        if not arrives(count):
            break
        most = count
    world.stop()
    return most


def fit(payload: int) -> int:
    """Return how many registers a request may write that fits into one packet."""
    return min(MOST_WRITTEN, (payload - 9) // 2)


def long_writes(payload: int, baud: int, count: int, loss: float = LOSS) -> Tally:
    """Write 123 registers at once, so many times, in a bad air."""
    world = world_of("modbus-tcp", payload=payload, baud=baud, loss=loss)
    master = Master(world, slave_of(world), is_tcp=True)
    for number in range(count):
        master.ask(write(1, number, MOST_WRITTEN))
    world.stop()
    return master.tally
