"""The settings of the security headers: what browsers would misread is refused at load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tornkit import Settings
from tornkit.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def refused(folder: Path, text: str) -> list[tuple[str, str, str]]:
    (folder / "settings.toml").write_text(text)
    with pytest.raises(SettingsError) as raised:
        Settings.load("testing", project_dir=folder)
    return [(each.key, each.origin, each.expected) for each in raised.value.problems]


@pytest.mark.parametrize(
    ("line", "key", "expected"),
    [
        ("imgsrc = '*'", "imgsrc", "expected the name of a directive; did you mean 'img-src'?"),
        ("img-src = '* ; x'", "img-src", "expected sources separated by spaces"),
        ("img-src = 'a, b'", "img-src", "expected sources separated by spaces"),
        ('img-src = "a\\r\\nX: y"', "img-src", "expected sources separated by spaces"),
        ("script-src = 'self'", "script-src", "expected quotes around a keyword: 'self'"),
        ("script-src = \"'nonce-a'\"", "script-src", "expected no nonce"),
        ("img-src = 1", "img-src", "expected text"),
    ],
)
def test_a_bad_directive_is_named_with_its_line(
    tmp_path: Path, line: str, key: str, expected: str
) -> None:
    (problem,) = refused(tmp_path, f"[security.content_security_policy]\n{line}\n")
    assert problem[:2] == (f"security.content_security_policy.{key}", "settings.toml:2")
    assert problem[2].startswith(expected)


def test_a_bad_directive_of_a_variable_is_named_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "TORNKIT_SECURITY__CONTENT_SECURITY_POLICY"
    monkeypatch.setenv(name, '{"img-srcs": "*"}')
    with pytest.raises(SettingsError, match=f"policy.img-srcs \\(env {name}\\)"):
        Settings.load("production", project_dir=tmp_path)


@pytest.mark.parametrize("value", ["sameorigin", "same-origin; x", "origin\\nX", "a,"])
def test_an_unknown_referrer_policy_is_refused(tmp_path: Path, value: str) -> None:
    (problem,) = refused(tmp_path, f'[security]\nreferrer_policy = "{value}"\n')
    assert problem[:2] == ("security.referrer_policy", "settings.toml:2")
    assert "such as same-origin" in problem[2]


@pytest.mark.parametrize("value", ["", "no-referrer", "no-referrer, strict-origin"])
def test_a_referrer_policy_may_be_empty_or_several(tmp_path: Path, value: str) -> None:
    (tmp_path / "settings.toml").write_text(f'[security]\nreferrer_policy = "{value}"\n')
    loaded = Settings.load("testing", project_dir=tmp_path)
    assert loaded.security.referrer_policy == value
