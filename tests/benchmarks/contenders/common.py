"""What all contenders share: which case is asked for, and what has to be answered."""

from __future__ import annotations

import datetime
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, field_validator

CASE = os.environ.get("BENCH_CASE", "hello")
HOST = "127.0.0.1"
PORT = int(os.environ.get("BENCH_PORT", "0"))
ROUTES = int(os.environ.get("BENCH_ROUTES", "1000"))
FOLDER = Path(os.environ.get("BENCH_FOLDER", "."))
"""Where a contender may write; its access log is ``log/site.log`` in it."""

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
STATIC = HERE / "static"
SECRET = "k7Zq0Vw3Nn5sYt8Lc1Rf6Xj2Pb9Dg4Hm"

OK = {"code": 0, "message": ""}
HELLO = {**OK, "hello": "world"}
SESSION = {"name": "Ada <Lovelace>", "visits": 3}

SMALL = bytes(range(256)) * 4  # 1 KiB
LARGE = SMALL * 9_765  # just under 10 MB, which no server refuses by default for its size alone
LARGEST = 16 * 1024 * 1024
"""What contenders with a lower limit by default are told to accept."""


@dataclass(frozen=True)
class Row:
    """A line of the list, and of the table."""

    id: int
    name: str
    city: str
    score: float
    born: datetime.date

    def plain(self) -> dict[str, Any]:
        """Return the row for encoders that know neither dataclasses nor dates."""
        return {
            "id": self.id,
            "name": self.name,
            "city": self.city,
            "score": self.score,
            "born": self.born.isoformat(),
        }


_BIRTH = datetime.date(1990, 1, 1)
ROWS = [
    Row(
        id=number,
        name=f"Student <{number}> & Friends",
        city=("Zürich", "Porto", "Kyiv", "New Delhi", "Ålesund")[number % 5],
        score=round(number * 1.37, 2),
        born=_BIRTH + datetime.timedelta(days=97 * number),
    )
    for number in range(1, 51)
]
TABLE = ROWS[:10]


def part(number: int) -> str:
    """Return the first segment of a route of the case ``routes``."""
    return f"part{number:04d}"


class Enrolment(BaseModel):
    """The form: what of it is a number or a date arrives as text."""

    name: str = Field(min_length=1, max_length=100)
    email: str = Field(max_length=200)
    age: int = Field(ge=6, le=120)
    born: datetime.date
    newsletter: bool = False

    @field_validator("email")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if not ADDRESS.fullmatch(value):
            raise ValueError("expected an address such as ann@school.example")
        return value

    def plain(self) -> dict[str, Any]:
        """Return what is answered."""
        return {
            **OK,
            "name": self.name,
            "email": self.email,
            "age": self.age,
            "born": self.born.isoformat(),
            "newsletter": self.newsletter,
        }


ADDRESS = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+\Z")


def exec_gunicorn(application: str) -> None:
    """Become gunicorn with one worker of threads, as its documentation has it for such loads."""
    options = {
        "--bind": f"{HOST}:{PORT}",
        "--workers": "1",
        "--worker-class": "gthread",
        "--threads": "4",
        "--log-level": "warning",
    }
    words = [word for option in options.items() for word in option]
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *words, application])
