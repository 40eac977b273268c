"""What the samples of nodes say, in whichever frame they come."""

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


def sample_in(
    frame: IODataSample | SensorRead | ExplicitReceive,
) -> IOSample | SensorReading | None:
    """Return what a frame says that carries a sample; None if that makes no sense.

    @param frame: if it is an `ExplicitReceive`, of `SAMPLE_CLUSTERS`.
    """
    if isinstance(frame, IODataSample):
        return frame.sample
    if isinstance(frame, SensorRead):
        return frame.reading
    try:
        return SAMPLE_CLUSTERS[frame.cluster_id](frame.data)
    except ValueError:
        return None


def temperature_in(sample: IOSample | SensorReading, node: Node) -> float | None:
    """Return the temperature in a node's sample in °C, None if there is none."""
    if isinstance(sample, SensorReading):
        return sample.temperature
    device_type = node.device_type_identifier
    return None if device_type is None else temperature(sample, device_type)
