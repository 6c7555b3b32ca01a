"""Carts of customers, under /carts, in Redis."""

from tornkit import PUBLIC, Module, path

from .handlers import OneCart, OneItem

module = Module(
    access=PUBLIC,
    routes=[
        path("/{cart:uuid}", OneCart, name="cart"),
        path("/{cart:uuid}/{book_id:int}", OneItem, name="item"),
    ],
)
