"""A simulated radio behind a pseudoterminal, whose network a further node joins at SIGUSR1.

``python -m tests.browser.radio PATH``: PATH becomes a link to the pseudoterminal.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from twisted.internet import reactor

from zbtwist.simulator.nodes import EchoNode
from zbtwist.simulator.options import SimulatorOptions
from zbtwist.simulator.serial_port import SimulatedSerialPort

#: The address and the node identifier of the node that joins later. The name is one that a page
#: must not take for markup.
LATE_ADDRESS = 0x0013_A200_400A_3EFF
LATE_NAME = "<b>latecomer</b>"


def run(path: str) -> None:
    """Serve the radio until SIGTERM."""
    network = SimulatorOptions.parse(nt="1", interval="0.2").build(reactor)
    radio = SimulatedSerialPort(reactor, network, path)

    def join() -> None:
        network.add_node(EchoNode(network, LATE_ADDRESS, LATE_NAME))

    threads: Any = reactor
    signal.signal(signal.SIGUSR1, lambda number, frame: threads.callFromThread(join))
    reactor.callWhenRunning(print, "ready", flush=True)
    reactor.addSystemEventTrigger("before", "shutdown", network.stop)
    reactor.addSystemEventTrigger("before", "shutdown", radio.close)
    reactor.run()


if __name__ == "__main__":
    run(sys.argv[1])
