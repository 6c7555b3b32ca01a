"""Templates say what Jinja's own code says."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup, escape

from tornkit.handlers.codegen import escaped
from tornkit.handlers.templates import create_environment


class Text(str):
    __slots__ = ()


class Html:
    def __html__(self) -> str:
        return "<b>&</b>"


class Row:
    name = "<Ada>"
    html = Html()
    missing_name = None

    def __init__(self, up: Any = None) -> None:
        self.up = up
        self.asked = 0

    @property
    def broken(self) -> str:
        raise AttributeError("inner")

    def call(self, *values: object) -> str:
        return f"{values}<"

    def __getitem__(self, key: str) -> str:
        if key == "item":
            return "by item <"
        raise LookupError(key)


TEMPLATES = {
    "plain": "{{ text }} {{ number }} {{ row.name }} {{ none }} {{ yes }} {{ real }} {{ mark }}",
    "objects": "{{ row.html }} {{ html }} {{ sub }} {{ row.item }} {{ row['item'] }} {{ data.a }}",
    "deep": "{{ row.up.up.name }} {{ row.up.call(row.name, row.up.html) }} {{ (row.up).name }}",
    "none": "[{{ row.nothing }}][{{ row.broken }}][{{ data.none }}][{{ row.missing_name }}]",
    "loops": "{% for r in rows if r.name %}{{ loop.index }}{{ r.name }}{{ loop.last }}"
    "{% endfor %}",
    "recursive": "{% for r in rows recursive %}{{ r.name }}"
    "{% if r.up %}{{ loop([r.up]) }}{% endif %}{% endfor %}",
    "macros": "{% macro m(r, k='<') %}{{ r.name }}{{ k }}{{ caller() if caller }}{% endmacro %}"
    "{{ m(row) }}{{ m(row, row.name) }}{% call m(row) %}{{ row.name }}{% endcall %}",
    "sets": "{% set x %}{{ text }}<b>{% endset %}{{ x }}{% set y = row.name ~ '<' %}{{ y }}"
    "{% set n = namespace(a=row.name) %}{{ n.a }}",
    "filters": "{{ row.name | upper }}{{ rows | map(attribute='name') | join('<') }}"
    "{{ text | safe }}{{ row.name | default('x') }}{% filter upper %}{{ text }}{% endfilter %}",
    "autoescape": "{% autoescape false %}{{ text }}{{ row.name }}{% endautoescape %}"
    "{% autoescape yes %}{{ text }}{{ row.html }}{% endautoescape %}",
    "blocks": "{% extends 'base' %}{% block a %}{{ super() }}{{ row.name }}{{ self.b() }}"
    "{% endblock %}"
    "{% block b %}{{ text }}{% endblock %}",
    "parts": "{% include 'plain' %}{% import 'lib' as lib %}{{ lib.one(row) }}"
    "{% from 'lib' import one with context %}{{ one(row) }}",
    "conditions": "{{ row.name if row.up else text }}{{ 'a' if row.nothing }}"
    "{{ row.name == '<Ada>' and row.up.name in [row.name] }}",
    "constants": "{{ '<'.upper() }}{{ ['<'][0] }}{{ 'a'.nothing }}",
}
PARTS = {
    "base": "<{% block a %}{{ text }}{% endblock %}|{% block b %}{% endblock %}>",
    "lib": "{% macro one(r) %}({{ r.name }}{{ r.html }}){% endmacro %}",
}


def environments(*, debug: bool) -> list[jinja2.Environment]:
    made = []
    for generator in (None, jinja2.compiler.CodeGenerator):
        environment = create_environment(None, {}, debug=debug)
        environment.loader = jinja2.DictLoader({**TEMPLATES, **PARTS})
        if generator is not None:
            environment.code_generator_class = generator
        made.append(environment)
    return made


def rendered(environment: jinja2.Environment, name: str, text: object) -> str:
    row = Row(up=Row(up=Row()))
    try:
        return environment.get_template(name).render(
            text=text,
            number=7,
            none=None,
            yes=True,
            real=1.5,
            mark=Markup("<i>"),
            html=Html(),
            sub=Text("<sub>"),
            row=row,
            rows=[row, Row()],
            data={"a": "<a>"},
        )
    except jinja2.UndefinedError as error:
        return f"UndefinedError: {error}"


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("name", TEMPLATES)
def test_pages_are_what_jinjas_own_code_makes_of_them(name: str, debug: bool) -> None:
    ours, theirs = environments(debug=debug)
    for text in ("<&'\"> ä", "", Markup("<b>"), Text("<t>"), 12, None):
        assert rendered(ours, name, text) == rendered(theirs, name, text)
    assert "environment.escaped(" in ours.compile(PARTS["lib"], raw=True)


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none() | st.binary())
def test_a_value_is_escaped_as_ever(value: object) -> None:
    assert escaped(value) == escape(value)
    assert escaped(Markup("<b>")) == "<b>"
    assert escaped(Text("<b>")) == "&lt;b&gt;"
    assert escaped(Html()) == "<b>&</b>"
