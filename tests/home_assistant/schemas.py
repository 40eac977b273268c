"""Has Home Assistant's own code look at messages for device discovery. It runs with a Python that
has the package ``homeassistant``, which needs none of ours.

It reads lines of JSON, ``{"topic": …, "payload": …}``, and writes one for each: what is wrong, as a
list of sentences. What it does is what ``discovery.py`` of Home Assistant does with such a message.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import tempfile
from typing import Any


def mistakes_of(topic: str, payload: str) -> list[str]:
    """Return what Home Assistant would not take."""
    from homeassistant.components.mqtt import discovery, schemas

    match = discovery.TOPIC_MATCHER.fullmatch(topic.removeprefix("homeassistant/"))
    if match is None or match["component"] != "device":
        return [f"{topic} is no topic of a device."]
    if not payload:
        return []
    found = discovery.MQTTDiscoveryPayload(json.loads(payload))
    discovery._replace_all_abbreviations(found)
    try:
        schemas.DEVICE_DISCOVERY_SCHEMA(found)
    except Exception as error:
        return [f"The device: {error}"]
    mistakes = []
    for name, config in found["components"].items():
        platform = config.pop("platform")
        component = discovery.MQTTDiscoveryPayload(config)
        if not component:
            continue
        component["device"], component["origin"] = found["device"], found["origin"]
        discovery._merge_common_device_options(component, found)
        module = importlib.import_module(f"homeassistant.components.mqtt.{platform}")
        try:
            taken = module.DISCOVERY_SCHEMA(component)
        except Exception as error:
            mistakes.append(f"{name}: {error}")
            continue
        # What it does not know it takes out without a word.
        mistakes += [f"{name}: {key} is not known" for key in component if key not in taken]
    return mistakes


async def main() -> None:
    """Read from the standard input, and write to the standard output."""
    from homeassistant.core import HomeAssistant

    # Templates are made for one that runs in this loop.
    home_assistant = HomeAssistant(tempfile.gettempdir())
    for line in sys.stdin:
        message: dict[str, Any] = json.loads(line)
        print(json.dumps(mistakes_of(message["topic"], message["payload"])), flush=True)
    await home_assistant.async_stop(force=True)


if __name__ == "__main__":
    asyncio.run(main())
