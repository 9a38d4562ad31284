"""How long a workspace keeps what."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from pydantic import Field

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Body
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, Scope
from shared.retention import BOUNDS, Retention

retention = Endpoints("settings", "/v1/settings/retention")


def _days(name: str, text: str) -> object:
    least, most = BOUNDS[name]
    return Field(default=getattr(Retention(), name), description=f"{text}; {least} to {most}")


class RetentionBody(Body):
    """Days that each kind of data is kept; what is left out has its default."""

    event_days: Annotated[int, _days("event_days", "Raw events, from when each happened")]
    engagement_days: Annotated[
        int, _days("engagement_days", "A person's engagement, from her last event")
    ]
    message_days: Annotated[
        int, _days("message_days", "Transactional messages' addresses and content")
    ]
    pending_days: Annotated[
        int, _days("pending_days", "Who is asked to confirm and does not, from the last time")
    ]
    erased_consent_days: Annotated[
        int, _days("erased_consent_days", "Consent records, from the person's erasure")
    ]
    audit_days: Annotated[int | None, _days("audit_days", "The audit log; null is for good")]

    def retention(self) -> Retention:
        """As the domain has it."""
        return Retention(**self.model_dump())


class RetentionAnswer(Answer):
    """What is in force."""

    event_days: int
    engagement_days: int
    message_days: int
    pending_days: int
    erased_consent_days: int
    audit_days: int | None
    version: int

    @classmethod
    def of(cls, kept: Retention) -> RetentionAnswer:
        """From the domain's value."""
        return cls(**asdict(kept))


@retention.get("", scope=Scope.SUBSCRIBERS_READ)
def get_retention(call: CurrentCall) -> RetentionAnswer:
    """Get how long each kind of data is kept."""
    return RetentionAnswer.of(call.services.retention.get(call.workspace))


@retention.put("", scope=Scope.ADMIN)
def put_retention(body: RetentionBody, call: CurrentCall) -> RetentionAnswer:
    """Set how long each kind of data is kept, for what is written from now on.

    In force everywhere within five minutes. What is stored already goes at the time that was set
    when it was written.
    """
    saved = call.services.retention.put(call.workspace, body.retention())
    call.record(AuditAction.SETTINGS_CHANGE, call.workspace, retention=saved.version)
    return RetentionAnswer.of(saved)
