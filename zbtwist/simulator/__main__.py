"""``python -m zbtwist.simulator --link PATH``: the simulated radio behind a pseudoterminal.

Any XBee software can open PATH as if a radio were there, close it and open it again. SIGINT and
SIGTERM end the program and remove the link. SIGUSR1 unplugs the radio, and plugs it in again;
SIGUSR2 lets its watchdog reset it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
)

from zbtwist.runtime.log_output import observer_of_output
from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.node import Node
from zbtwist.simulator.nodes import PtyNode
from zbtwist.simulator.options import OPTIONS, OptionsError, SimulatorOptions
from zbtwist.simulator.pseudoterminal import LinkError
from zbtwist.simulator.serial_port import SimulatedSerialPort
from zbtwist.xbee.address import format_address64
from zbtwist.xbee.devices import product_name


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m zbtwist.simulator",
        description="A Zigbee network in software, behind a pseudoterminal that any XBee program "
        "can open.",
        epilog="Example: python -m zbtwist.simulator --link /tmp/xbee --nodes 5; then "
        "zbgate --serial /tmp/xbee",
    )
    add = parser.add_argument
    add("--link", metavar="PATH", help="make PATH a symbolic link to the pseudoterminal")
    add("--fleet", metavar="SITESxNODES", help="make no radio, but sites at an MQTT broker: 200x50")
    add("--broker", metavar="ENDPOINT", default="tcp:127.0.0.1:1883", help="the broker of --fleet")
    add("--first-site", metavar="N", type=int, default=1, help="the number of its first site")
    add("--base", metavar="TOPIC", default="zbtwist", help="what stands before its topics")
    for name, option in OPTIONS.items():
        what = f"probability {option.help}" if option.metavar == "P" else option.help
        add(f"--{name.replace('_', '-')}", metavar=option.metavar, help=what)
    return parser.parse_args(argv)


def _line_about(node: Node) -> str:
    identifier = node.registers.number("DD")
    line = (
        f"  {node.identifier.decode('utf-8'):12} {format_address64(node.address64)}  "
        f"{product_name(identifier)}"
    )
    return f"{line}, its serial line is {node.path}" if isinstance(node, PtyNode) else line


def _introduce(network: SimulatedNetwork, path: str) -> None:
    """Say what is where, and how to use it."""
    print(f"A simulated XBee coordinator in API mode {network.radio.api_mode} is at {path}, with")
    for node in network.nodes.values():
        print(_line_about(node))
    print(f"Open it with any XBee program, such as: zbgate --serial {path}")
    print("Stop with Ctrl-C.", flush=True)


def _run_fleet(reactor: Any, arguments: argparse.Namespace) -> int:
    # Nothing of MQTT is loaded for those who want a radio.
    from zbtwist.mqtt.settings import MQTTSettings, base, broker
    from zbtwist.runtime.option import Context, Mistake
    from zbtwist.simulator.fleet import SimulatedFleet, size_of

    context = Context(reactor, os.getcwd())
    try:
        sites, nodes = size_of(arguments.fleet)
        settings = MQTTSettings(
            broker=broker(arguments.broker, context), base=base(arguments.base, context)
        )
        interval = SimulatorOptions.parse(interval=arguments.interval).interval
    except (ValueError, Mistake) as error:
        print(f"zbtwist.simulator: {error}", file=sys.stderr)
        return 1
    fleet = SimulatedFleet(reactor, settings, sites, nodes, interval, arguments.first_site)
    print(
        f"{sites} sites with {nodes} nodes each are at the broker {settings.place}. Stop with "
        "Ctrl-C.",
        flush=True,
    )
    reactor.callWhenRunning(fleet.startService)
    reactor.addSystemEventTrigger("before", "shutdown", fleet.stopService)
    reactor.run()
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    @param argv: the arguments, without the program's name.
    @return: the exit code.
    """
    arguments = _arguments(sys.argv[1:] if argv is None else argv)
    from twisted.internet import reactor

    warnings = FilteringLogObserver(
        observer_of_output(sys.stderr), [LogLevelFilterPredicate(LogLevel.warn)]
    )
    globalLogBeginner.beginLoggingTo([warnings], redirectStandardIO=False)
    if arguments.fleet:
        return _run_fleet(reactor, arguments)
    try:
        options = SimulatorOptions.parse(
            **{name: getattr(arguments, name) for name in OPTIONS},
        )
        network = options.build(reactor)
        radio = SimulatedSerialPort(reactor, network, arguments.link)
        options.set_up_line(radio.line)
    except (OptionsError, LinkError, OSError) as error:
        print(f"zbtwist.simulator: {error}", file=sys.stderr)
        return 1

    def toggle() -> None:
        try:
            radio.unplug() if radio.plugged else radio.plug_in()
        except (LinkError, OSError) as error:
            print(f"zbtwist.simulator: {error}", file=sys.stderr)

    threads = IReactorFromThreads(reactor)
    # The handlers run between any two instructions; what they ask for is done in the reactor.
    signal.signal(signal.SIGUSR1, lambda number, frame: threads.callFromThread(toggle))
    signal.signal(
        signal.SIGUSR2,
        lambda number, frame: threads.callFromThread(network.radio.reset, watchdog=True),
    )
    # Not before the signals are handled: who reads it may send one at once.
    reactor.callWhenRunning(_introduce, network, radio.path)
    reactor.addSystemEventTrigger("before", "shutdown", network.stop)
    reactor.addSystemEventTrigger("before", "shutdown", radio.close)
    reactor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
