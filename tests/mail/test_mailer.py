"""Sending now, posting for later, and what happens to posted mail when the site stops."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from tornkit.errors import MailError
from tornkit.mail import ConsoleTransport, Mailer, MemoryTransport, Message, Transport
from tornkit.mail.urls import transport_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

SENDER = "noreply@school.example"
SECRET = "https://school.example/reset/t0ken"
MAIL = Message("ann@school.example", "A new password", SECRET)


class Held(Transport):
    """Delivers when the test says so."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.started = asyncio.Event()
        self.two = asyncio.Event()
        self.running = self.most = self.done = 0

    async def deliver(self, message: Message, sender: str) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        self.started.set()
        if self.running == 2:
            self.two.set()
        try:
            await self.go.wait()
            self.done += 1
        finally:
            self.running -= 1


class Failing(Transport):
    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    async def deliver(self, message: Message, sender: str) -> None:
        raise self.failure


def memory() -> Mailer:
    return Mailer(MemoryTransport(), sender=SENDER)


async def test_a_message_that_is_sent_is_in_the_outbox() -> None:
    mailer = memory()
    await mailer.send(MAIL)
    assert mailer.outbox == [MAIL]


def test_only_memory_has_an_outbox() -> None:
    with pytest.raises(MailError) as refused:
        Mailer(ConsoleTransport(), sender=SENDER).outbox  # noqa: B018 - the property raises
    assert "memory://" in refused.value.hint


async def test_the_outbox_does_not_grow_for_ever() -> None:
    mailer = memory()
    for number in range(1001):
        await mailer.send(Message("ann@school.example", str(number), ""))
    assert [len(mailer.outbox), mailer.outbox[-1].subject] == [1000, "1000"]


def test_a_sender_that_is_no_address_is_refused() -> None:
    with pytest.raises(MailError):
        Mailer(MemoryTransport(), sender="nobody")


async def test_send_says_what_failed() -> None:
    with pytest.raises(MailError, match="refused"):
        await Mailer(Failing(MailError("refused")), sender=SENDER).send(MAIL)


# --- posting ---------------------------------------------------------------------------------


async def later(mail: Message | None) -> Message | None:
    await asyncio.sleep(0)
    return mail


async def test_posting_a_message_a_coroutine_a_future_or_nothing() -> None:
    mailer = memory()
    future: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
    posted: list[Message | Awaitable[Message | None] | None]
    posted = [MAIL, later(MAIL), future, None, later(None)]
    for mail in posted:
        mailer.post(mail)
    assert mailer.outbox == []  # nothing is sent while the answer is being made
    future.set_result(MAIL)
    await mailer.drain()
    assert mailer.outbox == [MAIL] * 3


async def test_a_failure_is_logged_without_the_text(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> Message:
        raise RuntimeError("no template")

    mailer = Mailer(Failing(MailError("smtp://x:25: refused")), sender=SENDER)
    mailer.post(MAIL)
    mailer.post(later(MAIL))
    mailer.post(broken())
    await mailer.close()
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 3
    assert caplog.text.count("smtp://x:25: refused") == 2
    assert "no template" in caplog.text
    assert SECRET not in caplog.text


async def test_posted_mail_has_time_to_leave_when_the_site_stops() -> None:
    transport = Held()
    mailer = Mailer(transport, sender=SENDER)
    mailer.post(MAIL)
    await transport.started.wait()
    closing = asyncio.create_task(mailer.close())
    await asyncio.sleep(0)
    assert not closing.done()
    transport.go.set()
    await closing
    assert transport.done == 1


async def test_draining_waits_and_takes_more_mail_afterwards() -> None:
    mailer = memory()
    for number in (1, 2):
        mailer.post(later(MAIL))
        await mailer.drain()
        assert len(mailer.outbox) == number


async def test_what_does_not_leave_in_time_is_logged_as_a_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mailer = Mailer(Held(), sender=SENDER, at_once=1)
    for _ in range(2):
        mailer.post(MAIL)
        mailer.post(later(MAIL))  # one that never gets its turn raises no warning either
    await mailer.close(0.01)
    assert "4 posted mails were lost" in caplog.text
    assert SECRET not in caplog.text


async def test_after_the_end_mail_is_dropped_and_after_a_new_start_it_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mailer = memory()
    await mailer.close()
    mailer.post(later(MAIL))
    assert "the site has stopped" in caplog.text
    await mailer.open()
    mailer.post(MAIL)
    await mailer.close()
    assert mailer.outbox == [MAIL]


async def test_few_are_sent_at_once_and_no_more_than_so_many_wait(
    caplog: pytest.LogCaptureFixture,
) -> None:
    transport = Held()
    mailer = Mailer(transport, sender=SENDER, at_once=2, most_posted=5)
    for _ in range(6):
        mailer.post(later(MAIL))
    assert "a mail was dropped: 5 are waiting" in caplog.text
    await transport.two.wait()
    transport.go.set()
    await mailer.close()
    assert (transport.most, transport.done) == (2, 5)


# --- showing, and choosing -------------------------------------------------------------------


async def test_the_console_shows_a_mail_as_it_will_be_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    link = "https://school.example/reset/" + "t" * 120
    message = Message(
        "Ännchen <ann@school.example>", "Prüfung", f"Grüße\n{link}\n\x1b[2Jgone", html="<p>Hi ü"
    )
    await Mailer(ConsoleTransport(), sender=SENDER).send(message)
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    for line in ["Subject: Prüfung", f"From: {SENDER}", "Grüße", link, "<p>Hi ü"]:
        assert line in lines
    assert "To: Ännchen <ann@school.example>" in lines
    assert "\\x1b[2Jgone" in lines


def test_a_url_chooses_the_transport() -> None:
    assert isinstance(transport_of("console://"), ConsoleTransport)
    assert isinstance(transport_of("memory://"), MemoryTransport)


@pytest.mark.parametrize(
    "url", ["", "memory", "console://x", "memory:///", "http://u:s3cret@host", "SMTP", "x"]
)
def test_another_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(MailError) as refused:
        transport_of(url)
    assert "smtp://host:25" in refused.value.message
    assert "s3cret" not in str(refused.value)
