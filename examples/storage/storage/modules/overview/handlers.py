"""A book with its reviews, the customer's cart and the weather, from four places at once."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError
from tornkit.errors import DatabaseError, ServiceError

from storage.fields import Slug
from storage.handlers import Api
from storage.models import Book
from storage.modules.books.handlers import find
from storage.modules.carts.handlers import key_of
from storage.modules.reviews.handlers import shown
from storage.modules.weather.bodies import Forecast

T = TypeVar("T")

TOGETHER = 2  # seconds until the answer is a 503
EACH = 1  # seconds until something is left out of the answer

log = logging.getLogger(__name__)


class Asked(BaseModel):
    """For whom the overview is."""

    city: Slug = "oslo"
    cart: UUID | None = None


class Overview(Api):
    """Show a book and what there is about it.

    Without the book there is nothing to show. The rest may be missing: it is null then, and
    ``missing`` names it.
    """

    async def get(self, book_id: int) -> None:
        asked = self.parse_query(Asked)
        self.missing: list[str] = []
        found: dict[str, Any] = await self.gather(
            {
                "book": self.book(book_id),
                "reviews": self.optional("reviews", self.reviews(book_id)),
                "in_cart": self.optional("in_cart", self.in_cart(asked.cart, book_id)),
                "weather": self.optional("weather", self.weather(asked.city)),
            },
            timeout=TOGETHER,
        )
        self.response_json(**found, missing=sorted(self.missing))

    async def optional(self, name: str, part: Awaitable[T]) -> T | None:
        """Return a part of the overview, or None where what keeps it is away."""
        try:
            async with asyncio.timeout(EACH):
                return await part
        except (DatabaseError, PyMongoError, RedisError, TimeoutError) as error:
            log.warning("%s left out: %s", name, str(error) or "no answer in time")
            self.missing.append(name)
            return None

    async def book(self, book_id: int) -> Book:
        async with self.db(read_only=True) as session:
            return await find(session, book_id)

    async def reviews(self, book_id: int) -> list[dict[str, Any]]:
        newest = self.mongo("catalog").reviews.find({"book_id": book_id}).sort("written_at", -1)
        return [shown(review) async for review in newest.limit(5)]

    async def in_cart(self, cart: UUID | None, book_id: int) -> int:
        if cart is None:
            return 0
        return int(await self.redis("cache").hget(key_of(cart), str(book_id)) or 0)

    async def weather(self, city: str) -> Forecast | None:
        try:
            answer = await self.http("weather").get(f"/forecasts/{city}")
        except ServiceError as error:
            if error.status == 404:  # it is there, and knows no such city
                return None
            raise
        return answer.json(Forecast)
