"""What Twisted finds of zbtwist: the twistd plugin, the endpoint string parsers, and a kind of
users.
"""

from twisted.application.reactors import Reactor
from twisted.application.service import ServiceMaker

from zbtwist.control.passwords import Argon2CheckerFactory
from zbtwist.fleet.endpoint_parser import FleetEndpointParser
from zbtwist.radio.endpoints import SerialEndpointParser
from zbtwist.radio.rfc2217 import Rfc2217EndpointParser
from zbtwist.runtime.client_certificates import MutualTLSParser
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

# For `twistd --reactor zbtwist`, with other plugins; zbgate has it unless another is named.
zbtwist_reactor = Reactor(
    "zbtwist",
    "zbtwist.runtime.reactor",
    "epoll(4) based reactor with a shorter way to what can be read.",
)

argon2_checker = Argon2CheckerFactory()
mutual_tls_endpoint = MutualTLSParser()
serial_endpoint = SerialEndpointParser()
rfc2217_endpoint = Rfc2217EndpointParser()
fleet_endpoint = FleetEndpointParser()
simulator_endpoint = SimulatorEndpointParser()
