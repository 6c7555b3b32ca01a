"""Accounts: register, sign in and out, look after one's password and sessions."""

from tornkit import PUBLIC, SIGNED_IN, Module, path

from .handlers import IsSignedIn, Login, Logout, Profile, Register, Sessions
from .passwords import Confirm, Forgot, Password, Reset

module = Module(
    access=PUBLIC,
    routes=[
        path("/register", Register, name="register"),
        path("/login", Login, name="login"),
        path("/logout", Logout, name="logout"),
        path("/is-signed-in", IsSignedIn, name="is-signed-in"),
        path("/profile", Profile, name="profile", access=SIGNED_IN),
        path("/sessions", Sessions, name="sessions", access=SIGNED_IN),
        path("/password", Password, name="password", access=SIGNED_IN),
        path("/confirm", Confirm, name="confirm", access=SIGNED_IN),
        path("/forgot", Forgot, name="forgot"),
        path("/reset", Reset, name="reset"),
    ],
)
