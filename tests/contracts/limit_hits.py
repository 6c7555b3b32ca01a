"""One process that hits one key of a limit store many times at once.

``python -m tests.contracts.limit_hits KIND URL PREFIX HITS``. It says when it is ready, begins
when it is told to, and prints how the hits ended.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time

from tests.security.limit_stores import open_store
from tornkit.security.limits import Rate

RATE = Rate(50, 3600)
KEY = hashlib.sha256(b"shared").hexdigest()


async def main(kind: str, url: str, prefix: str, hits: int) -> None:
    async with open_store(kind, url, prefix=prefix) as store:
        await store.ping()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        began = time.monotonic()
        answers = await asyncio.gather(
            *(store.hit(KEY, RATE, time.time()) for _ in range(hits)), return_exceptions=True
        )
        waits = [answer for answer in answers if isinstance(answer, float)]
        ended = {
            "counted": waits.count(0.0),
            "refused": len(waits) - waits.count(0.0),
            "failed": hits - len(waits),
            "why": sorted({str(one) for one in answers if isinstance(one, BaseException)}),
            "seconds": time.monotonic() - began,
        }
        print(json.dumps(ended), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
