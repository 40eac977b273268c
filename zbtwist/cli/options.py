"""What stands on the command line: shared options, and what each argument may be."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import click
from click.shell_completion import CompletionItem

from zbtwist.cli.client import (
    DEFAULT_URL,
    DISCOVERY_TIMEOUT,
    SETTINGS_TIMEOUT,
    SHORT_TIMEOUT,
    TIMEOUT,
    Failure,
    Gateway,
    Identity,
    Row,
    parse_url,
)
from zbtwist.cli.words import address_of, called, text_of

#: The exit code after Control-C.
INTERRUPTED = 130

#: Characters of a password that are read.
MAX_PASSWORD = 1024


@dataclass(slots=True)
class Session:
    """What the options say that every command has."""

    url: str = DEFAULT_URL
    timeout: float | None = None
    as_json: bool = False
    user: str = ""
    password_file: str = ""
    ca: str = ""
    certificate: str = ""
    _identity: Identity | None = None

    def gateway(self, timeout: float = TIMEOUT) -> Gateway:
        """
        @param timeout: seconds to wait for an answer, if the user did not say.
        """
        return self.gateway_within(self.timeout or timeout)

    def gateway_within(self, timeout: float) -> Gateway:
        """
        @param timeout: seconds to wait for an answer, whatever the user said.
        """
        return Gateway(self.url, timeout, self.identity())

    def identity(self, may_ask: bool = True) -> Identity:
        """Return who asks.

        @param may_ask: whether a person may be asked for the password that nobody has said.
        """
        if self._identity is None:
            user = self.user or os.environ.get("ZBCTL_USER", "")
            password = self._password(may_ask) if user else ""
            self._identity = Identity(
                user,
                password,
                self.ca or os.environ.get("ZBCTL_CA", ""),
                self.certificate or os.environ.get("ZBCTL_CERTIFICATE", ""),
            )
        return self._identity

    def _password(self, may_ask: bool) -> str:
        """
        @raise Failure: there is none.
        """
        path = self.password_file
        if not path and "ZBCTL_PASSWORD" in os.environ:
            return os.environ["ZBCTL_PASSWORD"]
        path = path or os.environ.get("ZBCTL_PASSWORD_FILE", "")
        if path:
            try:
                with open(path, encoding="utf-8") as file:
                    return file.readline(MAX_PASSWORD).rstrip("\r\n")
            except (OSError, UnicodeError) as error:
                reason = getattr(error, "strerror", None) or "it is no text"
                raise Failure(f"The password cannot be read from {path}: {reason}.") from None
        if may_ask and sys.stdin.isatty():
            return str(click.prompt("Password", hide_input=True, err=True))
        raise Failure("--user needs a password: --password-file names a file that has it.")

    def show(self, answer: object, show: Callable[[], object]) -> None:
        """Print an answer as JSON if that is asked for, else let `show` do it."""
        if self.as_json:
            print_json(answer, indent=2)
        else:
            show()


#: What is said where nobody can be asked.
SAY_YES = "Say --yes if that is meant."


def _is_somebody_there() -> bool:
    return sys.stdin.isatty()


def ask_first(sentence: str, is_sure: bool) -> None:
    """Ask a person before something is done that may not be undone.

    @param sentence: what may happen.
    @param is_sure: it was said already, with --yes.
    @raise Failure: there is nobody to ask.
    @raise click.Abort: no.
    """
    if is_sure:
        return
    if not _is_somebody_there():
        raise Failure(f"{sentence} {SAY_YES}")
    click.echo(sentence, err=True)
    click.confirm("Do it?", abort=True, err=True)


#: The option that says it beforehand.
sure_option = click.option(
    "--yes", "-y", "is_sure", is_flag=True, help="Do not ask before what may cut a node off."
)


def print_json(value: object, indent: int | None = None) -> None:
    click.echo(json.dumps(value, indent=indent, default=str))


class URL(click.ParamType):  # type: ignore[type-arg]  # generic only in later versions
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


class _Seconds(click.ParamType):  # type: ignore[type-arg]  # generic only in later versions
    name = "seconds"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        # Which nan is not.
        if not 0 < seconds <= 86400:
            self.fail(f"{value!r} is no number of seconds up to 86400.", param, ctx)
        return seconds


class Words(click.ParamType):  # type: ignore[type-arg]  # generic only in later versions
    """Text that goes to the gateway."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value.isprintable():
            self.fail(f"{value!r} has characters that cannot be sent.", param, ctx)
        return value


class NodeName(Words):
    """An address or a name; the shell completes both from what the gateway knows."""

    name = "node"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            session = ctx.ensure_object(Session)
            identity = session.identity(may_ask=False)
            rows = Gateway(session.url, SHORT_TIMEOUT, identity).rows("list")
        except click.ClickException:
            # There is no place for a message on a half-written line.
            return []
        return [item for row in rows for item in _completions(row, incomplete)]


class NodeOrPort(NodeName):
    """One word of `zbctl bind`."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        before = ctx.params.get(param.name or "") or ()
        if len(before) % 2:
            return []
        return super().shell_complete(ctx, param, incomplete)


def _completions(row: Row, incomplete: str) -> Iterable[CompletionItem]:
    names = dict.fromkeys(filter(None, (text_of(row, "name"), text_of(row, "label"))))
    address = address_of(row)
    # Shells split at blanks and have their own mind about other characters.
    simple = [name for name in names if re.fullmatch(r"[\w.+-]+", name)]
    for name in simple:
        if name.startswith(incomplete):
            yield CompletionItem(name, help=address)
    # bash splits at colons, so they are written only to somebody who wrote one.
    form = address if ":" in incomplete else address.replace(":", "")
    if (incomplete or not simple) and form.startswith(incomplete.lower()):
        yield CompletionItem(form, help=called(row))


#: Digits of a decimal number as the value of an AT command. The longest values have 16 bytes.
MAX_DIGITS = 40


class ATValue(click.ParamType):  # type: ignore[type-arg]  # generic only in later versions
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
            # Python refuses to read some that go on.
            if len(value) > MAX_DIGITS:
                self.fail(
                    f"a number of {len(value)} digits is no AT command's; if it is a text, write "
                    f"text: before it.",
                    param,
                    ctx,
                )
            return int(value)
        if re.fullmatch(r"0[xX][0-9a-fA-F]+", value):
            return int(value, 16)
        return Words().convert(rest if kind == "text" else value, param, ctx)


def _store(ctx: click.Context, option: click.Parameter, value: object) -> None:
    if value and option.name:
        setattr(ctx.ensure_object(Session), option.name, value)


def _shared_options(envvar: str | None = None) -> list[click.Parameter]:
    """Return the options that may stand before a command's name and after it.

    @param envvar: the variable that says the URL.
    """
    return [
        click.Option(
            ["--url"],
            type=URL(),
            metavar="URL",
            envvar=envvar,
            expose_value=False,
            callback=_store,
            help="Where the gateway is: HOST, HOST:PORT or a URL; "
            f"ZBCTL_URL, or {DEFAULT_URL}, if it is left out.",
        ),
        click.Option(
            ["--timeout"],
            type=_Seconds(),
            metavar="SECONDS",
            expose_value=False,
            callback=_store,
            help=f"How long to wait for an answer: {TIMEOUT:g} by default, "
            f"{DISCOVERY_TIMEOUT:g} for discover and test, {SETTINGS_TIMEOUT:g} for settings.",
        ),
        click.Option(
            ["--user"],
            metavar="NAME",
            expose_value=False,
            callback=_store,
            help="Who asks, where the gateway wants to know; ZBCTL_USER if it is left out.",
        ),
        click.Option(
            ["--password-file"],
            metavar="FILE",
            expose_value=False,
            callback=_store,
            help="File whose first line is the password; ZBCTL_PASSWORD or ZBCTL_PASSWORD_FILE if "
            "it is left out, else you are asked.",
        ),
        click.Option(
            ["--ca"],
            metavar="FILE",
            expose_value=False,
            callback=_store,
            help="Certificate (PEM) of the CA that signed the gateway's; ZBCTL_CA, or what the "
            "system trusts, if it is left out.",
        ),
        click.Option(
            ["--certificate"],
            metavar="FILE",
            expose_value=False,
            callback=_store,
            help="Your own certificate and its key (PEM), where the gateway wants one; "
            "ZBCTL_CERTIFICATE if it is left out.",
        ),
        click.Option(
            ["--json", "as_json"],
            is_flag=True,
            expose_value=False,
            callback=_store,
            help="Print JSON for programs instead of a table.",
        ),
    ]


def misuse(sentence: str) -> click.UsageError:
    """Return what ends a command that was written wrongly."""
    return click.UsageError(sentence, click.get_current_context())


class Command(click.Command):
    """
    @ivar operations: the operations of the control API that it asks for.
    """

    def __init__(self, *arguments: Any, operations: Sequence[str], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.operations = operations
        self.params += _shared_options()


class Commands(click.Group):
    """All commands; whatever goes wrong is one line, and an exit code."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        is_part = more.pop("is_part", False)
        super().__init__(*arguments, **more)
        # The variable counts once: what stands before the name of a part is said later.
        self.params += _shared_options(envvar=None if is_part else "ZBCTL_URL")

    def asking(
        self, *operations: str, name: str | None = None, short_help: str | None = None
    ) -> Callable[[Callable[..., None]], click.Command]:
        """Return what makes a function a command. It is called with the `Session`, and with what
        its own arguments and options are.

        @param operations: those of the control API that it asks for.
        @param name: of the command; None is that of the function.
        """

        def make(function: Callable[..., None]) -> click.Command:
            command = self.command(name, cls=Command, operations=operations, short_help=short_help)
            return command(_with_session(function))

        return make

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


_with_session = click.make_pass_decorator(Session, ensure=True)
