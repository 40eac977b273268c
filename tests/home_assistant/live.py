"""A gateway on a simulated network, mosquitto and a real Home Assistant: the entities have what the
gateway knows, and do what they are told.

    HOME_ASSISTANT_PYTHON=…/bin/python .venv/bin/python -m tests.home_assistant.live

It needs mosquitto, and a Python that has the packages ``homeassistant``, ``paho-mqtt`` and
``aiohasupervisor``. It takes some minutes, prints what holds, and ends with status 1 if something
does not.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.system.forked import ZBGATE
from tests.system.support import Gateway, free_ports, wait_until

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin") or ""
PYTHON = os.environ.get("HOME_ASSISTANT_PYTHON", "")

#: Seconds that a thing may take: it is told within 20, and Home Assistant needs some itself.
PATIENCE = 40.0

SETTINGS = """\
serial = "sim:nodes=3:node_baud=230400:interval=0.5"
control = "{control}"
base-port = {base}
state = "{directory}/state.sqlite3"

[mqtt]
broker = "tcp:127.0.0.1:{broker}"
site = "{site}"
home-assistant = {home_assistant}

[[node]]
label = "METER"
decoder = "ecm1220"

[[node]]
label = "SENSOR"
mqtt = "{sensor}"
"""


class HomeAssistant:
    """One that runs headless; see `tests.home_assistant.headless`."""

    def __init__(self, broker: int, http: int) -> None:
        script = str(Path(__file__).with_name("headless.py"))
        self._process = subprocess.Popen(
            [PYTHON, script, str(broker), str(http)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._answer() == "ready"

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def ask(self, *question: Any) -> Any:
        """Ask it something; see `tests.home_assistant.headless`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(answer["error"])
        return answer

    def stop(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self.ask("stop")
            self._process.wait(PATIENCE)


class Live:
    """All of it."""

    def __init__(self, directory: str) -> None:
        self.directory = Path(directory)
        first = free_ports(30)
        self.ports = {"broker": first, "http": first + 1, "control": first + 2, "base": first + 3}
        self.said = {"home_assistant": "true", "sensor": "values", "site": "live"}
        self.checks = 0
        self.broker = self.start_broker()
        self.write()
        self.gateway = self.start_gateway()
        self.home_assistant = HomeAssistant(self.ports["broker"], self.ports["http"])

    # --- its parts -------------------------------------------------------------------------------

    def start_broker(self) -> subprocess.Popen[bytes]:
        """Start mosquitto, which keeps what is retained in memory alone."""
        config = self.directory / "mosquitto.conf"
        config.write_text(f"listener {self.ports['broker']} 127.0.0.1\nallow_anonymous true\n")
        return subprocess.Popen([MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL)

    def write(self, **said: str) -> None:
        """Write the gateway's file."""
        self.said |= said
        text = SETTINGS.format(directory=self.directory, **self.ports, **self.said)
        (self.directory / "zbtwist.toml").write_text(text)

    def start_gateway(self) -> Gateway:
        """Start the gateway."""
        config = str(self.directory / "zbtwist.toml")
        program = Gateway(None, "--config", config, program=ZBGATE, control=self.ports["control"])
        program.nodes(3)
        return program

    def stop(self) -> None:
        """End all."""
        self.home_assistant.stop()
        self.gateway.stop()
        self.broker.terminate()
        self.broker.wait()

    # --- what there is ---------------------------------------------------------------------------

    def entity(self, label: str, what: str) -> Any:
        """Return an entity of a node, None if there is none."""
        return self.home_assistant.ask("states").get(self.unique_id(label, what))

    def unique_id(self, label: str, what: str) -> str:
        """Return what an entity is known by."""
        return f"zbtwist_{self.address(label)}_{what}"

    def address(self, label: str) -> str:
        """Return a node's address as it stands in topics."""
        number = {"METER": 1, "SENSOR": 2, "ECHO": 3}[label]
        return f"{0x0013A200_400A3E00 + number:016x}"

    def state(self, label: str, what: str) -> Any:
        """Return the state of an entity, None if there is no such entity."""
        entity = self.entity(label, what)
        return None if entity is None else entity["state"]

    def is_in_state(self, unique_id: str, state: str) -> bool:
        """Return whether an entity is in a state."""
        entity = self.home_assistant.ask("states").get(unique_id)
        return entity is not None and bool(entity["state"] == state)

    def has_number(self, label: str, what: str) -> bool:
        """Return whether an entity's state is a number."""
        return _is_number(self.state(label, what))

    def holds(self, what: str, question: Callable[[], Any], patience: float = PATIENCE) -> Any:
        """Wait until something is so, and say it."""
        began = time.monotonic()
        try:
            answer = wait_until(lambda: question() or _rest(), what, patience)
        except AssertionError:
            print(json.dumps(self.home_assistant.ask("states"), indent=1), self.gateway.output)
            print(json.dumps(self.home_assistant.ask("log"), indent=1))
            raise
        self.checks += 1
        print(f"holds after {time.monotonic() - began:4.1f} s: {what}", flush=True)
        return answer

    # --- what is to hold -------------------------------------------------------------------------

    def known(self) -> dict[str, Any]:
        """Return the values of METER that the gateway has."""
        rows = self.gateway.api.values()
        return {row["name"]: row["value"] for row in rows if row["label"] == "METER"}

    def values(self) -> None:
        """Entities have what the gateway knows."""
        wait_until(lambda: "ch1_power" in self.known(), "METER tells its power")
        names = list(self.known())
        for name in names:
            self.holds(
                f"METER has {name} as a number",
                partial(self.has_number, "METER", f"value_{name}"),
            )

        def same() -> bool:
            known = self.known()
            states = self.home_assistant.ask("states")
            shown = {
                name: float(states[self.unique_id("METER", f"value_{name}")]["state"])
                for name in names
            }
            return shown == known

        self.holds("all values of METER are those that the gateway has", same)
        energy = self.unique_id("METER", "value_ch1_energy")
        issues = self.home_assistant.ask("energy", energy)
        print(f"the energy page says of Ch1 energy: {issues}")
        assert not any(issues["device_consumption"]), issues
        self.checks += 1

    def devices(self) -> None:
        """Each node is one, connected via the gateway's."""
        self.holds(
            "3 nodes and the gateway are devices",
            lambda: len(self.home_assistant.ask("devices")) == 4,
        )
        devices = self.home_assistant.ask("devices")
        gateway = "zbtwist_live"
        assert devices[gateway] == {"name": "zbtwist live", "via": None}, devices
        for label in ("METER", "SENSOR", "ECHO"):
            told = devices[f"zbtwist_{self.address(label)}"]
            assert told == {"name": label, "via": gateway}, told
        states = self.home_assistant.ask("states")
        for name, state in (("connectivity", "on"), ("nodes", "3"), ("radio", "on")):
            self.holds(
                f"the gateway's {name} is {state}",
                partial(self.is_in_state, f"{gateway}_{name}", state),
            )
        assert not [each for each, told in states.items() if told["device"] is None]

    def health(self) -> None:
        """All are there."""
        for label in ("METER", "SENSOR", "ECHO"):
            for name, state in (("connectivity", "on"), ("health", "ok")):
                self.holds(
                    f"{label}'s {name} is {state}",
                    partial(self.is_in_state, self.unique_id(label, name), state),
                )

    def pins(self) -> None:
        """A line is what the node says, and is set."""
        self.gateway.api.set_pin("ECHO", "D4", True, True)
        self.holds("D4 of ECHO is a switch, on", lambda: self.state("ECHO", "output_D4") == "on")
        switch = self.unique_id("ECHO", "output_D4")
        self.home_assistant.ask("call", "switch", "turn_off", switch, {})
        self.holds(
            "turned off there, D4 is low",
            lambda: next(
                row["value"] == 0 for row in self.gateway.api.pins("ECHO") if row["pin"] == "D4"
            ),
        )
        self.holds("and the switch is off", lambda: self.state("ECHO", "output_D4") == "off")
        self.gateway.api.at("ECHO", "D4", 3)
        self.holds("D4 is an input now", lambda: self.entity("ECHO", "input_D4") is not None)
        self.holds("the switch is gone", lambda: self.entity("ECHO", "output_D4") is None)
        sample = self.unique_id("SENSOR", "sample")
        self.home_assistant.ask("call", "button", "press", sample, {})
        self.holds(
            "the button reads SENSOR's lines",
            lambda: _is_number(self.state("SENSOR", "analog_D1")),
        )
        volts = float(self.state("SENSOR", "analog_D1"))
        row = next(row for row in self.gateway.api.pins("SENSOR") if row["name"] == "AD1")
        assert abs(volts * 1000 - row["value"]) < 1, (volts, row)

    def buttons(self) -> None:
        search = "zbtwist_live_search"
        count = self.gateway.output.count("The search for nodes has ended")
        self.home_assistant.ask("call", "button", "press", search, {})
        self.holds(
            "the gateway's button searches",
            lambda: self.gateway.output.count("The search for nodes has ended") > count,
        )
        restart = self.unique_id("ECHO", "restart")
        self.home_assistant.ask("call", "button", "press", restart, {})
        self.holds(
            "ECHO restarts", lambda: "ECHO" in _after(self.gateway.output, "was switched on")
        )

    def names(self) -> None:
        """A name is a name; the entity stays."""
        before = self.entity("ECHO", "health")["entity_id"]
        self.gateway.api.rename("ECHO", "PUMP")
        self.holds(
            "a node's new name is its device's",
            lambda: self.entity("ECHO", "health")["device"] == "PUMP",
        )
        assert self.entity("ECHO", "health")["entity_id"] == before
        self.gateway.api.rename("PUMP", "ECHO")
        self.holds("and again", lambda: self.entity("ECHO", "health")["device"] == "ECHO")

    def restarts(self) -> None:
        """What ends and starts again has the same entities."""
        before = {each["entity_id"] for each in self.home_assistant.ask("states").values()}
        self.gateway.stop()
        self.holds(
            "without the gateway nothing is available",
            lambda: self.state("METER", "value_ch1_power") == "unavailable",
        )
        assert self.state("ECHO", "connectivity") == "unavailable"
        self.gateway = self.start_gateway()
        self.holds(
            "with the gateway started again all is",
            lambda: _is_number(self.state("METER", "value_ch1_power")),
        )
        time.sleep(20)
        after = {each["entity_id"] for each in self.home_assistant.ask("states").values()}
        assert before == after, before ^ after
        self.broker.terminate()
        self.broker.wait()
        time.sleep(2)
        self.broker = self.start_broker()
        self.holds(
            "a broker that has lost all is told again",
            lambda: self.state("METER", "value_ch1_power") not in ("unavailable", "unknown", None),
            120,
        )
        self.home_assistant.stop()
        self.home_assistant = HomeAssistant(self.ports["broker"], self.ports["http"])
        self.holds(
            "a new Home Assistant has all",
            lambda: _is_number(self.state("METER", "value_ch1_power")),
        )

    def another_name(self) -> None:
        """A gateway that is called otherwise after a restart has the same nodes."""
        before = self.entity("METER", "value_ch1_power")["entity_id"]
        self.gateway.stop()
        self.write(site="renamed")
        self.gateway = self.start_gateway()
        self.holds(
            "a gateway of another name has the same entities",
            partial(self.has_number, "METER", "value_ch1_power"),
        )
        assert self.entity("METER", "value_ch1_power")["entity_id"] == before
        meter = f"zbtwist_{self.address('METER')}"
        assert self.home_assistant.ask("devices")[meter]["via"] == "zbtwist_renamed"

    def removal(self) -> None:
        """What is not to be there goes."""
        self.write(sensor="off")
        self.gateway.process.send_signal(1)
        sensor = f"zbtwist_{self.address('SENSOR')}"
        self.holds(
            "mqtt = off: no device", lambda: sensor not in self.home_assistant.ask("devices")
        )
        self.write(sensor="values")
        self.gateway.process.send_signal(1)
        self.holds("and again", lambda: sensor in self.home_assistant.ask("devices"))
        self.gateway.api.forget("ECHO")
        echo = f"zbtwist_{self.address('ECHO')}"
        self.holds("forgotten: no device", lambda: echo not in self.home_assistant.ask("devices"))
        self.write(home_assistant="false")
        self.gateway.process.send_signal(1)
        self.holds(
            "home-assistant = false: none but the gateway's former one",
            lambda: list(self.home_assistant.ask("devices")) == ["zbtwist_live"],
        )


def _rest() -> bool:
    """Leave the computer to the others for a moment."""
    time.sleep(0.5)
    return False


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except (TypeError, ValueError):
        return False
    return True


def _after(output: str, words: str) -> str:
    return "\n".join(line for line in output.splitlines() if words in line)


def main() -> int:
    """Run it."""
    if not PYTHON or not MOSQUITTO:
        print(__doc__)
        return 2
    with tempfile.TemporaryDirectory() as directory:
        live = Live(directory)
        try:
            for step in (
                live.devices,
                live.health,
                live.values,
                live.pins,
                live.buttons,
                live.names,
                live.restarts,
                live.another_name,
                live.removal,
            ):
                print(f"-- {step.__name__}", flush=True)
                step()
            wrong = [line for line in live.home_assistant.ask("log") if "mqtt" in line]
            print("\n".join(["Its log says of MQTT:", *wrong]))
        finally:
            live.stop()
    print(f"{live.checks} checks hold, none does not")
    return 0


if __name__ == "__main__":
    sys.exit(main())
