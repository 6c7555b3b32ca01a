"""Send numbers to a running site, as its users would: ``python load.py --count 200``.

Each user sends a number, by one of the ways that there are, and follows its job to the end. Most
numbers are small; some are large primes, which take longest. It ends after so many numbers or so
many seconds, and its exit code is 1 if anything went wrong.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPRequest

LARGE_PRIMES = (9007199254740881, 8999999999999971, 1000000000000037)
ENDED = ("complete", "failed", "aborted")
WAIT = 20  # seconds for which the site holds back an answer while there is no news


@dataclass
class Tally:
    """What has happened so far; times in seconds."""

    sent: int = 0
    answered: list[float] = field(default_factory=list)
    finished: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def unfinished(self) -> int:
        """How many numbers nobody knows the end of."""
        return self.sent - len(self.finished) - len(self.failures)

    def print(self, seconds: float) -> None:
        """Print a summary."""
        print(f"sent        {self.sent:6} in {seconds:.1f} s")
        print(f"finished    {len(self.finished):6}")
        print(f"failures    {len(self.failures):6}")
        for reason in sorted(set(self.failures))[:5]:
            print(f"            {self.failures.count(reason):6} times: {reason}")
        print(f"unfinished  {self.unfinished:6}")
        for name, times in (("answered", self.answered), ("finished", self.finished)):
            print(f"{name:11} p50 {percentile(times, 50)}   p99 {percentile(times, 99)}")


def percentile(times: list[float], percent: int) -> str:
    """Return the time that so many percent did not exceed, in milliseconds."""
    if not times:
        return "      -"
    index = -(-len(times) * percent // 100) - 1
    return f"{1000 * sorted(times)[index]:7.1f} ms"


def numbers(count: int, seed: int) -> Iterator[int]:
    """Return what users send: the same numbers in each run of one seed."""
    chance = random.Random(seed)
    for _ in range(count):
        large = chance.random() < 0.05
        yield chance.choice(LARGE_PRIMES) if large else chance.randint(1, 10**9)


class User:
    """Somebody with a browser: what is enqueued belongs to the session that the cookie names."""

    def __init__(self, url: str, tally: Tally) -> None:
        self.url = url
        self.tally = tally
        self.cookie = ""

    async def use(self, left: Iterator[int]) -> None:
        """Send a number, wait for its result, and begin again."""
        for n in left:
            self.tally.sent += 1
            began = time.monotonic()
            try:
                task = await self.follow(self.request_of(n, self.tally.sent))
            except (OSError, ValueError, KeyError) as error:
                self.tally.failures.append(f"{type(error).__name__}: {error}")
                continue
            if task["status"] == "complete":
                self.tally.finished.append(time.monotonic() - began)
            else:
                self.tally.failures.append(f"{task['status']}: {task['error']}")

    async def follow(self, request: HTTPRequest) -> dict[str, Any]:
        """Send a request, and return its job when that has ended."""
        began = time.monotonic()
        task = await self.fetch(request)
        self.tally.answered.append(time.monotonic() - began)
        while task["status"] not in ENDED:
            address = f"{self.url}/tasks/{task['id']}?wait={WAIT}"
            task = await self.fetch(HTTPRequest(address, request_timeout=WAIT + 10))
        return task

    def request_of(self, n: int, number: int) -> HTTPRequest:
        """Return a request for a number: in turn JSON, a form and a query."""
        address = f"{self.url}/number_request"
        match number % 3:
            case 0:
                headers = {"Content-Type": "application/json"}
                return HTTPRequest(address, "POST", headers, body=json.dumps({"n": n}))
            case 1:
                return HTTPRequest(address, "POST", body=urlencode({"n": n}))
            case _:
                return HTTPRequest(f"{address}?{urlencode({'n': n})}")

    async def fetch(self, request: HTTPRequest) -> dict[str, Any]:
        """Return the job that an answer tells of.

        Raises:
            OSError: there is no answer, or it is an error.
            ValueError: it is no JSON.
        """
        if self.cookie:
            request.headers["Cookie"] = self.cookie
        try:
            answer = await AsyncHTTPClient().fetch(request)
        except Exception as error:
            raise OSError(str(error) or type(error).__name__) from error
        if "Set-Cookie" in answer.headers:
            self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        task: dict[str, Any] = json.loads(answer.body)["task"]
        return task


async def run(url: str, count: int, users: int, seconds: float, seed: int) -> bool:
    """Send the numbers, print what became of them; return whether all is well."""
    AsyncHTTPClient.configure(None, max_clients=users)
    tally, left, began = Tally(), numbers(count, seed), time.monotonic()
    try:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for _ in range(users):
                group.create_task(User(url, tally).use(left))
    except TimeoutError:
        print(f"{seconds:g} seconds are over")
    tally.print(time.monotonic() - began)
    return not tally.failures and not tally.unfinished


def main() -> int:
    parser = argparse.ArgumentParser(description="Send numbers to a running site.")
    parser.add_argument("--url", default="http://127.0.0.1:8888")
    parser.add_argument("--count", type=int, default=200, help="how many numbers")
    parser.add_argument("--users", type=int, default=20, help="how many at a time")
    parser.add_argument("--seconds", type=float, default=60, help="how long at most")
    parser.add_argument("--seed", type=int, default=1, help="which numbers")
    given = parser.parse_args()
    well = asyncio.run(run(given.url, given.count, given.users, given.seconds, given.seed))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
