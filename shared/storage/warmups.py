"""Warm-ups in DynamoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from shared.errors import StaleWrite
from shared.storage.tables import VersionedModel
from shared.warming.model import Warmup


class WarmupItem(VersionedModel):
    """Where one provider stands; dates as `YYYY-MM-DD`."""

    TABLE = "rates"

    v = NumberAttribute(default=1)
    started_on = UnicodeAttribute()
    day = NumberAttribute()
    checked_on = UnicodeAttribute()
    last_sent_on = UnicodeAttribute(null=True)
    done = BooleanAttribute()


class DynamoWarmups:
    """`WarmupStore`."""

    def get(self, provider: str) -> Warmup | None:
        """As the port says."""
        item = WarmupItem.find(f"provider#{provider}", "warmup")
        if item is None:
            return None
        return Warmup(
            provider=provider,
            started_on=date.fromisoformat(item.started_on),
            day=int(item.day),
            checked_on=date.fromisoformat(item.checked_on),
            last_sent_on=date.fromisoformat(item.last_sent_on) if item.last_sent_on else None,
            done=item.done,
            version=int(item.version),
        )

    def save(self, warmup: Warmup) -> Warmup:
        """As the port says."""
        saved = replace(warmup, version=warmup.version + 1)
        item = WarmupItem(
            f"provider#{saved.provider}",
            "warmup",
            started_on=saved.started_on.isoformat(),
            day=saved.day,
            checked_on=saved.checked_on.isoformat(),
            last_sent_on=saved.last_sent_on.isoformat() if saved.last_sent_on else None,
            done=saved.done,
            version=saved.version,
        )
        if warmup.version:
            item.put_over(warmup.version)
        elif not item.put(WarmupItem.pk.does_not_exist()):
            raise StaleWrite(f"{warmup.provider} has a warm-up already: read it, then decide")
        return saved
