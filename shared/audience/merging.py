"""How new data about a person meets what is stored: the one rule for upserts and imports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

from shared.audience.fields import Fields, size_problems
from shared.audience.model import ListState, Subscriber
from shared.errors import InvalidInput

States = Mapping[str, ListState]
"""What new data says of lists: list id to state."""


class MergePolicy(StrEnum):
    """What becomes of people who are there already."""

    MERGE = "merge"
    """Attributes and tags are added to, what the new data leaves blank stays."""
    OVERWRITE = "overwrite"
    """Attributes, tags, locale and time zone become the new data's, blanks too."""
    SKIP = "skip"
    """They stay as they are."""


def merged(person: Subscriber, fields: Fields, states: States, policy: MergePolicy) -> Subscriber:
    """The person with the new data; the times, the quality and the version are the old ones.

    Data may take consent away, under every policy, and never give it back: a
    list that the person has left, or has yet to confirm, stays so, and one who
    is suppressed joins no list.

    Raises:
        InvalidInput: the fields together would pass a limit.
    """
    left = dict.fromkeys(leaves(person, states), ListState.UNSUBSCRIBED)
    if policy is MergePolicy.SKIP:
        return replace(person, lists={**person.lists, **left}) if left else person
    merge = policy is MergePolicy.MERGE
    attributes = {**(person.attributes if merge else {}), **fields.attributes}
    tags = tuple(dict.fromkeys((*(person.tags if merge else ()), *fields.tags)))
    if problems := tuple(size_problems(attributes, tags)):
        raise InvalidInput(problems)
    joined = {list_id: states[list_id] for list_id in joins(person, states)}
    return replace(
        person,
        lists={**joined, **person.lists, **left},
        attributes=attributes,
        tags=tags,
        locale=fields.locale or (person.locale if merge else ""),
        time_zone=fields.time_zone or (person.time_zone if merge else ""),
    )


def joins(person: Subscriber, states: States) -> tuple[str, ...]:
    """Those lists that new data may put the person on."""
    if person.suppressed:
        return ()
    return tuple(
        list_id
        for list_id, state in states.items()
        if state is not ListState.UNSUBSCRIBED and list_id not in person.lists
    )


def leaves(person: Subscriber, states: States) -> tuple[str, ...]:
    """Those lists that new data says she has left, and the record does not yet."""
    return tuple(
        list_id
        for list_id, state in states.items()
        if state is ListState.UNSUBSCRIBED and person.lists.get(list_id) is not state
    )


def stays_away(person: Subscriber, states: States) -> bool:
    """Whether her own decision or a suppression keeps her off a list that data put her on."""
    wanted = [one for one, state in states.items() if state is ListState.SUBSCRIBED]
    left = (person.lists.get(list_id) is ListState.UNSUBSCRIBED for list_id in wanted)
    return bool(wanted) and (person.suppressed is not None or any(left))
