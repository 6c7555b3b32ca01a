"""The form, what becomes of a number, the history; and the same for programs."""

from tornkit import PUBLIC, Module, path

from .handlers import History, Home, NumberPage, NumberRequest

module = Module(
    access=PUBLIC,
    routes=[
        path("/", Home, name="home"),
        path("/number_request", NumberRequest, name="request"),
        path("/numbers/{job_id:slug}", NumberPage, name="number"),
        path("/history", History, name="history"),
    ],
)
