"""What clients send to this module, and what the weather service answers."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from storage.fields import Body, Slug

Celsius = Annotated[float, Field(ge=-90, le=60)]
Sky = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]


class Weather(Body):
    """What the weather will be."""

    celsius: Celsius
    sky: Sky


class NewForecast(Weather):
    """The same of a city that had no forecast."""

    city: Slug


class Forecast(BaseModel):
    """What the service answers; what else it says is ignored."""

    city: str
    celsius: float
    sky: str
