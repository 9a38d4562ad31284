"""Saying which provider somebody's mail would go through now, and how the providers are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.clock import Clock
from shared.delivery.assigning import Assigner
from shared.delivery.breaker import BreakerState
from shared.delivery.choosing import explain
from shared.delivery.health import Health
from shared.delivery.routing import Candidate
from shared.delivery.rules import Traits
from shared.mail import MailboxGroup, MessageKind, mailbox_group


@dataclass(frozen=True, slots=True)
class Routes:
    """The deployment's providers, and who assigns mail to them."""

    candidates: Sequence[Candidate]
    assigner: Assigner


@dataclass(frozen=True, slots=True)
class ProviderState:
    """How a provider is.

    `because` is a reason code where `state` is not `closed`, `retry_at` when a
    probe may go, and `quarantined` names the mailbox groups that get no more
    than probes through it.
    """

    name: str
    weight: int
    state: BreakerState
    because: str
    retry_at: datetime | None
    quarantined: tuple[str, ...]


class RoutingService:
    """Explains routing. It reads the same health, rooms and rules that the dispatcher does."""

    def __init__(self, routes: Callable[[], Routes], clock: Clock) -> None:
        self._routes = routes
        self._clock = clock

    def explain(
        self,
        address: str,
        *,
        kind: MessageKind,
        band: str = "",
        lists: Iterable[str] = (),
        tags: Iterable[str] = (),
    ) -> Mapping[str, object]:
        """`{provider, group, rule, scores, excluded}`, see `choosing.explain`.

        Raises:
            DependencyUnavailable: the store did not answer.
        """
        routes, group = self._routes(), mailbox_group(address)
        traits = Traits(kind, frozenset(lists), frozenset(tags))
        express = kind is MessageKind.TRANSACTIONAL
        ground = routes.assigner.look(routes.candidates, traits, {}, express=express)
        return {"group": group.value, **explain(address, group, band, ground.situation)}

    def providers(self) -> list[ProviderState]:
        """Every provider of the deployment, by name.

        Raises:
            DependencyUnavailable: the store did not answer.
        """
        routes = self._routes()
        health = routes.assigner.health()
        found = (self._state(candidate, health) for candidate in routes.candidates)
        return sorted(found, key=lambda state: state.name)

    def _state(self, candidate: Candidate, health: Health) -> ProviderState:
        breaker, moment = health.breaker(candidate.name), self._clock.now().timestamp()
        return ProviderState(
            name=candidate.name,
            weight=candidate.weight,
            state=breaker.state,
            because=breaker.because,
            retry_at=breaker.retry_at,
            quarantined=tuple(
                group.value
                for group in MailboxGroup
                if health.probe_share(candidate.name, group, moment) < 1
            ),
        )
