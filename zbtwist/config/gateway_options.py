"""The table of the gateway's options: to add one is to write its row here, or in
`zbtwist.binding.port_settings` if it is about a node's port, and to run ``python -m
zbtwist.config.reference``.

What follows from them is in `zbtwist.config.settings`.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass

from zbtwist.binding.port_settings import PortSettings
from zbtwist.binding.scheduler import DEFAULT_LIMIT
from zbtwist.config import values
from zbtwist.config.node_settings import NodeSettings
from zbtwist.config.values import IN_MEMORY
from zbtwist.control import DEFAULT_PORT
from zbtwist.health.service import ACTIVE, PASSIVE
from zbtwist.mqtt.settings import MQTTSettings
from zbtwist.network.admission import DEFAULT_MAX_NODES, Admit
from zbtwist.network.table import MAX_NODES
from zbtwist.radio.line_settings import (
    DEFAULT_BAUD_RATE,
    LINE_STATES,
    ON,
    PARITIES,
)
from zbtwist.radio.service import DEFAULT_HEARTBEAT
from zbtwist.runtime.allowed import Network, networks
from zbtwist.runtime.endpoint_option import LAST_PORT
from zbtwist.runtime.mdns import is_wanted
from zbtwist.runtime.option import (
    choice,
    file_path,
    flag,
    number,
    option,
    options_of,
    seconds,
    section,
    sections_of,
    switch,
)

DEFAULT_CONTROL = str(DEFAULT_PORT)
DEFAULT_BASE_PORT = 27001
DEFAULT_INTERFACE = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class GatewayOptions:
    """
    @ivar serial: where the radio is: the path of a port, or a Twisted client endpoint string.
    @ivar baud_rate: bits per second of a serial port; None to find out.
    @ivar api_mode: 1 or 2; None for whatever the radio is in.
    @ivar rtscts: honour the RTS and CTS lines of a serial port.
    @ivar low_latency: have the driver of a serial port pass on what comes at once.
    @ivar parity: of a serial port, as `LineSettings` has it, and so the next three.
    @ivar configure: move a radio to the API mode if it is not in it.
    @ivar write_flash: have it keep that mode.
    @ivar heartbeat: seconds without an answer of the radio after which it is asked whether it is
        there; 0 for never.
    @ivar control: where the control API listens: a port number on `interface`, or a Twisted server
        endpoint string.
    @ivar control_host: names by which it may be asked for, in small letters.
    @ivar base_port: the first TCP port that a node gets.
    @ivar last_port: the last TCP port that a node gets.
    @ivar interface: the address that the ports listen at.
    @ivar auth: whose passwords let them do everything: descriptions of twisted.cred's checkers.
    @ivar auth_read_only: whose passwords let them look only.
    @ivar no_auth: nobody is asked for a password.
    @ivar control_allow: the networks that control connections may come from; none: as `allow` says.
    @ivar state: the absolute path of the state file, or `IN_MEMORY`.
    @ivar broadcast: where bytes for all nodes come in, as `control` is written; None for nowhere.
    @ivar broadcast_hears: clients there hear all nodes.
    @ivar zeroconf: control port and nodes are announced by multicast DNS.
    @ivar in_flight: packets that the radio is given at once, for all nodes together.
    @ivar admit: who becomes a node without a person.
    @ivar max_nodes: how many nodes there may be without a person.
    @ivar health: whether nodes may be asked if they are there; see `zbtwist.health.service`.
    @ivar trace_file: the absolute path of the file that frames are written to, None for none.
    @ivar mqtt: the MQTT broker, and what is said there.
    @ivar port_settings: those of all ports, unless a node has its own word on something.
    @ivar nodes: what the file says about single nodes, in its order.
    @ivar config: the absolute path of the file, None if there is none.
    """

    serial: str = option(
        MISSING,
        values.serial,
        help="Where the radio is: a serial port such as /dev/ttyUSB0, a serial server such as "
        "tcp:HOST:PORT (raw) or rfc2217:HOST:PORT, or sim: (a network in software, to try)",
        more="One must be named, here or in the file. It may be any Twisted client endpoint, and "
        "``tcp://``, ``socket://`` and ``rfc2217://`` are understood as well. `The simulator "
        "<simulator.rst>`_ has more on the last.",
        letter="s",
        example='"/dev/ttyUSB0"',
    )
    baud_rate: int | None = option(
        DEFAULT_BAUD_RATE,
        values.baud_rate,
        (int, str),
        "Rate of the serial port, bits per second, or auto to find it",
        name="baud",
        unit="bit/s",
        more="``auto`` tries 9600, 115200, 57600, 38400, 230400, then the other rates of an XBee. "
        "The rate that was found comes first the next time, until the gateway ends.",
        letter="b",
    )
    api_mode: int | None = option(
        None,
        values.api_mode,
        (int, str),
        "API mode of the radio: 1, 2, or auto to ask it",
        default="auto",
        letter="m",
    )
    rtscts: bool = option(
        False,
        flag,
        (bool,),
        "Honour the RTS and CTS lines of the serial port",
        more="The XBee must do so, too (D6=1, D7=1).",
    )
    low_latency: bool = option(
        True,
        switch,
        (bool, str),
        "Have the serial port's driver pass on at once what comes: true or false",
        default="true",
        more="It makes 1 ms of the 16 for which chips by FTDI hold bytes back. ``false`` leaves "
        "the driver as it would be by itself, for a slow computer. Drivers that have no such mode, "
        "as most that hold nothing back, are asked in vain.",
    )
    parity: str = option(
        PARITIES[0],
        choice({word: word for word in PARITIES}),
        help="Parity of the serial port: none, even, odd, mark or space, as the radio has it (NB)",
        more="An XBee leaves the factory with none (NB=0).",
    )
    stop_bits: int = option(
        1,
        number(1, 2),
        (int,),
        "Stop bits of the serial port, 1 or 2, as the radio has them (SB)",
    )
    dtr: str = option(
        ON,
        choice({word: word for word in LINE_STATES}),
        help="What becomes of the line DTR when the serial port is opened: on, off, or hold to "
        "leave it as it is",
        more="On many boards it is the module's sleep request (pin 9) or its reset. When the "
        "gateway ends, DTR and RTS stay as they are. See `From an XBee in the hand to the first "
        "byte <hardware.rst>`_.",
    )
    rts: str = option(
        ON,
        choice({word: word for word in LINE_STATES}),
        help="The same of the line RTS, where rtscts does not use it",
        more="With RTS off a module that honours it (D6=1) sends nothing.",
    )
    configure: bool = option(
        False,
        flag,
        (bool,),
        "Move a transparent radio to the API mode, until it is off; see --write-flash",
        more="A radio in transparent mode (AP=0) is moved by ``+++``; one that is in another mode "
        "than ``api-mode`` names, to that one. It is done when nobody answers to frames, and again "
        "when the radio was without power and is back in its own mode. At a rate of ``auto`` a "
        "round takes about 30 seconds.",
    )
    write_flash: bool = option(
        False,
        flag,
        (bool,),
        "With --configure: have the radio keep that mode",
        more="It is written by WR; nothing else is ever written to its flash.",
    )
    heartbeat: float = option(
        DEFAULT_HEARTBEAT,
        seconds(0, 86400),
        (int, float),
        "Seconds without an answer after which the radio is asked whether it is there; 0: never",
        unit="s",
    )
    control: str = option(
        DEFAULT_CONTROL,
        values.control,
        (int, str),
        "Port of the control interface, or a Twisted server endpoint",
        more="An endpoint is such as ``unix:/run/zbtwist/control``. See `the control interface "
        "<control-api.rst>`_.",
        letter="c",
    )
    control_host: tuple[str, ...] = option(
        (),
        values.hosts,
        help="Names, with commas between them, by which browsers and programs may ask for the "
        "control interface, beside addresses, localhost and this computer's own name",
        name="control-host",
        default="",
        more="Requests under any other name are refused, also from a proxy in front that passes "
        "the name on. See `the console <console.rst>`_.",
        example='"gateway.example"',
    )
    base_port: int = option(
        DEFAULT_BASE_PORT, values.port, (int,), "First TCP port that a node gets", letter="p"
    )
    last_port: int = option(
        LAST_PORT,
        values.port,
        (int,),
        "Last TCP port that a node gets",
        default="the last below those of outgoing connections, mostly 32767",
        more=f"It is {LAST_PORT} if ``base-port`` is not below them.",
        example="32767",
    )
    interface: str = option(
        DEFAULT_INTERFACE,
        values.interface,
        help="Address to listen at; 0.0.0.0 lets other computers in, which needs --auth or "
        "--no-auth",
        more="It is an IP address of this computer, of version 4 or 6. Nodes' ports ask nobody for "
        "a password: ``allow`` says who may connect. See `Security <security.rst>`_.",
        letter="i",
    )
    auth: tuple[str, ...] = option(
        (),
        values.users,
        (str, list),
        "Who may log in to the control interface and do everything, such as "
        "argon2:/etc/zbtwist/users; may be said again",
        default="",
        more="``argon2:PATH`` and ``file:PATH`` name a file of users, ``memory:NAME:PASSWORD`` one "
        "user; ``--help-auth`` lists all kinds. See `Security <security.rst>`_.",
        example='"argon2:/etc/zbtwist/users"',
        is_list=True,
    )
    auth_read_only: tuple[str, ...] = option(
        (),
        values.users,
        (str, list),
        "The same for users who may only look: they change nothing and reach no node; may be said "
        "again",
        default="",
        example='"argon2:/etc/zbtwist/viewers"',
        is_list=True,
    )
    no_auth: bool = option(
        False,
        flag,
        (bool,),
        "Ask nobody for a password, also where other computers reach the control interface",
    )
    control_allow: tuple[Network, ...] = option(
        (),
        networks,
        (str, list),
        "Networks that control connections may come from, where those are others than allow says; "
        "may be said again",
        default="",
        example='["192.168.1.10", "127.0.0.1"]',
        is_list=True,
    )
    state: str = option(
        IN_MEMORY,
        values.state,
        help="File that keeps which node has which port, or :memory: to forget it at the end",
        default="zbtwist.sqlite3 in $STATE_DIRECTORY, in /var/lib/zbtwist as root, else in the "
        "user's state directory; :memory: with sim:",
        example='"/var/lib/zbtwist/zbtwist.sqlite3"',
        at_start="The state file",
    )
    broadcast: str | None = option(
        None,
        values.control,
        (int, str),
        "Port whose bytes go to all nodes at once, or a Twisted server endpoint",
        default="",
        more="Nothing of it is acknowledged, and it carries 72 bytes a second. See `Endpoints "
        "<endpoints.rst>`_.",
        example="27900",
    )
    broadcast_hears: bool = option(
        False,
        flag,
        (bool,),
        "Clients of that port hear what all nodes say",
    )
    zeroconf: bool = option(
        False,
        is_wanted,
        (bool,),
        "Announce the control port and the nodes on the network by multicast DNS",
        more="It needs the extra ``zeroconf``. See `Endpoints <endpoints.rst>`_.",
    )
    in_flight: int = option(
        DEFAULT_LIMIT, number(1, 63), (int,), "Packets to all nodes at once, 1 to 63"
    )
    admit: Admit = option(
        Admit.ANSWERED,
        choice({rule.value: rule for rule in Admit}),
        help="Who becomes a node and has a port: all (whoever is heard), answered (whoever "
        "answers), listed (of those, who is configured) or ask (whom a person accepts)",
        default="answered",
        more="``listed`` are nodes that a ``[[node]]`` table names; with ``ask`` each waits for "
        "``zbctl accept``. Nodes that are known stay, whatever this says. See `Security "
        "<security.rst>`_.",
    )
    max_nodes: int = option(
        DEFAULT_MAX_NODES,
        number(1, MAX_NODES),
        (int,),
        "How many nodes there may be before new ones must be accepted by a person",
        more="Nodes that are known stay, also if there are more.",
    )
    health: str = option(
        ACTIVE,
        choice({ACTIVE: ACTIVE, PASSIVE: PASSIVE}),
        help="Whether nodes of which it is doubtful that they are there may be asked: active or "
        "passive",
        more="One small question a minute, over the whole network. ``passive`` tells their "
        "`health <health.rst>`_ by what passes anyway.",
    )
    trace_file: str | None = option(
        None,
        file_path,
        help="File that every frame is written to, for Wireshark (pcapng)",
        more="See `events <events.rst>`_.",
        example='"/var/log/zbtwist/frames.pcapng"',
    )
    mqtt: MQTTSettings = section(MQTTSettings)
    port_settings: PortSettings = PortSettings()
    nodes: tuple[NodeSettings, ...] = ()
    config: str | None = None


#: The options of the gateway, by name, in the order in which they are shown; those of its sections
#: are not among them.
OPTIONS = {
    name: each for name, each in options_of(GatewayOptions, PortSettings).items() if not each.of_all
}

#: Its sections, by name.
SECTIONS = sections_of(GatewayOptions)
