"""What must be right between the options by which the gateway itself asks nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from zbtwist.binding.port_settings import PortSettings
from zbtwist.config.toml_file import Key
from zbtwist.runtime.option import options_of

#: The options that it is about: while one of them is wrong, nothing is said of the others.
CONCERNED = ("ask", "ask-every", "decoder", "protocol", "listen", "connect")

_NO_INTERVAL = "needs ask-every, the seconds from one question to the next, such as 10."

_NO_QUESTION = (
    "needs a question: say it with ask, or name a decoder that has one (ecm1220, ecm1240, gem)."
)

_MASTERS = (
    "is not for nodes that masters ask by Modbus, whose questions another one would spoil: let a "
    "master ask, and say ask-every = 0."
)

_OF_PORTS = options_of(PortSettings)


def check_asking(
    values: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Key, str]]:
    """Yield what is wrong: where, and the rest of the sentence.

    @param values: what is said for all nodes, by the names of the options.
    @param rows: what is said of single ones.
    """
    of_all = _settings(values)
    asks_all = of_all.ask_every > 0
    if asks_all and of_all.question and of_all.is_for_masters:
        yield ("ask-every",), _MASTERS
        return
    if of_all.ask and "ask-every" not in values and not any("ask-every" in row for row in rows):
        yield ("ask",), _NO_INTERVAL
    has_question = bool(of_all.question)
    for number, row in enumerate(rows, 1):
        settings = _settings({**values, **row})
        has_question = has_question or bool(settings.question)
        if settings.ask_every and settings.question and settings.is_for_masters:
            key = "ask-every" if "ask-every" in row else next(k for k in CONCERNED if k in row)
            yield ("node", number, key), _MASTERS
        elif row.get("ask-every") and not settings.question:
            yield ("node", number, "ask-every"), _NO_QUESTION
        elif row.get("ask") and "ask-every" not in {*row, *values}:
            yield ("node", number, "ask"), _NO_INTERVAL
    if asks_all and not has_question:
        yield ("ask-every",), _NO_QUESTION


def _settings(values: Mapping[str, Any]) -> PortSettings:
    return PortSettings(
        **{_OF_PORTS[name].attribute: value for name, value in values.items() if name in _OF_PORTS}
    )
