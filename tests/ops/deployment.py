"""A whole deployment as AWS would describe it, all well; tests change one thing of it."""

from __future__ import annotations

import json
from typing import Any

from ops.http import Answer
from ops.stage_facts import OUTPUTS, SES_EVENTS, StageFacts
from tests.ops.fakes import Reply

ACCOUNT, REGION = "111111111111", "us-east-1"
KEY = "k" * 64
SECRETS = {
    "subscriber-id-key": KEY,
    "message-id-key": KEY,
    "link-keys": json.dumps({"current": "k1", "k1": KEY}),
    "providers/sendgrid": json.dumps({"api_key": "sg-value"}),
    "providers/postmark": json.dumps(
        {"server_token": "pm-value", "webhook_user": "u-value", "webhook_password": "p-value"}
    ),
}
EDGE = "https://d1.cloudfront.net"


def arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"


def providers(facts: StageFacts) -> str:
    ses = {
        "name": "ses",
        "kind": "ses",
        "weight": 1,
        "configuration_set": facts.prefix,
        "topic_arns": [arn("sns", facts.full("ses-events"))],
    }
    others = (
        {"name": name, "kind": name, "weight": 1, "secret": f"providers/{name}"}
        for name in ("sendgrid", "postmark")
    )
    return json.dumps({"providers": [ses, *others]})


def mapping(facts: StageFacts, queue: str, **settings: Any) -> dict[str, Any]:
    return {"EventSourceArn": arn("sqs", facts.full(queue)), "State": "Enabled", **settings}


def stream(facts: StageFacts) -> dict[str, Any]:
    table = facts.full("engagements")
    return {
        "EventSourceArn": f"{arn('dynamodb', f'table/{table}')}/stream/2026-11-24T00:00:00.000",
        "State": "Enabled",
        "FilterCriteria": {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]},
        "BisectBatchOnFunctionError": True,
        "TumblingWindowInSeconds": 60,
        "MaximumRetryAttempts": 5,
        "ParallelizationFactor": 1,
        "DestinationConfig": {
            "OnFailure": {"Destination": arn("sqs", facts.full("aggregator-dlq"))}
        },
    }


def alarm(name: str) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "ActionsEnabled": True,
        "AlarmActions": [arn("sns", "alarms")],
        "StateValue": "OK",
    }


def whole(facts: StageFacts) -> dict[str, Reply]:
    """Every answer that smoke asks for."""
    outputs = {name: f"https://{name.lower()}.example/" for name in OUTPUTS} | {"PublicUrl": EDGE}

    def parameter(*, Name: str) -> dict[str, Any]:  # noqa: N803  # AWS's
        values = {"providers": providers(facts), "deployment": json.dumps({"public_url": EDGE})}
        return {"Parameter": {"Value": values[Name.rpartition("/")[2]]}}

    def secret(*, SecretId: str) -> dict[str, Any]:  # noqa: N803  # AWS's
        return {"SecretString": SECRETS[SecretId.removeprefix(f"{facts.secret_prefix}/")]}

    def queue_url(*, QueueName: str) -> dict[str, Any]:  # noqa: N803  # AWS's
        return {"QueueUrl": f"https://sqs.example/{QueueName}"}

    def queue(*, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803  # AWS's
        name = QueueUrl.rpartition("/")[2]
        redrive = {"deadLetterTargetArn": arn("sqs", f"{name}-dlq"), "maxReceiveCount": 5}
        known = {
            "ApproximateNumberOfMessages": "0",
            "QueueArn": arn("sqs", name),
            "RedrivePolicy": json.dumps(redrive),
        }
        return {"Attributes": {name: known[name] for name in AttributeNames}}

    def function(*, FunctionName: str) -> dict[str, Any]:  # noqa: N803  # AWS's
        return {
            "FunctionArn": arn("lambda", f"function:{FunctionName}"),
            "State": "Active",
            "LastUpdateStatus": "Successful",
        }

    def mappings(*, FunctionName: str) -> dict[str, Any]:  # noqa: N803  # AWS's
        found = [
            mapping(
                facts,
                source.queue,
                BatchSize=source.batch,
                FunctionResponseTypes=["ReportBatchItemFailures"] if source.partial else [],
                **(
                    {"ScalingConfig": {"MaximumConcurrency": source.maximum}}
                    if source.maximum
                    else {}
                ),
            )
            for source in facts.sources
            if facts.function(source.function) == FunctionName
        ]
        if FunctionName == facts.function("aggregator"):
            found.append(stream(facts))
        return {"EventSourceMappings": found}

    def rule(*, Name: str) -> dict[str, Any]:  # noqa: N803  # AWS's
        schedule = "rate(1 minute)" if Name.endswith("scheduler") else "cron(10 0 * * ? *)"
        return {"State": "ENABLED", "ScheduleExpression": schedule}

    def subscriptions(*, TopicArn: str) -> dict[str, Any]:  # noqa: N803  # AWS's
        topic = TopicArn.rpartition(":")[2]
        endpoint = arn("sqs", facts.full("ses-events")) if topic.endswith("ses-events") else "ops"
        return {"Subscriptions": [{"SubscriptionArn": f"{TopicArn}:1", "Endpoint": endpoint}]}

    topic = arn("sns", facts.full("ses-events"))
    events = {
        "Name": "Events",
        "Enabled": True,
        "MatchingEventTypes": sorted(SES_EVENTS),
        "SnsDestination": {"TopicArn": topic},
    }
    return {
        "cloudformation.DescribeStacks": {
            "Stacks": [
                {
                    "StackStatus": "CREATE_COMPLETE",
                    "Outputs": [
                        {"OutputKey": key, "OutputValue": text} for key, text in outputs.items()
                    ],
                }
            ]
        },
        "ssm.GetParameter": parameter,
        "secretsmanager.GetSecretValue": secret,
        "dynamodb.DescribeTable": {
            "Table": {"TableStatus": "ACTIVE", "DeletionProtectionEnabled": facts.retains}
        },
        "dynamodb.DescribeContinuousBackups": {
            "ContinuousBackupsDescription": {
                "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}
            }
        },
        "dynamodb.DescribeTimeToLive": {
            "TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}
        },
        "sqs.GetQueueUrl": queue_url,
        "sqs.GetQueueAttributes": queue,
        "logs.DescribeLogGroups": {
            "logGroups": [
                {"logGroupName": name, "retentionInDays": facts.retention_days}
                for name in facts.log_groups
            ]
        },
        "lambda.GetFunctionConfiguration": function,
        "lambda.GetFunctionConcurrency": {"ReservedConcurrentExecutions": facts.reserved},
        "lambda.ListEventSourceMappings": mappings,
        "events.ListRuleNamesByTarget": lambda *, TargetArn: {  # noqa: N803  # AWS's
            "RuleNames": [f"rule-{TargetArn.rpartition('-')[2]}"]
        },
        "events.DescribeRule": rule,
        "cloudwatch.DescribeAlarms": {"MetricAlarms": [alarm(name) for name in facts.alarms]},
        "sns.ListSubscriptionsByTopic": subscriptions,
        "sns.GetSubscriptionAttributes": {"Attributes": {"RawMessageDelivery": "false"}},
        "sesv2.GetConfigurationSet": {"SendingOptions": {"SendingEnabled": True}},
        "sesv2.GetConfigurationSetEventDestinations": {"EventDestinations": [events]},
        "wafv2.GetWebACLForResource": {"WebACL": {"Name": f"{facts.prefix}-api", "Rules": []}},
        "cloudfront.ListDistributions": {
            "DistributionList": {
                "Items": [
                    {"DomainName": "d1.cloudfront.net", "WebACLId": "acl", "Status": "Deployed"}
                ]
            }
        },
    }


def pages(facts: StageFacts) -> dict[str, Answer | list[Answer]]:
    """What the gateways answer."""
    health = json.dumps({"status": "ok", "version": "0.1.0", "stage": facts.name}).encode()
    return {
        "GET /v1/health": Answer(200, health),
        "GET /docs": Answer(200, b"<title>Swagger UI</title>"),
        "GET /v1/lists": Answer(401, b"{}"),
        "POST /webhooks/sendgrid": Answer(401, b"{}"),
        "POST /webhooks/postmark": Answer(401, b"{}"),
        "POST /webhooks/ses": Answer(401, b"{}"),
        "GET /u/forged": Answer(404, b"<p>", {"content-type": "text/html; charset=utf-8"}),
    }
