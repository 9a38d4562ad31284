import json
from collections.abc import Iterator

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from moto import mock_aws

from functions.public.handler import handler
from functions.public.wiring import _public, public
from shared.audience.model import ListState, Subscriber
from shared.ids import Ids, SubscriberIds, UnsubscribeRef
from shared.storage import tables
from shared.storage.memberships import DynamoMemberships
from shared.storage.subscribers import DynamoSubscribers
from tests.fakes import FakeClock, seeded_bytes


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "TIDEPOST_STAGE": "test",
        "TIDEPOST_TABLE_PREFIX": "tidepost-test",
        "TIDEPOST_PARAMETER_PATH": "/tidepost/test",
        "TIDEPOST_SECRET_PREFIX": "tidepost/test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        boto3.client("secretsmanager").create_secret(
            Name="tidepost/test/link-keys",
            SecretString=json.dumps({"current": "k1", "k1": "a" * 64}),
        )
        _public.cache_clear()
        public()
        tables.create_all()
        yield
        _public.cache_clear()


@pytest.mark.usefixtures("deployment")
def test_one_click_reaches_the_tables() -> None:
    clock = FakeClock()
    ids = Ids(clock, seeded_bytes())
    ws, news, campaign = ids.new("ws"), ids.new("lst"), ids.new("cmp")
    ann = SubscriberIds(b"key").of(ws, "ann@example.com")
    people, members = DynamoSubscribers(), DynamoMemberships()
    members.add(ws, news, [ann])
    now = clock.now()
    lists = {news: ListState.SUBSCRIBED}
    people.put(Subscriber(ann, ws, "ann@example.com", now, now, lists))
    event = {
        "rawPath": f"/u/{public().tokens.make(UnsubscribeRef(ws, ann, campaign, news))}",
        "requestContext": {"http": {"method": "POST"}},
        "body": "List-Unsubscribe=One-Click",
    }

    assert handler(event, LambdaContext())["statusCode"] == 200

    assert people.get(ws, ann).lists == {news: ListState.UNSUBSCRIBED}
    assert members.page(ws, news, limit=1).items == ()
