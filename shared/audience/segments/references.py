"""Segments within segments: looked up once, so that what is evaluated is one rule in full."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from shared.audience.segments.model import Rule
from shared.audience.segments.rules import conditions, joins, parts_of
from shared.errors import FieldProblem, InvalidInput, NotFound

MAX_REFERENCES = 5
"""Segments within segments."""

MAX_SEGMENTS = 50
"""Segments in a rule, and in those: each is read."""

MAX_CONDITIONS = 200
"""Of a rule in full."""

Lookup = Callable[[str], Rule]
"""A segment's rule by its id. Raises NotFound."""


def in_full(rule: Rule, lookup: Lookup, *, at: str = "", own: str = "") -> Rule:
    """The rule with every segment in it replaced by that segment's rule.

    `at` is the pointer to the rule, and `own` the id of the segment that it is
    to be the rule of, if it has one: a rule that leads back to it is a cycle.

    Raises:
        InvalidInput: points to the reference that is unknown, leads back to
            itself, is too deep, or makes the whole too large.
    """
    place = _Place(at)
    whole = _Expansion(lookup).of(rule, place, (own,) if own else ())
    if next(islice(conditions(whole), MAX_CONDITIONS, None), None):
        raise place.problem(f"has more than {MAX_CONDITIONS} conditions with its segments' own")
    return whole


class _Expansion:
    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._known: dict[str, Rule] = {}
        self._read = 0

    def of(self, rule: Rule, at: _Place, path: tuple[str, ...]) -> Rule:
        """`path` are the segments on the way here."""
        if "not" in rule:
            return {"not": self.of(rule["not"], at.below("not"), path)}
        for kind in ("all", "any"):
            if kind in rule:
                parts = enumerate(rule[kind])
                return {kind: [self.of(part, at.below(kind, n), path) for n, part in parts]}
        if "segment" in rule:
            return self._segment(rule["segment"], at.below("segment"), path)
        return rule

    def _segment(self, segment_id: str, at: _Place, path: tuple[str, ...]) -> Rule:
        if segment_id in path:
            way = " -> ".join((*path, segment_id))
            raise at.problem(f"leads back to itself ({way}); take it out")
        if len(path) > MAX_REFERENCES:
            raise at.problem(f"is segment within segment more than {MAX_REFERENCES} deep")
        if segment_id not in self._known:
            self._read += 1
            if self._read > MAX_SEGMENTS:
                raise at.problem(f"brings in more than {MAX_SEGMENTS} segments; use fewer")
            try:
                inner = self._lookup(segment_id)
            except NotFound:
                raise at.problem(f"there is no segment {segment_id} in this workspace") from None
            self._known[segment_id] = self.of(inner, at.inside(), (*path, segment_id))
        return self._known[segment_id]


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in the caller's own rule: inside another segment, it stays where that was named."""

    pointer: str
    moves: bool = True

    def below(self, *steps: object) -> _Place:
        return (
            replace(self, pointer="/".join([self.pointer, *map(str, steps)]))
            if self.moves
            else self
        )

    def inside(self) -> _Place:
        return replace(self, moves=False)

    def problem(self, reason: str) -> InvalidInput:
        return InvalidInput(FieldProblem(self.pointer or "/", reason))


def implied_lists(rule: Rule) -> tuple[str, ...] | None:
    """Lists of which everybody in the segment is on one, if the rule is in full and says so.

    Then those lists' members need to be looked at, and nobody else. None where
    it does not say so.
    """
    if "list" in rule:
        return (rule["list"],) if rule.get("state", "subscribed") == "subscribed" else None
    if "all" in rule:
        known = [lists for part in rule["all"] if (lists := implied_lists(part)) is not None]
        return min(known, key=len, default=None)
    if "any" in rule:
        each = [implied_lists(part) for part in rule["any"]]
        if None in each:
            return None
        return tuple(dict.fromkeys(one for lists in each for one in lists or ()))
    return None


def asks_for_engagement(rule: Mapping[str, Any]) -> bool:
    """Whether a rule in full needs more of a person than her own item."""
    return any(map(_is_of_engagement, conditions(rule)))


def supposing(rule: Rule, *, happened: bool) -> Rule:
    """The rule in full with each engagement taken for one that speaks for it, or against it.

    So what is asked of engagement is no longer in it: with `happened`, the rule
    is true of everybody whom it may be true of, and else of those alone whom it
    is true of whatever they did.
    """
    if "not" in rule:
        return {"not": supposing(rule["not"], happened=not happened)}
    for kind in ("all", "any"):
        if kind in rule:
            return {kind: [supposing(part, happened=happened) for part in rule[kind]]}
    if _is_of_engagement(rule):
        return {"all": []} if happened else {"any": []}
    return rule


def _is_of_engagement(condition: Rule) -> bool:
    return "engagement" in condition


def lists_in(rule: Rule, at: str) -> Iterator[tuple[str, str]]:
    """The ids of the lists that a rule itself names, each behind the pointer to it."""
    for kind in ("all", "any"):
        for place, part in enumerate(rule.get(kind, ())):
            yield from lists_in(part, f"{at}/{kind}/{place}")
    if "not" in rule:
        yield from lists_in(rule["not"], f"{at}/not")
    if "list" in rule:
        yield f"{at}/list", rule["list"]


def segments_in(rule: Rule) -> Iterator[str]:
    """The ids of the segments that a rule names."""
    if joins(rule):
        for part in parts_of(rule):
            yield from segments_in(part)
    elif "segment" in rule:
        yield rule["segment"]
