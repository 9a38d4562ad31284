import pytest

from shared.storage.tables import TidepostModel
from tests.infra.synthesis import Json, Synthesis

NAMES = {
    "workspaces",
    "api-keys",
    "subscribers",
    "memberships",
    "suppressions",
    "consents",
    "erasures",
    "signups",
    "campaigns",
    "ledger",
    "due",
    "rates",
    "frequency",
    "engagements",
    "counters",
    "jobs",
    "idempotency",
    "audit",
}


@pytest.fixture(scope="module")
def tables(prod: Synthesis) -> dict[str, Json]:
    found = prod.named("AWS::DynamoDB::GlobalTable", "TableName")
    return {name.removeprefix("tidepost-prod-"): table for name, table in found.items()}


def test_there_are_the_tables_of_the_document(tables: dict[str, Json]) -> None:
    assert set(tables) == NAMES


def test_every_store_has_its_table(tables: dict[str, Json]) -> None:
    models = TidepostModel.__subclasses__()
    assert {model.TABLE for model in models if "TABLE" in vars(model)} <= set(tables)


def test_every_table_is_on_demand_recoverable_and_expires_by_ttl(tables: dict[str, Json]) -> None:
    for table in tables.values():
        (replica,) = table["Replicas"]
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
        recovery = replica["PointInTimeRecoverySpecification"]
        assert recovery == {"PointInTimeRecoveryEnabled": True}


def test_the_keys_are_pk_and_sk_but_for_powertools(tables: dict[str, Json]) -> None:
    for name, table in tables.items():
        keys = [key["AttributeName"] for key in table["KeySchema"]]
        assert keys == (["id"] if name == "idempotency" else ["pk", "sk"])


def test_only_engagements_have_a_stream(tables: dict[str, Json]) -> None:
    streams = {
        name: table["StreamSpecification"]["StreamViewType"]
        for name, table in tables.items()
        if "StreamSpecification" in table
    }
    assert streams == {"engagements": "NEW_IMAGE"}


def test_the_indexes_are_those_that_the_stores_query(tables: dict[str, Json]) -> None:
    indexes = {
        (name, index["IndexName"]): (
            *(key["AttributeName"] for key in index["KeySchema"]),
            index["Projection"]["ProjectionType"],
        )
        for name, table in tables.items()
        for index in table.get("GlobalSecondaryIndexes", ())
    }
    assert indexes == {
        ("api-keys", "by_workspace"): ("workspace", "id", "ALL"),
        ("campaigns", "active"): ("active", "sk", "KEYS_ONLY"),
        ("ledger", "by_person"): ("person", "pk", "KEYS_ONLY"),
        ("engagements", "by_subscriber"): ("person", "moment", "ALL"),
    }
