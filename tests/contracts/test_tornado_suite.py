"""Tornado's own web, server, WebSocket and auth tests hold with tornkit's parts."""

from __future__ import annotations

import subprocess
import sys

import pytest

ADOPTION = {
    # Looks for a class attribute that the handler sets on its own class, here a subclass.
    "web_test.CrossOriginProtectionBeforePrepareTest.test_websocket_upgrade_header_not_checked",
}
DEFERRAL = {
    # Expect finish() itself to raise; a deferred answer fails, and is logged, a step later.
    "web_test.IncorrectContentLengthTest.test_content_length_too_high",
    "web_test.IncorrectContentLengthTest.test_content_length_too_low",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "known"),
    [
        (["--lifecycle"], ADOPTION),
        (["--lifecycle", "--deferred"], ADOPTION | DEFERRAL),
        (["--server"], set()),
        (["--server", "--uvloop"], set()),
        (["--server", "--uvloop", "--lifecycle"], ADOPTION),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_only_the_known_tests_differ(options: list[str], known: set[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.contracts.tornado_suite", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    *failed, ran = run.stdout.split("\n")[:-1]
    assert set(failed) == known, run.stderr[-5000:]
    assert int(ran.removeprefix("ran ")) > 470
