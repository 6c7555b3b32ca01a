"""The page that the single-page client lives in."""

from tornkit import PUBLIC, Module, path

from .handlers import Home

module = Module(
    access=PUBLIC,
    routes=[
        path("/", Home, name="home"),
    ],
)
