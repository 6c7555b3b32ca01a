"""A message that is made can be sent as it is meant; what could not is refused at once."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tornkit.errors import MailError
from tornkit.mail import Message, compose

if TYPE_CHECKING:
    from email.message import EmailMessage

ANN = "ann@school.example"
SENDER = "Skóla <noreply@school.example>"


def read(message: Message) -> EmailMessage:
    """Return what a mail reader understands of the bytes that leave."""
    return message_from_bytes(compose(message, SENDER).as_bytes(), policy=policy.default)


BREAKS = ["\n", "\r", "\r\n", "\0", "\x0b", "\x0c", "\x1e", "\x85", "\u2028", "\u2029", "\ud800"]


@pytest.mark.parametrize("character", BREAKS, ids=ascii)
@pytest.mark.parametrize("field", ["to", "second to", "name", "subject", "reply_to", "header"])
def test_no_header_takes_a_line_break_or_control_character(field: str, character: str) -> None:
    evil = f"x{character}Bcc: eve@evil.example"
    changed: dict[str, dict[str, Any]] = {
        "to": {"to": f"{ANN}{character}"},
        "second to": {"to": [ANN, f"a{character}b@school.example"]},
        "name": {"to": f"{evil} <{ANN}>"},
        "subject": {"subject": evil},
        "reply_to": {"reply_to": f"{evil} <{ANN}>"},
        "header": {"headers": {"X-Course": evil}},
    }
    fields: dict[str, Any] = {"to": ANN, "subject": "Hello", "text": "…", **changed[field]}
    with pytest.raises(MailError):
        Message(**fields)


@pytest.mark.parametrize(
    "address",
    [
        *("", " ", "ann", "@school.example", "ann@", "a b@c.example", "ann@school..example"),
        *("ann@school.example,eve@evil.example", "ann@b@c.example", "<ann@b>, <eve@c>"),
        *("ann@school.example>", "Ann ann@school.example", "a;b@c", "ann@.example", "(x)a@b"),
        *("group: ann@b;", "ann@[127.0.0.1]", '"a b"@c', f"{'a' * 250}@b.example"),
        "ann@" + "a" * 64 + ".example",
        *(
            "ann@school.example.",
            "ann@straße.example",
            "ann@\uff53chool.example",
            "a@b\u3002example",
        ),
        "ann@" + "ü" * 60 + ".example",
    ],
)
@pytest.mark.parametrize("field", ["to", "reply_to"])
def test_what_is_not_exactly_one_address_is_refused(address: str, field: str) -> None:
    if (address, field) == ("", "reply_to"):
        return  # as good as none
    fields: dict[str, Any] = {"to": ANN, field: address}
    with pytest.raises(MailError):
        Message(subject="Hello", text="…", **fields)


@pytest.mark.parametrize("to", [[], (), None, 7, [None], [ANN, ""]], ids=repr)
def test_without_a_recipient_there_is_no_message(to: Any) -> None:
    with pytest.raises((MailError, TypeError)):
        Message(to, "Hello", "…")


@pytest.mark.parametrize(
    "name",
    [
        *("Bcc", "to", "FROM", "Subject", "Content-Type", "MIME-Version", "Message-ID", "Date"),
        *("X Y", "X:Y", "X\n", "", "Ä", "X" * 80),
    ],
)
def test_a_header_of_the_mail_itself_or_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(MailError):
        Message(ANN, "Hello", "…", headers={name: "x"})


@pytest.mark.parametrize("field", ["text", "html"])
@pytest.mark.parametrize("value", ["\ud800", 7], ids=repr)
def test_a_body_that_is_no_text_is_refused(field: str, value: Any) -> None:
    with pytest.raises(MailError):
        Message(**{"to": ANN, "subject": "Hello", "text": "…", field: value})


def test_a_mail_reader_finds_what_was_written() -> None:
    message = Message(
        ["Ännchen, die Große <ann@schüle.example>", ANN],
        "Ihre Prüfung: 100 % 🎉 " + "lang " * 40,
        "Grüße\n.\nFrom me\n" + "https://school.example/reset/" + "t" * 200,
        html="<p>Grüße</p>",
        reply_to="office@school.example",
        headers={"List-Unsubscribe": "<https://school.example/off>"},
    )
    mail = read(message)
    first, second = mail["To"].addresses
    assert (first.display_name, first.addr_spec) == (
        "Ännchen, die Große",
        "ann@xn--schle-mva.example",
    )
    assert second.addr_spec == ANN
    assert mail["From"].addresses[0].display_name == "Skóla"
    assert mail["Subject"] == message.subject
    assert mail["Reply-To"] == "office@school.example"
    assert mail["List-Unsubscribe"] == "<https://school.example/off>"
    assert mail["Auto-Submitted"] == "auto-generated"
    text, html = mail.iter_parts()
    assert isinstance(text, type(mail))
    assert isinstance(html, type(mail))
    assert text.get_content().splitlines() == message.text.splitlines()
    assert html.get_content().splitlines() == ["<p>Grüße</p>"]
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")


def test_date_and_id_are_there_and_the_id_is_new_each_time() -> None:
    message = Message(ANN, "Hello", "…")
    one, two = read(message), read(message)
    assert parsedate_to_datetime(one["Date"]).utcoffset() is not None
    assert one["Message-ID"] != two["Message-ID"]
    assert one["Message-ID"].endswith("@school.example>")


@pytest.mark.parametrize("text", ["Grüße", "ü" * 3000 + "\r" + "a" * 3000], ids=len)
def test_every_line_that_leaves_is_short_seven_bit_and_ends_in_crlf(text: str) -> None:
    message = Message(ANN, "ü" * 300, text, html="<p>" + "x" * 5000)
    data = compose(message, SENDER).as_bytes()
    lines = data.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert max(data) < 128
    assert not any(b"\r" in line or b"\n" in line for line in lines)


def test_what_the_mail_says_is_in_no_repr() -> None:
    message = Message(ANN, "Hello", "t0ken", html="t0ken", headers={"X-Token": "t0ken"})
    assert "t0ken" not in repr(message)
    assert ANN in repr(message)


@given(st.text(max_size=200), st.text(max_size=60))
def test_any_text_is_refused_or_arrives_as_it_is(subject: str, name: str) -> None:
    try:
        message = Message(f"{name} <{ANN}>", subject, "…")
    except MailError:
        return
    mail = read(message)
    assert len(mail.keys()) == len(set(mail.keys()))
    assert [each.addr_spec for each in mail["To"].addresses] == [ANN]
    assert not {"Bcc", "Cc"} & set(mail.keys())
    assert mail["Subject"].split() == subject.split()
