"""Reviews of books, under /reviews, in MongoDB."""

from tornkit import PUBLIC, Module, path

from .handlers import OneReview, ReviewList

module = Module(
    access=PUBLIC,
    routes=[
        path("", ReviewList, name="list"),
        path("/{review_id:slug}", OneReview, name="review"),
    ],
)
