"""From the deployment's providers.json to the accounts' own suppression lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING

from shared.audience.suppressions.ports import ProviderSuppressions
from shared.config import PostmarkProvider, Provider, Providers, SendGridProvider, SesProvider
from shared.providers.pacing import Pace
from shared.providers.postmark import suppressions as postmark
from shared.providers.registry import SecretOf, secret_field
from shared.providers.sendgrid import suppressions as sendgrid
from shared.providers.ses import suppressions as ses

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

SesClient = Callable[[SesProvider], "SESV2Client"]
"""Makes the client of an account, with its time-outs."""


def suppression_accounts(
    providers: Providers, secret_of: SecretOf, ses_client: SesClient
) -> Mapping[str, Callable[[], ProviderSuppressions]]:
    """Makers of each account's list by its name. Nothing is read or connected before one is called.

    A maker raises ConfigurationError if a secret lacks a field, and
    DependencyUnavailable if it cannot be read.
    """
    return {
        provider.name: cache(partial(_account, provider, secret_of, ses_client))
        for provider in providers.providers
    }


def _account(
    provider: Provider, secret_of: SecretOf, ses_client: SesClient
) -> ProviderSuppressions:
    match provider:
        case SendGridProvider():
            key = secret_field(provider, secret_of(provider), "api_key")
            return sendgrid.SendGridSuppressions(provider, key, Pace(sendgrid.PER_SECOND))
        case PostmarkProvider():
            token = secret_field(provider, secret_of(provider), "server_token")
            return postmark.PostmarkSuppressions(provider, token, Pace(postmark.PER_SECOND))
        case SesProvider():
            client = cache(lambda: ses_client(provider))
            return ses.SesSuppressions(provider.name, client, Pace(ses.PER_SECOND))
