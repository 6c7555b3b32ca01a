"""Mail to a real server on this machine: encrypted, refused, hanging, gone."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.mail.smtp_server import Behaviour, Server, serving
from tornkit.errors import MailError
from tornkit.mail import Message, SMTPTransport, transport_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mail.conftest import Certificate

SENDER = "School <noreply@school.example>"
PASSWORD = "p@ss w/rd:%"
LOGIN = "ann%40school:p%40ss%20w%2Frd%3A%25@"
USER = ("ann@school", PASSWORD)
MAIL = Message(["ann@school.example", "Ben <ben@school.example>"], "Hello", "One\n.\n..\nTwo")


async def send(url: str, message: Message = MAIL, patience: float = 5.0) -> None:
    await SMTPTransport(url, timeout=patience).deliver(message, SENDER)


async def refusal(url: str, message: Message = MAIL, patience: float = 5.0) -> str:
    with pytest.raises(MailError) as refused:
        await send(url, message, patience)
    text = str(refused.value)
    assert PASSWORD not in text
    assert "\n" not in text
    return text


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server of a test pass for one that is reached over a network."""
    monkeypatch.setattr("tornkit.mail.smtp._is_this_machine", lambda _: False)


# --- without and with encryption -------------------------------------------------------------


async def test_a_mail_arrives_whole() -> None:
    async with serving() as server:
        await send(server.url())
    (taken,) = server.delivered
    assert taken.sender == "noreply@school.example"
    assert taken.recipients == ["ann@school.example", "ben@school.example"]
    assert taken.mail.get_content().splitlines() == ["One", ".", "..", "Two"]
    assert server.commands[-1] == "QUIT"


async def test_this_machine_is_spared_the_encryption(certificate: Certificate) -> None:
    async with serving(Behaviour(tls=certificate.context)) as server:
        await send(server.url(host="localhost"))
        await send(server.url())
    assert [taken.encrypted for taken in server.delivered] == [False, False]


@pytest.mark.usefixtures("far_away")
async def test_any_other_machine_is_not(certificate: Certificate) -> None:
    async with serving(Behaviour(tls=certificate.context)) as server:
        await send(server.url(host="localhost", more=f"?ca={certificate.file}"))
    assert server.delivered[0].encrypted


@pytest.mark.usefixtures("far_away")
async def test_a_server_that_offers_no_encryption_gets_no_mail() -> None:
    async with serving() as server:
        assert "STARTTLS" in await refusal(server.url())
    assert "MAIL" not in server.commands


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_smtps_is_encrypted_from_the_start(certificate: Certificate, host: str) -> None:
    behaviour = Behaviour(tls=certificate.context, tls_from_the_start=True)
    async with serving(behaviour) as server:
        await send(server.url("smtps", host, f"?ca={certificate.file}"))
    assert server.delivered[0].encrypted


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
@pytest.mark.parametrize("wrong", ["unknown", "name"])
@pytest.mark.usefixtures("far_away")
async def test_a_certificate_that_does_not_fit_is_refused(
    certificate: Certificate, other_certificate: Certificate, scheme: str, wrong: str
) -> None:
    shown = certificate if wrong == "unknown" else other_certificate
    known = "" if wrong == "unknown" else f"?ca={other_certificate.file}"
    behaviour = Behaviour(tls=shown.context, tls_from_the_start=scheme == "smtps")
    async with serving(behaviour) as server:
        told = await refusal(server.url(scheme, "localhost", known))
    assert "certificate is not valid" in told
    assert ("self-signed" if wrong == "unknown" else "mismatch") in told
    assert not {"AUTH", "MAIL"} & set(server.commands)


# --- user name and password ------------------------------------------------------------------


async def test_a_user_name_is_sent_on_an_encrypted_connection(certificate: Certificate) -> None:
    async with serving(Behaviour(tls=certificate.context, user=USER)) as server:
        url = f"smtp://{LOGIN}localhost:{server.port}?ca={certificate.file}"
        await send(url)
    (taken,) = server.delivered
    assert (taken.encrypted, taken.user) == (True, USER)


async def test_a_password_is_never_sent_unencrypted_not_even_to_this_machine() -> None:
    async with serving(Behaviour(user=USER)) as server:
        assert "STARTTLS" in await refusal(f"smtp://{LOGIN}localhost:{server.port}")
    assert "AUTH" not in server.commands


async def test_a_wrong_password_is_told_but_not_shown(certificate: Certificate) -> None:
    behaviour = Behaviour(certificate.context, tls_from_the_start=True, user=("x", "y"))
    async with serving(behaviour) as server:
        url = f"smtps://{LOGIN}localhost:{server.port}?ca={certificate.file}"
        told = await refusal(url)
    assert "refuses the user name or the password (535)" in told


async def test_a_server_without_sign_in_is_named(certificate: Certificate) -> None:
    async with serving(Behaviour(certificate.context, tls_from_the_start=True)) as server:
        url = f"smtps://{LOGIN}localhost:{server.port}?ca={certificate.file}"
        assert "AUTH" in await refusal(url)


# --- refusals, silence -----------------------------------------------------------------------


async def test_when_every_recipient_is_refused_nothing_is_sent() -> None:
    no = "550 5.1.1 no such\tuser"
    refused = {"ann@school.example": no, "ben@school.example": no}
    async with serving(Behaviour(refused=refused)) as server:
        told = await refusal(server.url())
    assert "ann@school.example (550 5.1.1 no such user); ben@school.example" in told
    assert server.delivered == []


async def test_when_one_recipient_is_refused_that_is_told_too() -> None:
    async with serving(Behaviour(refused={"ben@school.example": "550 no"})) as server:
        told = await refusal(server.url())
    assert "sent, but not to ben@school.example (550 no)" in told
    assert server.delivered[0].recipients == ["ann@school.example"]


@pytest.mark.parametrize("command", ["GREETING", "MAIL", "DATA"])
async def test_what_a_server_refuses_is_told_in_its_words(command: str) -> None:
    async with serving(Behaviour(refused={command: "451 try\x1b later"})) as server:
        told = await refusal(server.url())
    assert "451 try\\x1b later" in told
    assert server.url() in told


@pytest.mark.parametrize("command", ["GREETING", "EHLO", "RCPT", "DATA"])
async def test_a_server_that_hangs_is_given_up(command: str) -> None:
    async with serving(Behaviour(hang_at=command)) as server:
        began = time.monotonic()
        assert "does not answer within 0.2 s" in await refusal(server.url(), patience=0.2)
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("command", ["GREETING", "EHLO", "DATA"])
async def test_a_server_that_hangs_up_is_told(command: str) -> None:
    async with serving(Behaviour(close_at=command)) as server:
        assert "closed the connection" in await refusal(server.url())


async def test_a_server_that_hangs_up_after_taking_the_mail_has_taken_it() -> None:
    async with serving(Behaviour(close_at="QUIT")) as server:
        await send(server.url())
    assert len(server.delivered) == 1


async def test_nobody_there_and_no_such_name() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert "refused" in await refusal(f"smtp://127.0.0.1:{free.getsockname()[1]}")
    assert "name is not known" in await refusal("smtp://no.such.host.invalid")


@pytest.mark.parametrize("utf8", [True, False])
async def test_an_address_beyond_ascii_needs_a_server_that_takes_it(utf8: bool) -> None:
    message = Message("änn@school.example", "Hello", "…")
    async with serving(Behaviour(utf8=utf8)) as server:
        if utf8:
            await send(server.url(), message)
            assert server.delivered[0].recipients == ["änn@school.example"]
        else:
            assert "SMTPUTF8" in await refusal(server.url(), message)


# --- threads ---------------------------------------------------------------------------------


async def test_at_most_four_are_on_their_way_and_the_loop_goes_on() -> None:
    async with serving(Behaviour(hang_at="DATA")) as server:
        transport = SMTPTransport(server.url())
        sending = [asyncio.create_task(transport.deliver(MAIL, SENDER)) for _ in range(8)]
        await server.waiting.wait()  # the loop turns while threads wait
        server.go.set()
        await asyncio.wait_for(asyncio.gather(*sending), 10)
    assert len(server.delivered) == 8
    assert server.most_connections <= 4


async def test_a_delivery_that_nobody_waits_for_any_more_gives_its_place_back() -> None:
    async with serving(Behaviour(hang_at="DATA")) as server:
        transport = SMTPTransport(server.url())
        for _ in range(4):
            task = asyncio.create_task(transport.deliver(MAIL, SENDER))
            await server.waiting.wait()
            server.waiting.clear()
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.go.set()
        await asyncio.wait_for(transport.deliver(MAIL, SENDER), 10)
        threads = [each for each in threading.enumerate() if each.name == "tornkit-mail"]
        await asyncio.gather(*(asyncio.to_thread(each.join, 5) for each in threads))
    assert len(server.delivered) == 5


async def test_its_threads_keep_no_process_alive() -> None:
    async with serving(Behaviour(hang_at="GREETING")) as server:
        task = asyncio.create_task(SMTPTransport(server.url()).deliver(MAIL, SENDER))
        await server.waiting.wait()
        found = [each for each in threading.enumerate() if each.name == "tornkit-mail"]
        assert found
        assert all(each.daemon for each in found)
        server.go.set()
        await task


# --- URLs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        *("smtp://", "smtp://:25", "smtp://host:0", "smtp://host:99999", "smtp://host:x"),
        *("smtp://host/path", "smtp://host#x", "smtp://host?tls=no", "smtp://host?ca="),
        *("smtp://host?ca=a&ca=b&x=1", "smtp://user@host", "smtp://:s3cret@host"),
        *("smtp://us%C3%A9r:s3cret@host", "smtp://user:s3cret%00@host", "smtp://u:s3cret%0A@host"),
        *("smtp://user:s3c/ret@host", "smtp://u:s3cret@[::1", "smtps://host?ca=no-such-file.pem"),
    ],
)
def test_a_url_that_does_not_work_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(MailError) as refused:
        transport_of(url)
    assert "expected" in refused.value.message
    assert "s3c" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_file_that_holds_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(MailError, match=r"ca\.pem"):
        transport_of("smtp://host?ca=ca.pem", tmp_path)


def test_ports_have_defaults_and_passwords_no_repr(certificate: Certificate) -> None:
    shown = {}
    for scheme in ("smtp", "smtps"):
        transport = SMTPTransport(f"{scheme}://u:s3cret@[::1]?ca={certificate.file.name}",
                                  certificate.file.parent)  # fmt: skip
        shown[scheme] = str(transport._server)
        assert "s3cret" not in repr(transport._server) + repr(transport)
    assert shown == {"smtp": "smtp://[::1]:25", "smtps": "smtps://[::1]:465"}


@pytest.mark.parametrize(
    ("host", "local"),
    [
        *[("localhost", True), ("LOCALHOST", True), ("127.0.0.1", True), ("127.9.9.9", True)],
        *[("::1", True), ("127.0.0.1.evil.example", False), ("mail.school.example", False)],
        *[("10.0.0.1", False), ("localhost.evil.example", False)],
    ],
)
def test_which_host_is_this_machine(host: str, local: bool) -> None:
    shown = f"[{host}]" if ":" in host else host
    assert SMTPTransport(f"smtp://{shown}")._server.starttls is not local
    assert SMTPTransport(f"smtp://u:p@{shown}")._server.starttls


async def test_the_server_of_these_tests_has_nothing_left_open() -> None:
    async with serving() as server:
        assert isinstance(server, Server)
        await send(server.url())
    assert server.open_connections == 0


async def test_a_thread_that_cannot_be_started_keeps_no_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with serving() as server:
        transport = SMTPTransport(server.url(), timeout=5)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", fail)
            for _ in range(5):
                with pytest.raises(RuntimeError):
                    async with asyncio.timeout(5):
                        await transport.deliver(MAIL, SENDER)
        async with asyncio.timeout(5):
            await transport.deliver(MAIL, SENDER)
    assert len(server.delivered) == 1
