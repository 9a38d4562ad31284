"""Choosing: nobody is lost, no cap is passed, nothing excluded is chosen, all of it explained."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.delivery.breaker import PROBE_SIZE, BatchResult, Breaker, BreakerState, settle
from shared.delivery.choices import Addressee, Choices, Reason, Situation
from shared.delivery.choosing import choose, explain
from shared.delivery.health import Health
from shared.delivery.learning import Evidence
from shared.delivery.quarantine import PROBES_AT_MOST, WHOLE, Watch
from shared.delivery.routing import Candidate
from shared.delivery.rules import DeliveryRules, Traits
from shared.mail import MessageKind

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
NAMES = ("sendgrid", "ses", "postmark")
GROUPS = ("gmail", "yahoo", "other")
UNKNOWN = Health()
OPEN = Breaker(BreakerState.OPEN, 1, NOW + timedelta(seconds=5), because="503")
DUE = replace(OPEN, retry_at=NOW)
KNOWN = Health(
    evidence=Evidence.at(
        NOW.timestamp(),
        {
            (p, g): (good, 1000.0 - good)
            for g in GROUPS
            for p, good in zip(NAMES, (990.0, 900.0, 800.0), strict=True)
        },
    )
)


def _ascii_only(address: str) -> str:
    return "" if address.isascii() else "internationalised_local_part"


def _takes_all(_address: str) -> str:
    return ""


CANDIDATES = (
    Candidate("sendgrid", 40, _takes_all),
    Candidate("ses", 40, _ascii_only),
    Candidate("postmark", 20, _takes_all),
)


def _situation(**more: Any) -> Situation:
    fixed: dict[str, Any] = {
        "candidates": CANDIDATES,
        "rules": DeliveryRules(),
        "traits": Traits(MessageKind.CAMPAIGN),
        "health": UNKNOWN,
        "now": NOW,
    }
    return Situation(**fixed | more)


def _rules(**choice: Any) -> DeliveryRules:
    return DeliveryRules.model_validate({"default": choice})


def _people(count: int, group: str = "gmail", address: str = "ann@example.com") -> list[Addressee]:
    return [Addressee(i, f"person {i}".encode(), address, group) for i in range(count)]


def _reasons(choices: Choices) -> Counter[tuple[str, Reason]]:
    found: Counter[tuple[str, Reason]] = Counter()
    for share in choices.shares:
        found[share.provider, share.reason] += len(share.indexes)
    return found


people = st.lists(
    st.builds(
        lambda group, band, odd: ("änn@example.com" if odd else "ann@example.com", group, band),
        st.sampled_from(GROUPS),
        st.sampled_from(["", "active"]),
        st.booleans(),
    ),
    max_size=80,
).map(lambda rows: [Addressee(i, str(i).encode(), *row) for i, row in enumerate(rows)])
breakers = st.dictionaries(
    st.sampled_from(NAMES),
    st.sampled_from([OPEN, DUE, replace(DUE, in_doubt=True), Breaker(BreakerState.OUT_OF_SERVICE)]),
)
watches = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.sampled_from([*GROUPS, WHOLE])),
    st.just(Watch(6.0, NOW.timestamp() + 100)),
)
situations = st.builds(
    lambda b, w, known, room, group_room, excluded, choice: _situation(
        health=replace(KNOWN if known else UNKNOWN, breakers=b, watches=w),
        room=room,
        group_room=group_room,
        excluded=excluded,
        rules=_rules(**choice),
    ),
    breakers,
    watches,
    st.booleans(),
    st.dictionaries(st.sampled_from(NAMES), st.none() | st.integers(0, 40)),
    st.dictionaries(st.tuples(st.sampled_from(NAMES), st.sampled_from(GROUPS)), st.integers(0, 9)),
    st.dictionaries(st.sampled_from(NAMES), st.just("refused_503"), max_size=2),
    st.sampled_from(
        [
            {},
            {"exclude": ["ses"]},
            {"order": ["postmark", "ses"]},
            {"learn": False},
            {"weights": {"ses": 3, "sendgrid": 1}},
            {"exclude": list(NAMES)},
        ]
    ),
)


@given(people, situations, st.integers(0, 2**40))
def test_the_promises(those: list[Addressee], at: Situation, seed: int) -> None:
    choices = choose(those, at, seed)
    by_provider = choices.by_provider()
    placed = [i for indexes in by_provider.values() for i in indexes]
    group = {one.index: one.group for one in those}

    assert sorted(placed + choices.waiting + choices.unroutable) == list(range(len(those)))
    allowed = at.rules.default.providers(dict.fromkeys(NAMES, 1.0))
    for provider, indexes in by_provider.items():
        room = at.room.get(provider)
        assert room is None or len(indexes) <= room
        for name in GROUPS:
            taken = sum(group[i] == name for i in indexes)
            assert taken <= at.group_room.get((provider, name), taken)
        assert provider not in at.excluded
        assert provider in allowed
        admitted = at.health.breaker(provider).admits(NOW)
        assert admitted is None or 0 < len(indexes) <= admitted <= PROBE_SIZE
        assert (admitted is not None) == (provider in choices.probing)
        if provider == "ses":
            assert all(those[i].address.isascii() for i in indexes)
    for (provider, reason), count in _reasons(choices).items():
        if reason is Reason.QUARANTINE_PROBE:
            assert count <= PROBES_AT_MOST, provider
    if not allowed:
        assert sorted(choices.unroutable) == list(range(len(those)))


@given(people, situations, st.randoms(), st.integers(0, 99))
def test_the_order_of_the_recipients_does_not_matter(
    those: list[Addressee], at: Situation, rng: random.Random, seed: int
) -> None:
    shuffled = rng.sample(those, len(those))

    assert choose(shuffled, at, seed) == choose(those, at, seed)


def test_without_evidence_shares_follow_the_weights() -> None:
    total: Counter[str] = Counter()
    for seed in range(40):
        choices = choose(_people(50), _situation(), seed)
        total.update({p: len(i) for p, i in choices.by_provider().items()})
        assert {share.reason for share in choices.shares} == {Reason.WEIGHTS}

    assert total["sendgrid"] == pytest.approx(800, abs=40)
    assert total["ses"] == pytest.approx(800, abs=40)
    assert total["postmark"] == pytest.approx(400, abs=40)


def test_with_evidence_nearly_all_goes_where_most_is_delivered() -> None:
    reasons = _reasons(choose(_people(500), _situation(health=KNOWN), 1))

    assert reasons["sendgrid", Reason.LEARNED] > 480
    assert 1 <= sum(n for (_, why), n in reasons.items() if why is Reason.EXPLORED) <= 6


def test_a_rule_may_say_that_nothing_is_learned() -> None:
    choices = choose(_people(500), _situation(health=KNOWN, rules=_rules(learn=False)), 1)

    assert len(choices.by_provider()["postmark"]) == pytest.approx(100, abs=1)


def test_room_goes_to_those_with_most_to_lose() -> None:
    moment = NOW.timestamp()
    evidence = Evidence.at(
        moment,
        {
            ("sendgrid", "gmail"): (9900.0, 100.0),
            ("ses", "gmail"): (9700.0, 300.0),
            ("sendgrid", "yahoo"): (9900.0, 100.0),
            ("ses", "yahoo"): (6000.0, 4000.0),
        },
    )
    at = _situation(
        health=Health(evidence=evidence),
        rules=_rules(exclude=["postmark"]),
        room={"sendgrid": 100},
    )
    those = _people(100) + [replace(p, index=100 + p.index, group="yahoo") for p in _people(100)]
    choices = choose(those, at, 3)

    yahoo = [i for i in choices.by_provider()["sendgrid"] if i >= 100]
    assert len(yahoo) >= 96
    assert _reasons(choices)["ses", Reason.OVERFLOW] >= 96


def test_an_order_is_kept_and_overflows_in_that_order() -> None:
    at = _situation(
        rules=_rules(order=["postmark", "ses", "sendgrid"]), room={"postmark": 10, "ses": 15}
    )
    assert _reasons(choose(_people(40), at, 1)) == {
        ("postmark", Reason.ORDER): 10,
        ("ses", Reason.OVERFLOW): 15,
        ("sendgrid", Reason.OVERFLOW): 15,
    }


def test_an_address_that_a_provider_cannot_take_goes_through_another() -> None:
    odd = _people(20, address="änn@example.com")
    choices = choose(odd, _situation(rules=_rules(order=["ses", "postmark"])), 1)

    assert _reasons(choices) == {("postmark", Reason.CANNOT_TAKE): 20}


@pytest.mark.parametrize(
    ("rules", "address"),
    [
        (_rules(exclude=list(NAMES)), "ann@example.com"),
        (_rules(weights={"ses": 1}), "änn@example.com"),
    ],
)
def test_whom_no_provider_can_ever_take_is_unroutable(rules: DeliveryRules, address: str) -> None:
    choices = choose(_people(3, address=address), _situation(rules=rules), 1)

    assert choices.unroutable == [0, 1, 2]
    assert not choices.shares
    assert not choices.waiting


def test_whom_only_a_broken_provider_could_take_waits() -> None:
    at = _situation(rules=_rules(weights={"ses": 1}), health=Health(breakers={"ses": OPEN}))
    choices = choose(_people(3), at, 1)

    assert choices.waiting == [0, 1, 2]
    assert choices.evidence()["excluded"] == [{"provider": "ses", "because": "breaker_open:503"}]


def test_a_breaker_that_is_due_gets_one_probe_and_the_rest_goes_elsewhere() -> None:
    opened = settle(Breaker(), BatchResult.IN_DOUBT, NOW - timedelta(hours=1), random.Random(1))  # noqa: S311  # jitter
    choices = choose(_people(200), _situation(health=Health(breakers={"ses": opened})), 1)

    assert choices.probing == {"ses"}
    assert _reasons(choices)["ses", Reason.BREAKER_PROBE] == 1
    assert sum(_reasons(choices).values()) == 200


def test_a_quarantined_cell_gets_few_probes_and_other_groups_as_before() -> None:
    watch = Watch(6.0, NOW.timestamp() + 100)
    health = replace(KNOWN, watches={("sendgrid", "gmail"): watch})
    gmail, yahoo = (
        _people(200),
        [replace(p, index=200 + p.index, group="yahoo") for p in _people(200)],
    )
    choices = choose(gmail + yahoo, _situation(health=health), 1)
    sendgrid = choices.by_provider()["sendgrid"]

    assert 1 <= sum(i < 200 for i in sendgrid) <= PROBES_AT_MOST
    assert sum(i >= 200 for i in sendgrid) > 190


def test_if_all_are_quarantined_the_best_is_the_last_resort() -> None:
    watch = Watch(6.0, NOW.timestamp() + 100)
    health = replace(KNOWN, watches={(name, WHOLE): watch for name in NAMES})
    choices = choose(_people(100), _situation(health=health), 1)

    assert len(choices.by_provider()["sendgrid"]) > 95
    assert (("sendgrid", Reason.LAST_RESORT)) in _reasons(choices)


def test_the_evidence_names_the_exceptions_of_each_provider() -> None:
    choices = choose(_people(500), _situation(health=KNOWN), 1)
    entries = choices.evidence()["choices"]
    assert isinstance(entries, list)

    assert sum(entry["count"] for entry in entries) == 500
    assert "indexes" not in entries[0]
    explored = [e for e in entries if e["reason"] == "explored" and e["provider"] == "sendgrid"]
    assert all(len(e["indexes"]) == e["count"] for e in explored)


def test_explaining_says_what_choosing_would_do() -> None:
    health = replace(
        KNOWN, breakers={"postmark": OPEN}, watches={("ses", "gmail"): Watch(6.0, 2e9)}
    )
    told = explain("ann@example.com", "gmail", "", _situation(health=health))

    assert told["provider"] == "sendgrid"
    assert told["rule"] == "default"
    assert told["scores"] == {"sendgrid": {"delivered": 0.9899, "seen": 1000.0, "chance": 1.0}}
    assert told["excluded"] == [
        {"provider": "postmark", "because": "breaker_open:503"},
        {"provider": "ses", "because": "quarantined"},
    ]


@pytest.mark.parametrize(
    ("more", "provider", "because"),
    [
        ({"rules": _rules(exclude=["ses"])}, "ses", "rule:default"),
        ({"room": {"ses": 0}}, "ses", "no_tokens"),
        ({"health": Health(breakers={"ses": DUE})}, "ses", "breaker_half_open"),
        ({"excluded": {"ses": "warming"}}, "ses", "warming"),
    ],
)
def test_explaining_names_what_is_in_the_way(
    more: dict[str, Any], provider: str, because: str
) -> None:
    told = explain("ann@example.com", "gmail", "", _situation(**more))

    assert {"provider": provider, "because": because} in told["excluded"]  # type: ignore[operator]  # JSON
    assert told["provider"] in {"sendgrid", "postmark"}


def test_explaining_for_an_address_that_nobody_can_take() -> None:
    told = explain("änn@example.com", "gmail", "", _situation(rules=_rules(order=["ses"])))

    assert told["provider"] is None
    assert {"provider": "ses", "because": "internationalised_local_part"} in told["excluded"]  # type: ignore[operator]  # JSON


def test_explaining_an_order_and_plain_weights() -> None:
    ordered = explain(
        "ann@example.com", "gmail", "", _situation(rules=_rules(order=["ses", "sendgrid"]))
    )
    weighed = explain("ann@example.com", "gmail", "", _situation())

    assert ordered["provider"] == "ses"
    scores = weighed["scores"]
    assert isinstance(scores, dict)
    assert {p: s["chance"] for p, s in scores.items()} == {
        "sendgrid": 0.4,
        "ses": 0.4,
        "postmark": 0.2,
    }


def test_a_quarantined_provider_is_no_resort_while_another_may_come_back() -> None:
    watch = Watch(8.0, NOW.timestamp() + 100)
    health = Health(breakers={"sendgrid": OPEN, "postmark": OPEN}, watches={("ses", WHOLE): watch})
    choices = choose(_people(100), _situation(health=health), 1)

    assert set(_reasons(choices)) <= {("ses", Reason.QUARANTINE_PROBE)}
    assert len(choices.waiting) >= 100 - PROBES_AT_MOST


def test_the_last_resort_is_the_least_alarming() -> None:
    later = NOW.timestamp() + 100
    shut = {(name, "gmail"): Watch(8.0, later) for name in NAMES}
    health = replace(KNOWN, watches=shut | {("sendgrid", WHOLE): Watch(8.0, later)})
    choices = choose(_people(100), _situation(health=health), 1)

    assert _reasons(choices) == {("ses", Reason.LAST_RESORT): 100}
