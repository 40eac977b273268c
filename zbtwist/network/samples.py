"""What the samples of nodes say of the temperature, in whichever frame they come."""

from __future__ import annotations

from collections.abc import Callable

from zbtwist.network.node import Node
from zbtwist.xbee.frames import (
    IO_SAMPLE_CLUSTER,
    SENSOR_CLUSTER,
    ExplicitReceive,
    IODataSample,
    SensorRead,
)
from zbtwist.xbee.samples import IOSample, temperature
from zbtwist.xbee.sensor_reading import SensorReading

#: What frames 91 of these clusters carry, which are frames 92 and 94 with AO=0.
SAMPLE_CLUSTERS: dict[int, Callable[[bytes], IOSample | SensorReading]] = {
    IO_SAMPLE_CLUSTER: IOSample.parse,
    SENSOR_CLUSTER: SensorReading.parse,
}


def temperature_in(frame: IODataSample | SensorRead | ExplicitReceive, node: Node) -> float | None:
    """Return the temperature in a node's sample.

    @param frame: one that carries a sample: if it is an `ExplicitReceive`, of `SAMPLE_CLUSTERS`.
    @return: °C; None if there is none, or the sample makes no sense.
    """
    sample: IOSample | SensorReading
    if isinstance(frame, IODataSample):
        sample = frame.sample
    elif isinstance(frame, SensorRead):
        sample = frame.reading
    else:
        try:
            sample = SAMPLE_CLUSTERS[frame.cluster_id](frame.data)
        except ValueError:
            return None
    if isinstance(sample, SensorReading):
        return sample.temperature
    device_type = node.device_type_identifier
    return None if device_type is None else temperature(sample, device_type)
