"""List, write, show, change and remove reviews.

The id of a review is made of its book and its reader, ``3-ann``, so that MongoDB itself
refuses a second one of the same reader.
"""

from datetime import UTC, datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError
from tornkit import AppError

from storage.errors import CHANGED_MEANWHILE, REVIEWED_ALREADY
from storage.handlers import Versioned

from .bodies import Asked, NewReview, ReviewChanges

Document = dict[str, Any]


class Reviews(Versioned):
    """What the handlers of this module share."""

    @property
    def reviews(self) -> AsyncCollection[Document]:
        return self.mongo("catalog").reviews

    async def find(self, review_id: str) -> Document:
        """Return a review, or end the request with a 404."""
        review = await self.reviews.find_one({"_id": review_id})
        if review is None:
            raise AppError(404)
        return review


class ReviewList(Reviews):
    """All reviews, or those of one book, in pages."""

    async def get(self) -> None:
        asked = self.parse_query(Asked)
        wanted: Document = {"_id": {"$gt": asked.after}}
        if asked.book is not None:
            wanted["book_id"] = asked.book
        found = self.reviews.find(wanted).sort("_id").limit(asked.size)
        self.response_json(reviews=[shown(each) async for each in found])

    async def post(self) -> None:
        review = self.parse_json(NewReview).model_dump()
        review["_id"] = f"{review['book_id']}-{review['reader']}"
        review |= {"written_at": datetime.now(UTC).replace(microsecond=0), "version": 1}
        location = self.reverse_url("reviews:review", review_id=review["_id"])
        try:
            await self.reviews.insert_one(review)
        except DuplicateKeyError as error:
            raise AppError(REVIEWED_ALREADY) from error
        self.show_version(1)
        self.created(location, review=shown(review))


class OneReview(Reviews):
    """One review."""

    async def get(self, review_id: str) -> None:
        review = await self.find(review_id)
        self.show_version(review["version"])
        self.response_json(review=shown(review))

    async def patch(self, review_id: str) -> None:
        changes = self.parse_json(ReviewChanges).model_dump(exclude_none=True)
        seen = await self.unchanged(review_id)
        changes["version"] = seen["version"] + 1
        review = await self.reviews.find_one_and_update(
            seen, {"$set": changes}, return_document=ReturnDocument.AFTER
        )
        if review is None:
            raise AppError(CHANGED_MEANWHILE)
        self.show_version(review["version"])
        self.response_json(review=shown(review))

    async def delete(self, review_id: str) -> None:
        done = await self.reviews.delete_one(await self.unchanged(review_id))
        if not done.deleted_count:
            raise AppError(CHANGED_MEANWHILE)
        self.deleted()

    async def unchanged(self, review_id: str) -> Document:
        """Return what finds a review only as long as it is what the client may change."""
        review = await self.find(review_id)
        self.check_version(review["version"])
        return {"_id": review_id, "version": review["version"]}


def shown(review: Document) -> Document:
    """Return what answers show of a review."""
    return {
        "id": review["_id"],
        **{name: review[name] for name in ("book_id", "reader", "stars", "text", "written_at")},
    }
