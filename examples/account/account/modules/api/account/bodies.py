"""What clients send to this module, as JSON."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from tornkit.accounts import normal_email

Email = Annotated[str, AfterValidator(normal_email)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=80)]


class Body(BaseModel):
    """A key that is not known is refused, for it may be a misspelt one."""

    model_config = ConfigDict(extra="forbid")


class Registration(Body):
    """Somebody who wants an account."""

    email: Email
    password: str
    name: Name = ""


class SignIn(Body):
    """Somebody who has one."""

    email: str
    password: str
    remember: bool = False


class Changes(Body):
    """What shall become different; what is left out stays."""

    email: Email | None = None
    name: Name | None = None


class Proof(Body):
    """Somebody who is signed in, and proves it once more."""

    password: str
