"""Why a broker refuses something, or ends the connection; MQTT 5, section 2.4."""

from __future__ import annotations

#: Those that have a name here.
RETAIN_NOT_SUPPORTED = 0x9A
QOS_NOT_SUPPORTED = 0x9B
SESSION_TAKEN_OVER = 0x8E
MALFORMED_PACKET = 0x81
PROTOCOL_ERROR = 0x82
UNSUPPORTED_VERSION = 0x84
RECEIVE_MAXIMUM_EXCEEDED = 0x93
PACKET_TOO_LARGE = 0x95
NO_WILDCARDS = 0xA2

#: From here on codes mean that something has failed.
FIRST_FAILURE = 0x80

#: Characters of what a broker says itself.
MAX_TEXT = 200

_CLAUSES = {
    0x00: "it has ended the connection",
    0x04: "it has ended the connection",
    0x80: "it refuses, and does not say why",
    0x81: "it does not understand what it was sent",
    0x82: "it says that what it was sent is against the protocol",
    0x83: "it does not want to do this",
    0x84: "it does not speak MQTT 5, which is needed",
    0x85: "it does not take the client id: give this gateway another site",
    0x86: "the user or the password is wrong: see user and password-file",
    0x87: "this user may not do that there: see the broker's access list",
    0x88: "it is not available now",
    0x89: "it is busy",
    0x8A: "this gateway is banned there",
    0x8B: "it is being shut down",
    0x8C: "it wants to be shown who this is in another way than by a password",
    0x8D: "it has heard nothing for too long",
    0x8E: "another client has the same client id there: give each gateway a site of its own",
    0x8F: "it does not take such a filter of topics",
    0x90: "it does not take such a topic",
    0x91: "a number of a packet is in use",
    0x93: "it was sent more at once than it takes",
    0x94: "it does not take a short form of a topic",
    0x95: "it was sent more in one packet than it takes",
    0x96: "it was sent too much in too short a time",
    0x97: "a limit is reached that it has for this user",
    0x98: "who runs it has ended the connection",
    0x99: "it does not take what is in the message",
    0x9A: "it keeps no messages",
    0x9B: "it confirms no messages",
    0x9C: "another broker is to be used for now",
    0x9D: "it has moved",
    0x9E: "it shares no subscriptions",
    0x9F: "too many connect there at once",
    0xA0: "the connection has lasted as long as it may",
    0xA1: "it numbers no subscriptions",
    0xA2: "it takes no filters with + and #",
}

# Those that mean something else there; mosquitto has the second one for a wrong password as well.
_OF_GREETINGS = {
    0x87: "it does not let this user in: see user, password-file, and the broker's own lists",
}

#: Those that stay as they are until a person does something.
LASTING = frozenset((0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C, 0x90, 0x95, 0x99, 0x9C, 0x9D))


def clause_of(
    code: int, text: str | None = None, reference: str | None = None, is_greeting: bool = False
) -> str:
    """Return what a code means.

    @param text: what the broker says itself.
    @param reference: the other broker that it names.
    @param is_greeting: it is what a client is greeted with.
    """
    clause = _CLAUSES.get(code, f"it gives a reason that is not known here, {code:#04x}")
    if is_greeting:
        clause = _OF_GREETINGS.get(code, clause)
    if reference:
        clause += f", {_shown(reference)}"
    if text:
        clause += f' ("{_shown(text)}")'
    return clause


def _shown(text: str) -> str:
    """Return what a stranger says, fit for a line of the log."""
    shown = "".join(c if c.isprintable() else "?" for c in text[:MAX_TEXT])
    return shown if len(text) <= MAX_TEXT else f"{shown}…"
