"""What the handlers of the API share: JSON errors, 201 and 204, versions."""

from typing import Any

from tornkit import AppError, BaseHandler

from storage.errors import CHANGED_MEANWHILE
from storage.fields import LARGEST_ID


class Api(BaseHandler):
    """A part of the API: its errors are JSON too, whatever the client's Accept header says."""

    uses_session = False

    def wants_json(self) -> bool:
        return True

    def prepare(self) -> None:
        """Find nothing under a number that no database takes."""
        book_id: Any = self.path_kwargs.get("book_id", 0)
        if book_id > LARGEST_ID:
            raise AppError(404)

    def created(self, location: str, **data: Any) -> None:
        """Answer that something is there now, and where."""
        self.set_header("Location", location)
        self.response_json(status_code=201, **data)

    def deleted(self) -> None:
        """Answer that something is gone."""
        self.set_status(204)
        self.finish()


class Versioned(Api):
    """Something with a version, which its ETag tells: ``ETag: "3"``.

    Whoever changes it may send ``If-Match: "3"``, and is refused if that is not what it is.
    """

    _version: int | None = None

    def show_version(self, version: int) -> None:
        """Tell the version of what is answered."""
        self._version = version
        if self.request.method not in {"GET", "HEAD"}:  # to these Tornado adds it, or says 304
            self.set_etag_header()

    def compute_etag(self) -> str | None:
        return None if self._version is None else f'"{self._version}"'

    def check_version(self, version: int) -> None:
        """Refuse a change by somebody who has seen another version."""
        seen = self.request.headers.get("If-Match", "*")
        if seen != "*" and f'"{version}"' not in [each.strip() for each in seen.split(",")]:
            raise AppError(CHANGED_MEANWHILE)
