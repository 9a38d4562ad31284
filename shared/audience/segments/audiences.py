"""Campaigns' audiences: checked, looked up, counted, walked through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from shared.audience.ports import ListStore
from shared.audience.segments.counting import SAMPLE, Count, count
from shared.audience.segments.model import (
    Audience,
    Chosen,
    Consent,
    Rule,
    Source,
    SourceKind,
)
from shared.audience.segments.ports import SegmentStore, SnapshotStore
from shared.audience.segments.references import implied_lists, in_full
from shared.audience.segments.walking import AudienceWalk, Look
from shared.clock import Clock
from shared.errors import FieldProblem, InvalidInput, NotFound
from shared.ids import LIST, SEGMENT, SNAPSHOT, is_id

MAX_SOURCES = 50
"""Of `include`, and of `exclude`."""

_PREFIX = {SourceKind.LIST: LIST, SourceKind.SEGMENT: SEGMENT, SourceKind.SNAPSHOT: SNAPSHOT}


def audience_problems(audience: Audience) -> list[FieldProblem]:
    """What can be said of an audience by itself; whether its parts exist, `choose` asks."""
    problems = []
    if not audience.include:
        problems.append(FieldProblem("audience.include", "must name a list, segment or snapshot"))
    for name, sources in (("include", audience.include), ("exclude", audience.exclude)):
        if len(sources) > MAX_SOURCES or len(set(sources)) < len(sources):
            reason = f"must be at most {MAX_SOURCES}, each named once"
            problems.append(FieldProblem(f"audience.{name}", reason))
        for place, source in enumerate(sources):
            if not is_id(_PREFIX[source.kind], source.id):
                reason = f"must be the id of a {source.kind}, {_PREFIX[source.kind]}_..."
                problems.append(FieldProblem(f"audience.{name}.{place}", reason))
    return problems


class Audiences:
    """All that campaigns need of lists, segments and snapshots."""

    def __init__(
        self,
        *,
        lists: ListStore,
        segments: SegmentStore,
        snapshots: SnapshotStore,
        walk: AudienceWalk,
        clock: Clock,
    ) -> None:
        self._lists = lists
        self._segments = segments
        self._snapshots = snapshots
        self._walk = walk
        self._clock = clock

    def choose(
        self, workspace: str, audience: Audience, *, at: str = "audience.include.{}"
    ) -> Chosen:
        """The audience looked up, with dates relative to now.

        `at` names an included source by its place, for errors.

        Raises:
            InvalidInput: a list, segment or snapshot is unknown, or not ready;
                names each.
        """
        return _Choosing(
            workspace, self._lists, self._segments, self._snapshots, self._clock.now()
        ).of(audience, at)

    def looks(
        self, workspace: str, chosen: Chosen, *, shard: int = 0, after: str | None = None
    ) -> Iterator[Look]:
        """As `AudienceWalk.looks`."""
        return self._walk.looks(workspace, chosen, shard=shard, after=after)

    def count(self, workspace: str, chosen: Chosen, *, most: int = SAMPLE) -> Count:
        """How many people that is, from at most `most` who are looked at."""
        return count(self._walk.looks(workspace, chosen, consistent=False), most=most)

    def members(self, workspace: str, list_ids: Sequence[str]) -> Iterator[str]:
        """Everybody on any of these lists once, by shard and id."""
        chosen = Chosen(tuple(list_ids), (), self._clock.now(), Consent(()))
        return (subscriber for _, subscriber, _ in self._walk.looks(workspace, chosen))


class _Choosing:
    """One look-up, which names all that is wrong and not only the first."""

    def __init__(
        self,
        workspace: str,
        lists: ListStore,
        segments: SegmentStore,
        snapshots: SnapshotStore,
        now: datetime,
    ) -> None:
        self._workspace = workspace
        self._list_store = lists
        self._segments = segments
        self._snapshots = snapshots
        self._now = now
        self._problems: list[FieldProblem] = []
        self._lists: list[str] = []
        self._rules: list[Rule] = []
        self._without: list[Rule] = []
        self._without_snapshots: list[str] = []
        self._consent: dict[str, None] = {}
        self._any_list = False

    def of(self, audience: Audience, at: str) -> Chosen:
        for place, source in enumerate(audience.include):
            self._look(source, at.format(place), self._include)
        for place, source in enumerate(audience.exclude):
            self._look(source, f"audience.exclude.{place}", self._exclude)
        if self._problems:
            raise InvalidInput(self._problems)
        return Chosen(
            lists=tuple(self._lists),
            rules=tuple(self._rules),
            as_of=self._now,
            consent=Consent(tuple(self._consent), self._any_list),
            without=tuple(self._without),
            without_snapshots=tuple(self._without_snapshots),
        )

    def _look(self, source: Source, at: str, take: Callable[[Source], None]) -> None:
        try:
            take(source)
        except NotFound:
            reason = f"there is no {source.kind} {source.id!r} in this workspace"
            self._problems.append(FieldProblem(at, reason))
        except InvalidInput as error:
            self._problems += [FieldProblem(at, one.reason) for one in error.problems]

    def _include(self, source: Source) -> None:
        if source.kind is SourceKind.LIST:
            self._list_store.get(self._workspace, source.id)
            self._lists.append(source.id)
            self._consent[source.id] = None
            return
        if source.kind is SourceKind.SNAPSHOT:
            rule = self._snapshot(source.id)
            self._lists.append(source.id)
        else:
            rule = self._segment(source.id)
            self._rules.append(rule)
        implied = implied_lists(rule)
        if implied is None:
            self._any_list = True
        self._consent.update(dict.fromkeys(implied or ()))

    def _exclude(self, source: Source) -> None:
        if source.kind is SourceKind.LIST:
            self._list_store.get(self._workspace, source.id)
            self._without.append({"list": source.id})
        elif source.kind is SourceKind.SEGMENT:
            self._without.append(self._segment(source.id))
        else:
            self._snapshot(source.id)
            self._without_snapshots.append(source.id)

    def _segment(self, segment_id: str) -> Rule:
        segment = self._segments.get(self._workspace, segment_id)
        return in_full(
            segment.rule, lambda one: self._segments.get(self._workspace, one).rule, own=segment.id
        )

    def _snapshot(self, snapshot_id: str) -> Rule:
        snapshot = self._snapshots.get(self._workspace, snapshot_id)
        if snapshot.members is None:
            reason = "is not complete yet; wait until its state is done"
            raise InvalidInput(FieldProblem("snapshot", reason))
        if snapshot.expires_at <= self._now:
            raise InvalidInput(FieldProblem("snapshot", "has expired; take a new one"))
        return snapshot.rule
