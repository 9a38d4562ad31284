from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ops.deployed import read_deployed
from ops.findings import Finding, Verdict
from ops.http import Answer
from ops.message_check import Letter, Messenger
from ops.smoke import main, smoke
from ops.stage_facts import TABLES, StageFacts, facts_of
from shared.errors import ConfigurationError
from tests.fakes import FakeClock
from tests.ops.deployment import SECRETS, mapping, pages, stream, whole
from tests.ops.fakes import FakeAws, FakeWeb, Reply, refusal

DEV, PROD = facts_of("dev"), facts_of("prod")


def look(
    facts: StageFacts = DEV,
    *,
    web: dict[str, Answer | list[Answer]] | None = None,
    emulated: bool = False,
    say: Callable[[str], None] = lambda _line: None,
    **changed: Reply,
) -> list[Finding]:
    answers = whole(facts) | {key.replace("__", "."): reply for key, reply in changed.items()}
    aws = FakeAws(answers, emulated=emulated)
    asked = FakeWeb(pages(facts) | (web or {}))
    return smoke(aws, asked, facts, read_deployed(aws, facts), say)


def failures(*args: Any, **changed: Any) -> list[str]:
    return [f.detail for f in look(*args, **changed) if f.verdict is Verdict.FAIL]


def warnings(*args: Any, **changed: Any) -> list[str]:
    return [f.detail for f in look(*args, **changed) if f.verdict is Verdict.WARN]


def only(found: list[str]) -> str:
    (one,) = found
    return one


@pytest.mark.parametrize("facts", [DEV, PROD])
def test_a_deployment_that_is_whole_is_all_ok(facts: StageFacts) -> None:
    assert {finding.verdict for finding in look(facts)} == {Verdict.OK}


def test_no_secret_is_ever_shown() -> None:
    lines: list[str] = []
    look(say=lines.append)
    text = "\n".join(lines)
    for value in ("sg-value", "pm-value", "u-value", "p-value", SECRETS["message-id-key"]):
        assert value not in text


def test_a_stack_that_is_not_there_is_said() -> None:
    none = refusal("cloudformation", "DescribeStacks", "ValidationError")
    with pytest.raises(ConfigurationError, match="no stack tidepost-dev in us-east-1"):
        look(cloudformation__DescribeStacks=none)


def test_a_stack_that_is_not_whole_is_said() -> None:
    broken = {"Stacks": [{"StackStatus": "ROLLBACK_COMPLETE"}]}
    with pytest.raises(ConfigurationError, match="ROLLBACK_COMPLETE and lacks the outputs"):
        look(cloudformation__DescribeStacks=broken)


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("GET /v1/health", Answer(502, b""), "502 instead of 200 of stage dev"),
        ("GET /v1/health", Answer(200, b'{"stage":"prod"}'), "200 instead of 200 of stage dev"),
        ("GET /docs", Answer(404, b"{}"), "404 instead of 200 and a page"),
        ("GET /v1/lists", Answer(200, b"{}"), "200 instead of 401 without a key"),
        ("POST /webhooks/sendgrid", Answer(200, b"{}"), "200 instead of 401"),
        ("POST /webhooks/postmark", Answer(503, b"{}"), "503 instead of 401"),
        ("POST /webhooks/ses", Answer(500, b"{}"), "500 instead of 401"),
        (
            "GET /u/forged",
            Answer(404, b"{}", {"content-type": "application/json"}),
            "404 instead of 404 and a page",
        ),
    ],
)
def test_an_endpoint_that_answers_otherwise_fails(path: str, answer: Answer, said: str) -> None:
    assert only(failures(web={path: answer})).startswith(said)


def test_a_webhook_is_tried_with_a_forged_report_of_its_own_kind() -> None:
    aws = FakeAws(whole(DEV))
    web = FakeWeb(pages(DEV))
    smoke(aws, web, DEV, read_deployed(aws, DEV), lambda _line: None)
    sent = {call.rpartition("/")[2]: (body, headers) for call, body, headers in web.sent}
    assert "X-Twilio-Email-Event-Webhook-Signature" in sent["sendgrid"][1]
    assert sent["postmark"][1]["Authorization"].startswith("Basic ")
    assert sent["ses"][0]["TopicArn"].endswith(":tidepost-dev-ses-events")


def held(**changed: str) -> Callable[..., dict[str, Any]]:
    values = SECRETS | {name.replace("__", "/").replace("_", "-"): v for name, v in changed.items()}

    def secret(*, SecretId: str) -> dict[str, Any]:  # noqa: N803  # AWS's
        return {"SecretString": values[SecretId.removeprefix("tidepost/dev/")]}

    return secret


def test_a_placeholder_fails_with_the_command_to_fill_it() -> None:
    lines: list[str] = []
    value = json.dumps({"replace": "me", "placeholder": "random"})
    look(secretsmanager__GetSecretValue=held(providers__sendgrid=value), say=lines.append)
    text = "\n".join(lines)
    assert "tidepost/dev/providers/sendgrid is still the placeholder: it lacks api_key" in text
    assert "put-secret-value --secret-id tidepost/dev/providers/sendgrid" in text


@pytest.mark.parametrize("value", ["not json", "[]", '{"server_token": "t"}'])
def test_an_incomplete_secret_fails(value: str) -> None:
    found = failures(secretsmanager__GetSecretValue=held(providers__postmark=value))
    assert "is incomplete" in only(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("message_id_key", "short"),
        ("link_keys", '{"current": "k2", "k1": "%s"}' % ("k" * 64)),
        ("link_keys", '{"current": "k1", "k1": "short"}'),
        ("link_keys", "not json"),
    ],
)
def test_a_bad_key_of_our_own_fails(name: str, value: str) -> None:
    found = failures(secretsmanager__GetSecretValue=held(**{name: value}))
    assert name.replace("_", "-") in only(found)


def test_deletion_protection_must_be_that_of_the_stage() -> None:
    table = {"Table": {"TableStatus": "ACTIVE", "DeletionProtectionEnabled": False}}
    assert "ledger: deletion protection is off" in only(
        failures(PROD, dynamodb__DescribeTable=table)
    )


def test_tables_without_recovery_or_expiry_fail() -> None:
    backups = {
        "ContinuousBackupsDescription": {
            "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"}
        }
    }
    live = {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    found = failures(dynamodb__DescribeContinuousBackups=backups, dynamodb__DescribeTimeToLive=live)
    assert [text.count("DISABLED") for text in found] == [len(TABLES)] * 2


def test_logs_without_the_stages_retention_fail() -> None:
    groups = {"logGroups": [{"logGroupName": name} for name in DEV.log_groups[1:]]}
    found = only(failures(logs__DescribeLogGroups=groups))
    assert f"{DEV.log_groups[0]} is not there" in found
    assert f"{DEV.log_groups[1]} keeps for ever" in found


def test_a_function_that_is_not_active_fails() -> None:
    usual = whole(DEV)["lambda.GetFunctionConfiguration"]
    assert callable(usual)

    def function(*, FunctionName: str) -> dict[str, Any]:  # noqa: N803  # AWS's
        return {**usual(FunctionName=FunctionName), "State": "Pending"}

    assert "api: State is Pending" in only(failures(lambda__GetFunctionConfiguration=function))


def test_a_missing_reservation_is_a_warning_and_another_one_a_failure() -> None:
    assert "none reserved" in only(warnings(lambda__GetFunctionConcurrency={}))
    other = {"ReservedConcurrentExecutions": 3}
    assert only(failures(lambda__GetFunctionConcurrency=other)) == "3, not 8"


def test_event_sources_that_are_off_missing_or_different_fail() -> None:
    settings: dict[str, Any] = {
        "BatchSize": 1,
        "FunctionResponseTypes": [],
        "ScalingConfig": {"MaximumConcurrency": 9},
    }

    def mappings(*, FunctionName: str) -> dict[str, Any]:  # noqa: N803  # AWS's
        if FunctionName.endswith("aggregator"):
            return {"EventSourceMappings": [stream(DEV)]}
        bulk = mapping(DEV, "bulk", **settings) | {"State": "Disabled"}
        return {"EventSourceMappings": [bulk]}

    found = only(failures(lambda__ListEventSourceMappings=mappings))
    assert "bulk -> dispatcher: state is Disabled and not Enabled" in found
    assert "bulk -> dispatcher: partial failures is False and not True" in found
    assert "bulk -> dispatcher: maximum concurrency is 9 and not 4" in found
    assert "transactional -> dispatcher is not there" in found


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"FilterCriteria": {"Filters": []}}, "takes insertions only"),
        ({"BisectBatchOnFunctionError": False}, "halves a failing batch"),
        ({"TumblingWindowInSeconds": 0}, "has a tumbling window of a minute"),
        ({"MaximumRetryAttempts": -1}, "gives up after 5 retries"),
        ({"DestinationConfig": {}}, "reports what it gave up on"),
        ({"State": "Disabled"}, "is enabled"),
    ],
)
def test_a_stream_that_would_lose_or_repeat_events_fails(
    changed: dict[str, Any], said: str
) -> None:
    usual = whole(DEV)["lambda.ListEventSourceMappings"]
    assert callable(usual)

    def mappings(*, FunctionName: str) -> dict[str, Any]:  # noqa: N803  # AWS's
        if FunctionName.endswith("aggregator"):
            return {"EventSourceMappings": [stream(DEV) | changed]}
        return usual(FunctionName=FunctionName)

    assert only(failures(lambda__ListEventSourceMappings=mappings)) == f"not so: {said}"


def test_rules_that_are_off_fail() -> None:
    off = {"State": "DISABLED", "ScheduleExpression": "rate(1 minute)"}
    found = only(failures(events__DescribeRule=off))
    assert "runs scheduler" in found
    assert "runs warming_cron" in found


def test_missing_mute_and_ringing_alarms_are_told() -> None:
    mute = {"AlarmName": DEV.alarms[1], "ActionsEnabled": True, "AlarmActions": []}
    alarms = {"MetricAlarms": [mute | {"StateValue": "ALARM"}]}
    found = only(failures(cloudwatch__DescribeAlarms=alarms))
    assert f"{DEV.alarms[0]} is not there" in found
    assert f"{DEV.alarms[1]} tells nobody" in found
    assert f"ringing: {DEV.alarms[1]}" in warnings(cloudwatch__DescribeAlarms=alarms)


@pytest.mark.parametrize(
    ("subscriptions", "said"),
    [
        ([], "nobody is told of alarms"),
        ([{"SubscriptionArn": "PendingConfirmation", "Endpoint": "x"}], "is not confirmed"),
    ],
)
def test_alarms_that_nobody_hears_are_a_warning(
    subscriptions: list[dict[str, str]], said: str
) -> None:
    found = warnings(sns__ListSubscriptionsByTopic={"Subscriptions": subscriptions})
    assert said in only(found)


def test_an_ses_topic_that_reaches_no_queue_fails() -> None:
    elsewhere = [{"SubscriptionArn": "arn:aws:sns:::1", "Endpoint": "arn:aws:sqs:::other"}]
    found = failures(sns__ListSubscriptionsByTopic={"Subscriptions": elsewhere})
    assert "does not deliver into the queue" in only(found)


def test_raw_delivery_fails() -> None:
    raw = {"Attributes": {"RawMessageDelivery": "true"}}
    assert "raw delivery is on" in only(failures(sns__GetSubscriptionAttributes=raw))


def test_ses_events_that_are_not_published_fail() -> None:
    destinations: dict[str, Any] = {"EventDestinations": []}
    found = failures(sesv2__GetConfigurationSetEventDestinations=destinations)
    assert "does not publish BOUNCE, CLICK" in only(found)


def test_prod_without_firewalls_fails() -> None:
    bare = {"DistributionList": {"Items": [{"DomainName": "d1.cloudfront.net", "WebACLId": ""}]}}
    found = failures(PROD, wafv2__GetWebACLForResource={}, cloudfront__ListDistributions=bare)
    assert len(found) == 2


def test_messages_in_a_dead_letter_queue_are_a_warning() -> None:
    attributes = {
        "ApproximateNumberOfMessages": "3",
        "QueueArn": "arn:aws:sqs:us-east-1:111111111111:tidepost-dev-ses-events",
        "RedrivePolicy": '{"deadLetterTargetArn": "arn:aws:sqs:::tidepost-dev-ses-events-dlq"}',
    }
    found = warnings(sqs__GetQueueAttributes={"Attributes": attributes})
    assert "bulk-dlq holds 3" in only(found)


def test_an_endpoint_of_ones_own_skips_what_it_has_nothing_of() -> None:
    lines: list[str] = []
    look(emulated=True, say=lines.append)
    skipped = [line.split("  ")[1].strip() for line in lines if line.startswith("skipped")]
    assert len(skipped) == 5
    assert all("skipped: not on this endpoint" in line for line in lines if "skipped" in line)


STORY = {"state": "accepted", "reason": "", "attempts": [{"provider": "ses"}], "events": []}
SENT = {"state": "pending", "reason": "", "attempts": [], "events": []}
TOLD = STORY | {"events": [{"type": "delivered"}]}
DOMAINS = {"items": [{"domain": "a.example", "state": "pending"},
                     {"domain": "b.example", "state": "verified"}]}  # fmt: skip


def deliver(
    stories: list[dict[str, Any]],
    *,
    key: str = "tp_key",
    post: Answer | None = None,
    domains: dict[str, Any] = DOMAINS,
) -> tuple[list[Finding], FakeWeb]:
    web = FakeWeb(
        {
            "GET /v1/sender-domains?limit=50": Answer(200, json.dumps(domains).encode()),
            "POST /v1/messages": post or Answer(202, b'{"id": "m1"}'),
            "GET /v1/messages/m1": [Answer(200, json.dumps(s).encode()) for s in stories],
        }
    )
    clock = FakeClock()
    messenger = Messenger(web, "https://api", clock, lambda s: clock.advance(seconds=s))
    letter = Letter(to="ada@example.com", sender="", api_key=key, patience_s=20)
    return list(messenger.deliver(letter)), web


def test_a_message_is_sent_from_a_verified_domain_and_followed_to_its_event() -> None:
    found, web = deliver([SENT, STORY, TOLD])
    assert [finding.verdict for finding in found] == [Verdict.OK, Verdict.OK]
    assert found[-1].detail == "accepted by ses, events: delivered"
    body = next(body for call, body, _ in web.sent if call.startswith("POST"))
    assert body["sender"]["email"] == "smoke@b.example"
    assert all("ada@" not in finding.detail for finding in found)


@pytest.mark.parametrize(
    ("story", "said"),
    [
        (STORY, "accepted by ses, but no event came within 20 s"),
        (SENT, "pending after 20 s, at no provider"),
        (STORY | {"state": "rejected", "reason": "bounced"}, "rejected (bounced) at ses"),
    ],
)
def test_a_message_that_does_not_come_through_fails(story: dict[str, Any], said: str) -> None:
    found, _ = deliver([story])
    assert (found[-1].verdict, found[-1].detail) == (Verdict.FAIL, said)


def test_a_refused_message_says_why() -> None:
    problem = {
        "type": "urn:tidepost:problem:invalid-input",
        "errors": [{"field": "sender.email", "reason": "is not verified"}],
    }
    found, _ = deliver([SENT], post=Answer(422, json.dumps(problem).encode()))
    said = "POST /v1/messages: 422 invalid-input sender.email: is not verified"
    assert found[-1].detail == said


def test_a_message_needs_a_key_and_a_sender() -> None:
    assert "TIDEPOST_API_KEY" in deliver([SENT], key="")[0][0].detail
    assert "no verified sender domain" in deliver([SENT], domains={"items": []})[0][0].detail


def test_the_command_ends_with_1_if_anything_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDEPOST_API_KEY", raising=False)
    lines: list[str] = []

    def run(*arguments: str) -> int:
        return main(
            ["--stage", "dev", *arguments],
            make_aws=lambda: FakeAws(whole(DEV)),
            web=FakeWeb(pages(DEV)),
            say=lines.append,
        )

    assert run() == 0
    assert run("--send-to", "ada@example.com") == 1
    assert lines[-1].endswith("1 fail, 0 skipped")


def test_urls_may_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDEPOST_API_KEY", raising=False)
    web = FakeWeb(pages(DEV))
    urls = ["--api-url", "http://a/", "--webhooks-url", "http://w", "--public-url", "http://p"]
    main(
        ["--stage", "dev", *urls],
        make_aws=lambda: FakeAws(whole(DEV)),
        web=web,
        say=lambda _line: None,
    )
    called = {call.partition(" ")[2] for call, _, _ in web.sent}
    assert {"http://a/docs", "http://w/webhooks/ses", "http://p/u/forged"} <= called


def test_a_stage_that_is_not_deployed_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    none = refusal("cloudformation", "DescribeStacks", "ValidationError")
    aws = FakeAws({"cloudformation.DescribeStacks": none})
    assert main(["--stage", "dev"], make_aws=lambda: aws) == 1
    assert "there is no stack tidepost-dev" in capsys.readouterr().err
