"""Whether a broker would take this client: a connection that says nothing, and ends at once."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory

from zbtwist.mqtt.endpoint import FileError, endpoint_of, password_of
from zbtwist.mqtt.failures import why_not_connected
from zbtwist.mqtt.outbox import Counters
from zbtwist.mqtt.owner import Ending, Login, Owner
from zbtwist.mqtt.protocol import Connection
from zbtwist.mqtt.service import CONNECT_TIMEOUT
from zbtwist.mqtt.settings import MQTTSettings
from zbtwist.runtime.one_try import connect_within


class _Trial(Owner):
    """Waits for what the broker says first.

    @ivar said: fires with an empty text if it takes this client, and with why it does not.
    @ivar over: fires when the connection has ended.
    """

    def __init__(self) -> None:
        self.said: Deferred[str] = Deferred()
        self.over: Deferred[None] = Deferred()

    def opened(self) -> None:
        self.said.callback("")

    def ended(self, ending: Ending) -> None:
        if not self.said.called:
            self.said.callback(ending.why)
        self.over.callback(None)


class _Factory(Factory):
    noisy = False

    def __init__(self, reactor: Any, login: Login) -> None:
        self._reactor, self._login = reactor, login

    def buildProtocol(self, addr: object) -> Connection:
        return Connection(self._reactor, self._login, _Trial(), Counters())


async def why_not_taken(reactor: Any, settings: MQTTSettings) -> str:
    """Connect to a broker, by a client id that nobody else has, since a broker ends the other
    connection of the same; and leave it.

    @return: why it is not to be had, a clause; empty if it is.
    @raise CancelledError: the try was given up.
    """
    try:
        login = Login(
            f"check-{token_hex(8)}",
            settings.user,
            password_of(settings),
            settings.keepalive,
            will=None,
        )
        endpoint = endpoint_of(reactor, settings)
        connection: Any = await connect_within(
            CONNECT_TIMEOUT, reactor, endpoint, _Factory(reactor, login)
        )
    except CancelledError:
        raise
    except FileError as error:
        return f"{error.option} {error}".rstrip(".")
    except Exception as error:
        return why_not_connected(error)
    trial = connection.owner
    try:
        why: str = await trial.said
        return why
    finally:
        connection.close()
        await trial.over
