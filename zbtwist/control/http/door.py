"""The door of the control port: which requests need a user, and how they say who it is.

There is one door, before everything: what is not public needs a login, whatever it is and however
it is asked for. Programs send a name and a password (Basic) with each request. The console sends
them once, to ``/login``, and gets a token, which it keeps in the page's memory and sends in a
header of its own (Bearer). No cookie is ever set: a browser sends those of one port to all ports of
a computer, and on the others here there are nodes. Where a page can set no header (WebSockets,
``/events``), a ticket stands in the address; it is good once, and not for long, since addresses end
up in logs.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from zbtwist.control.http.answers import header_of, not_found, text_answer
from zbtwist.control.http.login import Login, Refused
from zbtwist.control.http.tokens import TICKET_LIFE, TOKEN_LIFE, Tokens
from zbtwist.control.http.users import EVERYBODY, NOBODY, User, set_user

#: What anybody may GET: the page, which must be there to log in, and whether the radio answers.
PUBLIC = (b"", b"static", b"healthz")

#: What finds out by itself who asks.
OWN = (b"login", b"logout", b"ticket")

_BASIC = b'Basic realm="zbtwist", charset="UTF-8"'
# A browser would ask its reader by itself, and remember the answer for all pages there are.
_BEARER = b'Bearer realm="zbtwist"'

#: In which the console says it: the usual header has what a proxy in front wants to know.
_OWN_HEADER = b"zbtwist-authorization"

_SAY_WHO = (
    "Say who you are: send a name and a password (HTTP Basic). zbctl takes --user and "
    "--password-file."
)


class DoorSettings(Protocol):
    """What the door needs of the settings; see `zbtwist.config.settings.Settings`."""

    @property
    def auth(self) -> Sequence[str]: ...
    @property
    def auth_read_only(self) -> Sequence[str]: ...
    @property
    def needs_login(self) -> bool: ...


class Door:
    """
    @ivar needs_login: whether anybody is asked.
    @ivar tokens: those of consoles.
    @ivar tickets: those of their streams.
    @ivar changed: what is called when users may be others than before.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, settings: DoorSettings | None = None) -> None:
        """
        @param settings: None lets everybody in.
        """
        self.needs_login = settings is not None and settings.needs_login
        self.login = Login(
            clock,
            settings.auth if settings is not None else (),
            settings.auth_read_only if settings is not None else (),
        )
        self.tokens = Tokens(clock, TOKEN_LIFE)
        self.tickets = Tokens(clock, TICKET_LIFE)
        self.changed: Sequence[Callable[[], None]] = ()

    def reconfigure(self, old: DoorSettings, new: DoorSettings) -> None:
        """Follow new settings, and files of users that have changed."""
        needed, self.needs_login = self.needs_login, new.needs_login
        if self.login.use(new.auth, new.auth_read_only) or self.needs_login > needed:
            self._ask_all_again()

    def mount(self, root: Resource) -> None:
        """Put ``/login``, ``/logout`` and ``/ticket`` beside the other interfaces."""
        root.putChild(b"login", _LoginPage(self))
        root.putChild(b"logout", _LogoutPage(self))
        root.putChild(b"ticket", _TicketPage(self))

    def resource_for(self, request: Request, find: Callable[[], IResource]) -> IResource:
        """Return what answers a request.

        @param find: returns what does when the request may come in.
        """
        if not self.needs_login:
            set_user(request, EVERYBODY)
            return find()
        first = request.postpath[0] if request.postpath else b""
        if first in OWN or (first in PUBLIC and request.method in (b"GET", b"HEAD")):
            set_user(request, NOBODY)
            return find()
        user = self.known(request) or self._by_ticket(request)
        if user is not None:
            set_user(request, user)
            return find()
        return _Waiting(self, find)

    def known(self, request: Request) -> User | None:
        """Return the user of a request that needs not be waited for; None if there is none."""
        if self.login.look():
            self._ask_all_again()
        scheme, words = _authorization(request)
        if scheme == "bearer":
            return self.tokens.find(words)
        if scheme == "basic":
            pair = _basic(words)
            return self.login.known(*pair) if pair else None
        return None

    def _by_ticket(self, request: Request) -> User | None:
        said = (request.args or {}).get(b"ticket", []) if request.method == b"GET" else []
        return self.tickets.take(said[-1].decode("latin-1")) if said else None

    async def ask(self, request: Request) -> User:
        """Check the name and the password that a request brings.

        @raise Refused: it brings none, or wrong ones.
        """
        scheme, words = _authorization(request)
        pair = _basic(words) if scheme == "basic" else None
        if pair is None:
            raise Refused(
                http.UNAUTHORIZED,
                "The token is not known any more: log in again."
                if scheme == "bearer"
                else _SAY_WHO,
            )
        return await self.login.check(*pair, request.getClientAddress())

    def answer_when_asked(self, request: Request, enter: Callable[[User], None]) -> int:
        """Check who asks, and go on with that, or refuse the request.

        @param enter: answers it.
        @return: what `Resource.render` returns then.
        """
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)

        async def answer() -> None:
            try:
                user = await self.ask(request)
            except Refused as refused:
                if not gone:
                    _finish(request, _refuse(request, refused))
                return
            if not gone:
                enter(user)

        Deferred.fromCoroutine(answer()).addErrback(
            lambda failure: self.log.failure("A login could not be answered", failure=failure)
        )
        return NOT_DONE_YET

    def _ask_all_again(self) -> None:
        self.tokens.clear()
        self.tickets.clear()
        for end in self.changed:
            end()


def _authorization(request: Request) -> tuple[str, str]:
    said = header_of(request, _OWN_HEADER)
    is_of_page = said or (request.prepath or [])[:1] == [b"login"]
    scheme, _, words = (said or header_of(request, b"authorization")).strip().partition(" ")
    scheme = scheme.lower()
    if scheme == "basic" and _is_browser(request) and not is_of_page:
        # The browser sends by itself what it remembers for a proxy in front. As a password of a
        # user here it would be a wrong one each time, until nobody behind that proxy may log in.
        return "", ""
    return scheme, words.strip()


def _basic(words: str) -> tuple[bytes, bytes] | None:
    try:
        name, colon, password = b64decode(words, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if colon else None


def _is_browser(request: Request) -> bool:
    return bool(request.getHeader(b"sec-fetch-mode") or request.getHeader(b"origin"))


def _refuse(request: Request, refused: Refused) -> bytes:
    """Set up the answer for somebody who is not let in, and return its body."""
    code = refused.code
    if refused.code == http.UNAUTHORIZED:
        # Not all browsers say that they are, nor does each proxy pass it on.
        is_console = request.getHeader(_OWN_HEADER) is not None
        is_page = is_console or _is_browser(request)
        request.setHeader(b"www-authenticate", _BEARER if is_page else _BASIC)
        if is_console:
            # After 401 the browser would forget the password that a proxy in front wants.
            code = http.FORBIDDEN
    if refused.wait:
        request.setHeader(b"retry-after", b"%d" % max(1, round(refused.wait)))
    return text_answer(request, code, refused.sentence)


def _finish(request: Request, body: bytes) -> None:
    if request.method != b"HEAD":
        request.setHeader(b"content-length", b"%d" % len(body))
    request.write(body)
    request.finish()


class _Waiting(Resource):
    """Answers a request when it is known who asks."""

    isLeaf = True

    def __init__(self, door: Door, find: Callable[[], IResource]) -> None:
        super().__init__()
        self._door = door
        self._find = find

    def render(self, request: Request) -> int:
        def enter(user: User) -> None:
            set_user(request, user)
            request.render(self._find())

        return self._door.answer_when_asked(request, enter)


class _OwnPage(Resource):
    """An address that finds out by itself who asks. It takes POSTs of this gateway's own page, and
    of programs.
    """

    def __init__(self, door: Door) -> None:
        super().__init__()
        self._door = door

    def getChild(self, path: bytes, request: Request) -> IResource:
        return not_found(request)

    def render(self, request: Request) -> bytes | int:
        if request.method != b"POST":
            request.setHeader(b"allow", b"POST")
            return text_answer(request, http.NOT_ALLOWED, "This answers POST only.")
        return self.post(request)

    def post(self, request: Request) -> bytes | int:
        """Answer it."""
        raise NotImplementedError

    def tell(self, request: Request, user: User, **more: str) -> bytes:
        """Answer with who it is, and more."""
        request.setHeader(b"content-type", b"application/json")
        told: dict[str, Any] = {"user": user.name, "read_only": not user.may_change, **more}
        return json.dumps(told).encode()


class _LoginPage(_OwnPage):
    """Gives a token for a name and a password."""

    def post(self, request: Request) -> bytes | int:
        door = self._door
        if not door.needs_login:
            return self.tell(request, EVERYBODY, token="")

        def enter(user: User) -> None:
            _finish(request, self.tell(request, user, token=door.tokens.issue(user)))

        return door.answer_when_asked(request, enter)


class _TicketPage(_OwnPage):
    """Gives a ticket for a token; an empty one where none is needed."""

    def post(self, request: Request) -> bytes | int:
        door = self._door
        if not door.needs_login:
            return self.tell(request, EVERYBODY, ticket="")
        user = door.known(request)
        if user is not None:
            return self.tell(request, user, ticket=door.tickets.issue(user))

        def enter(user: User) -> None:
            _finish(request, self.tell(request, user, ticket=door.tickets.issue(user)))

        return door.answer_when_asked(request, enter)


class _LogoutPage(_OwnPage):
    """Forgets a token."""

    def post(self, request: Request) -> bytes:
        scheme, words = _authorization(request)
        if scheme == "bearer":
            self._door.tokens.take(words)
        return self.tell(request, NOBODY)
