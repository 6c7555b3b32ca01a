"""Certificates, made once in a test run."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.services import unavailable

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A certificate that signs itself, for ``localhost`` and 127.0.0.1 or for another name."""

    file: Path
    key: Path

    @property
    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        return context


def make(folder: Path, names: str) -> Certificate:
    if shutil.which("openssl") is None:
        unavailable("the command openssl is not installed")
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    options += ["-days", "2", "-subj", "/CN=mail.test", "-addext", f"subjectAltName={names}"]
    subprocess.run(
        ["openssl", "req", "-x509", *options, "-keyout", made.key, "-out", made.file],
        check=True,
        capture_output=True,
    )
    return made


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make(tmp_path_factory.mktemp("certificate"), "DNS:localhost,IP:127.0.0.1")


@pytest.fixture(scope="session")
def other_certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make(tmp_path_factory.mktemp("certificate"), "DNS:elsewhere.test")
