"""What ops expects of a stage is what the stack makes."""

from __future__ import annotations

from typing import Any

import pytest

from ops.stage_facts import (
    DEAD_LETTERS,
    FUNCTIONS,
    OUTPUTS,
    SES_EVENTS,
    TABLES,
    Source,
    StageFacts,
    facts_of,
)
from shared.errors import ConfigurationError
from tests.infra.synthesis import Synthesis, synthesise


@pytest.fixture(scope="module", params=["dev", "prod"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[StageFacts, Synthesis]:
    stage = str(request.param)
    return facts_of(stage), synthesise(stage, tmp_path_factory.mktemp(stage))


Pair = tuple[StageFacts, Synthesis]


def test_the_names_are_the_stacks(pair: Pair) -> None:
    facts, made = pair
    queues = made.named("AWS::SQS::Queue", "QueueName")
    assert made.named("AWS::DynamoDB::GlobalTable", "TableName").keys() == {
        facts.full(name) for name in TABLES
    }
    assert {name for name in queues if name.endswith("-dlq")} == {
        facts.full(name) for name in DEAD_LETTERS
    }
    assert made.named("AWS::Lambda::Function", "FunctionName").keys() == {
        facts.function(name) for name in FUNCTIONS
    }
    assert made.named("AWS::CloudWatch::Alarm", "AlarmName").keys() == set(facts.alarms)
    assert set(OUTPUTS) <= made.template["Outputs"].keys()


def test_the_logs_are_the_stacks(pair: Pair) -> None:
    facts, made = pair
    groups = made.named("AWS::Logs::LogGroup", "LogGroupName")
    assert {name: group["RetentionInDays"] for name, group in groups.items()} == dict.fromkeys(
        facts.log_groups, facts.retention_days
    )


def test_protection_is_the_stacks(pair: Pair) -> None:
    facts, made = pair
    for table in made.properties("AWS::DynamoDB::GlobalTable"):
        assert table["Replicas"][0].get("DeletionProtectionEnabled", False) is facts.retains
    assert bool(made.all("AWS::WAFv2::WebACLAssociation")) is facts.firewall


def test_concurrency_and_sources_are_the_stacks(pair: Pair) -> None:
    facts, made = pair
    functions = made.named("AWS::Lambda::Function", "FunctionName")
    dispatcher = functions[facts.function("dispatcher")]
    assert dispatcher["ReservedConcurrentExecutions"] == facts.reserved
    mappings = made.properties("AWS::Lambda::EventSourceMapping")
    found = {
        _source(facts, made, one) for one in mappings if "BisectBatchOnFunctionError" not in one
    }
    assert found == set(facts.sources)


def test_ses_publishes_what_smoke_looks_for(pair: Pair) -> None:
    _, made = pair
    for one in made.properties("AWS::SES::ConfigurationSetEventDestination"):
        published = one["EventDestination"]["MatchingEventTypes"]
        assert {_SES_V1.get(kind, kind).upper() for kind in published} == SES_EVENTS


_SES_V1 = {"renderingFailure": "RENDERING_FAILURE", "deliveryDelay": "DELIVERY_DELAY"}
"""CloudFormation writes event types in camel case."""


def _source(facts: StageFacts, made: Synthesis, one: dict[str, Any]) -> Source:
    function = made.text(one["FunctionName"]).removeprefix(f"{facts.prefix}-")
    return Source(
        function=function.replace("-", "_"),
        queue=made.text(one["EventSourceArn"]).removeprefix(f"{facts.prefix}-"),
        batch=one["BatchSize"],
        partial=one.get("FunctionResponseTypes") == ["ReportBatchItemFailures"],
        maximum=one.get("ScalingConfig", {}).get("MaximumConcurrency"),
    )


def test_there_is_no_other_stage() -> None:
    with pytest.raises(ConfigurationError, match="local, dev, prod"):
        facts_of("staging")
