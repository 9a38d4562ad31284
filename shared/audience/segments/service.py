"""Segments as the API sees them: make, change, remove, list, try out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from shared.audience.lists import MAX_DESCRIPTION, MAX_NAME
from shared.audience.ports import ListStore
from shared.audience.segments.counting import Count, count
from shared.audience.segments.model import Chosen, Consent, Rule, Segment
from shared.audience.segments.ports import SegmentStore
from shared.audience.segments.references import in_full, lists_in, segments_in
from shared.audience.segments.rules import check_rule
from shared.audience.segments.walking import AudienceWalk
from shared.clock import Clock
from shared.errors import FieldProblem, InvalidInput, NotFound, WrongState
from shared.ids import SEGMENT, Ids
from shared.paging import Page

RULE = "/rule"
"""Where a body has its rule, as a JSON pointer: problems point to places below it."""

PREVIEW_PEOPLE = 10_000
PREVIEW_TIME = timedelta(seconds=8)
"""Whatever is reached first ends a preview; API Gateway waits for 29 seconds."""

_PAGE = 100


class SegmentService:
    """Makes, changes, removes and tries out segments."""

    def __init__(
        self,
        *,
        segments: SegmentStore,
        lists: ListStore,
        walk: AudienceWalk,
        ids: Ids,
        clock: Clock,
    ) -> None:
        self._segments = segments
        self._lists = lists
        self._walk = walk
        self._ids = ids
        self._clock = clock

    def create(self, workspace: str, name: str, rule: object, description: str = "") -> Segment:
        """A new segment. Names need not be unique.

        Raises:
            InvalidInput: the name, the description or a place in the rule is no good.
        """
        now = self._clock.now()
        segment = Segment(
            id=self._ids.new(SEGMENT),
            workspace=workspace,
            name=name.strip(),
            rule=self._checked(workspace, rule),
            created_at=now,
            updated_at=now,
            description=description.strip(),
        )
        _check_texts(segment)
        self._segments.create(segment)
        return segment

    def get(self, workspace: str, segment_id: str) -> Segment:
        """Raises NotFound."""
        return self._segments.get(workspace, segment_id)

    def update(
        self,
        workspace: str,
        segment_id: str,
        *,
        name: str | None = None,
        rule: object = None,
        description: str | None = None,
    ) -> Segment:
        """Changes what is not None. A campaign that is being planned keeps the rule it began with.

        Raises:
            InvalidInput: as for `create`, or the rule leads back to this segment.
            NotFound: there is no such segment.
            StaleWrite: somebody else changed it at the same moment; try again.
        """
        present = self._segments.get(workspace, segment_id)
        changed = replace(
            present,
            name=present.name if name is None else name.strip(),
            rule=present.rule if rule is None else self._checked(workspace, rule, segment_id),
            description=present.description if description is None else description.strip(),
            updated_at=self._clock.now(),
        )
        _check_texts(changed)
        return self._segments.save(changed)

    def delete(self, workspace: str, segment_id: str) -> None:
        """Removes a segment. Its snapshots stay, and campaigns that name it can't be launched.

        Raises:
            NotFound: there is no such segment.
            WrongState: another segment's rule names it.
        """
        self._segments.get(workspace, segment_id)
        cursor, more = None, True
        while more:
            page = self._segments.page(workspace, limit=_PAGE, cursor=cursor)
            for other in page.items:
                if segment_id in segments_in(other.rule):
                    raise WrongState(f"segment {other.id} names this one; change that one first")
            cursor, more = page.cursor, page.cursor is not None
        self._segments.delete(workspace, segment_id)

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Segment]:
        """The workspace's segments, oldest first. Raises InvalidInput for a bad cursor."""
        return self._segments.page(workspace, limit=limit, cursor=cursor)

    def preview(self, workspace: str, rule: object) -> Count:
        """How many people a rule is true of now: exact for few, estimated for very many.

        Raises:
            InvalidInput: names each place in the rule that is wrong.
        """
        now = self._clock.now()
        whole = self.in_full(workspace, self._checked(workspace, rule))
        chosen = Chosen((), (whole,), now, Consent(()))
        looks = self._walk.looks(workspace, chosen, consistent=False)
        return count(
            looks,
            most=PREVIEW_PEOPLE,
            in_time=lambda: self._clock.now() - now < PREVIEW_TIME,
        )

    def in_full(self, workspace: str, rule: Rule, own: str = "") -> Rule:
        """The rule with its segments' rules in it. Raises InvalidInput, see `references`."""
        return in_full(rule, lambda one: self._segments.get(workspace, one).rule, at=RULE, own=own)

    def _checked(self, workspace: str, rule: object, own: str = "") -> Rule:
        if problems := check_rule(rule, RULE):
            raise InvalidInput(problems)
        assert isinstance(rule, dict)  # noqa: S101  # it was checked
        self.in_full(workspace, rule, own)
        problems = []
        for place, list_id in lists_in(rule, RULE):
            try:
                self._lists.get(workspace, list_id)
            except NotFound:
                problems.append(FieldProblem(place, "is no list of this workspace"))
        if problems:
            raise InvalidInput(problems)
        return rule


def _check_texts(segment: Segment) -> None:
    problems = []
    if not 0 < len(segment.name) <= MAX_NAME or not segment.name.isprintable():
        problems.append(FieldProblem("name", f"must be one line of 1 to {MAX_NAME} characters"))
    if len(segment.description) > MAX_DESCRIPTION:
        reason = f"is longer than {MAX_DESCRIPTION} characters"
        problems.append(FieldProblem("description", reason))
    if problems:
        raise InvalidInput(problems)
