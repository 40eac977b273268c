"""How strongly nodes are heard: `Node.signal`.

The radio keeps the strength of the last packet that it heard (DB), so it must be asked right after
a packet. Frames come in order, so the answer is of the node that was heard last before it. Each
question is one command on the serial line.
"""

from __future__ import annotations

from math import inf

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from zbtwist.network.node import Node
from zbtwist.network.table import NodeTable
from zbtwist.radio.errors import RadioError
from zbtwist.radio.interfaces import IRadio

#: Questions for the strength of a signal in one second, at the most.
SIGNALS_PER_SECOND = 5.0
#: Those of them that are kept for nodes whose strength is not known, and for the one that was
#: measured longest ago; nodes that are heard all the time would take them all.
SIGNALS_FOR_NEW = 2.0
SIGNALS_FOR_OLDEST = 1.0
#: Seconds for which a strength is as good as a new one.
SIGNAL_AGE = 5.0
#: Seconds after which a node that is silent is waited for no more.
SIGNAL_PATIENCE = 600.0


class Signals:
    """Measures how strongly nodes are heard, while somebody looks or asks.

    @ivar wanted: whether the next packet may be a reason to `measure`.
    @ivar last_heard: whose packet the radio has heard last; None if that is not known.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, radio: IRadio, nodes: NodeTable) -> None:
        self._clock = clock
        self._radio = radio
        self._nodes = nodes
        self.wanted = False
        self.last_heard: Node | None = None
        self._questions = 0.0
        self._questions_at = -inf
        self._awaited: Node | None = None
        self._measuring: Deferred[None] | None = None

    def cancel(self) -> None:
        """Wait for no answer any more."""
        if self._measuring is not None:
            self._measuring.cancel()

    def sample(self) -> None:
        """Measure how strongly nodes are heard until `stop`.

        Call it every second or so while somebody looks: each call chooses the node that is waited
        for, the one that was measured longest ago of those that were heard since.
        """
        now = self._clock.seconds()
        earned = (now - self._questions_at) * SIGNALS_PER_SECOND
        self._questions = min(self._questions + earned, SIGNALS_PER_SECOND)
        self._questions_at = now
        heard_since = (
            node
            for node in self._nodes
            if node.signal is not None
            and node.heard_at > max(node.signal_at, now - SIGNAL_PATIENCE)
        )
        self._awaited = min(heard_since, key=lambda node: node.signal_at, default=None)
        self._want()

    def stop(self) -> None:
        """Nobody looks any more: measure nothing."""
        self._awaited = None
        self._questions = 0.0
        self.wanted = False

    def _want(self) -> None:
        self.wanted = self._measuring is None and self._questions >= 1

    def measure(self, node: Node) -> None:
        """Ask for the strength of a packet that has just come, if it is that node's turn."""
        if self._clock.seconds() - node.signal_at < SIGNAL_AGE:
            return
        kept = 0.0 if node.signal is None else SIGNALS_FOR_NEW
        if kept and node is not self._awaited:
            kept += SIGNALS_FOR_OLDEST
        if self._questions < kept + 1:
            return
        self._questions -= 1
        measuring = Deferred.fromCoroutine(self._ask())
        if not measuring.called:
            self._measuring = measuring
            self.wanted = False
        measuring.addBoth(self._measured)

    def _measured(self, result: object) -> None:
        self._measuring = None
        self._want()
        if isinstance(result, Failure) and not result.check(CancelledError):
            self.log.failure("The signal could not be measured", failure=result)

    async def of(self, node: Node) -> int | None:
        """Ask for the strength of the packet that has just come of a node.

        @return: in -dBm; None if the radio did not tell, or another node was heard meanwhile.
        """
        await self._ask()
        return node.signal if self.last_heard is node else None

    async def _ask(self) -> None:
        try:
            value = await self._radio.at("DB")
        except RadioError:
            value = b""
        node = self.last_heard
        if node is None:
            return
        # Also if nothing came of it: there is no use in asking again at once.
        node.signal_at = self._clock.seconds()
        # 0 means that it has heard nobody since its start.
        if value and value[-1]:
            node.signal = value[-1]
