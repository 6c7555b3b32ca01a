"""What is recorded of an exception: one line, then its traceback from the user's code on."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tornkit._text import printable
from tornkit.errors import TornkitError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["MAX_TEXT", "explain", "storable"]

MAX_TEXT: Final = 20_000
"""How many characters of an error are kept."""
_LINE: Final = 500

_OWN: Final = str(Path(__file__).parent)


def explain(error: BaseException) -> str:
    """Return an exception as text, its kind and message in the first line."""
    try:
        said = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - a message that cannot be read is not the end of a worker
        said = "its message cannot be read"
    kind = type(error).__name__
    first = printable(f"{kind}: {said}" if said else kind, limit=_LINE)
    if isinstance(error, TornkitError) and error.__traceback__ is None:
        return first
    lines = traceback.format_exception(type(error), error, _below(error.__traceback__))
    text = "".join(lines).rstrip()
    if len(text) > MAX_TEXT:
        half = MAX_TEXT // 2
        text = f"{text[:half]}\n… {len(text) - MAX_TEXT} characters left out …\n{text[-half:]}"
    return storable(f"{first}\n\n{text}")


def storable(text: str) -> str:
    """Return a text as any queue can store it: UTF-8, without NUL."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def _below(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames above the user's own."""
    below = trace
    while below is not None and below.tb_frame.f_code.co_filename.startswith(_OWN):
        below = below.tb_next
    return below or trace
