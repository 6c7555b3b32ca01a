"""The site's Jinja2 environment: the project's templates, each module's own, overrides.

``teacher/dashboard.html`` is looked for in ``<package>/templates/`` first, then in the
``templates`` folder of the module ``teacher``.
"""

from __future__ import annotations

from collections import ChainMap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import meta
from jinja2.runtime import Context, new_context
from jinja2.utils import missing

from tornkit.errors import TemplateError
from tornkit.handlers.codegen import PageCodeGenerator, escaped
from tornkit.handlers.compiled import CompiledTemplates
from tornkit.handlers.nonces import Nonces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jinja2 import nodes

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


# What a template may name without being given it, and what of the handler that is.
_OF_THE_HANDLER = {
    "request": "request",
    "url": "reverse_url",
    "static_url": "static_url",
    "flashes": "session_flashes",
    "current_user": "current_user",
    "csp_nonce": "csp_nonce",
}


class _SiteContext(Context):
    """Ask the handler only for what a template names.

    A page with ``current_user`` or ``csp_nonce`` differs from visitor to visitor, or each
    time, and is answered as such; a page without them stays cacheable.
    """

    def resolve_or_missing(self, key: str) -> Any:
        if key in self.vars:
            return self.vars[key]
        value = self.parent.get(key, missing)
        if value is missing and key in _OF_THE_HANDLER:
            handler = self.resolve_or_missing("handler")
            return missing if handler is missing else getattr(handler, _OF_THE_HANDLER[key])
        return value


class _SiteTemplate(jinja2.Template):
    def new_context(
        self,
        vars: dict[str, Any] | None = None,  # noqa: A002 - Jinja's name
        shared: bool = False,
        locals: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> Context:
        # Jinja keeps globals in a ChainMap, which it would read key by key for every page.
        known = self.globals
        chain = known.maps if isinstance(known, ChainMap) else [known]
        plain: dict[str, Any] = {}
        for each in reversed(chain):
            plain.update(each)
        return new_context(self.environment, self.name, self.blocks, vars, shared, plain, locals)


class _SiteEnvironment(jinja2.Environment):
    code_generator_class = PageCodeGenerator
    context_class = _SiteContext
    template_class = _SiteTemplate
    escaped = staticmethod(escaped)

    def _generate(
        self,
        source: nodes.Template,
        name: str | None,
        filename: str | None,
        defer_init: bool = False,
    ) -> str:
        # Jinja's hook for what has to be done between parsing and compiling.
        if isinstance(self.bytecode_cache, CompiledTemplates) and name is not None:
            self.bytecode_cache.prepare(source, name)
        return super()._generate(source, name, filename, defer_init)


def create_environment(
    folder: Path | None,
    modules: Mapping[str, Path],
    *,
    debug: bool,
    compiled: CompiledTemplates | None = None,
) -> jinja2.Environment:
    """Return the environment of a site.

    Args:
        folder: the project's templates, which override those of modules.
        modules: the folder of each module that has templates, by its namespace.
        debug: reread changed templates, and make undefined names errors.
        compiled: where compiled templates are kept for the next start.
    """
    loaders: list[jinja2.BaseLoader] = [_ModuleLoader(modules)]
    if folder is not None:
        loaders.insert(0, jinja2.FileSystemLoader(folder))
    return _SiteEnvironment(
        loader=jinja2.ChoiceLoader(loaders),
        # Mails and other plain text are shown as they are; any page is escaped.
        autoescape=cache(jinja2.select_autoescape(disabled_extensions=("txt",), default=True)),
        cache_size=-1,  # a site's templates are few enough to keep them all compiled
        auto_reload=debug,
        bytecode_cache=compiled,
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
            references = _references(environment, name, filename, source)
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
            for referenced in references
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


def _references(
    environment: jinja2.Environment, name: str, filename: str | None, source: str
) -> Iterable[str | None]:
    """Return the templates that one refers to, None for those that it will name when rendered.

    What has been compiled and kept need not be parsed again to know that it can be.
    """
    kept = environment.bytecode_cache
    if isinstance(kept, CompiledTemplates):
        compiled = kept.get_bucket(environment, name, filename, source)
        if compiled.code is not None:
            return compiled.references
    return meta.find_referenced_templates(environment.parse(source, name, filename))


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
