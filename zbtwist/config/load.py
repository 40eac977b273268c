"""From what the user wrote to `Settings`, or to every mistake at once.

It comes from the command line and from a TOML file. Both pass the table of options: a value of the
file is checked for its TOML type, and then read as the text that the command line would have.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import platformdirs

from zbtwist.binding.port_settings import PortSettings
from zbtwist.config.asking import CONCERNED, check_asking
from zbtwist.config.gateway_options import (
    DEFAULT_BASE_PORT,
    DEFAULT_CONTROL,
    DEFAULT_INTERFACE,
    OPTIONS,
)
from zbtwist.config.node_settings import NODE_KEYS, NodeSettings
from zbtwist.config.settings import Settings
from zbtwist.config.taken import Taken
from zbtwist.config.toml_file import FileMistake, Key, Mistakes, parse_toml, read
from zbtwist.config.values import IN_MEMORY, NO_SERIAL, is_fleet
from zbtwist.runtime.endpoint_option import LAST_PORT
from zbtwist.runtime.option import Context, Mistake, Option, options_of, sections_of, type_name

#: Where the system says which ports it gives to outgoing connections, and which those are where it
#: does not say so (the dynamic ports of RFC 6335, section 6).
OUTGOING_PORTS = "/proc/sys/net/ipv4/ip_local_port_range"
_FIRST_DYNAMIC_PORT = 49152

_OF_PORTS = options_of(PortSettings)
_KNOWN = {**NODE_KEYS, **OPTIONS}

_NO_USERS = (
    "lets other computers reach the control interface: say with --auth who may log in, or "
    "--no-auth if all who reach it may do everything. To open the nodes' ports alone, add "
    "--control tcp:27000:interface=127.0.0.1."
)

_NO_GATHER = "needs gather, the seconds that bytes wait where it does not come, such as 0.02."

_NO_BROADCAST = (
    "cannot stand beside a radio that is a broker: a hub sends to one node at a time. Take it out, "
    "and broadcast at the gateways of the sites."
)

_STATE_FILE = "zbtwist.sqlite3"


def load(reactor: Any, options: Mapping[str, str | None]) -> Settings:
    """Check what the user wrote, before anything is opened; again whenever the file has changed.

    What the command line says wins over the file, and the file over the defaults. The file is
    checked as a whole, also where the command line wins.

    @param reactor: endpoint strings are parsed with it; nothing is connected.
    @param options: the texts of the command line by the names of the options, without ``--``; an
        option that was not given is None or left out.
    @raise ConfigError: with every mistake there is.
    """
    given = {name: text for name in OPTIONS if (text := options.get(name)) is not None}
    path = options.get("config")
    mistakes = Mistakes(path)
    here = Context(reactor, os.getcwd())
    said: dict[str, Any] = {}
    for name, text in given.items():
        with mistakes.about(f"--{name}"):
            said[name] = OPTIONS[name].parse(text, here)
    written: dict[str, Any] = {}
    if path is not None:
        try:
            mistakes.source = read(path)
            written = parse_toml(mistakes.source)
        except FileMistake as mistake:
            mistakes.of_whole_file = mistake
    there = Context(reactor, os.path.dirname(os.path.abspath(path or "")))
    nodes = written.pop("node", [])
    sections = {
        name: _check_section(name, kind, written.pop(name, {}), there, mistakes)
        for name, kind in sections_of(Settings).items()
    }
    known = _check_table(OPTIONS, written, (), there, mistakes)
    rows = _check_nodes(nodes, there, mistakes)
    _check_together({**known, **said}, set(said), rows, mistakes)
    if "serial" not in given and "serial" not in written and mistakes.of_whole_file is None:
        mistakes.add("--serial", NO_SERIAL)
    mistakes.check()
    values, of_ports = _attributes({**known, **said})
    if "state" not in values:
        with mistakes.about("--state"):
            values["state"] = _default_state(values["serial"])
        mistakes.check()
    values.setdefault("last_port", _default_last_port(values.get("base_port", DEFAULT_BASE_PORT)))
    made = {name: kind(**sections[name]) for name, kind in sections_of(Settings).items()}
    for option in _OF_PORTS.values():
        if option.of_all is not None:
            section, attribute = option.of_all
            of_ports[option.attribute] = getattr(made[section], attribute)
    port_settings = PortSettings(**of_ports)
    settings = Settings(
        **values,
        **made,
        port_settings=port_settings,
        nodes=tuple(_node(row, port_settings) for row in rows),
        config=None if path is None else os.path.abspath(path),
    )
    if settings.needs_login and not settings.auth and not settings.auth_read_only:
        name = "interface" if settings.control.isdecimal() else "control"
        mistakes.add(f"--{name}" if name in given else (name,), _NO_USERS)
        mistakes.check()
    return settings


def _attributes(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return values by the attributes that they are: those of `PortSettings` are the second."""
    of_ports = {
        option.attribute: values[name] for name, option in _OF_PORTS.items() if name in values
    }
    others = {
        _KNOWN[name].attribute: value for name, value in values.items() if name not in _OF_PORTS
    }
    return others, of_ports


def _node(row: Mapping[str, Any], port_settings: PortSettings) -> NodeSettings:
    values, of_port = _attributes(row)
    own = replace(port_settings, **of_port) if of_port else None
    return NodeSettings(**values, own=tuple(sorted(of_port.items())), port_settings=own)


def _default_last_port(base: int) -> int:
    """Return the last port that a node gets when nobody says so.

    It is below those that the system gives to outgoing connections: one of them may be in use just
    when the gateway starts, and the node could not be reached.
    """
    try:
        with open(OUTGOING_PORTS) as file:
            first = int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        first = _FIRST_DYNAMIC_PORT
    return first - 1 if base < first else LAST_PORT


def _default_state(serial: str) -> str:
    """Return where the state is when nobody says so.

    @raise Mistake: it has to be said.
    """
    if serial.startswith("sim:"):
        return IN_MEMORY
    # systemd names every directory of StateDirectory=, with colons between them.
    for directory in os.environ.get("STATE_DIRECTORY", "").split(":"):
        if directory:
            return os.path.abspath(os.path.join(directory, _STATE_FILE))
    # A service of the whole computer keeps its state there, and systemd would say the same.
    if os.geteuid() == 0:
        return f"/var/lib/zbtwist/{_STATE_FILE}"
    try:
        return os.path.abspath(platformdirs.user_state_path("zbtwist") / _STATE_FILE)
    except RuntimeError:
        raise Mistake(
            "is missing: this user has no home directory (HOME) for the state file; name a file, "
            f"such as /var/lib/zbtwist/{_STATE_FILE}."
        ) from None


# --- what the values must be to each other -----------------------------------------------------


def _check_table(
    known: Mapping[str, Option],
    table: Mapping[str, Any],
    place: Key,
    context: Context,
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


def _check_section(
    name: str, kind: type, table: Any, context: Context, mistakes: Mistakes
) -> dict[str, Any]:
    """Return the values of a section, by the attributes of its class."""
    if not isinstance(table, dict):
        mistakes.add((name,), f"must be a table, [{name}], not {type_name(type(table))}.")
        return {}
    known = options_of(kind)
    values = _check_table(known, table, (name,), context, mistakes)
    said = {known[key].attribute: value for key, value in values.items()}
    check = getattr(kind, "check", None)
    # A wrong one is not blamed twice.
    if check is not None and len(values) == len(table):
        for key, sentence in check(said):
            mistakes.add((name, key) if key else (name,), sentence)
    return said


def _suggestion(key: str, names: Sequence[str]) -> str:
    """Return the end of a sentence: what may have been meant."""
    # It compares letter with letter, so a very long key would take very long.
    close = difflib.get_close_matches(key[:40].lower().replace("_", "-"), names, 1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(names)}."


def _check_nodes(tables: Any, context: Context, mistakes: Mistakes) -> list[dict[str, Any]]:
    """Return the values of the `[[node]]` tables, without those that are wrong."""
    if not isinstance(tables, list):
        mistakes.add(("node",), "must be written [[node]], in two brackets, for each node.")
        return []
    rows: list[dict[str, Any]] = []
    first: dict[tuple[str, Any], int] = {}
    for number, table in enumerate(tables, 1):
        place = ("node", number)
        if not isinstance(table, dict):
            mistakes.add(place, f"must be a table, not {type_name(type(table))}.")
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
        row = _check_table(NODE_KEYS, table, place, context, mistakes)
        for key, value in row.items():
            if not NODE_KEYS[key].is_unique:
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
    for name in ("auth", "auth-read-only"):
        if values.get("no-auth") and values.get(name):
            mistakes.add(
                "--no-auth" if "no-auth" in said else ("no-auth",),
                f"cannot stand beside {name}: take one of them out.",
            )
            break
    if values.get("delimiter") and not values.get("gather"):
        mistakes.add("--delimiter" if "delimiter" in said else ("delimiter",), _NO_GATHER)
    if values.get("broadcast") and is_fleet(values.get("serial", "")):
        mistakes.add("--broadcast" if "broadcast" in said else ("broadcast",), _NO_BROADCAST)
    for number, row in enumerate(rows, 1):
        if row.get("delimiter") and not row.get("gather", values.get("gather")):
            mistakes.add(("node", number, "delimiter"), _NO_GATHER)
    if not any(map(mistakes.concern, CONCERNED)):
        for place, sentence in check_asking(values, rows):
            is_said = len(place) == 1 and place[0] in said
            mistakes.add(f"--{place[0]}" if is_said else place, sentence)
    for wish in values.get("listen", ()):
        if not wish.is_for_many:
            mistakes.add(
                "--listen" if "listen" in said else ("listen",),
                f"{wish.endpoint} is one endpoint, and every node listens there: write {{address}} "
                "or {port} into it, or say it of one node.",
            )
    _check_listening(values, said, rows, mistakes)
    base = values.get("base-port", DEFAULT_BASE_PORT)
    last = values.get("last-port", LAST_PORT)
    if last < base and not mistakes.concern("base-port") and not mistakes.concern("last-port"):
        name = "last-port" if "last-port" in values else "base-port"
        mistakes.add(
            f"--{name}" if name in said else (name,),
            f"leaves no port: none is from base-port, {base}, to last-port, {last}.",
        )


def _check_listening(
    values: Mapping[str, Any],
    said: set[str],
    rows: list[dict[str, Any]],
    mistakes: Mistakes,
) -> None:
    """Check that nothing is to listen where something else is.

    Of what has ``{address}`` or ``{port}`` in it that comes out only when it listens.
    """
    taken = Taken(values.get("interface", DEFAULT_INTERFACE))
    if not mistakes.concern("control"):
        taken.add(values.get("control", DEFAULT_CONTROL), "the control port")
    first: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        for key in ("port", "endpoint"):
            text = str(row.get(key, ""))
            # The same words twice are said already.
            if text and first.setdefault(text, number) == number:
                _take(taken, text, number, ("node", number, key), mistakes)
    broadcast = values.get("broadcast")
    if broadcast is not None:
        if owner := taken.owner(broadcast):
            mistakes.add(
                "--broadcast" if "broadcast" in said else ("broadcast",),
                f"{broadcast} is {owner} already.",
            )
        else:
            taken.add(broadcast, "the broadcast port")
    for number, row in enumerate(rows, 1):
        for wish in row.get("listen", ()):
            if not wish.is_for_many:
                _take(taken, wish.endpoint, number, ("node", number, "listen"), mistakes)


def _take(taken: Taken, text: str, number: int, place: Key, mistakes: Mistakes) -> None:
    """Have a node listen somewhere, unless somebody else does.

    @param number: of the node's table.
    """
    if owner := taken.owner(text):
        mistakes.add(place, f"{text} is {owner} already.")
    else:
        taken.add(text, f"that of node[{number}]")
