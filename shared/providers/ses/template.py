r"""Skeletons as SES's inline templates: plain `{{key}}` tags, and nothing else may look like one.

SES substitutes with Handlebars rules, so a `{{` in the static text, a brace
next to a tag (`{` + `{{v0}}`) or a backslash before one (`\{{` is an escaped
tag) would change the mail. Such text goes into a slot of its own.
"""

from __future__ import annotations

import re

from shared.mail import Skeleton

_OPENING = re.compile(r"[\\{}]*\{\{[\\{}]*")
_BEFORE_TAG = re.compile(r"[\\{]+\Z")
_AFTER_TAG = re.compile(r"\A\}+")


class Tags:
    """The tags of one mail: `v<place>` for a recipient's values, `s<n>` for static text.

    `static` maps the keys of static text to the text; it goes into each
    recipient's data, since SES uses the default data only where there is none.
    """

    def __init__(self) -> None:
        self.static: dict[str, str] = {}
        self.slots: set[int] = set()
        self._keys: dict[str, str] = {}

    def template(self, skeleton: Skeleton) -> str:
        """One part as a template text."""
        last = len(skeleton.literals) - 1
        pieces = []
        for place, literal in enumerate(skeleton.literals):
            pieces.append(self._protect(literal, after=place > 0, before=place < last))
            if place < last:
                slot = skeleton.slots[place]
                self.slots.add(slot)
                pieces.append(f"{{{{v{slot}}}}}")
        return "".join(pieces)

    def _protect(self, literal: str, *, after: bool, before: bool) -> str:
        # Nearly all text has none of it, and the search itself takes a millisecond.
        at_start = after and literal.startswith("}")
        at_end = before and literal.endswith(("{", "\\"))
        if not (at_start or at_end or "{{" in literal):
            return literal
        ends = [_OPENING.pattern]
        if after:
            ends.append(_AFTER_TAG.pattern)
        if before:
            ends.append(_BEFORE_TAG.pattern)
        return re.sub("|".join(ends), lambda match: self._static(match[0]), literal)

    def _static(self, text: str) -> str:
        key = self._keys.setdefault(text, f"s{len(self._keys)}")
        self.static[key] = text
        return f"{{{{{key}}}}}"
