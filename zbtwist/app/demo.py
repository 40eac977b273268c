"""What to try on a simulated network: a line in the log for each node when it has its port."""

from __future__ import annotations

from twisted.application.service import Service
from twisted.logger import Logger

from zbtwist.binding.events import MappingChanged
from zbtwist.binding.service import BindingService
from zbtwist.config.settings import Settings
from zbtwist.control.http.service import zbctl_for
from zbtwist.network.events import NodeEvent, NodeNamed
from zbtwist.network.node import Node
from zbtwist.runtime.event_bus import EventBus

#: What to try with a node, by how the simulator names it.
_ADVICE = {
    "ECHO": "it sends back what it gets; try: nc {host} {port}",
    "METER": "an ECM-1220 power meter, a packet every 2 s; try: nc {host} {port} | xxd",
    "SENSOR": "a wall router that measures temperature; try: {zbctl} temperatures",
    "PTY": "its serial line is a pty",
}


class DemoGuide(Service):
    """Writes the lines, each once."""

    log = Logger()

    def __init__(self, settings: Settings, bindings: BindingService, bus: EventBus) -> None:
        self._settings = settings
        self._bindings = bindings
        self._guided: set[Node] = set()
        # A node has its name before its port, or its port before its name.
        bus.subscribe(NodeNamed, self._advise)
        bus.subscribe(MappingChanged, self._advise)

    def startService(self) -> None:
        super().startService()
        self.log.info(
            "A simulated network, since --serial is sim: nodes appear within seconds. "
            "Stop: Control-C."
        )

    def _advise(self, event: NodeEvent) -> None:
        node = event.node
        port = self._bindings.port_of(node)
        if not node.label or port is None or not port.number or node in self._guided:
            return
        self._guided.add(node)
        advice = _ADVICE.get(node.label.rstrip("0123456789"))
        if advice:
            host, control = self._settings.interface, self._settings.control_port
            self.log.info(
                "{label} is on port {port}: {advice}",
                label=node.label,
                port=port.number,
                advice=advice.format(host=host, port=port.number, zbctl=zbctl_for(control)),
                # Of each node: see `zbtwist.observing.log_rate`.
                node=node,
            )
