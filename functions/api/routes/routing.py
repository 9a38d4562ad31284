"""Which provider mail goes through, and why."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Body, Instant
from functions.api.visit import CurrentCall
from shared.access.model import Scope
from shared.audience.addresses import normalise
from shared.delivery.explaining import ProviderState
from shared.mail import MessageKind

routing = Endpoints("routing", "/v1")

_Name = Annotated[str, Field(min_length=1, max_length=64)]


class ExplainBody(Body):
    """Whose mail, and which. What delivery rules do not ask for may be left out."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "ann@gmail.com", "tags": ["newsletter"]}]}
    )

    email: Annotated[str, Field(max_length=320)]
    kind: Literal["campaign", "transactional"] = "campaign"
    campaign: Annotated[
        str | None, Field(description="Takes lists and tags from this campaign")
    ] = None
    lists: list[_Name] = Field(
        default_factory=list, max_length=50, description="Ids of mailing lists"
    )
    tags: list[_Name] = Field(default_factory=list, max_length=50)
    band: Annotated[str, Field(max_length=64, description="Engagement band of the person")] = ""


class Score(Answer):
    """How a provider stands."""

    delivered: float = Field(description="Share that is expected to be delivered")
    seen: float = Field(description="Messages that this was learned from, older ones count less")
    chance: float = Field(description="Share of such mail that it gets")


class Exclusion(Answer):
    """A provider that would get none of it."""

    provider: str
    because: str = Field(description="A reason code, such as `breaker_open:http_503`")


class ExplainAnswer(Answer):
    """What would be chosen now. Nothing is sent, and nothing is booked."""

    provider: str | None = Field(description="The likeliest; null if nobody could take it now")
    group: str = Field(description="Mailbox group of the address")
    rule: str = Field(description="Name of the delivery rule that decides")
    scores: dict[str, Score] = Field(description="Every provider that may be used")
    excluded: list[Exclusion]


class ProviderAnswer(Answer):
    """How a provider of the deployment is."""

    name: str
    weight: int
    state: Literal["closed", "open", "out_of_service"] = Field(
        description="Of its breaker: closed is in use, open is probed by itself, and out_of_service"
        " waits for an operator"
    )
    because: str = Field(description="Why, unless it is closed: the ESP's code")
    retry_at: Instant | None = Field(description="When the next probe may go")
    quarantined: list[str] = Field(description="Mailbox groups that get only probes through it")

    @classmethod
    def of(cls, state: ProviderState) -> ProviderAnswer:
        """From the domain's value."""
        return cls(
            name=state.name,
            weight=state.weight,
            state=state.state.value,
            because=state.because,
            retry_at=state.retry_at,
            quarantined=list(state.quarantined),
        )


class ProvidersAnswer(Answer):
    """All providers of the deployment."""

    items: list[ProviderAnswer]


@routing.post("/routing/explain", scope=Scope.CAMPAIGNS_READ)
def explain_routing(body: ExplainBody, call: CurrentCall) -> ExplainAnswer:
    """Explain which provider an address's mail would go through now, and why."""
    lists, tags = list(body.lists), list(body.tags)
    if body.campaign is not None:
        campaign = call.services.campaigns.get(call.workspace, body.campaign)
        lists += campaign.whom.lists
        tags += campaign.tags
    found: dict[str, Any] = dict(
        call.services.routing.explain(
            normalise(body.email),
            kind=MessageKind(body.kind),
            band=body.band,
            lists=lists,
            tags=tags,
        )
    )
    return ExplainAnswer.model_validate(found)


@routing.get("/providers", scope=Scope.CAMPAIGNS_READ)
def list_providers(call: CurrentCall) -> ProvidersAnswer:
    """List the deployment's providers and how they are."""
    return ProvidersAnswer(
        items=[ProviderAnswer.of(state) for state in call.services.routing.providers()]
    )
