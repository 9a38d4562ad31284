"""Doubts at a provider that can be asked: found, not there, and no answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from shared.delivery.composing import MessageRequest, OnDoubt
from shared.delivery.model import Campaign, ChunkKey
from shared.delivery.states import CampaignState, RecipientState
from shared.ids import MessageRef
from shared.mail import Mailbox, MessageKind, OutgoingRecipient, SendOutcome, Verdict
from tests.fakes import FakeMessageSearch
from tests.shared.delivery.world import DOMAIN, World

State = RecipientState
REQUEST = MessageRequest(
    to=Mailbox("ada@example.com"),
    sender=Mailbox(f"hello@{DOMAIN}"),
    subject="Your code",
    text="It is 4711.",
    on_doubt=OnDoubt.RESEND,
)


def doubt(one: OutgoingRecipient) -> SendOutcome:
    return SendOutcome(one.index, Verdict.IN_DOUBT, "read_timeout")


def only(provider: str) -> tuple[World, FakeMessageSearch]:
    """A world of that one provider, which leaves doubt, and Postmark's search."""
    world, search = World(), FakeMessageSearch("postmark")
    world.searches["postmark"] = search
    world.weights = {name: int(name == provider) for name in world.weights}
    world.senders[provider].answer = doubt
    return world, search


def doubtful(provider: str = "postmark") -> tuple[World, FakeMessageSearch, Campaign]:
    """Four members of a campaign are in doubt at the provider."""
    world, search = only(provider)
    world.people(4)
    campaign = world.launched()
    world.drain()
    assert world.report(campaign)["in_doubt"] == 4
    return world, search, campaign


def has(world: World, search: FakeMessageSearch, key: ChunkKey, *indexes: int) -> None:
    """The account has taken the mail to these."""
    for i in indexes:
        message = world.message_ids.make(MessageRef(key.workspace, key.campaign, key.chunk, i))
        kind = MessageKind.TRANSACTIONAL if key.chunk else MessageKind.CAMPAIGN
        search.taken.add((kind, message))


def minutes_pass(world: World, minutes: int) -> None:
    for _ in range(minutes):
        world.tick()


def flow(world: World) -> None:
    """The provider's events flow."""
    for provider in world.senders:
        world.counters.saw_events(provider, world.clock.now())


def counts(world: World, campaign: Campaign) -> tuple[int, int, int]:
    report = world.report(campaign)
    return report["accepted"], report["failed"], report["in_doubt"]


def test_what_is_found_was_accepted_long_before_the_deadline() -> None:
    world, search, campaign = doubtful()
    has(world, search, ChunkKey(world.workspace, campaign.id, 0), 0, 2)
    minutes_pass(world, 1)
    assert search.asked == []  # while the lease holds, events may come
    minutes_pass(world, 6)
    assert counts(world, campaign) == (2, 0, 2)


def test_what_is_not_there_is_not_concluded_to_have_failed_before_the_deadline() -> None:
    world, search, campaign = doubtful()
    minutes_pass(world, 55)
    assert counts(world, campaign) == (0, 0, 4)
    assert len(search.asked) < 4 * 8  # and it is not asked every minute
    has(world, search, ChunkKey(world.workspace, campaign.id, 0), 3)
    minutes_pass(world, 20)
    # No event ever came: what the search says stands for them.
    assert counts(world, campaign) == (1, 3, 0)
    assert world.report(campaign)["reasons"] == {"presumed_not_accepted": 3}
    assert world.campaigns.get(world.workspace, campaign.id).state is CampaignState.SENT


def test_a_provider_without_a_search_is_not_asked_and_stays_as_it_was() -> None:
    world, search, campaign = doubtful("ses")
    minutes_pass(world, 80)
    assert counts(world, campaign) == (0, 0, 4)
    assert search.asked == []
    flow(world)
    minutes_pass(world, 1)
    assert counts(world, campaign) == (0, 4, 0)


def test_no_answer_settles_nothing_until_twice_the_deadline() -> None:
    world, search, campaign = doubtful()
    search.down = True
    minutes_pass(world, 100)
    flow(world)
    minutes_pass(world, 2)
    assert counts(world, campaign) == (0, 0, 4)
    assert list(world.tick().search_errors) == ["postmark"]
    minutes_pass(world, 30)
    assert counts(world, campaign) == (0, 0, 4)  # nothing is heard of it either
    flow(world)
    minutes_pass(world, 1)
    assert counts(world, campaign) == (0, 4, 0)


def test_a_search_that_fails_does_not_stop_the_others() -> None:
    world, search, _ = doubtful()
    search.down = True
    world.people(3, start=10)
    for name, weight in (("ses", 1), ("postmark", 0)):
        world.weights[name] = weight
    world.senders["ses"].answer = doubt
    others = world.launched()
    world.drain()
    minutes_pass(world, 70)
    flow(world)
    minutes_pass(world, 1)
    assert world.report(others)["in_doubt"] == 0


def test_the_deadline_is_the_deployments() -> None:
    world, _, campaign = doubtful()
    world.settle_deadline = timedelta(minutes=30)
    minutes_pass(world, 30)
    assert counts(world, campaign) == (0, 0, 4)
    minutes_pass(world, 6)
    assert counts(world, campaign) == (0, 4, 0)


def resending(provider: str = "postmark") -> tuple[World, FakeMessageSearch, str, ChunkKey]:
    world, search = only(provider)
    message_id = world.messages().send(world.workspace, REQUEST)
    world.drain()
    ref = world.message_ids.parse(message_id)
    return world, search, message_id, ChunkKey(ref.workspace, ref.campaign, ref.chunk)


def state(world: World, message_id: str) -> str:
    return str(world.messages().get(world.workspace, message_id)["state"])


def test_a_message_that_is_found_is_not_sent_again() -> None:
    world, search, message_id, key = resending()
    has(world, search, key, 0)
    for _ in range(10):
        world.tick()
        world.drain()
    assert (len(world.mailed()), state(world, message_id)) == (1, "accepted")


def test_a_message_that_is_not_there_is_sent_again_once_it_could_be_found() -> None:
    world, search, message_id, _ = resending()
    world.senders["postmark"].answer = lambda one: SendOutcome(one.index, Verdict.ACCEPTED)
    while state(world, message_id) == "in_doubt":
        asked = len(search.asked)
        world.tick()
        world.drain()
    assert asked  # one no was too early: it could not be found yet
    assert (len(world.mailed()), state(world, message_id)) == (2, "accepted")


def test_without_an_answer_it_is_sent_again_only_after_some_patience() -> None:
    world, search, message_id, _ = resending()
    search.down = True
    world.senders["postmark"].answer = lambda one: SendOutcome(one.index, Verdict.ACCEPTED)
    for _ in range(10):
        world.tick()
        world.drain()
    assert (len(world.mailed()), state(world, message_id)) == (1, "in_doubt")
    for _ in range(6):
        world.tick()
        world.drain()
    assert (len(world.mailed()), state(world, message_id)) == (2, "accepted")


def test_every_provider_that_was_given_a_message_is_asked_before_it_goes_once_more() -> None:
    world, search, message_id, key = resending()
    world.weights |= {"postmark": 0, "ses": 1}
    world.senders["ses"].answer = doubt
    while len(world.mailed()) < 2:
        world.tick()
        world.drain()
    # It is in doubt at SES now; Postmark, asked once more, had it all the time.
    has(world, search, key, 0)
    for _ in range(10):
        world.tick()
        world.drain()
    assert (len(world.mailed()), state(world, message_id)) == (2, "accepted")


def test_not_at_postmark_says_nothing_of_what_is_in_doubt_elsewhere() -> None:
    world, _, message_id, _ = resending()
    world.weights |= {"postmark": 0, "ses": 1}
    world.senders["ses"].answer = doubt
    for _ in range(100):
        world.tick()
        world.drain()
    assert (len(world.mailed()), state(world, message_id)) == (3, "in_doubt")


def test_who_holds_is_asked_for_as_well() -> None:
    world, search = only("postmark")
    request = replace(REQUEST, on_doubt=OnDoubt.HOLD)
    message_id = world.messages().send(world.workspace, request)
    world.drain()
    ref = world.message_ids.parse(message_id)
    has(world, search, ChunkKey(ref.workspace, ref.campaign, ref.chunk), 0)
    minutes_pass(world, 7)
    assert (len(world.mailed()), state(world, message_id)) == (1, "accepted")
