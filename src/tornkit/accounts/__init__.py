"""Users: the model's mixin, and what is done with accounts.

Who is signed in stands in `tornkit.sessions`; which door opens to whom in `tornkit.access`.
"""

from __future__ import annotations

from tornkit.accounts.accounts import Accounts
from tornkit.accounts.addresses import normal_email
from tornkit.accounts.models import UserMixin
from tornkit.accounts.passwords import Passwords

__all__ = ["Accounts", "Passwords", "UserMixin", "normal_email"]
