"""What MX records said: DynamoDB and the fake behave alike."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.delivery.ports import MxStore
from shared.mail import MailboxGroup
from shared.storage.mx import DynamoMx, MxItem
from tests.fakes import FakeMxStore

UNTIL = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture(params=["fake", "dynamo"])
def store(request: pytest.FixtureRequest) -> MxStore:
    if request.param == "fake":
        return FakeMxStore()
    request.getfixturevalue("dynamo")
    return DynamoMx()


def test_what_was_put_is_there(store: MxStore) -> None:
    assert store.get(["acme.example"]) == {}
    store.put("acme.example", MailboxGroup.GMAIL, UNTIL)
    store.put("firm.example", MailboxGroup.GMAIL, UNTIL)
    store.put("firm.example", MailboxGroup.OTHER, UNTIL)
    many = [f"d{n}.example" for n in range(150)]
    assert store.get(["acme.example", *many, "firm.example"]) == {
        "acme.example": MailboxGroup.GMAIL,
        "firm.example": MailboxGroup.OTHER,
    }
    assert store.get([]) == {}


@pytest.mark.usefixtures("dynamo")
def test_a_group_of_a_later_release_is_as_if_it_were_not_there() -> None:
    MxItem("mx#acme.example", "group", group="fastmail", ttl=UNTIL).put()
    assert DynamoMx().get(["acme.example"]) == {}
    item = MxItem.find("mx#acme.example", "group")
    assert item
    assert item.ttl == UNTIL
