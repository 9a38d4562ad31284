"""Templates as their author wrote them, under numbered versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """The three parts, in Jinja syntax. At least one of `html` and `text` is there."""

    subject: str
    html: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """One version of a template; a version never changes once written."""

    id: str
    workspace: str
    name: str
    source: TemplateSource
    created_at: datetime
    version: int = 1
