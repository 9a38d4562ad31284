"""Looks at an AWS account and region before `cdk deploy`; changes nothing.

`python -m ops.preflight --stage dev --providers config/providers.json`

Region, profile and endpoint come from the environment (`AWS_REGION`,
`AWS_PROFILE`, `AWS_ENDPOINT_URL`). Prints a table, each line `ok`, `warn` or
`fail` with what to do, and ends with 1 if anything failed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError

from ops import account_checks, ses_checks
from ops.aws import Aws
from ops.findings import Check, Finding, Say, Verdict, conclude, fail, ok, perform, skipped, warn
from ops.secret_checks import wanted_secrets
from ops.stage_facts import StageFacts, facts_of
from shared.config import Providers, SendGridProvider, SesProvider
from shared.errors import ConfigurationError, TidepostError


@dataclass(frozen=True, slots=True)
class Choices:
    """What the deployment is going to be given."""

    providers: Path
    reserve: bool = True
    cloudfront_acl: bool = False


def preflight(aws: Aws, facts: StageFacts, choices: Choices, say: Say) -> list[Finding]:
    """Looks at everything that can be looked at, and prints as it goes."""
    read: list[Providers] = []
    found = perform(
        [Check("providers.json", lambda: _providers(choices, read))], say, emulated=False
    )
    basic = Check("credentials", lambda: _credentials(aws))
    found += perform([basic], say, emulated=aws.emulated)
    if any(finding.verdict is Verdict.FAIL for finding in found):
        say("         The rest is looked at once this is mended.")
        return found
    checks = _checks(aws, facts, read[0], choices)
    return found + perform(checks, say, emulated=aws.emulated)


def main(
    arguments: Sequence[str] | None = None, *, make_aws: Callable[[], Aws] = Aws, say: Say = print
) -> int:
    """Runs the command; 0 if nothing failed."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.preflight", description="Look at an account before deploying to it."
    )
    parser.add_argument("--stage", required=True, help="dev or prod")
    parser.add_argument("--providers", type=Path, default=Path("config/providers.json"))
    parser.add_argument(
        "--no-reserve", action="store_true", help="you deploy with -c reserve_concurrency=no"
    )
    parser.add_argument(
        "--cloudfront-acl", action="store_true", help="you deploy with -c cloudfront_acl_arn=..."
    )
    options = parser.parse_args(arguments)
    choices = Choices(
        options.providers, reserve=not options.no_reserve, cloudfront_acl=options.cloudfront_acl
    )
    try:
        found = preflight(make_aws(), facts_of(options.stage), choices, say)
    except (TidepostError, BotoCoreError) as error:
        print(f"preflight: {error}", file=sys.stderr)
        return 1
    return conclude(found, say)


def _providers(choices: Choices, read: list[Providers]) -> Iterator[Finding]:
    try:
        providers = Providers.parse(choices.providers.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ConfigurationError) as error:
        yield fail(f"{choices.providers}: {error}", "correct the file, or name another")
        return
    read.append(providers)
    names = ", ".join(f"{p.name} ({p.kind}, weight {p.weight})" for p in providers.providers)
    yield ok(names)
    for provider in providers.providers:
        if isinstance(provider, SendGridProvider) and not provider.webhook_public_key:
            yield warn(
                f"{provider.name} has no webhook_public_key: its events will be refused",
                "after this deployment set the event webhook up, put the key here, deploy again"
                " (docs/deploy.md, step 9)",
            )


def _credentials(aws: Aws) -> Iterator[Finding]:
    if not aws.region:
        yield fail("no region is configured", "export AWS_REGION=eu-west-1, or whichever it is")
        return
    yield from account_checks.credentials(aws)


def _checks(aws: Aws, facts: StageFacts, providers: Providers, choices: Choices) -> Iterator[Check]:
    sets = ses_checks.configuration_sets(facts, providers)
    yield Check(
        "region",
        lambda: account_checks.region(aws, facts, providers, acl_given=choices.cloudfront_acl),
    )
    yield Check("CDK bootstrap", lambda: account_checks.bootstrap(aws))
    yield Check("stack", lambda: account_checks.stack(aws, facts, sets))
    yield Check(
        "Lambda concurrency",
        lambda: account_checks.concurrency(aws, facts, reserve=choices.reserve),
        aws_only=True,
    )
    for provider in ses_checks.own_accounts(providers):
        for name, look in (
            ("account", partial(ses_checks.account, aws, facts, provider)),
            ("domains", partial(ses_checks.identities, aws, facts, provider)),
        ):
            unused = partial(_unused, provider)
            yield Check(
                f"SES {name} ({provider.name})",
                look if provider.weight else unused,
                aws_only=True,
            )
    yield Check("secrets to set", lambda: _secrets(facts, providers))


def _unused(provider: SesProvider) -> list[Finding]:
    return [skipped(f"provider {provider.name} has weight 0 and is sent nothing")]


def _secrets(facts: StageFacts, providers: Providers) -> Iterator[Finding]:
    for secret in wanted_secrets(facts, providers):
        yield ok(secret.name, f"after the first deployment put {', '.join(secret.fields)} into it")


if __name__ == "__main__":
    sys.exit(main())
