"""How good the way to a node is: packets that its radio sends back, counted and timed.

A test takes turns with the streams (`zbtwist.binding.scheduler`), one packet each, and rests after
each for as long as it took, so that it never has more than half of what a stream of its own would
have. The packets do not reach the node's serial line, and what comes back is no part of its stream:
see `zbtwist.network.loopback`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from zbtwist.binding.scheduler import TransmitScheduler
from zbtwist.binding.stream_events import LinkTested
from zbtwist.network.events import NodeForgotten
from zbtwist.network.loopback import loopback_packet, new_test
from zbtwist.network.node import Node
from zbtwist.network.service import NetworkService
from zbtwist.radio.errors import GATEWAY_STOPS, RadioError, RadioOffline
from zbtwist.radio.interfaces import IRadio
from zbtwist.runtime.event_bus import EventBus
from zbtwist.xbee import devices
from zbtwist.xbee.address import UNKNOWN16, Address64, is_of_one_node
from zbtwist.xbee.at import decode_value
from zbtwist.xbee.frames import TransmitStatus
from zbtwist.xbee.status import ADDRESS_UNCERTAIN, DeliveryStatus, delivery_status_text

#: Tests at once, of different nodes: as many as packets that a radio queues.
MAX_AT_ONCE = 4

#: Seconds after which no more packets are sent; a node that sleeps or is not there takes long.
MAX_SECONDS = 120.0
#: Seconds between two packets, at least and at most: a node that sleeps stays awake for some after
#: it was heard (90001539, "ST").
MIN_PAUSE = 0.05
MAX_PAUSE = 1.0
#: Seconds for which a packet that has arrived is waited for: three tries of up to 1.6 s each on
#: the way back (90000976, "Transmission timeouts").
ECHO_TIMEOUT = 5.0

ENDED_EARLY = "It was ended before all were sent."


class TestRefused(Exception):
    """A test cannot be begun now. `str()` of it is a sentence."""


@dataclass(slots=True)
class LinkTest:
    """A test, while it runs and after it.

    @ivar count: how many packets are to be sent.
    @ivar size: bytes of each.
    @ivar began: when, in seconds since 1970.
    @ivar running: whether it goes on.
    @ivar sent: packets that were sent.
    @ivar delivered: those of which the radio says that the node has them.
    @ivar retries: how often the radio sent one of them again.
    @ivar seconds: how long each took there and back, of those that came back, in their order.
    @ivar signals: how strongly the last hop of what came back was heard, in -dBm, where that is
        known.
    @ivar signal_there: how strongly the node hears the last hop to it, in -dBm; None if unknown.
    @ivar problem: why the last packet that did not come back did not, in words.
    @ivar ended: why not all were sent, in a sentence; empty if they were, or it goes on.
    """

    node: Node
    count: int
    size: int
    began: float
    running: bool = True
    sent: int = 0
    delivered: int = 0
    retries: int = 0
    seconds: list[float] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    signal_there: int | None = None
    problem: str = ""
    ended: str = ""

    @property
    def received(self) -> int:
        """Packets that came back."""
        return len(self.seconds)

    @property
    def text(self) -> str:
        """What came of it, in a sentence."""
        if not self.sent:
            return self.ended or self.problem or "Nothing was sent yet."
        said = f"{self.received} of {self.sent} packets came back"
        if self.seconds:
            said += f", in {1000 * fmean(self.seconds):.0f} ms on average"
        elif self.delivered == self.sent and not self.running:
            said = f"All {self.sent} packets arrived, and none came back: it may be no Digi module"
        elif self.problem:
            said += f": {self.problem}"
        if self.received and self.problem and self.received < self.sent:
            said += f"; of one that did not: {self.problem}"
        return f"{said}. {self.ended}" if self.ended else f"{said}."


class LinkTests(Service):
    """Tests the ways to nodes: one test a node at a time, and few in all."""

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        network: NetworkService,
        turns: TransmitScheduler,
        bus: EventBus,
    ) -> None:
        """
        @param turns: shared by all that use the radio.
        """
        self._clock = clock
        self._radio = radio
        self._network = network
        self._turns = turns
        self._bus = bus
        # One for each node that was tested, so no more than there are nodes.
        self._latest: dict[Address64, LinkTest] = {}
        self._running: dict[Address64, _Run] = {}
        bus.subscribe(NodeForgotten, lambda event: self._forget(event.node))

    def stopService(self) -> None:
        super().stopService()
        for run in list(self._running.values()):
            # Whether it waits for its radio or between two packets: what it has found is told.
            run.end(GATEWAY_STOPS)

    def latest(self, node: Node) -> LinkTest | None:
        """Return the test of a node that runs, or that was the last; None if there was none."""
        return self._latest.get(node.address64)

    async def test(self, node: Node, count: int, size: int) -> LinkTest:
        """Test the way to a node, until it is done or ended, also by the gateway's end; cancelled,
        it is ended as well.

        @param count: packets.
        @param size: bytes of each, see `zbtwist.network.loopback`.
        @raise TestRefused: one of this node is running, or there are too many.
        @raise RadioError: the radio is offline, or went so before anything was sent.
        """
        if node.address64 in self._running:
            raise TestRefused(f"The way to {node} is being tested already: wait for that to end.")
        if len(self._running) >= MAX_AT_ONCE:
            raise TestRefused(
                f"{MAX_AT_ONCE} tests are running, which is as many as may: wait for one to end."
            )
        test = LinkTest(node, count, size, self._network.nodes.wall())
        run = _Run(self._clock, self._radio, self._network, self._turns, test)
        self._running[node.address64] = run
        self._latest[node.address64] = test
        try:
            await run.until_done()
        finally:
            test.running = False
            del self._running[node.address64]
            if test.sent:
                self._bus.publish(
                    LinkTested(node, test.sent, test.delivered, test.received, test.text)
                )
        return test

    def end(self, node: Node) -> None:
        """End the test of a node, if one is running: whoever waits for it gets what came of it."""
        run = self._running.get(node.address64)
        if run is not None:
            run.end(ENDED_EARLY)

    def _forget(self, node: Node) -> None:
        self._latest.pop(node.address64, None)
        run = self._running.get(node.address64)
        if run is not None:
            run.stop()


class _Run:
    """One test as it goes; it takes turns as a `zbtwist.binding.scheduler.Sender`."""

    def __init__(
        self,
        clock: IReactorTime,
        radio: IRadio,
        network: NetworkService,
        turns: TransmitScheduler,
        test: LinkTest,
    ) -> None:
        self._clock = clock
        self._radio = radio
        self._network = network
        self._turns = turns
        self._test = test
        self._name = new_test()
        # When each packet was sent that has not come back.
        self._missing: dict[int, float] = {}
        self._number = 0
        # What is waited for: that a packet is reported of, and that it comes back.
        self._reported: Deferred[TransmitStatus] | None = None
        self._echoed: Deferred[None] | None = None
        self._work: Deferred[None] | None = None
        self._sent: Deferred[TransmitStatus] | None = None
        self._pause = MIN_PAUSE
        self._why_ended = ""

    def stop(self) -> None:
        """Give it up, if it still goes on."""
        if self._work is not None:
            self._work.cancel()

    def end(self, why: str) -> None:
        """Let it be over now, with what it has found so far.

        @param why: a sentence.
        """
        self._why_ended = why
        self.stop()

    async def until_done(self) -> None:
        """Run it to its end."""
        self._network.echoes[self._name] = self._came
        work = self._work = Deferred.fromCoroutine(self._run())
        try:
            await work
        except CancelledError:
            self._test.ended = self._why_ended or ENDED_EARLY
            if not self._why_ended:
                raise
        finally:
            self._work = None
            del self._network.echoes[self._name]

    async def _run(self) -> None:
        test, clock = self._test, self._clock
        end = clock.seconds() + MAX_SECONDS
        for self._number in range(test.count):
            if self._number:
                await deferLater(clock, self._pause, _nothing)
            if clock.seconds() > end:
                test.ended = f"It was ended after {MAX_SECONDS:.0f} s."
                break
            began = clock.seconds()
            try:
                await self._packet()
            except RadioOffline as error:
                if not test.sent:
                    raise
                test.ended = str(error)
                return
            self._pause = min(max(MIN_PAUSE, clock.seconds() - began), MAX_PAUSE)
        if test.seconds:
            await self._ask_signal_there()

    async def _packet(self) -> None:
        """Send one packet, and wait until it is back, or is not to be expected any more."""
        test = self._test
        if self._radio.is_away:
            facts = self._radio.facts
            raise RadioOffline(
                self._radio.offline_reason or ("" if facts is None else facts.problem)
            )
        echoed = self._echoed = Deferred(_nobody_waits)
        try:
            status = await self._report()
        except RadioError as error:
            if not error.sent and self._missing.pop(self._number, None) is not None:
                test.sent -= 1
            if isinstance(error, RadioOffline):
                raise
            test.problem = str(error).rstrip(".")
            return
        test.retries += status.retries
        self._learn_address(status)
        if status.delivery_status != DeliveryStatus.DELIVERED:
            test.problem = delivery_status_text(status.delivery_status)
            return
        test.delivered += 1
        try:
            await echoed.addTimeout(ECHO_TIMEOUT, self._clock)
        except TimeoutError:
            test.problem = "what arrived did not come back"
            return
        finally:
            self._echoed = None
        signal = await self._network.signals.of(test.node)
        if signal is not None:
            test.signals.append(signal)

    def _report(self) -> Deferred[TransmitStatus]:
        """Ask for a turn; return what the radio will report of the packet."""
        reported = self._reported = Deferred(self._give_up)
        self._turns.ask(self)
        return reported

    def send_next(self) -> None:
        """It is this test's turn: see `zbtwist.binding.scheduler.Sender`."""
        reported = self._reported
        if reported is None or reported.called or self._number in self._missing:
            # Nobody waits for it any more.
            return
        test, node = self._test, self._test.node
        packet = loopback_packet(node.address64, self._name, self._number, test.size)
        self._missing[self._number] = now = self._clock.seconds()
        sent = self._sent = self._radio.transmit_loopback(
            node.address64, packet, node.address16, node.role == devices.END_DEVICE
        )
        test.sent += 1
        token = object()
        self._turns.sent(token, now)
        sent.addBoth(self._done, reported, token)

    def _done(
        self, result: TransmitStatus | Failure, reported: Deferred[TransmitStatus], token: object
    ) -> None:
        """The radio does not have a packet any more."""
        self._reported = self._sent = None
        self._turns.done(token)
        if reported.called:
            return
        if isinstance(result, Failure):
            reported.errback(result)
        else:
            reported.callback(result)

    def _give_up(self, reported: Deferred[TransmitStatus]) -> None:
        """Nobody waits for the report any more. A turn that was asked for is not taken."""
        self._reported = None
        if self._sent is not None:
            self._sent.cancel()

    def _came(self, number: int) -> None:
        """A packet has come back, perhaps late, or once more."""
        sent_at = self._missing.pop(number, None)
        if sent_at is None:
            return
        self._test.seconds.append(self._clock.seconds() - sent_at)
        if number == self._number and self._echoed is not None and not self._echoed.called:
            self._echoed.callback(None)

    def _learn_address(self, status: TransmitStatus) -> None:
        """As of any packet to the node: see `zbtwist.binding.outbound`."""
        nodes, node = self._network.nodes, self._test.node
        if status.delivery_status == DeliveryStatus.DELIVERED:
            if is_of_one_node(status.address16):
                nodes.located(node, status.address16)
        elif status.delivery_status in ADDRESS_UNCERTAIN:
            nodes.located(node, UNKNOWN16)

    async def _ask_signal_there(self) -> None:
        """Ask the node how strongly it hears what comes to it."""
        try:
            value = decode_value("DB", await self._network.remote_at(self._test.node, "DB"))
        except RadioError:
            return
        if isinstance(value, int) and value:
            self._test.signal_there = value


def _nobody_waits(deferred: Deferred[None]) -> None:
    """It fails with a CancelledError."""


def _nothing() -> None:
    pass
