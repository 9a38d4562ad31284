"""How new data about a person meets what is stored: the one rule for upserts and imports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from shared.audience.fields import Fields, size_problems
from shared.audience.model import ListState, Subscriber
from shared.errors import InvalidInput


class MergePolicy(StrEnum):
    """What becomes of people who are there already."""

    MERGE = "merge"
    """Attributes and tags are added to, what the new data leaves blank stays."""
    OVERWRITE = "overwrite"
    """Attributes, tags, locale and time zone become the new data's, blanks too."""
    SKIP = "skip"
    """They stay as they are."""


def merged(
    person: Subscriber, fields: Fields, list_ids: Sequence[str], policy: MergePolicy
) -> Subscriber:
    """The person with the new data; the times and the version are the old ones.

    Data alone never takes back a decision: a list that the person has left, or
    has yet to confirm, stays so, and one who is suppressed joins no list.

    Raises:
        InvalidInput: the fields together would pass a limit.
    """
    if policy is MergePolicy.SKIP:
        return person
    merge = policy is MergePolicy.MERGE
    attributes = {**(person.attributes if merge else {}), **fields.attributes}
    tags = tuple(dict.fromkeys((*(person.tags if merge else ()), *fields.tags)))
    if problems := tuple(size_problems(attributes, tags)):
        raise InvalidInput(problems)
    return replace(
        person,
        lists={**dict.fromkeys(joins(person, list_ids), ListState.SUBSCRIBED), **person.lists},
        attributes=attributes,
        tags=tags,
        locale=fields.locale or (person.locale if merge else ""),
        time_zone=fields.time_zone or (person.time_zone if merge else ""),
    )


def joins(person: Subscriber, list_ids: Sequence[str]) -> tuple[str, ...]:
    """Those of the lists that new data may put the person on."""
    if person.suppressed:
        return ()
    return tuple(list_id for list_id in list_ids if list_id not in person.lists)


def stays_away(person: Subscriber, list_ids: Sequence[str]) -> bool:
    """Whether the person is kept off some of the lists by her own decision or a suppression."""
    left = (person.lists.get(list_id) is ListState.UNSUBSCRIBED for list_id in list_ids)
    return bool(list_ids) and (person.suppressed is not None or any(left))
