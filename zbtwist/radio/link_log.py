"""What the log says of the link to the radio."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.radio.errors import ATRefused
from zbtwist.radio.info import RadioInfo
from zbtwist.radio.last_radio import LastRadio
from zbtwist.xbee.address import format_address64
from zbtwist.xbee.status import modem_status_text

#: Different reasons for not being up that are remembered, so that each is said once.
MAX_REASONS = 50


class LinkLog:
    """Says what becomes of the link to one radio.

    @ivar name: the endpoint of the radio, as the user wrote it.
    """

    log = Logger()

    def __init__(self, name: str) -> None:
        self.name = name
        self._said: set[str] = set()

    def no_radio(self, sentence: str) -> None:
        """The radio cannot be had, and the sentence says why: each is said once until it is up."""
        if sentence not in self._said and len(self._said) < MAX_REASONS:
            self._said.add(sentence)
            self.log.warn(
                "No radio on {name}: {sentence} The gateway goes on trying.",
                name=self.name,
                sentence=sentence,
            )

    def broke(self, failure: Failure) -> None:
        """Bringing the radio up failed by a mistake of ours."""
        self.log.failure("Bringing the radio up failed", failure=failure)

    def keeps_no_mode(self, error: ATRefused) -> None:
        """The radio did not write its new mode to its flash."""
        self.log.warn("{error}; it goes back to its old mode when it restarts.", error=error)

    def up(self, facts: RadioInfo, baud_rate: int | None, last: LastRadio) -> None:
        """The radio is up.

        @param baud_rate: bits per second of its serial line, None where there is none.
        @param last: what is known of the one before.
        """
        self._said.clear()
        address = format_address64(facts.address64)
        if last.address64 not in (None, facts.address64):
            self.log.warn(
                "The radio on {name} is another one: {address}, not {old} as before. Nodes that "
                "are in its network keep their ports; the others stay silent.",
                name=self.name,
                address=address,
                old=format_address64(last.address64),
            )
        if last.wanted_mode not in (None, facts.api_mode):
            self.log.warn(
                "The radio is in API mode {mode}, not {wanted} as --api-mode says; it is taken "
                "as it is.",
                mode=facts.api_mode,
                wanted=last.wanted_mode,
            )
        self.log.info(
            "The radio {address} on {name} is up: firmware {firmware}, API mode {mode}{rate}, "
            "PAN {pan}, payloads of {payload} bytes.",
            address=address,
            name=self.name,
            firmware=f"{facts.firmware_version:04x}",
            mode=facts.api_mode,
            rate="" if baud_rate is None else f", {baud_rate} baud",
            pan=f"{facts.operating_pan_id:016x}",
            payload=facts.payload_limit,
        )
        if not facts.joined:
            self.log.warn(
                "The radio is not in a network yet (AI={association}); nodes appear when it is.",
                association=f"{facts.association:02x}",
            )

    def says(self, status: int) -> None:
        """A modem status came."""
        self.log.info("The radio says: {status}.", status=modem_status_text(status))

    def left(self) -> None:
        """The radio was in its network, and is no more."""
        self.log.warn(
            "The radio has left its network: no node can be reached until it joins again."
        )

    def silent(self) -> None:
        """The radio was up, and answers no more."""
        self.log.warn(
            "The radio on {name} has fallen silent: it does not even answer AI. The gateway tries "
            "to set it up again, and opens its port anew if that fails.",
            name=self.name,
        )

    def lost(self) -> None:
        """The line of a radio that was up is gone."""
        self.log.warn("The link to the radio on {name} is lost.", name=self.name)
