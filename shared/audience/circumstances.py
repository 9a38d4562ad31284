"""Under which circumstances somebody's consent changed: what a record of it needs to say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How a change of consent came about.

    `how` is the way it took: `form`, `confirmation`, `preference_centre`,
    `link` or `api`. `ip` and `user_agent` are the person's own, so None where
    somebody else acted for her. `text_version` names the text that she was
    shown, and `actor` is who acted if it was not she, such as `api:<key id>`.
    """

    how: str
    ip: str | None
    user_agent: str | None
    text_version: str | None
    actor: str | None
