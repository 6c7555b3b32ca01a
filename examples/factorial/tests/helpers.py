"""What the tests share, besides the fixtures."""

import math
import sys
from typing import Any

from httpx import Response
from tornkit.testing import Client


async def ask(client: Client, n: object) -> dict[str, Any]:
    """Ask the API for n!; return the answer without code and message."""
    answer = await client.get("/factorial", params={"n": str(n)})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    assert (found.pop("code"), found.pop("message")) == (0, "")
    return found


def digits_of(n: int) -> str:
    """Return what n! should be."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return str(math.factorial(n))
    finally:
        sys.set_int_max_str_digits(limit)


def is_refused(answer: Response) -> bool:
    """Tell whether an answer in JSON complains of n and of nothing else."""
    fields = [error["field"] for error in answer.json()["errors"]]
    return (answer.status_code, answer.json()["code"], fields) == (422, 422, ["n"])
