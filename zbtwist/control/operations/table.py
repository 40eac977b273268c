"""The table of operations: what is published of a method that is marked as one.

All of it follows from the method. Its type hints are the signatures, against which arguments are
checked before it is called; its docstring is the help; an ``async`` one may take longer than the
moment. Every face of the gateway (XML-RPC, the console's calls) looks an operation up in a table
by its name, and has it done by `Operation.call`.

Types are called as in XML-RPC, whose words the documentation has, whatever the wire format is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import product
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from zbtwist.control.faults import GATEWAY_FAILED, ControlFault, bad_request, shown

_MARK = "_zbtwist_operation"

#: How many types of a client's arguments are told to it. It may send thousands.
_SHOWN_TYPES = 10

_TYPES: dict[type, str] = {
    list: "array",
    Sequence: "array",
    bytes: "base64",
    bool: "boolean",
    datetime: "dateTime.iso8601",
    float: "double",
    int: "int",
    str: "string",
    dict: "struct",
}

F = TypeVar("F", bound=Callable[..., object])
T = TypeVar("T")

log = Logger()


class Harmless(Enum):
    """When an operation changes nothing and reaches no node, so that who may only look may call
    it.
    """

    NEVER = "never"
    WITHOUT_ARGUMENTS = "without arguments"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    @ivar types: what an argument may be, in the order of the hint.
    @ivar is_optional: whether it may be left out.
    @ivar default: what it is then.
    """

    name: str
    types: tuple[str, ...]
    is_optional: bool
    default: object = None


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the structs that an operation returns.

    @ivar text: what it says, in reStructuredText.
    """

    name: str
    types: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, as it is published.

    @ivar name: how programs call it.
    @ivar attribute: how the method is called that does it.
    @ivar text: what it does, in reStructuredText.
    @ivar parameters: what it takes.
    @ivar results: the types of what it returns.
    @ivar keys: what is in the struct, or in each struct of the array, that it returns; empty if it
        returns none.
    @ivar signatures: every way in which it may be called: the type of the result, then those of the
        arguments, as ``system.methodSignature`` has them.
    @ivar may_wait: whether it may take longer than the moment.
    @ivar changes: whether a page of the console may show something else after it.
    @ivar harmless: when a user who may only look may call it; see `Harmless`.
    @ivar page: how the console's page calls it; empty if it does not.
    @ivar ends_with_asker: it is ended when nobody waits for it any more.
    @ivar takes_request: whether the method is given the HTTP request before the arguments, as
        `twisted.web.xmlrpc.withRequest` says.
    """

    name: str
    attribute: str
    text: str
    parameters: tuple[Parameter, ...]
    results: tuple[str, ...]
    keys: tuple[Key, ...]
    signatures: tuple[tuple[str, ...], ...]
    may_wait: bool
    changes: bool
    harmless: Harmless
    page: str
    ends_with_asker: bool
    takes_request: bool

    @property
    def help(self) -> str:
        """What it does, in plain text for people."""
        lines = [self.text, "", f"Returns {self.returned}{':' if self.keys else '.'}"]
        lines += [f"{key.name} ({' or '.join(key.types)}): {key.text}." for key in self.keys]
        return "\n".join(lines).replace("``", "")

    @property
    def returned(self) -> str:
        """What it returns, for a sentence."""
        if not self.keys:
            return " or ".join(self.results)
        return "an array of structs" if self.results == ("array",) else "a struct"

    def is_harmless(self, arguments: Sequence[object]) -> bool:
        """Whether a call with these arguments changes nothing and reaches no node."""
        return self.harmless is Harmless.ALWAYS or (
            self.harmless is Harmless.WITHOUT_ARGUMENTS and not arguments
        )

    def check(self, arguments: Sequence[object]) -> None:
        """
        @raise ControlFault: with `BAD_REQUEST`, if no signature allows these arguments.
        """
        if any(_fits(arguments, signature[1:]) for signature in self.signatures):
            return
        # Signatures may differ in their results only.
        ways = dict.fromkeys(_in_brackets(signature[1:]) for signature in self.signatures)
        raise bad_request(f"{self.name} takes {' or '.join(ways)}, not {shown_types(arguments)}.")

    def arranged(self, named: Mapping[str, object]) -> list[object]:
        """Return named arguments in their order, as they are called with.

        @raise ControlFault: with `BAD_REQUEST`, if one is missing, or is none of this operation's.
        """
        names = [parameter.name for parameter in self.parameters]
        strange = sorted(named.keys() - set(names))
        if strange:
            takes = f"takes {', '.join(names)}" if names else "takes none"
            raise bad_request(f"{self.name} has no argument {shown(strange[0])}: it {takes}.")
        arguments: list[object] = []
        left = len(named)
        for parameter in self.parameters:
            if not left:
                break
            if parameter.name in named:
                left -= 1
                arguments.append(named[parameter.name])
            elif not parameter.is_optional or parameter.default is None:
                raise bad_request(f"{self.name} lacks its argument {parameter.name}.")
            else:
                arguments.append(parameter.default)
        return arguments

    async def call(
        self,
        owner: object,
        arguments: Sequence[object],
        told: Callable[[Any], T],
        *first: object,
    ) -> T:
        """Have it done.

        @param owner: whose method does it; it need not be of the class that the table was made of.
        @param arguments: as they came; they are checked.
        @param told: makes of the result what the caller is told.
        @param first: what the method is given before the arguments.
        @raise ControlFault: and nothing else. What should not have been raised is logged.
        """
        self.check(arguments)
        try:
            result = getattr(owner, self.attribute)(*first, *arguments)
            return told(await result if inspect.isawaitable(result) else result)
        except ControlFault:
            raise
        except CancelledError:
            raise ControlFault(GATEWAY_FAILED, f"{self.name} was given up: ask again.") from None
        except Exception:
            log.failure("The operation {name} failed", name=self.name)
            raise ControlFault(
                GATEWAY_FAILED,
                f"The gateway failed in {self.name}; look into its log for the reason.",
            ) from None


def operation(
    name: str,
    *,
    changes: bool = False,
    harmless: Harmless = Harmless.NEVER,
    page: str = "",
    ends_with_asker: bool = False,
) -> Callable[[F], F]:
    """Mark a method as an operation. It stays what it is, to be called as any other.

    Its docstring, in reStructuredText without links, is the help, down to the first line that
    begins with ``@``. Its hints must have a form in XML-RPC; None in a hint only means that the
    argument may be left out. What is in an array or a struct is the method's to check. A struct
    that is returned is a TypedDict, each key of which is Annotated with what it says.

    @param name: as `Operation.name`, as are the others.
    """

    def mark(method: F) -> F:
        published = {
            "name": name,
            "changes": changes,
            "harmless": harmless,
            "page": page,
            "ends_with_asker": ends_with_asker,
        }
        setattr(method, _MARK, published)
        return method

    return mark


def table_of(owner: type) -> dict[str, Operation]:
    """Return the operations of a class, with those of its bases, by their names.

    @raise TypeError: a hint has no form in XML-RPC, or a name stands there twice.
    """
    table: dict[str, Operation] = {}
    for base in owner.__mro__:
        for method in vars(base).values():
            if hasattr(method, _MARK):
                made = _made_of(method)
                if made.name in table:
                    raise TypeError(f"There are two operations {made.name}")
                table[made.name] = made
    return table


def _made_of(method: Callable[..., object]) -> Operation:
    hints = get_type_hints(method, include_extras=True)
    results = _types_of(hints["return"])
    takes_request = getattr(method, "withRequest", False)
    _, *arguments = inspect.signature(method).parameters.values()
    parameters = tuple(
        Parameter(
            one.name,
            _types_of(hints[one.name]),
            one.default is not one.empty,
            None if one.default is one.empty else one.default,
        )
        for one in arguments[takes_request:]
    )
    text, _, _ = f"\n{inspect.getdoc(method) or ''}".partition("\n@")
    return Operation(
        attribute=method.__name__,
        text=text.strip(),
        parameters=parameters,
        results=results,
        keys=tuple(_keys(hints["return"])),
        signatures=tuple(_signatures(parameters, results)),
        may_wait=inspect.iscoroutinefunction(method),
        takes_request=takes_request,
        **getattr(method, _MARK),
    )


def _keys(hint: Any) -> Iterable[Key]:
    if get_origin(hint) is list:
        (hint,) = get_args(hint)
    if is_typeddict(hint):
        for name, described in get_type_hints(hint, include_extras=True).items():
            yield Key(name, _types_of(described), described.__metadata__[0])


def _signatures(
    parameters: Sequence[Parameter], results: Sequence[str]
) -> Iterable[tuple[str, ...]]:
    least = sum(not parameter.is_optional for parameter in parameters)
    for count in range(least, len(parameters) + 1):
        for arguments in product(*(parameter.types for parameter in parameters[:count])):
            for result in results:
                yield (result, *arguments)


def _types_of(hint: Any) -> tuple[str, ...]:
    """Return how XML-RPC calls what a type hint allows.

    @raise TypeError: it has no name for that.
    """
    origin = get_origin(hint)
    if origin is Annotated:
        return _types_of(get_args(hint)[0])
    if origin in (Union, UnionType):
        return tuple(
            name for one in get_args(hint) if one is not NoneType for name in _types_of(one)
        )
    if is_typeddict(hint):
        return ("struct",)
    try:
        return (_TYPES[origin or hint],)
    except KeyError:
        raise TypeError(f"XML-RPC has no type for {hint!r}") from None


def _fits(arguments: Sequence[object], types: Sequence[str]) -> bool:
    return len(arguments) == len(types) and all(map(_is_a, arguments, types))


def _is_a(argument: object, type_name: str) -> bool:
    given = type_of(argument)
    return given == type_name or (given, type_name) == ("int", "double")


def type_of(argument: object) -> str:
    """Return how XML-RPC calls the type of a value: "nil" if it has none for it."""
    return _TYPES.get(type(argument), "nil")


def shown_types(arguments: Sequence[object]) -> str:
    """Return the types of values, for a sentence."""
    names = [type_of(argument) for argument in arguments[:_SHOWN_TYPES]]
    if len(arguments) > _SHOWN_TYPES:
        names.append("…")
    return _in_brackets(names)


def _in_brackets(types: Iterable[str]) -> str:
    return f"({', '.join(types)})"
