"""A simulated radio behind a pseudoterminal, for tests and pictures of the console.

``python -m tests.browser.radio PATH [NODES]``: PATH becomes a link to the pseudoterminal. Every
third node is behind another, says the radio; with more than three, some are end devices. At SIGUSR1
one more node joins, at SIGUSR2 one is switched off, or on again.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import LoopingCall

from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.nodes import EchoNode
from zbtwist.simulator.options import SimulatorOptions
from zbtwist.simulator.serial_port import SimulatedSerialPort
from zbtwist.xbee.address import Address64, format_address64

#: The address and the node identifier of the node that joins later. The name is one that a page
#: must not take for markup.
LATE_ADDRESS = 0x0013_A200_400A_3EFF
LATE_NAME = "<b>latecomer</b>"

#: Which node is switched off, if there are so many: the first has number 0.
FAILING = 8

#: The address of the first node; the others follow.
_FIRST = 0x0013_A200_400A_3E01


def address(number: int) -> str:
    """Return the address of the node with this number."""
    return format_address64(Address64(_FIRST + number))


def tell_ways(network: SimulatedNetwork) -> None:
    """Let the radio say by which way each node's packets come."""
    nodes = list(network.nodes.values())
    ways: list[list[int]] = []
    for number, node in enumerate(nodes):
        if number % 3 == 2:
            # Through one of the first, by the way that this one has.
            relay = number % min(12, number)
            ways.append([nodes[relay].address16, *ways[relay]])
        else:
            ways.append([])
        if node.reachable:
            network.radio.emit_route_record(node, ways[number])


def run(path: str, nodes: int) -> None:
    """Serve the radio until SIGTERM."""
    discovery_time = "1" if nodes < 100 else "4"
    interval = "0.2" if nodes == 3 else "5"
    network = SimulatorOptions.parse(nodes=str(nodes), nt=discovery_time, interval=interval).build(
        reactor
    )
    for node in list(network.nodes.values())[4::5]:
        node.fall_asleep(0.5)
    radio = SimulatedSerialPort(reactor, network, path)

    def join() -> None:
        network.add_node(EchoNode(network, LATE_ADDRESS, LATE_NAME))

    failing = list(network.nodes.values())[: FAILING + 1][-1]

    def switch() -> None:
        failing.reachable = not failing.reachable
        print("the node is", "on" if failing.reachable else "off", flush=True)

    threads: Any = reactor
    signal.signal(signal.SIGUSR1, lambda number, frame: threads.callFromThread(join))
    signal.signal(signal.SIGUSR2, lambda number, frame: threads.callFromThread(switch))
    LoopingCall(tell_ways, network).start(2, now=False)
    reactor.callWhenRunning(print, "ready", flush=True)
    reactor.addSystemEventTrigger("before", "shutdown", network.stop)
    reactor.addSystemEventTrigger("before", "shutdown", radio.close)
    reactor.run()


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3)
