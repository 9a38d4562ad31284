"""From stored events to each person's engagement state: one write a person and batch.

What is remembered, and why batches may come again, in pieces or in another
order, is said in `shared.engagement`. A machine's opens and clicks are not the
person's and leave no trace. `sent` is what the provider said: that it took the
mail (SendGrid and SES) or that it was delivered (all). Transactional mail is
left out, and so is what happened before anything is remembered or after today.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from shared.analytics.model import Engagement
from shared.clock import Clock
from shared.engagement import (
    KEPT_DAYS,
    Deed,
    EngagementState,
    Fact,
    KeptState,
    PersonStateStore,
    day_of,
)
from shared.errors import DependencyUnavailable
from shared.events import EventType
from shared.ids import to_bytes

ATTEMPTS = 5
"""Two stream shards may bring events of one person at once; each lost try means another won."""

_DEEDS: Mapping[EventType, Deed] = {
    EventType.SENT: Deed.SENT,
    EventType.DELIVERED: Deed.SENT,
    EventType.OPENED: Deed.OPENED,
    EventType.CLICKED: Deed.CLICKED,
}


class PersonStates:
    """Adds what events say to the states of their people."""

    def __init__(self, store: PersonStateStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def note(self, engagements: Sequence[Engagement]) -> int:
        """Takes in a batch; returns how many states changed. Doing it again changes none.

        What is heard of an address that was changed goes to the person's present one.

        Raises:
            DependencyUnavailable: the batch has to be given again.
        """
        by_workspace: defaultdict[str, defaultdict[str, list[Fact]]] = defaultdict(
            lambda: defaultdict(list)
        )
        today = day_of(self._clock.now())
        for one in engagements:
            fact = _fact(one)
            if fact and today - KEPT_DAYS <= fact.day <= today + _CLOCKS_APART:
                by_workspace[one.ref.workspace][one.subscriber].append(fact)
        return sum(self._add(workspace, facts) for workspace, facts in by_workspace.items())

    def _add(self, workspace: str, heard: Mapping[str, Sequence[Fact]]) -> int:
        facts: dict[str, list[Fact]] = {one: list(news) for one, news in heard.items()}
        written = tries = 0
        while facts:
            stored = self._store.load(workspace, sorted(facts))
            changed = {}
            elsewhere: defaultdict[str, list[Fact]] = defaultdict(list)
            for subscriber, news in facts.items():
                kept = stored.get(subscriber, _NOTHING)
                if kept.moved_to:
                    elsewhere[kept.moved_to] += news
                    continue
                state = kept.state.heard(news)
                if state != kept.state:
                    changed[subscriber] = KeptState(state, kept.version)
            lost = self._store.save(workspace, changed) if changed else set()
            written += len(changed) - len(lost)
            for subscriber in lost:
                elsewhere[subscriber] += facts[subscriber]
            facts = elsewhere
            tries += bool(lost)
            if tries == ATTEMPTS:
                raise DependencyUnavailable(
                    f"other workers kept writing the engagement of {len(lost)} people; the batch"
                    " of events is applied again"
                )
        return written


_NOTHING = KeptState(EngagementState())
_CLOCKS_APART = 1
"""Days: around midnight a provider's clock may be ahead of ours."""


def _fact(engagement: Engagement) -> Fact | None:
    event, ref = engagement.event, engagement.ref
    deed = _DEEDS.get(event.type)
    if deed is None or ref.transactional or event.machine:
        return None
    return Fact(to_bytes(ref.campaign), deed, day_of(event.occurred_at))
