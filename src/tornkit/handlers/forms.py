"""Forms, queries and JSON bodies into pydantic models; what is wrong into `FormError`."""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import msgspec
from pydantic import AliasChoices, BaseModel, ValidationError
from tornado.web import HTTPError

from tornkit.errors import FieldError, FormError
from tornkit.handlers.negotiation import is_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails
    from tornado.httputil import HTTPServerRequest

    Model = TypeVar("Model", bound=BaseModel)

__all__ = ["parse_form", "parse_json", "parse_query"]

_SEVERAL = (list, set, frozenset, tuple)
# Databases refuse it, each in its own way, long after this.
_NUL = "This holds a NUL character."
_MAX_ERRORS = 100  # a hostile body of a million bad items must not become a page of them


def parse_form(request: HTTPServerRequest, model: type[Model]) -> Model:
    """Return a urlencoded, multipart or JSON body as ``model``."""
    if is_json(request.headers.get("Content-Type", "")):
        return parse_json(request, model)
    return _validate(model, request.body_arguments)


def parse_query(request: HTTPServerRequest, model: type[Model]) -> Model:
    """Return the query string as ``model``."""
    return _validate(model, request.query_arguments)


def parse_json(request: HTTPServerRequest, model: type[Model]) -> Model:
    """Return a JSON body as ``model``."""
    # Without a type too: another site's page may send such a body without asking first.
    if not is_json(request.headers.get("Content-Type", "")):
        raise HTTPError(415, "expected a JSON body")
    if b"\\u0000" in request.body and _holds_nul(_loads(request.body)):
        raise FormError(message=_NUL)
    try:
        return model.model_validate_json(request.body)
    except ValidationError as invalid:
        details = invalid.errors(include_url=False, include_context=False, include_input=False)
        if details[0]["type"] == "json_invalid":
            raise HTTPError(400, "the body is not JSON: %s", details[0]["msg"]) from None
        raise _form_error(details, {}) from None


def _validate(model: type[Model], arguments: Mapping[str, list[bytes]]) -> Model:
    lists = _lists_of(model)
    values: dict[str, object] = {}
    spoilt: list[str] = []
    for name, given in arguments.items():
        filled = [_text(value) for value in given if value]
        if filled:
            values[name] = filled if name in lists else filled[-1]
            if any("\0" in value for value in filled):
                spoilt.append(name)
    if spoilt:
        raise FormError([FieldError(name, _NUL, "nul") for name in spoilt[:_MAX_ERRORS]])
    try:
        return model.model_validate(values)
    except ValidationError as invalid:
        details = invalid.errors(include_url=False, include_context=False, include_input=False)
        shown = {name: value for name, value in values.items() if "password" not in name.lower()}
        raise _form_error(details, shown) from None


_lists: WeakKeyDictionary[type[BaseModel], frozenset[str]] = WeakKeyDictionary()


def _lists_of(model: type[BaseModel]) -> frozenset[str]:
    """Return the keys under which a model takes several values."""
    known = _lists.get(model)
    if known is None:
        known = frozenset(
            key
            for name, field in model.model_fields.items()
            if _takes_several(field.annotation)
            for key in _keys(name, field)
        )
        if model.__pydantic_complete__:  # otherwise its annotations may still be texts
            _lists[model] = known
    return known


def _keys(name: str, field: FieldInfo) -> list[str]:
    """Return the keys under which a field may be sent; which of them count is pydantic's."""
    alias = field.validation_alias or field.alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return [name, *(choice for choice in choices if isinstance(choice, str))]


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise HTTPError(400, "a form field is not valid UTF-8") from None


def _loads(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None  # whatever is wrong, pydantic says it


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(map(_holds_nul, value))


def _takes_several(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_takes_several(part) for part in typing.get_args(annotation))
    if origin is typing.Annotated:
        return _takes_several(typing.get_args(annotation)[0])
    return origin in _SEVERAL or annotation in _SEVERAL


def _form_error(details: list[ErrorDetails], values: Mapping[str, object]) -> FormError:
    return FormError(
        [
            FieldError(
                field=".".join(str(part) for part in detail["loc"]),
                message=_message(detail),
                type=detail["type"],
            )
            for detail in details[:_MAX_ERRORS]
        ],
        values,
    )


def _message(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "This field is required."
    text = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return text if text.endswith((".", "!", "?")) else f"{text}."
