"""What can go wrong with a radio, each with a message that is a sentence for the user."""

from __future__ import annotations

from twisted.internet.error import ConnectError

from zbtwist.xbee.status import ATStatus, at_status_text

#: Why the radio cannot be used any more, and what needs it ends.
GATEWAY_STOPS = "The gateway is stopping."


class RadioError(Exception):
    """Anything that a request to the radio can fail with.

    @ivar sent: whether the radio was given the request, so that it may have been carried out.
    """

    sent = False


class RadioOffline(RadioError):
    """The link is down, or went down before the answer came."""


class NoAnswer(RadioError):
    """The time for an answer is up."""


class InBootloader(NoAnswer):
    """The radio is in its bootloader, and says so in text."""


class TooManyRequests(RadioError):
    """More requests wait for a frame id than the coordinator is willing to hold."""


class ATRefused(RadioError):
    """The radio, or the node, answered an AT command with a status other than OK; or the radio
    says that the node did not acknowledge it.

    @ivar status: the AT status, see `zbtwist.xbee.status`.
    """

    def __init__(self, command: str, status: int, who: str) -> None:
        if status == ATStatus.TRANSMISSION_FAILED:
            # It is our radio that says so.
            sentence = f"{who} did not acknowledge {command}: it is off, out of reach, or asleep"
        else:
            sentence = f"{who} refused {command}: {at_status_text(status)}"
        super().__init__(sentence)
        self.command = command
        self.status = status


class NoAddress(RadioError):
    """The radio answers the question for its own address with an error, however often it is asked.
    Each radio has one, so that this is no fact about it.
    """

    def __init__(self, command: str) -> None:
        super().__init__(
            f"The radio answers {command}, its own address, with an error, again and again: switch "
            "it off and on; if that does not help, load its firmware anew with XCTU."
        )


class SerialOpenError(ConnectError):
    """A serial port could not be opened. `str()` of it is just the sentence."""

    def __init__(self, sentence: str) -> None:
        super().__init__(string=sentence)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence
