"""A walk finds exactly those who belong, in order, and looks at nobody it need not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audience.model import ListState, Subscriber
from shared.audience.segments.counting import count
from shared.audience.segments.model import Chosen, Consent
from shared.audience.segments.walking import AudienceWalk
from shared.engagement import Deed, EngagementState, Fact, KeptState, day_of
from shared.ids import SubscriberIds, to_bytes, to_text
from tests.fakes import FakeMemberships, FakePersonStates, FakeSubscribers
from tests.shared.audience.segments.naive import holds

WS = "ws_mine"
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
IDS = SubscriberIds(b"s" * 64)
A, B, SNAPSHOT = "lst_a", "lst_b", "snp_c"
CAMPAIGN = to_text("cmp", b"c" * 12)
VIP = {"tag": "vip"}
ON_A = {"list": A}
CLICKED = {"engagement": "clicked", "campaign": CAMPAIGN}


class Town:
    """250 people: every 2nd on list A, every 3rd on B, every 5th a VIP, every 7th has clicked."""

    def __init__(self, size: int = 250) -> None:
        self.subscribers, self.memberships = FakeSubscribers(), FakeMemberships()
        self.engagement = FakePersonStates()
        self.walk = AudienceWalk(self.memberships, self.subscribers, self.engagement)
        clicked = [Fact(to_bytes(CAMPAIGN), Deed.CLICKED, day_of(NOW))]
        self.ids = [IDS.of(WS, f"p{n}@example.com") for n in range(size)]
        for n, one in enumerate(self.ids):
            on = [name for name, every in ((A, 2), (B, 3)) if n % every == 0]
            person = Subscriber(
                one, WS, f"p{n}@example.com", NOW, NOW,
                lists=dict.fromkeys(on, ListState.SUBSCRIBED),
                tags=("vip",) if n % 5 == 0 else (),
            )  # fmt: skip
            self.subscribers.put(person)
            for name in on:
                self.memberships.add(WS, name, [one])
            if n % 11 == 0:
                self.memberships.add(WS, SNAPSHOT, [one])
            if n % 7 == 0:
                kept = KeptState(EngagementState().heard(clicked))
                self.engagement.save(WS, {one: kept})

    def found(self, chosen: Chosen) -> list[str]:
        return [one for _, one, belongs in self.walk.looks(WS, chosen) if belongs]

    def expected(self, chosen: Chosen) -> set[str]:
        """By the plain words: any included, none excluded."""
        found = set()
        for one in self.ids:
            item: dict[str, Any] = self.subscribers.people[WS, one].to_item()
            if (WS, one) in self.engagement.states:
                item["engagement"] = self.engagement.states[WS, one].state.to_bytes()
            named = any(one in self.memberships.lists[WS, name] for name in chosen.lists)
            ruled = any(holds(rule, item, NOW) for rule in chosen.rules)
            out = any(holds(rule, item, NOW) for rule in chosen.without) or any(
                one in self.memberships.lists[WS, name] for name in chosen.without_snapshots
            )
            if (named or ruled) and not out:
                found.add(one)
        return found


TOWN = Town()


def chosen(
    lists: Sequence[str] = (),
    rules: Sequence[dict[str, Any]] = (),
    without: Sequence[dict[str, Any]] = (),
    without_snapshots: Sequence[str] = (),
) -> Chosen:
    return Chosen(
        tuple(lists), tuple(rules), NOW, Consent(()), tuple(without), tuple(without_snapshots)
    )


LISTS = st.lists(st.sampled_from([A, B, SNAPSHOT]), unique=True, max_size=2)
RULES = st.lists(
    st.sampled_from(
        [
            VIP,
            ON_A,
            CLICKED,
            {"all": [ON_A, VIP]},
            {"all": [{"list": B}, CLICKED]},
            {"not": VIP},
            {"any": [ON_A, {"list": B}]},
            {"engagement": "not_clicked"},
            {"all": [ON_A, {"any": [VIP, {"not": CLICKED}]}]},
        ]
    ),
    max_size=2,
)
CHOSEN = st.builds(chosen, LISTS, RULES, RULES, st.lists(st.just(SNAPSHOT), max_size=1))


@given(CHOSEN)
def test_exactly_those_who_belong_are_found_in_order(audience: Chosen) -> None:
    found = TOWN.found(audience)
    assert set(found) == TOWN.expected(audience)
    places = [(to_bytes(one)[0] % 16, one) for one in found]
    assert all(a < b for a, b in pairwise(places))


@given(CHOSEN, st.integers(0, 249))
def test_a_walk_goes_on_from_anywhere(audience: Chosen, cut: int) -> None:
    looks = list(TOWN.walk.looks(WS, audience))
    if not looks:
        return
    shard, after, _ = looks[cut % len(looks)]
    rest = TOWN.walk.looks(WS, audience, shard=shard, after=after)
    assert list(rest) == looks[cut % len(looks) + 1 :]


def test_what_was_chosen_survives_as_json() -> None:
    audience = chosen([A], [VIP], [ON_A], [SNAPSHOT])
    assert Chosen.from_item(audience.to_item()) == audience


@pytest.mark.parametrize(
    ("audience", "looked_at"),
    [
        (chosen([A]), 125),
        (chosen([], [{"all": [VIP, ON_A]}]), 125),
        (chosen([B], [{"all": [VIP, ON_A]}]), 167),
        (chosen([B], [], [VIP], [SNAPSHOT]), 84),
        (chosen([], [VIP]), 250),
        (chosen(), 0),
    ],
)
def test_only_members_are_looked_at_where_a_list_is_implied(
    audience: Chosen, looked_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if looked_at < len(TOWN.ids):
        monkeypatch.setattr(TOWN.subscribers, "of_shard", None)
    assert sum(1 for _ in TOWN.walk.looks(WS, audience)) == looked_at


@pytest.mark.parametrize(
    ("audience", "read"),
    [
        (chosen([], [{"all": [ON_A, CLICKED]}]), 125),
        (chosen([], [{"all": [ON_A, VIP, CLICKED]}]), 25),
        (chosen([], [{"all": [ON_A, {"any": [VIP, CLICKED]}]}]), 100),
        (chosen([A], [{"all": [ON_A, CLICKED]}]), 0),
        (chosen([A], [], [{"all": [VIP, CLICKED]}]), 25),
        (chosen([A], [], [VIP, CLICKED]), 100),
    ],
)
def test_what_people_did_is_read_of_those_alone_whom_nothing_else_decides(
    audience: Chosen, read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def of(workspace: str, ids: Sequence[str]) -> dict[str, bytes]:
        asked.extend(ids)
        return dict(known(workspace, ids))

    known = TOWN.engagement.of
    monkeypatch.setattr(TOWN.engagement, "of", of)
    assert set(TOWN.found(audience)) == TOWN.expected(audience)
    assert len(asked) == read


def test_lists_alone_read_no_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TOWN.subscribers, "of", None)
    monkeypatch.setattr(TOWN.subscribers, "of_shard", None)
    assert len(TOWN.found(chosen([A, B]))) == 167


def test_who_is_gone_is_left_out_where_people_are_read() -> None:
    town = Town(40)
    town.subscribers.delete(WS, town.ids[0])
    assert town.ids[0] in town.found(chosen([A]))
    assert town.ids[0] not in town.found(chosen([], [ON_A]))
    assert town.ids[0] not in town.found(chosen([A], [], [{"tag": "nobody"}]))


def test_few_are_counted() -> None:
    counted = count(TOWN.walk.looks(WS, chosen([], [VIP])))
    assert (counted.people, counted.exact, counted.low, counted.high) == (50, True, 50, 50)
    assert counted.looked_at == 250
    assert len(counted.examples) == 10
    assert count(TOWN.walk.looks(WS, chosen())).people == 0


def test_many_are_estimated_with_an_interval_that_holds_the_truth() -> None:
    town, inside = Town(4000), 0
    for every, rule in ((1, {"not": {"tag": "x"}}), (5, VIP), (7, CLICKED), (2, ON_A)):
        counted = count(town.walk.looks(WS, chosen([], [rule])), most=1000)
        truth = 4000 / every
        assert not counted.exact
        assert counted.looked_at == 1000
        assert counted.people == pytest.approx(truth, rel=0.2)
        inside += counted.low <= truth <= counted.high
    assert inside >= 3


def test_nobody_found_yet_is_not_said_to_be_nobody() -> None:
    counted = count(TOWN.walk.looks(WS, chosen([], [{"tag": "rare"}])), most=100)
    assert (counted.people, counted.exact, counted.low) == (0, False, 0)
    assert counted.high > 0


def test_time_ends_a_count() -> None:
    counted = count(TOWN.walk.looks(WS, chosen([], [VIP])), in_time=lambda: False)
    assert (counted.looked_at, counted.exact) == (100, False)
