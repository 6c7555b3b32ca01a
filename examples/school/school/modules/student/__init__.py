"""The student area: pages for the role student."""

from tornkit import Module, path, roles

from .handlers import Dashboard

module = Module(
    access=roles("student"),
    routes=[
        path("/", Dashboard, name="dashboard"),
    ],
)
