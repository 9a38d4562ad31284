"""Whether an AWS account and region can take a deployment. Reads only."""

from __future__ import annotations

from collections.abc import Iterator

from ops.aws import Aws
from ops.findings import Finding, fail, ok, warn
from ops.ses_checks import own_accounts
from ops.stage_facts import StageFacts
from shared.config import Providers

CONCURRENCY_QUOTA = "L-B99A9384"
"""Lambda's quota *Concurrent executions*, as Service Quotas calls it."""

_UNRESERVED = 100
"""Executions that Lambda keeps for functions without a reservation:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""

_ENOUGH = 1000
_BOOTSTRAP_STACK, _BOOTSTRAP_VERSION = "CDKToolkit", 6
"""CDK's default synthesizer asks for this version of the bootstrap stack."""

_CLOUDFRONT_REGION = "us-east-1"
_NO_STACK = "ValidationError"
_STUCK = frozenset(
    {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "CREATE_FAILED",
     "UPDATE_ROLLBACK_FAILED"}
)  # fmt: skip
_UNUSED = frozenset({"REVIEW_IN_PROGRESS", "DELETE_COMPLETE"})


def credentials(aws: Aws) -> Iterator[Finding]:
    """Who calls, and in which account and region."""
    caller = aws.call("sts", "GetCallerIdentity")
    yield ok(f"account {caller['Account']}, region {aws.region}, as {_short(caller['Arn'])}")


def region(aws: Aws, facts: StageFacts, providers: Providers, *, acl_given: bool) -> list[Finding]:
    """Whether what is configured fits the region of the stack."""
    found = [
        fail(
            f"provider {provider.name} sends in {provider.region}, but its events are set up"
            f" where the stack is, in {aws.region}",
            f'set "region": "{aws.region}" in providers.json, or deploy to {provider.region}',
        )
        for provider in own_accounts(providers)
        if not provider.topic_arns and provider.region != aws.region
    ]
    if facts.firewall and aws.region != _CLOUDFRONT_REGION and not acl_given:
        found.append(
            fail(
                f"outside {_CLOUDFRONT_REGION}, stage {facts.name} needs a web ACL for CloudFront"
                " that you made there",
                "make one, deploy with -c cloudfront_acl_arn=<arn> and say --cloudfront-acl here",
            )
        )
    return found or [ok(f"providers.json and stage {facts.name} fit {aws.region}")]


def bootstrap(aws: Aws) -> Iterator[Finding]:
    """Whether CDK has been set up here."""
    todo = "run `cdk bootstrap` (docs/deploy.md, step 2)"
    answer = aws.maybe("cloudformation", "DescribeStacks", _NO_STACK, StackName=_BOOTSTRAP_STACK)
    if answer is None:
        yield fail(f"there is no stack {_BOOTSTRAP_STACK}: CDK has not been set up here", todo)
        return
    outputs = {o["OutputKey"]: o["OutputValue"] for o in answer["Stacks"][0].get("Outputs", ())}
    version = int(outputs.get("BootstrapVersion", 0))
    if version < _BOOTSTRAP_VERSION:
        yield fail(f"the bootstrap stack is of version {version or 'unknown'}, too old", todo)
    else:
        yield ok(f"bootstrap version {version}")


def stack(aws: Aws, facts: StageFacts, configuration_sets: tuple[str, ...]) -> Iterator[Finding]:
    """Whether the stack can be made or updated, and nothing stands in its way."""
    answer = aws.maybe("cloudformation", "DescribeStacks", _NO_STACK, StackName=facts.prefix)
    status = answer["Stacks"][0]["StackStatus"] if answer else "DELETE_COMPLETE"
    if status in _STUCK:
        yield fail(
            f"stack {facts.prefix} is {status}",
            "docs/deploy.md, 'When a deployment fails', says how to go on",
        )
    elif status in _UNUSED:
        yield from _leftovers(aws, facts, configuration_sets)
    elif status.endswith("_IN_PROGRESS"):
        yield fail(f"stack {facts.prefix} is {status}", "wait until that has ended")
    else:
        yield ok(f"{facts.prefix} is {status} and will be updated")


def concurrency(aws: Aws, facts: StageFacts, *, reserve: bool) -> Iterator[Finding]:
    """Whether Lambda lets the dispatcher have its reservation."""
    limits = aws.call("lambda", "GetAccountSettings")["AccountLimit"]
    total, free = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    ask = (
        f"ask for quota {CONCURRENCY_QUOTA}: aws service-quotas request-service-quota-increase"
        f" --service-code lambda --quota-code {CONCURRENCY_QUOTA} --desired-value {_ENOUGH}"
    )
    if not reserve:
        wanted = facts.bulk + facts.transactional
        if total < wanted + _UNRESERVED:
            yield warn(
                f"{total} concurrent executions in all, without a reservation: a campaign's"
                f" {wanted} dispatchers may leave the API none",
                ask,
            )
        else:
            yield ok(f"{total} concurrent executions in all, nothing to be reserved")
        return
    own = aws.maybe(
        "lambda",
        "GetFunctionConcurrency",
        "ResourceNotFoundException",
        FunctionName=facts.function("dispatcher"),
    )
    free += (own or {}).get("ReservedConcurrentExecutions", 0)
    if free - facts.reserved < _UNRESERVED:
        yield fail(
            f"{free} of {total} concurrent executions are free; the dispatcher reserves"
            f" {facts.reserved} and Lambda keeps {_UNRESERVED} for all else",
            f"deploy with -c reserve_concurrency=no (and say --no-reserve here), or {ask}",
        )
    else:
        yield ok(f"{free} of {total} concurrent executions free, {facts.reserved} to be reserved")


def _leftovers(
    aws: Aws, facts: StageFacts, configuration_sets: tuple[str, ...]
) -> Iterator[Finding]:
    """What a deployment that is gone left behind: CloudFormation would refuse to make it again."""
    prefix = facts.prefix + "-"
    found: dict[str, int] = {
        "tables": sum(
            n.startswith(prefix) for n in aws.every("dynamodb", "ListTables", "TableNames")
        ),
        "queues": len(aws.every("sqs", "ListQueues", "QueueUrls", QueueNamePrefix=prefix)),
        "secrets": len(
            aws.every(
                "secretsmanager",
                "ListSecrets",
                "SecretList",
                IncludePlannedDeletion=True,
                Filters=[{"Key": "name", "Values": [facts.secret_prefix + "/"]}],
            )
        ),
        "log groups": sum(
            len(aws.every("logs", "DescribeLogGroups", "logGroups", logGroupNamePrefix=start))
            for start in (f"/aws/lambda/{prefix}", f"/aws/vendedlogs/{prefix}")
        ),
        "SES configuration sets": sum(
            aws.maybe(
                "sesv2", "GetConfigurationSet", "NotFoundException", ConfigurationSetName=name
            )
            is not None
            for name in configuration_sets
        ),
    }
    left = ", ".join(f"{count} {kind}" for kind, count in found.items() if count)
    if left:
        yield fail(
            f"there is no stack {facts.prefix}, but there are resources of its names: {left}",
            "docs/deploy.md, 'When a deployment fails', says how to take them over or remove them",
        )
    else:
        yield ok(f"{facts.prefix} is not there yet, and its names are free")


def _short(arn: str) -> str:
    """`assumed-role/Admin/...` of a caller's ARN, without a session's name (often an address)."""
    return "/".join(arn.rpartition(":")[2].split("/")[:2])
