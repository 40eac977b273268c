"""The entities of one node as Home Assistant's device discovery has them: components, each by an
identifier within its device.

An identifier begins with what the component is, as in ``output_D1`` or ``value_ch1_power``. A line
that becomes an input is a component of another platform, and so of another identifier, by which the
old one can be removed.

Templates take a missing name for nothing, since what they read is said by others and may be older.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from zbtwist.decoding.value import KINDS
from zbtwist.health.state import Health
from zbtwist.home_assistant.shape import (
    IS_ANALOG,
    IS_INPUT,
    IS_OUTPUT,
    IS_PWM,
    IS_TRUTH,
    IS_VALUE,
    SIGNAL,
    SUPPLY_VOLTAGE,
    TEMPERATURE,
    NodeShape,
    ValueShape,
)
from zbtwist.mqtt.site_topics import SiteTopics
from zbtwist.runtime.event_bus import Plain
from zbtwist.xbee.address import Address64
from zbtwist.xbee.pins import ANALOG, INPUT, pin_named

#: What one entity is made of.
Component: TypeAlias = dict[str, Plain]

#: The platform of the components whose identifiers begin with these words.
PLATFORMS = {
    IS_INPUT: "binary_sensor",
    IS_OUTPUT: "switch",
    IS_ANALOG: "sensor",
    IS_PWM: "number",
    IS_VALUE: "sensor",
    IS_TRUTH: "binary_sensor",
}

#: What can only be looked at where no commands are taken.
_LOOKED_AT = {IS_OUTPUT: IS_INPUT, IS_PWM: ""}

#: How a node is of which nobody knows what its lines and values are now.
AWAY = (Health.NOT_ANSWERING, Health.SILENT)

#: The largest duty cycle of a PWM output (90001539, "M0").
MAX_DUTY = 1023

#: Decimals that are shown, where those that Home Assistant shows are too few.
_DECIMALS = {"kWh": 3}

#: The category of what is about a device itself, and not what it is there for.
DIAGNOSTIC = "diagnostic"

#: What a module measures of itself: names for people and programs, unit, template.
_MEASURED = {
    SIGNAL: ("Signal", "signal_strength", "dBm", "{{ value_json.signal }}"),
    SUPPLY_VOLTAGE: ("Supply voltage", "voltage", "V", "{{ value_json.supply }}"),
    TEMPERATURE: ("Module temperature", "temperature", "°C", "{{ value_json.temperature }}"),
}


def _words(health: tuple[Health, ...]) -> str:
    return str([each.value for each in health])


class NodeComponents:
    """Makes the components of a node.

    @ivar availability: whether it is there, for all components that do not say otherwise.
    """

    def __init__(self, topics: SiteTopics, address64: Address64) -> None:
        self._topics = topics
        self._address64 = address64
        self._node = topics.node(address64)
        self._of_gateway: list[Plain] = [{"topic": topics.state}]
        self._of_radio: list[Plain] = [
            *self._of_gateway,
            {
                "topic": topics.info,
                "value_template": "{{ 'online' if value_json.up else 'offline' }}",
            },
        ]
        self.availability: list[Plain] = [
            *self._of_radio,
            {
                "topic": self._node,
                "value_template": "{{ 'offline' if value_json.health in "
                f"{_words(AWAY)} else 'online' }}}}",
            },
        ]

    def all(self, shape: NodeShape, has_commands: bool) -> dict[str, Component]:
        """Return the components that a node has.

        @param has_commands: whether the gateway takes commands for it.
        """
        found = dict(self._always())
        if has_commands:
            found.update(self._buttons())
        found.update((name, self._measured(name)) for name in _MEASURED if name in shape.measured)
        for pin, use in shape.pins.items():
            use = use if has_commands else _LOOKED_AT.get(use, use)
            if use:
                found[f"{use}_{pin}"] = self._pin(pin, use)
        for name, value in shape.values.items():
            found[f"{value.kind}_{name}"] = self._value(name, value)
        for identifier, component in found.items():
            component["unique_id"] = f"zbtwist_{self._address64:016x}_{identifier}"
        return found

    def _always(self) -> Iterator[tuple[str, Component]]:
        """What is told as long as the gateway is there, also of a node that is not."""
        away, unknown = _words(AWAY), Health.UNKNOWN.value
        yield (
            "connectivity",
            {
                "platform": "binary_sensor",
                "name": "Connectivity",
                "device_class": "connectivity",
                "entity_category": DIAGNOSTIC,
                "state_topic": self._node,
                "value_template": f"{{{{ 'OFF' if value_json.health in {away} else None if "
                f"value_json.health == '{unknown}' else 'ON' }}}}",
                "availability": self._of_radio,
            },
        )
        yield (
            "health",
            {
                "platform": "sensor",
                "name": "Health",
                "device_class": "enum",
                "options": [health.value for health in Health],
                "entity_category": DIAGNOSTIC,
                "state_topic": self._node,
                "value_template": "{{ value_json.health }}",
                "json_attributes_topic": self._node,
                "json_attributes_template": "{{ {'why': value_json.why} | tojson }}",
                "availability": self._of_radio,
            },
        )
        yield (
            "last_seen",
            {
                "platform": "sensor",
                "name": "Last seen",
                "device_class": "timestamp",
                "entity_category": DIAGNOSTIC,
                # It changes with all that the node says, and would fill the recorder's database.
                "enabled_by_default": False,
                "state_topic": self._node,
                "value_template": "{{ value_json.last_seen | as_datetime if value_json.last_seen "
                "else None }}",
                "availability": self._of_gateway,
            },
        )

    def _buttons(self) -> Iterator[tuple[str, Component]]:
        yield "restart", self._button("restart", "Restart", "restart")
        yield "identify", self._button("identify", "Identify", "identify")
        yield "sample", self._button("sample", "Read pins")

    def _button(self, setting: str, name: str, device_class: str = "") -> Component:
        component: Component = {
            "platform": "button",
            "name": name,
            "entity_category": DIAGNOSTIC if not device_class else "config",
            "command_topic": self._topics.setting(self._address64, setting),
        }
        if device_class:
            component["device_class"] = device_class
        return component

    def _measured(self, what: str) -> Component:
        name, device_class, unit, template = _MEASURED[what]
        return {
            "platform": "sensor",
            "name": name,
            "device_class": device_class,
            "state_class": "measurement",
            "unit_of_measurement": unit,
            "entity_category": DIAGNOSTIC,
            "state_topic": self._node,
            "value_template": template,
        }

    def _pin(self, command: str, use: str) -> Component:
        pin = pin_named(command)
        name = command if pin is None else pin.name(ANALOG if use == IS_ANALOG else INPUT)
        reading = f"(value_json.pins | default({{}})).get('{command}', {{}}).get('value')"
        component: Component = {
            "platform": PLATFORMS[use],
            "name": name,
            "state_topic": self._node,
        }
        if use == IS_INPUT:
            component["value_template"] = _truth(reading)
        elif use == IS_OUTPUT:
            component["value_template"] = _truth(reading)
            component["command_topic"] = self._topics.setting(self._address64, command)
            component["payload_on"], component["payload_off"] = "high", "low"
            component["state_on"], component["state_off"] = "ON", "OFF"
        elif use == IS_ANALOG:
            component["value_template"] = f"{{{{ {reading} }}}}"
            component["device_class"] = "voltage"
            component["state_class"] = "measurement"
            component["unit_of_measurement"] = "V"
        else:
            component["command_topic"] = self._topics.setting(self._address64, command)
            component["min"], component["max"] = 0, MAX_DUTY
        return component

    def _value(self, name: str, value: ValueShape) -> Component:
        component: Component = {
            "platform": PLATFORMS[value.kind],
            "name": name.replace("_", " ").capitalize(),
            "state_topic": self._topics.value(self._address64, name),
        }
        if value.kind == IS_TRUTH:
            component["value_template"] = _truth("value_json.value")
            return component
        component["value_template"] = "{{ value_json.value }}"
        if value.is_number:
            component.update(_measurement(value))
        return component


def _truth(expression: str) -> str:
    """Return a template of what is true, false or not known."""
    return f"{{{{ None if {expression} is none else 'ON' if {expression} else 'OFF' }}}}"


def _measurement(value: ValueShape) -> Component:
    """Return what Home Assistant needs to know of a number for its statistics."""
    component: Component = {}
    device_class = KINDS.get(value.unit, "")
    if device_class:
        component["device_class"] = device_class
    if value.is_total:
        component["state_class"] = "total_increasing"
    elif device_class != "energy":
        # Energy that is not known to be added up is none that can be.
        component["state_class"] = "measurement"
    if value.unit:
        component["unit_of_measurement"] = value.unit
    if value.unit in _DECIMALS:
        component["suggested_display_precision"] = _DECIMALS[value.unit]
    return component
