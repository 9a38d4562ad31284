"""How many messages a person gets within some days: the rule, as pure values.

A message takes a *place* at its recipient before it is posted. A place counts
until the cap's days after its `until`, the instant at which its worker has
surely stopped posting: so that a window that begins with any message that was
accepted has that message in it. Till `until` nobody else can have the place of
the same message; after that it is free to be taken for it again, since its
worker died or gave it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.delivery.workspace import FrequencyCap


@dataclass(frozen=True, slots=True)
class Place:
    """One message's place at one person. `until` is in whole seconds.

    `message` and `owner` are short digests, in hex: of the campaign's or
    message's id, twelve digits, and of the worker's run, six.
    """

    until: datetime
    owner: str
    message: str


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether a place was given; if not, the cap is reached.

    With `wait_until` it is not: another worker has the message until then.
    """

    given: bool
    wait_until: datetime | None = None


GIVEN = Taken(given=True)
REACHED = Taken(given=False)


def take(
    held: Sequence[Place], place: Place, cap: FrequencyCap, now: datetime
) -> tuple[Taken, tuple[Place, ...]]:
    """Takes a place beside those that are `held`, and gives all that are held then.

    They are in the order of `until`, the latest first, and no more than the cap
    counts. Taking the very same place again changes nothing; an older one of
    the same message, past its `until`, is moved. If the cap was lowered, those
    beyond it are left as they are.
    """
    held, beyond = tuple(held[: cap.messages]), tuple(held[cap.messages :])
    others = tuple(one for one in held if one.message != place.message)
    earlier = next((one for one in held if one.message == place.message), None)
    if earlier == place:  # the answer to an earlier write was lost
        return GIVEN, (*held, *beyond)
    if earlier and earlier.until > now:
        return Taken(given=False, wait_until=earlier.until), (*held, *beyond)
    since = now - timedelta(days=cap.days)
    if sum(one.until > since for one in others) >= cap.messages:
        return REACHED, (*held, *beyond)
    latest_first = sorted([place, *others], key=lambda one: one.until, reverse=True)
    return GIVEN, (*latest_first[: cap.messages], *beyond)
