"""What every kind of database keeps to, whatever it is a database of."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tornkit.databases.http import HTTPService
from tornkit.databases.mongodb import MongoDatabase
from tornkit.databases.redis import RedisDatabase
from tornkit.errors import DatabaseError, MissingDriver

if TYPE_CHECKING:
    from pathlib import Path

Kind = RedisDatabase | MongoDatabase | HTTPService
KINDS: list[tuple[type[Kind], str]] = [
    (RedisDatabase, "redis://127.0.0.1:1/0"),
    (MongoDatabase, "mongodb://127.0.0.1:1/catalog"),
    (HTTPService, "http://127.0.0.1:1/base"),
]


@pytest.mark.slow
def test_no_driver_is_imported_before_a_database_is_opened() -> None:
    code = (
        "import sys\n"
        "from tornkit.databases import Databases\n"
        "urls = {'r': 'redis://h', 'm': 'mongodb://h/d', 'h': 'https://h'}\n"
        "made = Databases(urls, library=())\n"
        "assert made.explain(ValueError()) is None\n"
        "print(sorted({'redis', 'pymongo', 'bson', 'dns'} & sys.modules.keys()))"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60)
    assert printed == "[]\n"


@pytest.mark.parametrize(("kind", "url"), KINDS, ids=["redis", "mongodb", "http"])
async def test_what_is_not_open_says_so(kind: type[Kind], url: str) -> None:
    bind = kind("other", url)
    assert not bind.is_open
    await bind.close()
    with pytest.raises(DatabaseError, match="database 'other' is not open"):
        await bind.ping()


@pytest.mark.parametrize(
    ("kind", "url", "package", "extra"),
    [(*KINDS[0], "redis", "redis"), (*KINDS[1], "pymongo", "mongodb")],
    ids=["redis", "mongodb"],
)
async def test_a_missing_driver_names_its_extra(
    kind: type[Kind], url: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    bind = kind("other", url)
    with pytest.raises(MissingDriver, match=rf'pip install "tornkit\[{extra}\]"'):
        await bind.open()
    assert not bind.is_open


@pytest.mark.parametrize(
    ("kind", "url", "option"),
    [
        (RedisDatabase, "rediss://:{secret}@host/0?ssl_ca_certs={path}", "ssl_ca_certs"),
        (RedisDatabase, "rediss://:{secret}@host/0?ssl_certfile={path}", "ssl_certfile"),
        (MongoDatabase, "mongodb://u:{secret}@h/d?tls=true&tlsCAFile={path}", "tlsCAFile"),
        (
            MongoDatabase,
            "mongodb://u:{secret}@h/d?tls=true&tlsCertificateKeyFile={path}",
            "tlsCertificateKeyFile",
        ),
    ],
    ids=["redis-ca", "redis-certificate", "mongodb-ca", "mongodb-certificate"],
)
async def test_a_file_of_the_url_that_cannot_be_used_is_told(
    kind: type[Kind], url: str, option: str, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    cases = [("/nope.pem", "No such file"), (tmp_path, "directory")]
    cases += [(empty, "")] if kind is MongoDatabase else []  # redis-py looks as it connects
    for path, reason in cases:
        bind = kind("other", url.format(secret="hunter2", path=path))
        with pytest.raises(DatabaseError, match=rf"database 'other': .*{reason}") as caught:
            await bind.open()
        assert reason == "" or f"{option} names" in str(caught.value)
        assert caught.value.check_id == "databases.url"
        assert "hunter2" not in f"{caught.value} {caught.value.__context__}"
        assert not bind.is_open
