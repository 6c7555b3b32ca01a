"""What the forms of this module send."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel
from tornkit.accounts import normal_email

Email = Annotated[str, AfterValidator(normal_email)]


class RegisterForm(BaseModel):
    """Somebody who wants an account."""

    email: Email
    password: str


class LoginForm(BaseModel):
    """Somebody who has an account."""

    email: str
    password: str
    remember: bool = False


class ConfirmForm(BaseModel):
    """Somebody who is signed in, and proves it again."""

    password: str


class PasswordForm(BaseModel):
    """Somebody who wants another password."""

    password: str
    new_password: str


class ForgotForm(BaseModel):
    """Somebody who has forgotten the password."""

    email: Email


class ResetForm(BaseModel):
    """Somebody who has followed the link of the mail."""

    token: str = ""
    password: str


class SessionsForm(BaseModel):
    """Whom to sign out: one device, all others, or everybody."""

    handle: str = ""
    others: bool = False
    everywhere: bool = False
