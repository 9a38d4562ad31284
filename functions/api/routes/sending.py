"""The workspace's kill switch."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Body, Instant
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, Scope
from shared.delivery.workspace import Switch

sending = Endpoints("sending", "/v1/sending")


class SendingBody(Body):
    """Whether the workspace may send."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"enabled": False, "reason": "wrong prices in the mail"}]}
    )

    enabled: bool
    reason: Annotated[str, Field(max_length=200, description="Needed to turn it off")] = ""


class SendingAnswer(Answer):
    """Whether the workspace may send, and who said so. Both switches must be on."""

    enabled: bool
    reason: str
    by: str
    at: Instant | None
    deployment_enabled: bool = Field(description="The operators' switch, for all workspaces")

    @classmethod
    def of(cls, own: Switch, deployment: Switch) -> SendingAnswer:
        """From the domain's values."""
        return cls(
            enabled=own.enabled,
            reason=own.reason,
            by=own.by,
            at=own.at,
            deployment_enabled=deployment.enabled,
        )


@sending.get("", scope=Scope.CAMPAIGNS_READ)
def get_sending(call: CurrentCall) -> SendingAnswer:
    """Get whether the workspace may send."""
    return SendingAnswer.of(*call.services.switches.get(call.workspace))


@sending.put("", scope=Scope.ADMIN)
def put_sending(body: SendingBody, call: CurrentCall) -> SendingAnswer:
    """Turn the workspace's sending off or on.

    It acts within ten seconds, on campaigns and transactional messages alike. What is not sent
    waits and goes out when sending is on again; an ESP may still deliver what it has taken.
    """
    call.services.switches.put(
        call.workspace, enabled=body.enabled, reason=body.reason, by=call.source
    )
    action = AuditAction.SENDING_ON if body.enabled else AuditAction.SENDING_OFF
    call.record(action, call.workspace, reason=body.reason)
    return SendingAnswer.of(*call.services.switches.get(call.workspace))
