"""What the coordinator asks nodes over the air: remote AT commands, and who they are.

An answer is a transmission of its own: it may be lost, or come twice, and counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from zbtwist.simulator.air import (
    OPTION_EXTENDED_TIMEOUT,
    IAir,
    IStation,
    ITimekeeper,
    Transmission,
    TxResult,
)
from zbtwist.simulator.module import Module
from zbtwist.xbee.description import NodeDescription
from zbtwist.xbee.status import ATStatus, DeliveryStatus


class Questions:
    """Asks on behalf of the coordinator."""

    def __init__(self, time: ITimekeeper, air: IAir, radio: Callable[[], Module]) -> None:
        """
        @param radio: who asks; it may be swapped for another one, which gets the answers then.
        """
        self._time = time
        self._air = air
        self._radio = radio

    def remote_command(
        self,
        node: Module,
        command: str,
        parameter: bytes,
        apply: bool,
        answered: Callable[[int, bytes], None],
        options: int,
    ) -> None:
        """Let a node execute an AT command; see `IMedium.remote_command`."""
        executed = False

        def failed(fate: TxResult) -> None:
            if fate.delivery_status != DeliveryStatus.DELIVERED:
                answered(ATStatus.TRANSMISSION_FAILED, b"")

        def asked(fate: TxResult) -> None:
            # What was executed is answered, or its answer is lost.
            if not executed:
                failed(fate)

        def execute() -> None:
            nonlocal executed
            if executed:
                return
            executed = True
            status, value = node.execute(command, parameter)
            if apply:
                node.apply()
            came_back = False

            def came() -> None:
                nonlocal came_back
                if not came_back:
                    came_back = True
                    answered(status, value)

            def ended(fate: TxResult) -> None:
                if not came_back:
                    failed(fate)

            self._air.send(self._answer(node, len(value), came, ended))

        radio = self._radio()
        question = transmission(radio, node, len(parameter), execute, asked, radio.encrypts)
        question.options = options & OPTION_EXTENDED_TIMEOUT
        self._air.send(question)

    def discover(
        self,
        nodes: Iterable[tuple[Module, float]],
        options: int,
        name: bytes,
        found: Callable[[NodeDescription], None],
    ) -> None:
        """Ask nodes who they are; see `IMedium.discover`.

        @param nodes: who is asked, and for how many seconds each waits before it answers.
        """
        delays = dict(nodes)

        def answer(node: Module) -> None:
            if not node.listening:
                return
            description = node.description(options)
            came: list[None] = []

            def back() -> None:
                if not came:
                    came.append(None)
                    found(description)

            size = len(description.to_bytes())
            self._air.send(self._answer(node, size, back, _nobody_asks))

        def asked(node: Module) -> None:
            if not name or node.identifier == name:
                self._time.call_later(delays[node], answer, node)

        self._air.send(
            Transmission(
                self._radio(),
                {node: partial(asked, node) for node in delays},
                len(name),
                _nobody_asks,
                broadcast=True,
            )
        )

    def _answer(
        self,
        node: Module,
        size: int,
        arrived: Callable[[], object],
        finished: Callable[[TxResult], object],
    ) -> Transmission:
        radio = self._radio()
        return transmission(node, radio, size, arrived, finished, radio.encrypts)


def transmission(
    sender: IStation,
    receiver: IStation,
    size: int,
    arrived: Callable[[], object],
    finished: Callable[[TxResult], object],
    encrypted: bool,
) -> Transmission:
    """Make the transmission of one packet to one module."""
    return Transmission(sender, {receiver: arrived}, size, finished, encrypted=encrypted)


def _nobody_asks(fate: TxResult) -> None:
    """Nobody waits for the end of this transmission."""
