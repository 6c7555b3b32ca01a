"""Accounts and mail agree on what an address is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tornkit._addresses import ascii_domain, is_address
from tornkit.accounts import normal_email
from tornkit.errors import AccountError
from tornkit.mail.message import mailbox

PARTS = st.text(st.sampled_from('aäßb\uff21.\u3002-<>()[],;:"\\ @\n\u200b\u0301'), max_size=8)


@given(PARTS, PARTS)
def test_who_has_an_account_can_be_mailed_at_that_address(local: str, domain: str) -> None:
    try:
        email = normal_email(f"{local}@{domain}")
    except AccountError:
        return
    box = mailbox(email)
    assert (box.display_name, box.username) == ("", email.partition("@")[0])
    assert box.domain == ascii_domain(email.partition("@")[2])


@pytest.mark.parametrize(
    "text", ["a@b.c", "ä@b.c", "a@ä.c", "a.b+c@Schüle.example", "a@xn--4ca.c"]
)
def test_an_address_may_be_of_any_language(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "domain", ["straße.de", "\uff41.de", "a\u3002de", "a.", ".a", "a..b", "ü" * 64]
)
def test_a_domain_that_would_be_another_one_s_is_none(domain: str) -> None:
    with pytest.raises(ValueError):
        ascii_domain(domain)
