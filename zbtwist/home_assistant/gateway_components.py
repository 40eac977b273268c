"""The entities of the gateway itself."""

from __future__ import annotations

from zbtwist.home_assistant.components import DIAGNOSTIC, Component
from zbtwist.mqtt.site_topics import SiteTopics


def gateway_components(topics: SiteTopics, device: str, has_commands: bool) -> dict[str, Component]:
    """Return the components of the gateway's device.

    @param device: its identifier.
    @param has_commands: whether it takes commands.
    """
    when_there: Component = {"availability_topic": topics.state}
    found: dict[str, Component] = {
        "connectivity": {
            "platform": "binary_sensor",
            "name": "Connectivity",
            "device_class": "connectivity",
            "entity_category": DIAGNOSTIC,
            "state_topic": topics.state,
            "payload_on": "online",
            "payload_off": "offline",
        },
        "radio": {
            "platform": "binary_sensor",
            "name": "Radio",
            "device_class": "connectivity",
            "entity_category": DIAGNOSTIC,
            "state_topic": topics.info,
            "value_template": "{{ 'ON' if value_json.up else 'OFF' }}",
            "json_attributes_topic": topics.info,
            "json_attributes_template": "{{ {'why': value_json.link} | tojson }}",
            **when_there,
        },
        "version": {
            "platform": "sensor",
            "name": "Version",
            "entity_category": DIAGNOSTIC,
            "state_topic": topics.info,
            "value_template": "{{ value_json.version }}",
            **when_there,
        },
        "nodes": {
            "platform": "sensor",
            "name": "Nodes",
            "state_class": "measurement",
            "entity_category": DIAGNOSTIC,
            "state_topic": topics.info,
            "value_template": "{{ value_json.nodes }}",
            **when_there,
        },
    }
    if has_commands:
        found["search"] = {
            "platform": "button",
            "name": "Search for nodes",
            "entity_category": DIAGNOSTIC,
            "command_topic": topics.request("discover"),
            "payload_press": "[]",
            **when_there,
        }
    for identifier, component in found.items():
        component["unique_id"] = f"{device}_{identifier}"
    return found
