"""Remember in ``.tornkit/`` what was generated: version, answers, the hash of every file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tornkit._text import printable
from tornkit.errors import ScaffoldError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tornkit.scaffold.render import Files

__all__ = ["PROJECT_RECORD", "Record", "fingerprint", "load_record", "module_record", "record"]

PROJECT_RECORD = ".tornkit/project.json"


@dataclass(frozen=True, slots=True)
class Record:
    """What one generation wrote: ``files`` maps a path in the project to its fingerprint."""

    tornkit: str
    answers: Mapping[str, object]
    files: Mapping[str, str]


def module_record(dotted: str) -> str:
    """Return the path of a module's record in its project."""
    return f".tornkit/modules/{dotted}.json"


def fingerprint(content: bytes) -> str:
    """Return the SHA-256 of a file; line ends count as LF, for Git may have changed them."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def record(version: str, answers: Mapping[str, object], files: Files) -> bytes:
    """Return the content of a record file."""
    data = {
        "tornkit": version,
        "answers": answers,
        "files": {path: fingerprint(files[path]) for path in sorted(files)},
    }
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()


def load_record(root: Path, path: str) -> Record | None:
    """Read a record of the project at ``root``; None when there is none.

    Raises:
        ScaffoldError: it is not a record, or names a file outside the project.
    """
    try:
        data = json.loads((root / path).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _damaged(path) from error
    match data:
        case {"tornkit": str(version), "answers": dict(answers), "files": dict(files)}:
            for name, digest in files.items():
                inside = PurePosixPath(name)
                plain = not inside.is_absolute() and ".." not in inside.parts
                if not plain or "\\" in name or not isinstance(digest, str):
                    raise ScaffoldError(f"{path} names '{printable(name)}', outside the project")
            return Record(version, answers, files)
    raise _damaged(path)


def _damaged(path: str) -> ScaffoldError:
    return ScaffoldError(f"{path} cannot be read", hint="restore it from version control")
