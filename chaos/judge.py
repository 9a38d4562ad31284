"""The judgement, from what was seen outside alone: the sandbox's mailbox and the API. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chaos.exposure import Chunk

STATES = ("accepted", "rejected", "failed", "skipped", "in_doubt", "pending")
EDGE = timedelta(seconds=30)
"""How long after an hour began a mail may still be of the hour before: it was booked there."""

_SECONDS = 10
"""Length of the window in which the rate per second is judged."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that the sandbox accepted. `dropped`: its ESP said later that it never left."""

    campaign: str
    message: str
    address: str
    provider: str
    at: datetime
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class Recipient:
    """A recipient as the API lists it."""

    campaign: str
    message: str
    address: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Departure:
    """Somebody left: `answered_at` is when the product had said yes."""

    address: str
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Limit:
    """A provider's limits; None is none."""

    per_second: float | None = None
    per_hour: int | None = None
    per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was seen.

    `required` must be among a campaign's recipients, `possible` may be.
    `doubted` are messages that were ever seen in doubt, with their chunk;
    `faulted` are those in a request that the sandbox failed, and `exposed` the
    chunks that a dispatcher had in hand when a fault met it.
    """

    mails: Sequence[Mail]
    recipients: Sequence[Recipient]
    required: Mapping[str, frozenset[str]]
    possible: Mapping[str, frozenset[str]]
    states: Mapping[str, str]
    reports: Mapping[str, Mapping[str, int]]
    departures: Sequence[Departure] = ()
    dispatcher_timeout: timedelta = timedelta(minutes=2)
    doubted: Mapping[str, Chunk] = field(default_factory=dict)
    faulted: frozenset[str] = frozenset()
    exposed: frozenset[Chunk] = frozenset()
    limits: Mapping[str, Limit] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise. `rule` is one of `RULES`; `detail` names ids, never an address."""

    rule: str
    detail: str


def judge(evidence: Evidence) -> list[Violation]:
    """Every violation of every rule."""
    return [Violation(rule, detail) for rule, look in _LOOKS.items() for detail in look(evidence)]


def _duplicates(evidence: Evidence) -> Iterable[str]:
    by_person = Counter((mail.campaign, mail.address) for mail in evidence.mails)
    names = {(mail.campaign, mail.address): mail.message for mail in evidence.mails}
    for person, count in by_person.items():
        if count > 1:
            yield f"message {names[person]} of {person[0]}: its recipient got {count} mails"


def _unaccounted(evidence: Evidence) -> Iterable[str]:
    listed: defaultdict[str, Counter[str]] = defaultdict(Counter)
    states: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in evidence.recipients:
        listed[one.campaign][one.address] += 1
        states[one.campaign][one.state] += 1
    for campaign, required in evidence.required.items():
        there = listed[campaign]
        missing = len(required.difference(there))
        strangers = len(set(there).difference(evidence.possible[campaign]))
        twice = sum(count > 1 for count in there.values())
        for number, what in (
            (missing, "are on its lists and not among its recipients"),
            (strangers, "are among its recipients and not on its lists"),
            (twice, "are among its recipients more than once"),
            (states[campaign]["pending"], "are still pending"),
            (states[campaign]["in_doubt"], "are still in doubt"),
        ):
            if number:
                yield f"{campaign}: {number} people {what}"
        report = evidence.reports[campaign]
        for state in STATES:
            if report[state] != states[campaign][state]:
                yield (
                    f"{campaign}: the report says {report[state]} {state}, the list"
                    f" {states[campaign][state]}"
                )
        if report["recipients"] != sum(there.values()):
            yield f"{campaign}: {report['recipients']} recipients, {sum(there.values())} listed"


def _unfinished(evidence: Evidence) -> Iterable[str]:
    for campaign, state in evidence.states.items():
        if state != "sent":
            yield f"{campaign} is {state} and not sent"


def _lost(evidence: Evidence) -> Iterable[str]:
    states = {one.message: one for one in evidence.recipients}
    for mail in evidence.mails:
        one = states.get(mail.message)
        allowed = {"accepted", "rejected"} if mail.dropped else {"accepted"}
        if one is None:
            yield f"message {mail.message} was accepted at {mail.provider} and is not known here"
        elif one.state not in allowed:
            yield (
                f"message {mail.message} was accepted at {mail.provider} and is {one.state}"
                f" {one.reason} here"
            )


def _phantoms(evidence: Evidence) -> Iterable[str]:
    mailed = {mail.message for mail in evidence.mails}
    for one in evidence.recipients:
        if one.state == "accepted" and one.message not in mailed:
            yield f"message {one.message} is accepted here and no provider has it"


def _doubts(evidence: Evidence) -> Iterable[str]:
    for message, chunk in evidence.doubted.items():
        if message not in evidence.faulted and chunk not in evidence.exposed:
            yield f"message {message} was in doubt, and no call it was in had a fault"


def _departed(evidence: Evidence) -> Iterable[str]:
    left = {one.address: one.answered_at for one in evidence.departures}
    for mail in evidence.mails:
        answered = left.get(mail.address)
        if answered is not None and mail.at > answered + evidence.dispatcher_timeout:
            late = (mail.at - answered).total_seconds()
            yield f"message {mail.message} came {late:.0f} s after its recipient had left"


def _overruns(evidence: Evidence) -> Iterable[str]:
    for provider, limit in evidence.limits.items():
        times = sorted(mail.at for mail in evidence.mails if mail.provider == provider)
        if limit.per_second is not None:
            # A take may start a second's worth at once; one more for what latency moves.
            most = limit.per_second * (_SECONDS + 2)
            width = timedelta(seconds=_SECONDS)
            for i, at in enumerate(times):
                count = bisect_left(times, at + width) - i
                if count > most:
                    yield f"{provider}: {count} mails in {_SECONDS} s from {at.isoformat()}"
                    break
        for length, most_of in (("hour", limit.per_hour), ("day", limit.per_day)):
            if most_of is not None:
                yield from _over(provider, times, length, most_of)


def _over(provider: str, times: Sequence[datetime], length: str, most: int) -> Iterable[str]:
    """The hour and the day are fixed UTC windows, as the ESPs count them."""
    counts: Counter[datetime] = Counter()
    for at in times:
        start = at.replace(minute=0, second=0, microsecond=0)
        if length == "day":
            start = start.replace(hour=0)
        if at - start > EDGE:
            counts[start] += 1
    for start, count in sorted(counts.items()):
        if count > most:
            when = start.isoformat()
            yield f"{provider}: {count} mails in the {length} of {when}, {most} allowed"


_LOOKS = {
    "duplicates": _duplicates,
    "unaccounted": _unaccounted,
    "unfinished": _unfinished,
    "accepted_there_not_here": _lost,
    "accepted_here_not_there": _phantoms,
    "doubt_without_fault": _doubts,
    "mailed_after_leaving": _departed,
    "quota_overruns": _overruns,
}
RULES = tuple(_LOOKS)
