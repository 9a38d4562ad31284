"""From a provider of providers.json to the adapter that takes in its events."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.clock import Clock
from shared.config import PostmarkProvider, Provider, Providers, SendGridProvider, SesProvider
from shared.delivery.ports import EventSource
from shared.errors import BadSignature
from shared.providers.postmark.events import PostmarkEvents
from shared.providers.sendgrid.events import SendGridEvents
from shared.providers.ses.certificates import FetchedCertificates, pinned
from shared.providers.ses.events import SesEvents
from shared.providers.ses.handshake import Confirm
from shared.providers.ses.sns import CertificateLoader, SnsVerifier, read_envelope

SecretOf = Callable[[PostmarkProvider], Mapping[str, str]]
"""A provider's secret, cached for a while by who gives it."""


class EventSources:
    """The event sources of a deployment.

    A source is made anew for each report, which is cheap: so a changed
    providers.json or a rotated secret is in force as soon as `providers` and
    `secret` give it, and a fault in one provider's setting stops no other.
    """

    def __init__(
        self,
        providers: Callable[[], Providers],
        secret: SecretOf,
        *,
        certificates: FetchedCertificates,
        confirm: Callable[[str, str], Confirm],
        clock: Clock,
    ) -> None:
        self._providers = providers
        self._secret = secret
        self._certificates = certificates
        self._confirm = confirm
        self._clock = clock

    def named(self, name: str) -> EventSource | None:
        """The source of one provider; None if providers.json has none of that name.

        Raises:
            ConfigurationError: a key or certificate of that provider is unusable.
            DependencyUnavailable: its settings or secret could not be read.
        """
        provider = self._providers().get(name)
        return None if provider is None else self._of(provider)

    def of_envelope(self, body: bytes) -> EventSource:
        """The source to whose topics an SNS envelope says it belongs.

        Raises:
            BadPayload: that is no SNS envelope.
            BadSignature: no provider takes in that topic.
            ConfigurationError, DependencyUnavailable: as for `named`.
        """
        topic_arn = read_envelope(body).topic_arn
        for provider in self._providers().providers:
            if isinstance(provider, SesProvider) and topic_arn in provider.topic_arns:
                return self._of(provider)
        raise BadSignature(
            "the envelope's topic is among no provider's topic_arns;"
            " if it is yours, add it to providers.json"
        )

    def _of(self, provider: Provider) -> EventSource:
        if isinstance(provider, SendGridProvider):
            return SendGridEvents(provider.name, provider.webhook_public_key, self._clock)
        if isinstance(provider, PostmarkProvider):
            secret = self._secret(provider)
            return PostmarkEvents(
                provider.name,
                secret.get("webhook_user", ""),
                secret.get("webhook_password", ""),
                self._clock,
            )
        certificate: CertificateLoader = self._certificates
        if provider.certificate_pem:
            certificate = pinned(provider.certificate_pem, provider.name)
        verifier = SnsVerifier(provider.topic_arns, certificate, self._clock)
        confirm = self._confirm(provider.region, provider.sns_base_url)
        return SesEvents(provider.name, verifier, confirm, self._clock)
