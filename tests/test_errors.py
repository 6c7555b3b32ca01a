"""The exception tree as it is drawn, and the registry of error codes."""

from __future__ import annotations

import re
import runpy
from typing import TYPE_CHECKING

import pytest

from tornkit import errors
from tornkit.errors import (
    AppError,
    DuplicateErrorCode,
    EmailTaken,
    ErrorCode,
    FieldError,
    FormError,
    WeakPassword,
)

if TYPE_CHECKING:
    from pathlib import Path


def drawn() -> dict[str, str | None]:
    """Return each class of the docstring's tree with the class that it hangs on."""
    parents: dict[str, str | None] = {"TornkitError": None}
    branch = ["TornkitError"]
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"    ((?:│   |    )*)[├└]── (\w+)", line):
            depth = len(found[1]) // 4 + 1
            parents[found[2]] = branch[depth - 1]
            branch[depth:] = [found[2]]
    return parents


def test_the_tree_is_drawn_as_it_is() -> None:
    classes = {
        name: each
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, errors.TornkitError)
    }
    actual = {
        name: None if each is errors.TornkitError else each.__bases__[0].__name__
        for name, each in classes.items()
    }
    assert drawn() == actual


def test_every_error_is_a_natural_builtin_too() -> None:
    for each in errors.TornkitError.__subclasses__():
        if each.__module__ == errors.__name__ and each is not AppError:
            assert len(each.__mro__) > 4, f"{each.__name__} inherits nothing but TornkitError"


def test_a_message_says_what_to_do_and_its_parts_can_be_asked_for() -> None:
    error = errors.DatabaseError("it is closed", hint="open it", file="a.py", line=3)
    assert str(error) == "it is closed; open it"
    assert (error.message, error.hint, error.file, error.line) == (
        "it is closed",
        "open it",
        "a.py",
        3,
    )
    assert str(errors.RouteNotFound("no route is called 'x'")) == "no route is called 'x'"


@pytest.mark.parametrize(("number", "status"), [(999, 400), (0, 400), (5000, 200), (5000, 600)])
def test_numbers_start_at_1000_and_statuses_are_errors(number: int, status: int) -> None:
    with pytest.raises(ValueError, match=str(number)):
        ErrorCode(number, "x", status_code=status)


def test_two_codes_of_one_number_are_refused_with_both_places(tmp_path: Path) -> None:
    file = tmp_path / "codes.py"
    file.write_text(
        "from tornkit import ErrorCode\n"
        "FULL = ErrorCode(98001, 'full')\n"
        "EMPTY = ErrorCode(98001, 'empty')\n"
    )
    before = list(errors._duplicates)
    runpy.run_path(str(file))
    try:
        with pytest.raises(DuplicateErrorCode) as refused:
            errors.check_error_codes()
    finally:
        errors._duplicates[:] = before
    assert f"{file}:2" in refused.value.message
    assert f"{file}:3" in refused.value.message
    assert (refused.value.file, refused.value.line) == (str(file), 3)


def test_a_file_that_is_imported_again_defines_its_codes_again(tmp_path: Path) -> None:
    file = tmp_path / "codes.py"
    file.write_text("from tornkit import ErrorCode\nFULL = ErrorCode(98002, 'full')\n")
    for _ in range(2):
        runpy.run_path(str(file))
    errors.check_error_codes()


def test_an_app_error_takes_code_or_status() -> None:
    full = ErrorCode(98003, "This course is full.", status_code=409)
    assert (AppError(full).number, AppError(full).status_code) == (98003, 409)
    assert AppError(full).message == "This course is full."
    assert AppError(full, "course 7").message == "course 7"
    assert (AppError(404).number, AppError(404).status_code) == (404, 404)


def test_a_form_error_holds_every_field() -> None:
    error = FormError([FieldError("age", "Too young.", "range")], {"age": "3"})
    assert (error.status_code, error.number) == (422, 422)
    assert error.errors[0].field == "age"
    assert error.values == {"age": "3"}


def test_what_is_refused_stands_beside_its_field() -> None:
    with (
        pytest.raises(FormError) as refused,
        FormError.beside(email=EmailTaken, password=WeakPassword),
    ):
        raise WeakPassword("It is too short", hint="for the log only")
    assert refused.value.errors == (FieldError("password", "It is too short.", "refused"),)
    assert isinstance(refused.value.__cause__, WeakPassword)


def test_a_field_can_be_refused_with_a_code_of_the_projects_own() -> None:
    taken = ErrorCode(90_777, "Somebody has it already.", 409)
    with (
        pytest.raises(FormError) as refused,
        FormError.beside(email=(EmailTaken, taken), password=WeakPassword),
    ):
        raise EmailTaken("a@b.example has an account already")
    error = refused.value
    assert (error.number, error.status_code, error.message) == (90_777, 409, taken.message)
    assert error.errors[0].field == "email"


@pytest.mark.parametrize("error", [EmailTaken("x"), KeyError("x"), FormError()], ids=repr)
def test_any_other_error_passes_the_block_beside_a_field(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, FormError.beside(password=WeakPassword):
        raise error
    assert raised.value is error
