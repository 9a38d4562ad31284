"""From the deployment's providers.json to ready senders."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.config import PostmarkProvider, Provider, Providers, SendGridProvider, SesProvider
from shared.delivery.ports import EmailSender, MessageSearch
from shared.delivery.routing import Candidate
from shared.errors import ConfigurationError
from shared.mail import Capacity
from shared.providers.postmark import sender as postmark
from shared.providers.postmark.search import PostmarkSearch
from shared.providers.postmark.sender import PostmarkSender
from shared.providers.sendgrid import sender as sendgrid
from shared.providers.sendgrid.sender import SendGridSender
from shared.providers.ses import addresses as ses
from shared.providers.ses.sender import CredentialsSource, SesSender
from shared.transport import Transport

_SEARCH_TIMEOUT_S = 5.0
"""A search waits no longer, whatever a send may: it is asked again a minute later."""

SecretOf = Callable[[Provider], Mapping[str, str]]
"""Gives a provider's secret; asked only for providers that have one."""


def build_senders(
    providers: Providers, secret_of: SecretOf, credentials: CredentialsSource, pool_size: int = 8
) -> dict[str, EmailSender]:
    """One sender per account, by its name. `pool_size` is the number of threads that post.

    Raises:
        ConfigurationError: a secret lacks a field, or a base_url cannot be used.
    """
    return {
        provider.name: _sender(provider, secret_of, credentials, pool_size)
        for provider in providers.providers
    }


def build_searches(
    providers: Providers, secret_of: Callable[[PostmarkProvider], Mapping[str, str]]
) -> dict[str, MessageSearch]:
    """One search per account that can be asked for a message, by the account's name.

    A secret is read when something is searched for, and not before: who never
    has a doubt needs none.

    Raises:
        ConfigurationError: a base_url cannot be used.
    """
    return {
        provider.name: _search(provider, secret_of)
        for provider in providers.providers
        if isinstance(provider, PostmarkProvider)
    }


def candidates(providers: Providers) -> tuple[Candidate, ...]:
    """What routing must know of each account. Needs no secret and makes no connection."""
    return tuple(Candidate(p.name, p.weight, *_TAKES[p.kind]) for p in providers.providers)


def _takes_any(_: str) -> str:
    """SendGrid and Postmark: no form of address is known that they never take."""
    return ""


_TAKES: Mapping[str, tuple[Callable[[str], str], Capacity]] = {
    "sendgrid": (_takes_any, sendgrid.CAPACITY),
    "postmark": (_takes_any, postmark.CAPACITY),
    "ses": (ses.cannot_take, ses.CAPACITY),
}


def _sender(
    provider: Provider, secret_of: SecretOf, credentials: CredentialsSource, pool_size: int
) -> EmailSender:
    match provider:
        case SendGridProvider():
            key = _field(provider, secret_of(provider), "api_key")
            return SendGridSender(provider, key, _transport(provider, provider.base_url, pool_size))
        case PostmarkProvider():
            token = _field(provider, secret_of(provider), "server_token")
            return PostmarkSender(
                provider, token, _transport(provider, provider.base_url, pool_size)
            )
        case SesProvider():
            return SesSender(
                provider, credentials, _transport(provider, provider.endpoint, pool_size)
            )


def _search(
    provider: PostmarkProvider, secret_of: Callable[[PostmarkProvider], Mapping[str, str]]
) -> PostmarkSearch:
    transport = Transport(
        provider.base_url,
        connect_timeout_s=min(provider.connect_timeout_s, _SEARCH_TIMEOUT_S),
        read_timeout_s=min(provider.read_timeout_s, _SEARCH_TIMEOUT_S),
        pool_size=1,
    )
    return PostmarkSearch(
        provider, lambda: _field(provider, secret_of(provider), "server_token"), transport
    )


def _transport(provider: Provider, base_url: str, pool_size: int) -> Transport:
    return Transport(
        base_url,
        connect_timeout_s=provider.connect_timeout_s,
        read_timeout_s=provider.read_timeout_s,
        pool_size=pool_size,
    )


def _field(
    provider: SendGridProvider | PostmarkProvider, secret: Mapping[str, str], name: str
) -> str:
    value = secret.get(name, "").strip()
    if not value or not value.isascii() or not value.isprintable():
        raise ConfigurationError(
            f"the secret {provider.secret!r} of provider {provider.name!r} has no usable {name!r};"
            f' store it as {{"{name}": "..."}}'
        )
    return value
