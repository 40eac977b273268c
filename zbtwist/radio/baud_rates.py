"""The rates that a radio may be at: in which order they are tried, and how a line takes one."""

from __future__ import annotations

from zope.interface import Attribute, Interface

from zbtwist.radio.buffers import REQUEST_BYTES
from zbtwist.xbee.at import BAUD_RATES

#: Most radios are at one of these: first the rate that they leave the factory with.
LIKELY_RATES = (9600, 115200, 57600, 38400, 230400)


class ISerialLine(Interface):
    """What the transport of a serial line can do beside carrying bytes."""

    baud_rate: int = Attribute("Bits per second.")
    is_remote: bool = Attribute("Whether a serial server has it, and not this computer.")

    def set_baud_rate(baud_rate: int) -> None:
        """Carry on at another rate; what came in and was not read yet is thrown away.

        @raise OSError, ValueError, termios.error: the port does not take the rate, or is gone.
        """


#: Payload that the air carries over one hop between two routers, bits per second: what Digi
#: measured for Zigbee (90000976, "Throughput").
AIR_RATE = 35_000
#: Bits that a byte is on a serial line, with its start and its stop bit.
_BITS_OF_A_BYTE = 10


def payload_rate(baud_rate: int, payload: int) -> float:
    """Say how much payload a serial line carries one way, in bits per second.

    @param payload: that of one frame, in bytes.
    """
    return baud_rate / _BITS_OF_A_BYTE * 8 * payload / (payload + REQUEST_BYTES)


def rate_for_the_air(payload: int) -> int:
    """Return the lowest rate of a radio's serial line at which the air is the limit."""
    return next(rate for rate in BAUD_RATES if payload_rate(rate, payload) >= AIR_RATE)


def rates_to_try(found_last: int | None = None) -> tuple[int, ...]:
    """
    @param found_last: the rate at which the radio was found the last time.
    @return: all rates that a radio can be set to by the numbers of BD, the likely ones first.
    """
    first = () if found_last is None else (found_last,)
    # A dict keeps the order, and each rate once.
    return tuple(dict.fromkeys((*first, *LIKELY_RATES, *BAUD_RATES)))
