"""Limits in Redis: a number for each key, which Redis forgets when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from tornkit._redis import RedisLink, Script
from tornkit.security.limits.base import LimitStore, Measure

if TYPE_CHECKING:
    from tornkit._rates import Rate

__all__ = ["RedisLimitStore"]

PREFIX: Final = "tornkit:limit:"

# Each script gets the prefix, the key and `now`. Redis is told a duration, for its clock
# need not be the site's, and numbers leave as text, or it would cut them to integers.
_SHARED = """
local key, now = ARGV[1] .. ARGV[2], tonumber(ARGV[3])
local stored = tonumber(redis.call('GET', key) or now)

local function keep(last)
  local life = math.max(1, math.ceil((last - now) * 1000))
  redis.call('SET', key, string.format('%.17g', last), 'PX', life)
end
"""

# The arithmetic of `Measure.hit`; the answer is empty, or how far the hit would have pushed.
_HIT = Script(
    _SHARED
    + """
local interval, full, latest = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local last = math.min(math.max(stored, now), full)
local pushed = last + interval
if pushed <= latest then
  keep(pushed)
  return ''
end
keep(last)
return string.format('%.17g', pushed)
"""
)

_FORGIVE = Script(
    _SHARED
    + """
local last = stored - tonumber(ARGV[4])
if last > now then keep(last) else redis.call('DEL', key) end
"""
)


class RedisLimitStore(RedisLink, LimitStore):
    """Keep limits in Redis 6 or later.

    Args:
        url: as for `tornkit.sessions.redis.RedisStore`.
        prefix: what every key begins with.

    Raises:
        SessionError: the URL is not one of Redis; the message does not quote it.
    """

    purpose: ClassVar[str] = "limit store"

    def __init__(self, url: str, *, prefix: str = PREFIX) -> None:
        super().__init__(url, prefix=prefix)

    async def ping(self) -> None:
        """Ask the server for an answer."""
        await self._ask("PING")

    async def hit(self, key: str, rate: Rate, now: float) -> float:
        """Count one and return 0.0, or return the seconds until it may be, and count nothing."""
        measure = Measure.of(rate, now)
        numbers = (measure.now, measure.interval, measure.full, measure.latest)
        pushed = await self._run(_HIT, key, *map(_exact, numbers))
        return measure.wait(float(pushed)) if pushed else 0.0

    async def forgive(self, key: str, rate: Rate, now: float) -> None:
        """Give one hit back."""
        await self._run(_FORGIVE, key, _exact(now), _exact(Measure.of(rate, now).interval))

    async def forget(self, key: str) -> None:
        """Give all hits back."""
        await self._ask("DEL", self._prefix + key)

    async def clear_expired(self, now: float) -> int:
        """Return 0: Redis forgets by itself."""
        return 0


def _exact(number: float) -> str:
    return repr(float(number))
