"""One role per function, its policy written out from infra/grants.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import grants
from infra.files import Files
from infra.nag import acknowledge, wildcard
from infra.queues import Queues
from infra.stages import Stage
from infra.tables import Tables
from shared.config import Providers, SesProvider
from shared.errors import ConfigurationError

_CONSUME = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
# All four are asked for before an event source is made.
_STREAM = (
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
)
# SES v2 checks its older actions too: SendRawEmail where a message has headers of
# its own, SendBulkTemplatedEmail beneath SendBulkEmail.
_SES = (
    "ses:SendEmail",
    "ses:SendRawEmail",
    "ses:SendBulkEmail",
    "ses:SendBulkTemplatedEmail",
)
# They take no resource: an account has one list in each region.
_SES_SUPPRESSIONS = (
    "ses:ListSuppressedDestinations",
    "ses:PutSuppressedDestination",
    "ses:DeleteSuppressedDestination",
)
# `<workspace>/messages/<message>`
_OF_MESSAGES = "*/messages/*"


@dataclass(frozen=True, slots=True)
class Resources:
    """What the functions' grants are about."""

    stage: Stage
    tables: Tables
    queues: Queues
    files: Files
    providers: Providers


class FunctionRole(iam.Role):
    """The role of the function called `name`: what grants.py gives it, and its own log."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        resources: Resources,
        log_group: logs.ILogGroup,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What functions/{name} may do",
        )
        policy = iam.Policy(
            self,
            "Access",
            roles=[self],
            statements=[
                *_tables(name, resources),
                *_queues(name, resources.queues),
                *_files(name, resources.files),
                *_secrets(name, resources),
                *_parameters(name, resources.stage),
                *_providers(name, resources.providers),
                _statement(
                    "Logs", ("logs:CreateLogStream", "logs:PutLogEvents"), [log_group.log_group_arn]
                ),
                *_tracing(resources.stage),
            ],
        )
        acknowledge(policy, _wildcards(name, resources))


def _statement(sid: str, actions: Sequence[str], resources: Sequence[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid=sid, actions=list(actions), resources=list(resources))


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.replace("_", "-").split("-"))


def _tables(name: str, resources: Resources) -> list[iam.PolicyStatement]:
    statements = [
        _statement(
            f"Table{_camel(table)}",
            [action for letter in letters[name] for action in grants.TABLE_ACTIONS[letter]],
            [resources.tables.by_name[table].table_arn],
        )
        for table, letters in grants.TABLES.items()
        if name in letters
    ]
    statements += [
        _statement(
            f"Index{_camel(table)}",
            ["dynamodb:Query"],
            [f"{resources.tables.by_name[table].table_arn}/index/{index}"],
        )
        for table, index in grants.INDEXES.get(name, ())
    ]
    if table := grants.STREAM_READERS.get(name):
        stream = resources.tables.by_name[table].table_stream_arn
        if stream is None:
            raise ConfigurationError(f"table {table} has no stream: see infra/tables.py")
        statements.append(_statement(f"Stream{_camel(table)}", _STREAM, [stream]))
    return statements


def _queues(name: str, queues: Queues) -> list[iam.PolicyStatement]:
    on_failure = {reader: (queue,) for reader, queue in grants.ON_FAILURE.items()}
    return [
        _statement(
            f"{verb}{_camel(queue)}",
            actions,
            [queues.by_name[queue].queue_arn],
        )
        for verb, actions, granted in (
            ("Send", ("sqs:SendMessage",), grants.SENDS),
            ("SendFailed", ("sqs:SendMessage",), on_failure),
            ("Consume", _CONSUME, grants.CONSUMES),
        )
        for queue in granted.get(name, ())
    ]


def _files(name: str, files: Files) -> list[iam.PolicyStatement]:
    bucket = files.bucket
    objects = []
    if name in grants.FILES:
        actions = ["s3:GetObject", "s3:PutObject"]
        if name in grants.FILE_DELETERS:
            actions.append("s3:DeleteObject")
        objects.append(_statement("Files", actions, [bucket.arn_for_objects("*")]))
    if name in grants.MESSAGE_FILES:
        of_messages = bucket.arn_for_objects(_OF_MESSAGES)
        objects.append(_statement("MessageFiles", ["s3:GetObject"], [of_messages]))
    if objects:
        objects.append(_statement("FilesList", ["s3:ListBucket"], [bucket.bucket_arn]))
    return objects


def _secrets(name: str, resources: Resources) -> list[iam.PolicyStatement]:
    names = list(grants.SECRETS.get(name, ()))
    if name in grants.PROVIDER_SECRETS:
        names += sorted(provider_secrets(resources.providers))
    if not names:
        return []
    # Secrets Manager appends a dash and six random characters to a secret's name.
    prefix = f"{_arn('secretsmanager')}:secret:{resources.stage.secret_prefix}"
    return [
        _statement(
            "Secrets",
            ["secretsmanager:GetSecretValue"],
            [f"{prefix}/{secret}-??????" for secret in names],
        )
    ]


def _parameters(name: str, stage: Stage) -> list[iam.PolicyStatement]:
    names = grants.PARAMETERS.get(name, ())
    if not names:
        return []
    prefix = f"{_arn('ssm')}:parameter{stage.parameter_path}"
    return [
        _statement(
            "Parameters", ["ssm:GetParameter"], [f"{prefix}/{parameter}" for parameter in names]
        )
    ]


def _providers(name: str, providers: Providers) -> list[iam.PolicyStatement]:
    accounts = [p for p in providers.providers if isinstance(p, SesProvider)]
    statements = []
    if name in grants.SES_SENDERS and accounts:
        statements.append(_statement("SesSend", _SES, _ses_resources(accounts)))
    if name in grants.SES_SUPPRESSORS and accounts:
        statements.append(_statement("SesSuppressions", _SES_SUPPRESSIONS, ["*"]))
    topics = sorted({topic for account in accounts for topic in account.topic_arns})
    if name in grants.TOPIC_CONFIRMERS and topics:
        statements.append(_statement("ConfirmTopics", ["sns:ConfirmSubscription"], topics))
    return statements


def _ses_resources(accounts: Sequence[SesProvider]) -> list[str]:
    found = set()
    for account in accounts:
        prefix = _arn("ses", account.region)
        found.add(f"{prefix}:identity/*")
        if account.configuration_set:
            found.add(f"{prefix}:configuration-set/{account.configuration_set}")
    return sorted(found)


def _tracing(stage: Stage) -> list[iam.PolicyStatement]:
    if not stage.observed:
        return []
    return [_statement("Tracing", ("xray:PutTraceSegments", "xray:PutTelemetryRecords"), ["*"])]


def _wildcards(name: str, resources: Resources) -> dict[str, str]:
    """The wildcards that no exact resource can replace, each with its reason."""
    found = {}
    accounts = [p for p in resources.providers.providers if isinstance(p, SesProvider)]
    on_lists = name in grants.SES_SUPPRESSORS and bool(accounts)
    if resources.stage.observed or on_lists:
        who = ["X-Ray's"] * resources.stage.observed + ["SES's suppression list's"] * on_lists
        found[wildcard("*")] = f"{' and '.join(who)} actions take no resource."
    if name in grants.FILES:
        found[wildcard("/*", of=resources.files.bucket)] = "Keys of uploads are made at run time."
    if name in grants.MESSAGE_FILES:
        found[wildcard(f"/{_OF_MESSAGES}", of=resources.files.bucket)] = (
            "Keys are a workspace's and a message's, both made at run time."
        )
    if name in grants.SES_SENDERS:
        for resource in _ses_resources(accounts):
            if resource.endswith("*"):
                found[wildcard(resource)] = (
                    "Sender domains are added at run time; each send checks whose domain it is."
                )
    return found


def provider_secrets(providers: Providers) -> set[str]:
    """The names of the ESP secrets, after the deployment's prefix."""
    return {p.secret for p in providers.providers if not isinstance(p, SesProvider)}


def _arn(service: str, region: str = Aws.REGION) -> str:
    return f"arn:{Aws.PARTITION}:{service}:{region}:{Aws.ACCOUNT_ID}"
