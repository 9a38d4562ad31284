"""Walking through an audience: shard by shard, in the order of ids, close to the data.

Whoever is looked at comes out, in the audience or not, so that a walk through
very many people of whom few belong can be stopped and resumed at any place.

How many people a walk looks at is decided by what is included. Where every
rule implies a list, only those lists' members are read, a hundred at a time;
else everybody of the workspace is, with their engagement beside them, in order
of ids and by the page. Of members, what they did is read for those alone whom
nothing else decides. What is excluded never adds to that: it is asked of
those alone who would be in.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Generic, TypeVar

from shared.audience.ports import SHARDS, AudienceReader
from shared.audience.segments.compiling import any_of
from shared.audience.segments.model import Chosen, Rule
from shared.audience.segments.ports import EngagementReader, PeopleReader
from shared.audience.segments.references import asks_for_engagement, implied_lists, supposing

BATCH = 100
"""People that are judged at once: the most that one BatchGetItem reads."""

Look = tuple[int, str, bool]
"""Shard and id of somebody who was looked at, and whether she is in the audience."""

T = TypeVar("T")


class AudienceWalk:
    """Reads lists, people and what they did; writes nothing."""

    def __init__(
        self, lists: AudienceReader, people: PeopleReader, engagement: EngagementReader
    ) -> None:
        self._lists = lists
        self._people = people
        self._engagement = engagement

    def looks(
        self,
        workspace: str,
        chosen: Chosen,
        *,
        shard: int = 0,
        after: str | None = None,
        consistent: bool = True,
    ) -> Iterator[Look]:
        """Everybody who has to be looked at, from behind `after` in `shard` on; reads lazily.

        Without `consistent` the members of lists cost half, as the port says.
        """
        judge = _Judge(chosen)
        implied = _implied_by_all(chosen.rules)
        for number in range(shard, SHARDS):
            part = _Part(workspace, number, after if number == shard else None, consistent)
            if implied is None:
                batches = self._everybody(part, chosen, judge)
            else:
                batches = self._members(part, chosen, implied, judge)
            for batch in batches:
                belong = judge.belonging(batch)
                for snapshot in chosen.without_snapshots:
                    if belong:
                        belong -= self._lists.among(workspace, snapshot, sorted(belong))
                for subscriber in batch.ids:
                    yield number, subscriber, subscriber in belong

    def _everybody(self, part: _Part, chosen: Chosen, judge: _Judge) -> Iterator[_Batch]:
        """The whole workspace: people, their engagement and the included lists, side by side."""
        people = self._people.of_shard(part.workspace, part.shard, after=part.after)
        named: Beside[None] = Beside(
            (member, None) for member, is_named in self._candidates(part, chosen.lists) if is_named
        )
        states: Beside[bytes] = Beside(
            self._engagement.of_shard(part.workspace, part.shard, after=part.after)
            if judge.asks_for_engagement
            else iter(())
        )
        while items := list(islice(people, BATCH)):
            by_id = {item["id"]: item for item in items}
            for subscriber, item in by_id.items():
                for state in states.at(subscriber):
                    item["engagement"] = state
            on_lists = {one for one in by_id if named.at(one)}
            yield _Batch(list(by_id), on_lists, by_id)

    def _members(
        self, part: _Part, chosen: Chosen, implied: Sequence[str], judge: _Judge
    ) -> Iterator[_Batch]:
        """Members of the included lists, and of those that the rules imply."""
        candidates = self._candidates(part, chosen.lists, implied)
        while some := list(islice(candidates, BATCH)):
            ids = [one for one, _ in some]
            on_lists = {one for one, is_named in some if is_named}
            asked = ids if judge.excludes else [one for one in ids if one not in on_lists]
            items = self._people.of(part.workspace, asked) if asked else {}
            batch = _Batch(ids, on_lists, items)
            if undecided := judge.undecided(batch):
                states = self._engagement.of(part.workspace, sorted(undecided))
                for subscriber, state in states.items():
                    items[subscriber]["engagement"] = state
            yield batch

    def _candidates(
        self, part: _Part, named: Sequence[str], implied: Sequence[str] = ()
    ) -> Iterator[tuple[str, bool]]:
        """Each member of any of the lists once, by id, and whether a named list has her."""
        lists = dict.fromkeys((*named, *implied))
        merged = heapq.merge(*(self._list(part, name, name in named) for name in lists))
        for member, entries in groupby(merged, key=itemgetter(0)):
            yield member, any(is_named for _, is_named in entries)

    def _list(self, part: _Part, list_id: str, is_named: bool) -> Iterator[tuple[str, bool]]:
        members = self._lists.members(
            part.workspace, list_id, part.shard, after=part.after, consistent=part.consistent
        )
        for member in members:
            yield member, is_named


@dataclass(frozen=True, slots=True)
class _Part:
    """What is left of one shard of a workspace."""

    workspace: str
    shard: int
    after: str | None
    consistent: bool


@dataclass(frozen=True, slots=True)
class _Batch:
    """People by id, those of them who are on an included list, and such items as are needed."""

    ids: list[str]
    on_lists: set[str]
    items: Mapping[str, dict[str, Any]]


class _Judge:
    """Who belongs to an audience."""

    def __init__(self, chosen: Chosen) -> None:
        self._includes = any_of(chosen.rules, chosen.as_of)
        self._excludes = any_of(chosen.without, chosen.as_of)
        self.excludes = bool(chosen.without)
        self.asks_for_engagement = any(map(asks_for_engagement, (*chosen.rules, *chosen.without)))
        self._bounds = _bounds(chosen) if self.asks_for_engagement else None

    def undecided(self, batch: _Batch) -> set[str]:
        """Those of a batch, without engagement in it, who belong or not by what they did."""
        if self._bounds is None:
            return set()
        at_most, at_least = self._bounds
        return at_most.belonging(batch) - at_least.belonging(batch)

    def belonging(self, batch: _Batch) -> set[str]:
        """Those of a batch who are in, snapshots that are excluded aside."""
        belong = set(batch.on_lists)
        includes, excludes = self._includes, self._excludes
        belong.update(
            one for one, item in batch.items.items() if one not in belong and includes(item)
        )
        if self.excludes:
            belong.intersection_update(batch.items)
            belong -= {one for one in belong if excludes(batch.items[one])}
        return belong


def _bounds(chosen: Chosen) -> tuple[_Judge, _Judge]:
    """Judges of whoever may belong, and of those who do whatever they did."""

    def supposed(happened: bool) -> _Judge:
        return _Judge(
            replace(
                chosen,
                rules=tuple(supposing(one, happened=happened) for one in chosen.rules),
                without=tuple(supposing(one, happened=not happened) for one in chosen.without),
            )
        )

    return supposed(True), supposed(False)


class Beside(Generic[T]):
    """A second stream in the order of ids, from which what belongs to an id is taken."""

    def __init__(self, pairs: Iterator[tuple[str, T]]) -> None:
        self._pairs = pairs
        self._next = next(pairs, None)

    def at(self, subscriber: str) -> tuple[T, ...]:
        """What the stream has for this id, if anything. Ids must be asked for in order."""
        while self._next is not None and self._next[0] < subscriber:
            self._next = next(self._pairs, None)
        if self._next is not None and self._next[0] == subscriber:
            return (self._next[1],)
        return ()


def _implied_by_all(rules: Sequence[Rule]) -> tuple[str, ...] | None:
    """Lists that hold everybody whom any of the rules can be true of; None if there are none."""
    return implied_lists({"any": rules}) if rules else ()
