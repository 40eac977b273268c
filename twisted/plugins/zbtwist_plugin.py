"""What Twisted finds of zbtwist: the twistd plugin and the endpoint string parsers."""

from twisted.application.service import ServiceMaker

from zbtwist.radio.endpoints import SerialEndpointParser
from zbtwist.runtime.plugin_cache import keep_quiet
from zbtwist.simulator.endpoint_parser import SimulatorEndpointParser

# Twisted looks into its plugins before it says that it cannot remember what it saw.
keep_quiet()

zbgate = ServiceMaker(
    "zbtwist gateway",
    "zbtwist.tap",
    "A gateway that gives every XBee Zigbee node a TCP port",
    "zbgate",
)

serial_endpoint = SerialEndpointParser()
simulator_endpoint = SimulatorEndpointParser()
