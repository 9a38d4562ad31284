"""How the providers are: breakers, detectors and evidence as one value. Pure.

Outcomes are counted by the ten seconds in which their messages were posted (a
slot), so that silence can be counted too: accepted and nothing heard. A slot
is folded into the value once, when its messages have had their usual time. It
is kept under a version; whoever folds the same slots gets the same value, so
it does not matter who saves it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from shared.delivery.breaker import Breaker
from shared.delivery.learning import Beliefs, Cell, Evidence
from shared.delivery.quarantine import THRESHOLD, WHOLE, Watch, observe
from shared.events import Event, EventType, RejectReason

SLOT_S = 10
HEARD_WITHIN_S = 45
"""The usual time from posting to the first event. Later ones correct the evidence."""

PATIENCE_S = 300
"""How long silence may be our own webhooks and aggregator being behind, and is not counted."""

REMEMBERED_S = 900
"""Slots older than this are not folded any more, e.g. after an idle night."""

QUARANTINED_WEIGHT = 0.05
"""Of outcomes from a quarantined cell: its quarantine answers for them already."""

_LEAST_SEEN = 20.0
"""Messages heard of a cell before its detector means anything."""


class Heard(StrEnum):
    """What a slot counts, per cell. The value is its letter in storage."""

    ACCEPTED = "a"
    GOOD = "g"
    BAD = "b"
    LATE = "l"
    """Good after its slot was folded: there it was counted as silent."""


Count = tuple[str, str, Heard]
"""Provider, mailbox group, kind."""

Counts = Mapping[Count, int]


@dataclass(frozen=True, slots=True)
class Health:
    """All that routing has learned. `folded` is the newest slot in it."""

    version: int = 0
    folded: int = 0
    breakers: Mapping[str, Breaker] = field(default_factory=dict)
    watches: Mapping[Cell, Watch] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)

    def breaker(self, provider: str) -> Breaker:
        """A provider's; closed if nothing ever went wrong."""
        return self.breakers.get(provider, _CLOSED)

    def probe_share(self, provider: str, group: str, moment: float) -> float:
        """Which share of a cell's recipients may go there; below 1 it is quarantined."""
        watches = (self.watches.get(cell, _UNWATCHED) for cell in _both(provider, group))
        return min(watch.probe_share(moment) for watch in watches)

    def alarm(self, provider: str, group: str) -> float:
        """How bad the news of a quarantined cell is; 0 if it is not quarantined.

        Up to 1 for the cell itself, and up to 1 more for its provider as a whole.
        """
        watches = (self.watches.get(cell, _UNWATCHED) for cell in _both(provider, group))
        return sum(watch.score / THRESHOLD for watch in watches if watch.shut)

    def with_breaker(self, provider: str, breaker: Breaker) -> Health:
        """The same with another breaker for a provider."""
        return replace(self, breakers={**self.breakers, provider: breaker})


def slot_of(moment: datetime) -> int:
    """The slot of an instant."""
    return int(moment.timestamp() // SLOT_S)


def slot_of_heard(
    posted_at: datetime, newest: datetime, now: datetime, heard: Heard
) -> tuple[int, Heard] | None:
    """Where an event is counted that is taken in at `now`; None if it changes nothing.

    In its message's slot while that is open, and then in the present one.
    `newest` is when the newest event of its batch occurred: if we are behind,
    slots stay open for longer.
    """
    slot = slot_of(posted_at)
    if slot > max(due_slot(min(newest, now)), _hopeless_slot(now)):
        return slot, heard
    return (slot_of(now), Heard.LATE) if heard is Heard.GOOD else None


def due_slot(now: datetime) -> int:
    """The newest slot whose messages have had their usual time."""
    return _due_at(now.timestamp())


def judged_slot(slots: Mapping[int, Counts], now: datetime) -> int:
    """The newest slot whose silence is held against its providers.

    Its messages have had their usual time, and something that was posted as
    much later has been heard of, of any provider: so it is not we who are
    behind. Without such a witness, PATIENCE_S is waited first.
    """
    heard = (slot for slot, counts in slots.items() if any(map(_is_witness, counts.items())))
    witness = _due_at((max(heard, default=0) + 1) * SLOT_S)
    return min(due_slot(now), max(witness, _hopeless_slot(now)))


def first_unfolded(health: Health, now: datetime) -> int:
    """The oldest slot that still has to be read."""
    return max(health.folded, slot_of(now) - REMEMBERED_S // SLOT_S) + 1


def heard_of(event: Event) -> Heard | None:
    """What an event says of the provider; None if nothing.

    An address that does not exist, or that the ESP has on its own suppression
    list, is not the provider's fault: the message was handled as it should be.
    """
    if event.type is EventType.DELIVERED or event.reason in _NOT_THE_PROVIDER:
        return Heard.GOOD
    return Heard.BAD if event.type in _BAD else None


def fold(health: Health, slots: Mapping[int, Counts], now: datetime) -> Health:
    """The value after every slot that may be judged; those still open only raise alarms.

    `slots` are those from `first_unfolded` on. What is already heard of open
    slots moves the detectors (a blocked provider is caught in seconds) but is
    kept only if one of them trips.
    """
    due = judged_slot(slots, now)
    for slot in sorted(slots):
        if health.folded < slot <= due:
            health = _folded(health, slot, slots[slot])
    health = replace(health, folded=max(health.folded, due))
    return _alarmed(health, [slots[slot] for slot in sorted(slots) if slot > due], now)


def changed_quarantines(before: Health, after: Health) -> bool:
    """Whether a quarantine has begun, ended or been prolonged."""
    return any(
        watch.until != before.watches.get(cell, _UNWATCHED).until
        for cell, watch in after.watches.items()
    )


def _due_at(second: float) -> int:
    return int((second - HEARD_WITHIN_S) // SLOT_S) - 1


def _hopeless_slot(now: datetime) -> int:
    return due_slot(now) - PATIENCE_S // SLOT_S


def _is_witness(counted: tuple[Count, int]) -> bool:
    (_, _, heard), number = counted
    return number > 0 and heard in {Heard.GOOD, Heard.BAD}


def _folded(health: Health, slot: int, counts: Counts) -> Health:
    moment = float((slot + 1) * SLOT_S + HEARD_WITHIN_S)
    beliefs = Beliefs(health.evidence, moment)
    heard = dict(_cells(counts, silence=True))
    watches = _watched(health.watches, heard, beliefs, moment)
    learned: dict[Cell, tuple[float, float]] = {}
    for cell, (good, bad) in heard.items():
        late = counts.get((*cell, Heard.LATE), 0)
        weight = QUARANTINED_WEIGHT if _shut(watches, cell) else 1.0
        learned[cell] = (good * weight + late, bad * weight - late)
    evidence = health.evidence.plus(Evidence.at(moment, learned))
    return replace(health, folded=slot, watches=watches, evidence=evidence)


def _alarmed(health: Health, open_slots: Iterable[Counts], now: datetime) -> Health:
    """With the quarantines that what is heard already of open slots calls for."""
    moment = now.timestamp()
    beliefs = Beliefs(health.evidence, moment)
    trial = health.watches
    for counts in open_slots:
        heard = {
            cell: pair for cell, pair in _cells(counts, silence=False) if not _shut(trial, cell)
        }
        trial = _watched(trial, heard, beliefs, moment)
    tripped = {cell: w for cell, w in trial.items() if w.shut and cell not in health.watches}
    tripped |= {
        cell: trial[cell]
        for cell, before in health.watches.items()
        if trial[cell].shut and not before.shut
    }
    return replace(health, watches={**health.watches, **tripped}) if tripped else health


def _watched(
    watches: Mapping[Cell, Watch],
    heard: Mapping[Cell, tuple[float, float]],
    beliefs: Beliefs,
    moment: float,
) -> dict[Cell, Watch]:
    """The detectors after outcomes: of each cell, and of each provider over all its groups."""
    after = dict(watches)
    wholes: defaultdict[Cell, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for (provider, _), (good, bad) in heard.items():
        wholes[provider, WHOLE][0] += good
        wholes[provider, WHOLE][1] += bad
    for cell, (good, bad) in [*heard.items(), *wholes.items()]:
        after[cell] = _observed(after.get(cell, _UNWATCHED), cell, (good, bad), beliefs, moment)
    return after


def _shut(watches: Mapping[Cell, Watch], cell: Cell) -> bool:
    return any(watches.get(name, _UNWATCHED).shut for name in _both(*cell))


def _both(provider: str, group: str) -> tuple[Cell, Cell]:
    """The cells whose detectors hold for a recipient: its own, and the provider's whole."""
    return (provider, group), (provider, WHOLE)


def _observed(
    watch: Watch, cell: Cell, heard: tuple[float, float], beliefs: Beliefs, moment: float
) -> Watch:
    provider, group = cell
    whole = group == WHOLE
    if whole:
        seen, mean = beliefs.seen_of(provider), beliefs.mean_of(provider)
    else:
        belief = beliefs.of(provider, group)
        seen, mean = belief.seen, belief.mean
    if seen < _LEAST_SEEN:
        return watch
    return observe(watch, *heard, 1 - mean, moment, whole=whole)


def _cells(counts: Counts, *, silence: bool) -> Iterator[tuple[Cell, tuple[float, float]]]:
    for provider, group in {name[:2]: None for name in counts}:
        good = counts.get((provider, group, Heard.GOOD), 0)
        bad = counts.get((provider, group, Heard.BAD), 0)
        accepted = counts.get((provider, group, Heard.ACCEPTED), 0)
        silent = max(0, accepted - good - bad) if silence else 0
        yield (provider, group), (float(good), float(bad + silent))


_CLOSED = Breaker()
_UNWATCHED = Watch()
_BAD = frozenset({EventType.BOUNCED, EventType.DEFERRED, EventType.FAILED, EventType.REJECTED})
_NOT_THE_PROVIDER = frozenset(
    {RejectReason.INVALID, RejectReason.BOUNCED, RejectReason.UNSUBSCRIBED}
)
