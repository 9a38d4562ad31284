"""Sender domains."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Body, Cursor, Instant, Limit, PageAnswer
from functions.api.visit import CurrentCall
from shared.access.domains import record_name, record_value
from shared.access.model import AuditAction, DomainState, Scope, SenderDomain

sender_domains = Endpoints("sender-domains", "/v1/sender-domains")


class DomainBody(Body):
    """A domain to send from."""

    domain: Annotated[str, Field(min_length=1, max_length=253, examples=["news.example.com"])]


class DnsRecord(Answer):
    """The DNS record that proves the domain."""

    type: str
    name: str
    value: str


class DomainAnswer(Answer):
    """A sender domain."""

    id: str
    domain: str
    state: DomainState
    record: DnsRecord
    created_at: Instant
    verified_at: Instant | None

    @classmethod
    def of(cls, domain: SenderDomain) -> DomainAnswer:
        """From the domain's value."""
        return cls(
            id=domain.id,
            domain=domain.domain,
            state=domain.state,
            record=DnsRecord(type="TXT", name=record_name(domain), value=record_value(domain)),
            created_at=domain.created_at,
            verified_at=domain.verified_at,
        )


class DomainPage(PageAnswer[DomainAnswer]):
    """A page of sender domains."""


@sender_domains.post("", scope=Scope.CAMPAIGNS_WRITE, status=HTTPStatus.CREATED)
def add_sender_domain(body: DomainBody, call: CurrentCall) -> DomainAnswer:
    """Add a sender domain.

    Set the TXT record that the answer names, then verify. A domain that another workspace has
    verified is refused with 409.
    """
    added = call.services.domains.add(call.workspace, body.domain)
    call.record(AuditAction.DOMAIN_ADD, added.id, domain=added.domain)
    return DomainAnswer.of(added)


@sender_domains.get("", scope=Scope.CAMPAIGNS_READ)
def list_sender_domains(call: CurrentCall, limit: Limit = 50, cursor: Cursor = None) -> DomainPage:
    """List the sender domains, oldest first."""
    page = call.services.domains.page(call.workspace, limit=limit, cursor=cursor)
    return DomainPage(items=[DomainAnswer.of(item) for item in page.items], cursor=page.cursor)


@sender_domains.get("/<domain_id>", scope=Scope.CAMPAIGNS_READ)
def get_sender_domain(domain_id: str, call: CurrentCall) -> DomainAnswer:
    """Get a sender domain with the record that proves it."""
    return DomainAnswer.of(call.services.domains.get(call.workspace, domain_id))


@sender_domains.post("/<domain_id>/verify", scope=Scope.CAMPAIGNS_WRITE)
def verify_sender_domain(domain_id: str, call: CurrentCall) -> DomainAnswer:
    """Look the TXT record up and bind the domain to this workspace.

    409 says exactly which record is missing. Mail may then be sent from the domain and from all
    below it.
    """
    verified = call.services.domains.verify(call.workspace, domain_id)
    call.record(AuditAction.DOMAIN_VERIFY, domain_id, domain=verified.domain)
    return DomainAnswer.of(verified)


@sender_domains.delete("/<domain_id>", scope=Scope.CAMPAIGNS_WRITE)
def delete_sender_domain(domain_id: str, call: CurrentCall) -> None:
    """Delete a sender domain.

    Nothing is sent from it any more, not even by campaigns that are under way.
    """
    call.services.domains.delete(call.workspace, domain_id)
    call.record(AuditAction.DOMAIN_DELETE, domain_id)
