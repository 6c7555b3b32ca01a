"""Code of templates that does as Jinja's own does, with a third fewer calls.

A page is mostly variables and attributes of rows. Jinja makes a `Markup` of every value that
it escapes, only to join it to the text around it, and asks for every attribute by a function of
its own; here values are escaped to plain text, and a function is called only for attributes
that are not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import markupsafe
from jinja2.compiler import CodeGenerator, optimizeconst
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import nodes
    from jinja2.compiler import Frame

__all__ = ["PageCodeGenerator", "escaped"]

# In C, where markupsafe was built with it; older versions have no such function.
_escape_text: Callable[[str], str] = vars(markupsafe).get(
    "_escape_inner", lambda text: str.__str__(markupsafe.escape(text))
)


def escaped(value: Any) -> str:
    """Return the text that `markupsafe.escape` returns as Markup."""
    kind = type(value)
    if kind is str:
        return _escape_text(value)
    if kind is int:
        return str(value)
    return value if kind is Markup else markupsafe.escape(value)


class PageCodeGenerator(CodeGenerator):
    """Write a template as Python, for an environment with a method ``escaped``."""

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        context = frame.eval_ctx
        if context.volatile or not context.autoescape or finalize.src is not None:
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write("environment.escaped(")

    @optimizeconst
    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802  Jinja's name
        """Write an attribute."""
        if self.environment.is_async or self.environment.sandboxed or frame.eval_ctx.volatile:
            super().visit_Getattr(node, frame)
            return
        # Both names are local to the function that Jinja writes, and hold for a moment only.
        self.write("(found if (found := getattr((owner := ")
        self.visit(node.node, frame)
        self.write(f"), {node.attr!r}, missing)) is not missing")
        self.write(f" else environment.getattr(owner, {node.attr!r}))")
