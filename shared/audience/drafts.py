"""What callers say of people, not yet validated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.audience.model import Attribute


@dataclass(frozen=True, slots=True)
class SubscriberDraft:
    """What a caller says of a person, not yet validated."""

    email: str
    list_ids: tuple[str, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    locale: str = ""
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class SubscriberPatch:
    """What shall change; None leaves a field as it is.

    Attributes are merged, and one whose value is None is removed. Tags, locale
    and time zone are replaced.
    """

    attributes: Mapping[str, Attribute | None] | None = None
    tags: tuple[str, ...] | None = None
    locale: str | None = None
    time_zone: str | None = None
