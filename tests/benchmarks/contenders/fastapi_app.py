# mypy: disable-error-code="import-not-found, misc, untyped-decorator"
"""FastAPI under uvicorn; types declare what comes in and what goes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import FastAPI, Form

from tests.benchmarks.contenders import common
from tests.benchmarks.contenders.starlette_app import serve

app = FastAPI()


@dataclass
class Rows:
    """The answer of the case ``list``."""

    code: int
    message: str
    rows: list[common.Row]


if common.CASE == "list":

    @app.get("/")
    async def rows() -> Rows:
        return Rows(code=0, message="", rows=common.ROWS)

elif common.CASE == "form":

    @app.post("/")
    async def form(enrolment: Annotated[common.Enrolment, Form()]) -> dict[str, Any]:
        return enrolment.plain()

elif common.CASE == "routes":

    async def item(number: int) -> dict[str, Any]:
        return {**common.OK, "number": number}

    for each in range(common.ROUTES):
        app.get(f"/{common.part(each)}/item/{{number}}")(item)

else:

    @app.get("/")
    async def hello() -> dict[str, Any]:
        return common.HELLO


if __name__ == "__main__":
    serve(app)
