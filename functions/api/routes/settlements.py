"""Settling a message that is in doubt, by hand."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from functions.api.endpoints import Endpoints
from functions.api.schema import Body
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, Scope
from shared.delivery.states import RecipientState

settlements = Endpoints("messages", "/v1/messages")


class SettlementBody(Body):
    """What an operator has found out."""

    state: Literal["accepted", "failed"]
    note: Annotated[
        str,
        Field(
            min_length=1,
            max_length=500,
            description="How it is known; kept on the audit log for good, so name no address",
            examples=["found in the provider's activity feed"],
        ),
    ]


@settlements.post("/<message_id>/settle", scope=Scope.ADMIN)
def settle_message(message_id: str, body: SettlementBody, call: CurrentCall) -> dict[str, Any]:
    """Settle a message that is in doubt.

    Any other message is a 409. One that is settled as failed can be sent again by a retry of its
    campaign. Who settled it, and why, is on the audit log.
    """
    services = call.services
    services.hand_settler.settle(call.workspace, message_id, RecipientState[body.state.upper()])
    call.record(AuditAction.MESSAGE_SETTLE, message_id, state=body.state, note=body.note)
    return services.messages.get(call.workspace, message_id)
