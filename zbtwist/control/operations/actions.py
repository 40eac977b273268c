"""What a node is told to do: restart, say who it is, leave, send back the packets of a test."""

from __future__ import annotations

from statistics import fmean
from typing import Annotated, TypedDict

from zbtwist.binding.link_test import LinkTest, TestRefused
from zbtwist.control.faults import (
    BAD_VALUE,
    GATEWAY_FAILED,
    NO_ANSWER,
    NODE_REFUSED,
    RADIO_OFFLINE,
    ControlFault,
)
from zbtwist.control.operations.commands import CommandOperations
from zbtwist.control.operations.table import Harmless, operation
from zbtwist.network.loopback import MAX_COUNT, MAX_SIZE, MIN_SIZE
from zbtwist.network.node import Node
from zbtwist.radio.buffers import speaks_802154
from zbtwist.radio.errors import RadioError, RadioOffline
from zbtwist.xbee.address import digi_address64

#: NJ of a radio that lets nodes join at all times, and the longest time that is another
#: (90002002, "NJ").
_ALWAYS = 0xFF
MAX_JOIN_SECONDS = 0xFE


class LinkTestRow(TypedDict):
    """What ``test()`` returns."""

    addr_extended: Annotated[str, "as in ``list()``"]
    label: Annotated[str, "the same"]
    name: Annotated[str, "the same"]
    began: Annotated[float, "when it began, seconds since 1970; 0 if the node was never tested"]
    running: Annotated[bool, "it goes on"]
    count: Annotated[int, "packets that are to be sent"]
    size: Annotated[int, "bytes of each"]
    sent: Annotated[int, "packets that were sent"]
    delivered: Annotated[int, "those that arrived, as the radio says"]
    received: Annotated[int, "those that came back"]
    retries: Annotated[int, "how often the radio had to send one again"]
    fastest: Annotated[float, "shortest time there and back, ms; 0 if nothing came back"]
    average: Annotated[float, "average, ms"]
    slowest: Annotated[float, "longest, ms"]
    signal: Annotated[
        int, "how strongly the last hop to the gateway was heard, −dBm, on average; 0 if unknown"
    ]
    weakest: Annotated[int, "the weakest of these, −dBm"]
    signal_there: Annotated[int, "how strongly the node hears the last hop to it, −dBm"]
    text: Annotated[str, "what came of it, in a sentence; empty if the node was never tested"]


class Joining(TypedDict):
    """What ``permit_join()`` returns."""

    seconds: Annotated[int, "for how long nodes may join from now on; 0 for not at all"]
    always: Annotated[
        bool, "the radio lets nodes join at all times (NJ is FF); nothing was changed"
    ]


class ActionOperations(CommandOperations):
    """What is done with a node."""

    @operation("restart", page="restart")
    async def restart(self, address: str) -> bool:
        """Restart a node's radio (FR); returns true.

        It is back in the network within seconds, with the settings of its flash memory: what was
        set since and not written (WR) is lost, and what its radio had in hand. So clients of its
        port are reset.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL, RADIO_OFFLINE, NO_ANSWER,
            NODE_REFUSED.
        """
        await self._command(self._resolver.node(address), "FR", None)
        return True

    @operation("identify", page="identify")
    async def identify(self, address: str) -> bool:
        """Have a node say who it is, as if its commissioning button had been pressed once (CB1);
        returns true.

        The associate LEDs of all who hear it blink for a second: which node it is cannot be told
        from its own. The gateway reports it as ``node_identified``.

        @raise ControlFault: as `restart`.
        """
        await self._command(self._resolver.node(address), "CB", 1)
        return True

    @operation("leave")
    async def leave(self, address: str) -> bool:
        """Make a node leave the network (NR0) and look for one to join; returns true.

        It comes back into this one only if joining is permitted, and may find another. Clients of
        its port are reset; it keeps its port. To forget a node that is gone is something else.

        @raise ControlFault: as `restart`.
        """
        await self._command(self._resolver.node(address), "NR", 0)
        return True

    @operation("permit_join")
    async def permit_join(self, seconds: int) -> Joining:
        """Let new nodes join the network for some time, at the radio and at the routers (NJ, and
        CB2, which tells all of them).

        0 lets nobody join at the radio from now on; routers that were told before go on until their
        time is over. What is set is not written to flash memory. A radio that permits joining at
        all times is left as it is.

        @param seconds: 0 to 254.
        @raise ControlFault: BAD_VALUE, RADIO_OFFLINE, NODE_REFUSED (the radio's network has no
            joining).
        """
        if not 0 <= seconds <= MAX_JOIN_SECONDS:
            raise ControlFault(
                BAD_VALUE,
                f"Joining can be permitted for 0 to {MAX_JOIN_SECONDS} seconds, not for {seconds}.",
            )
        await self._ready_radio()
        if int.from_bytes(await self._command(None, "NJ", None), "big") == _ALWAYS:
            return {"seconds": 0, "always": True}
        await self._command(None, "NJ", seconds)
        if seconds:
            # With NJ other than 0 and FF it is for that time, else for a minute (90002002, "Permit
            # joining"); NJ alone is not told to the others (90000976, "NJ").
            await self._command(None, "CB", 2)
        return {"seconds": seconds, "always": False}

    @operation("test", ends_with_asker=True, page="test")
    async def test(self, address: str, count: int = 10, size: int = 64) -> LinkTestRow:
        """Test the way to a node: packets that its radio sends back are counted and timed.

        They do not reach the node's serial line, nor what clients read; streams go on meanwhile. A
        packet follows when the last is back, or is not to be expected any more: up to 25 seconds;
        120 to a node that sleeps. After 120 seconds no more are sent. The test ends when whoever
        asked for it is gone, or by ``end_test()``. Only one of a node runs at a time, and four in
        all.

        The radio can measure how strongly it hears its neighbour: with hops in between that is not
        the node.

        @param count: packets, 1 to 1000.
        @param size: bytes of each, 24 to 84, and to the radio's limit.
        @raise ControlFault: as `restart`, and BAD_VALUE; GATEWAY_FAILED: a test is running.
        """
        node = self._resolver.node(address)
        if not 1 <= count <= MAX_COUNT:
            raise ControlFault(BAD_VALUE, f"A test has 1 to {MAX_COUNT} packets, not {count}.")
        await self._ready_radio()
        facts = self._radio.facts
        assert facts is not None
        most = min(MAX_SIZE, facts.payload_limit)
        if not MIN_SIZE <= size <= most:
            raise ControlFault(
                BAD_VALUE, f"A packet of a test has {MIN_SIZE} to {most} bytes, not {size}."
            )
        if speaks_802154(facts):
            raise ControlFault(
                NODE_REFUSED,
                "Radios with 802.15.4 firmware send nothing back: there is no test of the way.",
            )
        try:
            return _row(node, await self._tests.test(node, count, size))
        except TestRefused as error:
            raise ControlFault(GATEWAY_FAILED, str(error)) from None
        except RadioOffline as error:
            raise ControlFault(RADIO_OFFLINE, str(error)) from None
        except RadioError as error:
            raise ControlFault(NO_ANSWER, str(error)) from None

    @operation("test_result", harmless=Harmless.ALWAYS, page="test_result")
    def test_result(self, address: str) -> LinkTestRow:
        """Tell how the test of a node goes that is running, or what came of the last one.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL.
        """
        node = self._resolver.node(address)
        return _row(node, self._tests.latest(node))

    @operation("end_test", page="end_test")
    def end_test(self, address: str) -> LinkTestRow:
        """End the test of a node that is running, whoever asked for it, and tell what came of it so
        far: that is also what who asked for it gets. If none is running nothing changes.

        @raise ControlFault: BAD_ADDRESS, UNKNOWN_NODE, AMBIGUOUS_LABEL.
        """
        node = self._resolver.node(address)
        self._tests.end(node)
        return _row(node, self._tests.latest(node))


def _row(node: Node, test: LinkTest | None) -> LinkTestRow:
    milliseconds = [1000 * seconds for seconds in test.seconds] if test else []
    signals = test.signals if test else []
    return {
        "addr_extended": digi_address64(node.address64),
        "label": node.label or "",
        "name": node.name,
        "began": test.began if test else 0.0,
        "running": test is not None and test.running,
        "count": test.count if test else 0,
        "size": test.size if test else 0,
        "sent": test.sent if test else 0,
        "delivered": test.delivered if test else 0,
        "received": test.received if test else 0,
        "retries": test.retries if test else 0,
        "fastest": min(milliseconds, default=0.0),
        "average": fmean(milliseconds) if milliseconds else 0.0,
        "slowest": max(milliseconds, default=0.0),
        "signal": round(fmean(signals)) if signals else 0,
        "weakest": max(signals, default=0),
        "signal_there": (test.signal_there or 0) if test else 0,
        "text": test.text if test else "",
    }
