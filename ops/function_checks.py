"""Functions of a deployment: what starts them, how many at once, and who hears of errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ops.aws import Aws
from ops.findings import Finding, fail, none_wrong, ok, warn
from ops.stage_facts import FUNCTIONS, Source, StageFacts

_DEPLOY = "deploy again; if it stays, see the stack's events and drift"
_RULES = {"scheduler": "rate(1 minute)", "warming_cron": "cron(10 0 * * ? *)"}
_INSERTS = {"eventName": ["INSERT"]}


def functions(aws: Aws, facts: StageFacts) -> Iterator[Finding]:
    """All functions are active and their last update went well."""
    wrong = []
    for name in FUNCTIONS:
        answer = _configuration(aws, facts, name)
        for key, wanted in (("State", "Active"), ("LastUpdateStatus", "Successful")):
            if answer.get(key) != wanted:
                wrong.append(f"{name}: {key} is {answer.get(key)}")
    yield none_wrong(f"{len(FUNCTIONS)} active", wrong, _DEPLOY)


def concurrency(aws: Aws, facts: StageFacts) -> Iterator[Finding]:
    """The dispatcher's reservation is in force."""
    answer = aws.call("lambda", "GetFunctionConcurrency", FunctionName=facts.function("dispatcher"))
    reserved = answer.get("ReservedConcurrentExecutions")
    if reserved is None:
        yield warn(
            "the dispatcher has none reserved",
            "right only if you deployed with -c reserve_concurrency=no; ask for a higher quota"
            " (docs/deploy.md, step 3)",
        )
    else:
        wrong = [] if reserved == facts.reserved else [f"{reserved}, not {facts.reserved}"]
        yield none_wrong(f"{reserved} for the dispatcher", wrong, _DEPLOY)


def sources(aws: Aws, facts: StageFacts) -> Iterator[Finding]:
    """Every queue feeds its function, with the batches and the concurrency it should have."""
    wrong = []
    found: dict[str, list[dict[str, Any]]] = {}
    for source in facts.sources:
        if source.function not in found:
            found[source.function] = _mappings(aws, facts, source.function)
        ending = f":{facts.full(source.queue)}"
        mapping = next((m for m in found[source.function] if _arn(m).endswith(ending)), None)
        wrong += _unlike(source, mapping)
    yield none_wrong(f"{len(facts.sources)} queues feed their functions", wrong, _DEPLOY)


def stream(aws: Aws, facts: StageFacts) -> Iterator[Finding]:
    """The engagements stream feeds the aggregator, and gives up as it should."""
    table = f":table/{facts.full('engagements')}/stream/"
    mappings = [m for m in _mappings(aws, facts, "aggregator") if table in _arn(m)]
    if not mappings:
        yield fail("no stream feeds the aggregator: nothing would be counted", _DEPLOY)
        return
    mapping = mappings[0]
    patterns = [
        json.loads(one["Pattern"]) for one in mapping.get("FilterCriteria", {}).get("Filters", ())
    ]
    failures = mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
    ending = f":{facts.full('aggregator-dlq')}"
    wanted = {
        "is enabled": mapping.get("State") == "Enabled",
        "takes insertions only": patterns == [_INSERTS],
        "halves a failing batch": mapping.get("BisectBatchOnFunctionError") is True,
        "has a tumbling window of a minute": mapping.get("TumblingWindowInSeconds") == 60,
        "gives up after 5 retries": mapping.get("MaximumRetryAttempts") == 5,
        "runs once per shard": mapping.get("ParallelizationFactor") == 1,
        "reports what it gave up on": failures.endswith(ending),
    }
    wrong = [f"not so: {what}" for what, holds in wanted.items() if not holds]
    yield none_wrong(", ".join(wanted), wrong, _DEPLOY)


def rules(aws: Aws, facts: StageFacts) -> Iterator[Finding]:
    """What runs by the clock is switched on."""
    wrong = []
    for name, schedule in _RULES.items():
        arn = _configuration(aws, facts, name)["FunctionArn"]
        names = aws.call("events", "ListRuleNamesByTarget", TargetArn=arn)["RuleNames"]
        found = [aws.call("events", "DescribeRule", Name=rule) for rule in names]
        if not any(r["State"] == "ENABLED" and r["ScheduleExpression"] == schedule for r in found):
            wrong.append(f"no enabled rule runs {name} by {schedule}")
    yield none_wrong("scheduler every minute, warming_cron at 00:10 UTC", wrong, _DEPLOY)


def alarms(aws: Aws, facts: StageFacts) -> Iterator[Finding]:
    """There is an alarm for every dead-letter queue and function, and somebody hears it."""
    found = {
        alarm["AlarmName"]: alarm
        for alarm in aws.every(
            "cloudwatch", "DescribeAlarms", "MetricAlarms", AlarmNamePrefix=f"{facts.prefix}-"
        )
    }
    wrong = [f"{name} is not there" for name in facts.alarms if name not in found]
    wrong += [
        f"{name} tells nobody"
        for name in facts.alarms
        if name in found and not (found[name]["ActionsEnabled"] and found[name]["AlarmActions"])
    ]
    yield none_wrong(f"{len(facts.alarms)} there", wrong, _DEPLOY)
    ringing = sorted(
        name for name in facts.alarms if found.get(name, {}).get("StateValue") == "ALARM"
    )
    if ringing:
        yield warn(f"ringing: {', '.join(ringing)}", "each alarm's description says what to do")


def listeners(aws: Aws, facts: StageFacts) -> Iterator[Finding]:
    """Somebody has subscribed to the alarms, and confirmed it."""
    arn = topic_arn(aws, facts, "alarms")
    found = aws.every("sns", "ListSubscriptionsByTopic", "Subscriptions", TopicArn=arn)
    confirmed = [one for one in found if one["SubscriptionArn"].startswith("arn:")]
    if confirmed:
        yield ok(f"{len(confirmed)} confirmed subscription(s) to the alarms")
    elif found:
        yield warn("the alarms' subscription is not confirmed", "open the link in AWS's mail")
    else:
        yield warn(
            "nobody is told of alarms",
            "deploy with -c alarm_email=<address>, or subscribe to the topic yourself:"
            f" aws sns subscribe --topic-arn {arn} --protocol email"
            " --notification-endpoint <address>",
        )


def topic_arn(aws: Aws, facts: StageFacts, name: str) -> str:
    """The ARN of one of the stack's topics."""
    partition, account = _home(aws, facts)
    return f"arn:{partition}:sns:{aws.region}:{account}:{facts.full(name)}"


def _home(aws: Aws, facts: StageFacts) -> tuple[str, str]:
    """Partition and account, out of an ARN of the stack's."""
    parts = _configuration(aws, facts, "api")["FunctionArn"].split(":")
    return parts[1], parts[4]


def _configuration(aws: Aws, facts: StageFacts, name: str) -> dict[str, Any]:
    return aws.call("lambda", "GetFunctionConfiguration", FunctionName=facts.function(name))


def _mappings(aws: Aws, facts: StageFacts, name: str) -> list[dict[str, Any]]:
    function = facts.function(name)
    return aws.every(
        "lambda", "ListEventSourceMappings", "EventSourceMappings", FunctionName=function
    )


def _arn(mapping: dict[str, Any]) -> str:
    return str(mapping.get("EventSourceArn", ""))


def _unlike(source: Source, mapping: dict[str, Any] | None) -> list[str]:
    name = f"{source.queue} -> {source.function}"
    if mapping is None:
        return [f"{name} is not there"]
    found = (
        mapping.get("State"),
        mapping.get("BatchSize"),
        "ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or ()),
        (mapping.get("ScalingConfig") or {}).get("MaximumConcurrency"),
    )
    wanted = ("Enabled", source.batch, source.partial, source.maximum)
    words = ("state", "batch size", "partial failures", "maximum concurrency")
    return [
        f"{name}: {word} is {seen} and not {should}"
        for word, seen, should in zip(words, found, wanted, strict=True)
        if seen != should
    ]
