"""How the sandbox behaves: one JSON document, and dice that depend on nothing but the seed.

A setting is looked up from the special to the general: a provider's `domains`,
then `domains`, then the provider, then `defaults`. Rates are probabilities.
Every decision is a hash of seed, purpose and message, so neither the order of
requests nor threads can change it.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from local.sandbox.addresses import domain_of
from shared.errors import ConfigurationError

Provider = Literal["sendgrid", "postmark", "ses"]
PROVIDERS: tuple[Provider, ...] = ("sendgrid", "postmark", "ses")
Rate = Annotated[float, Field(ge=0, le=1)]
Millis = Annotated[float, Field(ge=0)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Profile(_Model):
    """What may differ per provider and per recipient domain."""

    latency_ms: Millis = 0
    latency_spread_ms: Millis = 0
    error_rate: Rate = 0
    """Answered with 500; not accepted."""
    timeout_rate: Rate = 0
    """Never answered; not accepted."""
    accept_then_drop_rate: Rate = 0
    """Accepted; the connection closes without an answer."""
    reject_rate: Rate = 0
    """Refused per recipient at once (SendGrid: `dropped` later)."""
    invalid_rate: Rate = 0
    """The address is called invalid at once: SendGrid refuses the whole request and names it."""
    hard_bounce_rate: Rate = 0
    """Depends on the address alone: a dead mailbox is dead for every campaign and ESP."""
    soft_bounce_rate: Rate = 0
    defer_rate: Rate = 0
    """Deferred once, then delivered."""
    open_rate: Rate = 0
    machine_open_rate: Rate = 0
    click_rate: Rate = 0
    """Of the delivered messages with a link; who clicks has opened before."""
    unsubscribe_rate: Rate = 0
    complaint_rate: Rate = 0
    event_delay_ms: Millis = 0
    """Time from acceptance to delivery, and from each step to the next."""
    event_spread_ms: Millis = 0
    duplicate_event_rate: Rate = 0


class Outage(_Model):
    """A provider is away between two instants, in seconds since the document was set.

    `close`: the connection is reset unread. `503`: a bare 503. `maintenance`:
    503 with the ESP's own code for it, where it has one (Postmark's 100).
    """

    from_: float = Field(alias="from", ge=0)
    to: float = Field(gt=0)
    mode: Literal["close", "503", "maintenance"] = "503"

    @model_validator(mode="after")
    def _forward(self) -> Outage:
        if self.to <= self.from_:
            raise ValueError("an outage must end after it begins")
        return self


class Webhook(_Model):
    """Where a provider's events go.

    `https` posts to `url` (for SES after the SNS handshake). `sqs` is for SES:
    `url` is the queue's, `endpoint_url` that of the SQS API.
    """

    url: str
    mode: Literal["https", "sqs"] = "https"
    endpoint_url: str = ""
    signature_version: Literal["1", "2"] = "2"
    max_tries: int | None = Field(default=None, gt=0)
    """How often an event is posted; null: a few times. Real ESPs go on for hours."""


class ProviderSettings(Profile):
    """One provider: its own profile and what concerns it as a whole."""

    domains: dict[str, Profile] = {}
    rate_limit_per_second: float | None = Field(default=None, gt=0)
    """SendGrid and Postmark count requests, SES recipients."""
    outages: tuple[Outage, ...] = ()
    webhook: Webhook | None = None
    account: Literal["active", "suspended"] = "active"
    sender_domains: frozenset[str] | None = None
    """Verified From domains; null: any."""
    suppressed: frozenset[str] = frozenset()
    """Addresses on the ESP's own suppression list from the start."""
    hang_s: float = Field(default=60, gt=0)
    """How long a request that will not be answered is held open."""


class Document(_Model):
    """The behaviour document."""

    seed: int = 1
    defaults: Profile = Profile()
    domains: dict[str, Profile] = {}
    providers: dict[Provider, ProviderSettings] = {}

    @classmethod
    def parse(cls, value: Any) -> Document:
        """Reads a document from plain JSON.

        Raises:
            ConfigurationError: names each field that is wrong.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg']}"
                for one in error.errors(include_input=False, include_url=False)
            )
            raise ConfigurationError(f"the behaviour document is not valid: {problems}") from error


class Fault(StrEnum):
    """What befalls a whole request."""

    NONE = "none"
    ERROR = "error"
    HANG = "hang"
    ACCEPT_THEN_DROP = "accept_then_drop"


class Behaviour:
    """The document in force. Setting another restarts its clock and its counters."""

    def __init__(
        self, document: Document | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._state = _State(document or Document(), monotonic())

    @property
    def document(self) -> Document:
        """The document in force."""
        return self._state.document

    def replace(self, document: Document) -> None:
        """Puts another document into force; outages count from now."""
        self._state = _State(document, self._monotonic())

    def settings(self, provider: Provider) -> ProviderSettings:
        """A provider's own settings."""
        return self._state.document.providers.get(provider, _NOTHING_SET)

    def profile(self, provider: Provider, address: str) -> Profile:
        """What holds for mail to that address through that provider."""
        return self._state.profile(provider, domain_of(address))

    def chance(self, purpose: str, key: str) -> float:
        """A number in [0, 1) that depends on seed, purpose and key alone."""
        return _chance(self._state.document.seed, purpose, key)

    def outage(self, provider: Provider) -> Literal["close", "503", "maintenance"] | None:
        """The mode of the outage the provider is in, if it is in one."""
        elapsed = self._monotonic() - self._state.since
        for outage in self.settings(provider).outages:
            if outage.from_ <= elapsed < outage.to:
                return outage.mode
        return None

    def take(self, provider: Provider, wanted: int) -> int:
        """How many of `wanted` the rate limit lets through now (burst: one second's worth)."""
        rate = self.settings(provider).rate_limit_per_second
        return wanted if rate is None else self._state.take(provider, wanted, rate, self._monotonic)

    def fault(self, provider: Provider, recipients: Sequence[tuple[str, str]]) -> Fault:
        """What befalls a request to these (key, address) pairs.

        A request to several domains has the worst of their rates. It is decided
        by its first recipient and by how often that one was tried before, so a
        repeated request has new luck.
        """
        profiles = self._profiles(provider, recipients)
        key = recipients[0][0]
        tried = f"{provider} {key} {self._state.tries(provider, key)}"
        for fault, rate in (
            (Fault.ERROR, max(p.error_rate for p in profiles)),
            (Fault.HANG, max(p.timeout_rate for p in profiles)),
            (Fault.ACCEPT_THEN_DROP, max(p.accept_then_drop_rate for p in profiles)),
        ):
            if self.chance(fault.value, tried) < rate:
                return fault
        return Fault.NONE

    def latency_s(self, provider: Provider, recipients: Sequence[tuple[str, str]]) -> float:
        """How long the provider thinks about a request to these (key, address) pairs."""
        luck = self.chance("latency", recipients[0][0])
        profiles = self._profiles(provider, recipients)
        return max(p.latency_ms + luck * p.latency_spread_ms for p in profiles) / 1000

    def _profiles(
        self, provider: Provider, recipients: Sequence[tuple[str, str]]
    ) -> tuple[Profile, ...]:
        domains = {domain_of(address) for _, address in recipients}
        return tuple(self._state.profile(provider, domain) for domain in domains)


class _State:
    def __init__(self, document: Document, since: float) -> None:
        self.document = document
        self.since = since
        self._lock = threading.Lock()
        self._profiles: dict[tuple[str, str], Profile] = {}
        self._tries: Counter[tuple[str, str]] = Counter()
        self._buckets: dict[str, tuple[float, float]] = {}

    def profile(self, provider: Provider, domain: str) -> Profile:
        cached = self._profiles.get((provider, domain))
        if cached is None:
            own = self.document.providers.get(provider, _NOTHING_SET)
            layers = (self.document.defaults, own, self.document.domains.get(domain))
            values: dict[str, Any] = {}
            for layer in (*layers, own.domains.get(domain)):
                if layer is not None:
                    values |= layer.model_dump(
                        include=set(Profile.model_fields), exclude_unset=True
                    )
            cached = self._profiles[provider, domain] = Profile(**values)
        return cached

    def tries(self, provider: str, key: str) -> int:
        with self._lock:
            self._tries[provider, key] += 1
            return self._tries[provider, key]

    def take(self, provider: str, wanted: int, rate: float, monotonic: Callable[[], float]) -> int:
        with self._lock:
            now = monotonic()
            burst = max(rate, 1.0)
            tokens, at = self._buckets.get(provider, (burst, now))
            tokens = min(burst, tokens + (now - at) * rate)
            granted = min(wanted, int(tokens))
            self._buckets[provider] = (tokens - granted, now)
            return granted


_NOTHING_SET = ProviderSettings()


def _chance(seed: int, purpose: str, key: str) -> float:
    digest = hashlib.blake2b(f"{seed}\n{purpose}\n{key}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 2**56
