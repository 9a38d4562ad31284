"""Skeleton and slots give the same bytes as direct rendering, and refuse what is unsafe."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.content.compiled import CompiledTemplate, compile_template, render_directly
from shared.content.model import TemplateSource
from shared.errors import InvalidInput, TemplateInvalid

CONTEXT: dict[str, Any] = {
    "subscriber": {
        "email": "a@example.com",
        "attributes": {"first_name": "Zoë <b>", "n": 3, "items": ["x", "y & z"]},
    },
    "unsubscribe_url": "https://example.com/u/1?a=1&b=2",
}

SOURCES = [
    "static only\n",
    "Hello {{ subscriber.attributes.first_name }}!",
    "{{ subscriber.attributes.first_name|default('friend') }}{{ missing.a.b }}\n\n",
    "{% if subscriber.attributes.n > 2 %}many{% else %}few{% endif %}.",
    "{% for i in subscriber.attributes['items'] %}<{{ i }}>{% if i %}.{% endif %}{% endfor %}",
    "{% set x = 'a' %}<{{ x }}>{% set x = x ~ 'b' %}<{{ x }}>",
    "{% set s = namespace(n=0) %}{% for i in [1,2] %}{% set s.n = s.n + i %}{% endfor %}{{ s.n }}",
    "{% set body %}block {{ subscriber.email }}{% endset %}{{ body }} {{ body }}",
    "{% macro hi(x) %}hi {{ x }}{% endmacro %}a{{ hi('b') }}c",
    "a   {{- ' b ' -}}   c {%- if true -%}  d  {%- endif -%}  e",
    "a {# comment {{ x }} #} b {#- trimmed -#} c",
    "{% raw %}{{ not.a.tag }}{% endraw %} and {{ 'x}}y' }} {{ \"%}\" }}",
    "  {% raw -%}  kept {{ x }}  {%- endraw %}  z",
    "{{ unsubscribe_url }} {% with y = 2 %}{{ y }}{% endwith %} {% filter upper %}a{% endfilter %}",
    "{% for i in [1,2] %}{% for j in [3] %}{{ i }}{{ j }}{% endfor %}{% endfor %}",
    "{% if x == 1 %}{% set a = 2 %}{% endif %}[{{ a }}]",
    "{ {% if true %}}{% endif %} {{ '{{' }} } %} #}",
    "{%+ if true +%} kept {%+ endif +%} \n",
]


@pytest.mark.parametrize("source", SOURCES)
def test_slots_equal_direct_rendering(source: str) -> None:
    template = TemplateSource(subject="S {{ subscriber.email }}", html=source, text=source)
    try:
        direct = render_directly(template, CONTEXT)
    except TemplateInvalid:
        pytest.fail("a sample of this test must render")
    assert CompiledTemplate(template).render(CONTEXT) == direct


PIECES = st.sampled_from(
    [
        "text ", "\n", "  ", "{", "}", "{{ x }}", "{{- x }}", "{{ x -}}", "{% if x %}",
        "{%- if y -%}", "{% else %}", "{% endif %}", "{% for i in z %}", "{{ i }}", "{% endfor %}",
        "{% set x = 'q' %}",
        "{# c #}", "{#- c -#}", "{% raw %}{{ r }}{% endraw %}", "<b>", "{{ '}}' }}",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=14).map("".join), st.text(max_size=5), st.booleans())
def test_any_mix_of_pieces_equals_direct_rendering(source: str, x: str, y: bool) -> None:
    template = TemplateSource(subject="s", html=source)
    context = {"x": x.replace("\x00", ""), "y": y, "z": [1, 2]}
    try:
        direct = render_directly(template, context)
    except TemplateInvalid:
        return  # the mix does not compile, so there is nothing to compare
    assert CompiledTemplate(template).render(context) == direct


def test_static_text_stands_once_and_only_dynamic_pieces_become_slots() -> None:
    compiled = compile_template(
        TemplateSource(subject="Hi", html="<p>{{ subscriber.email }}</p>" + "x" * 1000)
    )
    assert compiled.subject.slots == ()
    assert compiled.html is not None
    assert compiled.html.literals == ("<p>", "</p>" + "x" * 1000)
    assert compiled.values(CONTEXT) == ("a@example.com",)


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ("{% if %}", "html (line 1)"),
        ("a\nb {{ 1 +", "html (line 2)"),
        ("{% for i in range(99999) %}{{ i }}{% endfor %}", "runs too long"),
        ("{% for i in range(1000000000) %}.{% endfor %}", "too many"),
        ("{% include 'x' %}", "not available"),
        ("{{ 'x' | nosuchfilter }}", "nosuchfilter"),
        ("<a href='javascript:alert(1)'>", "javascript"),
        ("nul \x00", "NUL"),
        ("x" * 300_001, "300000"),
    ],
)  # fmt: skip
def test_a_bad_template_is_refused_with_its_place(html: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said.replace("(", r"\(").replace(")", r"\)")):
        compile_template(TemplateSource(subject="s", html=html))


@pytest.mark.parametrize("subject", ["", "  ", "a\nb", "a\r\nBcc: x", "{{ '\n' }}"])
def test_a_subject_is_one_line(subject: str) -> None:
    with pytest.raises(InvalidInput):
        compile_template(TemplateSource(subject=subject, text="t"))


def test_a_value_cannot_break_the_subject() -> None:
    compiled = compile_template(
        TemplateSource(subject="Hi {{ subscriber.attributes.n }}", text="t")
    )
    with pytest.raises(TemplateInvalid, match="line break"):
        compiled.values({"subscriber": {"attributes": {"n": "x\r\nBcc: y"}}})


def test_a_value_cannot_shift_the_slots() -> None:
    compiled = compile_template(TemplateSource(subject="s", text="{{ data.a }}-{{ data.b }}"))
    with pytest.raises(TemplateInvalid, match="NUL"):
        compiled.values({"data": {"a": "x\x00y", "b": ""}})


def test_links_keep_their_slashes_in_every_place() -> None:
    html = "&#x2f;<a href='{{ data.url }}'>{% if true %}&#x2f;{% endif %}"
    source = TemplateSource(subject="s", html=html)
    context = {"data": {"url": "https://example.com/a?b=1&c=2"}}
    rendered = compile_template(source).render(context)
    assert rendered == render_directly(source, context)
    assert rendered.html == "/<a href='https://example.com/a?b=1&amp;c=2'>/"


def test_html_is_escaped_and_text_is_not() -> None:
    source = TemplateSource(subject="{{ data.x }}", html="{{ data.x }}", text="{{ data.x }}")
    rendered = compile_template(source).render({"data": {"x": "<&>"}})
    assert (rendered.subject, rendered.html, rendered.text) == ("<&>", "&lt;&amp;&gt;", "<&>")


@pytest.mark.parametrize("part", ["subject", "html", "text"])
def test_the_part_with_a_nul_is_named(part: str) -> None:
    parts = dict.fromkeys(("subject", "html", "text"), "{{ data.good }}")
    compiled = compile_template(TemplateSource(**parts | {part: "{{ data.bad }}"}))
    with pytest.raises(TemplateInvalid, match=f"{part}: a value holds a NUL"):
        compiled.values({"data": {"good": "x", "bad": "a\x00b"}})


def test_the_limit_of_length_is_of_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.content.compiled.MAX_RENDERED", 10)
    compiled = compile_template(TemplateSource(subject="s", html="{{ x }}", text="{{ x }}"))
    assert compiled.values({"x": "9 letters"}) == ("9 letters", "9 letters")
    with pytest.raises(TemplateInvalid, match="over 10 characters"):
        compiled.values({"x": "10 letters"})


def test_what_is_only_defined_after_the_last_slot_shifts_nothing() -> None:
    source = "{{ x }}{% set y = 1 %}{% macro m() %}z{% endmacro %}"
    compiled = compile_template(TemplateSource(subject=source, html=source, text=source))
    assert compiled.values({"x": "v"}) == ("v", "v", "v")
