"""Templates give their own scripts and styles the page's nonce, and nothing else."""

from __future__ import annotations

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup, escape

from tornkit.handlers import templates
from tornkit.handlers.nonces import Nonces, render


class Page:
    def __init__(self, nonce: str = "N") -> None:
        self.csp_nonce = nonce


def rendered(source: str, page: Page | None = None, **variables: object) -> str:
    return render_all({"page": source}, page, **variables)


def environment(files: dict[str, str]) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.DictLoader(files), autoescape=True, extensions=[Nonces]
    )


def render_all(files: dict[str, str], page: Page | None = None, **variables: object) -> str:
    template = environment(files).get_template("page")
    return render(template, page or Page(), variables)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<script>1</script>", "<script nonce=N>1</script>"),
        ("<style>a{}</style>", "<style nonce=N>a{}</style>"),
        ("<SCRIPT>1</SCRIPT>", "<SCRIPT nonce=N>1</SCRIPT>"),
        ('<script src="/a.js" defer>', '<script nonce=N src="/a.js" defer>'),
        ("<script\n  src=a>", "<script nonce=N\n  src=a>"),
        ("<script\tasync>", "<script nonce=N\tasync>"),
        ("<script/src=a>", "<script nonce=N /src=a>"),
        ("<style/>", "<style nonce=N />"),
        ("<script", "<script nonce=N "),
        (
            "<script>1</script><script>2</script>",
            "<script nonce=N>1</script><script nonce=N>2</script>",
        ),
        (
            '<link rel="modulepreload" href="/a.js">',
            '<link nonce=N rel="modulepreload" href="/a.js">',
        ),
        ("<link as=script rel=PRELOAD href=a>", "<link nonce=N as=script rel=PRELOAD href=a>"),
        ("{% raw %}<script>{{ x }}{% endraw %}", "<script nonce=N>{{ x }}"),
        ("{% if true %}<script>{% endif %}", "<script nonce=N>"),
        ("{% for n in [1, 2] %}<script>{% endfor %}", "<script nonce=N><script nonce=N>"),
        ("<scr{# a note #}ipt>", "<script nonce=N>"),
        ("<script{# a note #} src=a>", "<script nonce=N  src=a>"),
        ("{% autoescape false %}<script>{% endautoescape %}", "<script nonce=N>"),
        (
            "{% macro m() %}<script>{{ caller() }}{% endmacro %}{% call m() %}<style>{%endcall%}",
            "<script nonce=N><style nonce=N>",
        ),
        ("{% set x %}<script>{% endset %}{{ x }}", "<script nonce=N>"),
        ("{%- if true -%} <script> {%- endif %}", "<script nonce=N>"),
        ("<!-- <script> -->", "<!-- <script nonce=N> -->"),
        (
            '<script>w("<script>1<\\/script>")</script>',
            '<script nonce=N>w("<script nonce=N>1<\\/script>")</script>',
        ),
    ],
)
def test_a_start_tag_of_the_source_gets_the_nonce(source: str, expected: str) -> None:
    assert rendered(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('<script src="{{ x }}">', '<script nonce=N src="X">'),
        ("<script {{ x }}>", "<script nonce=N X>"),
        ("<script{% if x %} defer{% endif %}>", "<script nonce=N  defer>"),
        ("<script{{ {'src': x}|xmlattr }}>", '<script nonce=N  src="X">'),
        (
            '<link rel="modulepreload" href="{{ x }}">',
            '<link nonce=N rel="modulepreload" href="X">',
        ),
        (
            '<link href="{{ x }}" rel="modulepreload">',
            '<link nonce=N href="X" rel="modulepreload">',
        ),
        ("{{ x }}<script>{{ x }}</script>{{ x }}", "X<script nonce=N>X</script>X"),
    ],
)
def test_a_tag_may_be_spread_over_variables_and_blocks(source: str, expected: str) -> None:
    assert rendered(source, x="X") == expected


@pytest.mark.parametrize(
    "source",
    [
        "<script nonce=own>",
        '<script src="/a.js" NONCE="own">',
        "<style\nnonce = 'own'>",
        "<script nonce>",
        "</script></style>",
        "<script-x><styled><scripts><linked><xscript><!script>",
        '<link rel="stylesheet" href="/a.css">',
        '<link rel="preload" as="font" href="/a.woff2">',
        "<link rel=icon href=a>",
        "< script>",
        "&lt;script>",
        "script style link",
    ],
)
def test_other_text_is_left_alone(source: str) -> None:
    assert rendered(source) == source


def test_a_nonce_further_on_in_the_tag_counts() -> None:
    assert rendered('<script src="{{ x }}" nonce="{{ n }}">', x="X", n="own") == (
        '<script src="X" nonce="own">'
    )
    written = "<script {% if x %}nonce=own{% endif %}></script><script></script>"
    assert rendered(written, x=1) == "<script nonce=own></script><script nonce=N></script>"


def test_an_attribute_that_only_looks_like_a_nonce_does_not_count() -> None:
    assert rendered("<script data-nonce=1>") == "<script nonce=N data-nonce=1>"
    assert rendered('<script title="nonce=1">') == '<script nonce=N title="nonce=1">'


@pytest.mark.parametrize(
    "bad", ["<script>alert(1)</script>", "<style>*{}", "<link rel=modulepreload>"]
)
def test_what_a_variable_brings_in_never_gets_a_nonce(bad: str) -> None:
    assert rendered("{{ x|safe }}{{ m }}", x=bad, m=Markup(bad)) == bad + bad
    assert "nonce" not in rendered("{{ '<script>'|safe }}<{{ x }}>", x="script")
    assert rendered("{{ x }}", x=bad) == str(escape(bad))


def test_included_inherited_and_imported_templates_get_it_too() -> None:
    files = {
        "base": "<head><style></style>{% block head %}<script>0</script>{% endblock %}</head>",
        "part": "<script>part</script>",
        "macros": "{% macro tag() %}<script>macro</script>{% endmacro %}",
        "page": "{% extends 'base' %}{% import 'macros' as m %}{% from 'macros' import tag %}"
        "{% block head %}{{ super() }}{% include 'part' %}{{ m.tag() }}{{ tag() }}{% endblock %}",
    }
    template = environment(files).get_template("page")
    for nonce in ("first", "second"):  # an imported file is kept between pages
        text = render(template, Page(nonce), {})
        assert text.count(f" nonce={nonce}>") == 5
        assert text.count("nonce=") == 5


def test_a_branch_that_is_not_shown_asks_for_no_nonce() -> None:
    class Refusing:
        @property
        def csp_nonce(self) -> str:
            raise AssertionError("nobody needs it")

    template = environment({"page": "{% if false %}<script>{% endif %}ok"}).get_template("page")
    assert render(template, Refusing(), {}) == "ok"


def test_without_a_page_there_is_no_nonce() -> None:
    template = environment({"page": "<script src=a>"}).get_template("page")
    assert template.render() == "<script src=a>"
    render(template, Page(), {})
    assert template.render() == "<script src=a>"


def test_errors_name_the_lines_that_were_written() -> None:
    source = "<script>\n1</script>\n<style>\n</style><script src='{{ x }}'\n>\n{{ 1 / 0 }}\n"
    with pytest.raises(ZeroDivisionError) as raised:
        rendered(source, x="X")
    assert raised.traceback[-1].lineno + 1 == 6  # pytest counts from 0
    with pytest.raises(jinja2.TemplateSyntaxError) as wrong:
        rendered("<script>\n</script>\n{% nope %}")
    assert wrong.value.lineno == 3


def test_no_template_can_write_the_tag_itself() -> None:
    with pytest.raises(jinja2.TemplateSyntaxError):
        rendered("{% nonce attribute %}")


def test_templates_name_the_nonce_where_they_want_it() -> None:
    site = templates.create_environment(None, {}, debug=True)
    template = site.from_string("<meta property=csp-nonce content={{ csp_nonce }}>")
    page = Page("own")
    assert render(template, page, {"handler": page}) == "<meta property=csp-nonce content=own>"


@given(
    st.lists(
        st.sampled_from(
            [
                "<script",
                "<style",
                "<link",
                ">",
                " nonce=a",
                '"',
                "'",
                "/",
                "a=",
                " ",
                "\n",
                "{{ x }}",
                "{% if x %}",
                "{% endif %}",
                "{# #}",
                "-x",
                "rel=modulepreload",
            ]
        ),
        max_size=12,
    )
)
def test_taking_the_nonces_out_gives_the_source_back(pieces: list[str]) -> None:
    source = "".join(pieces)
    plain = jinja2.Environment(autoescape=True)
    try:
        expected = plain.from_string(source).render(x="X")
    except jinja2.TemplateSyntaxError:
        return
    found = rendered(source, x="X")
    assert found.replace(" nonce=N", "").replace(" ", "") == expected.replace(" ", "")
