"""zbctl: the control API for people, and for shell scripts.

Each command is one call over XML-RPC, shown as a table, or as JSON just as the gateway answered. It
knows nothing of a gateway but its control API, so it can run on another computer, and it trusts no
text that comes from there: names are chosen by whoever set up a radio.

A table never wraps. Of its columns those that matter least are left out, and the texts that may be
cut are cut, until a row fits the terminal.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http.client import HTTPConnection, HTTPSConnection
from threading import Thread
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import click
from click.shell_completion import CompletionItem
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from zbtwist import __version__
from zbtwist.control import DEFAULT_PORT
from zbtwist.control.faults import NO_SUCH_METHOD
from zbtwist.xbee.at import encode_value
from zbtwist.xbee.devices import product_name

#: Where a gateway is, if nobody says.
DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}/RPC2"

#: Seconds to wait for an answer, if nobody says; a search of a large network takes long.
TIMEOUT = 30.0
DISCOVERY_TIMEOUT = 300.0
#: Seconds to wait while somebody waits for a completion, and for a number beside a progress bar.
SHORT_TIMEOUT = 1.0
PROGRESS_TIMEOUT = 5.0

#: Seconds between two looks: at the nodes found so far, and at new events.
PROGRESS_INTERVAL = 0.5
FOLLOW_INTERVAL = 1.0

#: The exit code after Control-C.
INTERRUPTED = 130

#: How many of the reasons why nodes have no port are told below a list.
MAX_REASONS = 10

#: Columns of output that is no terminal: as many as it takes.
_UNLIMITED = 10_000

Row = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])


class Failure(click.ClickException):
    """What ends a command: a sentence on stderr, and an exit code."""

    def __init__(self, sentence: str) -> None:
        super().__init__(clean(sentence))

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"zbctl: {self.message}", file=file, err=file is None)


class Refused(Failure):
    """The gateway said no."""

    exit_code = 1


class Unreachable(Failure):
    """There is no gateway, or it does not answer."""

    exit_code = 3


# --- asking the gateway ------------------------------------------------------------------------


class _Transport(xmlrpc.client.Transport):
    """Python's own transport, but it does not wait for ever."""

    def __init__(self, connect: type[HTTPConnection], timeout: float) -> None:
        super().__init__(use_builtin_types=True)
        self._connect = connect
        self._timeout = timeout

    def make_connection(self, host: Any) -> HTTPConnection:
        name, self._extra_headers, _ = self.get_host_info(host)
        connection = self._connect(name, timeout=self._timeout)
        # Where close() looks for it.
        self._connection = host, connection
        return connection


class Gateway:
    """A gateway's control API."""

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        """
        @param url: as `parse_url` returns it.
        @param timeout: seconds to wait for an answer.
        """
        self._url = url
        self._timeout = timeout
        parts = urlsplit(url)
        self._connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        # Without a password, if there is one.
        self._shown = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def call(self, method: str, *arguments: object) -> Any:
        """Call a method; each call has a connection of its own.

        @raise Failure: the gateway said no, or could not be asked.
        """
        transport = _Transport(self._connect, self._timeout)
        try:
            with xmlrpc.client.ServerProxy(self._url, transport) as server:
                return getattr(server, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == NO_SUCH_METHOD:
                raise Refused(
                    f"The gateway at {self._shown} cannot do that: it is another version than this "
                    f"zbctl, {__version__} (zbctl status says which). Use the zbctl that came with "
                    "it."
                ) from None
            raise Refused(in_own_words(str(fault.faultString))) from None
        except TimeoutError:
            raise Unreachable(
                f"Nothing answered at {self._shown} within {self._timeout:g} s. "
                "Check --url, or wait longer with --timeout."
            ) from None
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unreachable(
                f"No gateway answers at {self._shown} ({reason}). "
                "Check that it runs, and --url or ZBCTL_URL."
            ) from None
        except xmlrpc.client.ProtocolError as error:
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
    (re.compile(r"\b(list|discover|stats|trace|status|frames)\(\)"), r"zbctl \1"),
    (re.compile(r"\bget_temperatures\(\)"), "zbctl temperatures"),
    (re.compile(r"\buse discover instead"), "use zbctl discover instead"),
    (re.compile(r"\bremove that mapping first\b"), "unbind that node first"),
    (re.compile(r"\bremove a mapping\b"), "unbind a node"),
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


# --- words -------------------------------------------------------------------------------------


def clean(text: str) -> str:
    """Return the text in one line, and without what could move a terminal's cursor."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)


def _text(row: Row, key: str) -> str:
    value = row.get(key)
    return clean(value) if isinstance(value, str) else ""


def _number(row: Row, key: str) -> float:
    value = row.get(key)
    return value if isinstance(value, (int, float)) else 0


def _address(row: Row, key: str = "addr_extended") -> str:
    return _text(row, key).strip("[]!")


def _called(row: Row) -> str:
    """Return what a person calls the node: the name of the configuration, or its own."""
    return _text(row, "name") or _text(row, "label")


def _name(row: Row) -> str:
    return _called(row) or _address(row)


def _port(row: Row) -> str:
    return f"{_number(row, 'tcp_port'):.0f}" if row.get("tcp_port") else "-"


def _type(row: Row) -> str:
    return _text(row, "type") or "-"


def _device(row: Row) -> str:
    text = _text(row, "device_type")
    try:
        return product_name(int(text, 16)) or text
    except ValueError:
        return text or "-"


def _state(row: Row) -> str:
    return _text(row, "state") or "-"


def _state_style(row: Row) -> str:
    return {"listening": "", "unbound": "dim"}.get(_text(row, "state"), "red")


def _last_seen(row: Row) -> str:
    seen = _number(row, "last_seen")
    # The clocks of two computers differ.
    return f"{_duration(max(0.0, time.time() - seen))} ago" if seen else "never"


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _amount(key: str) -> Callable[[Row], str]:
    """Return what shows a counter in at most five characters."""

    def show(row: Row) -> str:
        value = _number(row, key)
        if value < 10_000:
            return f"{value:.0f}"
        for unit in "kMGTP":
            value /= 1000
            if value < 99.95:
                return f"{value:.3g}{unit}"
            if value < 999.5:
                break
        return f"{value:.0f}{unit}"

    return show


def _moment(row: Row) -> str:
    try:
        return f"{datetime.fromtimestamp(_number(row, 'time')):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "at no known time"


def _at_answer(answer: object) -> dict[str, object]:
    """Return the value of an AT command and its type, as JSON can say them."""
    if isinstance(answer, bytes):
        return {"type": "bytes", "value": answer.hex()}
    if isinstance(answer, (int, float)):
        # A number beyond 32 bits came as a double.
        return {"type": "int", "value": int(answer)}
    return {"type": "string", "value": str(answer)}


def _at_line(answer: dict[str, object]) -> str:
    value = answer["value"]
    if isinstance(value, int):
        return f"{value}  {value:#x}"
    # What was set, or done, often has an empty answer.
    return clean(str(value)) or "OK"


# --- tables ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """
    @ivar rank: a column of a higher rank is left out sooner.
    @ivar least: how many characters must stay of a longer text; 0 if it is not to be cut.
    @ivar is_number: written to the right.
    @ivar key: the column is left out if no row tells this; "" if it is always there.
    """

    heading: str
    show: Callable[[Row], str]
    rank: int
    least: int = 0
    is_number: bool = False
    key: str = ""
    style: Callable[[Row], str] = lambda row: ""


NODE_COLUMNS = (
    Column("name", lambda row: _called(row) or "-", 0, least=12),
    Column("address", _address, 1),
    Column("port", _port, 2, is_number=True),
    Column("state", _state, 4, key="state", style=_state_style),
    Column("type", _type, 3),
    # The node's own, where the configuration has another; commands take both.
    Column("label", lambda row: _text(row, "label") or "-", 5, least=10, key="name"),
    Column("device", _device, 6, least=10),
    Column("last heard", _last_seen, 7, is_number=True, key="last_seen"),
    Column("short", lambda row: _address(row, "addr_short") or "-", 8),
    Column("parent", lambda row: _address(row, "addr_parent") or "-", 9),
)

TEMPERATURE_COLUMNS = (
    Column("name", lambda row: _called(row) or "-", 0, least=12),
    Column("address", _address, 1),
    Column("°C", lambda row: f"{_number(row, 'temperature'):.1f}", 0, is_number=True),
)

STATS_COLUMNS = (
    # Addresses that are cut look all the same.
    Column("node", _name, 0, least=len("00:13:a2:00:40:0a:3e:ff")),
    Column("port", _port, 1, is_number=True),
    Column("clients", _amount("clients"), 5, is_number=True),
    Column("bytes in", _amount("bytes_in"), 2, is_number=True),
    Column("bytes out", _amount("bytes_out"), 3, is_number=True),
    Column("lost", _amount("bytes_lost"), 4, is_number=True),
    Column("last heard", _last_seen, 6, is_number=True, key="last_seen"),
    Column("failures", _amount("failures"), 7, is_number=True),
    Column("retries", _amount("retries"), 8, is_number=True),
    Column("packets in", _amount("packets_in"), 9, is_number=True),
    Column("packets out", _amount("packets_out"), 10, is_number=True),
    Column("unread", _amount("bytes_unread"), 11, is_number=True),
    Column("address", _address, 12),
)

_GAP = 2


def fit(
    columns: Sequence[Column], rows: Sequence[Row], width: int
) -> list[tuple[Column, int, list[str]]]:
    """Choose the columns that fit into `width` characters.

    @return: each column in its place, its width, and its texts; some may be longer than that.
    """
    columns = [c for c in columns if not c.key or any(row.get(c.key) for row in rows)]
    texts = {column: [column.show(row) for row in rows] for column in columns}
    full = {
        column: max(map(cell_len, [column.heading, *texts[column]]), default=0)
        for column in columns
    }
    widths = {
        column: min(full[column], column.least or full[column])
        for column in sorted(columns, key=lambda column: column.rank)
    }

    def room() -> int:
        return width - sum(widths.values()) - _GAP * (len(widths) - 1)

    while room() < 0 and len(widths) > 1:
        widths.popitem()
    for column in widths:
        widths[column] += max(0, min(room(), full[column] - widths[column]))
    return [(column, widths[column], texts[column]) for column in columns if column in widths]


def show_table(console: Console, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table with a line for each row."""
    chosen = fit(columns, rows, console.width)
    headings = [Text(column.heading, style="bold") for column, _, _ in chosen]
    cells = [
        [Text(text, style=column.style(row)) for text, row in zip(texts, rows)]
        for column, _, texts in chosen
    ]
    for line in (headings, *zip(*cells)):
        for cell, (column, width, _) in zip(line, chosen):
            cell.truncate(width, overflow="ellipsis")
            cell.align("right" if column.is_number else "left", width)
        whole = Text(" " * _GAP).join(line)
        whole.rstrip()
        console.print(whole, no_wrap=True, overflow="crop")


def _console() -> Console:
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        # Nothing is cut for the program at the other end of a pipe.
        console.width = _UNLIMITED
    return console


def _show_nodes(rows: list[Row]) -> None:
    console = _console()
    if not rows:
        console.print("No node is known yet; zbctl discover searches for them.")
        return
    show_table(console, NODE_COLUMNS, rows)
    reasons = [f"{_name(row)}: {_text(row, 'state_text')}" for row in rows if row.get("state_text")]
    for reason in reasons[:MAX_REASONS]:
        console.print(Text(reason), soft_wrap=True)
    if len(reasons) > MAX_REASONS:
        console.print(f"{len(reasons) - MAX_REASONS} more; zbctl list --json has them all.")


# --- the command line --------------------------------------------------------------------------


@dataclass(slots=True)
class Session:
    """What the options say that every command has."""

    url: str = DEFAULT_URL
    timeout: float | None = None
    as_json: bool = False

    def gateway(self, timeout: float = TIMEOUT) -> Gateway:
        """
        @param timeout: seconds to wait for an answer, if the user did not say.
        """
        return Gateway(self.url, self.timeout or timeout)

    def show(self, answer: object, show: Callable[[], object]) -> None:
        """Print an answer as JSON if that is asked for, else let `show` do it."""
        if self.as_json:
            _print_json(answer, indent=2)
        else:
            show()


def _print_json(value: object, indent: int | None = None) -> None:
    click.echo(json.dumps(value, indent=indent, default=str))


class _URL(click.ParamType):  # type: ignore[type-arg]  # generic only in later versions
    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return parse_url(value)
        except ValueError:
            self.fail(
                f"{value!r} is not an address of a gateway: write HOST, HOST:PORT, or a URL "
                f"such as {DEFAULT_URL}.",
                param,
                ctx,
            )


class _Words(click.ParamType):  # type: ignore[type-arg]  # generic only in later versions
    """Text that goes to the gateway."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value.isprintable():
            self.fail(f"{value!r} has characters that cannot be sent.", param, ctx)
        return value


class _Node(_Words):
    """An address or a name; the shell completes both from what the gateway knows."""

    name = "node"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            rows = Gateway(ctx.ensure_object(Session).url, SHORT_TIMEOUT).rows("list")
        except click.ClickException:
            # There is no place for a message on a half-written line.
            return []
        return [item for row in rows for item in _completions(row, incomplete)]


class _NodeOrPort(_Node):
    """One word of `zbctl bind`."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        before = ctx.params.get(param.name or "") or ()
        if len(before) % 2:
            return []
        return super().shell_complete(ctx, param, incomplete)


def _completions(row: Row, incomplete: str) -> Iterable[CompletionItem]:
    names = dict.fromkeys(filter(None, (_text(row, "name"), _text(row, "label"))))
    address = _address(row)
    # Shells split at blanks and have their own mind about other characters.
    simple = [name for name in names if re.fullmatch(r"[\w.+-]+", name)]
    for name in simple:
        if name.startswith(incomplete):
            yield CompletionItem(name, help=address)
    # bash splits at colons, so they are written only to somebody who wrote one.
    form = address if ":" in incomplete else address.replace(":", "")
    if (incomplete or not simple) and form.startswith(incomplete.lower()):
        yield CompletionItem(form, help=_called(row))


class _Value(click.ParamType):  # type: ignore[type-arg]  # generic only in later versions
    """A value for an AT command."""

    name = "value"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str | bytes:
        kind, _, rest = value.partition(":")
        if kind == "hex":
            try:
                return bytes.fromhex(rest)
            except ValueError:
                self.fail(f"{rest!r} is not an even number of hexadecimal digits.", param, ctx)
        if re.fullmatch(r"[0-9]+", value):
            return int(value)
        if re.fullmatch(r"0[xX][0-9a-fA-F]+", value):
            return int(value, 16)
        return _Words().convert(rest if kind == "text" else value, param, ctx)


def _store(ctx: click.Context, option: click.Parameter, value: object) -> None:
    if value and option.name:
        setattr(ctx.ensure_object(Session), option.name, value)


def _shared_options(envvar: str | None = None) -> Callable[[F], F]:
    """Return what adds the options that may stand before a command's name and after it."""

    def decorate(function: F) -> F:
        for option in (
            click.option(
                "--json",
                "as_json",
                is_flag=True,
                expose_value=False,
                callback=_store,
                help="Print JSON for programs instead of a table.",
            ),
            click.option(
                "--timeout",
                type=click.FloatRange(0, 86400, min_open=True),
                metavar="SECONDS",
                expose_value=False,
                callback=_store,
                help=f"How long to wait for an answer: {TIMEOUT:g} by default, "
                f"{DISCOVERY_TIMEOUT:g} for discover.",
            ),
            click.option(
                "--url",
                type=_URL(),
                metavar="URL",
                envvar=envvar,
                expose_value=False,
                callback=_store,
                help="Where the gateway is: HOST, HOST:PORT or a URL; "
                f"ZBCTL_URL, or {DEFAULT_URL}, if it is left out.",
            ),
        ):
            function = option(function)
        return function

    return decorate


class _Commands(click.Group):
    """All commands; whatever goes wrong is one line, and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        run = partial(super().main, args, prog_name, complete_var, standalone_mode=False, **extra)
        if not standalone_mode:
            return run()
        try:
            status: object = run()
            sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx else "zbctl"
            sentence = error.format_message().rstrip(".")
            click.echo(f"zbctl: {sentence}; see {command} --help.", err=True)
            sys.exit(error.exit_code)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            sys.exit(INTERRUPTED)
        except OSError as error:
            # Nobody reads any more, or the disk is full. Python must not say so again at its end.
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
            if error.errno != errno.EPIPE:
                click.echo(f"zbctl: The output cannot be written: {error.strerror}.", err=True)
            sys.exit(1)
        sys.exit(status if isinstance(status, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(err=True)
            ctx.exit(INTERRUPTED)


with_session = click.make_pass_decorator(Session, ensure=True)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A NODE is a 64-bit address in any form, or the name of just one node. Exit codes: "
    f"0 done, {Refused.exit_code} the gateway said no, 2 a wrong command line, "
    f"{Unreachable.exit_code} no gateway answers, {INTERRUPTED} interrupted.",
)
@click.version_option(__version__, prog_name="zbctl", message="%(prog)s %(version)s")
@_shared_options(envvar="ZBCTL_URL")
def main() -> None:
    """Ask and tell a zbtwist gateway: which node has which TCP port, and how it goes."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows few characters gets question marks, not a traceback.
        with suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


@main.command("list")
@_shared_options()
@with_session
def list_nodes(session: Session) -> None:
    """List the known nodes and their ports."""
    rows = session.gateway().rows("list")
    session.show(rows, lambda: _show_nodes(rows))


@main.command()
@_shared_options()
@with_session
def discover(session: Session) -> None:
    """Search the network, and list all nodes then."""
    gateway = session.gateway(DISCOVERY_TIMEOUT)
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    if console.is_terminal:
        rows = _discover_visibly(console, gateway, Gateway(session.url, PROGRESS_TIMEOUT))
    else:
        rows = gateway.rows("discover")
    session.show(rows, lambda: _show_nodes(rows))


def _discover_visibly(console: Console, gateway: Gateway, observer: Gateway) -> list[Row]:
    """Search with a progress bar. How long a search takes is the radio's to know."""
    search: Future[list[Row]] = Future()

    def run() -> None:
        try:
            search.set_result(gateway.rows("discover"))
        except BaseException as error:
            search.set_exception(error)

    # Not a pool's: those would be waited for after Control-C.
    Thread(target=run, daemon=True).start()
    with Progress(
        TextColumn("Searching"),
        BarColumn(20),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task("", total=None)
        while True:
            # At first as well: a search may be over sooner than anybody looks again.
            with suppress(click.ClickException):
                count = len(observer.rows("list"))
                progress.update(task, description=f"{count} node{'s' * (count != 1)} known")
            if wait([search], PROGRESS_INTERVAL).done:
                break
    return search.result()


@main.command()
@_shared_options()
@with_session
def temperatures(session: Session) -> None:
    """Ask every node that can measure for its temperature."""
    rows = session.gateway().rows("get_temperatures")
    if rows or session.as_json:
        session.show(rows, lambda: show_table(_console(), TEMPERATURE_COLUMNS, rows))
    else:
        click.echo("No node told a temperature.")


@main.command(short_help="Give nodes their TCP ports.")
@click.argument(
    "pairs", nargs=-1, required=True, type=_NodeOrPort(), metavar="NODE PORT [NODE PORT]..."
)
@_shared_options()
@click.pass_context
@with_session
def bind(session: Session, ctx: click.Context, pairs: tuple[str, ...]) -> None:
    """Give each NODE the TCP port PORT from now on, also after a restart.

    Several are bound all or none. A port that another node has must be freed first, with unbind.
    """
    nodes, words = pairs[::2], pairs[1::2]
    if len(nodes) > len(words):
        raise click.UsageError(f"Write a PORT after each NODE; {nodes[-1]!r} has none.", ctx)
    for word in words:
        if not re.fullmatch("[0-9]{1,5}", word) or not 1 <= int(word) <= 65535:
            raise click.UsageError(f"A PORT is a number from 1 to 65535, not {word!r}.", ctx)
    mappings = [(node, int(word)) for node, word in zip(nodes, words)]
    if len(mappings) == 1:
        answer = session.gateway().call("create_mapping", *mappings[0])
    else:
        answer = session.gateway().call("bind_using_list", mappings)
    lines = "\n".join(f"{node} has port {number} now." for node, number in mappings)
    session.show(answer, lambda: click.echo(lines))


@main.command(short_help="Take a node's TCP port away.")
@click.argument("node", type=_Node())
@_shared_options()
@with_session
def unbind(session: Session, node: str) -> None:
    """Close the port of NODE and forget that it was the node's.

    The node has none until bind gives it one, or a discover finds it again.
    """
    answer = session.gateway().call("remove_mapping", node)
    session.show(answer, lambda: click.echo(f"{node} has no port now."))


@main.command(short_help="Give a node another name.")
@click.argument("node", type=_Node())
@click.argument("label", type=_Words())
@_shared_options()
@with_session
def rename(session: Session, node: str, label: str) -> None:
    """Write LABEL to NODE as its node identifier (NI), to stay in its flash memory."""
    answer = session.gateway().call("rename", node, label)
    session.show(answer, lambda: click.echo(f"{node} is called {label} now."))


@main.command(short_help="Read or set an AT command of a node.")
@click.argument("node", type=_Node())
@click.argument("command", type=_Words())
@click.argument("value", type=_Value(), required=False)
@_shared_options()
@click.pass_context
@with_session
def at(
    session: Session,
    ctx: click.Context,
    node: str,
    command: str,
    value: int | str | bytes | None,
) -> None:
    """Read the AT command COMMAND of NODE, or set it to VALUE.

    NODE is "radio" (or empty) for the local radio. VALUE is a decimal number, a hexadecimal one
    (0x1F), bytes (hex:0011ff), or text; text:42 is the text 42.
    """
    command = command.upper()
    if isinstance(value, int) and value > xmlrpc.client.MAXINT:
        # XML-RPC has no number as large.
        try:
            value = encode_value(command, value)
        except ValueError as error:
            raise click.UsageError(f"{error}.", ctx) from None
    arguments = [] if value is None else [value]
    address = "" if node == "radio" else node
    answer = _at_answer(session.gateway().call("at", address, command, *arguments))
    session.show(answer, lambda: click.echo(_at_line(answer)))


@main.command()
@_shared_options()
@with_session
def status(session: Session) -> None:
    """Say how the gateway and its radio are."""
    answer = session.gateway().struct("status")
    session.show(answer, lambda: _show_status(answer))


def _show_status(answer: Row) -> None:
    console = _console()
    longest = max((cell_len(clean(key)) for key in answer), default=0)
    for key, value in answer.items():
        if key == "uptime":
            shown = _duration(_number(answer, key))
        elif isinstance(value, float):
            shown = f"{value:g}"
        else:
            shown = clean(str(value))
        if shown:
            line = Text(clean(key.replace("_", " ")).ljust(longest + _GAP))
            line.append(shown, style="red" if (key, value) == ("link", "down") else "")
            console.print(line, soft_wrap=True)


@main.command()
@_shared_options()
@with_session
def stats(session: Session) -> None:
    """Show what went to and from each node."""
    rows = session.gateway().rows("stats")
    if rows or session.as_json:
        session.show(rows, lambda: show_table(_console(), STATS_COLUMNS, rows))
    else:
        click.echo("No node is known yet; zbctl discover searches for them.")


@main.command(short_help="Show the gateway's last events, and frames.")
@click.argument("node", type=_Node(), required=False)
@click.option(
    "--since",
    type=click.IntRange(0, xmlrpc.client.MAXINT),
    metavar="SEQ",
    default=0,
    help="Only the events after the one with this number.",
)
@click.option("--follow", "-f", is_flag=True, help="Go on with new events, until Control-C.")
@click.option(
    "--only",
    type=click.Choice(["log", "frames"]),
    help="Only the events of the log, or only the frames.",
)
@click.option(
    "--frames",
    type=click.Choice(["on", "off"]),
    help="Have the gateway trace frames from now on, or no more.",
)
@_shared_options()
@click.pass_context
@with_session
def trace(
    session: Session,
    ctx: click.Context,
    node: str | None,
    since: int,
    follow: bool,
    only: str | None,
    frames: str | None,
) -> None:
    """Show the gateway's last events: joins, bindings, clients, failures.

    With --frames, switch the tracing of frames, of all nodes or of NODE; while it is on, each frame
    is an event as well. It stays on until it is switched off, or the gateway restarts.
    """
    gateway = session.gateway()
    switched = (frames == "on", *([node] if node else []))
    if frames is not None:
        answer = gateway.struct("frames", *switched)
        if not follow:
            session.show(answer, lambda: click.echo(_tracing_text(answer)))
            return
    elif node:
        raise click.UsageError("A NODE is for --frames; write --frames on or off.", ctx)
    if follow:
        _follow(session, gateway, since, only, switched if frames == "on" else ())
        return
    events = gateway.rows("trace", since)
    if session.as_json:
        _print_json(_chosen(events, only), indent=2)
    else:
        _tell_gaps(events, since)
        _show_events(_chosen(events, only))


def _tracing_text(answer: Row) -> str:
    """Say what is traced."""
    nodes = answer.get("nodes")
    addresses = [clean(str(node)).strip("[]!") for node in nodes] if isinstance(nodes, list) else []
    if answer.get("all"):
        who = "The frames of all nodes are"
    elif len(addresses) == 1:
        who = f"The frames of {addresses[0]} are"
    elif addresses:
        who = f"The frames of {len(addresses)} nodes ({', '.join(addresses[:3])}, …) are"
    else:
        return "No frames are traced now."
    return f"{who} traced now; zbctl trace --follow shows them."


def _chosen(events: list[Row], only: str | None) -> list[Row]:
    if only is None:
        return events
    return [event for event in events if (_text(event, "kind") == "frame") == (only == "frames")]


def _follow(
    session: Session,
    gateway: Gateway,
    since: int,
    only: str | None,
    switched: tuple[object, ...],
) -> None:
    """Show events as they come, for ever; a gateway that restarts is waited for.

    Each question asks for the last event that is known once more: if it is another one by now, the
    numbers are those of another run.

    @param switched: what to tell another run of the gateway about frames; empty for nothing.
    """
    last: Row | None = None
    was_there = is_away = False
    while True:
        try:
            events = gateway.rows("trace", since if last is None else since - 1)
            if last is not None:
                events, is_new_run = _after(last, events)
                if is_new_run:
                    events = gateway.rows("trace", 0)
                    last, since = None, 0
                    click.echo("zbctl: the gateway was restarted.", err=True)
                    if switched:
                        gateway.struct("frames", *switched)
        except Unreachable as error:
            if not was_there:
                raise
            if not is_away:
                click.echo(f"zbctl: {error.message} It is waited for.", err=True)
            is_away = True
        else:
            was_there, is_away = True, False
            if session.as_json:
                for event in _chosen(events, only):
                    _print_json(event)
            else:
                _tell_gaps(events, since)
                _show_events(_chosen(events, only))
            if events:
                last = events[-1]
                since = _seq(last)
        sys.stdout.flush()
        time.sleep(FOLLOW_INTERVAL)


def _seq(event: Row) -> int:
    return int(_number(event, "seq"))


def _after(last: Row, events: list[Row]) -> tuple[list[Row], bool]:
    """
    @param events: what the gateway has from `last` on.
    @return: what came after that, and whether the events are of another run of the gateway.
    """
    if not events or _seq(events[0]) < _seq(last):
        return [], True
    if _seq(events[0]) > _seq(last):
        # It is forgotten, as are perhaps some that followed it.
        return events, False
    return events[1:], events[0] != last


def _tell_gaps(events: list[Row], since: int) -> None:
    """Say on stderr what is missing after `since`; before it nobody asked."""
    if not events:
        return
    first = _seq(events[0])
    if first <= since:
        click.echo("zbctl: the gateway was restarted.", err=True)
        since = 0
    if since and first > since + 1:
        click.echo(f"zbctl: {first - since - 1} events before these are forgotten.", err=True)
    missing = _seq(events[-1]) - first + 1 - len(events)
    if missing > 0:
        click.echo(f"zbctl: {missing} frames among these are forgotten.", err=True)


_LEVEL_STYLES = {"warn": "yellow", "error": "red", "critical": "bold red", "debug": "dim"}


def _show_events(events: list[Row]) -> None:
    console = _console()
    for event in events:
        level = _text(event, "level")
        shown = "frame" if _text(event, "kind") == "frame" else level
        line = Text(f"{_number(event, 'seq'):5.0f}  {_moment(event)}  ")
        line.append(f"{shown:<8}  ", style=_LEVEL_STYLES.get(level, ""))
        line.append(_text(event, "text"))
        console.print(line, soft_wrap=True)


if __name__ == "__main__":
    main(prog_name="zbctl")
