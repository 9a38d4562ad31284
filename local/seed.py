"""What an operator does after a deployment: secrets, URLs, webhooks, the first key."""

from __future__ import annotations

import json
from typing import Any

from local.aws import client
from local.deploy import STAGE, Deployed
from local.failure import LocalCloudError
from local.sandbox_client import SandboxClient
from local.servers import SandboxServer
from ops.first_key import first_key
from ops.jobs_function import CommandFailed
from shared.config import PostmarkProvider, Providers, SendGridProvider


def put_secrets(deployed: Deployed, providers: Providers, identity: dict[str, Any]) -> None:
    """The sandbox's credentials become the ESP accounts' secrets."""
    secrets = client("secretsmanager", deployed.aws_url)
    for provider in providers.providers:
        if isinstance(provider, SendGridProvider):
            value = {"api_key": identity["sendgrid_api_key"]}
        elif isinstance(provider, PostmarkProvider):
            value = {
                "server_token": identity["postmark_server_token"],
                "webhook_user": identity["postmark_webhook_user"],
                "webhook_password": identity["postmark_webhook_password"],
            }
        else:
            continue
        secrets.put_secret_value(
            SecretId=f"tidepost/{STAGE}/{provider.secret}", SecretString=json.dumps(value)
        )


def put_deployment(deployed: Deployed, dns: str) -> None:
    """Where recipients open links, and which resolver knows the sender domains."""
    value = {"public_url": deployed.public_url, "dns_servers": [dns]}
    client("ssm", deployed.aws_url).put_parameter(
        Name=f"/tidepost/{STAGE}/deployment",
        Value=json.dumps(value),
        Type="String",
        Overwrite=True,
    )


def webhook_settings(deployed: Deployed, providers: Providers) -> dict[str, Any]:
    """Where the sandbox reports events, as part of its behaviour document.

    Events of the first account of each kind go to that account's webhook; SES
    reports into the queue, as SNS does.
    """
    settings: dict[str, Any] = {}
    for provider in providers.providers:
        if provider.kind == "ses":
            webhook = {
                "mode": "sqs",
                "url": deployed.outputs["SesEventsQueueUrl"],
                "endpoint_url": deployed.aws_url,
            }
        else:
            webhook = {"url": f"{deployed.webhooks_url}/webhooks/{provider.name}"}
        settings.setdefault(provider.kind, {"webhook": webhook})
    return {"providers": settings}


def make_key(deployed: Deployed, workspace: str) -> str:
    """A new workspace's first API key.

    Raises:
        LocalCloudError: the jobs function made none.
    """
    try:
        # One attempt: a second one could make a second workspace.
        made = first_key(client("lambda", deployed.aws_url, attempts=1), STAGE, workspace)
    except CommandFailed as error:
        raise LocalCloudError(
            f"no API key could be made: {error}\nThe functions' logs are in the emulator:"
            f" AWS_ENDPOINT_URL={deployed.aws_url} aws logs tail /aws/lambda/tidepost-{STAGE}-jobs"
        ) from error
    return made["api_key"]


def operate(deployed: Deployed, providers: Providers, sandbox: SandboxServer) -> None:
    """All but the key."""
    put_secrets(deployed, providers, sandbox.identity)
    put_deployment(deployed, sandbox.dns)
    SandboxClient(sandbox.url).behave(webhook_settings(deployed, providers))
