"""Campaigns in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import orjson
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from shared.audience.segments.model import Audience, Consent
from shared.clock import from_iso, to_iso
from shared.delivery.model import Campaign
from shared.delivery.schedule import Schedule
from shared.delivery.states import CampaignState
from shared.errors import AlreadyExists, NotFound
from shared.mail import Mailbox
from shared.paging import Page, cut, resume
from shared.storage.tables import VersionedModel

ACTIVE = frozenset(
    {
        CampaignState.SCHEDULED,
        CampaignState.PLANNING,
        CampaignState.SENDING,
        CampaignState.PAUSED,
    }
)


class Active(GlobalSecondaryIndex["CampaignItem"]):  # type: ignore[no-untyped-call]  # PynamoDB's
    """Names the active campaigns and no more: what they hold is read from the table."""

    class Meta:
        """Names the index."""

        index_name = "active"
        projection = KeysOnlyProjection()

    active = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)


class CampaignItem(VersionedModel):
    """One campaign; `doc` is compact JSON of all its fields but id, workspace and version."""

    TABLE = "campaigns"

    v = NumberAttribute(default=1)
    doc = UnicodeAttribute()
    active = UnicodeAttribute(null=True)
    by_active = Active()


class DynamoCampaigns:
    """`CampaignStore`."""

    def create(self, campaign: Campaign) -> None:
        """As the port says."""
        if not _item(campaign).put(CampaignItem.pk.does_not_exist()):
            raise AlreadyExists(f"there is a campaign {campaign.id} already")

    def get(self, workspace: str, campaign_id: str) -> Campaign:
        """As the port says."""
        item = CampaignItem.find(_partition(workspace), campaign_id)
        if item is None:
            raise NotFound("campaign", campaign_id)
        return _read(item)

    def save(self, campaign: Campaign) -> Campaign:
        """As the port says."""
        saved = replace(campaign, version=campaign.version + 1)
        _item(saved).put_over(campaign.version)
        return saved

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[Campaign]:
        """As the port says: ids sort by time. Consistent."""
        after = resume(cursor)
        where = CampaignItem.sk < after if after else None
        items = CampaignItem.select(
            _partition(workspace), where, ascending=False, page_size=limit + 1
        )
        return cut(map(_read, items), limit, lambda one: one.id)

    def active(self) -> Iterator[Campaign]:
        """As the port says. The index may lag; each campaign it names is read consistently."""
        named = [(item.pk, item.sk) for item in CampaignItem.select("1", index="active")]
        for item in CampaignItem.find_many(named):
            campaign = _read(item)
            if campaign.state in ACTIVE:
                yield campaign


def _partition(workspace: str) -> str:
    return f"ws#{workspace}#campaigns"


def _read(item: CampaignItem) -> Campaign:
    doc: dict[str, Any] = orjson.loads(item.doc)
    return Campaign(
        id=item.sk,
        workspace=item.pk.split("#")[1],
        name=doc["name"],
        sender=Mailbox(**doc["sender"]),
        template_id=doc["template_id"],
        list_ids=tuple(doc["list_ids"]),
        created_at=from_iso(doc["created_at"]),
        reply_to=Mailbox(**doc["reply_to"]) if doc["reply_to"] else None,
        tags=tuple(doc["tags"]),
        state=CampaignState(doc["state"]),
        state_reason=doc["state_reason"],
        template_version=doc["template_version"],
        launched_at=from_iso(doc["launched_at"]) if doc["launched_at"] else None,
        finished_at=from_iso(doc["finished_at"]) if doc["finished_at"] else None,
        chunks=doc["chunks"],
        recipients=doc["recipients"],
        released=doc["released"],
        totals=doc["totals"],
        schedule=Schedule.from_item(doc.get("schedule", {})),
        pace_per_hour=doc.get("pace_per_hour"),
        seed_list=doc.get("seed_list"),
        seed_wait_minutes=doc.get("seed_wait_minutes", 30),
        rest_after=from_iso(doc["rest_after"]) if doc.get("rest_after") else None,
        brake_base=doc.get("brake_base", {}),
        retry_job=doc.get("retry_job", ""),
        retried_at=from_iso(doc["retried_at"]) if doc.get("retried_at") else None,
        audience=Audience.from_item(doc["audience"]) if doc.get("audience") else None,
        agreed=Consent(tuple(doc["agreed"]["lists"]), doc["agreed"]["any_list"])
        if doc.get("agreed")
        else None,
        version=int(item.version),
    )


def _item(campaign: Campaign) -> CampaignItem:
    doc = asdict(campaign)
    for name in ("id", "workspace", "version"):
        del doc[name]
    doc["schedule"] = campaign.schedule.to_item()
    doc["audience"] = campaign.audience.to_item() if campaign.audience else None
    for name in ("created_at", "launched_at", "finished_at", "retried_at", "rest_after"):
        doc[name] = to_iso(doc[name]) if doc[name] else None
    return CampaignItem(
        _partition(campaign.workspace),
        campaign.id,
        doc=orjson.dumps(doc).decode(),
        active="1" if campaign.state in ACTIVE else None,
        version=campaign.version,
    )
