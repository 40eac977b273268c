"""What the user asked for, checked: one settings object, or every mistake at once.

It comes from the command line and from a TOML file. Both pass the same table of options: a value of
the file is checked for its TOML type, and then read as the text that the command line would have.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import platformdirs
from twisted.internet.endpoints import (
    TCP4ServerEndpoint,
    TCP6ServerEndpoint,
    clientFromString,
    serverFromString,
)
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.internet.posixbase import PosixReactorBase

from zbtwist.binding.policy import MAXIMUM_BACKLOG, Policy
from zbtwist.binding.turns import DEFAULT_LIMIT
from zbtwist.config_file import (
    FileMistake,
    Key,
    Mistake,
    Mistakes,
    parse_toml,
    read,
    reason_of,
)
from zbtwist.control import DEFAULT_PORT
from zbtwist.radio.endpoints import DEFAULT_BAUD_RATE, SerialEndpoint
from zbtwist.radio.service import DEFAULT_HEARTBEAT
from zbtwist.tcp_port import QuietEndpoint
from zbtwist.unix_port import server_from_string
from zbtwist.xbee.address import (
    BROADCAST64,
    COORDINATOR64,
    UNKNOWN64,
    Address64,
    AddressError,
    parse_address64,
)

DEFAULT_CONTROL = str(DEFAULT_PORT)
DEFAULT_BASE_PORT = 27001

#: The highest TCP port there is.
LAST_PORT = 65535

#: Where the system says which ports it gives to outgoing connections, and which those are where it
#: does not say so (the dynamic ports of RFC 6335, section 6).
_OUTGOING_PORTS = "/proc/sys/net/ipv4/ip_local_port_range"
_FIRST_DYNAMIC_PORT = 49152

DEFAULT_INTERFACE = "127.0.0.1"


#: The state that is forgotten at the end.
IN_MEMORY = ":memory:"
STATE_FILE = "zbtwist.sqlite3"

#: Listen queue of the TCP servers.
_BACKLOG = 50

#: Characters of a node identifier (NI has 20 bytes), and of a name in the file.
_MAX_LABEL = 20
_MAX_NAME = 64


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What the file says about one node, which either `address64` or `label` names.

    @ivar address64: its address.
    @ivar label: its node identifier.
    @ivar port: the TCP port that it has; None for the gateway's choice.
    @ivar endpoint: a Twisted server endpoint string in place of a port.
    @ivar name: what lists and the log call it, in place of its node identifier.
    @ivar window, at_least_once, backlog: where its `Policy` differs from that of the others.
    """

    address64: Address64 | None = None
    label: str | None = None
    port: int | None = None
    endpoint: str | None = None
    name: str | None = None
    window: int | None = None
    at_least_once: bool | None = None
    backlog: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """
    @ivar serial: where the radio is: the path of a port, or a Twisted client endpoint string.
    @ivar baud_rate: bits per second of a serial port; None to find out.
    @ivar api_mode: 1 or 2; None for whatever the radio is in.
    @ivar rtscts: honour the RTS and CTS lines of a serial port.
    @ivar configure: move a radio to the API mode if it is not in it.
    @ivar write_flash: have it keep that mode.
    @ivar heartbeat: seconds of silence after which the radio is asked whether it is there; 0 for
        never.
    @ivar in_flight: packets that the radio is given at once, for all nodes together.
    @ivar window, at_least_once, coalesce, retries, outage, sleep, backlog: see
        `zbtwist.binding.policy.Policy`.
    @ivar trace_file: the absolute path of the file that frames are written to, None for none.
    @ivar control: where the control API listens: a port number on `interface`, or a Twisted server
        endpoint string.
    @ivar base_port: the first TCP port that a node gets.
    @ivar interface: the address that the ports listen at.
    @ivar last_port: the last TCP port that a node gets.
    @ivar state: the absolute path of the state file, or `IN_MEMORY`.
    @ivar nodes: what the file says about single nodes, in its order.
    @ivar config: the absolute path of the file, None if there is none.
    """

    serial: str
    baud_rate: int | None = DEFAULT_BAUD_RATE
    api_mode: int | None = None
    control: str = DEFAULT_CONTROL
    base_port: int = DEFAULT_BASE_PORT
    interface: str = DEFAULT_INTERFACE
    last_port: int = LAST_PORT
    state: str = IN_MEMORY
    nodes: tuple[NodeSettings, ...] = ()
    config: str | None = None
    rtscts: bool = False
    configure: bool = False
    write_flash: bool = False
    heartbeat: float = DEFAULT_HEARTBEAT
    in_flight: int = DEFAULT_LIMIT
    window: int = Policy.window
    at_least_once: bool = Policy.at_least_once
    coalesce: float = Policy.coalesce
    retries: int = Policy.retries
    outage: float = Policy.outage
    sleep: float = Policy.sleep
    backlog: int = Policy.backlog
    trace_file: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether only programs on this computer can reach the ports."""
        others = [self.control, *(node.endpoint or "" for node in self.nodes)]
        return ipaddress.ip_address(self.interface).is_loopback and not any(
            _is_open(endpoint) for endpoint in others
        )

    @property
    def control_port(self) -> int:
        """The TCP port of the control API, 0 if it is another kind of socket."""
        number = re.match(r"(?:(?:tcp6?|ssl):)?(\d+)(?::|$)", self.control)
        return int(number[1]) if number else 0

    @property
    def policy(self) -> Policy:
        """How bytes are sent and kept, unless a node has its own word on it."""
        return Policy(**{name: getattr(self, name) for name in POLICY})

    def policy_of(self, node: NodeSettings) -> Policy:
        """How the bytes of one node are sent and kept."""
        own = {name: getattr(node, name, None) for name in POLICY}
        return dataclasses.replace(
            self.policy, **{name: value for name, value in own.items() if value is not None}
        )

    def radio_endpoint(self, reactor: Any) -> IStreamClientEndpoint:
        """Return the endpoint of the radio."""
        if _is_path(self.serial):
            return SerialEndpoint(reactor, self.serial, self.baud_rate, self.rtscts)
        text = self.serial
        if text.startswith("serial:"):
            if "baudrate=" not in text:
                text = f"{text}:baudrate={self.baud_rate or 'auto'}"
            if "rtscts=" not in text:
                text = f"{text}:rtscts={'yes' if self.rtscts else 'no'}"
        endpoint: IStreamClientEndpoint = clientFromString(reactor, text)
        return endpoint

    def control_endpoint(self, reactor: Any) -> IStreamServerEndpoint:
        """Return the endpoint that the control API listens at."""
        if self.control.isdecimal():
            return self.port_endpoint(reactor, int(self.control))
        return server_from_string(reactor, self.control)

    def port_endpoint(self, reactor: Any, port: int) -> IStreamServerEndpoint:
        """Return the endpoint of a TCP port on the interface."""
        kind: Callable[..., IStreamServerEndpoint] = TCP4ServerEndpoint
        if ":" in self.interface:
            kind = TCP6ServerEndpoint
        elif isinstance(reactor, PosixReactorBase):
            kind = QuietEndpoint
        endpoint: IStreamServerEndpoint = kind(reactor, port, _BACKLOG, self.interface)
        return endpoint


def load(reactor: Any, options: Mapping[str, str | None]) -> Settings:
    """Check what the user wrote, before anything is opened; again whenever the file has changed.

    What the command line says wins over the file, and the file over the defaults. The file is
    checked as a whole, also where the command line wins.

    @param reactor: endpoint strings are parsed with it; nothing is connected.
    @param options: the texts of the command line by the names of the options, without ``--``; an
        option that was not given is None or left out.
    @raise ConfigError: with every mistake there is.
    """
    given = {name: text for name in _OPTIONS if (text := options.get(name)) is not None}
    path = options.get("config")
    mistakes = Mistakes(path)
    here = _Context(reactor, os.getcwd())
    said: dict[str, Any] = {}
    for name, text in given.items():
        with mistakes.about(f"--{name}"):
            said[name] = _OPTIONS[name].parse(text, here)
    written: dict[str, Any] = {}
    if path is not None:
        try:
            mistakes.source = read(path)
            written = parse_toml(mistakes.source)
        except FileMistake as mistake:
            mistakes.of_whole_file = mistake
    there = _Context(reactor, os.path.dirname(os.path.abspath(path or "")))
    nodes = written.pop("node", [])
    known = _check_table(_OPTIONS, written, (), there, mistakes)
    rows = _check_nodes(nodes, there, mistakes)
    _check_together({**known, **said}, set(said), rows, mistakes)
    if "serial" not in given and "serial" not in written and mistakes.of_whole_file is None:
        mistakes.add("--serial", _NO_SERIAL)
    mistakes.check()
    values = {_OPTIONS[name].attribute: value for name, value in {**known, **said}.items()}
    values.setdefault("state", _default_state(values["serial"]))
    values.setdefault("last_port", _default_last_port(values.get("base_port", DEFAULT_BASE_PORT)))
    return Settings(
        **values,
        nodes=tuple(
            NodeSettings(**{_NODE_KEYS[key].attribute: value for key, value in row.items()})
            for row in rows
        ),
        config=None if path is None else os.path.abspath(path),
    )


def difference(old: Settings, new: Settings) -> set[str]:
    """Return the names of the attributes of `Settings` that differ."""
    names = (field.name for field in dataclasses.fields(Settings))
    return {name for name in names if getattr(old, name) != getattr(new, name)}


# --- what an option takes ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Context:
    """
    @ivar directory: what relative paths are relative to.
    """

    reactor: Any
    directory: str


_Parser = Callable[[str, _Context], Any]

_NO_SERIAL = (
    "is missing: name the port of the XBee (such as /dev/ttyUSB0), "
    "or sim: to try the gateway without one."
)

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


@dataclass(frozen=True, slots=True)
class _Option:
    """One option of the command line or key of the file.

    @ivar attribute: of `Settings` or `NodeSettings`.
    @ivar parse: makes the attribute's value of a text, or raises `Mistake`.
    @ivar types: what the file may have.
    @ivar is_unique: whether no two nodes may have the same value.
    """

    attribute: str
    parse: _Parser
    types: tuple[type, ...] = (str,)
    is_unique: bool = False

    def of_file(self, value: Any, context: _Context) -> Any:
        """Return the attribute's value for a value of the file.

        @raise Mistake: it is wrong.
        """
        if type(value) not in self.types:
            wanted = " or ".join(map(_type_name, self.types))
            raise Mistake(f"must be {wanted}, not {_type_name(type(value))}.")
        # TOML's numbers end here; Python refuses to write some that go on.
        if isinstance(value, int) and value.bit_length() > 63:
            raise Mistake("is too large a number.")
        return self.parse(str(value), context)


def _type_name(kind: type) -> str:
    return next(name for known, name in _TYPE_NAMES if issubclass(kind, known))


def _number(low: int, high: int) -> _Parser:
    def parse(text: str, context: _Context) -> int:
        if re.fullmatch(r"\s*[0-9]{1,9}\s*", text) and low <= int(text) <= high:
            return int(text)
        raise Mistake(f"must be a number from {low} to {high}, not {text!r}.")

    return parse


_port = _number(1, 65535)


def _seconds(low: float, high: float) -> _Parser:
    def parse(text: str, context: _Context) -> float:
        if re.fullmatch(r"\s*[0-9]{1,9}(\.[0-9]{1,9})?\s*", text) and low <= float(text) <= high:
            return float(text)
        raise Mistake(f"must be a number of seconds from {low:g} to {high:g}, not {text!r}.")

    return parse


def _flag(text: str, context: _Context) -> bool:
    # The command line has only the name; the file has TOML's words as Python writes them.
    return text != "False"


def _baud(text: str, context: _Context) -> int | None:
    if text == "auto":
        return None
    try:
        rate: int = _number(1, 4_000_000)(text, context)
    except Mistake:
        raise Mistake(f"must be auto or a number from 1 to 4000000, not {text!r}.") from None
    return rate


def _delivery(text: str, context: _Context) -> bool:
    if text not in _DELIVERY:
        raise Mistake(f"must be {' or '.join(_DELIVERY)}, not {text!r}.")
    return text == "at-least-once"


_DELIVERY = ("at-most-once", "at-least-once")


def _serial(text: str, context: _Context) -> str:
    if not text:
        raise Mistake(_NO_SERIAL)
    if _is_path(text):
        return text if text.startswith("/") else _absolute(text, context)
    if ":" not in text:
        raise Mistake(
            f"{text} is neither the path of a port, such as /dev/ttyUSB0, nor an endpoint, such as "
            "tcp:HOST:PORT."
        )
    try:
        _check_port(clientFromString(context.reactor, text))
    except Exception as error:
        # Parsers of other people's endpoints raise what they like.
        raise Mistake(
            f"{text} is neither the path of a port nor an endpoint: {reason_of(error)}."
        ) from error
    return text


def _check_port(endpoint: object) -> None:
    """Refuse a TCP port that Twisted's parsers let pass, and that fails when it is used."""
    port = getattr(endpoint, "_port", None)
    if isinstance(port, int) and not 0 < port <= 65535:
        raise ValueError(f"{port} is no TCP port, those are 1 to 65535")
    if getattr(endpoint, "_address", None) == "":
        raise ValueError("the path is missing")


def _is_open(endpoint: str) -> bool:
    """Whether a server endpoint string lets other computers in; ``tcp:27000`` does."""
    kind, _, rest = endpoint.partition(":")
    if not rest or kind == "unix":
        return False
    interface = re.search(r"(?:^|:)interface=((?:[^:\\]|\\.)*)", rest)
    try:
        address = ipaddress.ip_address(interface[1].replace("\\", "") if interface else "0.0.0.0")
    except ValueError:
        return True
    return not address.is_loopback


def _is_path(serial: str) -> bool:
    return serial.startswith(("/", "./", "../"))


def _api_mode(text: str, context: _Context) -> int | None:
    modes = {"auto": None, "1": 1, "2": 2}
    if text not in modes:
        raise Mistake(f"must be auto, 1 or 2, not {text!r}.")
    return modes[text]


def _control(text: str, context: _Context) -> str:
    if text.lstrip("-").isdecimal():
        return str(_port(text, context))
    return _server(text, context, "neither a port number nor a server endpoint")


def _endpoint(text: str, context: _Context) -> str:
    return _server(text, context, "not a server endpoint, such as tcp:27001:interface=127.0.0.1")


def _server(text: str, context: _Context, verdict: str) -> str:
    try:
        _check_port(serverFromString(context.reactor, text))
    except Exception as error:
        raise Mistake(f"{text} is {verdict}: {reason_of(error)}.") from error
    return text


def _interface(text: str, context: _Context) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise Mistake(
            "must be an IP address of this computer, such as 127.0.0.1, "
            f"or 0.0.0.0 for all of them, not {text!r}."
        ) from error
    return text


def _state(text: str, context: _Context) -> str:
    if text == IN_MEMORY:
        return text
    if not text or "\0" in text or text.endswith("/"):
        raise Mistake(f"must be the path of a file, or {IN_MEMORY}, not {text!r}.")
    return _absolute(text, context)


def _file(text: str, context: _Context) -> str:
    if not text or "\0" in text or text.endswith("/"):
        raise Mistake(f"must be the path of a file, not {text!r}.")
    return _absolute(text, context)


def _absolute(path: str, context: _Context) -> str:
    return os.path.normpath(os.path.join(context.directory, os.path.expanduser(path)))


def _address(text: str, context: _Context) -> Address64:
    try:
        address = parse_address64(text)
    except AddressError as error:
        raise Mistake(f"{error}.") from error
    if address in (COORDINATOR64, BROADCAST64, UNKNOWN64):
        raise Mistake(f"{text} stands for no single node: write the address on its label.")
    return address


def _text(longest: int) -> _Parser:
    def parse(text: str, context: _Context) -> str:
        if text == text.strip() and text.isprintable() and 0 < len(text.encode()) <= longest:
            return text
        raise Mistake(
            f"must have 1 to {longest} bytes of UTF-8, printable and with no blank at either end, "
            f"not {text!r}."
        )

    return parse


_WINDOW = _Option("window", _number(1, 16), (int,))
_BACKLOG_BYTES = _Option("backlog", _number(0, MAXIMUM_BACKLOG), (int,))

_OPTIONS = {
    "serial": _Option("serial", _serial),
    "baud": _Option("baud_rate", _baud, (int, str)),
    "api-mode": _Option("api_mode", _api_mode, (int, str)),
    "rtscts": _Option("rtscts", _flag, (bool,)),
    "configure": _Option("configure", _flag, (bool,)),
    "write-flash": _Option("write_flash", _flag, (bool,)),
    "heartbeat": _Option("heartbeat", _seconds(0, 86400), (int, float)),
    "control": _Option("control", _control, (int, str)),
    "base-port": _Option("base_port", _port, (int,)),
    "last-port": _Option("last_port", _port, (int,)),
    "interface": _Option("interface", _interface),
    "state": _Option("state", _state),
    "delivery": _Option("at_least_once", _delivery),
    "retries": _Option("retries", _number(0, 100), (int,)),
    "outage": _Option("outage", _seconds(0, 86400), (int, float)),
    "sleep": _Option("sleep", _seconds(0, 86400), (int, float)),
    "window": _WINDOW,
    "in-flight": _Option("in_flight", _number(1, 63), (int,)),
    "coalesce": _Option("coalesce", _seconds(0, 10), (int, float)),
    "backlog": _BACKLOG_BYTES,
    "trace-file": _Option("trace_file", _file),
}

_NODE_KEYS = {
    "address": _Option("address64", _address, is_unique=True),
    "label": _Option("label", _text(_MAX_LABEL), is_unique=True),
    "port": _Option("port", _port, (int,), is_unique=True),
    "endpoint": _Option("endpoint", _endpoint, is_unique=True),
    "name": _Option("name", _text(_MAX_NAME), is_unique=True),
    "delivery": _Option("at_least_once", _delivery),
    "window": _WINDOW,
    "backlog": _BACKLOG_BYTES,
}

#: The attributes of `Settings` and `NodeSettings` that make a `Policy`.
POLICY = tuple(field.name for field in dataclasses.fields(Policy))


def _default_last_port(base: int) -> int:
    """Return the last port that a node gets when nobody says so.

    It is below those that the system gives to outgoing connections: one of them may be in use just
    when the gateway starts, and the node could not be reached.
    """
    try:
        with open(_OUTGOING_PORTS) as file:
            first = int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        first = _FIRST_DYNAMIC_PORT
    return first - 1 if base < first else LAST_PORT


def _default_state(serial: str) -> str:
    """Return where the state is when nobody says so."""
    if serial.startswith("sim:"):
        return IN_MEMORY
    # systemd names every directory of StateDirectory=, with colons between them.
    for directory in os.environ.get("STATE_DIRECTORY", "").split(":"):
        if directory:
            return os.path.abspath(os.path.join(directory, STATE_FILE))
    # A service of the whole computer keeps its state there, and systemd would say the same.
    if os.geteuid() == 0:
        return f"/var/lib/zbtwist/{STATE_FILE}"
    return os.path.abspath(platformdirs.user_state_path("zbtwist") / STATE_FILE)


# --- what the values must be to each other -----------------------------------------------------


def _check_table(
    known: Mapping[str, _Option],
    table: Mapping[str, Any],
    place: Key,
    context: _Context,
    mistakes: Mistakes,
) -> dict[str, Any]:
    """Return the values of a table of the file, by key, without those that are wrong."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        option = known.get(key)
        if option is None:
            names = [*known, "node"] if not place else list(known)
            mistakes.add((*place, key), f"is no option here{_suggestion(key, names)}")
            continue
        with mistakes.about((*place, key)):
            values[key] = option.of_file(value, context)
    return values


def _suggestion(key: str, names: Sequence[str]) -> str:
    """Return the end of a sentence: what may have been meant."""
    # It compares letter with letter, so a very long key would take very long.
    close = difflib.get_close_matches(key[:40].lower().replace("_", "-"), names, 1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(names)}."


def _check_nodes(tables: Any, context: _Context, mistakes: Mistakes) -> list[dict[str, Any]]:
    """Return the values of the `[[node]]` tables, without those that are wrong."""
    if not isinstance(tables, list):
        mistakes.add(("node",), "must be written [[node]], in two brackets, for each node.")
        return []
    rows: list[dict[str, Any]] = []
    first: dict[tuple[str, Any], int] = {}
    for number, table in enumerate(tables, 1):
        place = ("node", number)
        if not isinstance(table, dict):
            mistakes.add(place, f"must be a table, not {_type_name(type(table))}.")
            rows.append({})
            continue
        if "address" not in table and "label" not in table:
            mistakes.add(place, "needs an address or a label: one of them says which node it is.")
        for pair in (("address", "label"), ("port", "endpoint")):
            both = [key for key in table if key in pair]
            if len(both) == 2:
                mistakes.add(
                    (*place, both[1]), f"cannot stand beside {both[0]}: take one of them out."
                )
        row = _check_table(_NODE_KEYS, table, place, context, mistakes)
        for key, value in row.items():
            if not _NODE_KEYS[key].is_unique:
                continue
            owner = first.setdefault((key, value), number)
            if owner != number:
                mistakes.add((*place, key), f"{table[key]} is that of node[{owner}] already.")
        rows.append(row)
    return rows


def _check_together(
    values: Mapping[str, Any],
    said: set[str],
    rows: list[dict[str, Any]],
    mistakes: Mistakes,
) -> None:
    """Check what holds between options.

    @param values: those that are right; a wrong one is not blamed twice.
    @param said: the names of those that the command line has.
    """
    control = values.get("control", DEFAULT_CONTROL)
    if not mistakes.concern("control"):
        for number, row in enumerate(rows, 1):
            for key in ("port", "endpoint"):
                if str(row.get(key)) == control:
                    mistakes.add(("node", number, key), f"{control} is the control port already.")
    base = values.get("base-port", DEFAULT_BASE_PORT)
    last = values.get("last-port", LAST_PORT)
    if last < base and not mistakes.concern("base-port") and not mistakes.concern("last-port"):
        name = "last-port" if "last-port" in values else "base-port"
        mistakes.add(
            f"--{name}" if name in said else (name,),
            f"leaves no port: none is from base-port, {base}, to last-port, {last}.",
        )
