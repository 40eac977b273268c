"""What a control operation can fail with: a number for programs and a sentence for people.

The operations raise `ControlFault`; each wire format says it in its own way.
"""

from __future__ import annotations

#: The text is no address, in any of the forms that are known.
BAD_ADDRESS = 1
#: No node has that address or node identifier.
UNKNOWN_NODE = 2
#: More than one node has that node identifier.
AMBIGUOUS_LABEL = 3
#: The number is no TCP port that a node may have.
BAD_PORT = 4
#: The TCP port belongs to somebody else; the sentence says to whom.
PORT_TAKEN = 5
#: The link to the local radio is down.
RADIO_OFFLINE = 6
#: The node was asked and did not answer in time.
NO_ANSWER = 7
#: The node answered with an AT status other than OK; the sentence has it in words.
NODE_REFUSED = 8
#: A value is of the right type, but not one that the operation can use.
BAD_VALUE = 9
#: The user may only look, and this changes something or reaches a node.
NOT_ALLOWED = 10
#: It may cut the node off, and nobody has said that this is meant; the sentence says why.
MAY_CUT_OFF = 11

#: There is no method of that name.
NO_SUCH_METHOD = 8001
#: The request is malformed, too large, or has the wrong number or types of arguments.
BAD_REQUEST = 8002
#: The gateway itself failed, or has too many calls in hand. Its log says more.
GATEWAY_FAILED = 8003


class ControlFault(Exception):
    """A control operation failed in a way that its caller can understand.

    @ivar number: one of this module's constants.
    @ivar sentence: one sentence that says what to do.
    """

    def __init__(self, number: int, sentence: str) -> None:
        super().__init__(number, sentence)
        self.number = number
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


def bad_request(sentence: str) -> ControlFault:
    """Return the fault for a request that is not as it should be."""
    return ControlFault(BAD_REQUEST, sentence)


def shown(name: str) -> str:
    """Quote a client's word in a sentence, but not a megabyte of it."""
    return repr(name if len(name) <= 60 else f"{name[:60]}…")
