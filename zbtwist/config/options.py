"""The one table of options: what each is called, takes, does, and is unless somebody says so.

The command line, the keys of the file, and the table in docs/configuration.rst are made from it. An
option that may be said of one node as well is in `NODE_KEYS` too. What a value becomes is an
attribute of `zbtwist.config.settings.Settings` or `NodeSettings`.

To add one, write a row here and an attribute there, and run `python -m zbtwist.config.reference`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from zbtwist.binding.listener import LAST_PORT
from zbtwist.binding.policy import MAX_BACKLOG, Policy
from zbtwist.binding.scheduler import DEFAULT_LIMIT
from zbtwist.config import settings, values
from zbtwist.config.toml_file import Mistake
from zbtwist.config.values import Context, Parser
from zbtwist.radio.endpoints import DEFAULT_BAUD_RATE
from zbtwist.radio.service import DEFAULT_HEARTBEAT

#: Characters of a node identifier (NI has 20 bytes), and of a name in the file.
MAX_LABEL = 20
MAX_NAME = 64

#: What TOML's types are called in a sentence. A date is a datetime, a whole number may be a bool.
_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (str, "text in quotes"),
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a decimal number"),
    (list, "a list"),
    (dict, "a table"),
    (datetime, "a date"),
    (date, "a date"),
    (time, "a time"),
)


def type_name(kind: type) -> str:
    """Return what a type of TOML is called in a sentence."""
    return next(name for known, name in _TYPE_NAMES if issubclass(kind, known))


@dataclass(frozen=True, slots=True)
class Option:
    """
    @ivar attribute: of `Settings` or `NodeSettings`.
    @ivar parse: makes the attribute's value of a text, or raises `Mistake`.
    @ivar types: what the file may have.
    @ivar help: what it is, a sentence without its end, for the command line.
    @ivar default: what it is unless somebody says so, as it would be written; empty for nothing.
    @ivar more: sentences that only the documentation has, in reStructuredText.
    @ivar letter: its short name on the command line.
    @ivar is_unique: whether no two nodes may have the same value.
    """

    attribute: str
    parse: Parser
    types: tuple[type, ...] = (str,)
    help: str = ""
    default: str = ""
    more: str = ""
    letter: str | None = None
    is_unique: bool = False

    @property
    def is_flag(self) -> bool:
        """Whether it stands alone on the command line."""
        return self.types == (bool,)

    def of_file(self, value: Any, context: Context) -> Any:
        """Return the attribute's value for a value of the file.

        @raise Mistake: it is wrong.
        """
        if type(value) not in self.types:
            wanted = " or ".join(map(type_name, self.types))
            raise Mistake(f"must be {wanted}, not {type_name(type(value))}.")
        # TOML's numbers end here; Python refuses to write some that go on.
        if isinstance(value, int) and value.bit_length() > 63:
            raise Mistake("is too large a number.")
        return self.parse(str(value), context)


#: Of one node, or of all.
_DELIVERY = Option(
    "at_least_once",
    values.delivery,
    help="What becomes of a packet that may have arrived or not: at-most-once resets the clients, "
    "at-least-once sends it again",
    default="at-most-once",
    more="`What happens to your bytes <delivery.rst>`_ has this and the following in full.",
)
_WINDOW = Option(
    "window",
    values.number(1, 16),
    (int,),
    help="Packets to one node at once, 1 to 16; with more than 1 a retry may change their order",
    default=f"{Policy.window}",
)
_BACKLOG = Option(
    "backlog",
    values.number(0, MAX_BACKLOG),
    (int,),
    help="Bytes of a node that are kept for the next client while none is connected",
    default=f"{Policy.backlog}",
    more=f"The last ones are, at most {MAX_BACKLOG}.",
)

OPTIONS = {
    "serial": Option(
        "serial",
        values.serial,
        help="Where the radio is: a serial port such as /dev/ttyUSB0, a Twisted client endpoint "
        "such as tcp:HOST:PORT (a serial server), or sim: (a network in software, to try)",
        more="One must be named, here or in the file. `The simulator <simulator.rst>`_ has more on "
        "the last.",
        letter="s",
    ),
    "baud": Option(
        "baud_rate",
        values.baud_rate,
        (int, str),
        help="Rate of the serial port, bits per second, or auto to find it",
        default=f"{DEFAULT_BAUD_RATE}",
        more="``auto`` tries 9600, 115200, 57600, 38400, 230400, then the other rates of an XBee. "
        "The rate that was found comes first the next time, until the gateway ends.",
        letter="b",
    ),
    "api-mode": Option(
        "api_mode",
        values.api_mode,
        (int, str),
        help="API mode of the radio: 1, 2, or auto to ask it",
        default="auto",
        letter="m",
    ),
    "rtscts": Option(
        "rtscts",
        values.flag,
        (bool,),
        help="Honour the RTS and CTS lines of the serial port",
        more="The XBee must do so, too (D6=1, D7=1).",
    ),
    "configure": Option(
        "configure",
        values.flag,
        (bool,),
        help="Move a transparent radio to the API mode, until it is off; see --write-flash",
        more="A radio in transparent mode (AP=0) is moved by ``+++``; one that is in another mode "
        "than ``api-mode`` names, to that one. It is done when nobody answers to frames, and again "
        "when the radio was without power and is back in its own mode. At a rate of ``auto`` a "
        "round takes about 30 seconds.",
    ),
    "write-flash": Option(
        "write_flash",
        values.flag,
        (bool,),
        help="With --configure: have the radio keep that mode",
        more="It is written by WR; nothing else is ever written to its flash.",
    ),
    "heartbeat": Option(
        "heartbeat",
        values.seconds(0, 86400),
        (int, float),
        help="Seconds of silence after which the radio is asked whether it is there; 0: never",
        default=f"{DEFAULT_HEARTBEAT:g}",
    ),
    "control": Option(
        "control",
        values.control,
        (int, str),
        help="Port of the control interface, or a Twisted server endpoint",
        default=settings.DEFAULT_CONTROL,
        more="An endpoint is such as ``unix:/run/zbtwist/control``. See `the control interface "
        "<control-api.rst>`_.",
        letter="c",
    ),
    "base-port": Option(
        "base_port",
        values.port,
        (int,),
        help="First TCP port that a node gets",
        default=f"{settings.DEFAULT_BASE_PORT}",
        letter="p",
    ),
    "last-port": Option(
        "last_port",
        values.port,
        (int,),
        help="Last TCP port that a node gets",
        default="the last below those of outgoing connections, mostly 32767",
        more=f"It is {LAST_PORT} if ``base-port`` is not below them.",
    ),
    "interface": Option(
        "interface",
        values.interface,
        help="Address to listen at; 0.0.0.0 lets other computers in, and nobody is asked for a "
        "password",
        default=settings.DEFAULT_INTERFACE,
        more="It is an IP address of this computer, of version 4 or 6.",
        letter="i",
    ),
    "state": Option(
        "state",
        values.state,
        help="File that keeps which node has which port, or :memory: to forget it at the end",
        default="zbtwist.sqlite3 in $STATE_DIRECTORY, in /var/lib/zbtwist as root, else in the "
        "user's state directory; :memory: with sim:",
    ),
    "delivery": _DELIVERY,
    "retries": Option(
        "retries",
        values.number(0, 100),
        (int,),
        help="How often a packet is sent again",
        default=f"{Policy.retries}",
    ),
    "outage": Option(
        "outage",
        values.seconds(0, 86400),
        (int, float),
        help="Seconds that clients' bytes wait for a radio that is away",
        default=f"{Policy.outage:g}",
    ),
    "sleep": Option(
        "sleep",
        values.seconds(0, 86400),
        (int, float),
        help="Seconds that bytes wait for a node that sleeps",
        default=f"{Policy.sleep:g}",
    ),
    "window": _WINDOW,
    "in-flight": Option(
        "in_flight",
        values.number(1, 63),
        (int,),
        help="Packets to all nodes at once, 1 to 63",
        default=f"{DEFAULT_LIMIT}",
    ),
    "coalesce": Option(
        "coalesce",
        values.seconds(0, 10),
        (int, float),
        help="Seconds that a packet is waited for to fill up while the node is busy",
        default=f"{Policy.coalesce:g}",
    ),
    "backlog": _BACKLOG,
    "trace-file": Option(
        "trace_file",
        values.file_path,
        help="File that every frame is written to, for Wireshark (pcapng)",
        more="See `events <events.rst>`_.",
    ),
}

#: The keys of a ``[[node]]`` table.
NODE_KEYS = {
    "address": Option("address64", values.address, is_unique=True),
    "label": Option("label", values.printable(MAX_LABEL), is_unique=True),
    "port": Option("port", values.port, (int,), is_unique=True),
    "endpoint": Option("endpoint", values.endpoint, is_unique=True),
    "name": Option("name", values.name(MAX_NAME), is_unique=True),
    "delivery": _DELIVERY,
    "window": _WINDOW,
    "backlog": _BACKLOG,
}
