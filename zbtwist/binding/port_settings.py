"""All that may be set for the ports of all nodes, or for that of one.

One object has it all. It is made once for every node that has its own word on something, and handed
over whole: who needs a setting of a port reads it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from zbtwist.binding import endpoint_wish, port_values
from zbtwist.binding.asking.askers import END_DEVICE_TIMEOUT, REPLY_TIMEOUT
from zbtwist.binding.endpoint_wish import EndpointWish
from zbtwist.binding.modbus.units import Units, units
from zbtwist.binding.modem_lines import ModemLine, modem_lines
from zbtwist.binding.port_values import AUTO, MAX_BANNER, MAX_PACKET_SIZE, MAX_STRING
from zbtwist.binding.protocols import PROTOCOLS
from zbtwist.decoding.makers import maker_named
from zbtwist.mqtt.settings import VALUES, what_is_said
from zbtwist.runtime.allowed import Network, networks
from zbtwist.runtime.option import choice, flag, number, option, seconds
from zbtwist.runtime.substitutions import Template, path_template, template
from zbtwist.runtime.tcp import MAX_KEEPALIVE, MAX_PROBES, Keepalive

#: The most bytes that are kept for the next client.
MAX_BACKLOG = 1 << 20

#: What `PortSettings.log_bytes_format` may be.
HEX, TEXT, BOTH = "hex", "text", "both"

#: The most clients that one node may have.
MAX_CLIENTS = 1000

#: What `PortSettings.when_full` may be.
REFUSE, KICK_OLDEST, KICK_IDLE = "refuse", "kick-oldest", "kick-idle"

#: What `PortSettings.writers` may be.
ALL, FIRST, NONE = "all", "first", "none"

#: How many times `PortSettings.reply_time` a client that has ended its side is kept at the most,
#: since there are nodes that are never silent.
REPLY_TIMES = 10


@dataclass(frozen=True)
class PortSettings:
    """
    @ivar window: packets to the node that are in the air at once. The order of bytes is certain
        with 1 only: of several, one that has to be sent again arrives after those behind it.
    @ivar at_least_once: send a packet again of which it is not known whether it arrived; else its
        bytes count as lost.
    @ivar coalesce: seconds that bytes wait, while the node is busy, for more to fill their packet.
    @ivar gather: seconds of a client's silence that its bytes wait for, also when the node is idle;
        0 for none: see `zbtwist.binding.send_buffer`.
    @ivar delimiter: what ends something that then waits for no more; empty for nothing.
    @ivar packet_size: bytes of a packet at the most; 0 for as many as the radio takes.
    @ivar retries: how often a packet that did not arrive is sent again.
    @ivar outage: seconds that bytes wait for a radio that is away, not in a network, or full.
    @ivar sleep: seconds that bytes wait for an end device that does not wake up.
    @ivar pace: the rate of a node's own serial line, which it is not sent to faster than, bits per
        second; `AUTO` asks the node for it, `OFF` sends at the pace of the air.
    @ivar protocol: what clients speak, unless an endpoint says otherwise: one of
        `zbtwist.binding.protocols.PROTOCOLS`.
    @ivar listen: where a node listens beside its port.
    @ivar connect: which servers it is connected to.
    @ivar persist: what clients set of a node's serial line is written to its flash memory.
    @ivar modem_lines: the node's pins that stand for lines of a serial port.
    @ivar max_clients: how many clients there may be at once.
    @ivar when_full: what becomes of one more: `REFUSE`; `KICK_OLDEST` or `KICK_IDLE`, who goes.
    @ivar writers: whose bytes reach the node: those of `ALL`, of the `FIRST` that writes, of
        `NONE`.
    @ivar banner: what each client is told when it comes; None for nothing.
    @ivar open_string: what the device is told when the first client comes; the same.
    @ivar close_string: what it is told when the last one is gone; the same.
    @ivar idle_timeout: seconds without a byte after which a client is ended; 0 for never.
    @ivar reply_time: seconds of the node's silence for which a client that writes no more is kept,
        when what it wrote has arrived.
    @ivar keepalive_time: seconds of silence after which a client's system is asked whether it is
        there; 0 for never.
    @ivar keepalive_interval: seconds between two such questions.
    @ivar keepalive_probes: how many stay without an answer before the client counts as gone.
    @ivar turns: clients ask the node one after the other, and hear the answers to what they ask.
    @ivar reply_timeout: seconds that an answer is waited for; None for as many as the node needs.
    @ivar reply_silence: seconds of silence that end an answer of which nothing else tells the end.
    @ivar strict: the node's device ends a frame at a pause, and is sent none that would have one.
    @ivar units: which slaves of which nodes are meant by units of Modbus TCP; the others are the
        node's own.
    @ivar decoder: what makes values of what the node says, of those that
        `zbtwist.decoding.makers` has; empty for nothing.
    @ivar ask_every: seconds from one question of the gateway's own to the next; 0 for none.
    @ivar ask: what it asks, in the pieces that the device answers; empty for what the decoder asks.
    @ivar mqtt: what is said of the node at the broker: one of `VALUES`, `STREAM` and `NOTHING` of
        `zbtwist.mqtt.settings`.
    @ivar http: let clients through that speak as browsers do.
    @ivar allow: the networks that clients may connect from; none for all.
    @ivar log_bytes: the absolute path of the file that its bytes are written to; None for none.
    @ivar log_bytes_format: how they are.
    @ivar backlog: bytes of the node that are kept for the next client while there is none.
    """

    at_least_once: bool = option(
        False,
        choice({"at-most-once": False, "at-least-once": True}),
        help="What becomes of a packet that may have arrived or not: at-most-once resets the "
        "clients, at-least-once sends it again",
        name="delivery",
        default="at-most-once",
        more="`What happens to your bytes <delivery.rst>`_ has this and the following in full.",
        per_node=True,
    )
    retries: int = option(5, number(0, 100), (int,), "How often a packet is sent again")
    outage: float = option(
        10.0,
        seconds(0, 86400),
        (int, float),
        "Seconds that clients' bytes wait for a radio that is away",
        unit="s",
    )
    sleep: float = option(
        300.0,
        seconds(0, 86400),
        (int, float),
        "Seconds that bytes wait for a node that sleeps",
        unit="s",
    )
    window: int = option(
        1,
        number(1, 16),
        (int,),
        "Packets to one node at once, 1 to 16; with more than 1 a retry may change their order",
        per_node=True,
    )
    coalesce: float = option(
        0.01,
        seconds(0, 10),
        (int, float),
        "Seconds that a packet is waited for to fill up while the node is busy",
        unit="s",
    )
    gather: float = option(
        0.0,
        seconds(0, 10),
        (int, float),
        "Seconds of a client's silence that its bytes are waited behind, so that what it sends in "
        "pieces is one packet; 0: send the first at once",
        unit="s",
        more='See `What happens to your bytes <delivery.rst>`_, "Packets".',
        per_node=True,
    )
    delimiter: bytes = option(
        b"",
        port_values.delimiter,
        help="With --gather: bytes that end a message, which is then sent at once, such as \\r\\n "
        "or \\x03",
        default="",
        example='"\\r\\n"',
        per_node=True,
    )
    packet_size: int = option(
        0,
        number(0, MAX_PACKET_SIZE),
        (int,),
        "Bytes of a packet at the most; 0: as many as the radio takes",
        unit="bytes",
        per_node=True,
    )
    pace: int | None = option(
        AUTO,
        port_values.pace,
        (str, int),
        "Rate of a node's own serial line, in bits per second, which it is not sent to faster "
        "than: auto asks the node for it, off knows no such limit",
        default="auto",
        more='See `What happens to your bytes <delivery.rst>`_, "To the far pin".',
        per_node=True,
    )
    protocol: str = option(
        "raw",
        choice({name: name for name in PROTOCOLS}),
        help="What clients speak: raw (bytes as they are), telnet, rfc2217 (telnet by which they "
        "set the node's serial line, too), or, for masters, modbus-rtu or modbus-tcp",
        more="See `A node as a serial port <rfc2217.rst>`_ and `Modbus <modbus.rst>`_. An "
        "endpoint of ``listen`` or ``connect`` may have its own.",
        per_node=True,
    )
    persist: bool = option(
        False,
        flag,
        (bool,),
        "Have nodes write to their flash memory what clients set by rfc2217",
        more="Else it lasts until the node restarts. It is WR, which writes all that is set on the "
        "node, and wears its flash memory out if it is done all the time.",
        per_node=True,
    )
    modem_lines: tuple[ModemLine, ...] = option(
        (),
        modem_lines,
        (str, list),
        "Pins of a node that stand for lines of a serial port, with rfc2217, such as dtr=D4 or "
        "cts=D1:high; may be said again",
        name="modem-lines",
        default="",
        more="See `A node as a serial port <rfc2217.rst>`_.",
        example='["dtr=D4", "cts=D1"]',
        per_node=True,
        is_list=True,
    )
    listen: tuple[EndpointWish, ...] = option(
        (),
        endpoint_wish.listen,
        (str, list),
        "Server endpoints that a node listens at beside its port, such as "
        "unix:/run/zbtwist/{address}; may be said again",
        default="",
        more="See `Endpoints <endpoints.rst>`_.",
        example='["unix:/run/zbtwist/{address}"]',
        per_node=True,
        is_list=True,
    )
    connect: tuple[EndpointWish, ...] = option(
        (),
        endpoint_wish.connect,
        (str, list),
        "Servers that the gateway connects a node to, such as tcp:HOST:PORT; may be said again",
        default="",
        more="With ``:open=data`` it does so when the node says something. See `Endpoints "
        "<endpoints.rst>`_.",
        example='["tcp:collector.example:4001:open=data"]',
        per_node=True,
        is_list=True,
    )
    turns: bool = option(
        False,
        choice({"none": False, "reply": True}),
        help="Who may ask a node: none (everybody at any time, and all hear the answers) or reply "
        "(one client at a time, who alone hears its answer)",
        default="none",
        more="With ``modbus-rtu`` and ``modbus-tcp`` it is always so. See `Modbus <modbus.rst>`_, "
        '"Other protocols".',
        per_node=True,
    )
    reply_timeout: float | None = option(
        None,
        port_values.reply_timeout,
        (str, int, float),
        "Seconds that an answer is waited for, where clients take turns",
        default="auto",
        unit="s",
        more=f"``auto`` is {REPLY_TIMEOUT:g} s, {END_DEVICE_TIMEOUT:g} s for an end device, and "
        "what question and answer take on the node's own line, if it is known to be slow. The time "
        "begins when the node has the question.",
        per_node=True,
    )
    reply_silence: float = option(
        0.5,
        seconds(0, 60),
        (int, float),
        "Seconds of a node's silence that end its answer, with turns = reply",
        unit="s",
        per_node=True,
    )
    strict: bool = option(
        False,
        flag,
        (bool,),
        "A Modbus slave takes a pause for the end of a frame: refuse requests that the air would "
        "tear",
        more="See `Modbus <modbus.rst>`_.",
        per_node=True,
    )
    units: tuple[Units, ...] = option(
        (),
        units,
        (str, list),
        "Which node a unit of Modbus TCP is, such as 2=PUMP, 3-9=TANK, or 10=1@MIXER (slave 1 "
        "there); may be said again",
        default="",
        more="All others are slaves of the node whose port it is. See `Modbus <modbus.rst>`_.",
        example='["2=PUMP", "10=1@MIXER"]',
        per_node=True,
        is_list=True,
    )
    allow: tuple[Network, ...] = option(
        (),
        networks,
        (str, list),
        "Networks that clients may connect from, such as 192.168.1.0/24; everybody may if there is "
        "none; may be said again",
        default="",
        more="It is asked when a connection comes, before anything is read. It holds for the "
        "control interface, too, unless ``control-allow`` says otherwise. Whoever is not in the "
        "list is turned away, also this computer (127.0.0.1). A Unix socket has the permissions of "
        "its file instead.",
        example='["192.168.1.0/24", "127.0.0.1"]',
        per_node=True,
        is_list=True,
    )
    max_clients: int = option(
        64,
        number(1, MAX_CLIENTS),
        (int,),
        "How many clients a node may have at once",
        more="Those that have ended their side do not count, and as many of them may stay; nor "
        "does one whose computer does not answer any more.",
        per_node=True,
    )
    when_full: str = option(
        REFUSE,
        choice({word: word for word in (REFUSE, KICK_OLDEST, KICK_IDLE)}),
        help="What becomes of one client more: refuse turns it away, kick-oldest and kick-idle "
        "reset who has been connected, or has not written, for the longest",
        more="With ``refuse`` an address that has more of them gives one up for an address that "
        "has fewer.",
        per_node=True,
    )
    writers: str = option(
        ALL,
        choice({word: word for word in (ALL, FIRST, NONE)}),
        help="Whose bytes go to the node: those of all clients, of the first that writes until it "
        "is gone, or of none",
        more="What the others send is thrown away, and said. All hear the node.",
        per_node=True,
    )
    idle_timeout: float = option(
        0.0,
        seconds(0, 31_536_000),
        (int, float),
        "Seconds without a byte either way after which a client is disconnected; 0: never",
        unit="s",
        per_node=True,
    )
    reply_time: float = option(
        1.0,
        seconds(0, 86400),
        (int, float),
        "Seconds of a node's silence for which a client that has ended its side is kept for its "
        "answer",
        unit="s",
        more=f"It is kept for {REPLY_TIMES} times as long at the most, since what it sent has "
        "arrived.",
        per_node=True,
    )
    keepalive_time: int = option(
        Keepalive.time,
        number(0, MAX_KEEPALIVE),
        (int,),
        "Seconds of silence after which a client's computer is asked whether it is there; 0: never",
        name="keepalive",
        unit="s",
        more="It is TCP's keepalive, which no program sees.",
        per_node=True,
    )
    keepalive_interval: int = option(
        Keepalive.interval,
        number(1, MAX_KEEPALIVE),
        (int,),
        "Seconds between two such questions",
        unit="s",
        per_node=True,
    )
    keepalive_probes: int = option(
        Keepalive.probes,
        number(1, MAX_PROBES),
        (int,),
        "How many of them stay without an answer before the client counts as gone",
        per_node=True,
    )
    banner: Template | None = option(
        None,
        template(MAX_BANNER),
        help="What each client is told when it comes",
        more="With ser2net's escapes and substitutions, such as ``'\\N at port \\p\\r\\n'``: see "
        "`Clients of a node <clients.rst>`_, as of the next two.",
        example="'This is \\N.\\r\\n'",
        per_node=True,
    )
    open_string: Template | None = option(
        None,
        template(MAX_STRING),
        help="What the device is told when the first client comes",
        example="'\\x03'",
        per_node=True,
    )
    close_string: Template | None = option(
        None,
        template(MAX_STRING),
        help="What the device is told when the last client is gone",
        example="'bye\\r\\n'",
        per_node=True,
    )
    log_bytes: Template | None = option(
        None,
        path_template,
        help="File that what passes is written to, packet by packet, with times",
        more="``\\N`` in it stands for the node's name, ``\\d`` for its address and ``\\p`` for "
        "its port, so that each has its own: `Clients of a node <clients.rst>`_ has more.",
        example="'/var/log/zbtwist/\\N.log'",
        per_node=True,
    )
    log_bytes_format: str = option(
        HEX,
        choice({word: word for word in (HEX, TEXT, BOTH)}),
        help="How bytes are written there: hex, text (with escapes), or both",
        per_node=True,
    )
    decoder: str = option(
        "",
        port_values.decoder,
        help="What makes values with names and units of what a node says: ecm1220, ecm1240, gem, "
        "json, keyvalue, lines, or one of a plugin",
        more="See `Values <decoders.rst>`_. It changes nothing for the node's clients.",
        example='"ecm1220"',
        per_node=True,
    )
    ask_every: float = option(
        0.0,
        port_values.ask_every,
        (int, float),
        "Seconds from one question of the gateway to the next, to a device that speaks only when "
        "it is asked; 0: none",
        unit="s",
        more='See `Values <decoders.rst>`_, "Meters that are asked".',
        per_node=True,
    )
    ask: tuple[bytes, ...] = option(
        (),
        port_values.question,
        help="What it asks, such as 'READ\\r\\n', or '\\xfc\\wSPK': what is behind \\w when "
        "the device has answered; empty: what the decoder asks",
        default="",
        example="'READ\\r\\n'",
        per_node=True,
    )
    backlog: int = option(
        0,
        number(0, MAX_BACKLOG),
        (int,),
        "Bytes of a node that are kept for the next client while none is connected",
        unit="bytes",
        more=f"The last ones are, at most {MAX_BACKLOG}.",
        per_node=True,
    )
    mqtt: str = option(
        VALUES,
        what_is_said,
        help="What is said of the node at the MQTT broker: values, stream or off",
        per_node=True,
        of_all=("mqtt", "nodes"),
    )
    http: bool = option(
        False,
        flag,
        (bool,),
        "The node speaks HTTP or TLS itself: let browsers through to it, and so any web page",
        more="Else a client that begins so is reset, and its node gets none of it.",
        per_node=True,
    )

    @property
    def keepalive(self) -> Keepalive:
        """When a client's system is asked whether it is there."""
        return Keepalive(self.keepalive_time, self.keepalive_interval, self.keepalive_probes)

    @cached_property
    def question(self) -> tuple[bytes, ...]:
        """What the gateway asks the device, in the pieces that that answers; empty for nothing."""
        if self.ask or not self.decoder:
            return self.ask
        maker = maker_named(self.decoder)
        return () if maker is None else maker.question

    @property
    def is_for_masters(self) -> bool:
        """Whether masters of a field bus ask the node, by the protocol of its port or of an
        endpoint.
        """
        wishes = (*self.listen, *self.connect)
        return any(
            PROTOCOLS[name].is_framed
            for name in (self.protocol, *(wish.protocol for wish in wishes if wish.protocol))
        )

    @property
    def minds_who_writes(self) -> bool:
        """Whether it matters who writes, or when, beside what is written."""
        return self.writers != ALL or self.when_full == KICK_IDLE or self.idle_timeout > 0
