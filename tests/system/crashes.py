"""Kill the gateway at random moments, and see that no acknowledged mapping is lost.

``python -m tests.system.crashes --kills 500`` runs the real program on a simulated network that
grows, and calls ``create_mapping``, ``bind_using_list`` and ``remove_mapping`` on it. It kills it
(SIGKILL) at a random moment, starts it again, and compares what it has with what it had
acknowledged: by the answer of a call, or by showing a mapping in ``list()``. A call that was under
way may have happened or not.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import signal
import tempfile
import threading
import time
import xmlrpc.client
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.system.support import Gateway, free_ports, wait_until

#: Addresses of nodes that never appear, for mappings by hand.
_ABSENT = [f"00:13:a2:00:7f:00:00:{n:02x}" for n in range(40)]

#: The longest life of a gateway after it answers, in seconds.
_MAX_LIFE = 0.6

_GONE = (OSError, http.client.HTTPException)


@dataclass
class Ledger:
    """What the gateway has acknowledged.

    @ivar ports: the port of each address that has one.
    @ivar doubtful: for each address of the call under way, what it may have after it; None for
        nothing.
    """

    ports: dict[str, int] = field(default_factory=dict)
    doubtful: dict[str, int | None] = field(default_factory=dict)
    calls: int = 0
    refusals: int = 0

    def compare(self, found: dict[str, int]) -> list[str]:
        """Return a sentence for each mapping that is not as it was acknowledged."""
        wrong = []
        for address in sorted({*self.ports, *found}):
            allowed = {self.ports.get(address)}
            if address in self.doubtful:
                allowed.add(self.doubtful[address])
            elif address not in self.ports:
                # A node that joined, and was given a port before anybody asked.
                continue
            if found.get(address) not in allowed:
                wrong.append(f"{address} has port {found.get(address)}, not {allowed}")
        return wrong


def mappings(api: Any) -> dict[str, int]:
    """Return the port of each address that has one."""
    return {
        row["addr_extended"].strip("[]!"): row["tcp_port"] for row in api.list() if row["tcp_port"]
    }


def disturb(api: Any, ledger: Ledger, chance: random.Random, first_port: int) -> None:
    """Call the gateway without a pause until it is gone."""
    try:
        while True:
            ledger.ports = mappings(api)
            address = chance.choice(_ABSENT)
            free = [n for n in range(first_port, first_port + 60) if n not in ledger.ports.values()]
            if address in ledger.ports and chance.random() < 0.4:
                call(ledger, {address: None}, api.remove_mapping, address)
            elif chance.random() < 0.5:
                port = chance.choice(free)
                call(ledger, {address: port}, api.create_mapping, address, port)
            else:
                rows = dict(zip(chance.sample(_ABSENT, 4), chance.sample(free, 4)))
                call(ledger, {**rows}, api.bind_using_list, [list(row) for row in rows.items()])
    except _GONE:
        return


def call(ledger: Ledger, wanted: dict[str, int | None], method: Any, *arguments: Any) -> None:
    """Make a call, and enter it when it is acknowledged. A call that is refused changes nothing."""
    ledger.doubtful = wanted
    try:
        method(*arguments)
    except xmlrpc.client.Fault:
        ledger.refusals += 1
    else:
        ledger.calls += 1
        for address, port in wanted.items():
            if port is None:
                del ledger.ports[address]
            else:
                ledger.ports[address] = port
    ledger.doubtful = {}


def run(kills: int, seed: int, report: Any = lambda line: None) -> tuple[int, list[str]]:
    """Kill a gateway so many times.

    @param report: called with a line now and then.
    @return: how many calls were acknowledged, and a sentence for each loss.
    """
    chance = random.Random(seed)
    state = os.path.join(tempfile.mkdtemp(prefix="zbtwist-crashes-"), "state.sqlite3")
    base = free_ports(200)
    ledger = Ledger()
    lost: list[str] = []
    for number in range(1, kills + 1):
        nodes = min(5 + number, 60)
        gateway = Gateway(
            f"sim:kinds=echo:nodes={nodes}:nt=0.2:seed={number}",
            *("--state", state, "--base-port", str(base)),
        )
        try:
            api = wait_until(partial(answering, gateway), "the gateway answers")
            found = mappings(api)
            if number > 1:
                wrong = [f"after kill {number - 1}: {w}" for w in ledger.compare(found)]
                lost += wrong
                for loss in wrong:
                    report(loss)
            # The next kill may come before the caller has asked.
            ledger.ports, ledger.doubtful = found, {}
            caller = threading.Thread(
                target=disturb, args=(api, ledger, chance, base + 100), daemon=True
            )
            caller.start()
            time.sleep(chance.random() * _MAX_LIFE)
            if number % 2 == 0:
                # The others may die before the first call, and on a slow computer all would.
                wait_until(partial(has_answered, ledger, number * 2), "calls are acknowledged")
        finally:
            gateway.stop(signal.SIGKILL)
        caller.join(5)
        if number % 25 == 0:
            report(f"{number} kills, {ledger.calls} calls acknowledged, {len(lost)} losses")
    return ledger.calls, lost


def has_answered(ledger: Ledger, calls: int) -> bool:
    """Whether so many calls were acknowledged, in all lives together."""
    return ledger.calls >= calls


def answering(gateway: Gateway) -> Any:
    """Return the API once it answers."""
    try:
        gateway.api.status()
    except _GONE:
        assert gateway.process.poll() is None, gateway.output
        return None
    return xmlrpc.client.ServerProxy(gateway.url)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    calls, losses = run(arguments.kills, arguments.seed, print)
    print("\n".join(losses) or "Nothing acknowledged was lost.")
    print(f"{arguments.kills} kills, {calls} calls, {time.monotonic() - began:.0f} s")
    raise SystemExit(bool(losses))
