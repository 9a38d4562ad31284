"""How somebody came to say yes or no: what a consent record keeps beside what was said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Of one change of consent.

    `how` is the way it came in, e.g. `form`, `link`, `api` or `import`.
    `ip` and `user_agent` are of the person's own device. `text_version` names
    the words that she agreed to. `actor` is who brought it to us:
    `api:<key id>`, `link`, `webhook:<provider>`.
    """

    how: str
    ip: str | None = None
    user_agent: str | None = None
    text_version: str | None = None
    actor: str | None = None

    def of_nobody(self) -> Circumstances:
        """The same without what leads to the person's device."""
        return Circumstances(self.how, None, None, self.text_version, self.actor)


def told_by(source: str) -> Circumstances:
    """What a source alone says: `link`, `api:<key id>`, `webhook:<provider>`."""
    return Circumstances(source.partition(":")[0], actor=source)


UNTOLD = Circumstances("api")
"""Where a caller says nothing of how it came about."""
