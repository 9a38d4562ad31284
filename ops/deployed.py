"""A deployment as it stands: the stack's outputs and its providers.json."""

from __future__ import annotations

from dataclasses import dataclass

from ops.aws import Aws
from ops.stage_facts import OUTPUTS, StageFacts
from shared.config import Deployment, Providers
from shared.errors import ConfigurationError

_READY = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the three gateways answer; no slash at the end."""

    api: str
    webhooks: str
    public: str


@dataclass(frozen=True, slots=True)
class Deployed:
    """What was deployed. `urls.public` is what stands in mails."""

    status: str
    outputs: dict[str, str]
    providers: Providers
    urls: Urls


def read_deployed(
    aws: Aws, facts: StageFacts, *, api: str = "", webhooks: str = "", public: str = ""
) -> Deployed:
    """Reads it. URLs that are given stand in for the stack's own.

    Raises:
        ConfigurationError: there is no such stack, or it is not whole.
        AwsRefused: AWS refused a call.
    """
    answer = aws.maybe(
        "cloudformation", "DescribeStacks", "ValidationError", StackName=facts.prefix
    )
    if answer is None:
        raise ConfigurationError(
            f"there is no stack {facts.prefix} in {aws.region}: deploy it, or name another stage"
            " or region"
        )
    stack = answer["Stacks"][0]
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", ())}
    missing = [name for name in OUTPUTS if name not in outputs]
    if stack["StackStatus"] not in _READY or missing:
        lacks = f" and lacks the outputs {', '.join(missing)}" if missing else ""
        raise ConfigurationError(
            f"stack {facts.prefix} is {stack['StackStatus']}{lacks}: see its events in the"
            " CloudFormation console"
        )
    deployment = Deployment.parse(_parameter(aws, facts, "deployment"))
    providers = Providers.parse(_parameter(aws, facts, "providers"))
    urls = Urls(
        (api or outputs["ApiUrl"]).rstrip("/"),
        (webhooks or outputs["WebhooksUrl"]).rstrip("/"),
        (public or deployment.public_url).rstrip("/"),
    )
    return Deployed(stack["StackStatus"], outputs, providers, urls)


def _parameter(aws: Aws, facts: StageFacts, name: str) -> str:
    answer = aws.call("ssm", "GetParameter", Name=f"{facts.parameter_path}/{name}")
    return str(answer["Parameter"]["Value"])
