from __future__ import annotations

from shared.access.audit import AuditTrail
from shared.access.model import AuditAction
from shared.ids import Ids
from tests.fakes import FakeAuditLog, FakeClock, seeded_bytes


def test_what_is_recorded_is_listed_newest_first() -> None:
    clock = FakeClock()
    ids = Ids(clock, seeded_bytes())
    audit = AuditTrail(FakeAuditLog(), ids, clock)
    mine, theirs = ids.new("ws"), ids.new("ws")
    audit.record(mine, "api:key_a", AuditAction.CAMPAIGN_LAUNCH, "cmp_a")
    clock.advance(days=40)
    audit.record(mine, "api:key_b", AuditAction.CAMPAIGN_PAUSE, "cmp_a", {"why": "test"})
    audit.record(theirs, "api:key_c", AuditAction.KEY_REVOKE, "key_z")
    first = audit.page(mine, limit=1)
    rest = audit.page(mine, limit=5, cursor=first.cursor)
    told = [(e.by, e.action.value, dict(e.details)) for e in (*first.items, *rest.items)]
    assert told == [
        ("api:key_b", "campaign.pause", {"why": "test"}),
        ("api:key_a", "campaign.launch", {}),
    ]
    assert [e.target for e in audit.page(theirs, limit=5).items] == ["key_z"]
