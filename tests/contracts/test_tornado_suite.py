"""Tornado's own tests of the web, its server and WebSockets hold with tornkit's parts."""

from __future__ import annotations

import subprocess
import sys

import pytest

# The tests that differ, and why.
ADOPTION = {
    # Looks for a class attribute that the handler sets on its own class, here a subclass.
    "web_test.CrossOriginProtectionBeforePrepareTest.test_websocket_upgrade_header_not_checked",
}
DEFERRAL = {
    # Expect finish() itself to raise; a deferred answer fails, and is logged, a step later.
    "web_test.IncorrectContentLengthTest.test_content_length_too_high",
    "web_test.IncorrectContentLengthTest.test_content_length_too_low",
}
HANDLERS = {
    # Our error pages are others; what a reason holds of HTML is escaped there.
    "web_test.Default404Test.test_404",
    "web_test.ErrorResponseTest.test_default",
    "web_test.RaiseWithReasonTest.test_raise_with_reason",
    "web_test.StatusReasonTest.test_reason_xss",
    # OPTIONS lists the methods of a handler that has no options() of its own.
    "web_test.UnimplementedHTTPMethodsTest.test_unimplemented_standard_methods",
}
ALL = ["--server", "--application", "--handlers"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "known"),
    [
        (["--lifecycle"], ADOPTION),
        (["--lifecycle", "--deferred"], ADOPTION | DEFERRAL),
        (["--server"], set()),
        (["--server", "--uvloop"], set()),
        (["--application"], set()),
        (["--application", "--server", "--lifecycle"], ADOPTION),
        (["--application", "--server", "--uvloop", "--lifecycle"], ADOPTION),
        (["--application", "--server", "--lifecycle", "--deferred"], ADOPTION | DEFERRAL),
        (["--handlers"], HANDLERS),
        (ALL, HANDLERS),
        ([*ALL, "--uvloop"], HANDLERS),
        ([*ALL, "--uvloop", "--deferred"], HANDLERS | DEFERRAL),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_only_the_known_tests_differ(options: list[str], known: set[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.contracts.tornado_suite", *options],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,  # seconds; a minute is usual on a busy machine
    )
    *failed, ran = run.stdout.split("\n")[:-1]
    assert set(failed) == known, run.stderr[-5000:]
    assert int(ran.removeprefix("ran ")) >= 486
