"""What a row of the gateway's answers says, in words that fit into a column."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from zbtwist.cli.client import Row, clean
from zbtwist.xbee.devices import product_name


def text_of(row: Row, key: str) -> str:
    value = row.get(key)
    return clean(value) if isinstance(value, str) else ""


def number_of(row: Row, key: str) -> float:
    value = row.get(key)
    return value if isinstance(value, (int, float)) else 0


def address_of(row: Row, key: str = "addr_extended") -> str:
    return text_of(row, key).strip("[]!")


def short_of(row: Row, key: str) -> str:
    """Return a 16-bit address; a dash if it is not known, or there is none."""
    address16 = address_of(row, key)
    return address16 if address16 not in ("", "fffe") else "-"


def called(row: Row) -> str:
    """Return what a person calls the node: the name of the configuration, or its own."""
    return text_of(row, "name") or text_of(row, "label")


def name_of(row: Row) -> str:
    return called(row) or address_of(row)


def port_of(row: Row) -> str:
    return f"{number_of(row, 'tcp_port'):.0f}" if row.get("tcp_port") else "-"


def type_of(row: Row) -> str:
    return text_of(row, "type") or "-"


def device_of(row: Row) -> str:
    text = text_of(row, "device_type")
    try:
        return product_name(int(text, 16)) or text
    except ValueError:
        return text or "-"


def state_of(row: Row) -> str:
    """How a node is, unless its port has a problem."""
    state = text_of(row, "state")
    if state == "listening":
        state = text_of(row, "health").replace("-", " ") or state
    return state or "-"


def state_style(row: Row) -> str:
    state = state_of(row)
    return {"listening": "", "ok": "", "weak": "yellow"}.get(
        state, "dim" if state in ("unbound", "asleep", "unknown") else "red"
    )


def reason_of(row: Row) -> str:
    """Why a node is not as it should be; empty if it is."""
    is_told = text_of(row, "health") not in ("ok", "asleep", "unknown")
    return text_of(row, "state_text") or (text_of(row, "health_text") if is_told else "")


def last_seen(row: Row) -> str:
    seen = number_of(row, "last_seen")
    return seconds_ago(seen) if seen else "never"


def seconds_ago(moment: float) -> str:
    """
    @param moment: seconds since 1970.
    """
    # The clocks of two computers differ.
    return f"{duration(max(0.0, time.time() - moment))} ago"


def signal_of(row: Row) -> str:
    signal = number_of(row, "signal")
    return f"-{signal:.0f} dBm" if signal else ""


def value_of(reading: Row) -> str:
    """Return a decoded value with its unit."""
    value, unit = reading.get("value"), text_of(reading, "unit")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{_all_digits(value)} {unit}".rstrip()
    return text_of(reading, "value")


def _all_digits(value: float) -> str:
    """Return a number with all digits that `--json` has: of a meter's counter the last ones count.
    Only what would be mostly zeros has an exponent.
    """
    shown = repr(value)
    if "e" in shown and 1e-10 <= abs(value) < 1e20:
        shown = f"{Decimal(shown):f}"
    return shown.removesuffix(".0")


#: The ends of the names of values that a line about a node has, where there are any such.
_FIRST = ("_power", "_energy")

#: How many values a line about a node has.
_VALUES_IN_LINE = 6


def values_of(row: Row) -> str:
    """Return what a node has told last, in a line."""
    readings = readings_of(row)
    chosen = [each for each in readings if text_of(each, "name").endswith(_FIRST)] or readings
    said = [f"{text_of(each, 'name')} {value_of(each)}" for each in chosen[:_VALUES_IN_LINE]]
    return ", ".join(said) + (", …" if len(chosen) > _VALUES_IN_LINE else "")


def readings_of(row: Row) -> list[Row]:
    """Return the decoded values in a row of a list."""
    values = row.get("values")
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def hops_of(row: Row) -> str:
    hops = number_of(row, "hops")
    return f"{hops:.0f}" if hops > 0 else "-"


def duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def whole(key: str) -> Callable[[Row], str]:
    """Return what shows a counter as it is, for a program."""
    return lambda row: f"{number_of(row, key):.0f}"


def amount(key: str) -> Callable[[Row], str]:
    """Return what shows a counter in at most five characters."""

    def show(row: Row) -> str:
        value = number_of(row, key)
        if value < 10_000:
            return f"{value:.0f}"
        for unit in "kMGTP":
            value /= 1000
            if value < 99.95:
                return f"{value:.3g}{unit}"
            if value < 999.5:
                break
        return f"{value:.0f}{unit}"

    return show


def moment(row: Row) -> str:
    return moment_of(number_of(row, "time"))


def moment_of(seconds: float) -> str:
    """
    @param seconds: since 1970.
    """
    try:
        return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "at no known time"


def at_answer(answer: object) -> dict[str, object]:
    """Return the value of an AT command and its type, as JSON can say them."""
    if isinstance(answer, bytes):
        return {"type": "bytes", "value": answer.hex()}
    if isinstance(answer, (int, float)):
        # A number beyond 32 bits came as a double.
        return {"type": "int", "value": int(answer)}
    return {"type": "string", "value": str(answer)}


def at_line(answer: dict[str, object]) -> str:
    value = answer["value"]
    if isinstance(value, int):
        return f"{value}  {value:#x}"
    # What was set, or done, often has an empty answer.
    return clean(str(value)) or "OK"


def read_at(row: Row) -> str:
    at = number_of(row, "at")
    return seconds_ago(at) if at else "-"


def client_state(row: Row) -> str:
    """How a client is, if that is to be known: a sentence without its subject."""
    if row.get("ended"):
        return "writes no more"
    return "" if row.get("writes", True) else "may only listen"


def broadcast_state(row: Row) -> str:
    """How the port of all nodes is; empty if there is none."""
    if not row:
        return ""
    where = text_of(row, "endpoint")
    if row.get("state") != "listening":
        return text_of(row, "reason") or f"{where}, {text_of(row, 'state')}"
    count = number_of(row, "clients")
    counts = [f"{count:g} client{'' if count == 1 else 's'}"]
    counts += [
        f"{number_of(row, key):,.0f} bytes {word}"
        for key, word in (("bytes_out", "sent"), ("bytes_lost", "lost"))
        if number_of(row, key)
    ]
    return f"{where} ({', '.join(counts)})"


def broker_state(row: Row) -> str:
    """How the MQTT broker is; empty if there is none."""
    if not row:
        return ""
    if not row.get("connected"):
        return text_of(row, "reason")
    counts = ", ".join(
        f"{number_of(row, key):,.0f} {key}"
        for key in ("published", "dropped", "refused", "received")
        if number_of(row, key)
    )
    where = f"{text_of(row, 'broker')}, as {text_of(row, 'site')}"
    return f"{where} ({counts})" if counts else where


def link_test_lines(row: Row) -> list[str]:
    """Return what came of a test of the way to a node."""
    lines = [text_of(row, "text")]
    sent, received = number_of(row, "sent"), number_of(row, "received")
    if sent:
        lost = 100 * (sent - received) / sent
        lines.append(
            f"lost {lost:.0f} %; arrived {number_of(row, 'delivered'):.0f}, "
            f"retries {number_of(row, 'retries'):.0f}"
        )
    if received:
        times = (number_of(row, key) for key in ("fastest", "average", "slowest"))
        lines.append(
            "there and back: {:.0f} / {:.0f} / {:.0f} ms (least, average, most)".format(*times)
        )
    heard = [
        f"{what} -{number_of(row, key):.0f} dBm"
        for what, key in (("here", "signal"), ("weakest", "weakest"), ("there", "signal_there"))
        if row.get(key)
    ]
    if heard:
        lines.append(f"signal of the last hop: {', '.join(heard)}")
    return lines
