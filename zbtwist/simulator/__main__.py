"""``python -m zbtwist.simulator --link PATH``: the simulated radio behind a pseudoterminal.

Any XBee software can open PATH as if a radio were there, close it and open it again. SIGINT and
SIGTERM end the program and remove the link.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)

from zbtwist.simulator.network import SimulatedNetwork
from zbtwist.simulator.nodes import Node, PtyNode
from zbtwist.simulator.options import KINDS, OptionsError, SimulatorOptions
from zbtwist.simulator.pseudoterminal import LinkError, Pseudoterminal
from zbtwist.xbee.address import format_address64
from zbtwist.xbee.devices import product_name


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m zbtwist.simulator",
        description="A Zigbee network in software, behind a pseudoterminal that any XBee program "
        "can open.",
        epilog="Example: python -m zbtwist.simulator --link /tmp/xbee --nodes 5; then "
        "twistd -n zbgate --serial /tmp/xbee",
    )
    add = parser.add_argument
    add("--link", metavar="PATH", help="make PATH a symbolic link to the pseudoterminal")
    add("--nodes", metavar="N", help="how many remote nodes (default: one of each kind)")
    add(
        "--kinds",
        metavar="KINDS",
        help=f"what they are, with + between them: {', '.join(KINDS)} (default: meter+sensor+echo)",
    )
    add("--api-mode", metavar="MODE", help="AP of the radio: 0, 1 or 2 (default: 1)")
    add("--seed", metavar="SEED", help="a whole number; the same network each time (default: 0)")
    add("--nt", metavar="SECONDS", help="how long a discovery takes (default: 3.2)")
    add("--interval", metavar="SECONDS", help="between a meter's packets, 0: only when asked")
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
    print(f"Open it with any XBee program, such as: twistd -n zbgate --serial {path}")
    print("Stop with Ctrl-C.", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    @param argv: the arguments, without the program's name.
    @return: the exit code.
    """
    arguments = _arguments(sys.argv[1:] if argv is None else argv)
    from twisted.internet import reactor

    warnings = FilteringLogObserver(
        textFileLogObserver(sys.stderr), [LogLevelFilterPredicate(LogLevel.warn)]
    )
    globalLogBeginner.beginLoggingTo([warnings], redirectStandardIO=False)
    try:
        options = SimulatorOptions.parse(
            nodes=arguments.nodes,
            kinds=arguments.kinds,
            seed=arguments.seed,
            api_mode=arguments.api_mode,
            nt=arguments.nt,
            interval=arguments.interval,
        )
        network = options.build(reactor)
        line = Pseudoterminal(
            reactor, network.radio.receive_bytes, arguments.link, opened=network.announce
        )
    except (OptionsError, LinkError, OSError) as error:
        print(f"zbtwist.simulator: {error}", file=sys.stderr)
        return 1
    network.radio.serial_output = line.write
    # Not before the signals are handled: who reads it may send one at once.
    reactor.callWhenRunning(_introduce, network, line.link or line.path)
    reactor.addSystemEventTrigger("before", "shutdown", network.stop)
    reactor.addSystemEventTrigger("before", "shutdown", line.close)
    reactor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
