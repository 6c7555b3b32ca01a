"""Accounts: register, sign in and out, change the password."""

from tornkit import PUBLIC, SIGNED_IN, Module, path

from .handlers import IsSignedIn, Login, Logout, Password, Profile, Register

module = Module(
    access=PUBLIC,
    routes=[
        path("/register", Register, name="register"),
        path("/login", Login, name="login"),
        path("/logout", Logout, name="logout"),
        path("/profile", Profile, name="profile", access=SIGNED_IN),
        path("/password", Password, name="password", access=SIGNED_IN),
        path("/is-signed-in", IsSignedIn, name="is-signed-in"),
    ],
)
