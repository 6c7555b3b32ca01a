"""What the forms of this module send."""

from typing import Annotated

from pydantic import BaseModel, StringConstraints, field_validator


class GradeForm(BaseModel):
    """A grade for one student of a course."""

    enrollment: int
    work: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    points: int

    @field_validator("points")
    @classmethod
    def within_scale(cls, points: int) -> int:
        if not 0 <= points <= 100:
            raise ValueError("Points go from 0 to 100.")
        return points
