# mypy: disable-error-code="import-not-found, misc, untyped-decorator"
"""Litestar under uvicorn; types declare what comes in and what goes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Litestar, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body

from tests.benchmarks.contenders import common
from tests.benchmarks.contenders.starlette_app import serve


@dataclass
class Rows:
    """The answer of the case ``list``."""

    code: int
    message: str
    rows: list[common.Row]


@get("/")
async def hello() -> dict[str, Any]:
    return common.HELLO


@get("/")
async def rows() -> Rows:
    return Rows(code=0, message="", rows=common.ROWS)


@post("/", status_code=200)
async def form(
    data: Annotated[common.Enrolment, Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> dict[str, Any]:
    return data.plain()


@get([f"/{common.part(number)}/item/{{number:int}}" for number in range(common.ROUTES)])
async def item(number: int) -> dict[str, Any]:
    return {**common.OK, "number": number}


if __name__ == "__main__":
    handlers = {"list": rows, "form": form, "routes": item}
    serve(Litestar([handlers.get(common.CASE, hello)]))
