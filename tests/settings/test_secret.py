from __future__ import annotations

import copy
import multiprocessing
import pickle
import stat
from typing import TYPE_CHECKING

import pytest

from tests.settings.school import School, problems
from tornkit.errors import SettingsError
from tornkit.settings._secret import is_weak

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "k3Jv9-qLw0_ZtYb7RxN2sDf5GhTp8UcM"


def read_secret(project: str) -> str:
    return School.load(project_dir=project).secret.get_secret_value()


def test_loading_and_listing_write_nothing(project: Path) -> None:
    loaded = School.load(project_dir=project)
    loaded.listing()
    repr(loaded.secret)
    assert loaded.origins["secret"] == "generated"
    assert list(project.iterdir()) == []


def test_the_generated_secret_is_kept_for_its_owner_only(project: Path) -> None:
    first = read_secret(str(project))
    file = project / "data" / "secret.key"
    assert len(first) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == ["secret.key"]
    assert read_secret(str(project)) == first
    assert School.load("testing", project_dir=project).secret.get_secret_value() == first


@pytest.mark.slow
def test_processes_at_once_agree_on_the_secret(project: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        for number in range(40):
            folder = project / str(number)
            folder.mkdir()
            found = pool.map(read_secret, [str(folder)] * 4, chunksize=1)
            assert len(set(found)) == 1


def test_an_empty_key_file_is_replaced(project: Path) -> None:
    (project / "data").mkdir()
    (project / "data" / "secret.key").touch()
    assert len(read_secret(str(project))) >= 32


def test_a_secret_that_cannot_be_kept_is_a_clear_error(project: Path) -> None:
    (project / "data").write_text("in the way")
    with pytest.raises(SettingsError, match=r"secret \(generated\); .*secret.key cannot be used"):
        read_secret(str(project))


def test_settings_with_a_generated_secret_are_copied_and_pickled(project: Path) -> None:
    loaded = School.load(project_dir=project)
    secret = loaded.secret.get_secret_value()
    for other in (copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded)), loaded.model_copy()):
        assert other.secret.get_secret_value() == secret
        assert other.origins == loaded.origins


@pytest.mark.parametrize(
    "secret", ["", "short", "a" * 40, "change-me-" + GOOD, "your-key-goes-here-" + GOOD]
)
def test_production_refuses_a_secret_that_can_be_guessed(project: Path, secret: str) -> None:
    with pytest.raises(SettingsError) as caught:
        School.load(
            "production",
            project_dir=project,
            overrides={"secret": secret, "allowed_hosts": ["a.example"]},
        )
    assert list(problems(caught.value)) == ["secret"]
    assert is_weak(secret)
    assert not secret or secret not in str(caught.value)


def test_production_refuses_everything_at_once_beside_other_bad_values(project: Path) -> None:
    (project / "settings.toml").write_text("debug = true\nport = -1\nallowed_hosts = []\n")
    with pytest.raises(SettingsError) as caught:
        School.load("production", project_dir=project)
    found = problems(caught.value)
    assert {key: parts[0] for key, parts in found.items()} == {
        "port": "settings.toml:2",
        "secret": "not set",
        "debug": "settings.toml:1",
        "allowed_hosts": "settings.toml:3",
    }


def test_production_starts_with_a_secret_and_hosts(project: Path) -> None:
    loaded = School.load(
        "production",
        project_dir=project,
        overrides={"secret": GOOD, "allowed_hosts": "a.example,.b.example,[::1]"},
    )
    assert loaded.debug is False
    assert loaded.allowed_hosts == ["a.example", ".b.example", "[::1]"]
    assert loaded.check_deploy() == []


def test_development_can_be_asked_what_production_would_refuse(project: Path) -> None:
    loaded = School.load(project_dir=project, overrides={"allowed_hosts": []})
    assert [each.key for each in loaded.check_deploy()] == ["secret", "debug", "allowed_hosts"]
    assert list(project.iterdir()) == [], "asking generates no secret"


@pytest.mark.parametrize("length", [32, 48, 64])
def test_random_secrets_are_not_taken_for_examples(length: int) -> None:
    import secrets

    for _ in range(2000):
        assert is_weak(secrets.token_urlsafe(length)) == ""
        assert is_weak(secrets.token_hex(length)) == ""
