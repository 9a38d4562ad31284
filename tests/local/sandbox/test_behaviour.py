from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.sandbox.behaviour import Behaviour, Document, Fault
from local.sandbox.happenings import draw
from local.sandbox.mailbox import Kind, Mailbox, Message, campaign_of
from local.sandbox.substitution import Part
from local.sandbox.suppressions import SuppressionLists
from shared.errors import ConfigurationError
from shared.ids import MessageIds, MessageRef

RATES = {
    "hard_bounce_rate": 0.2,
    "soft_bounce_rate": 0.2,
    "open_rate": 0.5,
    "click_rate": 0.3,
    "complaint_rate": 0.1,
}


class _Clock:
    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)


def message(number: int = 0, **fields: object) -> Message:
    values: dict[str, object] = {
        "provider": "sendgrid",
        "provider_message_id": f"p{number}",
        "envelope": f"e{number}",
        "sender": "news@sender.example",
        "to": f"a{number}@example.com",
        "recipients": [],
        "subject": Part.plain("Hi"),
        "html": Part.plain('<a href="https://shop.example/">x</a>'),
        "text": None,
        "headers": {},
        "tags": [],
        "custom": {"tidepost_id": f"id-{number}"},
    }
    return Message(**(values | fields))  # type: ignore[arg-type]  # plain keyword arguments


def outcomes(behaviour: Behaviour, numbers: list[int]) -> dict[int, list[Kind]]:
    return {
        number: [one.kind for one in draw(message(number), behaviour, suppressed=False)]
        for number in numbers
    }


def test_outcomes_depend_on_seed_and_message_and_nothing_else() -> None:
    document = Document.parse({"seed": 7, "defaults": RATES})
    numbers = list(range(300))
    shuffled = sorted(numbers, key=lambda number: number * 7919 % 300)

    first = outcomes(Behaviour(document), numbers)

    assert outcomes(Behaviour(document), shuffled) == first
    assert outcomes(Behaviour(Document.parse({"seed": 8, "defaults": RATES})), numbers) != first
    assert 30 < sum(kinds[-1] is Kind.HARD_BOUNCED for kinds in first.values()) < 90


def test_a_dead_mailbox_is_dead_at_every_provider() -> None:
    behaviour = Behaviour(Document.parse({"defaults": {"hard_bounce_rate": 0.5}}))
    for number in range(50):
        ends = {
            draw(message(number, provider=name), behaviour, suppressed=False)[-1].kind
            for name in ("sendgrid", "postmark", "ses")
        }
        assert len(ends) == 1


def test_who_clicks_has_opened_before() -> None:
    behaviour = Behaviour(Document.parse({"defaults": {"click_rate": 1, "event_delay_ms": 5}}))
    happenings = draw(message(), behaviour, suppressed=False)
    assert [one.kind for one in happenings] == [
        Kind.SENT,
        Kind.DELIVERED,
        Kind.OPENED,
        Kind.CLICKED,
    ]
    assert [one.after_ms for one in happenings] == [0, 5, 10, 15]
    assert happenings[-1].url == "https://shop.example/"


def test_the_more_special_setting_wins() -> None:
    behaviour = Behaviour(
        Document.parse(
            {
                "defaults": {"latency_ms": 1, "open_rate": 0.1},
                "domains": {"b.example": {"latency_ms": 3}},
                "providers": {
                    "ses": {"latency_ms": 2, "domains": {"c.example": {"latency_ms": 4}}}
                },
            }
        )
    )
    found = [
        behaviour.profile("ses", f"x@{domain}").latency_ms
        for domain in ("a.example", "B.example", "c.example")
    ]
    assert found == [2, 3, 4]
    assert behaviour.profile("postmark", "x@c.example").latency_ms == 1
    assert behaviour.profile("ses", "x@c.example").open_rate == 0.1


def test_outages_follow_the_clock_and_start_again_with_a_new_document() -> None:
    now = [100.0]
    document = Document.parse({"providers": {"ses": {"outages": [{"from": 5, "to": 10}]}}})
    behaviour = Behaviour(document, monotonic=lambda: now[0])
    seen = []
    for now[0] in (104.9, 105, 109.9, 110):
        seen.append(behaviour.outage("ses"))
    assert seen == [None, "503", "503", None]
    behaviour.replace(document)
    now[0] = 116
    assert behaviour.outage("ses") == "503"
    assert behaviour.outage("postmark") is None


def test_the_bucket_fills_with_time() -> None:
    now = [0.0]
    document = Document.parse({"providers": {"ses": {"rate_limit_per_second": 10}}})
    behaviour = Behaviour(document, monotonic=lambda: now[0])
    assert behaviour.take("ses", 50) == 10
    assert behaviour.take("ses", 50) == 0
    now[0] = 0.5
    assert behaviour.take("ses", 50) == 5


def test_a_repeated_request_has_new_luck_and_the_same_on_every_run() -> None:
    document = Document.parse({"providers": {"ses": {"error_rate": 0.5}}})

    def faults() -> list[Fault]:
        behaviour = Behaviour(document)
        return [behaviour.fault("ses", [("id-1", "a@example.com")]) for _ in range(40)]

    assert faults() == faults()
    assert set(faults()) == {Fault.NONE, Fault.ERROR}


@pytest.mark.parametrize(
    "document",
    [
        {"providers": {"sendgrid": {"open_rat": 1}}},
        {"defaults": {"open_rate": 2}},
        {"providers": {"mailgun": {}}},
        {"providers": {"ses": {"outages": [{"from": 2, "to": 1}]}}},
    ],
)
def test_a_wrong_document_names_the_field(document: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="behaviour document"):
        Document.parse(document)


@given(st.integers(), st.text(), st.text())
def test_a_chance_is_a_probability(seed: int, purpose: str, key: str) -> None:
    behaviour = Behaviour(Document(seed=seed))
    assert 0 <= behaviour.chance(purpose, key) < 1


def test_duplicates_are_repeated_ids_and_people_reached_twice_by_a_campaign() -> None:
    ids = MessageIds(b"k" * 32)
    workspace, campaign, other = ("ws_" + "0" * 20, "cmp_" + "0" * 20, "cmp_" + "0" * 19 + "g")

    def own_id(campaign_id: str, index: int) -> dict[str, str]:
        return {"tidepost_id": ids.make(MessageRef(workspace, campaign_id, 0, index))}

    mailbox = Mailbox(_Clock(), SuppressionLists(Behaviour(), _Clock()))
    mailbox.accept([message(1, custom=own_id(campaign, 1)), message(2, custom=own_id(campaign, 2))])
    mailbox.accept([message(1, custom=own_id(other, 1)), message(3, custom={})])
    assert mailbox.stats()["duplicates"] == 0

    mailbox.accept([message(1, provider="ses", envelope="e9", custom=own_id(campaign, 1))])
    assert mailbox.stats()["duplicates"] == 1
    mailbox.accept([message(2, envelope="e8", custom=own_id(campaign, 7))])
    assert mailbox.stats()["duplicates"] == 2
    assert campaign_of("not ours") == "not ours"
