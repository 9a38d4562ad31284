"""Transactional messages: taken in, sent ahead, and told as one story."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.audience.model import Suppression, SuppressionReason
from shared.delivery.messages import MessageRequest
from shared.errors import InvalidInput, NotFound
from shared.mail import Mailbox, MessageKind
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
