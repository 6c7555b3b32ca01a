"""The start page, for everybody."""

from tornkit import PUBLIC, Module, path

from .handlers import Home

module = Module(
    access=PUBLIC,
    routes=[
        path("/", Home, name="home"),
    ],
)
