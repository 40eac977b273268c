"""What the user asked for, checked: one settings object, or every mistake at once."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from twisted.internet.endpoints import (
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    clientFromString,
    serverFromString,
)
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint

from zbtwist.radio.endpoints import DEFAULT_BAUD_RATE, SerialEndpoint

DEFAULT_CONTROL = "27000"
DEFAULT_BASE_PORT = 27001
DEFAULT_INTERFACE = "127.0.0.1"

#: Listen queue of the TCP servers.
_BACKLOG = 50


class ConfigError(ValueError):
    """The settings have mistakes. The text has a sentence for each, a line each."""


@dataclass(frozen=True, slots=True)
class Settings:
    """
    @ivar serial: where the radio is: the path of a port, or a Twisted client endpoint string.
    @ivar baud_rate: bits per second of a serial port.
    @ivar api_mode: 1 or 2; None for whatever the radio is in.
    @ivar control: where the control API listens: a port number on `interface`, or a Twisted server
        endpoint string.
    @ivar base_port: the first TCP port that a node gets.
    @ivar interface: the address that the ports listen at.
    """

    serial: str
    baud_rate: int = DEFAULT_BAUD_RATE
    api_mode: int | None = None
    control: str = DEFAULT_CONTROL
    base_port: int = DEFAULT_BASE_PORT
    interface: str = DEFAULT_INTERFACE

    @property
    def is_local(self) -> bool:
        """Whether only programs on this computer can reach the ports."""
        return ipaddress.ip_address(self.interface).is_loopback

    def radio_endpoint(self, reactor: Any) -> IStreamClientEndpoint:
        """Return the endpoint of the radio."""
        if _is_path(self.serial):
            return SerialEndpoint(reactor, self.serial, self.baud_rate)
        text = self.serial
        if text.startswith("serial:") and "baudrate=" not in text:
            text = f"{text}:baudrate={self.baud_rate}"
        endpoint: IStreamClientEndpoint = clientFromString(reactor, text)
        return endpoint

    def control_endpoint(self, reactor: Any) -> IStreamServerEndpoint:
        """Return the endpoint that the control API listens at."""
        if self.control.isdecimal():
            return self.port_endpoint(reactor, int(self.control))
        endpoint: IStreamServerEndpoint = serverFromString(reactor, self.control)
        return endpoint

    def port_endpoint(self, reactor: Any, port: int) -> IStreamServerEndpoint:
        """Return the endpoint of a TCP port on the interface."""
        kind = TCP6ServerEndpoint if ":" in self.interface else TCP4ServerEndpoint
        endpoint: IStreamServerEndpoint = kind(reactor, port, _BACKLOG, self.interface)
        return endpoint


def _is_path(serial: str) -> bool:
    return serial.startswith(("/", "./", "../"))


def check(
    reactor: Any,
    *,
    serial: str | None,
    baud: str = str(DEFAULT_BAUD_RATE),
    api_mode: str = "auto",
    control: str = DEFAULT_CONTROL,
    base_port: str = str(DEFAULT_BASE_PORT),
    interface: str = DEFAULT_INTERFACE,
) -> Settings:
    """Check what the user wrote, before anything is opened.

    @param reactor: endpoint strings are parsed with it; nothing is connected.
    @raise ConfigError: with every mistake there is.
    """
    mistakes: list[str] = []

    def number(name: str, text: str, low: int, high: int) -> int:
        if text.strip().isdecimal() and low <= int(text) <= high:
            return int(text)
        mistakes.append(f"--{name} must be a number from {low} to {high}, not {text!r}.")
        return low

    if not serial:
        mistakes.append(
            "--serial is missing: name the port of the XBee (such as /dev/ttyUSB0), "
            "or sim: to try the gateway without one."
        )
    baud_rate = number("baud", baud, 1, 4_000_000)
    first = number("base-port", base_port, 1, 65535)
    mode = {"auto": None, "1": 1, "2": 2}
    if api_mode not in mode:
        mistakes.append(f"--api-mode must be auto, 1 or 2, not {api_mode!r}.")
    try:
        ipaddress.ip_address(interface)
    except ValueError:
        mistakes.append(
            f"--interface must be an IP address of this computer, such as 127.0.0.1, "
            f"or 0.0.0.0 for all of them, not {interface!r}."
        )
        interface = DEFAULT_INTERFACE
    settings = Settings(serial or "sim:", baud_rate, mode.get(api_mode), control, first, interface)
    try:
        settings.radio_endpoint(reactor)
    except Exception as error:
        # Parsers of other people's endpoints raise what they like.
        mistakes.append(
            f"--serial {serial} is neither the path of a port nor an endpoint: {_reason(error)}."
        )
    if control.isdecimal():
        number("control", control, 1, 65535)
    else:
        try:
            settings.control_endpoint(reactor)
        except Exception as error:
            mistakes.append(
                f"--control {control} is neither a port number nor a server endpoint: "
                f"{_reason(error)}."
            )
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return settings


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
