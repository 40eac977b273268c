"""Names of topics, and the filters that stand for many of them; MQTT 5, section 4.7."""

from __future__ import annotations

#: Characters of a text in a packet, so that its UTF-8 has no more than 65,535 bytes; section 1.5.4.
MAX_LENGTH = 65535 // 4

_SHARED = "$share/"
_WILDCARDS = ("+", "#")


def is_topic(text: str) -> bool:
    """Return whether messages can be published under this name."""
    return text != "" and is_text(text) and "+" not in text and "#" not in text


def is_filter(text: str) -> bool:
    """Return whether it can be subscribed to."""
    if text.startswith(_SHARED):
        group, _, text = text.removeprefix(_SHARED).partition("/")
        if not group or "+" in group or "#" in group:
            return False
    levels = text.split("/")
    return (
        bool(text)
        and is_text(text)
        and all(level == "+" or "+" not in level for level in levels)
        and all("#" not in level for level in levels[:-1])
        and (levels[-1] == "#" or "#" not in levels[-1])
    )


def has_wildcards(topic_filter: str) -> bool:
    """Return whether it stands for more than one topic."""
    return "+" in topic_filter or "#" in topic_filter


def is_shared(topic_filter: str) -> bool:
    """Return whether each message that fits goes to one of the group only; section 4.8.2."""
    return topic_filter.startswith(_SHARED)


def levels_of(topic_filter: str) -> tuple[str, ...]:
    """Return the levels of the topics that a filter stands for."""
    if is_shared(topic_filter):
        topic_filter = topic_filter.split("/", 2)[2]
    return tuple(topic_filter.split("/"))


def fits(wanted: tuple[str, ...], levels: tuple[str, ...]) -> bool:
    """Return whether messages of a topic are for those who subscribed to a filter.

    @param wanted: see `levels_of`.
    @param levels: those of the topic.
    """
    # What the broker says of itself is for those who ask for it by name.
    if wanted[0] in _WILDCARDS and levels[0].startswith("$"):
        return False
    if wanted[-1] == "#":
        # It stands for the level above it as well.
        wanted = wanted[:-1]
        if len(levels) < len(wanted):
            return False
        levels = levels[: len(wanted)]
    if len(levels) != len(wanted):
        return False
    for want, level in zip(wanted, levels):  # noqa: SIM110  A generator takes twice as long.
        if want != level and want != "+":
            return False
    return True


def is_text(text: str) -> bool:
    """Return whether it can be in a packet. Brokers may hang up on whoever sends control characters
    and the like, and some do; section 1.5.4.
    """
    return text.isprintable() and len(text) <= MAX_LENGTH
