"""What the forms of this module send."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field
from tornkit.accounts import normal_email


def long_enough(password: str) -> str:
    if len(password) < 8:
        raise ValueError("Use at least 8 characters.")
    return password


Email = Annotated[str, AfterValidator(normal_email)]
NewPassword = Annotated[str, Field(max_length=256), AfterValidator(long_enough)]


class LoginForm(BaseModel):
    """Somebody who has an account."""

    email: str
    password: str


class RegisterForm(BaseModel):
    """Somebody who wants an account."""

    email: Email
    password: NewPassword


class PasswordForm(BaseModel):
    """Somebody who wants another password."""

    password: str
    new_password: NewPassword
