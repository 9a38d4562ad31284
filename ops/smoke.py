"""Looks at a deployment after `cdk deploy`: above all at what only AWS can show.

`python -m ops.smoke --stage dev`, and with `--send-to <address>` and
`TIDEPOST_API_KEY` in the environment it sends one real message and waits for
the first event of it.

Region, profile and endpoint come from the environment (`AWS_REGION`,
`AWS_PROFILE`, `AWS_ENDPOINT_URL`). It changes nothing and shows no secret.
Prints a table and ends with 1 if anything failed. With an endpoint of your own
(the local cloud) it skips what that has nothing of, and says so.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from botocore.exceptions import BotoCoreError

from ops import data_checks, edge_checks, endpoint_checks, function_checks, secret_checks
from ops.aws import Aws
from ops.deployed import Deployed, read_deployed
from ops.findings import Check, Finding, Say, conclude, ok, perform
from ops.http import Web
from ops.message_check import Letter, Messenger
from ops.stage_facts import StageFacts, facts_of
from shared.clock import SystemClock
from shared.errors import TidepostError

_PATIENCE_S = 180.0


def smoke(aws: Aws, web: Web, facts: StageFacts, deployed: Deployed, say: Say) -> list[Finding]:
    """Looks at everything but a real message, and prints as it goes."""
    return perform(_checks(aws, web, facts, deployed), say, emulated=aws.emulated)


def main(
    arguments: Sequence[str] | None = None,
    *,
    make_aws: Callable[[], Aws] = Aws,
    web: Web | None = None,
    say: Say = print,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Runs the command; 0 if nothing failed."""
    options = _options(arguments)
    asker = web or Web()
    try:
        aws, facts = make_aws(), facts_of(options.stage)
        deployed = read_deployed(
            aws,
            facts,
            api=options.api_url,
            webhooks=options.webhooks_url,
            public=options.public_url,
        )
        found = smoke(aws, asker, facts, deployed, say)
        if options.send_to:
            letter = Letter(
                to=options.send_to,
                sender=options.send_from,
                api_key=os.environ.get("TIDEPOST_API_KEY", ""),
                patience_s=options.wait,
            )
            messenger = Messenger(asker, deployed.urls.api, SystemClock(), sleep)
            check = Check("a real message", partial(messenger.deliver, letter))
            found += perform([check], say, emulated=aws.emulated)
    except (TidepostError, BotoCoreError) as error:
        print(f"smoke: {error}", file=sys.stderr)
        return 1
    return conclude(found, say)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m ops.smoke", description="Look at a deployment from the outside in."
    )
    parser.add_argument("--stage", required=True, help="the deployment's stage, e.g. dev")
    parser.add_argument("--send-to", default="", help="send one real message to this address")
    parser.add_argument("--send-from", default="", help="its sender; else of a verified domain")
    parser.add_argument(
        "--wait", type=float, default=_PATIENCE_S, help="seconds to wait for its first event"
    )
    for name in ("api", "webhooks", "public"):
        parser.add_argument(f"--{name}-url", default="", help="instead of the stack's own")
    return parser.parse_args(arguments)


def _checks(aws: Aws, web: Web, facts: StageFacts, deployed: Deployed) -> Iterator[Check]:
    urls = deployed.urls
    yield Check("stack", lambda: [ok(f"{facts.prefix} is {deployed.status}")])
    yield Check("GET /v1/health", partial(endpoint_checks.health, web, urls, facts))
    yield Check("GET /docs", partial(endpoint_checks.docs, web, urls, facts))
    yield Check("GET /v1/lists", partial(endpoint_checks.locked, web, urls, facts))
    for provider in deployed.providers.providers:
        yield Check(
            f"webhook of {provider.name}",
            partial(endpoint_checks.webhook, web, urls, facts, provider),
        )
    yield Check("unsubscribe page", partial(endpoint_checks.unsubscribe, web, urls, facts))
    yield Check("own keys", partial(secret_checks.own_keys, aws, facts))
    yield Check(
        "ESP secrets", partial(secret_checks.provider_secrets, aws, facts, deployed.providers)
    )
    yield Check("tables", partial(data_checks.tables, aws, facts))
    yield Check("point-in-time recovery", partial(data_checks.recovery, aws, facts), aws_only=True)
    yield Check("expiry", partial(data_checks.expiry, aws, facts), aws_only=True)
    yield Check("dead-letter queues", partial(data_checks.dead_letters, aws, facts))
    yield Check("log retention", partial(data_checks.logs, aws, facts))
    yield Check("functions", partial(function_checks.functions, aws, facts))
    yield Check(
        "reserved concurrency", partial(function_checks.concurrency, aws, facts), aws_only=True
    )
    yield Check("event sources", partial(function_checks.sources, aws, facts))
    yield Check("engagements stream", partial(function_checks.stream, aws, facts), aws_only=True)
    yield Check("schedules", partial(function_checks.rules, aws, facts))
    yield Check("alarms", partial(function_checks.alarms, aws, facts))
    yield Check("alarm listeners", partial(function_checks.listeners, aws, facts))
    yield Check("SES events", partial(edge_checks.ses_events, aws, facts, deployed), aws_only=True)
    yield Check("SES topic and queue", partial(edge_checks.ses_queue, aws, facts))
    if facts.firewall:
        yield Check(
            "firewall, API", partial(edge_checks.api_firewall, aws, facts, deployed), aws_only=True
        )
        yield Check(
            "firewall, public pages",
            partial(edge_checks.public_firewall, aws, deployed),
            aws_only=True,
        )


if __name__ == "__main__":
    sys.exit(main())
