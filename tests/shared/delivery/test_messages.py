"""Transactional messages: taken in, sent ahead, and told as one story."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.analytics.model import Engagement
from shared.audience.model import Suppression, SuppressionReason
from shared.delivery.composing import MessageRequest, OnDoubt
from shared.delivery.model import ChunkKey
from shared.errors import DependencyUnavailable, InvalidInput, NotFound, WrongState
from shared.events import Event, EventType
from shared.ids import TRANSACTIONAL_CHUNK
from shared.mail import (
    Attachment,
    Capacity,
    Mailbox,
    MailboxGroup,
    MessageKind,
    OutgoingBatch,
    OutgoingRecipient,
    SendOutcome,
    Verdict,
)
from tests.shared.delivery.world import DOMAIN, World

REQUEST = MessageRequest(
    to=Mailbox("Ann@Example.com", "Ann"),
    sender=Mailbox(f"shop@{DOMAIN}", "Shop"),
    subject="Order {{ data.number }}",
    text="Thank you for order {{ data.number }}.",
    data={"number": 17},
)


def test_a_message_is_sent_with_its_own_content() -> None:
    world = World()
    message_id = world.messages().send(world.workspace, REQUEST)
    world.drain()
    batch = next(s.batches[0] for s in world.senders.values() if s.batches)
    recipient = batch.recipients[0]
    assert batch.kind is MessageKind.TRANSACTIONAL
    assert batch.subject.fill(recipient.values) == "Order 17"
    assert recipient.to == Mailbox("ann@example.com", "Ann")
    assert dict(recipient.headers) == {}
    story = world.messages().get(world.workspace, message_id)
    assert (story["state"], story["campaign"]) == ("accepted", None)
    assert story["attempts"][0]["provider"] in world.senders


def test_a_template_can_be_used() -> None:
    world = World()
    request = replace(REQUEST, subject="", text="", template_id=world.template_id)
    world.messages().send(world.workspace, request)
    world.drain()
    assert world.mailed() == ["ann@example.com"]


@pytest.mark.parametrize(
    ("reason", "mails"),
    [
        (SuppressionReason.UNSUBSCRIBED, 1),
        (SuppressionReason.HARD_BOUNCE, 0),
        (SuppressionReason.COMPLAINT, 0),
        (SuppressionReason.ERASURE, 0),
    ],
)
def test_suppression_stops_it_unless_it_is_only_an_unsubscribe(
    reason: SuppressionReason, mails: int
) -> None:
    world = World()
    person = world.subscriber_ids.of(world.workspace, "ann@example.com")
    world.suppressions.put(Suppression(world.workspace, person, reason, world.clock.now()))
    message_id = world.messages().send(world.workspace, REQUEST)
    world.drain()
    assert len(world.mailed()) == mails
    if not mails:
        story = world.messages().get(world.workspace, message_id)
        assert (story["state"], story["reason"]) == ("skipped", f"suppressed_{reason}")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to": Mailbox("nobody")}, "to.email"),
        ({"to": Mailbox("a@example.com", "A\nB")}, "to.name"),
        ({"sender": Mailbox("a@foreign.example")}, "sender.email"),
        ({"subject": "a\nb"}, "subject"),
        ({"template_id": "tpl_x"}, "template"),
        ({"subject": "", "text": ""}, "template"),
        ({"text": "{{ data.number / 0 }}"}, "text"),
        ({"text": "{% include 'x' %}"}, "text"),
        ({"data": {"number": "x" * 300_000}, "text": "short"}, "data"),
        ({"tags": ("ä",)}, "tags"),
    ],
)
def test_a_bad_message_names_the_field(change: dict[str, object], field: str) -> None:
    world = World()
    with pytest.raises(InvalidInput) as caught:
        world.messages().send(world.workspace, replace(REQUEST, **change))  # type: ignore[arg-type]
    assert caught.value.problems[0].field.startswith(field)
    assert world.queue.sent == []


def test_a_forged_or_foreign_id_is_not_found() -> None:
    world = World()
    message_id = world.messages().send(world.workspace, REQUEST)
    for workspace, text in [
        (world.workspace, message_id[:-1] + ("A" if message_id[-1] != "A" else "B")),
        (world.workspace, "nonsense"),
        (world.ids.new("ws"), message_id),
    ]:
        with pytest.raises(NotFound):
            world.messages().get(workspace, text)


def test_a_message_whose_sender_lost_its_domain_fails_and_says_so() -> None:
    world = World()
    message_id = world.messages().send(world.workspace, REQUEST)
    world.sender_check.domains.clear()
    world.drain()
    story = world.messages().get(world.workspace, message_id)
    assert (story["state"], story["reason"]) == ("failed", "sender_not_verified")


PDF = Attachment("bill.pdf", "application/pdf", base64.b64encode(bytes(range(256))).decode())


def posted(world: World) -> list[OutgoingBatch]:
    return [batch for sender in world.senders.values() for batch in sender.batches]


def state(world: World, message_id: str) -> tuple[str, str]:
    story = world.messages().get(world.workspace, message_id)
    return story["state"], story["reason"]


def answering(world: World, answer: Callable[[OutgoingRecipient], SendOutcome]) -> None:
    for sender in world.senders.values():
        sender.answer = answer


def doubt(one: OutgoingRecipient) -> SendOutcome:
    return SendOutcome(one.index, Verdict.IN_DOUBT, "read_timeout")


def accepted(one: OutgoingRecipient) -> SendOutcome:
    return SendOutcome(one.index, Verdict.ACCEPTED)


def test_copies_files_headers_and_metadata_go_with_it() -> None:
    world = World()
    request = replace(
        REQUEST,
        cc=(Mailbox("Bo@example.com", "Bo"),),
        bcc=(Mailbox("cy@example.com"),),
        headers={"X-Order": "17"},
        attachments=(PDF, replace(PDF, filename="logo.png", content_id="logo")),
        metadata={"order": "17"},
    )
    message_id = world.messages().send(world.workspace, request)
    world.drain()
    [batch] = posted(world)
    assert batch.extras is not None
    assert batch.extras.cc == (Mailbox("bo@example.com", "Bo"),)
    assert batch.extras.bcc == (Mailbox("cy@example.com"),)
    assert batch.extras.attachments == request.attachments
    assert batch.extras.metadata == {"order": "17"}
    assert batch.headers == {"X-Order": "17"}
    story = world.messages().get(world.workspace, message_id)
    assert [file["size"] for file in story["attachments"]] == [256, 256]


def test_a_copy_to_whom_nothing_may_be_sent_is_left_out() -> None:
    world = World()
    for address, reason in (
        ("bo@example.com", SuppressionReason.COMPLAINT),
        ("cy@example.com", SuppressionReason.UNSUBSCRIBED),
    ):
        person = world.subscriber_ids.of(world.workspace, address)
        world.suppressions.put(Suppression(world.workspace, person, reason, world.clock.now()))
    copies = (Mailbox("bo@example.com"), Mailbox("cy@example.com"))
    world.messages().send(world.workspace, replace(REQUEST, cc=copies))
    world.drain()
    [batch] = posted(world)
    assert batch.extras is not None
    assert batch.extras.cc == (Mailbox("cy@example.com"),)


def test_large_content_and_files_are_kept_beside_the_plan() -> None:
    world = World()
    small = world.messages().send(world.workspace, REQUEST)
    large = world.messages().send(world.workspace, replace(REQUEST, text="x" * 20_000))
    filed = world.messages().send(world.workspace, replace(REQUEST, attachments=(PDF,)))
    assert len({small, large, filed}) == 3
    assert len(world.blobs.files) == 2
    for key in world.blobs.files:
        assert key.startswith(f"{world.workspace}/messages/cmp_")
    for plan in world.ledger.plans.values():
        assert len(str(plan.message)) < 1000
        assert plan.expires_at == world.clock.now() + timedelta(days=30)
    world.drain()
    assert sorted(
        len(batch.text.fill(batch.recipients[0].values)) for batch in posted(world) if batch.text
    ) == [
        len("Thank you for order 17."),
        len("Thank you for order 17."),
        20_000,
    ]


def test_a_message_whose_content_is_gone_fails_and_says_so() -> None:
    world = World()
    message_id = world.messages().send(world.workspace, replace(REQUEST, attachments=(PDF,)))
    world.blobs.files.clear()
    world.drain()
    assert state(world, message_id) == ("failed", "content_gone")


def test_who_cannot_take_the_files_is_not_asked() -> None:
    world = World()
    world.capacities |= {name: Capacity(max_bytes=300) for name in ("sendgrid", "postmark")}
    for _ in range(20):
        world.messages().send(world.workspace, replace(REQUEST, attachments=(PDF,)))
    world.drain()
    assert len(world.senders["ses"].batches) == 20
    assert len(posted(world)) == 20


def test_a_file_too_large_for_every_provider_is_refused_at_once() -> None:
    world = World()
    world.capacities = {name: Capacity(max_bytes=300) for name in world.senders}
    with pytest.raises(InvalidInput, match="attachments: too large for every provider"):
        world.messages().send(world.workspace, replace(REQUEST, attachments=(PDF,)))
    assert not world.blobs.files
    assert not world.ledger.plans


def test_a_message_that_no_provider_can_take_any_more_has_no_route() -> None:
    world = World()
    message_id = world.messages().send(world.workspace, replace(REQUEST, attachments=(PDF,)))
    world.capacities = {name: Capacity(max_bytes=300) for name in world.senders}
    world.drain()
    assert state(world, message_id) == ("failed", "no_route")


@pytest.mark.parametrize("minutes", [5, 15, 16, 60 * 24 * 28])
def test_a_scheduled_message_goes_at_its_time_and_not_before(minutes: int) -> None:
    world = World()
    at = world.clock.now() + timedelta(minutes=minutes)
    message_id = world.messages().send(world.workspace, replace(REQUEST, send_at=at))
    [key] = world.ledger.plans
    world.dispatch(key)  # a queue that delivers too early
    assert state(world, message_id) == ("pending", "")
    if minutes > 15:
        assert not world.queue.sent
        world.clock.set(at - timedelta(minutes=2))
        world.tick()
        assert not world.queue.sent
        world.tick()
    else:
        assert world.queue.sent == [(key, minutes * 60)]
    world.drain()
    assert state(world, message_id) == ("accepted", "")
    assert world.clock.now() >= at


def test_a_cancelled_message_never_goes() -> None:
    world = World()
    messages = world.messages()
    at = world.clock.now() + timedelta(hours=1)
    message_id = messages.send(world.workspace, replace(REQUEST, send_at=at))
    messages.cancel(world.workspace, message_id)
    messages.cancel(world.workspace, message_id)
    assert state(world, message_id) == ("skipped", "cancelled")
    for _ in range(70):
        world.tick()
        world.drain()
    assert not world.mailed()
    assert not world.due.items


def test_a_message_that_went_or_is_a_campaigns_cannot_be_cancelled() -> None:
    world = World()
    message_id = world.messages().send(world.workspace, REQUEST)
    world.drain()
    with pytest.raises(WrongState, match="accepted"):
        world.messages().cancel(world.workspace, message_id)
    with pytest.raises(NotFound):
        world.messages().cancel(world.ids.new("ws"), message_id)
    world.people(1)
    campaign = world.launched()
    of_campaign = world.message_ids.maker(world.workspace, campaign.id, 0)(0)
    with pytest.raises(WrongState, match="campaign"):
        world.messages().cancel(world.workspace, of_campaign)


def test_a_message_that_is_being_sent_cannot_be_cancelled() -> None:
    world = World()
    seen: list[str] = []

    def meanwhile(one: OutgoingRecipient) -> SendOutcome:
        with pytest.raises(WrongState, match="being sent"):
            world.messages().cancel(world.workspace, message_id)
        seen.append(one.message_id)
        return accepted(one)

    answering(world, meanwhile)
    message_id = world.messages().send(world.workspace, REQUEST)
    world.drain()
    assert seen == [message_id]
    assert state(world, message_id) == ("accepted", "")


def test_a_cancellation_that_died_can_be_finished_or_is_undone() -> None:
    for finish in (True, False):
        world = World()
        messages = world.messages()
        message_id = messages.send(world.workspace, REQUEST)
        save, world.ledger.save_outcome = world.ledger.save_outcome, _unavailable  # type: ignore[method-assign, assignment]  # dies here
        with pytest.raises(DependencyUnavailable):
            messages.cancel(world.workspace, message_id)
        world.ledger.save_outcome = save  # type: ignore[method-assign]  # and is well again
        world.drain()
        assert not world.mailed()
        if finish:
            messages.cancel(world.workspace, message_id)
        for _ in range(5):
            world.tick()
            world.drain()
        assert state(world, message_id)[0] == ("skipped" if finish else "accepted")


def _unavailable(*_: object) -> None:
    raise DependencyUnavailable("DynamoDB did not answer")


def minutes_pass(world: World, minutes: int) -> None:
    for _ in range(minutes):
        world.tick()
        world.drain()


def test_a_doubt_is_held_unless_the_sender_wants_it_resent() -> None:
    for on_doubt, mails in ((OnDoubt.HOLD, 1), (OnDoubt.RESEND, 2)):
        world = World()
        answering(world, doubt)
        message_id = world.messages().send(world.workspace, replace(REQUEST, on_doubt=on_doubt))
        world.drain()
        assert state(world, message_id) == ("in_doubt", "read_timeout")
        answering(world, accepted)
        minutes_pass(world, 1)
        assert len(world.mailed()) == 1  # not before its lease is over
        minutes_pass(world, 8)
        assert len(world.mailed()) == mails
        expected = "accepted" if on_doubt is OnDoubt.RESEND else "in_doubt"
        assert state(world, message_id)[0] == expected


def test_a_message_is_resent_twice_at_the_most() -> None:
    world = World()
    answering(world, doubt)
    request = replace(REQUEST, on_doubt=OnDoubt.RESEND)
    message_id = world.messages().send(world.workspace, request)
    world.drain()
    minutes_pass(world, 50)
    assert len(world.mailed()) == 3
    assert state(world, message_id) == ("in_doubt", "read_timeout")


def test_the_same_key_and_message_is_the_same_message_for_a_day() -> None:
    world = World()
    messages = world.messages()
    requests = [REQUEST, REQUEST, replace(REQUEST, attachments=(PDF,))]
    first = messages.send_batch(world.workspace, requests, once="POST /x\nkey")
    assert len(set(map(str, first))) == 3
    again = messages.send_batch(world.workspace, requests, once="POST /x\nkey")
    assert again == first
    world.drain()
    assert len(world.mailed()) == 3
    assert len(world.blobs.files) == 1
    assert messages.send_batch(world.workspace, requests, once="POST /x\nother") != first
    world.clock.advance(hours=24)
    assert not set(map(str, first)) & {
        str(one) for one in messages.send_batch(world.workspace, requests, once="POST /x\nkey")
    }


def test_a_batch_that_broke_off_is_completed_and_nobody_is_mailed_twice() -> None:
    world = World()
    messages = world.messages()
    requests = [replace(REQUEST, to=Mailbox(f"p{n}@example.com")) for n in range(10)]
    put, left = world.ledger.put_plan, [4]

    def failing(plan: object) -> object:
        if not left[0]:
            _unavailable()
        left[0] -= 1
        return put(plan)  # type: ignore[arg-type]  # as it came

    world.ledger.put_plan = failing  # type: ignore[method-assign, assignment]  # the fifth fails
    with pytest.raises(DependencyUnavailable):
        messages.send_batch(world.workspace, requests, once="key")
    world.ledger.put_plan = put  # type: ignore[method-assign]  # and is well again
    results = messages.send_batch(world.workspace, requests, once="key")
    assert len(set(map(str, results))) == 10
    world.drain()
    assert sorted(world.mailed()) == sorted(request.to.address for request in requests)


def test_a_batch_is_checked_before_any_of_it_is_stored() -> None:
    world = World()
    bad = replace(REQUEST, to=Mailbox("nobody"))
    results = world.messages().send_batch(world.workspace, [bad, REQUEST, bad])
    assert [isinstance(result, str) for result in results] == [False, True, False]
    assert len(world.ledger.plans) == 1
    key = next(iter(world.ledger.plans))
    assert key == ChunkKey(world.workspace, key.campaign, TRANSACTIONAL_CHUNK)


@pytest.mark.parametrize("of_copy", [True, False])
def test_what_a_provider_says_of_a_copy_settles_nothing_of_the_message(of_copy: bool) -> None:
    world = World()
    answering(world, doubt)
    message_id = world.messages().send(world.workspace, REQUEST)
    world.drain()
    [plan] = world.ledger.plans.values()
    ref = world.message_ids.parse(message_id)
    provider = world.messages().get(world.workspace, message_id)["attempts"][0]["provider"]
    event = Event(EventType.REJECTED, provider, "e1", world.clock.now(), "dropped", message_id)
    subscriber = "sub_of_a_copy" if of_copy else plan.subscribers[0]
    world.engagements.put_many([Engagement(event, ref, subscriber, MailboxGroup.OTHER)])
    minutes_pass(world, 5)
    assert state(world, message_id)[0] == ("in_doubt" if of_copy else "rejected")
