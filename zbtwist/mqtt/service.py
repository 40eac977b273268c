"""A broker as a service: a connection to it is made, and made again when it is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from math import ceil
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from zbtwist.mqtt import reasons
from zbtwist.mqtt.echoes import Echoes
from zbtwist.mqtt.endpoint import FileError, endpoint_of, password_of
from zbtwist.mqtt.failures import why_not_connected
from zbtwist.mqtt.interfaces import IBroker, Message
from zbtwist.mqtt.outbox import Counters
from zbtwist.mqtt.owner import Ending, Login, Owner
from zbtwist.mqtt.pauses import STEADY, Pauses
from zbtwist.mqtt.protocol import Connection
from zbtwist.mqtt.reasons import clause_of
from zbtwist.mqtt.settings import MQTTSettings
from zbtwist.mqtt.subscriptions import Hearer, Subscriptions
from zbtwist.mqtt.tie import ConnectionFactory
from zbtwist.mqtt.topics import has_wildcards, is_filter
from zbtwist.runtime.one_try import connect_within
from zbtwist.runtime.repeats import Interval

T = TypeVar("T")

#: Seconds that one try may take until there is a connection.
CONNECT_TIMEOUT = 20.0

#: Reasons of one outage that are said.
MAX_REASONS = 5

#: What is said of a client that does not know its name yet.
NAMELESS = "it is not known yet what this gateway is called there: the radio was never up"


@implementer(IBroker)
class BrokerService(Service):
    """
    @ivar counters: what has passed.
    @ivar client_id: what this client is called there; empty while that is not known.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: MQTTSettings,
        pauses: Pauses | None = None,
        wall: Callable[[], float] = time.time,
        unseen: Callable[[], float] = float,
    ) -> None:
        """
        @param settings: those of the broker; who this client is, `identify` says.
        @param pauses: those between tries.
        @param wall: says the seconds since 1970.
        @param unseen: says for how many seconds what comes may have waited to be read, since the
            program stood still.
        """
        self._unseen = unseen
        self.clock = reactor
        self._settings = settings
        self._pauses = pauses or Pauses()
        self._wall = wall
        self.counters = Counters()
        self.connected: list[Callable[[], None]] = []
        self.lost: list[Callable[[], None]] = []
        self.drained: list[Callable[[], None]] = []
        self._reason = NAMELESS
        self._since: float = reactor.seconds()
        self.client_id = ""
        self._will: Message | None = None
        self._subscriptions = Subscriptions()
        self._echoes = Echoes(reactor)
        # The work of keeping a connection, and what it waits for if there is none.
        self._work: Deferred[None] | None = None
        self._step: Deferred[Any] | None = None
        self._connection: Connection | None = None
        # What is under way is to be something else.
        self._is_stale = False
        self._said: set[str] = set()
        # As far as it is known of this broker.
        self._keeps = self._confirms = True
        self._refusals = Interval()

    @property
    def is_connected(self) -> bool:
        connection = self._connection
        return connection is not None and connection.is_open

    @property
    def is_full(self) -> bool:
        connection = self._connection
        return connection is not None and connection.outbox.is_filling

    @property
    def waiting(self) -> int:
        """Messages that wait to be sent."""
        connection = self._connection
        return 0 if connection is None else connection.outbox.waiting

    @property
    def reason(self) -> str:
        """Why there is no connection, a clause; empty if there is one."""
        connection = self._connection
        ending = None if connection is None else connection.ending
        return self._reason if ending is None else ending.why

    @property
    def since(self) -> float:
        """When it was connected, or was no more: seconds since 1970."""
        now: float = self.clock.seconds()
        return self._wall() - (now - self._since)

    @property
    def place(self) -> str:
        """The broker, as people read it."""
        return self._settings.place

    # --- as a service --------------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()
        self._warn_if_open()
        self._begin()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        stopped: Deferred[None] = Deferred()
        if self._work is None:
            stopped.callback(None)
        else:
            self._work.addBoth(lambda _: stopped.callback(None))
            self._interrupt()
        return stopped

    def identify(self, client_id: str, will: Message | None = None) -> None:
        if (client_id, will) != (self.client_id, self._will):
            # The old will is what this connection ends with.
            self._interrupt()
            self.client_id, self._will = client_id, will
            self._begin()

    def reconfigure(self, settings: MQTTSettings) -> None:
        """Follow new settings. If there is no connection, it is tried at once."""
        old, self._settings = self._settings, settings
        # What is said of nodes, and under which names, makes no other connection.
        is_same = settings == replace(
            old,
            base=settings.base,
            site=settings.site,
            home_assistant=settings.home_assistant,
            discovery_prefix=settings.discovery_prefix,
            nodes=settings.nodes,
            commands=settings.commands,
        )
        if not is_same:
            self._keeps = self._confirms = True
            self._warn_if_open()
        if not (is_same and self.is_connected):
            self._pauses.begin_anew()
            self._said.clear()
            self._interrupt()

    def _warn_if_open(self) -> None:
        settings = self._settings
        if settings.password_file is not None and not settings.is_encrypted:
            self.log.warn(
                "The password for the MQTT broker {place} crosses the network as it is: anyone on "
                "its way can read it. Name the broker with TLS, tls:HOST:PORT.",
                place=self.place,
            )

    # --- keeping a connection ------------------------------------------------------------------

    def _begin(self) -> None:
        if self.running and self.client_id and self._work is None:
            self._work = Deferred.fromCoroutine(self._keep())
            self._work.addErrback(
                lambda failure: self.log.failure("No broker is connected any more", failure)
            )

    def _interrupt(self) -> None:
        """End what is under way: something else is wanted."""
        self._is_stale = True
        if self._connection is not None:
            self._connection.close(self._will)
        elif self._step is not None:
            self._step.cancel()

    async def _keep(self) -> None:
        while self.running:
            self._is_stale = False
            pause = await self._connect_once()
            if not self._is_stale:
                with suppress(CancelledError):
                    await self._until(deferLater(self.clock, pause))
        self._work = None

    async def _until(self, step: Deferred[T]) -> T:
        """Wait for what can be interrupted."""
        self._step = step
        try:
            return await step
        finally:
            self._step = None

    async def _connect_once(self) -> float:
        """Have a connection until it ends.

        @return: seconds until the next.
        """
        try:
            factory, endpoint = self._prepare()
            trying = connect_within(CONNECT_TIMEOUT, self.clock, endpoint, factory)
            connection: Any = await self._until(Deferred.fromCoroutine(trying))
        except CancelledError:
            return self._ended(Ending("the try was given up"), None)
        except FileError as error:
            return self._ended(Ending(f"{error.option} {error}".rstrip(".")), None)
        except Exception as error:
            return self._ended(Ending(why_not_connected(error)), None)
        self._connection = connection
        tie = connection.owner
        try:
            ending = await tie.ended_with
        finally:
            self._connection = None
        if tie.opened_at is not None:
            self.call_all(self.lost)
        return self._ended(ending, tie.opened_at)

    def _prepare(self) -> tuple[ConnectionFactory, IStreamClientEndpoint]:
        """
        @raise FileError: a file is not in order.
        """
        settings = self._settings
        login = Login(
            self.client_id,
            settings.user,
            password_of(settings),
            settings.keepalive,
            self._will,
            self._keeps,
            self._confirms,
        )
        return ConnectionFactory(self, login), endpoint_of(self.clock, settings)

    def _ended(self, ending: Ending, opened_at: float | None) -> float:
        """
        @param opened_at: when the connection began that has ended, None if it did not.
        @return: seconds until the next one.
        """
        now = self.clock.seconds()
        lasted = 0.0
        if opened_at is not None:
            self._said.clear()
            self._since = now
            lasted = now - opened_at
        if self._is_stale:
            return 0.0
        self._reason = why = ending.why
        if opened_at is not None and not ending.code and lasted < STEADY:
            # Not all brokers say so.
            self._reason = why = f"{why}. Perhaps another client has the same client id there"
        if why not in self._said and len(self._said) < MAX_REASONS:
            self._said.add(why)
            self.log.warn(
                "The MQTT broker {place} is not connected: {why}.", place=self.place, why=why
            )
        return 0.0 if self._is_about_will(ending.code) else self._pauses.after(ending, lasted)

    def _is_about_will(self, code: int) -> bool:
        """Whether the broker refuses a will only since it should keep or confirm it."""
        if code == reasons.RETAIN_NOT_SUPPORTED and self._keeps:
            self._keeps = False
            return True
        if code == reasons.QOS_NOT_SUPPORTED and self._confirms:
            self._confirms = False
            return True
        return False

    # --- what a connection says ----------------------------------------------------------------

    def opened(self, tie: Owner) -> None:
        """The broker has taken this client in."""
        connection = self._connection
        if connection is None or connection.owner is not tie:
            return
        self._reason = ""
        self._since = self.clock.seconds()
        self._keeps, self._confirms = connection.keeps, connection.confirms
        self.log.info(
            "The MQTT broker {place} is connected; this gateway is {client_id} there.",
            place=self.place,
            client_id=self.client_id,
        )
        if not connection.keeps:
            self.log.warn(
                "The MQTT broker {place} keeps no messages: who subscribes later does not hear "
                "how everything is.",
                place=self.place,
            )
        self._echoes.clear()
        for at_most_once in (False, True):
            self._subscribe(self._subscriptions.filters(at_most_once), at_most_once)
        self.call_all(self.connected)

    def heard(self, message: Message) -> None:
        """A message has come."""
        if self._echoes.has(message):
            return
        if message.expires_after is not None:
            # A broker counts only how long it has had it itself.
            waited = ceil(self._unseen())
            if waited:
                message = replace(message, expires_after=message.expires_after - waited)
        for heard in self._subscriptions.hearers_of(message.topic):
            self._call(heard, message)

    def not_taken(self, topic: str, why: str) -> None:
        """The broker does not take a message."""
        if self._refusals.is_over(self.clock.seconds()):
            self.log.warn(
                "The MQTT broker {place} does not take a message of {topic}: {why}. There may be "
                "more such messages.",
                place=self.place,
                topic=topic,
                why=why,
            )

    def not_subscribed(self, topic_filter: str, why: str) -> None:
        """The broker gives no messages of a filter."""
        self.log.warn(
            "The MQTT broker {place} gives no messages of {topic_filter}: {why}.",
            place=self.place,
            topic_filter=topic_filter,
            why=why,
        )

    def call_all(self, calls: Iterable[Callable[[], None]]) -> None:
        """Make calls, each also if another fails."""
        for call in list(calls):
            self._call(call)

    def _call(self, call: Callable[..., None], *arguments: Message) -> None:
        try:
            call(*arguments)
        except Exception:
            self.log.failure("What comes of a broker was not taken")

    # --- as a broker ---------------------------------------------------------------------------

    def publish(self, message: Message, at_least_once: bool = False) -> bool:
        connection = self._connection
        if connection is None or not connection.is_open:
            self.counters.dropped += 1
            return False
        if self._subscriptions.hearers_of(message.topic):
            self._echoes.published(message)
        return connection.publish(message, at_least_once)

    def subscribe(self, topic_filter: str, heard: Hearer, at_most_once: bool = False) -> None:
        if not is_filter(topic_filter):
            raise ValueError(f"{topic_filter!r} cannot be a filter of topics.")
        if self._subscriptions.add(topic_filter, heard, at_most_once):
            self._subscribe([topic_filter], at_most_once)

    def unsubscribe(self, topic_filter: str) -> None:
        connection = self._connection
        if self._subscriptions.remove(topic_filter) and connection and connection.is_open:
            connection.unsubscribe([topic_filter])

    def _subscribe(self, filters: Iterable[str], at_most_once: bool) -> None:
        connection = self._connection
        if connection is None or not connection.is_open:
            return
        wanted = list(filters)
        if not connection.takes_wildcards:
            for topic_filter in [each for each in wanted if has_wildcards(each)]:
                wanted.remove(topic_filter)
                self.not_subscribed(topic_filter, clause_of(reasons.NO_WILDCARDS))
        connection.subscribe(wanted, at_most_once)
