"""Read, change, write under the version: how every change of a person is made."""

from __future__ import annotations

from collections.abc import Callable

from shared.audience.model import Subscriber
from shared.audience.ports import SubscriberStore
from shared.errors import StaleWrite

ATTEMPTS = 8
"""Each lost attempt means that another writer got through, so few are ever needed."""


_MOST_MOVES = 10


def present_id(subscribers: SubscriberStore, workspace: str, subscriber_id: str) -> str:
    """The id that the person has now, if this one is of a former address; else this very id."""
    present = subscriber_id
    for _ in range(_MOST_MOVES):
        person = subscribers.get_many(workspace, [present]).get(present)
        if person is None or not person.moved_to:
            break
        present = person.moved_to
    return present


def former_ids(subscribers: SubscriberStore, person: Subscriber) -> tuple[str, ...]:
    """Ids of addresses she had before, but for one that was deleted or is somebody else's now."""
    records = subscribers.get_many(person.workspace, person.previous)
    return tuple(one for one, record in records.items() if record.moved_to)


def rewrite(
    subscribers: SubscriberStore,
    workspace: str,
    subscriber_id: str,
    change: Callable[[Subscriber], Subscriber],
    *,
    known: Subscriber | None = None,
) -> Subscriber:
    """The person as stored after `change`, which may be called again on a newer version.

    A change that changes nothing writes nothing. `known` is a version that was
    just read and saves reading it again.

    Raises:
        NotFound: there is no such person.
        StaleWrite: others kept writing; do it again later.
    """
    present = known or subscribers.get(workspace, subscriber_id)
    for _ in range(ATTEMPTS):
        changed = change(present)
        if changed == present:
            return present
        try:
            return subscribers.put(changed)
        except StaleWrite:
            present = subscribers.get(workspace, subscriber_id)
    raise StaleWrite("this person is being changed by others at the same time; try again")
