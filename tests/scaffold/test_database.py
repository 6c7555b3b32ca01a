"""The URL of ``new --database``: what may be committed and what may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tornkit.errors import BadName
from tornkit.scaffold.database import database_url


def test_a_password_is_kept_apart() -> None:
    url = database_url("postgresql://ada:s3cret@db.example:5432/school?sslmode=require")
    assert url.public == "postgresql://ada@db.example:5432/school?sslmode=require"
    assert url.example == "postgresql://ada:PASSWORD@db.example:5432/school?sslmode=require"
    assert url.secret == "postgresql://ada:s3cret@db.example:5432/school?sslmode=require"
    assert url.extra == "postgresql"


def test_a_password_among_the_options_is_kept_apart_too() -> None:
    url = database_url("postgresql:///school?host=/run/pg&user=ada&password=s3cret")
    assert "s3cret" not in url.public + url.example + repr(url)
    assert "s3cret" in url.secret


@pytest.mark.parametrize(
    ("url", "extra"),
    [
        ("sqlite:///data/my site.db", ""),
        ("sqlite:////var/lib/site.db", ""),
        ("postgresql://localhost/school", "postgresql"),
        ("mysql://root@127.0.0.1:3306/school", "mysql"),
    ],
)
def test_a_url_without_a_password_is_committed_as_it_is(url: str, extra: str) -> None:
    found = database_url(url)
    assert (found.public, found.secret, found.extra) == (url, "", extra)


@pytest.mark.parametrize(
    ("scheme", "near"),
    [
        ("postgres", "'postgresql'"),
        ("postgresql+psycopg", "'postgresql'"),
        ("mariadb", "'mysql'"),
        ("sqlit", "'sqlite'"),
        ("mongodb", "known are mysql, postgresql, sqlite"),
    ],
)
def test_an_unknown_scheme_names_the_nearest(scheme: str, near: str) -> None:
    with pytest.raises(BadName, match=near):
        database_url(f"{scheme}://localhost/x")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "site.db",
        "sqlite://",
        "sqlite:///",
        "postgresql://",
        "postgresql://host",
        "postgresql://u:s3cret@host:port/x",
        "postgresql://u:s3cret#@host/x",
        'postgresql://u:s3cret"@host/x',
        "postgresql://u:s3cret\n@host/x",
        "postgresql://u:s3cret$HOME@host/x",
        "s3cret://x",
    ],
)
def test_a_bad_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BadName) as refused:
        database_url(url)
    assert str(refused.value).isprintable()
    if not url.startswith("s3cret"):
        assert "s3cret" not in str(refused.value)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=20))
def test_no_password_reaches_what_is_committed(password: str) -> None:
    try:
        url = database_url(f"postgresql://user:{password}@host.example/name")
    except BadName as error:
        assert password not in str(error)  # noqa: PT017 - many are refused
        return
    if password not in "postgresql://user:PASSWORD@host.example/name":
        assert password not in url.public
        assert password not in url.example
