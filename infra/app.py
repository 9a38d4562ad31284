"""The CDK app: one stack per run, of the stage that `-c stage=` names.

Context: `stage` (local, dev, prod), `providers`, `delivery_rules`, `warming_schedule` (paths),
`public_url`, `alarm_email`, `cloudfront_acl_arn`, `dns_servers` and `upload_origins`
(separated by commas), `settle_deadline_s`, `mx_lookup` (`yes`),
`reserve_concurrency` (`no` in an AWS account that refuses reservations),
`cli_credentials` (`yes`: deploy with the caller's own rights, not with bootstrap's roles).
"""

from __future__ import annotations

import os
from pathlib import Path

from aws_cdk import App, CliCredentialsStackSynthesizer, Environment, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from infra.python_function import ROOT
from infra.stack import Choices, TidepostStack
from infra.stages import stage_of

_OF_DEPLOYMENT = ("settle_deadline_s", "mx_lookup")


def build(app: App, *, account: str | None, region: str) -> TidepostStack:
    """Fills the app with the stack that its context asks for.

    Raises:
        ConfigurationError: a context value or a configuration file is wrong.
    """

    def context(name: str, default: str = "") -> str:
        return str(app.node.try_get_context(name) or default)

    stage = stage_of(context("stage", "dev"), reserve=context("reserve_concurrency", "yes") != "no")
    dns_servers, origins = context("dns_servers"), context("upload_origins")
    stack = TidepostStack(
        app,
        stage.prefix,
        stage=stage,
        choices=Choices(
            providers=Path(context("providers", str(ROOT / "config" / "providers.json"))),
            warming_schedule=Path(
                context("warming_schedule", str(ROOT / "config" / "warming_schedule.json"))
            ),
            delivery_rules=Path(
                context("delivery_rules", str(ROOT / "config" / "delivery_rules.json"))
            ),
            public_url=context("public_url"),
            alarm_email=context("alarm_email"),
            cloudfront_acl_arn=context("cloudfront_acl_arn"),
            dns_servers=tuple(dns_servers.split(",")) if dns_servers else (),
            upload_origins=tuple(origins.split(",")) if origins else (),
            deployment={name: context(name) for name in _OF_DEPLOYMENT if context(name)},
        ),
        env=Environment(account=account, region=region),
        synthesizer=(
            CliCredentialsStackSynthesizer() if context("cli_credentials") == "yes" else None
        ),
        termination_protection=stage.retain,
        description=f"Tidepost, stage {stage.name}",
    )
    Tags.of(app).add("application", "tidepost")
    Tags.of(app).add("stage", stage.name)
    Validations.of(app).add_plugins(AwsSolutionsChecks())
    return stack


def main() -> None:
    """Run by the CDK CLI, which passes context, account and region."""
    app = App()
    build(
        app,
        account=os.environ.get("CDK_DEFAULT_ACCOUNT"),
        region=os.environ.get("CDK_DEFAULT_REGION", "us-east-1"),
    )
    app.synth()


if __name__ == "__main__":
    main()
