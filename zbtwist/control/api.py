"""The control API: the operations of every subject, on one gateway."""

from __future__ import annotations

from zbtwist.control.operations.actions import ActionOperations
from zbtwist.control.operations.admission import AdmissionOperations
from zbtwist.control.operations.clients import ClientOperations
from zbtwist.control.operations.mappings import MappingOperations
from zbtwist.control.operations.neighbours import NeighbourOperations
from zbtwist.control.operations.nodes import NodeOperations
from zbtwist.control.operations.pins import PinOperations
from zbtwist.control.operations.restoring import RestoringOperations
from zbtwist.control.operations.show import ShowOperations
from zbtwist.control.operations.status import StatusOperations
from zbtwist.control.operations.table import table_of
from zbtwist.control.operations.temperatures import TemperatureOperations
from zbtwist.control.operations.tracing import TracingOperations


class GatewayAPI(
    ShowOperations,
    NodeOperations,
    AdmissionOperations,
    TemperatureOperations,
    StatusOperations,
    MappingOperations,
    ActionOperations,
    PinOperations,
    RestoringOperations,
    NeighbourOperations,
    ClientOperations,
    TracingOperations,
):
    """Every operation, to be called as a method; over a wire they are called by their names in
    `OPERATIONS`.
    """


#: The operations by their names.
OPERATIONS = table_of(GatewayAPI)
