"""The pages of student, only for its role."""

from tornkit import Module, path, roles

from .handlers import Dashboard

module = Module(
    access=roles("student"),
    routes=[
        path("/", Dashboard, name="dashboard"),
    ],
)
