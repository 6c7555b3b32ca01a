"""What tests of several modules share, besides the fixtures."""

from tornkit.testing import Client

from school.seed import PASSWORD, email


async def sign_in(client: Client, name: str) -> None:
    """Sign in one of the people of ``school.seed``."""
    form = {"email": email(name), "password": PASSWORD}
    assert (await client.post("/account/login", data=form)).status_code == 303
