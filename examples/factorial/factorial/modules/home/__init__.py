"""The page, and the same as JSON."""

from tornkit import PUBLIC, Module, path

from .handlers import Factorial, Home

module = Module(
    access=PUBLIC,
    routes=[
        path("/", Home, name="home"),
        path("/factorial", Factorial, name="factorial"),
    ],
)
