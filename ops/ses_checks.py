"""Whether Amazon SES lets this account send as providers.json says. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ops.aws import Aws
from ops.findings import Finding, fail, ok, warn
from ops.stage_facts import StageFacts
from shared.config import Providers, SesProvider

_SHOWN = 20
"""Domains whose DKIM is looked at; one call each."""

_PAGE = 1000


def own_accounts(providers: Providers) -> list[SesProvider]:
    """The SES accounts that are this AWS account: those at AWS's own endpoint."""
    return [p for p in providers.providers if isinstance(p, SesProvider) and not p.base_url]


def configuration_sets(facts: StageFacts, providers: Providers) -> tuple[str, ...]:
    """Those that the stack makes: for accounts that name no topic of their own."""
    names = {
        provider.configuration_set or facts.prefix
        for provider in own_accounts(providers)
        if not provider.topic_arns
    }
    return tuple(sorted(names))


def account(aws: Aws, facts: StageFacts, provider: SesProvider) -> Iterator[Finding]:
    """Sending enabled, out of the sandbox, and limits that the quotas allow."""
    answer = aws.at(provider.region).call("sesv2", "GetAccount")
    status = answer.get("EnforcementStatus", "HEALTHY")
    if not answer.get("SendingEnabled", False) or status == "SHUTDOWN":
        yield fail(
            f"SES does not send for this account in {provider.region} (status {status})",
            "see the SES console's account dashboard; AWS says there what to mend",
        )
    elif status != "HEALTHY":
        yield warn(
            f"SES has this account under review (status {status})",
            "answer AWS's case and mend bounces and complaints before you send more",
        )
    if not answer.get("ProductionAccessEnabled", False):
        say = fail if facts.retains else warn
        yield say(
            f"SES is in its sandbox in {provider.region}: it sends to verified addresses only",
            "ask for production access (docs/deploy.md, step 4), or give this provider weight 0",
        )
    yield from _quota(answer.get("SendQuota", {}), provider)


def identities(aws: Aws, facts: StageFacts, provider: SesProvider) -> Iterator[Finding]:
    """Which domains SES sends from. Names domains only, never an address."""
    ses = aws.at(provider.region)
    listed = ses.call("sesv2", "ListEmailIdentities", PageSize=_PAGE)["EmailIdentities"]
    good = [one for one in listed if one.get("SendingEnabled")]
    domains = sorted(one["IdentityName"] for one in good if one["IdentityType"] == "DOMAIN")
    waiting = sorted(
        one["IdentityName"]
        for one in listed
        if one["IdentityType"] == "DOMAIN" and not one.get("SendingEnabled")
    )
    if waiting:
        yield warn(
            f"not verified yet: {', '.join(waiting)}", "set the DKIM records that SES shows for it"
        )
    if not domains:
        say = fail if facts.retains else warn
        yield say(
            f"SES in {provider.region} has no verified domain to send from",
            "aws sesv2 create-email-identity --email-identity <your domain>"
            f" --region {provider.region}, then set the DKIM records that it prints",
        )
        return
    yield ok(f"verified: {', '.join(domains)}")
    unsigned = _without_dkim(ses, domains[:_SHOWN])
    if unsigned:
        yield warn(
            f"DKIM does not sign for {', '.join(unsigned)}",
            "set the DKIM records that SES shows; Gmail, Yahoo and Microsoft ask for them",
        )


def _quota(quota: dict[str, float], provider: SesProvider) -> Iterator[Finding]:
    rate, day = quota.get("MaxSendRate", 0.0), quota.get("Max24HourSend", 0.0)
    limits = provider.limits
    for window, limit, allowed in (
        ("per_second", limits.per_second, rate),
        ("per_day", limits.per_day, day),
    ):
        if allowed < 0:  # SES writes -1 for "no limit"
            continue
        if limit is None or limit > allowed:
            yield warn(
                f"SES allows {allowed:g} {window.replace('_', ' ')}, providers.json says"
                f" {'nothing' if limit is None else f'{limit:g}'}: SES would refuse the rest",
                f'set "{window}": {allowed:g} in the limits of provider {provider.name}, or ask'
                " for a higher quota",
            )
    used = quota.get("SentLast24Hours", 0.0)
    yield ok(f"quota {rate:g} a second, {day:g} in 24 hours, of which {used:g} are used")


def _without_dkim(ses: Aws, domains: Sequence[str]) -> list[str]:
    return [
        domain
        for domain in domains
        if ses.call("sesv2", "GetEmailIdentity", EmailIdentity=domain)
        .get("DkimAttributes", {})
        .get("Status")
        != "SUCCESS"
    ]
