"""A chunk is sent once, to those who may get it, and every outcome is recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.audience.model import ListState, SuppressionReason
from shared.delivery.model import ChunkKey
from shared.delivery.posting import FIRST_BATCH
from shared.delivery.rates import Limits
from shared.delivery.states import CampaignState, RecipientState
from shared.mail import OutgoingRecipient, SendOutcome, Verdict
from tests.shared.delivery.world import World


def answering(verdict: Verdict, code: str = "x") -> object:
    def answer(recipient: OutgoingRecipient) -> SendOutcome:
        return SendOutcome(recipient.index, verdict, code)

    return answer


def test_everybody_gets_one_mail_and_the_weights_hold() -> None:
    world = World()
    people = world.people(1200)
    campaign = world.launched()
    assert campaign.state is CampaignState.SENDING
    assert (campaign.recipients, campaign.chunks, campaign.released) == (1200, 3, 3)
    world.drain()
    assert sorted(world.mailed()) == sorted(person.address for person in people)
    report = world.report(campaign)
    assert report["accepted"] == 1200
    accepted = {name: cell["accepted"] for name, cell in report["by_provider"].items()}
    assert accepted["sendgrid"] == pytest.approx(480, abs=70)
    assert accepted["postmark"] == pytest.approx(240, abs=60)
    world.tick()
    assert world.campaigns.get(world.workspace, campaign.id).state is CampaignState.SENT
    assert world.report(campaign)["accepted"] == 1200


def test_the_mail_has_one_click_headers_and_personal_content() -> None:
    world = World()
    person = world.people(1, attributes={"first_name": "Zoë"})[0]
    world.launched()
    world.drain()
    batch = next(s.batches[0] for s in world.senders.values() if s.batches)
    recipient = batch.recipients[0]
    assert batch.subject.fill(recipient.values) == "Hi Zoë"
    url = recipient.headers["List-Unsubscribe"].strip("<>")
    ref = world.unsubscribe.parse(url.rpartition("/")[2])
    assert (ref.subscriber, ref.list_id) == (person.id, world.list_id)
    assert recipient.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert batch.html is not None
    assert url in batch.html.fill(recipient.values)
    assert world.message_ids.parse(recipient.message_id).index == 0


def test_who_may_not_be_mailed_is_skipped_with_the_reason() -> None:
    world = World()
    good, left, bounced, gone = (world.people(1, f"{n}.example")[0] for n in "abcd")
    world.subscribers.put(replace(left, lists={world.list_id: ListState.UNSUBSCRIBED}))
    world.subscribers.put(replace(bounced, suppressed=SuppressionReason.HARD_BOUNCE))
    world.subscribers.delete(world.workspace, gone.id)
    campaign = world.launched()
    world.drain()
    assert world.mailed() == [good.address]
    report = world.report(campaign)
    assert (report["accepted"], report["skipped"], report["pending"]) == (1, 3, 0)
    assert report["reasons"] == {"erased": 1, "not_subscribed": 1, "suppressed_hard_bounce": 1}


def test_who_changed_her_address_since_is_skipped_with_a_reason_of_its_own() -> None:
    world = World()
    good, moved = world.people(2)
    campaign = world.launched()
    leads_on = replace(moved, address="", lists={}, deleted=True, moved_to=good.id)
    world.subscribers.put(leads_on)
    world.drain()
    assert world.mailed() == [good.address]
    report = world.report(campaign)
    assert (report["accepted"], report["skipped"]) == (1, 1)
    assert report["reasons"] == {"address_changed": 1}


def test_the_same_chunk_twice_mails_nobody_twice() -> None:
    world = World()
    world.people(30)
    world.launched()
    key = world.queue.sent[0][0]
    world.dispatch(key)
    world.dispatch(key)
    assert len(world.mailed()) == len(set(world.mailed())) == 30


def test_a_worker_that_lost_the_claim_sends_nothing_and_refunds() -> None:
    world = World()
    world.people(30)
    world.launched()
    key = world.queue.sent[0][0]
    begin = world.ledger.begin
    world.ledger.begin = lambda attempt: begin(replace(attempt, owner="other")) and False  # type: ignore[method-assign]  # another worker writes first
    run = world.dispatch(key)
    assert run.note == "another worker was first"
    assert world.mailed() == []
    for provider in world.senders:
        state = world.rates.load(provider)
        assert sum((state.used or {}).values()) == 0


def test_what_a_provider_does_not_take_goes_to_the_next_at_once() -> None:
    world = World()
    world.people(100)
    world.senders["ses"].answer = answering(Verdict.NOT_ACCEPTED, "unreachable")  # type: ignore[assignment]
    campaign = world.launched()
    (run,) = world.drain()
    report = world.report(campaign)
    assert report["accepted"] == 100
    assert "ses" not in report["by_provider"]
    assert len(world.senders["ses"].batches) == 1
    assert run.excluded == {"ses": "not_accepted_unreachable"}


def test_all_providers_out_leaves_all_pending_and_comes_back_later() -> None:
    world = World()
    world.people(100)
    for sender in world.senders.values():
        sender.answer = answering(Verdict.NOT_ACCEPTED, "unreachable")  # type: ignore[assignment]
    campaign = world.launched()
    key = world.queue.sent.pop(0)[0]
    world.dispatch(key)
    assert world.report(campaign)["pending"] == 100
    assert world.queue.sent[0][0] == key
    for name in world.senders:
        world.senders[name].answer = answering(Verdict.ACCEPTED)  # type: ignore[assignment]
    world.drain()
    assert world.report(campaign)["accepted"] == 100


def test_doubt_is_never_sent_again_and_an_outage_costs_one_small_batch() -> None:
    world = World()
    world.people(400)
    world.senders["ses"].answer = answering(Verdict.IN_DOUBT, "read_timeout")  # type: ignore[assignment]
    campaign = world.launched()
    world.drain()
    report = world.report(campaign)
    assert report["in_doubt"] == FIRST_BATCH
    assert report["accepted"] == 400 - FIRST_BATCH
    assert len(world.mailed()) == len(set(world.mailed())) == 400


def test_a_rejected_recipient_is_rejected_with_its_code() -> None:
    world = World()
    world.people(10)
    for sender in world.senders.values():
        sender.answer = lambda r: SendOutcome(
            r.index, Verdict.REJECTED if r.index == 3 else Verdict.ACCEPTED, "406"
        )
    campaign = world.launched()
    world.drain()
    report = world.report(campaign)
    assert (report["accepted"], report["rejected"]) == (9, 1)
    assert report["reasons"] == {"406": 1}


def test_a_refused_sender_pauses_the_campaign_and_says_why() -> None:
    world = World()
    world.people(10)
    for sender in world.senders.values():
        sender.answer = answering(Verdict.SENDER_FAULT, "400")  # type: ignore[assignment]
    campaign = world.launched()
    world.drain()
    paused = world.campaigns.get(world.workspace, campaign.id)
    assert paused.state is CampaignState.PAUSED
    assert "refuses the sender" in paused.state_reason
    assert world.report(campaign)["pending"] == 10
    for name in world.senders:
        world.senders[name].answer = answering(Verdict.ACCEPTED)  # type: ignore[assignment]
    world.service().resume(world.workspace, campaign.id)
    world.tick(5)
    world.drain()
    assert world.report(campaign)["accepted"] == 10


def test_a_sender_that_lost_its_domain_stops_at_the_moment_of_sending() -> None:
    world = World()
    world.people(10)
    campaign = world.launched()
    world.sender_check.domains.clear()
    world.drain()
    assert world.mailed() == []
    assert world.campaigns.get(world.workspace, campaign.id).state is CampaignState.PAUSED


def test_a_paused_campaign_sends_nothing_and_goes_on_later() -> None:
    world = World()
    world.people(600)
    campaign = world.launched()
    world.service().pause(world.workspace, campaign.id)
    world.drain()
    assert world.mailed() == []
    world.tick(4)
    assert world.queue.sent == []
    world.service().resume(world.workspace, campaign.id)
    world.tick(4)
    world.drain()
    assert len(world.mailed()) == 600


def test_a_cancelled_campaign_accounts_for_those_it_did_not_mail() -> None:
    world = World()
    world.people(600)
    campaign = world.launched()
    world.dispatch(world.queue.sent.pop(0)[0])
    world.service().cancel(world.workspace, campaign.id)
    world.drain()
    report = world.report(campaign)
    assert (report["accepted"], report["skipped"], report["pending"]) == (500, 100, 0)
    assert report["reasons"] == {"cancelled": 100}
    world.tick(4)
    assert not world.due.items


def test_a_full_provider_overflows_to_the_others() -> None:
    world = World({"sendgrid": Limits(per_hour=10)})
    world.people(300)
    campaign = world.launched()
    world.drain()
    report = world.report(campaign)
    assert report["accepted"] == 300
    assert report["by_provider"]["sendgrid"]["accepted"] == 10


def test_waiting_for_tokens_is_a_due_item_and_not_a_circle_in_the_queue() -> None:
    limits = {name: Limits(per_hour=20) for name in ("sendgrid", "ses", "postmark")}
    world = World(limits)
    world.people(100)
    campaign = world.launched()
    world.drain()
    assert world.report(campaign)["accepted"] == 60
    assert world.queue.sent == []
    at = min(item.at for item in world.due.items if item.at.minute == 0)
    assert at - world.clock.now() <= timedelta(hours=1)
    world.clock.set(at)
    world.tick()
    world.drain()
    assert world.report(campaign)["accepted"] == 100
    assert len(world.mailed()) == len(set(world.mailed()))


def test_a_provider_per_second_limit_is_paced_within_the_run() -> None:
    world = World({"ses": Limits(per_second=10)})
    world.weights = {"sendgrid": 0, "ses": 1, "postmark": 0}
    world.people(100)
    campaign = world.launched()
    started = world.clock.now()
    world.drain()
    assert world.report(campaign)["accepted"] == 100
    assert world.clock.now() - started >= timedelta(seconds=9)
    assert max(len(batch.recipients) for batch in world.senders["ses"].batches) <= 10


def test_an_address_that_no_provider_can_take_fails_with_no_route() -> None:
    world = World()
    world.people(2)
    for sender in world.senders.values():
        sender._cannot_take = lambda address: "odd" if address.startswith("p1@") else ""
    campaign = world.launched()
    world.drain()
    report = world.report(campaign)
    assert (report["accepted"], report["failed"]) == (1, 1)
    assert report["reasons"] == {"no_route": 1}


def test_a_template_that_fails_for_one_fails_for_that_one_alone() -> None:
    world = World()
    world.people(3)
    bad = world.people(1, "x.example", attributes={"first_name": "a\r\nBcc: b"})[0]
    campaign = world.launched()
    world.drain()
    assert bad.address not in world.mailed()
    report = world.report(campaign)
    assert (report["accepted"], report["failed"]) == (3, 1)
    assert report["reasons"] == {"template_error": 1}


def test_a_late_outcome_settles_what_was_taken_for_lost() -> None:
    world = World()
    world.people(20)
    campaign = world.launched()
    key = world.queue.sent.pop(0)[0]

    def scheduler_first(recipient: OutgoingRecipient) -> SendOutcome:
        record = world.ledger.record(key)
        if record.unrecorded:
            world.clock.advance(minutes=10)
            world.scheduler().tick(world.clock.now() + timedelta(seconds=50))
        return SendOutcome(recipient.index, Verdict.ACCEPTED)

    for sender in world.senders.values():
        sender.answer = scheduler_first
    run = world.dispatch(key)
    assert run.note == "the outcome came late"
    report = world.report(campaign)
    assert report["accepted"] == len(world.mailed()) > 0
    assert report["accepted"] + report["failed"] == 20
    assert report["reasons"] == {"not_accepted_out_of_time": report["failed"]}


def test_chunks_of_unknown_campaigns_are_not_found() -> None:
    world = World()
    with pytest.raises(Exception, match="chunk"):
        world.dispatch(ChunkKey(world.workspace, world.ids.new("cmp"), 0))


def test_the_ledger_says_who_went_where_and_why() -> None:
    world = World()
    world.people(10)
    world.launched()
    key = world.queue.sent[0][0]
    world.dispatch(key)
    (attempt,) = world.ledger.attempts(key)
    assert sorted(attempt.indexes()) == list(range(10))
    assert {attempt.provider_of(i) for i in range(10)} <= set(world.senders)
    choices = attempt.routing["choices"]
    assert sum(choice["count"] for choice in choices) == 10
    assert {(choice["rule"], choice["reason"]) for choice in choices} == {("default", "weights")}
    assert all(attempt.posted_at_of(i) == world.clock.now() for i in range(10))
    outcome = world.ledger.record(key).outcome
    assert outcome is not None
    assert outcome.in_state(RecipientState.ACCEPTED) == list(range(10))
