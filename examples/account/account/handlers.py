"""What the handlers of the API share."""

from tornkit import BaseHandler


class Api(BaseHandler):
    """A part of the API: its errors are JSON too, whatever the client's Accept header says."""

    def wants_json(self) -> bool:
        return True
