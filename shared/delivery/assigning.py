"""Giving the recipients of a round to providers, as far as routes and tokens allow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.delivery.rates import Grant
from shared.delivery.routing import Candidate, Router
from shared.delivery.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Routable:
    """A recipient who may be mailed: place in the chunk, routing key and address."""

    index: int
    key: bytes
    address: str


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
) -> Assignment:
    """Routes, takes tokens, and lets what a provider cannot take now overflow to the others.

    A recipient whom none of the remaining providers can take waits if an
    excluded provider with a weight could, else is unroutable.

    Raises:
        DependencyUnavailable: a token item could not be written.
    """
    result = Assignment()
    out = dict(excluded)
    left = list(recipients)
    while left:
        router = Router(candidates, out)
        result.evidence = result.evidence or router.evidence()
        if not router.has_providers:
            result.waiting += [r.index for r in left]
            break
        routed: defaultdict[str, list[Routable]] = defaultdict(list)
        for recipient in left:
            provider = router.choose(recipient.key, recipient.address)
            if provider is not None:
                routed[provider].append(recipient)
            elif any(c.weight and not c.cannot_take(recipient.address) for c in candidates):
                result.waiting.append(recipient.index)
            else:
                result.unroutable.append(recipient.index)
        left = []
        for provider, members in routed.items():
            grant = tokens.take(provider, len(members))
            if grant.granted:
                taken = [r.index for r in members[: grant.granted]]
                result.shares.append((provider, grant, taken))
            if grant.granted < len(members):
                left += members[grant.granted :]
                out[provider] = grant.limited_by
                if grant.retry_at and (not result.retry_at or grant.retry_at < result.retry_at):
                    result.retry_at = grant.retry_at
    return result
