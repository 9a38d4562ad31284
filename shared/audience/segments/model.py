"""Segments, their snapshots, and audiences made of them. Plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.audience.model import ListState
from shared.clock import from_iso, to_iso

Rule = Mapping[str, Any]
"""Plain JSON, as `rules.check_rule` lets it pass."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A rule with a name: whoever it is true of at that moment."""

    id: str
    workspace: str
    name: str
    rule: Rule
    created_at: datetime
    updated_at: datetime
    description: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Whom a segment had at one moment. `rule` is in full, without other segments in it.

    `members` is None until the job has found them all; it is the job of the
    same twelve bytes as the snapshot's id. It is gone at `expires_at`.
    """

    id: str
    workspace: str
    segment: str
    rule: Rule
    taken_at: datetime
    expires_at: datetime
    members: int | None = None


class SourceKind(StrEnum):
    """What an audience is made of."""

    LIST = "list"
    SEGMENT = "segment"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class Source:
    """One list, segment or snapshot."""

    kind: SourceKind
    id: str


@dataclass(frozen=True, slots=True)
class Audience:
    """Whoever is in any of `include` and in none of `exclude`."""

    include: tuple[Source, ...]
    exclude: tuple[Source, ...] = ()

    @classmethod
    def of_lists(cls, list_ids: tuple[str, ...]) -> Audience:
        """Everybody on any of these lists: what a campaign's `lists` say."""
        return cls(tuple(Source(SourceKind.LIST, list_id) for list_id in list_ids))

    @property
    def lists(self) -> tuple[str, ...]:
        """The lists that are included."""
        return tuple(source.id for source in self.include if source.kind is SourceKind.LIST)

    def to_item(self) -> dict[str, list[dict[str, str]]]:
        """Plain JSON: `{"include": [{"list": id}, ...], "exclude": [...]}`."""
        return {
            "include": [{source.kind.value: source.id} for source in self.include],
            "exclude": [{source.kind.value: source.id} for source in self.exclude],
        }

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Audience:
        """Reads what `to_item` wrote."""
        return cls(_sources(item["include"]), _sources(item["exclude"]))


def _sources(items: list[Mapping[str, str]]) -> tuple[Source, ...]:
    return tuple(
        Source(SourceKind(kind), identifier) for item in items for kind, identifier in item.items()
    )


@dataclass(frozen=True, slots=True)
class Consent:
    """Which subscription lets a person be mailed, asked again at the moment of sending.

    One to any of `lists` does. With `any_list`, one to any list at all does,
    unless she has left one of `lists`.
    """

    lists: tuple[str, ...]
    any_list: bool = False

    @property
    def only_list(self) -> str | None:
        """The list that a person leaves with one click; None for more than that."""
        return self.lists[0] if len(self.lists) == 1 and not self.any_list else None

    def given(self, states: Mapping[str, str]) -> bool:
        """Whether a person's `lists` (list id to state) let her be mailed."""
        for list_id in self.lists:
            if states.get(list_id) == _SUBSCRIBED:
                return True
        if not self.any_list or any(states.get(one) == _UNSUBSCRIBED for one in self.lists):
            return False
        return _SUBSCRIBED in states.values()


_SUBSCRIBED, _UNSUBSCRIBED = ListState.SUBSCRIBED.value, ListState.UNSUBSCRIBED.value


@dataclass(frozen=True, slots=True)
class Chosen:
    """An audience looked up: nothing in it depends any more on what others may change.

    `lists` are included lists and snapshots, whose members are known, and
    `rules` the included segments' rules in full. Of these, `without` are the
    excluded segments' and lists', and `without_snapshots` are excluded.
    Relative dates count from `as_of`.
    """

    lists: tuple[str, ...]
    rules: tuple[Rule, ...]
    as_of: datetime
    consent: Consent
    without: tuple[Rule, ...] = ()
    without_snapshots: tuple[str, ...] = field(default=())

    def to_item(self) -> dict[str, Any]:
        """Plain JSON, for a job's cursor."""
        return {
            "lists": list(self.lists),
            "rules": list(self.rules),
            "as_of": to_iso(self.as_of),
            "consent": [list(self.consent.lists), self.consent.any_list],
            "without": list(self.without),
            "without_snapshots": list(self.without_snapshots),
        }

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Chosen:
        """Reads what `to_item` wrote."""
        lists, any_list = item["consent"]
        return cls(
            lists=tuple(item["lists"]),
            rules=tuple(item["rules"]),
            as_of=from_iso(item["as_of"]),
            consent=Consent(tuple(lists), any_list),
            without=tuple(item["without"]),
            without_snapshots=tuple(item["without_snapshots"]),
        )
