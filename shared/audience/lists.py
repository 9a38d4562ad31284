"""Mailing lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from enum import Enum

from shared.audience.model import DoubleOptIn, ListState, MailingList
from shared.audience.ports import ListStore
from shared.clock import Clock
from shared.errors import FieldProblem, InvalidInput, NotFound
from shared.ids import LIST, Ids
from shared.paging import Page

MAX_NAME = 100
MAX_DESCRIPTION = 1000
MAX_LISTS = 50
"""Lists that one call may name: each is looked up."""


class Unchanged(Enum):
    """For a field whose None means something."""

    UNCHANGED = 0


class ListService:
    """Makes, changes and removes mailing lists."""

    def __init__(self, lists: ListStore, ids: Ids, clock: Clock) -> None:
        self._lists = lists
        self._ids = ids
        self._clock = clock

    def create(
        self,
        workspace: str,
        name: str,
        description: str = "",
        *,
        public: bool = False,
        double_opt_in: DoubleOptIn | None = None,
    ) -> MailingList:
        """A new, empty list. Names need not be unique. Whether it can ask is not looked up.

        Raises:
            InvalidInput: the name or the description is no good.
        """
        mailing_list = _checked(
            MailingList(
                id=self._ids.new(LIST),
                workspace=workspace,
                name=name.strip(),
                created_at=self._clock.now(),
                description=description.strip(),
                public=public,
                double_opt_in=double_opt_in,
            )
        )
        self._lists.create(mailing_list)
        return mailing_list

    def get(self, workspace: str, list_id: str) -> MailingList:
        """Raises NotFound."""
        return self._lists.get(workspace, list_id)

    def update(
        self,
        workspace: str,
        list_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        public: bool | None = None,
        double_opt_in: DoubleOptIn | Unchanged | None = Unchanged.UNCHANGED,
    ) -> MailingList:
        """Changes what is not None; `double_opt_in` None ends it.

        Raises:
            InvalidInput: the name or the description is no good.
            NotFound: there is no such list.
            StaleWrite: somebody else changed it at the same moment; try again.
        """
        present = self._lists.get(workspace, list_id)
        changed = replace(
            present,
            name=present.name if name is None else name.strip(),
            description=present.description if description is None else description.strip(),
            public=present.public if public is None else public,
            double_opt_in=present.double_opt_in
            if double_opt_in is Unchanged.UNCHANGED
            else double_opt_in,
        )
        return self._lists.save(_checked(changed))

    def delete(self, workspace: str, list_id: str) -> None:
        """Removes the list; its members stay subscribers of the workspace. Raises NotFound."""
        self._lists.delete(workspace, list_id)

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[MailingList]:
        """The workspace's lists, oldest first. Raises InvalidInput for a bad cursor."""
        return self._lists.page(workspace, limit=limit, cursor=cursor)


def named_lists(
    lists: ListStore, workspace: str, list_ids: Sequence[str]
) -> tuple[list[MailingList], list[FieldProblem]]:
    """The lists of these ids, and a problem `lists.<i>` for each that there is not."""
    if len(list_ids) > MAX_LISTS:
        return [], [FieldProblem("lists", f"are more than {MAX_LISTS}")]
    found, problems = [], []
    for index, list_id in enumerate(list_ids):
        try:
            found.append(lists.get(workspace, list_id))
        except NotFound:
            problems.append(FieldProblem(f"lists.{index}", "is no list of this workspace"))
    return found, problems


def list_problems(
    lists: ListStore, workspace: str, list_ids: Sequence[str]
) -> tuple[FieldProblem, ...]:
    """One for each of `list_ids` that the workspace does not have, named `lists.<i>`."""
    return tuple(named_lists(lists, workspace, list_ids)[1])


def joining(lists: Iterable[MailingList]) -> dict[str, ListState]:
    """What somebody becomes who is put on these lists: pending where that is double opt-in."""
    return {
        one.id: ListState.PENDING if one.double_opt_in else ListState.SUBSCRIBED for one in lists
    }


def known_lists(lists: ListStore, workspace: str) -> Callable[[str], bool]:
    """Whether the workspace has a list of that id; each is looked up once."""
    known: dict[str, bool] = {}

    def is_known(list_id: str) -> bool:
        if list_id not in known:
            try:
                lists.get(workspace, list_id)
                known[list_id] = True
            except NotFound:
                known[list_id] = False
        return known[list_id]

    return is_known


def _checked(mailing_list: MailingList) -> MailingList:
    problems = []
    if not mailing_list.name:
        problems.append(FieldProblem("name", "is empty"))
    if len(mailing_list.name) > MAX_NAME or not mailing_list.name.isprintable():
        reason = f"must be one line of at most {MAX_NAME} characters"
        problems.append(FieldProblem("name", reason))
    if len(mailing_list.description) > MAX_DESCRIPTION:
        reason = f"is longer than {MAX_DESCRIPTION} characters"
        problems.append(FieldProblem("description", reason))
    if problems:
        raise InvalidInput(problems)
    return mailing_list
