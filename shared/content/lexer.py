"""Cuts a Jinja source at its top level into static text and dynamic pieces.

A `{{ ... }}` at the top level is one piece; a block statement is one piece with
all that stands inside it. Whitespace control (`{%-`, `-}}`) is applied to the
static text here, so that the text is final.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from shared.errors import TemplateInvalid


class Kind(Enum):
    """What a piece does: stand as it is, print something, or only define names."""

    STATIC = auto()
    PRINTS = auto()
    DEFINES = auto()


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a template's top level, in the order of the source."""

    kind: Kind
    source: str


_TAG_START = re.compile(r"\{\{|\{%|\{#")
_INSIDE = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[-+]?(?P<end>\}\}|%\})""", re.DOTALL)
_WORD = re.compile(r"\{%[-+]?\s*(\w+)")
_INLINE_SET = re.compile(r"\{%[-+]?\s*set\s[^=|]*=")
_END_RAW = re.compile(r"\{%([-+]?)\s*endraw\s*([-+]?)%\}")
_OPENERS = frozenset({"if", "for", "macro", "block", "call", "filter", "set", "with", "autoescape"})
_NO_LOADER = frozenset({"include", "import", "from", "extends"})


def pieces(part: str, source: str) -> Iterator[Piece]:
    """The pieces of one part of a template whose syntax has been checked already.

    Raises:
        TemplateInvalid: it wants to load another template, which there is none.
    """
    position = block_start = depth = 0
    block_kind = Kind.PRINTS
    strip_next = False
    for start, end, tag in _tags(source):
        if depth == 0:
            text = source[position:start]
            yield from _static(text, left=strip_next, right=tag[2] == "-")
            strip_next = False
        word = _word(tag)
        if word in _NO_LOADER:
            line = source.count("\n", 0, start) + 1
            raise TemplateInvalid(part, f"{word!r} is not available in templates", line)
        opens = word in _OPENERS and not (word == "set" and _INLINE_SET.match(tag))
        if word.startswith("end") and depth:
            depth -= 1
        elif opens:
            if depth == 0:
                block_start = start
                block_kind = Kind.DEFINES if word in {"set", "macro"} else Kind.PRINTS
            depth += 1
        elif depth == 0:
            block_start = start
            block_kind = _simple_kind(tag, word)
        if depth == 0:
            yield from _dynamic(source[block_start:end], block_kind)
            strip_next = tag[-3] == "-"
            position = end
    yield from _static(source[position:], left=strip_next, right=False)


def _simple_kind(tag: str, word: str) -> Kind:
    if word == "raw":
        return Kind.STATIC
    return Kind.DEFINES if word in {"set", "do"} or tag.startswith("{#") else Kind.PRINTS


def _dynamic(source: str, kind: Kind) -> Iterator[Piece]:
    if kind is Kind.STATIC:
        opening = source.index("%}") + 2
        closing = list(_END_RAW.finditer(source))[-1]
        text = source[opening : closing.start()]
        left, right = source[opening - 3] == "-", closing.group(1) == "-"
        yield from _static(text, left=left, right=right)
    elif not source.startswith("{#"):
        yield Piece(kind, source)


def _static(text: str, *, left: bool, right: bool) -> Iterator[Piece]:
    if left:
        text = text.lstrip()
    if right:
        text = text.rstrip()
    if text:
        yield Piece(Kind.STATIC, text)


def _word(tag: str) -> str:
    match = _WORD.match(tag)
    return match.group(1) if match else ""


def _tags(source: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and text of every tag; a raw block is one tag, comments too."""
    position = 0
    while match := _TAG_START.search(source, position):
        start = match.start()
        if match.group() == "{#":
            end = source.index("#}", start + 2) + 2
        else:
            end = _end_of(source, start, "}}" if match.group() == "{{" else "%}")
            if _word(source[start:end]) == "raw":
                closing = _END_RAW.search(source, end)
                end = closing.end() if closing else len(source)
        yield start, end, source[start:end]
        position = end


def _end_of(source: str, start: int, closer: str) -> int:
    for match in _INSIDE.finditer(source, start + 2):
        if match.group("end") == closer:
            return match.end()
    return len(source)
