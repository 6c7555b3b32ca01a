"""The site's secret: the one generated for development, and what production refuses."""

from __future__ import annotations

import os
import secrets
import threading
from typing import TYPE_CHECKING

from pydantic import SecretStr

from tornkit.errors import SettingProblem, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["GENERATED", "GeneratedSecret", "deploy_problems", "is_weak"]

GENERATED = "generated"
SHORTEST = 32
_EXAMPLES = (
    "changeme", "change-me", "change_me", "change me", "example", "secret", "password",
    "placeholder", "replace", "insecure", "default", "your-key", "your_key", "0123456789",
)  # fmt: skip
_lock = threading.Lock()


class GeneratedSecret(SecretStr):
    """A secret that is made when it is first asked for, and kept in a file.

    Loading settings therefore writes nothing. Two processes at once agree: the file
    appears complete or not at all, and the first one wins.

    Raises:
        SettingsError: from ``get_secret_value()``, if the file cannot be read or written.
    """

    def __init__(self, file: Path) -> None:
        super().__init__("")
        self._file = file

    def get_secret_value(self) -> str:
        """Return the secret, generating it first if there is none yet."""
        with _lock:
            if not self._secret_value:
                self._secret_value = _load_or_create(self._file)
            return self._secret_value

    def __repr__(self) -> str:
        """Hide the value without generating it."""
        return "SecretStr('**********')"

    def __str__(self) -> str:
        """Hide the value without generating it."""
        return "**********"

    def _display(self) -> str:
        return str(self)

    def __len__(self) -> int:
        """Return the length of the secret."""
        return len(self.get_secret_value())

    def __deepcopy__(self, memo: object) -> GeneratedSecret:
        """Share the value: there is one secret for one file."""
        return self


def _load_or_create(file: Path) -> str:
    try:
        return _load(file) or _create(file)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
    hint = "make the folder writable, or set a secret of your own"
    problem = SettingProblem(
        "secret", GENERATED, "", f"{file} cannot be used: {reason.lower()}", hint
    )
    raise SettingsError([problem])


def _load(file: Path) -> str:
    try:
        return file.read_text("utf-8").strip()
    except FileNotFoundError:
        return ""


def _create(file: Path) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(secrets.token_urlsafe(48) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        _publish(draft, file)
    finally:
        draft.unlink(missing_ok=True)
    return _load(file)


def _publish(draft: Path, file: Path) -> None:
    """Give the draft its name unless another process was first."""
    try:
        os.link(draft, file)
    except FileExistsError:
        # The other one's is complete; an empty file was left by somebody else.
        if not _load(file):
            draft.replace(file)
    except OSError:  # a file system without links: the later of two writers wins
        draft.replace(file)


def is_weak(secret: str) -> str:
    """Return what is wrong with a secret for production, or ""."""
    if not secret.strip():
        return "is missing"
    if len(secret) < SHORTEST:
        return f"has {len(secret)} characters"
    lowered = secret.lower()
    if len(set(secret)) < 10 or any(word in lowered for word in _EXAMPLES):
        return "looks like an example"
    return ""


def deploy_problems(
    *,
    secret: str | None,
    debug: bool,
    allowed_hosts: Sequence[object],
    origin: Callable[[str], str],
    prefix: str,
) -> list[SettingProblem]:
    """Return what production refuses; a ``secret`` of None is a generated one."""
    problems = []
    weakness = "is generated" if secret is None else is_weak(secret)
    if weakness:
        problems.append(
            SettingProblem(
                key="secret",
                origin=origin("secret"),
                found="",
                expected=f"{weakness}; production needs at least {SHORTEST} random characters",
                hint=f"make one with `tornkit secret` and set {prefix}SECRET",
                check_id="deploy.secret",
            )
        )
    if debug:
        problems.append(
            SettingProblem(
                key="debug",
                origin=origin("debug"),
                found="true",
                expected="expected false in production",
                hint="it shows source code and settings to visitors",
                check_id="deploy.debug",
            )
        )
    if not allowed_hosts:
        problems.append(
            SettingProblem(
                key="allowed_hosts",
                origin=origin("allowed_hosts"),
                found="",
                expected="expected the host names of the site in production",
                hint=f"set {prefix}ALLOWED_HOSTS=example.com,www.example.com",
                check_id="deploy.allowed-hosts",
            )
        )
    return problems
