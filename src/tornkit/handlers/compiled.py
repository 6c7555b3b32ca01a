"""Compiled templates, kept on disk from one start to the next.

Whoever could put a file of theirs there would have it run. So the folder belongs to the user
that the site runs as, and is closed to everybody else; and each file is signed with the site's
secret, for who manages to write files as that user should not by that write programs.
Whatever is wrong with a file, the template is compiled again.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import marshal
import os
import secrets
import stat
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from jinja2 import meta, nodes
from jinja2.bccache import Bucket
from jinja2.filters import FILTERS
from jinja2.tests import TESTS

from tornkit._text import printable
from tornkit.handlers.nonces import Nonces
from tornkit.security.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import NoReturn

__all__ = ["CompiledTemplate", "CompiledTemplates"]

_log = logging.getLogger("tornkit.handlers")

_OPTIONS = (
    *("block_start_string", "block_end_string", "variable_start_string", "variable_end_string"),
    *("comment_start_string", "comment_end_string", "line_statement_prefix"),
    *("line_comment_prefix", "trim_blocks", "lstrip_blocks", "newline_sequence"),
    *("keep_trailing_newline", "optimized"),
)
# A link leads elsewhere, and a pipe would be waited for; Windows has neither flag.
_PLAINLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class CompiledTemplate(Bucket):
    """The code of a template, and the names of the templates that it refers to."""

    references: tuple[str | None, ...] = ()


class CompiledTemplates(jinja2.BytecodeCache):
    """Keep what templates compile to in a folder; where that cannot be, go on without.

    Args:
        folder: made when the first template is kept; the folder around it has to be there.
        secrets: returns the site's secrets, today's first.
    """

    def __init__(self, folder: Path, secrets: Callable[[], Sequence[str]]) -> None:
        self._folder = folder
        self._signer = Signer(secrets, "templates")
        self._works = os.open in os.supports_dir_fd and hasattr(os, "geteuid")  # not on Windows
        self._references: dict[str, tuple[str | None, ...]] = {}

    def prepare(self, tree: nodes.Template, name: str) -> None:
        """Make a template's code independent of the functions of the site; they may change."""
        environment = tree.environment
        if environment is not None:
            own = _own_functions(environment)
            for node in tree.find_all((nodes.Filter, nodes.Test)):
                if f"{type(node).__name__} {node.name}" in own:
                    node.as_const = _later  # type: ignore[method-assign]  # of this one
        self._references[_key(name)] = tuple(meta.find_referenced_templates(tree))

    def get_bucket(
        self, environment: jinja2.Environment, name: str, filename: str | None, source: str
    ) -> CompiledTemplate:
        """Return the code that is kept of a template, or a place for it."""
        made_of = "\0".join((*_ingredients(environment, name), name, filename or "", source))
        checksum = hashlib.sha256(made_of.encode("utf-8", "surrogatepass")).hexdigest()
        bucket = CompiledTemplate(environment, _key(name), checksum)
        self.load_bytecode(bucket)
        return bucket

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill a bucket with the code that is kept for it, if there is any."""
        if not self._works or not _can_be_kept(bucket.environment):
            return
        try:
            with self._opened() as folder:
                kept = _read(bucket.key, folder)
        except FileNotFoundError:
            return
        except OSError as error:
            self._give_up(error)
            return
        head, _, body = kept.partition(b"\n")
        known = self._signer.unsign(head.decode("ascii", "replace"))
        # Not before: what marshal reads has to be what it wrote, by this very Python.
        if known is not None and known[0] == _digest(bucket, body):
            bucket.code, references = marshal.loads(body)  # noqa: S302  ours, by its signature
            if isinstance(bucket, CompiledTemplate):
                bucket.references = references

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a bucket; a failure is logged, and was the last try."""
        references = self._references.pop(bucket.key, ())
        if not self._works or not _can_be_kept(bucket.environment):
            return
        body = marshal.dumps((bucket.code, references))
        head = self._signer.sign(_digest(bucket, body)).encode()
        try:
            with self._opened(create=True) as folder:
                _write(bucket.key, head + b"\n" + body, folder)
        except OSError as error:
            self._give_up(error)

    @contextlib.contextmanager
    def _opened(self, *, create: bool = False) -> Iterator[int]:
        """Open the folder; files are reached through it, so that nobody can swap it."""
        if create:
            with contextlib.suppress(FileExistsError):
                self._folder.mkdir(mode=0o700)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | _PLAINLY)
        try:
            found = os.fstat(folder)
            if found.st_uid != os.geteuid():
                raise PermissionError(0, "it belongs to somebody else; remove it")
            if stat.S_IMODE(found.st_mode) & 0o077:
                raise PermissionError(0, "others may enter it; remove it, or close it (chmod 700)")
            yield folder
        finally:
            os.close(folder)

    def _give_up(self, error: OSError) -> None:
        self._works = False
        reason = printable(error.strerror or error, limit=200)
        _log.warning("compiled templates are not kept in %s: %s", self._folder, reason)


def _later(eval_ctx: object = None) -> NoReturn:
    raise nodes.Impossible


def _can_be_kept(environment: jinja2.Environment) -> bool:
    # What another extension or a `finalize` makes of a source may change unseen.
    return environment.finalize is None and set(environment.extensions) == {Nonces.identifier}


def _ingredients(environment: jinja2.Environment, name: str) -> Iterator[str]:
    """Yield what code depends on besides its source."""
    yield from (sys.version, jinja2.__version__, _our_part())
    yield from (repr(getattr(environment, option)) for option in _OPTIONS)
    escaped = environment.autoescape
    yield repr(escaped(name) if callable(escaped) else escaped)
    yield repr(sorted(environment.policies.items(), key=lambda item: item[0]))
    for each, function in sorted(_own_functions(environment).items(), key=lambda item: item[0]):
        # Code hands a function what it asked for when the template was compiled.
        yield f"{each} {getattr(function, 'jinja_pass_arg', None)}"


@cache
def _our_part() -> str:
    """Return a hash of what this room adds to templates, and of the form of the files."""
    files = (
        Path(__file__).with_name(f"{name}.py")
        for name in ("codegen", "compiled", "nonces", "templates")
    )
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _own_functions(environment: jinja2.Environment) -> dict[str, object]:
    """Return the filters and tests that are not Jinja's, which only its version changes."""
    kinds = (
        ("Filter", environment.filters, FILTERS),
        ("Test", environment.tests, TESTS),
    )
    return {
        f"{kind} {name}": function
        for kind, known, builtin in kinds
        for name, function in known.items()
        if builtin.get(name) is not function
    }


def _key(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _digest(bucket: Bucket, body: bytes) -> str:
    return f"{bucket.key}:{bucket.checksum}:{hashlib.sha256(body).hexdigest()}"


def _read(name: str, folder: int) -> bytes:
    file = os.open(name, os.O_RDONLY | _PLAINLY, dir_fd=folder)
    with os.fdopen(file, "rb") as stream:
        return stream.read() if stat.S_ISREG(os.fstat(file).st_mode) else b""


def _write(name: str, content: bytes, folder: int) -> None:
    """Write a file as a whole: another process sees all of it or nothing."""
    draft = f"{name}.{secrets.token_hex(8)}"
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAINLY, 0o600, dir_fd=folder)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(content)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(draft, dir_fd=folder)
        raise
