"""Home Assistant without its page: its core, its MQTT integration, and what the energy page asks.

It runs with a Python that has the packages ``homeassistant`` and ``paho-mqtt``, and needs none of
ours. It reads lines of JSON, each a list of a word and its arguments, and answers each with a line:

``["states"]``
    all entities by their unique ids: entity_id, state, attributes, device, whether it is disabled
``["devices"]``
    all devices by their identifiers: name, identifier of the one they are connected via
``["call", "switch", "turn_on", unique_id, {}]``
    has a service do something to an entity
``["energy", unique_id]``
    what the energy page says is wrong with the entity as a source
``["log"]``
    the warnings and errors of its log so far
``["stop"]``
    ends it
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
import traceback
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any


class KeptLog(logging.Handler):
    """Keeps what is wrong."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        text = f"{record.levelname} {record.name}: {record.getMessage()}"
        if record.exc_info:
            text += "".join(traceback.format_exception(*record.exc_info))
        self.lines.append(text)


class Headless:
    """A Home Assistant."""

    def __init__(self, hass: Any, log: KeptLog) -> None:
        self._hass = hass
        self._log = log

    @classmethod
    async def start(cls, directory: str, broker_port: int, http_port: int) -> Headless:
        """Start one whose MQTT integration is connected to a broker on this computer."""
        from homeassistant import bootstrap, config_entries, core, core_config, loader
        from homeassistant.helpers import recorder
        from homeassistant.setup import async_setup_component

        Path(directory, "configuration.yaml").write_text("")
        log = KeptLog()
        logging.getLogger().addHandler(log)
        hass = core.HomeAssistant(directory)
        loader.async_setup(hass)
        hass.config.skip_pip = True
        hass.config_entries = config_entries.ConfigEntries(hass, {})
        await bootstrap.async_load_base_functionality(hass)
        await core_config.async_process_ha_core_config(hass, {"time_zone": "UTC"})
        config = {
            "http": {"server_host": ["127.0.0.1"], "server_port": http_port},
            "recorder": {"commit_interval": 1},
        }
        recorder.async_initialize_recorder(hass)
        for component in ("homeassistant", "http", "recorder", "sensor", "energy"):
            if not await async_setup_component(hass, component, config):
                raise RuntimeError(f"{component} could not be set up: {log.lines}")
        await hass.async_start()
        entry = config_entries.ConfigEntry(
            data={"broker": "127.0.0.1", "port": broker_port, "protocol": "5"},
            discovery_keys={},
            domain="mqtt",
            minor_version=1,
            options={},
            source="user",
            subentries_data=None,
            title="mqtt",
            unique_id=None,
            version=2,
        )
        await hass.config_entries.async_add(entry)
        return cls(hass, log)

    def _entity_id(self, unique_id: str) -> str:
        from homeassistant.helpers import entity_registry

        for entity in entity_registry.async_get(self._hass).entities.values():
            if entity.unique_id == unique_id:
                return str(entity.entity_id)
        raise KeyError(unique_id)

    async def states(self) -> dict[str, Any]:
        from homeassistant.helpers import device_registry, entity_registry

        devices = device_registry.async_get(self._hass)
        found = {}
        for entity in entity_registry.async_get(self._hass).entities.values():
            state = self._hass.states.get(entity.entity_id)
            device = devices.async_get(entity.device_id) if entity.device_id else None
            found[entity.unique_id] = {
                "entity_id": entity.entity_id,
                "state": None if state is None else state.state,
                "attributes": {} if state is None else {**state.attributes},
                "device": None if device is None else device.name,
                "disabled": entity.disabled,
            }
        return found

    async def devices(self) -> dict[str, Any]:
        from homeassistant.helpers import device_registry

        registry = device_registry.async_get(self._hass)
        found = {}
        for device in registry.devices:
            via = registry.async_get(device.via_device_id) if device.via_device_id else None
            for _, identifier in device.identifiers:
                found[identifier] = {
                    "name": device.name,
                    "via": None if via is None else min(via.identifiers)[1],
                }
        return found

    async def call(self, domain: str, service: str, unique_id: str, data: dict[str, Any]) -> bool:
        entity = {"entity_id": self._entity_id(unique_id)}
        await self._hass.services.async_call(domain, service, {**data, **entity}, blocking=True)
        return True

    async def energy(self, unique_id: str) -> Any:
        from homeassistant.components.energy import data, validate
        from homeassistant.components.recorder.statistics import get_start_time
        from homeassistant.components.recorder.tasks import StatisticsTask
        from homeassistant.helpers import recorder

        # They are made every five minutes else.
        instance = recorder.get_instance(self._hass)
        instance.queue_task(StatisticsTask(get_start_time() + timedelta(minutes=5), False))
        await self._hass.async_add_executor_job(instance.block_till_done)
        manager = await data.async_get_manager(self._hass)
        source = data.DeviceConsumption(stat_consumption=self._entity_id(unique_id))
        await manager.async_update({"device_consumption": [source]})
        return (await validate.async_validate(self._hass)).as_dict()

    async def log(self) -> list[str]:
        return self._log.lines

    async def stop(self) -> bool:
        await self._hass.async_stop()
        return True


async def main(broker_port: int, http_port: int) -> None:
    """Answer the standard input until it ends."""
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory() as directory:
        headless = await Headless.start(directory, broker_port, http_port)
        print(json.dumps("ready"), flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            word, *arguments = json.loads(line)
            do: Callable[..., Awaitable[Any]] = getattr(headless, word)
            try:
                answer = await do(*arguments)
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer, default=str), flush=True)
            if word == "stop":
                return
        await headless.stop()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
