"""What Twisted finds of zbtwist: the twistd plugin and the endpoint string parsers."""

from twisted.application.service import ServiceMaker

from zbtwist.radio.endpoints import SerialEndpointParser
from zbtwist.simulator.endpoint_parser import SimulatorEndpointParser

zbgate = ServiceMaker(
    "zbtwist gateway",
    "zbtwist.tap",
    "A gateway that gives every XBee Zigbee node a TCP port",
    "zbgate",
)

serial_endpoint = SerialEndpointParser()
simulator_endpoint = SimulatorEndpointParser()
