"""The arguments of a job: JSON on the way, and what the annotations say where they arrive."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NotRequired, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from typing_extensions import TypedDict

from tornkit import encoding
from tornkit._text import did_you_mean, listing, printable
from tornkit.errors import BadArgument, EncodingError, TaskError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Arguments", "Results"]

_EMPTY: Final = inspect.Parameter.empty
_KEYWORDS: Final = inspect.Parameter.VAR_KEYWORD
_POSITIONALS: Final = inspect.Parameter.VAR_POSITIONAL


class Arguments:
    """What a function takes, as JSON that is checked on both ends.

    Args:
        function: whose arguments they are.
        name: what messages call it.
        skip: how many of its first parameters are no arguments.

    Raises:
        TaskError: an annotation that cannot be resolved, or that JSON cannot bring back.
    """

    def __init__(self, function: Callable[..., Any], *, name: str, skip: int = 0) -> None:
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())[skip:]
        self._signature = signature.replace(parameters=parameters)
        self._name = name
        kinds = {each.name: self._kind(function, each) for each in parameters}
        self._adapter = _adapter(kinds)

    def _kind(self, function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
        hint = _hint(function, parameter.name, f"task {self._name}")
        kind = _kind(parameter, hint)
        try:
            _adapter({parameter.name: kind})
        except PydanticUserError:
            shown = printable(getattr(hint, "__name__", hint))
            raise TaskError(
                f"task {self._name}: parameter {parameter.name!r} is a {shown}, which JSON cannot "
                "bring back",
                hint="pass an id, and load what it stands for inside the task",
            ) from None
        return kind

    def pack(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call as plain JSON values, by the names of the parameters.

        Raises:
            TypeError: the function is not called like this.
            BadArgument: a value is none of the parameter's, or JSON does not carry it.
        """
        try:
            given = self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"task {self._name}: {error}") from None
        try:
            text = encoding.encode(given)
        except EncodingError as error:
            raise BadArgument(
                f"task {self._name}: {error.message}",
                argument=error.key_path.partition(".")[0].partition("[")[0],
                hint=error.hint,
            ) from None
        self._check(text)
        packed: Any = encoding.decode(text)
        return dict(packed)

    def unpack(self, packed: Mapping[str, Any]) -> inspect.BoundArguments:
        """Return the arguments of a call from what `pack` made of them, perhaps long ago.

        Raises:
            BadArgument: the function does not take them any more.
        """
        given = self._check(encoding.encode(packed))
        bound = self._signature.bind_partial()
        for parameter in self._signature.parameters.values():
            if parameter.name in given:
                bound.arguments[parameter.name] = given[parameter.name]
        return bound

    def _check(self, text: bytes) -> dict[str, Any]:
        try:
            return self._adapter.validate_json(text, strict=True, by_alias=True, by_name=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        argument = str(first["loc"][0]) if first["loc"] else ""
        path = ".".join(map(str, first["loc"]))
        if first["type"] == "missing" and len(first["loc"]) == 1:
            problem, hint = f"argument {argument!r} is missing", ""
        elif first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
            known = self._signature.parameters
            problem = f"it takes no argument {printable(argument)!r}, but {listing(known)}"
            hint = did_you_mean(argument, known)
        else:
            problem = f"argument {printable(path)}: {first['msg'].rstrip('.')}"
            hint = ""
        raise BadArgument(f"task {self._name}: {problem}", argument=argument, hint=hint)


class Results:
    """What a function returns, brought back from JSON by its annotation."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._adapter: TypeAdapter[Any] | None = None
        with suppress(TaskError, PydanticUserError):  # then it is what JSON has
            self._adapter = TypeAdapter(_hint(function, "return", "a task"))

    def unpack(self, value: Any) -> Any:
        """Return a result as the function returned it, or as JSON has it.

        That is where nothing is annotated, or where it is no such thing any more.
        """
        if self._adapter is None:
            return value
        text = encoding.encode(value)
        try:
            return self._adapter.validate_json(text, strict=True, by_alias=True, by_name=True)
        except ValidationError:
            return value


class _Annotated:
    """What `get_type_hints` is asked about: one annotation of a function.

    The others may name what is imported for type checkers only, such as the context.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.__annotations__ = {name: function.__annotations__.get(name, Any)}


def _hint(function: Callable[..., Any], name: str, where: str) -> Any:
    try:
        return get_type_hints(
            _Annotated(function, name), function.__globals__, include_extras=True
        )[name]
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise TaskError(
            f"{where}: the annotation of {name!r} cannot be resolved: {printable(error)}",
            hint="import what it names where the file runs, not only under TYPE_CHECKING",
        ) from None


def _kind(parameter: inspect.Parameter, hint: Any) -> Any:
    if parameter.kind is _POSITIONALS:
        return NotRequired[tuple[hint, ...]]
    if parameter.kind is _KEYWORDS:
        return NotRequired[dict[str, hint]]
    return hint if parameter.default is _EMPTY else NotRequired[hint]


def _adapter(kinds: Mapping[str, Any]) -> TypeAdapter[dict[str, Any]]:
    make: Any = TypedDict  # made from what is known at run time only
    fields = make("Arguments", dict(kinds))
    fields.__pydantic_config__ = ConfigDict(extra="forbid", hide_input_in_errors=True)
    return TypeAdapter(fields)
