"""Frames in words, for whoever wants to see what passes on the serial line.

Tracing is switched on for all nodes or for single ones while the gateway runs, and then each frame
is an event of a line (see `zbtwist.observing.event_log`); a trace file has all of them, whatever is
switched. While nothing is switched on and there is no file, the serial line knows of no tracer at
all: see `zbtwist.radio.statistics.Traffic.watchers`.

A frame that names no node is about one all the same: a Transmit Status belongs to the node of the
request whose frame id it has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.logger import Logger

from zbtwist.network.table import NodeTable
from zbtwist.observing.event_log import EventLog, one_line
from zbtwist.observing.pcapng import TraceFile, TraceFileError
from zbtwist.radio.events import FramePassed
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee.address import UNKNOWN64, Address64, format_address64
from zbtwist.xbee.at import decode_value
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import (
    FRAME_CLASSES,
    ATCommand,
    ATCommandResponse,
    Frame,
    ModemStatus,
    NodeIdentification,
    QueuedATCommand,
    RegisterJoiningDevice,
    RemoteATCommand,
    RemoteATCommandResponse,
    RouteInformation,
    TransmitStatus,
    UnparsedFrame,
    parse_frame,
)
from zbtwist.xbee.framing import encode
from zbtwist.xbee.status import at_status_text, delivery_status_text, modem_status_text

#: How many single nodes can be traced at once.
MAX_TRACED = 1000

#: AT commands whose values are keys: of the network, and of Bluetooth.
_SECRETS = frozenset(("KY", "NK", "$S", "$V", "$W", "$X", "$Y"))


class TooManyTraced(Exception):
    """No more single nodes can be traced."""


class FrameTracer:
    """Who wants to see which frames.

    @ivar is_on_for_all: whether the frames of all nodes, and the radio's own, are events.
    @ivar addresses: the nodes whose frames are events.
    @ivar file: what all frames are written to.
    """

    log = Logger()

    def __init__(self, bus: EventBus, events: EventLog, nodes: NodeTable) -> None:
        """
        @param bus: where frames are published.
        @param events: takes the frames in words.
        @param nodes: knows the nodes' names, and what time it is.
        """
        self._bus = bus
        self._events = events
        self._nodes = nodes
        self._asked: list[Address64 | None] = [None] * 256
        self.is_on_for_all = False
        self.addresses: set[Address64] = set()
        self.file: TraceFile | None = None

    def switch(self, on: bool, address64: Address64 | None = None) -> None:
        """Show frames from now on, or no more.

        @param address64: those of this node only; None for all. Switching off all switches off
            single nodes too.
        @raise TooManyTraced: `MAX_TRACED` single nodes are traced already.
        """
        if address64 is None:
            self.is_on_for_all = on
            if not on:
                self.addresses.clear()
        elif not on:
            self.addresses.discard(address64)
        elif len(self.addresses) >= MAX_TRACED and address64 not in self.addresses:
            raise TooManyTraced(f"The frames of {MAX_TRACED} nodes are traced already.")
        else:
            self.addresses.add(address64)
        self._hook()

    def write_to(self, file: TraceFile | None) -> None:
        """Write all frames to a file from now on; None for no more."""
        self.file = file
        self._hook()

    def _hook(self) -> None:
        wanted = self.is_on_for_all or bool(self.addresses) or self.file is not None
        is_watching = self._passed in self._bus.subscribers(FramePassed)
        if wanted and not is_watching:
            self._bus.subscribe(FramePassed, self._passed)
        elif is_watching and not wanted:
            self._bus.unsubscribe(FramePassed, self._passed)

    def _passed(self, event: FramePassed) -> None:
        try:
            self._show(event.outgoing, event.frame_data, event.api_mode)
        except Exception:
            # A mistake of ours here must not cost the frame, nor fill the log.
            self.log.failure("A frame could not be traced; tracing is off now")
            file = self.file
            self.file = None
            self.switch(False)
            if file is not None:
                file.close()

    def _show(self, outgoing: bool, frame_data: bytes, api_mode: int) -> None:
        frame = parse_frame(frame_data)
        address64 = self._node_of(outgoing, frame)
        is_event = self.is_on_for_all or address64 in self.addresses
        if not is_event and self.file is None:
            return
        text = one_line(describe(outgoing, frame, self._name(address64)))
        now = self._nodes.wall()
        if is_event:
            address = "" if address64 is None else format_address64(address64)
            self._events.frame(now, text, address)
        if self.file is not None:
            try:
                self.file.write(now, outgoing, encode(frame_data, api_mode), text)
            except TraceFileError as error:
                self.log.error("{problem} No more frames are written to it.", problem=str(error))
                self.write_to(None)

    def _node_of(self, outgoing: bool, frame: Frame) -> Address64 | None:
        """Return the address of the node that a frame is about, None if it is about none."""
        if isinstance(frame, TransmitStatus):
            return self._asked[frame.frame_id]
        if isinstance(frame, NodeIdentification):
            return frame.description.address64
        if isinstance(frame, RouteInformation):
            return frame.destination64
        if isinstance(frame, ATCommandResponse):
            return _found(frame)
        address64: Address64 | None = getattr(frame, "address64", None)
        if address64 is None or address64 == UNKNOWN64:
            address16 = getattr(frame, "address16", None)
            if address16 is None:
                return None
            nodes = (node.address64 for node in self._nodes if node.address16 == address16)
            return next(nodes, None)
        if outgoing:
            self._asked[getattr(frame, "frame_id", 0)] = address64
        return address64

    def _name(self, address64: Address64 | None) -> str:
        node = self._nodes.get(address64) if address64 is not None else None
        return (node.name or node.label or "") if node is not None else ""


def _found(frame: ATCommandResponse) -> Address64 | None:
    """Return the node that an answer to ND found."""
    if frame.command != "ND" or not frame.value:
        return None
    try:
        return NodeDescription.parse(frame.value).address64
    except ValueError:
        return None


class TraceSettings(Protocol):
    """What tracing needs of the settings; see `zbtwist.config.settings.Settings`."""

    @property
    def trace_file(self) -> str | None: ...


class TraceFileService(Service):
    """Has a tracer write to a file while it runs. What is wrong with the file is a line in the log.

    It opens the file when twistd has forked, and has become the user who will write.
    """

    log = Logger()

    def __init__(self, tracer: FrameTracer, path: str | None, interface: str) -> None:
        """
        @param path: where to write; None for nowhere.
        @param interface: names the serial line in the file.
        """
        self._tracer = tracer
        self._path = path
        self._interface = interface
        self._file: TraceFile | None = None

    def reconfigure(self, old: TraceSettings, new: TraceSettings) -> None:
        """Write to another file from now on, if the settings say so."""
        if new.trace_file == old.trace_file:
            return
        self._path = new.trace_file
        if self.running:
            self._close()
            self._open()

    def startService(self) -> None:
        super().startService()
        self._open()

    def stopService(self) -> None:
        super().stopService()
        self._close()

    def _open(self) -> None:
        if self._path is None:
            return
        file = TraceFile(self._path, self._interface)
        try:
            file.open()
        except TraceFileError as error:
            self.log.error("{problem} The gateway runs without it.", problem=str(error))
        else:
            self._file = file
            self.log.info("All frames are written to {path}.", path=self._path)
            self._tracer.write_to(file)

    def _close(self) -> None:
        self._tracer.write_to(None)
        file, self._file = self._file, None
        if file is not None:
            file.close()


# --- frames in words ---------------------------------------------------------------------------


def describe(outgoing: bool, frame: Frame, name: str = "") -> str:
    """Return a frame in words: direction, type, node, and each field by its name.

    @param outgoing: whether it goes to the radio.
    @param name: of the node that it is about; empty for nothing.
    @return: of any length, with whatever characters the name has.
    """
    kind = type(frame)
    who = f" {'to' if outgoing else 'from'} {name}" if name else ""
    if isinstance(frame, UnparsedFrame):
        what = f"{frame.reason}: {frame.frame_data.hex()}"
    else:
        what = ", ".join(
            f"{name}={in_words(frame, getattr(frame, name))}" for name, in_words in _FIELDS[kind]
        )
    return f"{'sent' if outgoing else 'received'} {kind.__name__}{who}: {what}"


_Words = Callable[[Any, Any], str]


def _words_for(kind: type[Frame], name: str) -> _Words:
    by_class = _OF_CLASS.get((kind, name))
    if by_class is not None:
        words = by_class
    elif name in _BY_NAME:
        words = _BY_NAME[name]
    elif name.endswith("64"):
        words = _address64
    elif name.endswith("16"):
        words = _hex16
    else:
        words = _plain
    return words


def _plain(frame: Any, value: object) -> str:
    return str(value)


def _address64(frame: Any, value: int) -> str:
    return format_address64(value)


def _hex8(frame: Any, value: int) -> str:
    return f"{value:02x}"


def _hex16(frame: Any, value: int) -> str:
    return f"{value:04x}"


def _data(frame: Any, value: bytes) -> str:
    """Bytes as text if they are that, else in hexadecimal."""
    text = value.decode("latin-1")
    if value and value.isascii() and text.replace("\r", "").replace("\n", "").isprintable():
        return repr(text)
    return value.hex() or "(nothing)"


def _value(frame: Any, value: bytes) -> str:
    """The value of an AT command by its kind."""
    if value and frame.command in _SECRETS:
        return _not_shown(frame, value)
    decoded = decode_value(frame.command, value)
    if decoded is None or isinstance(decoded, bytes):
        return _data(frame, value)
    return repr(decoded) if isinstance(decoded, str) else f"{decoded} ({value.hex()})"


def _at_status(frame: Any, value: int) -> str:
    return f"{value:02x} ({at_status_text(value)})"


def _delivery_status(frame: Any, value: int) -> str:
    return f"{value:02x} ({delivery_status_text(value)})"


def _modem_status(frame: Any, value: int) -> str:
    return f"{value:02x} ({modem_status_text(value)})"


def _hops(frame: Any, value: list[int]) -> str:
    return " ".join(f"{hop:04x}" for hop in value) or "(none)"


def _not_shown(frame: Any, value: bytes) -> str:
    return f"({len(value)} bytes, not shown)"


def _description(frame: Any, value: NodeDescription) -> str:
    dd = value.device_type_identifier
    return (
        f"{format_address64(value.address64)} {value.address16:04x} {value.label!r} "
        f"parent {value.parent16:04x} role {value.role} event {value.event}"
        + (f" DD {dd:08x}" if dd is not None else "")
    )


_BY_NAME: dict[str, _Words] = {
    "options": _hex8,
    "source_endpoint": _hex8,
    "destination_endpoint": _hex8,
    "cluster_id": _hex16,
    "profile_id": _hex16,
    "discovery_status": _hex8,
    "delivery_status": _delivery_status,
    "data": _data,
    "timestamp": _data,
    "hops": _hops,
    "description": _description,
}

_OF_CLASS: dict[tuple[type[Frame], str], _Words] = {
    (RegisterJoiningDevice, "key"): _not_shown,
    (ModemStatus, "status"): _modem_status,
    **{(kind, "status"): _at_status for kind in (ATCommandResponse, RemoteATCommandResponse)},
    **{(kind, "parameter"): _value for kind in (ATCommand, QueuedATCommand, RemoteATCommand)},
    **{(kind, "value"): _value for kind in (ATCommandResponse, RemoteATCommandResponse)},
}

#: The names of each class's fields, and what writes them.
_FIELDS: dict[type[Frame], list[tuple[str, _Words]]] = {
    kind: [(field.name, _words_for(kind, field.name)) for field in fields(kind)]  # type: ignore[arg-type]
    for kind in FRAME_CLASSES.values()
}
