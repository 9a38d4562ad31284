"""Campaigns, ledger and due items: DynamoDB and the fakes behave alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from shared.audience.segments.model import Audience, Consent, Source, SourceKind
from shared.delivery.model import (
    Attempt,
    Campaign,
    ChunkKey,
    ChunkOutcome,
    ChunkPlan,
    DueItem,
)
from shared.delivery.ports import CampaignStore, DueStore, LedgerStore
from shared.delivery.schedule import QuietHours, Schedule
from shared.delivery.states import CampaignState
from shared.errors import AlreadyExists, InvalidInput, NotFound, StaleWrite
from shared.ids import CAMPAIGN, NOBODY, SUBSCRIBER, TRANSACTIONAL_CHUNK, WORKSPACE, to_text
from shared.mail import Mailbox
from shared.storage.campaigns import CampaignItem, DynamoCampaigns
from shared.storage.due import DynamoDue
from shared.storage.ledger import AttemptItem, DynamoLedger, OutcomeItem, PlanItem, subscriber_ids
from tests.fakes import FakeCampaigns, FakeClock, FakeDue, FakeLedger, seeded_bytes

NOW = datetime(2026, 11, 24, 8, 15, 30, 123000, tzinfo=UTC)
WS, OTHER = to_text(WORKSPACE, b"w" * 12), to_text(WORKSPACE, b"o" * 12)


@pytest.fixture(params=["fake", "dynamo"])
def campaigns(request: pytest.FixtureRequest) -> CampaignStore:
    if request.param == "fake":
        return FakeCampaigns()
    request.getfixturevalue("dynamo")
    return DynamoCampaigns()


@pytest.fixture(params=["fake", "dynamo"])
def ledger(request: pytest.FixtureRequest) -> LedgerStore:
    if request.param == "fake":
        return FakeLedger()
    request.getfixturevalue("dynamo")
    return DynamoLedger()


@pytest.fixture(params=["fake", "dynamo"])
def due(request: pytest.FixtureRequest) -> DueStore:
    if request.param == "fake":
        return FakeDue()
    request.getfixturevalue("dynamo")
    return DynamoDue()


def campaign_id(number: int) -> str:
    return to_text(CAMPAIGN, number.to_bytes(12, "big"))


def campaign(number: int = 1, **fields: object) -> Campaign:
    plain = Campaign(
        id=campaign_id(number),
        workspace=WS,
        name="Autumn",
        sender=Mailbox("news@example.com", "Ünser Shop"),
        template_id="tpl_1",
        list_ids=("lst_1", "lst_2"),
        created_at=NOW,
    )
    return replace(plain, **fields)  # type: ignore[arg-type]  # a test's shorthand


FULL = campaign(
    reply_to=Mailbox("help@example.com"),
    tags=("a", "b"),
    state=CampaignState.SENT,
    state_reason="done",
    template_version=3,
    launched_at=NOW + timedelta(hours=1),
    finished_at=NOW + timedelta(hours=2),
    chunks=20,
    recipients=9_876,
    released=20,
    totals={"accepted": 9_870, "by_provider": {"ses": {"gmail": 5}}},
    retry_job="job_1",
    retried_at=NOW + timedelta(hours=3),
)


AIMED = campaign(
    list_ids=(),
    audience=Audience((Source(SourceKind.LIST, "lst_1"),), (Source(SourceKind.SEGMENT, "seg_1"),)),
    agreed=Consent(("lst_1",), any_list=True),
)


@pytest.mark.parametrize("one", [campaign(), FULL, AIMED])
def test_a_campaign_comes_back_as_it_was(campaigns: CampaignStore, one: Campaign) -> None:
    campaigns.create(one)

    assert campaigns.get(WS, one.id) == one


def test_a_campaign_is_created_once(campaigns: CampaignStore) -> None:
    campaigns.create(campaign())

    with pytest.raises(AlreadyExists):
        campaigns.create(campaign(name="again"))


def test_a_campaign_of_another_workspace_is_not_found(campaigns: CampaignStore) -> None:
    campaigns.create(campaign())

    with pytest.raises(NotFound):
        campaigns.get(OTHER, campaign_id(1))


def test_only_the_reader_of_the_newest_version_can_save(campaigns: CampaignStore) -> None:
    campaigns.create(campaign())
    saved = campaigns.save(campaign(state=CampaignState.PLANNING))

    assert saved == campaigns.get(WS, saved.id)
    assert saved.version == 1
    with pytest.raises(StaleWrite):
        campaigns.save(campaign(state=CampaignState.CANCELLED))
    with pytest.raises(StaleWrite):
        campaigns.save(campaign(2))


def test_campaigns_are_paged_newest_first(campaigns: CampaignStore) -> None:
    for number in range(5):
        campaigns.create(campaign(number))
    campaigns.create(campaign(9, workspace=OTHER))

    first = campaigns.page(WS, limit=2)
    second = campaigns.page(WS, limit=2, cursor=first.cursor)
    third = campaigns.page(WS, limit=2, cursor=second.cursor)

    pages = [[one.id for one in page.items] for page in (first, second, third)]
    assert pages == [[campaign_id(n) for n in ns] for ns in ((4, 3), (2, 1), (0,))]
    assert third.cursor is None
    with pytest.raises(InvalidInput):
        campaigns.page(WS, limit=2, cursor="bent")


def test_active_campaigns_of_all_workspaces_are_found(campaigns: CampaignStore) -> None:
    for number, state in enumerate(CampaignState):
        campaigns.create(campaign(number, state=state))
    campaigns.create(campaign(50, workspace=OTHER, state=CampaignState.SENDING))
    done = next(c for c in campaigns.active() if c.workspace == OTHER)
    before = {(c.workspace, c.state) for c in campaigns.active()}
    campaigns.save(replace(done, state=CampaignState.SENT))

    live = {
        CampaignState.SCHEDULED,
        CampaignState.PLANNING,
        CampaignState.SENDING,
        CampaignState.PAUSED,
    }
    left = {(WS, state) for state in live}
    assert before == left | {(OTHER, CampaignState.SENDING)}
    assert {(c.workspace, c.state) for c in campaigns.active()} == left


@pytest.mark.usefixtures("dynamo")
def test_a_reader_ignores_attributes_it_does_not_know() -> None:
    DynamoCampaigns().create(campaign())
    item = CampaignItem.find(f"ws#{WS}#campaigns", campaign_id(1))
    assert item is not None
    assert item.v == 1
    raw = item.serialize() | {"later": {"S": "thing"}}
    CampaignItem._get_connection().put_item(item.pk, item.sk, attributes=raw)

    assert DynamoCampaigns().get(WS, campaign_id(1)) == campaign()


def chunk(number: int = 7, campaign: int = 1) -> ChunkKey:
    return ChunkKey(WS, campaign_id(campaign), number)


def people(count: int) -> tuple[str, ...]:
    new = seeded_bytes()
    return tuple(to_text(SUBSCRIBER, new(12)) for _ in range(count))


def plan(number: int = 7, count: int = 3) -> ChunkPlan:
    return ChunkPlan(chunk(number), people(count), resume={"shard": 3, "after": "sub_x"})


def attempt(number: int = 1, count: int = 3) -> Attempt:
    return Attempt(
        key=chunk(),
        number=number,
        owner="worker-1",
        lease_until=NOW + timedelta(minutes=2),
        providers=("ses", "sendgrid"),
        assigned=bytes((1, 2, 0) * count)[:count],
        groups=bytes((0, 6, 1) * count)[:count],
        routing={"weights": {"ses": 40, "sendgrid": 60}},
    )


def outcome(number: int = 7, version: int = 0) -> ChunkOutcome:
    return ChunkOutcome(
        key=chunk(number),
        states=bytes((2, 6, 4)),
        attempt=1,
        reasons={"read_timeout": (1,), "550": (2,)},
        counts={"ses|gmail|accepted": 1, "-|other|failed": 1},
        version=version,
    )


def test_a_plan_is_written_once(ledger: LedgerStore) -> None:
    first = ledger.put_plan(plan())
    second = ledger.put_plan(replace(plan(), subscribers=people(1)))

    assert first == second == ledger.record(chunk()).plan == plan()


def test_a_plan_may_hold_a_single_message(ledger: LedgerStore) -> None:
    key = ChunkKey(WS, "msg_" + campaign_id(1)[4:], TRANSACTIONAL_CHUNK)
    message = {"subject": "Hallo", "attributes": {"n": 1}}
    single = ChunkPlan(key, people(1), message=message)
    ledger.put_plan(single)

    assert ledger.record(key).plan == single


def test_a_chunk_that_was_never_planned_is_not_found(ledger: LedgerStore) -> None:
    with pytest.raises(NotFound):
        ledger.record(chunk())


def test_a_record_holds_plan_attempts_in_order_and_outcome(ledger: LedgerStore) -> None:
    ledger.put_plan(plan(6))
    ledger.put_plan(plan(7))
    ledger.put_plan(plan(15))
    assert ledger.begin(attempt(1))
    assert ledger.begin(attempt(2))
    saved = ledger.save_outcome(outcome())

    record = ledger.record(chunk())
    assert record.plan == plan()
    assert record.attempts == (attempt(1), attempt(2))
    assert record.outcome == saved
    assert record.unrecorded == attempt(2)
    assert ledger.attempts(chunk()) == (attempt(1), attempt(2))
    assert ledger.attempts(chunk(15)) == ()
    assert ledger.record(chunk(15)).attempts == ()


def test_only_one_worker_gets_an_attempt(ledger: LedgerStore) -> None:
    first = attempt()
    assert ledger.begin(first)
    assert ledger.begin(first)  # the first answer got lost, and the client asked again
    assert not ledger.begin(replace(first, owner="worker-2"))
    assert [a.owner for a in ledger.attempts(chunk())] == ["worker-1"]


def test_an_outcome_is_only_overwritten_by_who_has_read_it(ledger: LedgerStore) -> None:
    ledger.put_plan(plan())
    saved = ledger.save_outcome(outcome())
    again = ledger.save_outcome(replace(saved, states=bytes((2, 2, 4))))

    assert (saved.version, again.version) == (1, 2)
    assert ledger.record(chunk()).outcome == again
    for stale in (outcome(), saved):
        with pytest.raises(StaleWrite):
            ledger.save_outcome(stale)
    with pytest.raises(StaleWrite):
        ledger.save_outcome(outcome(8, version=1))


def test_all_outcomes_of_a_campaign_are_found(ledger: LedgerStore) -> None:
    for number in range(20):
        ledger.save_outcome(outcome(number))
    ledger.save_outcome(replace(outcome(), key=chunk(campaign=2)))

    found = {o.key.chunk: o for o in ledger.outcomes(WS, campaign_id(1))}
    assert found == {n: outcome(n, version=1) for n in range(20)}


def test_outcomes_of_some_chunks_are_found(ledger: LedgerStore) -> None:
    for number in range(0, 250, 2):
        ledger.save_outcome(outcome(number))
    ledger.save_outcome(replace(outcome(1), key=chunk(1, campaign=2)))

    found = ledger.outcomes_of(WS, campaign_id(1), range(10, 240))
    assert found == {n: outcome(n, version=1) for n in range(10, 240, 2)}
    assert ledger.outcomes_of(WS, campaign_id(1), ()) == {}


@pytest.mark.usefixtures("dynamo")
def test_a_chunk_of_500_is_cheap_to_write() -> None:
    ledger = DynamoLedger()
    whole = replace(plan(count=500), resume={"shard": 15, "after": people(1)[0]})
    ledger.put_plan(whole)
    ledger.begin(attempt(count=500))
    groups = ("gmail", "microsoft", "yahoo", "apple", "gmx", "proton", "other")
    states = ("accepted", "rejected", "skipped")
    names = [f"{p}|{g}|{s}" for p in ("ses", "sendgrid") for g in groups for s in states]
    ledger.save_outcome(
        ChunkOutcome(
            key=chunk(),
            states=bytes(500 * (2,)),
            attempt=1,
            reasons={"hard_bounce": (4, 99)},
            counts=dict.fromkeys(names[:18], 23),
        )
    )

    assert sizes("C#0000000007#P", PlanItem) <= 6 * 1024
    assert sizes("C#0000000007#A#0001", AttemptItem) <= 1024
    assert sizes("R#0000000007", OutcomeItem) <= 1024
    assert ledger.record(chunk()).plan == whole
    assert ledger.record(chunk()).attempts == (attempt(count=500),)


def sizes(sk: str, model: type[PlanItem | AttemptItem | OutcomeItem]) -> int:
    """Bytes as DynamoDB bills them: names and values."""
    item = model.find(f"ws#{WS}#{campaign_id(1)}#7", sk)
    assert item is not None
    values = item.serialize().items()
    return sum(len(name) + len(next(iter(value.values()))) for name, value in values)


def test_packed_ids_are_written_as_everywhere() -> None:
    new = seeded_bytes()
    raw = [new(12) for _ in range(300)] + [bytes(12), b"\xff" * 12]

    assert subscriber_ids(b"".join(raw)) == tuple(to_text(SUBSCRIBER, one) for one in raw)


def due_item(seconds: int, number: int = 1) -> DueItem:
    return DueItem(NOW + timedelta(seconds=seconds), chunk(number))


def test_items_become_due_when_their_time_has_come(due: DueStore) -> None:
    items = [due_item(seconds, number) for number, seconds in enumerate((-5, 0, 1, 60))]
    due.add(items)
    due.add(items)

    assert due.due(NOW, limit=10) == items[:2]
    assert due.due(NOW + timedelta(minutes=1), limit=10) == items


def test_the_oldest_items_come_first_and_no_more_than_asked_for(due: DueStore) -> None:
    items = [due_item(-seconds, seconds) for seconds in range(30)]
    due.add(items)

    assert due.due(NOW, limit=7) == items[:-8:-1]


def test_an_item_is_removed_once_or_more(due: DueStore) -> None:
    due.add([due_item(-1), due_item(-2)])
    due.remove(due_item(-2))
    due.remove(due_item(-2))

    assert due.due(NOW, limit=10) == [due_item(-1)]


def test_a_single_message_can_be_due(due: DueStore) -> None:
    due.add([due_item(0, TRANSACTIONAL_CHUNK)])

    assert due.due(NOW, limit=1) == [due_item(0, TRANSACTIONAL_CHUNK)]


MESSAGE = ChunkKey(WS, campaign_id(5), TRANSACTIONAL_CHUNK)


def test_a_message_comes_back_as_it_was(ledger: LedgerStore) -> None:
    expires = datetime(2026, 12, 24, 8, tzinfo=UTC)
    of_message = ChunkPlan(MESSAGE, people(1), message={"to": {"name": "Ü"}}, expires_at=expires)
    ledger.put_plan(of_message)
    assert ledger.record(MESSAGE).plan == of_message


@pytest.mark.usefixtures("dynamo")
def test_all_that_is_stored_of_a_message_expires_and_nothing_of_a_campaign() -> None:
    ledger = DynamoLedger(FakeClock(NOW))
    plans = {MESSAGE: NOW + timedelta(days=30), chunk(): None}
    for key, expires in plans.items():
        ledger.put_plan(ChunkPlan(key, people(1), message=None, expires_at=expires))
        ledger.begin(replace(attempt(count=1), key=key))
        ledger.save_outcome(replace(outcome(), key=key, states=b"\2"))
        pk = f"ws#{WS}#{key.campaign}#{key.chunk % 8}"
        prefix = f"{key.chunk:010d}"
        kept = [
            item.ttl - NOW.replace(microsecond=0) if item and item.ttl is not None else None
            for item in (
                PlanItem.find(pk, f"C#{prefix}#P"),
                AttemptItem.find(pk, f"C#{prefix}#A#0001"),
                OutcomeItem.find(pk, f"R#{prefix}"),
            )
        ]
        days = [None] * 3 if expires is None else [timedelta(days=n) for n in (30, 60, 60)]
        assert kept == days


def test_a_campaigns_times_pace_and_seeds_come_back(campaigns: CampaignStore) -> None:
    schedule = Schedule(
        start_at=NOW,
        end_at=NOW + timedelta(days=1),
        local_time=datetime.fromisoformat("2026-12-01T09:00:00"),
        quiet_hours=QuietHours(time(21), time(8)),
        time_zone="Europe/Berlin",
    )
    campaigns.create(
        campaign(
            schedule=schedule,
            pace_per_hour=600,
            seed_list=to_text("lst", b"s" * 12),
            seed_wait_minutes=5,
            rest_after=NOW,
            brake_base={"accepted": 5},
        )
    )
    stored = campaigns.get(WS, campaign_id(1))
    assert stored.schedule == schedule
    assert (stored.pace_per_hour, stored.seed_wait_minutes) == (600, 5)
    assert (stored.seed_list, stored.rest_after) == (to_text("lst", b"s" * 12), NOW)
    assert stored.brake_base == {"accepted": 5}


def test_an_outcome_remembers_until_when_it_waits(ledger: LedgerStore) -> None:
    waiting = ledger.save_outcome(replace(outcome(), not_before=NOW))
    ledger.put_plan(ChunkPlan(waiting.key, (to_text(SUBSCRIBER, bytes(12)),)))
    assert ledger.record(waiting.key).outcome == waiting


def test_a_plan_is_read_alone_and_replaced_if_nobody_was_first(ledger: LedgerStore) -> None:
    key = ChunkKey(WS, campaign_id(1), 3)
    assert ledger.plan(key) is None
    ann, bob = (to_text(SUBSCRIBER, letter * 12) for letter in (b"a", b"b"))
    plan = ledger.put_plan(ChunkPlan(key, (ann, bob), {"shard": 1, "after": bob}))
    assert ledger.plan(key) == plan
    after = replace(plan, subscribers=(NOBODY, bob))
    ledger.replace_plan(plan, after)
    assert ledger.plan(key) == after
    with pytest.raises(StaleWrite):
        ledger.replace_plan(plan, plan)


def test_messages_are_found_by_whom_they_are_to_until_they_are_emptied(
    ledger: LedgerStore,
) -> None:
    ann, bob = (to_text(SUBSCRIBER, letter * 12) for letter in (b"a", b"b"))
    key = ChunkKey(WS, campaign_id(7), TRANSACTIONAL_CHUNK)
    message = {"to": {"address": "ann@example.com", "name": ""}, "at": "x", "sender": {}}
    plan = ledger.put_plan(ChunkPlan(key, (ann,), message=message))
    ledger.put_plan(ChunkPlan(ChunkKey(WS, campaign_id(8), 0), (ann, bob)))
    assert list(ledger.messages_to(WS, ann)) == [key]
    assert list(ledger.messages_to(WS, bob)) == []
    assert list(ledger.messages_to(OTHER, ann)) == []
    with pytest.raises(StaleWrite):
        ledger.replace_plan(replace(plan, message={}), plan)
    emptied = replace(plan, subscribers=(NOBODY,), message={"erased": True})
    ledger.replace_plan(plan, emptied)
    assert ledger.plan(key) == emptied
    assert list(ledger.messages_to(WS, ann)) == []
