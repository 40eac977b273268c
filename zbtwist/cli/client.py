"""Asking a gateway: one call over XML-RPC, and what is said when it does not work.

It trusts no text that comes from there: names are chosen by whoever set up a radio.
"""

from __future__ import annotations

import re
import socket
import ssl
import xmlrpc.client
from base64 import b64encode
from dataclasses import dataclass, field
from http.client import INTERNAL_SERVER_ERROR, OK, HTTPConnection, HTTPSConnection
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

import click

from zbtwist import __version__
from zbtwist.control import DEFAULT_PORT
from zbtwist.control.faults import MAY_CUT_OFF, NO_SUCH_METHOD

#: Where a gateway is, if nobody says.
DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}/RPC2"

#: Seconds to wait for an answer, if nobody says; a search of a large network takes long.
TIMEOUT = 30.0
DISCOVERY_TIMEOUT = 300.0
#: Of a table of settings too, which a node that sleeps tells slowly.
SETTINGS_TIMEOUT = 660.0
#: A test of the way to a node that sleeps goes on for 120, and its last packet may take as long.
TEST_TIMEOUT = 300.0
#: Seconds to wait while somebody waits for a completion, and for a number beside a progress bar.
SHORT_TIMEOUT = 1.0
PROGRESS_TIMEOUT = 5.0

#: Bytes that are read of what is said with an HTTP status.
MAX_SAID = 1000

#: And for an answer to the question whether it is TLS that is spoken there.
TLS_TIMEOUT = 5.0

Row = dict[str, Any]

#: What it means that a gateway answers with some HTTP statuses.
_NOT_LET_IN = {
    401: "does not know this user or this password: check --user and --password-file, or "
    "ZBCTL_USER and ZBCTL_PASSWORD",
    429: "has had too many wrong passwords from here: try again in a minute",
}

#: How OpenSSL calls it that what comes is no TLS.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")


def clean(text: str) -> str:
    """Return the text in one line, and without what could move a terminal's cursor."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)


class Failure(click.ClickException):
    """What ends a command: a sentence on stderr, and an exit code."""

    def __init__(self, sentence: str) -> None:
        super().__init__(clean(sentence))

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"zbctl: {self.message}", file=file, err=file is None)


class Refused(Failure):
    """The gateway said no."""

    exit_code = 1


class Unsure(Refused):
    """The gateway wants to be told that this is meant."""


class Unreachable(Failure):
    """There is no gateway, or it does not answer."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, and by what the gateway is known.

    @ivar user: empty if the gateway asks nobody, or the URL says it.
    @ivar authorities: path of the PEM file with the certificate of a private CA; empty for those
        that the system trusts.
    @ivar certificate: path of that with the own certificate and its key; empty for none.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    authorities: str = ""
    certificate: str = ""

    def authorization(self) -> list[tuple[str, str]]:
        """Return the header that says who asks."""
        if not self.user:
            return []
        words = b64encode(f"{self.user}:{self.password}".encode()).decode()
        return [("Authorization", f"Basic {words}")]

    def context(self) -> ssl.SSLContext:
        """Return what makes TLS.

        @raise Failure: a file is not what it should be.
        """
        try:
            context = ssl.create_default_context(cafile=self.authorities or None)
            if self.certificate:
                context.load_cert_chain(self.certificate)
        except (OSError, ValueError) as error:
            names = " or ".join(filter(None, (self.authorities, self.certificate)))
            reason = getattr(error, "strerror", None) or error
            raise Failure(f"{names} cannot be used as a certificate: {reason}.") from None
        return context


class _Transport(xmlrpc.client.Transport):
    """Python's own transport, but it does not wait for ever, says who asks, and keeps what is said
    with an HTTP status.

    @ivar said: that, if it is a text; empty if it is none.
    """

    def __init__(self, is_encrypted: bool, timeout: float, identity: Identity) -> None:
        super().__init__(use_builtin_types=True)
        self._is_encrypted = is_encrypted
        self._timeout = timeout
        self._identity = identity
        self.said = ""

    def single_request(
        self, host: Any, handler: str, request_body: Any, verbose: bool = False
    ) -> Any:
        try:
            response = self.send_request(host, handler, request_body, verbose).getresponse()
            if response.status == OK:
                self.verbose = verbose
                return self.parse_response(response)
            if response.getheader("content-type", "").startswith("text/plain"):
                self.said = response.read(MAX_SAID).decode(errors="replace").strip()
        except xmlrpc.client.Fault:
            raise
        except Exception:
            self.close()
            raise
        self.close()
        headers = dict(response.getheaders())
        raise xmlrpc.client.ProtocolError(host + handler, response.status, response.reason, headers)

    def make_connection(self, host: Any) -> HTTPConnection:
        name, of_url, _ = self.get_host_info(host)
        self._extra_headers = self._identity.authorization() or of_url
        connection: HTTPConnection
        if self._is_encrypted:
            context = self._identity.context()
            connection = HTTPSConnection(name, timeout=self._timeout, context=context)
        else:
            connection = HTTPConnection(name, timeout=self._timeout)
        # Where close() looks for it.
        self._connection = host, connection
        return connection


_NOBODY = Identity()


class Gateway:
    """A gateway's control API."""

    def __init__(self, url: str, timeout: float = TIMEOUT, identity: Identity = _NOBODY) -> None:
        """
        @param url: as `parse_url` returns it.
        @param timeout: seconds to wait for an answer.
        @param identity: who asks.
        """
        self._url = url
        self._timeout = timeout
        self._identity = identity
        parts = urlsplit(url)
        self._is_encrypted = parts.scheme == "https"
        # Without a password, if there is one.
        self._shown = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def call(self, method: str, *arguments: object) -> Any:
        """Call a method; each call has a connection of its own.

        @raise Failure: the gateway said no, or could not be asked.
        """
        transport = _Transport(self._is_encrypted, self._timeout, self._identity)
        try:
            with xmlrpc.client.ServerProxy(self._url, transport) as server:
                return getattr(server, method)(*arguments)
        except Failure:
            raise
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == NO_SUCH_METHOD:
                raise Refused(
                    f"The gateway at {self._shown} cannot do that: it is another version than this "
                    f"zbctl, {__version__} (zbctl status says which). Use the zbctl that came with "
                    "it."
                ) from None
            kind = Unsure if fault.faultCode == MAY_CUT_OFF else Refused
            raise kind(in_own_words(str(fault.faultString))) from None
        except TimeoutError:
            raise Unreachable(
                f"Nothing answered at {self._shown} within {self._timeout:g} s. "
                "Check --url, or wait longer with --timeout."
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(
                f"What answers at {self._shown} cannot show that it is your gateway "
                f"({error.verify_message}). If its certificate is of a CA of your own, name that "
                "with --ca or ZBCTL_CA."
            ) from None
        except (OSError, UnicodeError) as error:
            self._look_for_tls(error)
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unreachable(
                f"No gateway answers at {self._shown} ({reason}). "
                "Check that it runs, and --url or ZBCTL_URL."
            ) from None
        except xmlrpc.client.ProtocolError as error:
            if error.errcode in _NOT_LET_IN:
                raise Refused(f"{self._shown} {_NOT_LET_IN[error.errcode]}.") from None
            if error.errcode == INTERNAL_SERVER_ERROR and transport.said:
                raise Refused(f"The gateway at {self._shown} says: {transport.said}") from None
            raise Unreachable(
                f"{self._shown} answers with HTTP {error.errcode} ({error.errmsg}). "
                "A gateway's control interface is at /RPC2; check --url."
            ) from None
        except Exception:
            # The library has no one exception for an answer that it cannot read.
            raise Unreachable(
                f"What answers at {self._shown} is no gateway: it does not speak XML-RPC. "
                "Check --url."
            ) from None

    def _look_for_tls(self, error: Exception) -> None:
        """
        @param error: what ended a call.
        @raise Unreachable: the URL says TLS, and the other end does not seem to speak it, or the
            other way round.
        """
        if isinstance(error, ssl.SSLEOFError) or (
            isinstance(error, ssl.SSLError) and error.reason in _NO_TLS
        ):
            raise Unreachable(
                f"What answers at {self._shown} does not seem to speak TLS. "
                "If it is your gateway, use http:// in --url or ZBCTL_URL."
            ) from None
        if isinstance(error, ConnectionResetError) and not self._is_encrypted and self._wants_tls():
            raise Unreachable(
                f"What answers at {self._shown} seems to speak TLS. "
                "If it is your gateway, use https:// in --url or ZBCTL_URL."
            ) from None

    def _wants_tls(self) -> bool:
        """Begin TLS with who has hung up on plain HTTP; say nothing in it."""
        parts = urlsplit(self._url)
        timeout = min(self._timeout, TLS_TIMEOUT)
        try:
            with (
                socket.create_connection((parts.hostname, parts.port or 80), timeout) as plain,
                ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname),
            ):
                return True
        except ssl.SSLCertVerificationError:
            return True
        except (OSError, ValueError):
            return False

    def rows(self, method: str, *arguments: object) -> list[Row]:
        """Call a method that returns an array of structs."""
        answer = self.call(method, *arguments)
        if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
            raise self._senseless(method)
        return answer

    def struct(self, method: str, *arguments: object) -> Row:
        """Call a method that returns a struct."""
        answer = self.call(method, *arguments)
        if not isinstance(answer, dict):
            raise self._senseless(method)
        return answer

    def _senseless(self, method: str) -> Failure:
        return Unreachable(
            f"What answers at {self._shown} is no gateway: its answer to {method} makes no sense. "
            "Check --url."
        )


#: What the gateway says for programs that call it, and how zbctl says the same.
_OWN_WORDS = (
    (re.compile(r"\b(list|discover|stats|trace|status|frames|clients)\(\)"), r"zbctl \1"),
    (re.compile(r"\bget_temperatures\(\)"), "zbctl temperatures"),
    (re.compile(r"\buse discover instead"), "use zbctl discover instead"),
    (re.compile(r"\bremove that mapping first\b"), "unbind that node first"),
    (re.compile(r"\bremove a mapping\b"), "unbind a node"),
    (re.compile(r"\bCall again with sure if that is meant"), "Say --yes if that is meant"),
    (re.compile(r"\bwith at\(\)"), "with zbctl at"),
    (re.compile(r"\bcall set_pin\(\) with make_output"), "add --make-output"),
)


def in_own_words(sentence: str) -> str:
    """Return what the gateway said, with the commands of zbctl in place of the API's calls."""
    for pattern, replacement in _OWN_WORDS:
        sentence = pattern.sub(replacement, sentence)
    return sentence


def parse_url(text: str) -> str:
    """Return the URL of a control API.

    @param text: ``HOST``, ``HOST:PORT``, or a URL. A host alone means port 27000; a URL means the
        port that it says, and ``/RPC2`` if it has no path.
    @raise ValueError: it is none of these.
    """
    is_url = "//" in text
    if text.count(":") > 1 and not is_url and not text.startswith("["):
        text = f"[{text}]"
    parts = urlsplit(text if is_url else f"http://{text}")
    netloc = parts.netloc
    if parts.scheme not in ("http", "https") or not parts.hostname or not _is_one_word(text):
        raise ValueError("no HOST, HOST:PORT or http:// URL")
    if parts.port is None and not is_url:
        netloc = f"{netloc.rstrip(':')}:{DEFAULT_PORT}"
    return urlunsplit((parts.scheme, netloc, parts.path or "/RPC2", parts.query, ""))


def _is_one_word(text: str) -> bool:
    return text.isprintable() and " " not in text
