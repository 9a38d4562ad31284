"""Delivery rules by engagement band, when mail is sent."""

from __future__ import annotations

import pytest

from shared.delivery.bands import Bands
from shared.delivery.rules import DeliveryRules
from shared.engagement import Band, Deed, EngagementState, Fact, KeptState, day_of
from tests.shared.delivery.world import World

PROVIDERS = ("sendgrid", "ses", "postmark")
RULES = """{"rules": [
  {"name": "sleepers", "match": {"bands": ["asleep"]}, "order": ["postmark"]},
  {"name": "best", "match": {"bands": ["high", "middle"]}, "order": ["ses"]}
]}"""


@pytest.fixture
def world() -> World:
    """Ten who clicked yesterday, ten who never did with ten mails, and ten of whom nothing is."""
    world = World()
    today = day_of(world.clock.now())
    people = world.people(30)
    for number, person in enumerate(people[:20]):
        facts = [Fact(bytes([n]) * 12, Deed.SENT, today - n) for n in range(1, 11)]
        if number < 10:
            facts.append(Fact(b"\1" * 12, Deed.CLICKED, today - 1))
        state = KeptState(EngagementState().heard(facts))
        world.engagement.save(world.workspace, {person.id: state})
    return world


def test_each_band_goes_by_its_own_rule(world: World) -> None:
    world.rules = DeliveryRules.parse(RULES, PROVIDERS)
    campaign = world.launched()
    world.drain()
    assert world.report(campaign)["accepted"] == 30
    mailed = {
        name: {r.to.address for batch in sender.batches for r in batch.recipients}
        for name, sender in world.senders.items()
    }
    everybody = [f"p{number}@gmail.com" for number in range(30)]
    assert mailed["ses"].issuperset(everybody[:10])
    assert mailed["postmark"].issuperset(everybody[10:20])
    assert not mailed["sendgrid"].intersection(everybody[:20])


def test_nothing_is_read_while_no_rule_asks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unread(*_: object) -> dict[str, bytes]:
        raise AssertionError("an engagement state was read")

    monkeypatch.setattr(world.engagement, "of", unread)
    campaign = world.launched()
    world.drain()
    assert world.report(campaign)["accepted"] == 30


def test_whoever_has_no_state_is_new(world: World) -> None:
    rules = DeliveryRules.parse(RULES, PROVIDERS)
    bands = Bands(world.engagement, rules, world.clock)
    assert bands.of(world.workspace, ["sub_nobody"]) == {"sub_nobody": Band.NEW}
