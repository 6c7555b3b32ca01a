"""The pages of principal, only for its role."""

from tornkit import Module, path, roles

from .handlers import Dashboard

module = Module(
    access=roles("principal"),
    routes=[
        path("/", Dashboard, name="dashboard"),
    ],
)
