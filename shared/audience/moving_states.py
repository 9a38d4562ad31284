"""What a person did with her mail goes along when her address changes."""

from __future__ import annotations

from shared.engagement import EngagementState, KeptState, PersonStateStore
from shared.errors import StaleWrite

ATTEMPTS = 5


def move_state(store: PersonStateStore, workspace: str, old: str, new: str) -> None:
    """Adds the old id's state to the new one's, and leaves a note of where it went.

    By the note the aggregator finds the new id for what is heard of old mails
    later. It replaces the state under its version, so an event that is noted in
    between is seen. Doing it again changes nothing.

    Raises:
        StaleWrite: others kept writing; do it again.
    """
    for _ in range(ATTEMPTS):
        kept = store.load(workspace, [old, new])
        before, after = kept.get(old, _NOTHING), kept.get(new, _NOTHING)
        if before.moved_to == new:
            return
        joined = KeptState(after.state.joined(before.state), after.version)
        if joined != after and store.save(workspace, {new: joined}):
            continue
        note = KeptState(EngagementState(), before.version, moved_to=new)
        if not store.save(workspace, {old: note}):
            return
    raise StaleWrite("events of this person keep coming in at this moment; try again")


_NOTHING = KeptState(EngagementState())
