"""A warm-up quota is never passed, not by one message."""

import json
import time
from collections.abc import Iterator
from itertools import count

import pytest

from local.aws import client
from shared.delivery.monitoring import FRESH_FOR
from tests.e2e.conftest import World

pytestmark = pytest.mark.e2e

QUOTA = 7
RESERVE = 0.05
"""Of every window, which bulk mail leaves to transactional mail."""

KEY = {"pk": {"S": "provider#postmark"}, "sk": {"S": "tokens"}}
TABLE = "tidepost-local-rates"


@pytest.fixture
def warming(calm: World) -> Iterator[World]:
    """Postmark may send QUOTA more bulk messages today, and nothing is held against it."""
    forget_health(calm)
    allowed = tokens_used(calm) + QUOTA
    quota = next(n for n in count() if n - int(n * RESERVE) == allowed)
    tables = client("dynamodb", calm.cloud.deployed.aws_url)
    tables.update_item(
        TableName=TABLE,
        Key=KEY,
        UpdateExpression="SET quota = :quota ADD version :one",
        ExpressionAttributeValues={":quota": {"N": str(quota)}, ":one": {"N": "1"}},
    )
    yield calm
    # No provider of this deployment is warming, so the cron lifts every quota.
    calm.invoke("WarmingCronFunction")
    item = tables.get_item(TableName=TABLE, Key=KEY)["Item"]
    assert "quota" not in item


def test_the_dispatcher_respects_the_quota(warming: World) -> None:
    addresses = [f"person.{number}@warm.example" for number in range(400)]
    campaign = warming.campaign([warming.list_of(addresses)])
    warming.launch(campaign)
    report = warming.accounted(campaign)
    assert report["accepted"] == report["recipients"] == 400
    assert report["by_provider"]["postmark"]["accepted"] == QUOTA
    assert len(list(warming.sandbox.messages(provider="postmark", to="@warm.example"))) == QUOTA


def forget_health(world: World) -> None:
    """Breakers, quarantines and evidence that earlier tests' outages left."""
    tables = client("dynamodb", world.cloud.deployed.aws_url)
    found = tables.query(
        TableName=TABLE,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "deployment"}},
    )["Items"]
    for item in found:
        key = {name: item[name] for name in ("pk", "sk")}
        tables.delete_item(TableName=TABLE, Key=key)
    time.sleep(FRESH_FOR.total_seconds() + 1)  # workers go on with what they have read that long


def tokens_used(world: World) -> int:
    tables = client("dynamodb", world.cloud.deployed.aws_url)
    item = tables.get_item(TableName=TABLE, Key=KEY, ConsistentRead=True)["Item"]
    used: dict[str, int] = json.loads(item["used"]["S"])
    return used[max(window for window in used if window.startswith("d"))]
