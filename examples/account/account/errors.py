"""Why the API refuses something: a number for each reason, which clients can act on.

Other errors have their HTTP status as their number: 401, 422, 429.
"""

from tornkit import ErrorCode

WRONG_SIGN_IN = ErrorCode(1001, "E-mail and password do not match.", 422)
EMAIL_TAKEN = ErrorCode(1002, "This e-mail has an account already.", 409)
WEAK_PASSWORD = ErrorCode(1003, "This password is too easy to guess.", 422)
PASSWORD_NEEDED = ErrorCode(1004, "Enter your password again.", 401)
WRONG_PASSWORD = ErrorCode(1005, "This is not your password.", 422)
