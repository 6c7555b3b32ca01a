"""The site's Jinja2 environment: the project's templates, each module's own, overrides.

``teacher/dashboard.html`` is looked for in ``<package>/templates/`` first, then in the
``templates`` folder of the module ``teacher``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import meta
from jinja2.runtime import Context
from jinja2.utils import missing

from tornkit.errors import TemplateError
from tornkit.handlers.nonces import Nonces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["check", "create_environment"]


class _ModuleLoader(jinja2.BaseLoader):
    """Load ``<namespace>/<file>`` from the folder of the module with that namespace."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._loaders = {
            f"{namespace}/": jinja2.FileSystemLoader(folder)
            for namespace, folder in sorted(folders.items(), key=lambda item: -len(item[0]))
        }

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        for prefix, loader in self._loaders.items():
            if template.startswith(prefix):
                try:
                    return loader.get_source(environment, template.removeprefix(prefix))
                except jinja2.TemplateNotFound:
                    continue
        raise jinja2.TemplateNotFound(template)

    def list_templates(self) -> list[str]:
        return sorted(
            prefix + name
            for prefix, loader in self._loaders.items()
            for name in loader.list_templates()
        )


class _SiteContext(Context):
    """Look ``current_user`` and ``csp_nonce`` up only where a template names them.

    A page that does so differs from visitor to visitor, or each time, and is answered as
    such; a page that does not stays cacheable.
    """

    def resolve_or_missing(self, key: str) -> Any:
        value = super().resolve_or_missing(key)
        if value is missing and key in ("current_user", "csp_nonce"):
            handler = super().resolve_or_missing("handler")
            return missing if handler is missing else getattr(handler, key)
        return value


class _SiteEnvironment(jinja2.Environment):
    context_class = _SiteContext


def create_environment(
    folder: Path | None, modules: Mapping[str, Path], *, debug: bool
) -> jinja2.Environment:
    """Return the environment of a site.

    Args:
        folder: the project's templates, which override those of modules.
        modules: the folder of each module that has templates, by its namespace.
        debug: reread changed templates, and make undefined names errors.
    """
    loaders: list[jinja2.BaseLoader] = [_ModuleLoader(modules)]
    if folder is not None:
        loaders.insert(0, jinja2.FileSystemLoader(folder))
    return _SiteEnvironment(
        loader=jinja2.ChoiceLoader(loaders),
        # Mails and other plain text are shown as they are; any page is escaped.
        autoescape=jinja2.select_autoescape(disabled_extensions=("txt",), default=True),
        cache_size=-1,  # a site's templates are few enough to keep them all compiled
        auto_reload=debug,
        undefined=jinja2.StrictUndefined if debug else jinja2.Undefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[Nonces],
    )


def check(environment: jinja2.Environment) -> list[TemplateError]:
    """Return what is wrong with the templates: syntax, and references to missing ones."""
    names = environment.list_templates(filter_func=_is_text)
    known = set(names)
    problems: list[TemplateError] = []
    for name in names:
        try:
            source, filename, _ = _source(environment, name)
            tree = environment.parse(source, name, filename)
        except jinja2.TemplateSyntaxError as error:
            problems.append(_problem(name, str(error.message), error.filename, error.lineno))
            continue
        except UnicodeDecodeError:
            problems.append(_problem(name, "it is not UTF-8 text", None, None))
            continue
        problems.extend(
            _problem(
                name,
                f"it refers to {referenced!r}, which does not exist",
                filename,
                _line_of(source, referenced),
            )
            for referenced in meta.find_referenced_templates(tree)
            if referenced is not None and referenced not in known
        )
    return problems


def _is_text(name: str) -> bool:
    return not Path(name).name.startswith(".") and "__pycache__" not in name


def _source(environment: jinja2.Environment, name: str) -> tuple[str, str | None, Any]:
    loader = environment.loader
    if loader is None:
        raise jinja2.TemplateNotFound(name)
    return loader.get_source(environment, name)


def _line_of(source: str, text: str) -> int:
    return source[: max(source.find(text), 0)].count("\n") + 1


def _problem(name: str, what: str, filename: str | None, line: int | None) -> TemplateError:
    where = f" ({filename}:{line})" if filename and line else ""
    return TemplateError(
        f"template {name!r}{where}: {what}",
        hint="correct the template",
        file=filename,
        line=line,
        check_id="templates.broken",
    )
