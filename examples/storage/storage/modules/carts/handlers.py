"""Show and empty carts; put books into them, change how many, take them out.

A cart is a hash in Redis: the id of each book and how many of it. The client chooses the
cart's own id, a random UUID, which nobody else can guess. A cart that nobody touches for a week
is gone.
"""

from uuid import UUID

from redis.asyncio import Redis
from tornkit import AppError

from storage.handlers import Api

from .bodies import Exactly, More

LIFETIME = 7 * 24 * 3600  # seconds


class Carts(Api):
    """What the handlers of this module share."""

    @property
    def carts(self) -> Redis:
        return self.redis("cache")

    def put_in(self, cart: UUID, item: dict[str, int], *, is_new: bool) -> None:
        """Answer with an item: 201 and its place where the cart had none of the book."""
        if is_new:
            location = self.reverse_url("carts:item", cart=cart, book_id=item["book_id"])
            self.created(location, item=item)
        else:
            self.response_json(item=item)


class OneCart(Carts):
    """One cart; one that nothing was put into is empty."""

    async def get(self, cart: UUID) -> None:
        counts = await self.carts.hgetall(key_of(cart))
        items = [shown(book_id, count) for book_id, count in counts.items()]
        self.response_json(items=sorted(items, key=lambda item: item["book_id"]))

    async def post(self, cart: UUID) -> None:
        more = self.parse_json(More)
        async with self.carts.pipeline() as pipe:  # both commands or none
            pipe.hincrby(key_of(cart), str(more.book_id), more.count)
            pipe.expire(key_of(cart), LIFETIME)
            count, _ = await pipe.execute()
        self.put_in(cart, shown(more.book_id, count), is_new=count == more.count)

    async def delete(self, cart: UUID) -> None:
        if not await self.carts.delete(key_of(cart)):
            raise AppError(404)
        self.deleted()


class OneItem(Carts):
    """How many of one book are in a cart."""

    async def get(self, cart: UUID, book_id: int) -> None:
        count = await self.carts.hget(key_of(cart), str(book_id))
        if count is None:
            raise AppError(404)
        self.response_json(item=shown(book_id, count))

    async def put(self, cart: UUID, book_id: int) -> None:
        exactly = self.parse_json(Exactly)
        async with self.carts.pipeline() as pipe:
            pipe.hset(key_of(cart), str(book_id), str(exactly.count))
            pipe.expire(key_of(cart), LIFETIME)
            is_new, _ = await pipe.execute()
        self.put_in(cart, shown(book_id, exactly.count), is_new=bool(is_new))

    async def delete(self, cart: UUID, book_id: int) -> None:
        if not await self.carts.hdel(key_of(cart), str(book_id)):
            raise AppError(404)
        self.deleted()


def key_of(cart: UUID) -> str:
    """Return where a cart is kept."""
    return f"storage:cart:{cart}"


def shown(book_id: int | str | bytes, count: int | str | bytes) -> dict[str, int]:
    """Return what answers show of an item; Redis gives text."""
    return {"book_id": int(book_id), "count": int(count)}
