"""Rows of a person's document: consent records, events and messages as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from shared.analytics.model import Engagement
from shared.audience.consents import ConsentRecord
from shared.clock import to_iso


def consent_row(record: ConsentRecord) -> dict[str, Any]:
    """All that a record says; `import` names the job where it is an import's own."""
    return {
        "change": record.change.value,
        "at": to_iso(record.at),
        "of": record.subject,
        "lists": list(record.lists),
        "detail": record.detail,
        **asdict(record.circumstances),
    }


def event_row(engagement: Engagement, message: str) -> dict[str, Any]:
    """All that is kept of an event."""
    event = engagement.event
    return {
        "type": event.type.value,
        "at": to_iso(event.occurred_at),
        "message": message,
        "campaign": None if engagement.ref.transactional else engagement.ref.campaign,
        "provider": event.provider,
        "esp_type": event.esp_type,
        "bounce": event.bounce.value if event.bounce else None,
        "reason": event.reason.value if event.reason else None,
        "detail": event.detail,
        "url": event.url,
        "user_agent": event.user_agent,
        "ip": event.ip,
        "machine": event.machine,
    }


def message_row(message: Mapping[str, Any], message_id: str) -> dict[str, Any]:
    """A transactional message as it was asked for; of its attachments only what they are.

    To whom copies went is about others and left out.
    """
    row = {name: value for name, value in message.items() if name not in {"cc", "bcc"}}
    return {"id": message_id, **row}
