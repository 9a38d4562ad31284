"""The frequency cap in the dispatcher: strict, recorded, and free for those who set none."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.delivery.capping import FREQUENCY_CAP
from shared.delivery.composing import MessageRequest
from shared.delivery.dispatch import LEASE_GRACE
from shared.delivery.frequency import Place, Taken
from shared.delivery.model import Attempt, Campaign, ChunkKey
from shared.delivery.rates import Limits
from shared.delivery.recording import Run
from shared.delivery.states import CampaignState, RecipientState
from shared.delivery.workspace import FrequencyCap, WorkspaceSettings
from shared.errors import DependencyUnavailable
from shared.mail import Mailbox, MessageKind, OutgoingRecipient, SendOutcome, Verdict
from tests.fakes import FakeClock, FakeSettings
from tests.shared.delivery.world import DOMAIN, World

START = FakeClock().now()
RUN = timedelta(seconds=100) + LEASE_GRACE
"""From the start of one of this world's runs to the end of its lease."""


def capped(messages: int, days: int = 7, **fields: object) -> World:
    world = World(**fields)  # type: ignore[arg-type]  # passed on
    cap = FrequencyCap(MessageKind.CAMPAIGN, messages, days)
    world.settings.save(world.workspace, WorkspaceSettings(frequency_cap=(cap,)))
    return world


def always(verdict: Verdict) -> Callable[[OutgoingRecipient], SendOutcome]:
    return lambda recipient: SendOutcome(recipient.index, verdict, "code")


def test_nobody_gets_more_and_the_report_says_why() -> None:
    world = capped(2)
    people = world.people(700)
    campaigns = []
    for _ in range(3):
        campaigns.append(world.launched())
        world.drain()
    assert sorted(world.mailed()) == sorted(2 * [person.address for person in people])
    report = world.report(campaigns[2])
    assert (report["recipients"], report["skipped"], report["pending"]) == (700, 700, 0)
    assert report["reasons"] == {FREQUENCY_CAP: 700}
    assert report["by_provider"]["-"] == {"skipped": 700}
    world.tick()
    last = world.campaigns.get(world.workspace, campaigns[2].id)
    assert last.state is CampaignState.SENT
    assert world.frequency.writes == 3 * 700  # one a message, sent or skipped


def test_campaigns_that_overlap_share_what_is_left() -> None:
    world = capped(1)
    people = world.people(40)
    first, second = world.launched(), world.launched()
    world.queue.sent.reverse()
    world.drain()
    assert sorted(world.mailed()) == sorted(person.address for person in people)
    assert world.report(second)["accepted"] == 40
    assert world.report(first)["skipped"] == 40


def test_the_window_slides_from_message_to_message() -> None:
    world = capped(1, days=1)
    world.people(1)
    world.launched()
    world.drain()
    sent = world.clock.now()
    world.clock.advance(hours=24)
    world.launched()
    world.drain()
    assert len(world.mailed()) == 1
    world.clock.set(sent + timedelta(hours=24) + RUN)
    world.launched()
    world.drain()
    assert len(world.mailed()) == 2


def test_without_a_cap_nothing_is_written_and_settings_are_read_once_in_ten_seconds() -> None:
    class Counting(FakeSettings):
        reads = 0

        def get(self, workspace: str) -> WorkspaceSettings:
            self.reads += 1
            return super().get(workspace)

    world = World()
    world.people(1600)
    world.launched()
    world.settings = counting = Counting()
    dispatcher = world.dispatcher()
    for key, _ in world.queue.sent:
        dispatcher.run(key, world.clock.now() + timedelta(seconds=100))
    assert len(world.mailed()) == 1600
    assert (world.frequency.writes, counting.reads) == (0, 1)
    other = FrequencyCap(MessageKind.TRANSACTIONAL, 1, 1)
    world.settings.save(world.workspace, WorkspaceSettings(frequency_cap=(other,)))
    world.launched()
    world.drain()
    assert world.frequency.writes == 0


def test_who_is_skipped_takes_no_token() -> None:
    world = capped(1, limits={name: Limits(per_day=60) for name in ("sendgrid", "ses", "postmark")})
    world.people(50)
    world.launched()
    world.drain()
    used = [dict(world.rates.load(name).used or {}) for name in world.senders]
    world.launched()
    world.drain()
    assert [dict(world.rates.load(name).used or {}) for name in world.senders] == used


def test_only_those_there_is_room_for_take_a_place() -> None:
    limits = {"sendgrid": Limits(per_hour=10), "ses": Limits(per_hour=0), "postmark": Limits()}
    world = capped(1, limits=limits)
    world.weights = {"sendgrid": 1, "ses": 1, "postmark": 0}
    world.people(40)
    world.launched()
    world.dispatch(world.queue.sent.pop(0)[0])
    assert len(world.mailed()) == world.frequency.writes == 10


def test_what_was_surely_not_taken_does_not_count() -> None:
    world = capped(1)
    people = world.people(30)
    for sender in world.senders.values():
        sender.answer = always(Verdict.REJECTED)
    rejected = world.launched()
    world.drain()
    assert world.report(rejected)["rejected"] == 30
    assert world.frequency.writes == 60
    for sender in world.senders.values():
        sender.answer = always(Verdict.ACCEPTED)
    accepted = world.launched()
    world.drain()
    assert world.report(accepted)["accepted"] == len(people)


def test_what_is_in_doubt_counts() -> None:
    world = capped(1)
    world.people(5)
    for sender in world.senders.values():
        sender.answer = always(Verdict.IN_DOUBT)
    world.launched()
    world.drain()
    last = world.launched()
    world.drain()
    assert world.report(last)["reasons"] == {FREQUENCY_CAP: 5}


def test_failover_within_a_run_keeps_the_place_for_one_write() -> None:
    world = capped(1)
    world.people(100)
    world.senders["ses"].answer = always(Verdict.NOT_ACCEPTED)
    campaign = world.launched()
    world.drain()
    assert world.report(campaign)["accepted"] == 100
    assert world.frequency.writes == 100


def test_a_chunk_that_is_run_again_after_a_crash_finds_its_own_places() -> None:
    world = capped(1)
    people = world.people(20)
    campaign = world.launched()
    key = world.queue.sent.pop(0)[0]
    begin = world.ledger.begin

    def dies(attempt: Attempt) -> bool:
        raise DependencyUnavailable(f"attempt {attempt.number} is not recorded")

    world.ledger.begin = dies  # type: ignore[method-assign]  # a crash before anything is posted
    with pytest.raises(DependencyUnavailable):
        world.dispatch(key)
    world.ledger.begin = begin  # type: ignore[method-assign]
    # As long as the dead worker might still post, its messages wait.
    run = world.dispatch(key)
    assert world.mailed() == []
    assert run.retry_at == START + RUN
    assert {item.key for item in world.due.items} == {key}
    world.clock.advance(minutes=3)
    world.dispatch(key)
    assert sorted(world.mailed()) == sorted(person.address for person in people)
    assert world.report(campaign)["accepted"] == 20
    other = world.launched()
    world.drain()
    assert world.report(other)["reasons"] == {FREQUENCY_CAP: 20}


def test_a_transactional_message_has_a_cap_of_its_own_kind_only() -> None:
    world = capped(1)
    world.people(1, "acme.example")

    def send() -> str:
        request = MessageRequest(
            to=Mailbox("p0@acme.example"),
            sender=Mailbox(f"hello@{DOMAIN}"),
            subject="Your code",
            text="1234",
        )
        message = world.messages().send(world.workspace, request)
        world.drain()
        return str(world.messages().get(world.workspace, message)["state"])

    world.launched()
    world.drain()
    assert (send(), world.frequency.writes) == ("accepted", 1)
    set_now = world.settings.get(world.workspace)
    both = (*set_now.frequency_cap, FrequencyCap(MessageKind.TRANSACTIONAL, 1, 1))
    world.settings.save(world.workspace, replace(set_now, frequency_cap=both))
    assert (send(), send()) == ("accepted", "skipped")


class Story:
    """A world in which workers overlap and die, and all that any provider was asked is kept."""

    def __init__(self, messages: int) -> None:
        self.world = world = capped(messages, days=1)
        self.people = world.people(3)
        self.perhaps: defaultdict[str, list[datetime]] = defaultdict(list)
        self.accepted: defaultdict[str, list[datetime]] = defaultdict(list)
        self.flying: Counter[str] = Counter()
        self.verdicts: list[Verdict] = []
        self.crash = False
        self.meanwhile: list[ChunkKey] = []
        """Chunks that other workers run in the midst of the next run,"""
        self.early = False
        """before it takes its places, and else when it has them."""
        self.campaigns: list[Campaign] = []
        for sender in world.senders.values():
            sender.answer = self.answer
        self.begin, world.ledger.begin = world.ledger.begin, self.begun  # type: ignore[method-assign]
        self.take, world.frequency.take = world.frequency.take, self.taking  # type: ignore[method-assign]

    def answer(self, recipient: OutgoingRecipient) -> SendOutcome:
        verdict = self.verdicts.pop() if self.verdicts else Verdict.ACCEPTED
        now = self.world.clock.now()
        if verdict is Verdict.ACCEPTED:
            self.accepted[recipient.to.address].append(now)
        if verdict in {Verdict.ACCEPTED, Verdict.IN_DOUBT}:
            self.perhaps[recipient.to.address].append(now)
        return SendOutcome(recipient.index, verdict, "code")

    def taking(
        self, workspace: str, subscriber: str, cap: FrequencyCap, place: Place, now: datetime
    ) -> Taken:
        while self.early and self.meanwhile:
            self.run(self.meanwhile.pop())
        return self.take(workspace, subscriber, cap, place, now)

    def begun(self, attempt: Attempt) -> bool:
        """Between the places and the posting: another worker runs, or this one dies."""
        if self.meanwhile:
            ids = self.world.ledger.record(attempt.key).plan.subscribers
            flying = [self.address_of(ids[i]) for i in attempt.indexes()]
            self.flying.update(flying)
            while self.meanwhile:
                self.run(self.meanwhile.pop())
            self.flying.subtract(flying)
        if self.crash:
            self.crash = False
            for places in self.world.frequency.places:
                self.perhaps[self.address_of(places[1])].append(self.world.clock.now())
            raise DependencyUnavailable("DynamoDB did not answer")
        return self.begin(attempt)

    def run(self, key: ChunkKey) -> Run | None:
        before = self.skipped(key)
        try:
            run = self.world.dispatch(key)
        except DependencyUnavailable:
            self.world.queue.send([key], delay_s=1)
            return None
        for i in self.skipped(key) - before:
            self.judge_skip(self.world.ledger.record(key).plan.subscribers[i])
        return run

    def skipped(self, key: ChunkKey) -> set[int]:
        outcome = self.world.ledger.record(key).outcome
        return set(outcome.in_state(RecipientState.SKIPPED)) if outcome else set()

    def judge_skip(self, subscriber: str) -> None:
        """A place counts from its taking to a day after its worker's lease."""
        address = self.address_of(subscriber)
        (cap,) = self.world.settings.get(self.world.workspace).frequency_cap
        since = self.world.clock.now() - timedelta(days=1) - 2 * RUN
        counting = [at for at in self.perhaps[address] if at > since]
        assert len(counting) + self.flying[address] >= cap.messages

    def address_of(self, subscriber: str) -> str:
        return next(person.address for person in self.people if person.id == subscriber)

    def judge(self) -> None:
        (cap,) = self.world.settings.get(self.world.workspace).frequency_cap
        for instants in self.accepted.values():
            for first, beyond in zip(instants, instants[cap.messages :], strict=False):
                assert beyond - first >= timedelta(days=1)

    def act(self, action: tuple[object, ...]) -> None:
        world = self.world
        match action:
            case ("launch",):
                self.campaigns.append(world.launched())
            case ("run",) if world.queue.sent:
                self.run_next()
            case ("run several at once", early) if world.queue.sent:
                key = world.queue.sent[0][0]
                self.meanwhile = [key, *(other for other, _ in world.queue.sent[1:3])]
                self.early = bool(early)
                self.run(key)
                self.meanwhile = []
            case ("crash",):
                self.crash = True
            case ("answers", verdicts):
                self.verdicts = list(verdicts)  # type: ignore[call-overload]  # of Verdict
            case ("wait", seconds):
                world.clock.advance(seconds=seconds)  # type: ignore[arg-type]  # a number

    def run_next(self) -> None:
        key, delay = self.world.queue.sent.pop(0)
        self.world.clock.advance(seconds=delay)
        self.run(key)

    def finish(self) -> None:
        """All that is left, without further trouble."""
        self.verdicts, self.crash = [], False
        for _ in range(20):
            while self.world.queue.sent:
                self.run_next()
            self.world.tick(3)


ACTIONS = st.lists(
    st.one_of(
        st.just(("launch",)),
        st.just(("run",)),
        st.tuples(st.just("run several at once"), st.booleans()),
        st.just(("crash",)),
        st.tuples(
            st.just("answers"), st.lists(st.sampled_from(list(Verdict)), min_size=1, max_size=6)
        ),
        st.tuples(st.just("wait"), st.sampled_from([1, 30, 115, 200, 3600, 43_200, 86_400])),
    ),
    max_size=25,
)


@given(actions=ACTIONS, messages=st.integers(1, 2))
@settings(max_examples=150, deadline=None)
def test_never_more_and_never_a_skip_too_early(
    actions: list[tuple[object, ...]], messages: int
) -> None:
    story = Story(messages)
    for action in actions:
        story.act(action)
        story.judge()
    story.finish()
    story.judge()
    for campaign in story.campaigns:
        report = story.world.report(campaign)
        counted = ("accepted", "rejected", "failed", "skipped", "in_doubt", "pending")
        assert sum(report[state] for state in counted) == report["recipients"]
