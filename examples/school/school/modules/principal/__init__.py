"""The principal area: pages for the role principal."""

from tornkit import Module, path, roles

from .handlers import Dashboard

module = Module(
    access=roles("principal"),
    routes=[
        path("/", Dashboard, name="dashboard"),
    ],
)
