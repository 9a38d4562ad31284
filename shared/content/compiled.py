"""Compiling a template to skeletons and slots, and rendering it per recipient.

A SendGrid request has one body for up to 1,000 people and an SES bulk request
one template for 50; both substitute plain keys only. So the static text is
kept once as a skeleton, and only the dynamic pieces are rendered per
recipient. All pieces of a part are rendered in one go, with a NUL behind
each: state that one piece sets is seen by the next, exactly as in direct
rendering, and no rendered value may hold a NUL.

Templates come from untrusted authors and run beside other tenants' data:
minijinja with fuel bounds time and memory, and the context is plain JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from minijinja import Environment, TemplateError

from shared.content.lexer import Kind, pieces
from shared.content.model import TemplateSource
from shared.errors import FieldProblem, InvalidInput, TemplateInvalid
from shared.mail import Skeleton

FUEL = 50_000
"""Instructions a part may use; a normal mail needs 200 to 500."""

MAX_SOURCE = 300_000
"""Characters a part's source may have; mailbox providers clip at 102 KB."""

MAX_RENDERED = 1_000_000
"""Characters a part may render to."""

SAMPLE_CONTEXT: Mapping[str, Any] = {
    "subscriber": {"id": "", "email": "", "attributes": {}, "tags": [], "locale": ""},
    "campaign": {"id": "", "name": ""},
    "unsubscribe_url": "https://example.com/u/sample",
    "data": {},
}
"""What every template can rely on. A template must render for somebody without attributes."""

_NAMES = {"subject": "subject.txt", "html": "html.html", "text": "text.txt"}
_UNSAFE_LINK = re.compile(
    r"(?:href|src|action)\s*=\s*[\"']?\s*(javascript|vbscript|data|file):", re.IGNORECASE
)
_LINE_BREAK = re.compile(r"[\r\n\x00]")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as one recipient gets it; a part that the template lacks is None."""

    subject: str
    html: str | None
    text: str | None


class CompiledTemplate:
    """A template ready to send: skeletons, and the values of their slots per recipient."""

    def __init__(self, source: TemplateSource) -> None:
        self._environment = _environment()
        self._dynamic: list[tuple[str, str, int]] = []
        self._values = 0
        self.subject = self._compile("subject", source.subject)
        self.html = self._compile("html", source.html) if source.html else None
        self.text = self._compile("text", source.text) if source.text else None

    def values(self, context: Mapping[str, Any]) -> tuple[str, ...]:
        """The slots' values for one recipient, those of all parts in one tuple.

        Raises:
            TemplateInvalid: it fails for this recipient, runs too long, or
                renders a line break into the subject.
        """
        render, part, rendered = self._environment.render_template, "", ""
        try:
            for part, name, _ in self._dynamic:
                text = render(name, **context)
                if part == "subject" and ("\n" in text or "\r" in text):
                    raise TemplateInvalid(part, "a value puts a line break into the subject")
                rendered += text if part != "html" else _plain_slashes(text)
        except TemplateError as error:
            raise _invalid(part, error) from error
        values = rendered.split("\x00")
        if len(values) != self._values + 1 or len(rendered) > MAX_RENDERED:
            self._refuse(context)
        del values[-1]
        return tuple(values)

    def render(self, context: Mapping[str, Any]) -> Rendered:
        """The whole message for one recipient, by way of skeleton and slots."""
        values = self.values(context)
        return Rendered(
            self.subject.fill(values),
            self.html.fill(values) if self.html else None,
            self.text.fill(values) if self.text else None,
        )

    def _refuse(self, context: Mapping[str, Any]) -> None:
        """Says which part is too long, or has a NUL too many.

        Raises:
            TemplateInvalid: always, unless only all parts together are over MAX_RENDERED.
        """
        texts = [_render(part, self._environment, name, context) for part, name, _ in self._dynamic]
        for (part, _, slots), text in zip(self._dynamic, texts, strict=True):
            if text.count("\x00") != slots:
                raise TemplateInvalid(part, "a value holds a NUL character")

    def _compile(self, part: str, source: str) -> Skeleton:
        literals, dynamic = [""], ""
        slots: list[int] = []
        for piece in pieces(part, source):
            if piece.kind is Kind.STATIC:
                literals[-1] += piece.source if part != "html" else _plain_slashes(piece.source)
                continue
            if piece.kind is Kind.PRINTS:
                dynamic += "\x00" if slots else ""
                slots.append(self._values)
                self._values += 1
                literals.append("")
            dynamic += piece.source
        if slots:
            self._environment.add_template(_NAMES[part], dynamic + "\x00")
            self._dynamic.append((part, _NAMES[part], len(slots)))
        return Skeleton(tuple(literals), tuple(slots))


def compile_template(source: TemplateSource) -> CompiledTemplate:
    """Checks a template and compiles it.

    Raises:
        InvalidInput: a part is missing or too long.
        TemplateInvalid: names the part, the line, and what is wrong there.
    """
    check_parts(source)
    _parse(source)
    compiled = CompiledTemplate(source)
    render_directly(source, SAMPLE_CONTEXT)
    return compiled


def render_directly(source: TemplateSource, context: Mapping[str, Any]) -> Rendered:
    """The message rendered from the whole source; the yardstick for skeleton and slots.

    Raises:
        TemplateInvalid: names the part, the line, and what is wrong there.
    """
    environment = _parse(source)
    rendered = {
        part: _render(part, environment, name, context)
        for part, name in _NAMES.items()
        if getattr(source, part)
    }
    if _LINE_BREAK.search(rendered["subject"]):
        raise TemplateInvalid("subject", "it renders to more than one line")
    return Rendered(rendered["subject"], rendered.get("html"), rendered.get("text"))


def check_parts(source: TemplateSource) -> None:
    """What can be said of a template without compiling it.

    Raises:
        InvalidInput: names each part at fault.
    """
    problems = []
    if not source.subject.strip():
        problems.append(FieldProblem("subject", "is empty; every mail needs one"))
    elif _LINE_BREAK.search(source.subject):
        problems.append(FieldProblem("subject", "has a line break; put it on one line"))
    if not source.html and not source.text:
        problems.append(FieldProblem("html", "is empty, and so is text; give at least one of them"))
    for part in ("subject", "html", "text"):
        text = getattr(source, part)
        if len(text) > MAX_SOURCE:
            problems.append(FieldProblem(part, f"has {len(text)} characters, over {MAX_SOURCE}"))
        if "\x00" in text:
            problems.append(FieldProblem(part, "holds a NUL character"))
    if match := _UNSAFE_LINK.search(source.html):
        problems.append(FieldProblem("html", f"has a {match.group(1)}: link; use http or https"))
    if problems:
        raise InvalidInput(problems)


def _parse(source: TemplateSource) -> Environment:
    environment = _environment()
    for part, name in _NAMES.items():
        if text := getattr(source, part):
            try:
                environment.add_template(name, text)
            except TemplateError as error:
                raise _invalid(part, error) from error
    return environment


def _environment() -> Environment:
    return Environment(fuel=FUEL, keep_trailing_newline=True, undefined_behavior="chainable")


def _render(part: str, environment: Environment, name: str, context: Mapping[str, Any]) -> str:
    try:
        rendered = environment.render_template(name, **context)
    except TemplateError as error:
        raise _invalid(part, error) from error
    if len(rendered) > MAX_RENDERED:
        raise TemplateInvalid(part, f"it renders to over {MAX_RENDERED} characters")
    return rendered if part != "html" else _plain_slashes(rendered)


def _plain_slashes(html: str) -> str:
    """The engine escapes `/` in HTML, which link trackers do not read; it need not be."""
    return html.replace("&#x2f;", "/")


def _invalid(part: str, error: TemplateError) -> TemplateInvalid:
    """The engine's own words without the source excerpt, which may hold a recipient's data."""
    if error.kind == "OutOfFuel":
        return TemplateInvalid(part, "it runs too long; is there a loop without end?", error.line)
    reason = error.detail or error.message or "it cannot be rendered"
    return TemplateInvalid(part, reason, error.line)
