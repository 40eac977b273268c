"""What a hub's radio is asked beside packets, as operations of the sites' gateways."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred, fail, gatherResults

from zbtwist.fleet.answers import Answers
from zbtwist.fleet.site import Site
from zbtwist.fleet.site_requests import Refused, answer_of_at, arguments_of_at, found_in
from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.stream_messages import JSON
from zbtwist.radio.coordinator import Coordinator
from zbtwist.radio.errors import RadioError, RadioOffline
from zbtwist.radio.info import NO_RADIO
from zbtwist.xbee.address import UNKNOWN16, Address16, Address64
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.frames import ATCommand, RemoteATCommandResponse, TransmitStatus
from zbtwist.xbee.status import ATStatus

#: Seconds for a search, and for an AT command, until a site has answered.
DISCOVER_TIMEOUT = 30.0
AT_TIMEOUT = 20.0


class SiteOperations(Coordinator):
    """
    @ivar sites: the sites that were ever there, by name.
    @ivar answers: what they answer.
    """

    sites: dict[str, Site]
    answers: Answers

    def site_at(self, address64: Address64) -> Site:
        """Return the site at which a node is heard.

        @raise RadioOffline: it is heard nowhere, or the site is away.
        """
        raise NotImplementedError

    def transmit_loopback(
        self,
        address64: Address64,
        data: bytes,
        address16: Address16 = UNKNOWN16,
        sleeps: bool = False,
    ) -> Deferred[TransmitStatus]:
        return fail(RadioOffline(NO_RADIO))

    def transmit_zdo(
        self,
        address64: Address64,
        cluster_id: int,
        data: bytes,
        address16: Address16 = UNKNOWN16,
    ) -> Deferred[TransmitStatus]:
        return fail(RadioOffline(NO_RADIO))

    def ask(self, site: Site, operation: str, arguments: object, seconds: float) -> Deferred[bytes]:
        """Ask a site's gateway for an operation."""
        payload = json.dumps(arguments, separators=(",", ":")).encode()
        message = Message(site.topics.request(operation), payload, content_type=JSON)
        return self.answers.ask(message, seconds, f"Site {site.name}")

    async def _local(
        self,
        kind: type[ATCommand],
        command: str,
        parameter: bytes,
        timeout: float | None,
        is_patient: bool = False,
    ) -> bytes:
        raise Refused(command, ATStatus.INVALID_COMMAND, NO_RADIO)

    async def remote_at(
        self,
        address64: Address64,
        command: str,
        parameter: bytes = b"",
        address16: Address16 = UNKNOWN16,
        timeout: float | None = None,
        apply: bool = True,
    ) -> bytes:
        """See `Coordinator`. What is set has effect at once, whatever `apply` says."""
        answer = await self.ask(
            self.site_at(address64),
            "at",
            arguments_of_at(address64, command, parameter),
            AT_TIMEOUT if timeout is None else max(timeout, AT_TIMEOUT),
        )
        value = answer_of_at(answer, command)
        self.last_answer = self._clock.seconds()
        self.hearers.hear(
            RemoteATCommandResponse(0, address64, UNKNOWN16, command, ATStatus.OK, value)
        )
        return value

    async def discover(self) -> list[NodeDescription]:
        """Have all sites search, each for as long as its radio takes.

        @return: who has answered at those that have told in time.
        """
        if self.facts is None:
            raise RadioOffline(self.offline_reason)
        sites = [site for site in self.sites.values() if not site.is_away]
        if not sites:
            raise RadioOffline("No site is there.")
        found = await gatherResults(
            [Deferred.fromCoroutine(self._discover_at(site)) for site in sites]
        )
        return [description for answers in found for description in answers]

    async def _discover_at(self, site: Site) -> list[NodeDescription]:
        try:
            return found_in(await self.ask(site, "discover", [], DISCOVER_TIMEOUT))
        except RadioError as error:
            self.log.warn("The search at site {site} failed: {error}", site=site.name, error=error)
            return []
