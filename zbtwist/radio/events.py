"""What happens to the radio's link."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from twisted.logger import LogLevel

from zbtwist.radio.baud_rates import AIR_RATE, payload_rate, rate_for_the_air
from zbtwist.radio.damage import Sender
from zbtwist.radio.info import RadioInfo
from zbtwist.runtime.event_bus import Event, LogSeverity, Plain
from zbtwist.xbee.address import Address64, format_address64
from zbtwist.xbee.at import BAUD_RATES
from zbtwist.xbee.status import joining_text, modem_status_text


@dataclass(frozen=True)
class Repeatable(Event):
    """What an unsteady radio does again and again.

    @ivar is_news: whether it is a line of the log; see `RadioUnsteady`.
    """

    is_news: bool = field(default=True, kw_only=True)

    @property
    def level(self) -> LogSeverity | None:
        return self.severity if self.is_news else LogLevel.debug

    def values(self) -> dict[str, Plain]:
        return {name: value for name, value in super().values().items() if name != "is_news"}


@dataclass(frozen=True)
class LinkUp(Repeatable):
    """The radio answers and is set up; requests may be made."""

    name: ClassVar = "link_up"
    info: RadioInfo

    def __str__(self) -> str:
        info, values = self.info, self.values()
        if info.is_fleet:
            return f"The sites at {info.line} are looked for."
        rate = "" if info.baud_rate is None else f", {info.baud_rate} baud"
        return (
            f"The radio {values['address']} on {info.line} is up: firmware {values['firmware']}, "
            f"API mode {info.api_mode}{rate}, PAN {values['pan']}, payloads of "
            f"{info.payload_limit} bytes."
        )

    def values(self) -> dict[str, Plain]:
        info = self.info
        return {
            "line": info.line,
            "address": format_address64(info.address64),
            "firmware": f"{info.firmware_version:04x}",
            "api_mode": info.api_mode,
            "baud_rate": info.baud_rate,
            "pan": f"{info.operating_pan_id:016x}",
        }


@dataclass(frozen=True)
class LinkDown(Event):
    """The link is gone; every outstanding request has failed.

    It is said again when the link is lost once more while the radio was being set up, during which
    frames of nodes may come already.

    @ivar reason: a sentence.
    @ivar is_noise: it is only a damaged frame that makes it so, which a noisy line brings many
        times a second: for subscribers alone.
    @ivar is_counted: what nodes say meanwhile is counted by others, and `StreamHole` tells whose
        was lost.
    """

    name: ClassVar = "link_down"
    severity: ClassVar = LogLevel.debug
    reason: str
    is_noise: bool = False
    is_counted: bool = False

    @property
    def level(self) -> LogSeverity | None:
        return None if self.is_noise else self.severity

    def __str__(self) -> str:
        return self.reason

    def values(self) -> dict[str, Plain]:
        return {"reason": self.reason}


@dataclass(frozen=True)
class LinkFailed(Event):
    """There is no radio to be had; each reason is told once until there is one.

    @ivar line: the endpoint at which it is looked for.
    @ivar reason: a sentence.
    """

    name: ClassVar = "link_failed"
    severity: ClassVar = LogLevel.warn
    line: str
    reason: str

    def __str__(self) -> str:
        return f"No radio on {self.line}: {self.reason} The gateway goes on trying."


@dataclass(frozen=True)
class LineSlow(Event):
    """The serial line of the radio carries less than the air; told once of each rate.

    @ivar baud_rate: its rate, in bits per second.
    @ivar payload: of a frame, in bytes.
    """

    name: ClassVar = "line_slow"
    baud_rate: int
    payload: int

    def __str__(self) -> str:
        carries = payload_rate(self.baud_rate, self.payload) / 1000
        enough = rate_for_the_air(self.payload)
        return (
            f"{self.baud_rate} baud carries {carries:.1f} kbit/s of payload, the air "
            f"{AIR_RATE / 1000:g}: this line is what all nodes together wait for. {enough} baud "
            f"would do (ATBD{BAUD_RATES.index(enough):X} in the radio, --baud {enough} here)."
        )


@dataclass(frozen=True)
class LineDamages(Event):
    """The line damages frames of a radio that is up, more than noise would; it is told once, until
    it was well for some minutes.

    @ivar line: the endpoint of the radio.
    @ivar reason: a sentence: what it mostly comes from.
    """

    name: ClassVar = "line_damages"
    severity: ClassVar = LogLevel.warn
    line: str
    reason: str

    def __str__(self) -> str:
        return f"On {self.line}: {self.reason} Clients whose bytes were in them are reset."


@dataclass(frozen=True)
class LinkLost(Repeatable):
    """The line of a radio that was up is gone; `LinkDown` follows."""

    name: ClassVar = "link_lost"
    severity: ClassVar = LogLevel.warn
    line: str

    def __str__(self) -> str:
        return f"The link to the radio on {self.line} is lost."


@dataclass(frozen=True)
class RadioSilent(Repeatable):
    """The radio was up, and answers no more; `LinkDown` follows.

    @ivar is_heard: whether it still says what nodes say.
    """

    name: ClassVar = "radio_silent"
    severity: ClassVar = LogLevel.warn
    line: str
    is_heard: bool = False

    def __str__(self) -> str:
        if self.is_heard:
            return (
                f"The radio on {self.line} takes nothing more: it hands up what nodes say, but "
                "answers no command and reports on no packet. The gateway tries to set it up "
                "again, and opens its port anew if that fails; if it stays so, look at the wire to "
                "its DIN pin, and at CTS."
            )
        return (
            f"The radio on {self.line} has fallen silent: it does not even answer AI. The gateway "
            "tries to set it up again, and opens its port anew if that fails."
        )


@dataclass(frozen=True)
class RadioModeChanged(Repeatable):
    """The radio was up, and is in another API mode, which nobody has told; `LinkDown` follows.

    @ivar api_mode, before: 1 or 2; what it is now, and what it was.
    """

    name: ClassVar = "radio_other_mode"
    severity: ClassVar = LogLevel.warn
    line: str
    api_mode: int
    before: int

    def __str__(self) -> str:
        return (
            f"The radio on {self.line} is in API mode {self.api_mode} now, and was in "
            f"{self.before}: somebody has set it (AP), or it has restarted with what is in its "
            "flash memory. The gateway sets the link up anew."
        )


@dataclass(frozen=True)
class RadioUnsteady(Event):
    """The radio is reset or lost, or leaves its network and joins it, so often that what becomes of
    it is no line of the log any more, until `RadioSteady`.

    @ivar line: the endpoint of the radio.
    @ivar is_leaving: whether it is its network that it leaves and joins.
    """

    name: ClassVar = "radio_unsteady"
    severity: ClassVar = LogLevel.warn
    line: str
    is_leaving: bool = False

    @property
    def reason(self) -> str:
        """What is wrong, in a sentence."""
        if self.is_leaving:
            return (
                f"The radio on {self.line} leaves its network and joins it again and again: mostly "
                "it is at the edge of its network's reach, its coordinator or parent restarts, or "
                "another network has the same PAN ID."
            )
        return (
            f"The radio on {self.line} is reset or lost again and again: mostly it is its supply, "
            "the cable or the hub."
        )

    def __str__(self) -> str:
        return f"{self.reason} How often is said when that has stopped for a minute."


@dataclass(frozen=True)
class RadioSteady(Event):
    """After `RadioUnsteady` nothing has happened to the radio for a while.

    @ivar times: how often something happened.
    @ivar seconds: from the first time to the last.
    @ivar is_leaving: see `RadioUnsteady`.
    """

    name: ClassVar = "radio_steady"
    severity: ClassVar = LogLevel.warn
    line: str
    times: int
    seconds: float
    is_leaving: bool = False

    def __str__(self) -> str:
        happened = (
            "has left its network or joined it anew" if self.is_leaving else "was reset or lost"
        )
        return (
            f"The radio on {self.line} {happened} {self.times} times within "
            f"{self.seconds:.0f} s, and not any more for a minute."
        )


@dataclass(frozen=True)
class RadioReplaced(Event):
    """The radio is another one than before.

    @ivar address64, before: its address, and that of the one before.
    """

    name: ClassVar = "radio_replaced"
    severity: ClassVar = LogLevel.warn
    line: str
    address64: Address64
    before: Address64

    def __str__(self) -> str:
        return (
            f"The radio on {self.line} is another one: {format_address64(self.address64)}, not "
            f"{format_address64(self.before)} as before. Nodes that are in its network keep their "
            "ports; the others stay silent."
        )

    def values(self) -> dict[str, Plain]:
        return {
            "line": self.line,
            "address": format_address64(self.address64),
            "before": format_address64(self.before),
        }


@dataclass(frozen=True)
class NetworkLeft(Repeatable):
    """The radio is there, and in no network: it reaches nobody.

    @ivar association: what AI says (90000976, "AI (Association Indication)").
    @ivar was_joined: it was in one before.
    """

    name: ClassVar = "network_left"
    severity: ClassVar = LogLevel.warn
    association: int
    was_joined: bool

    def __str__(self) -> str:
        if self.was_joined:
            return "The radio has left its network: no node can be reached until it joins again."
        return f"{joining_text(self.association)} Nodes appear when it is in a network."


@dataclass(frozen=True)
class ModemStatusCame(Repeatable):
    """The radio says what has become of it.

    @ivar status: see `zbtwist.xbee.status.modem_status_text`.
    @ivar unsaid: how often it has said the same since that was a line of the log.
    """

    name: ClassVar = "modem_status"
    status: int
    unsaid: int = 0

    def __str__(self) -> str:
        said = f"The radio says: {modem_status_text(self.status)}."
        if self.unsaid:
            said += f" {self.unsaid} times more since that was said last."
        return said


@dataclass(frozen=True)
class NetworkAway(Event):
    """The radio's link is up, and it is in no network: what is to be sent waits. `LinkDown` follows
    when it is in one, and `LinkUp`.
    """

    name: ClassVar = "network_away"
    severity: ClassVar = None

    def __str__(self) -> str:
        return "The radio reaches nobody."


@dataclass(frozen=True)
class LinkSilent(Event):
    """The radio does not answer though its link is up: what nodes have said since
    `IRadio.down_since` may be missed. `LinkHeard` follows, or `LinkDown`.
    """

    name: ClassVar = "link_silent"
    severity: ClassVar = None

    def __str__(self) -> str:
        return "The radio does not answer."


@dataclass(frozen=True)
class LinkHeard(Event):
    """The radio says something again, and its link was never down."""

    name: ClassVar = "link_heard"
    severity: ClassVar = None

    def __str__(self) -> str:
        return "The radio says something again."


@dataclass(frozen=True)
class FramesDamaged(Event):
    """Frames of the radio were lost on the serial line.

    @ivar senders: whose they were, as far as the rest of the frames can be trusted; None for
        anybody's.
    """

    name: ClassVar = "frames_damaged"
    severity: ClassVar = None
    senders: list[Sender] | None

    def __str__(self) -> str:
        return "Frames of the radio were damaged."

    def values(self) -> dict[str, Plain]:
        senders = self.senders
        return {"senders": None if senders is None else [str(one) for one in senders]}


@dataclass(frozen=True)
class StreamHole(Event):
    """Bytes of one node were lost on the way here, or may be.

    @ivar reason: why, a clause.
    @ivar is_certain: else it concerns only those who were there before.
    """

    name: ClassVar = "stream_hole"
    severity: ClassVar = None
    address64: Address64
    reason: str
    is_certain: bool = True

    def __str__(self) -> str:
        return f"Bytes of {format_address64(self.address64)} are lost: {self.reason}."

    def values(self) -> dict[str, Plain]:
        return {**super().values(), "address64": format_address64(self.address64)}


@dataclass(frozen=True)
class WaysChanged(Event):
    """Nodes can be sent to that could not, or cannot any more, while others can.

    @ivar addresses: they.
    """

    name: ClassVar = "ways_changed"
    severity: ClassVar = None
    addresses: tuple[Address64, ...]

    def __str__(self) -> str:
        return f"The ways to {len(self.addresses)} nodes have changed."

    def values(self) -> dict[str, Plain]:
        return {"addresses": [format_address64(one) for one in self.addresses]}


@dataclass(frozen=True)
class FramePassed(Event):
    """A frame was read from the serial line, or written to it.

    It is published only while somebody has subscribed to it: see `EventBus.subscribers`.

    @ivar outgoing: whether it went to the radio.
    @ivar frame_data: without delimiter, length and checksum.
    @ivar api_mode: 1 or 2.
    """

    name: ClassVar = "frame_passed"
    severity: ClassVar = None
    outgoing: bool
    frame_data: bytes
    api_mode: int

    def __str__(self) -> str:
        return f"A frame was {'sent' if self.outgoing else 'received'}: {self.frame_data.hex()}"

    def values(self) -> dict[str, Plain]:
        return {"outgoing": self.outgoing, "frame_data": self.frame_data.hex()}
