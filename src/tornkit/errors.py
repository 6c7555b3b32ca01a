"""The whole exception tree of tornkit, and the error codes that answers carry.

::

    TornkitError
    ├── AppError                     raised from anywhere below a handler; becomes the answer
    │   ├── FormError                a body or a query that does not validate (422)
    │   ├── PageError                a page that a list does not have (400, 404)
    │   └── TooManyRequests          somebody did something too often (429)
    ├── UserCodeError                a file of the project raised while it was imported
    ├── SettingsError                every bad setting of one load, at once
    ├── DiscoveryError               a module that cannot be mounted
    ├── RouteError                   a route that cannot be compiled, or two that collide
    │   └── RouteNotFound            no route has that name
    ├── DuplicateErrorCode           two error codes of one number
    ├── EncodingError                a value that JSON answers do not carry
    ├── TemplateError                a template that does not compile
    ├── AnswerError                  an answer given where none can be given
    ├── SessionError                 a session used where it cannot work
    │   └── StoreUnavailable         the store of sessions, limits or the cache does not answer
    ├── CacheError                   a cache used where or how it cannot work
    ├── DatabaseError                a database that cannot be used
    │   ├── UnknownDatabase          no bind of that name
    │   ├── MissingDriver            the driver of a scheme is not installed
    │   ├── ServiceError             another service says no, or gives no usable answer (502)
    │   ├── StaleData                a row was changed by somebody else meanwhile
    │   └── MigrationsPending        the database is older (or newer) than the code
    ├── DeadlineExceeded             what was waited for did not end in time
    ├── AccountError                 an account operation that was refused
    │   ├── UnknownRole              no module names that role
    │   ├── UnknownUser              no account has that e-mail address
    │   ├── EmailTaken               the address belongs to an account already
    │   ├── WeakPassword             a password that breaks a rule
    │   └── InvalidToken             a reset link that is used up, expired or none of ours
    ├── TaskError                    a task, or their queue, used where or how it cannot work
    │   ├── QueueUnavailable         the queue of tasks does not answer (503)
    │   ├── UnknownTask              no task has that name
    │   ├── UnknownJob               no job has that id, or no longer
    │   ├── BadArgument              a task is given what it does not take
    │   ├── TaskFailed               the result is asked for of a job that has failed
    │   └── TaskAborted              the job was aborted
    ├── MailError                    a message that cannot be sent
    ├── ScaffoldError                files that cannot be generated or removed
    │   └── BadName                  a name that cannot name a project, a module or a role
    └── StartError                   the application or its port cannot be had

Each class also inherits the natural builtin. A message says what was found, where, and
what to do; attributes carry the parts. ``exit_code`` is what the command line ends with.
"""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "AccountError",
    "AnswerError",
    "AppError",
    "BadArgument",
    "BadName",
    "CacheError",
    "DatabaseError",
    "DeadlineExceeded",
    "DiscoveryError",
    "DuplicateErrorCode",
    "EmailTaken",
    "EncodingError",
    "ErrorCode",
    "FieldError",
    "FormError",
    "InvalidToken",
    "MailError",
    "MigrationsPending",
    "MissingDriver",
    "PageError",
    "QueueUnavailable",
    "RouteError",
    "RouteNotFound",
    "ScaffoldError",
    "ServiceError",
    "SessionError",
    "SettingProblem",
    "SettingsError",
    "StaleData",
    "StartError",
    "StoreUnavailable",
    "TaskAborted",
    "TaskError",
    "TaskFailed",
    "TemplateError",
    "TooManyRequests",
    "TornkitError",
    "UnknownDatabase",
    "UnknownJob",
    "UnknownRole",
    "UnknownTask",
    "UnknownUser",
    "UserCodeError",
    "WeakPassword",
    "check_error_codes",
]


class TornkitError(Exception):
    """Base of every error that tornkit raises on purpose.

    Args:
        message: what was found and where, in one line.
        hint: what to do about it, in one sentence, or "".
        file: the file at fault, where one is known.
        line: the line in it, counted from 1.
        check_id: the identifier under which ``tornkit check`` reports it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        file: str | None = None,
        line: int | None = None,
        check_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.file = file
        self.line = line
        self.check_id = check_id

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


# --- error codes -------------------------------------------------------------------------

_registered: dict[int, tuple[ErrorCode, str]] = {}
_duplicates: list[tuple[ErrorCode, str, str]] = []


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """Name one way an answer can fail; it registers itself.

    A project's numbers start at 1000; 0 is success, and 100 to 599 are the HTTP errors,
    whose code is their status.

    Example:
        >>> COURSE_FULL = ErrorCode(90001, "This course is full.", status_code=409)
        >>> COURSE_FULL.status_code
        409

    Raises:
        ValueError: the number is below 1000, or the status is not an HTTP error's.
    """

    number: int
    message: str
    status_code: int = 400

    def __post_init__(self) -> None:
        if self.number < 1000:
            raise ValueError(f"ErrorCode number {self.number}: a project's codes start at 1000")
        if not 400 <= self.status_code <= 599:
            raise ValueError(
                f"ErrorCode {self.number}: status {self.status_code} is not 400 to 599"
            )
        # The frame above is the dataclass's own __init__, the one above that the caller's.
        frame = sys._getframe(2)
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        known = _registered.setdefault(self.number, (self, place))
        if known[1] != place:
            _duplicates.append((self, known[1], place))


def check_error_codes() -> None:
    """Refuse two error codes of one number.

    Raises:
        DuplicateErrorCode: with both places; the application calls this as it starts.
    """
    for code, first, second in _duplicates:
        file, _, line = second.rpartition(":")
        raise DuplicateErrorCode(
            f"error code {code.number} is defined twice: {first} and {second}",
            hint="give one of them another number",
            file=file,
            line=int(line),
            check_id="errors.duplicate-code",
        )


class DuplicateErrorCode(TornkitError, ValueError):
    """Two error codes share a number."""


# --- answers -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that does not validate, in the words the client sees."""

    field: str
    message: str
    type: str


class AppError(TornkitError):
    """End the request with an error code; raise it from anywhere below a handler.

    Args:
        code: a registered `ErrorCode`, or an HTTP status from 400 to 599.
        message: for the log and, in debug, the client; otherwise the client sees the
            code's registered message.
        retry_after: the seconds after which it may be tried again, for ``Retry-After``; whole
            ones, and at least 1.
    """

    def __init__(
        self,
        code: ErrorCode | int,
        message: str | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        self.retry_after = None if retry_after is None else max(1, math.ceil(retry_after))
        self.code = code
        self.number = code if isinstance(code, int) else code.number
        self.status_code = code if isinstance(code, int) else code.status_code
        registered = "" if isinstance(code, int) else code.message
        super().__init__(message or registered or f"HTTP {self.number}")


_INVALID_FIELDS = "Some fields are missing or not valid."


class FormError(AppError, ValueError):
    """A form, query or JSON body does not validate; every bad field is in ``errors``.

    ``message`` is shown as it is, also in production: it is for what is wrong with the whole.
    ``values`` holds what was sent, for filling the form in again; passwords are left out.
    ``code`` is an `ErrorCode` of the project for clients to act on, by default 422.
    """

    def __init__(
        self,
        errors: Sequence[FieldError] = (),
        values: Mapping[str, object] | None = None,
        *,
        message: str = "",
        code: ErrorCode | int = 422,
    ) -> None:
        known = code.message if isinstance(code, ErrorCode) else _INVALID_FIELDS
        super().__init__(code, message or known)
        self.errors = tuple(errors)
        self.values = dict(values or {})

    @staticmethod
    @contextmanager
    def beside(
        **refusals: type[TornkitError] | tuple[type[TornkitError], ErrorCode],
    ) -> Iterator[None]:
        """Turn what is refused in a ``with`` block into an error beside a field.

        Args:
            refusals: the name of a field, and the error that it is to blame for, alone or
                with the code of the answer.

        Example:
            >>> with FormError.beside(password=WeakPassword):
            ...     raise WeakPassword("The password is too short.")
            Traceback (most recent call last):
            tornkit.errors.FormError: Some fields are missing or not valid.
        """
        cases = [
            (field, *(case if isinstance(case, tuple) else (case, 422)))
            for field, case in refusals.items()
        ]
        try:
            yield
        except tuple(kind for _, kind, _ in cases) as refused:
            field, _, code = next(case for case in cases if isinstance(refused, case[1]))
            message = refused.message if refused.message.endswith(".") else f"{refused.message}."
            raise FormError([FieldError(field, message, "refused")], code=code) from refused


class PageError(AppError, ValueError):
    """A page was asked for that is none: 400, or 404 where the list ends before it."""


class TooManyRequests(AppError):
    """Somebody did something too often; the answer is a 429 with ``Retry-After``.

    ``retry_after`` is the seconds after which it may be tried again, at least 1. The message
    is shown as it is.
    """

    retry_after: int

    def __init__(
        self, retry_after: float, *, message: str = "Too many attempts. Try again later."
    ) -> None:
        super().__init__(429, message, retry_after=retry_after)


class AnswerError(TornkitError, RuntimeError):
    """An answer was given, awaited or flushed where none can be."""


# --- start -------------------------------------------------------------------------------


class UserCodeError(TornkitError, RuntimeError):
    """A file of the project raised; ``__cause__`` is its own exception, untouched."""


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """One bad setting: its key, where its value came from, what was found and expected.

    ``found`` is "" for secrets; ``check_id`` is what ``tornkit check`` reports it under.
    """

    key: str
    origin: str
    found: str
    expected: str
    hint: str = ""
    check_id: str = "settings.invalid"

    def __str__(self) -> str:
        found = f" is {self.found}" if self.found else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.key}{found} ({self.origin}); {self.expected}{hint}"


class SettingsError(TornkitError, ValueError):
    """Every bad setting of one load."""

    def __init__(self, problems: Sequence[SettingProblem]) -> None:
        self.problems = tuple(problems)
        lines = [f"settings: {problem}" for problem in self.problems]
        super().__init__("\n".join(lines), check_id="settings.invalid")


class DiscoveryError(TornkitError, ValueError):
    """A module that cannot be mounted: no `Module` in it, a reserved or repeated name."""


class RouteError(TornkitError, ValueError):
    """A route that cannot be compiled, or two routes that collide."""


class RouteNotFound(RouteError, KeyError):
    """No route has that name."""

    __str__ = TornkitError.__str__  # KeyError would show the message's repr


class EncodingError(TornkitError, TypeError):
    """A value that JSON answers do not carry; ``key_path`` says where it sits."""

    def __init__(self, message: str, *, key_path: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.key_path = key_path


class TemplateError(TornkitError, ValueError):
    """A template that does not compile."""


class StartError(TornkitError, RuntimeError):
    """The application or its port cannot be had."""


# --- resources ---------------------------------------------------------------------------


class SessionError(TornkitError, RuntimeError):
    """A session used where it cannot work."""


class StoreUnavailable(SessionError, ConnectionError):
    """The store of sessions, limits or the cache does not answer."""


class CacheError(TornkitError, ValueError):
    """A key, a value or a lifetime that a cache cannot use, or no cache to use.

    ``key_path`` says where in a value sits what JSON does not carry, or is "".
    """

    def __init__(self, message: str, *, key_path: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.key_path = key_path


class DatabaseError(TornkitError, RuntimeError):
    """A database that cannot be used."""


class UnknownDatabase(DatabaseError, KeyError):
    """No bind of that name."""

    __str__ = TornkitError.__str__  # KeyError would show the message's repr


class MissingDriver(DatabaseError, ImportError):
    """The driver of a URL's scheme is not installed."""


class ServiceError(DatabaseError):
    """The answer of another service says no, is no answer, or points elsewhere.

    Attributes:
        status: the HTTP status; 0 where the answer broke off before one.
        method: of the request, such as ``GET``.
        url: of the request, without user and query.
        body: the first 4096 bytes of the answer; no message quotes them.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        method: str,
        url: str,
        body: bytes = b"",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint, check_id="databases.refused")
        self.status = status
        self.method = method
        self.url = url
        self.body = body


class DeadlineExceeded(TornkitError, TimeoutError):
    """What was waited for did not end in time."""


class StaleData(DatabaseError):
    """A row was changed, or deleted, by somebody else meanwhile; the answer is a 409."""

    def __init__(
        self, message: str = "the row was changed by somebody else meanwhile", *, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint, check_id="databases.stale")


class MigrationsPending(DatabaseError):
    """The database's revision is not the code's."""


# --- accounts ----------------------------------------------------------------------------


class AccountError(TornkitError, ValueError):
    """An account operation that was refused."""


class UnknownRole(AccountError, LookupError):
    """No module names that role."""

    exit_code = 2


class UnknownUser(AccountError, LookupError):
    """No account has that e-mail address."""


class EmailTaken(AccountError):
    """The address belongs to an account already."""


class WeakPassword(AccountError):
    """A password breaks a rule; the message can be shown to who chose it."""


class InvalidToken(AccountError, LookupError):
    """A reset link is used up, expired or none of ours; which of these is not told."""


# --- tasks -------------------------------------------------------------------------------


class TaskError(TornkitError, RuntimeError):
    """A task, or the queue of tasks, is used where or how it cannot work."""


class QueueUnavailable(TaskError, StoreUnavailable):
    """The queue of tasks does not answer."""


class UnknownTask(TaskError, KeyError):
    """No task has that name."""

    __str__ = TornkitError.__str__  # KeyError would show the message's repr


class UnknownJob(TaskError, LookupError):
    """No job has that id: there was none, it was not enqueued, or its record has expired."""


class BadArgument(TaskError, ValueError):
    """A task is given what it does not take, or what JSON does not carry.

    ``argument`` is the name of the parameter.
    """

    def __init__(self, message: str, *, argument: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.argument = argument


class TaskFailed(TaskError):
    """The result is asked for of a job that has failed.

    ``error`` is what failed it, in one line; ``traceback`` is all that is known of it.
    """

    def __init__(self, message: str, *, job_id: str, error: str, traceback: str) -> None:
        super().__init__(message)
        self.job_id = job_id
        self.error = error
        self.traceback = traceback


class TaskAborted(TaskError):
    """The job was aborted; ``job_id`` tells which."""

    def __init__(self, message: str, *, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id


# --- mail --------------------------------------------------------------------------------


class MailError(TornkitError, OSError):
    """A message cannot be sent, or a mail URL cannot be read; never with a password."""


# --- scaffold ----------------------------------------------------------------------------


class ScaffoldError(TornkitError, OSError):
    """Files that cannot be generated or removed."""


class BadName(ScaffoldError, ValueError):
    """A name that cannot name a project, a module or a role."""

    exit_code = 2
