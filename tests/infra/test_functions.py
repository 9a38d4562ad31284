import json
import sys

import pytest

from infra import grants
from tests.infra.synthesis import Json, Synthesis

NAMES = {
    "api",
    "jobs",
    "scheduler",
    "dispatcher",
    "webhooks",
    "aggregator",
    "public",
    "warming_cron",
}


def by_name(stage: Synthesis) -> dict[str, Json]:
    return {
        function["Handler"].split(".")[1]: function
        for function in stage.properties("AWS::Lambda::Function")
    }


@pytest.fixture(scope="module")
def functions(prod: Synthesis) -> dict[str, Json]:
    return by_name(prod)


def test_there_are_the_eight_functions(functions: dict[str, Json]) -> None:
    assert set(functions) == NAMES
    for name, function in functions.items():
        assert function["Handler"] == f"functions.{name}.handler.handler"
        assert function["FunctionName"] == f"tidepost-prod-{name.replace('_', '-')}"


def test_aws_runs_them_on_arm_and_traces(functions: dict[str, Json]) -> None:
    for function in functions.values():
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        assert function["TracingConfig"] == {"Mode": "Active"}


def test_the_local_cloud_runs_them_on_this_interpreter(local: Synthesis) -> None:
    for function in by_name(local).values():
        assert function["Runtime"] == f"python3.{sys.version_info.minor}"
        assert "TracingConfig" not in function


def test_time_outs_and_memory(functions: dict[str, Json]) -> None:
    assert {name: (f["Timeout"], f["MemorySize"]) for name, f in functions.items()} == {
        "api": (29, 1024),
        "jobs": (300, 512),
        "scheduler": (55, 512),
        "dispatcher": (120, 1024),
        "webhooks": (15, 512),
        "aggregator": (60, 512),
        "public": (10, 1024),
        "warming_cron": (60, 512),
    }


def test_every_function_finds_its_settings(prod: Synthesis, functions: dict[str, Json]) -> None:
    queues = {
        "bulk": "TIDEPOST_BULK_QUEUE_URL",
        "transactional": "TIDEPOST_TRANSACTIONAL_QUEUE_URL",
        "jobs": "TIDEPOST_JOBS_QUEUE_URL",
    }
    for name, function in functions.items():
        variables = {
            key: prod.text(value) for key, value in function["Environment"]["Variables"].items()
        }
        expected = {
            "TIDEPOST_STAGE": "prod",
            "TIDEPOST_TABLE_PREFIX": "tidepost-prod",
            "TIDEPOST_PARAMETER_PATH": "/tidepost/prod",
            "TIDEPOST_SECRET_PREFIX": "tidepost/prod",
            "POWERTOOLS_SERVICE_NAME": name,
            "POWERTOOLS_METRICS_NAMESPACE": "Tidepost",
            "LOG_LEVEL": "INFO",
        }
        for queue in grants.SENDS.get(name, ()):
            expected[queues[queue]] = f"tidepost-prod-{queue}"
        if name in (*grants.FILES, *grants.MESSAGE_FILES):
            expected["TIDEPOST_FILES_BUCKET"] = "FilesBucket"
        assert variables == expected


def test_every_function_logs_to_a_group_that_forgets(
    prod: Synthesis, functions: dict[str, Json]
) -> None:
    groups = prod.named("AWS::Logs::LogGroup", "LogGroupName")
    for function in functions.values():
        group = prod.text(function["LoggingConfig"]["LogGroup"])
        assert group == f"/aws/lambda/{function['FunctionName']}"
        assert groups[group]["RetentionInDays"] == 90


def test_only_the_dispatcher_reserves_concurrency(functions: dict[str, Json]) -> None:
    reserved = {
        name: function["ReservedConcurrentExecutions"]
        for name, function in functions.items()
        if "ReservedConcurrentExecutions" in function
    }
    assert reserved == {"dispatcher": 60}


def test_every_event_source(prod: Synthesis) -> None:
    sources = {
        (
            prod.text(source["FunctionName"]).removeprefix("tidepost-prod-"),
            prod.text(source["EventSourceArn"]).removeprefix("tidepost-prod-"),
        ): {
            key: value
            for key, value in source.items()
            if key not in {"FunctionName", "EventSourceArn", "Tags", "DestinationConfig"}
        }
        for source in prod.properties("AWS::Lambda::EventSourceMapping")
    }
    partial = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
    assert sources == {
        ("dispatcher", "bulk"): {
            **partial,
            "BatchSize": 1,
            "ScalingConfig": {"MaximumConcurrency": 40},
        },
        ("dispatcher", "transactional"): {
            **partial,
            "BatchSize": 10,
            "ScalingConfig": {"MaximumConcurrency": 20},
        },
        ("jobs", "jobs"): {"BatchSize": 1},
        ("webhooks", "ses-events"): {**partial, "BatchSize": 10},
        ("scheduler", "bulk-dlq"): {**partial, "BatchSize": 10},
        ("scheduler", "transactional-dlq"): {**partial, "BatchSize": 10},
        ("aggregator", "engagements/stream"): {
            "BatchSize": 500,
            "MaximumBatchingWindowInSeconds": 1,
            "BisectBatchOnFunctionError": True,
            "MaximumRetryAttempts": 5,
            "ParallelizationFactor": 1,
            "TumblingWindowInSeconds": 60,
            "StartingPosition": "TRIM_HORIZON",
            "FilterCriteria": {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]},
        },
    }


def test_what_the_aggregator_cannot_take_in_is_kept(prod: Synthesis) -> None:
    destinations = [
        prod.text(source["DestinationConfig"]["OnFailure"]["Destination"])
        for source in prod.properties("AWS::Lambda::EventSourceMapping")
        if "DestinationConfig" in source
    ]
    assert destinations == ["tidepost-prod-aggregator-dlq"]


def test_the_clocks(prod: Synthesis) -> None:
    rules = {
        rule["ScheduleExpression"]: rule["Targets"][0]
        for rule in prod.properties("AWS::Events::Rule")
    }
    daily = {
        "cron(20 1 * * ? *)": "sync_suppressions",
        "cron(50 1 * * ? *)": "drop_unconfirmed",
    }
    assert set(rules) == {"rate(1 minute)", "cron(10 0 * * ? *)", *daily}
    for when, command in daily.items():
        assert prod.text(rules[when]["Arn"]) == "tidepost-prod-jobs"
        assert json.loads(rules[when]["Input"]) == {"command": command}
    minute = rules["rate(1 minute)"]
    assert prod.text(minute["Arn"]) == "tidepost-prod-scheduler"
    assert minute["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}
    assert prod.text(rules["cron(10 0 * * ? *)"]["Arn"]) == "tidepost-prod-warming-cron"
    (asynchronous,) = prod.properties("AWS::Lambda::EventInvokeConfig")
    assert prod.text(asynchronous["FunctionName"]) == "tidepost-prod-scheduler"
    assert asynchronous["MaximumRetryAttempts"] == 0


def test_the_access_logs_name_nobody(any_stage: Synthesis) -> None:
    rest = any_stage.properties("AWS::ApiGateway::Stage")[0]["AccessLogSetting"]
    formats = [rest["Format"]] + [
        stage["AccessLogSettings"]["Format"]
        for stage in any_stage.properties("AWS::ApiGatewayV2::Stage")
    ]
    assert len(formats) == 3
    for written in formats:
        fields = set(json.loads(written).values())
        # A path holds tokens, an address is personal.
        assert not fields & {"$context.path", "$context.identity.sourceIp"}
        assert not any("header" in field.lower() for field in fields)
