from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.aws import Aws
from ops.findings import Finding, Verdict
from ops.preflight import Choices, main, preflight
from ops.stage_facts import facts_of
from tests.ops.fakes import FakeAws, Reply, refusal

SES = {"name": "ses", "kind": "ses", "weight": 50, "limits": {"per_second": 14, "per_day": 50_000}}
SENDGRID = {
    "name": "sendgrid",
    "kind": "sendgrid",
    "weight": 50,
    "secret": "providers/sendgrid",
    "webhook_public_key": "a key",
}
POSTMARK = {"name": "postmark", "kind": "postmark", "weight": 1, "secret": "providers/postmark"}
BOOTSTRAP = {
    "StackName": "CDKToolkit",
    "StackStatus": "CREATE_COMPLETE",
    "Outputs": [{"OutputKey": "BootstrapVersion", "OutputValue": "28"}],
}
ACCOUNT = {
    "SendingEnabled": True,
    "ProductionAccessEnabled": True,
    "EnforcementStatus": "HEALTHY",
    "SendQuota": {"MaxSendRate": 14.0, "Max24HourSend": 50_000.0, "SentLast24Hours": 12.0},
}
DOMAIN = {"IdentityType": "DOMAIN", "IdentityName": "news.example.com", "SendingEnabled": True}


def stacks(**status: str) -> Callable[..., dict[str, Any]]:
    """`DescribeStacks` of CDKToolkit and of what is named, e.g. `dev="CREATE_COMPLETE"`."""

    def describe(*, StackName: str) -> dict[str, Any]:  # noqa: N803  # AWS's
        if StackName == "CDKToolkit":
            return {"Stacks": [BOOTSTRAP]}
        stage = StackName.removeprefix("tidepost-")
        if stage in status:
            return {"Stacks": [{"StackName": StackName, "StackStatus": status[stage]}]}
        return refusal("cloudformation", "DescribeStacks", "ValidationError")()

    return describe


READY: dict[str, Reply] = {
    "sts.GetCallerIdentity": {
        "Account": "111111111111",
        "Arn": "arn:aws:sts::111111111111:assumed-role/Admin/ada@example.com",
    },
    "cloudformation.DescribeStacks": stacks(),
    "dynamodb.ListTables": {"TableNames": ["orders"]},
    "sqs.ListQueues": {},
    "secretsmanager.ListSecrets": {"SecretList": []},
    "logs.DescribeLogGroups": {"logGroups": []},
    "sesv2.GetConfigurationSet": refusal("sesv2", "GetConfigurationSet", "NotFoundException"),
    "lambda.GetAccountSettings": {
        "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}
    },
    "lambda.GetFunctionConcurrency": refusal(
        "lambda", "GetFunctionConcurrency", "ResourceNotFoundException"
    ),
    "sesv2.GetAccount": ACCOUNT,
    "sesv2.ListEmailIdentities": {"EmailIdentities": [DOMAIN]},
    "sesv2.GetEmailIdentity": {"DkimAttributes": {"Status": "SUCCESS"}},
}


class Desk:
    """Runs preflight over set answers and keeps what was printed."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "providers.json"
        self.write(SES, SENDGRID, POSTMARK)
        self.lines: list[str] = []

    def write(self, *providers: dict[str, Any]) -> None:
        self.path.write_text(json.dumps({"providers": providers}))

    def look(
        self,
        stage: str = "dev",
        *,
        region: str = "us-east-1",
        emulated: bool = False,
        reserve: bool = True,
        acl: bool = False,
        **changed: Reply,
    ) -> list[Finding]:
        answers = READY | {key.replace("__", "."): reply for key, reply in changed.items()}
        aws = FakeAws(answers, region=region, emulated=emulated)
        choices = Choices(self.path, reserve=reserve, cloudfront_acl=acl)
        return preflight(aws, facts_of(stage), choices, self.lines.append)

    def worst(self, **changed: Any) -> tuple[list[str], list[str]]:
        """The details of all warnings and of all failures."""
        found = self.look(**changed)
        return (
            [f.detail for f in found if f.verdict is Verdict.WARN],
            [f.detail for f in found if f.verdict is Verdict.FAIL],
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_account_that_is_ready_is_all_ok(desk: Desk) -> None:
    assert {finding.verdict for finding in desk.look()} == {Verdict.OK}


def test_a_session_name_which_may_be_an_address_is_not_shown(desk: Desk) -> None:
    desk.look()
    assert "assumed-role/Admin" in "\n".join(desk.lines)
    assert "ada@" not in "\n".join(desk.lines)


def test_it_names_the_secrets_to_set(desk: Desk) -> None:
    desk.look()
    text = "\n".join(desk.lines)
    assert "tidepost/dev/providers/sendgrid" in text
    assert "server_token, webhook_user, webhook_password" in text


def test_an_invalid_providers_json_is_explained_and_ends_the_look(desk: Desk) -> None:
    desk.write(SES | {"weight": -1})
    _, failures = desk.worst()
    assert len(failures) == 1
    assert "providers.0.ses.weight" in failures[0]


def test_a_missing_providers_json_is_a_failure(desk: Desk) -> None:
    desk.path.unlink()
    _, failures = desk.worst()
    assert "providers.json" in failures[0]


def test_without_credentials_nothing_else_is_asked(desk: Desk) -> None:
    denied = refusal("sts", "GetCallerIdentity", "InvalidClientTokenId")
    _, failures = desk.worst(sts__GetCallerIdentity=denied)
    assert len(failures) == 1
    assert "InvalidClientTokenId" in failures[0]


def test_a_region_is_needed(desk: Desk) -> None:
    _, failures = desk.worst(region="")
    assert failures == ["no region is configured"]


def test_ses_in_another_region_than_the_stack_is_a_failure(desk: Desk) -> None:
    _, failures = desk.worst(region="eu-west-1")
    assert "sends in us-east-1" in failures[0]


def test_prod_outside_us_east_1_needs_a_web_acl(desk: Desk) -> None:
    desk.write(SENDGRID)
    _, failures = desk.worst(stage="prod", region="eu-west-1")
    assert "web ACL" in failures[0]
    assert desk.worst(stage="prod", region="eu-west-1", acl=True)[1] == []


def test_a_missing_bootstrap_stack_is_a_failure(desk: Desk) -> None:
    none = refusal("cloudformation", "DescribeStacks", "ValidationError")
    _, failures = desk.worst(cloudformation__DescribeStacks=none)
    assert any("CDKToolkit" in failure for failure in failures)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("CREATE_COMPLETE", Verdict.OK),
        ("UPDATE_ROLLBACK_COMPLETE", Verdict.OK),
        ("REVIEW_IN_PROGRESS", Verdict.OK),
        ("UPDATE_IN_PROGRESS", Verdict.FAIL),
        ("ROLLBACK_COMPLETE", Verdict.FAIL),
        ("DELETE_FAILED", Verdict.FAIL),
    ],
)
def test_the_stacks_state_decides_whether_it_can_be_updated(
    desk: Desk, status: str, verdict: Verdict
) -> None:
    found = desk.look(cloudformation__DescribeStacks=stacks(dev=status))
    about = [f for f in found if "tidepost-dev is" in f.detail or "names are free" in f.detail]
    assert [finding.verdict for finding in about] == [verdict]


def test_leftovers_of_a_deployment_that_is_gone_are_named(desk: Desk) -> None:
    _, failures = desk.worst(
        dynamodb__ListTables={"TableNames": ["orders", "tidepost-dev-ledger"]},
        secretsmanager__ListSecrets={"SecretList": [{"Name": "tidepost/dev/subscriber-id-key"}]},
    )
    (failure,) = failures
    assert failure.endswith("1 tables, 1 secrets")


def lambda_limits(total: int, free: int) -> dict[str, Any]:
    return {"AccountLimit": {"ConcurrentExecutions": total, "UnreservedConcurrentExecutions": free}}


def test_a_new_account_of_ten_executions_refuses_the_reservation(desk: Desk) -> None:
    _, failures = desk.worst(lambda__GetAccountSettings=lambda_limits(10, 10))
    assert failures[0].startswith("10 of 10 concurrent executions are free")
    text = "\n".join(desk.lines)
    assert "-c reserve_concurrency=no" in text
    assert "L-B99A9384" in text


def test_without_a_reservation_ten_executions_are_only_a_warning(desk: Desk) -> None:
    warnings, failures = desk.worst(reserve=False, lambda__GetAccountSettings=lambda_limits(10, 10))
    assert failures == []
    assert "10 concurrent executions in all" in warnings[0]


def test_what_this_stage_has_reserved_already_counts_as_free(desk: Desk) -> None:
    changed: dict[str, Reply] = {
        "lambda__GetAccountSettings": lambda_limits(1000, 100),
        "lambda__GetFunctionConcurrency": {"ReservedConcurrentExecutions": 8},
    }
    assert desk.worst(**changed)[1] == []


def test_the_ses_sandbox_is_a_warning_in_dev_and_a_failure_in_prod(desk: Desk) -> None:
    sandbox = ACCOUNT | {"ProductionAccessEnabled": False}
    assert "sandbox" in desk.worst(sesv2__GetAccount=sandbox)[0][0]
    assert "sandbox" in desk.worst(stage="prod", sesv2__GetAccount=sandbox)[1][0]


def test_a_paused_ses_account_is_a_failure(desk: Desk) -> None:
    paused = ACCOUNT | {"SendingEnabled": False, "EnforcementStatus": "SHUTDOWN"}
    assert "does not send" in desk.worst(sesv2__GetAccount=paused)[1][0]


def test_an_ses_account_under_review_is_a_warning(desk: Desk) -> None:
    review = ACCOUNT | {"EnforcementStatus": "PROBATION"}
    assert "under review" in desk.worst(sesv2__GetAccount=review)[0][0]


def test_limits_above_the_ses_quotas_are_warnings_with_the_number_to_set(desk: Desk) -> None:
    small = ACCOUNT | {"SendQuota": {"MaxSendRate": 1.0, "Max24HourSend": 200.0}}
    assert len(desk.worst(sesv2__GetAccount=small)[0]) == 2
    text = "\n".join(desk.lines)
    assert 'set "per_second": 1 in' in text
    assert 'set "per_day": 200 in' in text


def test_an_unlimited_ses_quota_is_fine(desk: Desk) -> None:
    unlimited = ACCOUNT | {"SendQuota": {"MaxSendRate": 500.0, "Max24HourSend": -1.0}}
    assert desk.worst(sesv2__GetAccount=unlimited) == ([], [])


def test_ses_needs_a_verified_domain(desk: Desk) -> None:
    waiting = DOMAIN | {"SendingEnabled": False}
    address = DOMAIN | {"IdentityType": "EMAIL_ADDRESS", "IdentityName": "ada@example.com"}
    listed = {"EmailIdentities": [waiting, address]}
    warnings, failures = desk.worst(stage="prod", sesv2__ListEmailIdentities=listed)
    assert warnings == ["not verified yet: news.example.com"]
    assert "no verified domain" in failures[0]
    assert "ada@" not in "\n".join(desk.lines)


def test_a_domain_without_dkim_is_a_warning(desk: Desk) -> None:
    pending = {"DkimAttributes": {"Status": "PENDING"}}
    assert "DKIM" in desk.worst(sesv2__GetEmailIdentity=pending)[0][0]


def test_a_provider_of_weight_zero_is_not_looked_at(desk: Desk) -> None:
    desk.write(SES | {"weight": 0}, SENDGRID)
    found = desk.look(sesv2__GetAccount=refusal("sesv2", "GetAccount", "AccessDenied"))
    assert [f.verdict for f in found if "weight 0 and is" in f.detail] == [Verdict.SKIPPED] * 2


def test_sendgrid_without_a_webhook_key_is_a_warning(desk: Desk) -> None:
    desk.write(SENDGRID | {"webhook_public_key": ""})
    assert "webhook_public_key" in desk.worst()[0][0]


def test_a_call_that_is_denied_fails_its_own_check_alone(desk: Desk) -> None:
    _, failures = desk.worst(sesv2__GetAccount=refusal("sesv2", "GetAccount", "AccessDenied"))
    assert len(failures) == 1
    assert "sesv2 GetAccount" in failures[0]


def test_an_endpoint_of_ones_own_skips_what_it_has_nothing_of(desk: Desk) -> None:
    desk.look(emulated=True)
    assert sum("skipped: not on this endpoint" in line for line in desk.lines) == 3


def test_the_command_ends_with_1_if_anything_failed(desk: Desk) -> None:
    def run(region: str) -> int:
        def make() -> Aws:
            return FakeAws(READY, region=region)

        arguments = ["--stage", "dev", "--providers", str(desk.path)]
        return main(arguments, make_aws=make, say=desk.lines.append)

    assert run("us-east-1") == 0
    assert run("eu-west-1") == 1
    assert desk.lines[-1].endswith("1 fail, 0 skipped")


def test_an_unknown_stage_is_said(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--stage", "qa", "--providers", str(desk.path)], make_aws=lambda: FakeAws({})) == 1
    assert "no stage 'qa'" in capsys.readouterr().err
