"""The roles at work: the stack on an emulator that enforces IAM, and calls that must fail.

Each call is made with the credentials of a function's own role. Calls that must
work stand beside them, or a role that may do nothing would pass. Queues and the
bucket are not asked: their own policies refuse the emulator's plain HTTP.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local import processes
from local.aws import REGION
from local.deploy import bootstrap, deploy
from local.place import ROOT, Place
from local.servers import start_emulator

pytestmark = [
    pytest.mark.e2e,
    # Groups are ended by their pid, so Popen never learns how its process ended.
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]

KEY = {"pk": {"S": "nothing"}, "sk": {"S": "here"}}


@dataclass(frozen=True)
class Call:
    """One AWS call, by the names that boto3 gives service and operation."""

    service: str
    operation: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        what = next(iter(self.arguments.values()))
        return f"{self.operation}({what if isinstance(what, str) else '...'})"


def item(operation: str, table: str) -> Call:
    return Call("dynamodb", operation, {"TableName": f"tidepost-local-{table}", "Key": KEY})


def query(table: str, index: str, key: str) -> Call:
    return Call(
        "dynamodb",
        "query",
        {
            "TableName": f"tidepost-local-{table}",
            "IndexName": index,
            "KeyConditionExpression": f"{key} = :key",
            "ExpressionAttributeValues": {":key": {"S": "nothing"}},
        },
    )


def scan(table: str) -> Call:
    return Call("dynamodb", "scan", {"TableName": f"tidepost-local-{table}"})


def batch_delete(table: str) -> Call:
    request = {"DeleteRequest": {"Key": KEY}}
    return Call(
        "dynamodb", "batch_write_item", {"RequestItems": {f"tidepost-local-{table}": [request]}}
    )


def secret(name: str) -> Call:
    return Call("secretsmanager", "get_secret_value", {"SecretId": f"tidepost/local/{name}"})


def parameter(name: str) -> Call:
    return Call("ssm", "get_parameter", {"Name": f"/tidepost/local/{name}"})


MAIL = Call(
    "sesv2",
    "send_email",
    {
        "FromEmailAddress": "from@example.com",
        "Destination": {"ToAddresses": ["to@example.com"]},
        "Content": {"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello"}}}},
    },
)

DENIED = [
    ("dispatcher", item("get_item", "api-keys")),
    ("dispatcher", item("delete_item", "subscribers")),
    ("dispatcher", scan("campaigns")),
    ("dispatcher", secret("subscriber-id-key")),
    ("public", item("get_item", "campaigns")),
    ("public", batch_delete("subscribers")),
    ("public", secret("providers/sendgrid")),
    ("public", MAIL),
    ("api", item("delete_item", "subscribers")),
    ("api", batch_delete("subscribers")),
    ("api", query("campaigns", "active", "active")),
    ("api", secret("providers/sendgrid")),
    ("jobs", scan("subscribers")),
    ("jobs", item("get_item", "api-keys")),
    ("webhooks", item("get_item", "subscribers")),
    ("aggregator", item("get_item", "engagements")),
    ("scheduler", item("get_item", "subscribers")),
    ("warming_cron", item("get_item", "counters")),
    ("warming_cron", secret("message-id-key")),
]

ALLOWED = [
    ("dispatcher", item("get_item", "campaigns")),
    ("dispatcher", secret("message-id-key")),
    ("dispatcher", parameter("providers")),
    ("public", item("get_item", "subscribers")),
    ("public", secret("link-keys")),
    ("api", query("api-keys", "by_workspace", "workspace")),
    ("jobs", item("delete_item", "subscribers")),
    ("scheduler", query("campaigns", "active", "active")),
    ("webhooks", secret("providers/sendgrid")),
    ("warming_cron", parameter("warming_schedule")),
]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An emulator of our own in AUTH mode, with the stack; gone afterwards."""
    place = Place(tmp_path_factory.mktemp("auth"))
    emulator = start_emulator(place, auth=True)
    try:
        bootstrap(place, emulator)
        deploy(place, emulator, ROOT / "config" / "providers.json", auth=True)
        yield emulator.url
    finally:
        processes.end(emulator.leader)
        place.remove_scratch()


Caller = Callable[[str, Call], None]


@pytest.fixture(scope="module")
def caller(endpoint: str) -> Caller:
    """Makes a call with the role of a function."""
    config = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 1})
    root = boto3.Session("test", "test", region_name=REGION)

    @cache
    def session(function: str) -> boto3.Session:
        name = f"tidepost-local-{function.replace('_', '-')}"
        functions = root.client("lambda", endpoint_url=endpoint, config=config)
        role = functions.get_function_configuration(FunctionName=name)["Role"]
        sts = root.client("sts", endpoint_url=endpoint, config=config)
        given = sts.assume_role(RoleArn=role, RoleSessionName=function)["Credentials"]
        return boto3.Session(
            given["AccessKeyId"],
            given["SecretAccessKey"],
            given["SessionToken"],
            region_name=REGION,
        )

    def make(function: str, call: Call) -> None:
        client: Any = session(function).client(
            call.service,  # type: ignore[call-overload]  # any of the services above
            endpoint_url=endpoint,
            config=config,
        )
        getattr(client, call.operation)(**call.arguments)

    return make


@pytest.mark.parametrize(("function", "call"), DENIED, ids=str)
def test_denied(caller: Caller, function: str, call: Call) -> None:
    with pytest.raises(ClientError) as denied:
        caller(function, call)
    assert "AccessDenied" in denied.value.response["Error"]["Code"]


@pytest.mark.parametrize(("function", "call"), ALLOWED, ids=str)
def test_allowed(caller: Caller, function: str, call: Call) -> None:
    caller(function, call)


def test_the_emulator_checks_at_all(endpoint: str) -> None:
    stranger = boto3.Session("AKIASTRANGER", "nobody", region_name=REGION)
    with pytest.raises(ClientError):
        stranger.client("dynamodb", endpoint_url=endpoint).list_tables()
