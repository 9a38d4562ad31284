"""Giving the recipients of a round to providers, as far as routes and tokens allow."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.delivery.rates import Grant
from shared.delivery.routing import Candidate, Router
from shared.delivery.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Routable:
    """A recipient who may be mailed: place in the chunk, routing key, address, mailbox group."""

    index: int
    key: bytes
    address: str
    group: str = ""


@dataclass(slots=True)
class Assignment:
    """Who goes where. `waiting` found no tokens now; `unroutable` nobody can ever take."""

    shares: list[tuple[str, Grant, list[int]]] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    unroutable: list[int] = field(default_factory=list)
    retry_at: datetime | None = None
    evidence: dict[str, object] = field(default_factory=dict)


def assign(
    recipients: Sequence[Routable],
    candidates: Sequence[Candidate],
    excluded: Mapping[str, str],
    tokens: Tokens,
    *,
    express: bool = False,
) -> Assignment:
    """Routes, takes tokens, and lets what a provider cannot take now overflow to the others.

    A recipient whom none of the remaining providers can take waits if an
    excluded provider with a weight could, else is unroutable. `express` is for
    transactional mail.

    Raises:
        DependencyUnavailable: a token item could not be written.
    """
    result = Assignment(evidence=Router(candidates, excluded).evidence())
    out: defaultdict[str, dict[str, str]] = defaultdict(lambda: dict(excluded))
    left = list(recipients)
    while left:
        routers = {group: Router(candidates, out[group]) for group in {r.group for r in left}}
        routed: defaultdict[str, list[Routable]] = defaultdict(list)
        for recipient in left:
            router = routers[recipient.group]
            provider = router.choose(recipient.key, recipient.address)
            if provider is not None:
                routed[provider].append(recipient)
            elif not router.has_providers or any(
                c.weight and not c.cannot_take(recipient.address) for c in candidates
            ):
                result.waiting.append(recipient.index)
            else:
                result.unroutable.append(recipient.index)
        left = []
        for provider, members in routed.items():
            by_group = Counter([r.group for r in members])
            grant = tokens.take(provider, len(members), by_group=by_group, express=express)
            taken, rest = _served(members, grant)
            if taken:
                result.shares.append((provider, grant, taken))
            if not rest:
                continue
            left += rest
            # What the provider's own windows hold back is held back for every group.
            for group in grant.short or {r.group for r in recipients}:
                out[group][provider] = grant.short.get(group, grant.limited_by)
            if grant.retry_at and (not result.retry_at or grant.retry_at < result.retry_at):
                result.retry_at = grant.retry_at
    return result


def _served(members: Sequence[Routable], grant: Grant) -> tuple[list[int], list[Routable]]:
    """Who of them gets the tokens, and who does not."""
    if grant.granted == len(members):
        return [member.index for member in members], []
    room = dict(grant.by_group)
    taken, rest = [], []
    for member in members:
        if room[member.group]:
            room[member.group] -= 1
            taken.append(member.index)
        else:
            rest.append(member)
    return taken, rest
