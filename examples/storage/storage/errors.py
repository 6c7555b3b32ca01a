"""Why the API refuses something: a number for each reason, which clients can act on.

Other errors have their HTTP status as their number: 404, 422, 503.
"""

from tornkit import ErrorCode

ISBN_TAKEN = ErrorCode(1001, "There is a book with this ISBN already.", 409)
REVIEWED_ALREADY = ErrorCode(1002, "This reader has reviewed the book already.", 409)
REPORTED_ALREADY = ErrorCode(1003, "This city has a forecast already.", 409)
CHANGED_MEANWHILE = ErrorCode(1004, "It was changed meanwhile: get it again.", 412)
