from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from ops.aws import Aws, AwsRefused


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield Aws()


def test_the_region_is_that_of_the_aws_cli(aws: Aws) -> None:
    assert aws.region == "eu-west-1"
    assert aws.at("us-east-1").region == "us-east-1"
    assert aws.at("eu-west-1") is aws


def test_an_endpoint_of_ones_own_is_not_aws(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not aws.emulated
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert aws.emulated


def test_operations_are_called_by_their_own_names(aws: Aws) -> None:
    url = aws.call("sqs", "CreateQueue", QueueName="a")["QueueUrl"]
    assert url.endswith("/a")


def test_listings_come_whole(aws: Aws) -> None:
    for number in range(120):  # more than a page of ListTables
        aws.call(
            "dynamodb",
            "CreateTable",
            TableName=f"table-{number:03d}",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    assert len(aws.every("dynamodb", "ListTables", "TableNames")) == 120


def test_a_refusal_says_which_call_and_why(aws: Aws) -> None:
    with pytest.raises(AwsRefused, match="dynamodb DescribeTable: ") as refused:
        aws.call("dynamodb", "DescribeTable", TableName="none")
    assert refused.value.aws_code == "ResourceNotFoundException"


def test_what_may_be_absent_is_none(aws: Aws) -> None:
    arguments = {"TableName": "none"}
    absent = "ResourceNotFoundException"
    assert aws.maybe("dynamodb", "DescribeTable", absent, **arguments) is None
    with pytest.raises(AwsRefused):
        aws.maybe("dynamodb", "DescribeTable", "Other", **arguments)


def test_a_call_that_is_not_well_formed_is_a_refusal_too(aws: Aws) -> None:
    with pytest.raises(AwsRefused, match="TableName"):
        aws.call("dynamodb", "DescribeTable")
