"""Who signs up and never confirms is forgotten in time, and nobody else is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from shared.audience.circumstances import Circumstances
from shared.audience.consents import ConsentChange
from shared.audience.deleting import Removal
from shared.audience.model import ListState, Subscriber
from shared.audience.unconfirmed import DropStep
from shared.ids import to_text
from shared.jobs import Job, JobKind, JobState
from shared.retention import Retention
from tests.fakes import FakePersonStates
from tests.functions.public.world import World

BOB = "bob@example.com"


class Town(World):
    """The public pages' world, and the daily job."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = count(1)
        self.engagement = FakePersonStates()
        self.bob = self.ids.of(self.ws, BOB)
        self.removal = Removal(self.subscribers, self.memberships, self.engagement)

    def sign_up(self, address: str = BOB) -> None:
        answer = self.post(self.form, {"email": address})
        assert answer["statusCode"] == 200

    def confirm(self) -> None:
        mail = list(self.mailer.sent.values())[-1]
        assert self.post(mail.url.removeprefix("https://mail.example.com"))["statusCode"] == 200

    def drop(self, step: DropStep | None = None) -> dict[str, int]:
        job = Job(
            to_text("job", next(self.runs).to_bytes(12, "big")), "deployment",
            JobKind.DROP_UNCONFIRMED, self.clock.now(), {},
        )  # fmt: skip
        while job.state is not JobState.DONE:
            job = (step or self.step()).run(job)
        return job.progress

    def step(self, removal: Removal | None = None) -> DropStep:
        return DropStep(
            waiting=self.waiting,
            subscribers=self.subscribers,
            memberships=self.memberships,
            removal=removal or self.removal,
            log=self.consents,
            kept=lambda _: Retention(erased_consent_days=90),
        )

    def found(self) -> Subscriber | None:
        return self.subscribers.people.get((self.ws, self.bob))

    @property
    def records(self) -> Sequence[Any]:
        return [record for _, record in self.consents.of(self.ws, self.bob)]


def test_who_never_confirms_is_removed_and_her_proof_names_no_device() -> None:
    town = Town()
    town.sign_up()
    town.clock.advance(days=30, seconds=-1)
    assert town.drop() == {"looked_at": 1, "dropped": 0, "removed": 0}
    assert town.found() is not None
    town.clock.advance(seconds=1)
    assert town.drop() == {"looked_at": 1, "dropped": 1, "removed": 1}
    assert town.found() is None
    assert town.bob not in town.memberships.lists[town.ws, town.news]
    asked, lapsed = town.records
    assert (asked.change, lapsed.change) == (ConsentChange.PENDING, ConsentChange.LAPSED)
    assert lapsed.lists == (town.news,)
    assert asked.circumstances.ip is None
    assert asked.circumstances.user_agent is None
    assert town.drop() == {"looked_at": 0, "dropped": 0, "removed": 0}


def test_the_workspace_says_how_long_we_wait() -> None:
    town = Town()
    town.kept = Retention(pending_days=7)
    town.sign_up()
    town.clock.advance(days=7)
    assert town.drop()["removed"] == 1


def test_asked_again_she_has_as_long_again() -> None:
    town = Town()
    town.sign_up()
    town.clock.advance(days=29)
    town.sign_up()
    town.clock.advance(days=29)
    assert town.drop()["dropped"] == 0
    town.confirm()
    town.clock.advance(days=1)
    assert town.drop() == {"looked_at": 1, "dropped": 0, "removed": 0}
    person = town.found()
    assert person is not None
    assert person.lists == {town.news: ListState.SUBSCRIBED}
    assert town.bob in town.memberships.lists[town.ws, town.news]
    assert town.waiting.notes == {}


@pytest.mark.parametrize(
    "known",
    [
        {"attributes": {"plan": "pro"}},
        {"tags": ("vip",)},
        {"time_zone": "Europe/Vienna"},
        {"imported_by": "job_a"},
        {"first_import": "job_a"},
    ],
)
def test_of_whom_more_is_known_leaves_the_list_alone(known: dict[str, Any]) -> None:
    town = Town()
    town.sign_up()
    person = town.found()
    assert person is not None
    town.subscribers.put(replace(person, **known))
    town.clock.advance(days=30)
    assert town.drop() == {"looked_at": 1, "dropped": 1, "removed": 0}
    person = town.found()
    assert person is not None
    assert person.lists == {}
    assert town.bob not in town.memberships.lists[town.ws, town.news]
    assert town.records[-1].change is ConsentChange.LAPSED


def test_who_is_on_another_list_stays_there() -> None:
    town = Town()
    town.change(lists={town.deals: ListState.UNSUBSCRIBED})
    town.sign_up("ann@example.com")
    town.clock.advance(days=30)
    assert town.drop() == {"looked_at": 1, "dropped": 1, "removed": 0}
    assert town.stored.lists == {town.deals: ListState.UNSUBSCRIBED}


def test_who_has_left_is_not_forgotten_to_have_left() -> None:
    town = Town()
    town.sign_up()
    town.services.consent.unsubscribe(town.ws, town.bob, town.news, source="link")
    town.clock.advance(days=30)
    assert town.drop() == {"looked_at": 1, "dropped": 0, "removed": 0}
    person = town.found()
    assert person is not None
    assert person.lists == {town.news: ListState.UNSUBSCRIBED}


def test_who_is_gone_already_keeps_her_proof() -> None:
    town = Town()
    town.sign_up()
    town.services.consent.note(
        town.ws, town.bob, ConsentChange.ERASED, Circumstances("erasure", ip="203.0.113.9")
    )
    town.subscribers.delete(town.ws, town.bob)
    town.clock.advance(days=30)
    assert town.drop() == {"looked_at": 1, "dropped": 0, "removed": 0}
    assert town.records[-1].circumstances.ip == "203.0.113.9"
    assert town.waiting.notes == {}


def test_who_was_deleted_and_has_come_back_is_not_for_an_old_note() -> None:
    town = Town()
    town.sign_up()
    town.subscribers.delete(town.ws, town.bob)
    now = town.clock.now()
    town.subscribers.put(Subscriber(town.bob, town.ws, BOB, now, now))
    town.clock.advance(days=30)
    assert town.drop() == {"looked_at": 1, "dropped": 0, "removed": 0}
    assert town.found() is not None


def test_what_was_cut_short_is_ended_by_the_next_run() -> None:
    class Killed(Removal):
        def remove(self, *args: Any) -> Subscriber | None:
            super().remove(*args)
            raise KeyboardInterrupt

    town = Town()
    town.sign_up()
    town.clock.advance(days=30)
    with pytest.raises(KeyboardInterrupt):
        town.drop(town.step(Killed(town.subscribers, town.memberships, town.engagement)))
    assert town.records[0].circumstances.ip
    town.clock.advance(days=1)
    town.drop()
    assert town.found() is None
    assert town.records[0].circumstances.ip is None
    assert town.waiting.notes == {}


def test_many_are_gone_through_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.audience.unconfirmed.NOTES_PER_STEP", 2)
    town = Town()
    for number in range(50):
        town.clock.advance(minutes=1)
        town.sign_up(f"p{number}@example.com")
    town.clock.advance(days=29, hours=23, minutes=30)
    left = sum(waiting.until > town.clock.now() for waiting in town.waiting.notes.values())
    assert 0 < left < 50
    assert town.drop() == {"looked_at": 50, "dropped": 50 - left, "removed": 50 - left}
    assert len(town.subscribers.people) == 1 + left
    town.clock.advance(days=1)
    assert town.drop()["removed"] == left
