"""Accounts, under /api/account: register, sign in and out, see and edit one's own."""

from tornkit import PUBLIC, SIGNED_IN, Cors, Module, path

from account.settings import Settings

from .handlers import Confirm, Edit, Info, IsLoggedIn, Login, Logout, Register


def clients(settings: Settings) -> Cors | None:
    """Let pages of these origins use the API; without any, no other origin may ask at all."""
    origins = settings.client_origins
    return Cors(origins=origins, credentials=True, expose=["Retry-After"]) if origins else None


module = Module(
    access=PUBLIC,
    cors=clients,
    routes=[
        path("/register", Register, name="register"),
        path("/login", Login, name="login"),
        path("/is-logged-in", IsLoggedIn, name="is-logged-in"),
        path("/logout", Logout, name="logout"),
        path("/info", Info, name="info", access=SIGNED_IN),
        path("/edit", Edit, name="edit", access=SIGNED_IN),
        path("/confirm", Confirm, name="confirm", access=SIGNED_IN),
    ],
)
