"""Settings of a deployment, as validated values. Reading them is done in `shared.storage`.

Three sources, none of them read at import time:

- the function's environment (`Settings.from_env`): names of tables, queues,
  parameters;
- the parameter `<path>/deployment` (`Deployment`): URLs and resolvers;
- the parameter `<path>/providers` (`Providers`): the deployment's
  providers.json. What could steal credentials (`base_url`, secret names, trust
  anchors) lives only there and can never be set by an API call.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from shared.delivery.rates import GroupLimits, Limits
from shared.delivery.rules import DeliveryRules
from shared.errors import ConfigurationError, InvalidInput
from shared.mail import MailboxGroup

_NAME = r"^[a-z][a-z0-9-]{0,30}$"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


M = TypeVar("M", bound=_Model)


class GroupRateLimits(_Model):
    """Messages to one mailbox group per window; a window that is left out has no limit."""

    per_hour: int | None = Field(default=None, gt=0)
    per_day: int | None = Field(default=None, gt=0)


class RateLimits(_Model):
    """Messages per window; a window that is left out has no limit."""

    per_second: float | None = Field(default=None, gt=0)
    per_hour: int | None = Field(default=None, gt=0)
    per_day: int | None = Field(default=None, gt=0)
    groups: dict[MailboxGroup, GroupRateLimits] = Field(
        default_factory=dict, description="Further limits per mailbox group"
    )
    transactional_reserve: float = Field(
        default=0.05, ge=0, le=0.5, description="Share of every window that bulk mail leaves free"
    )

    def as_limits(self) -> Limits:
        """For the token buckets."""
        groups = {
            group.value: GroupLimits(own.per_hour, own.per_day)
            for group, own in self.groups.items()
        }
        return Limits(
            self.per_second, self.per_hour, self.per_day, groups, self.transactional_reserve
        )


class _Provider(_Model):
    name: str = Field(pattern=_NAME, description="The account's name, unique in the deployment")
    weight: int = Field(ge=0, le=1000, description="Share of the mail, relative to the others'")
    limits: RateLimits = RateLimits()
    warmup: bool = Field(default=False, description="Follow warming_schedule.json from day 1")
    connect_timeout_s: float = Field(default=3, gt=0, le=5)
    read_timeout_s: float = Field(default=10, gt=0, le=15)


class SendGridProvider(_Provider):
    """A SendGrid account. Secret: `{"api_key": ...}`."""

    kind: Literal["sendgrid"]
    base_url: str = "https://api.sendgrid.com"
    secret: str = Field(description="Name in Secrets Manager, after the deployment's prefix")
    webhook_public_key: str = Field(
        default="", description="Base64 SPKI from Settings > Event Webhook > Signature Verification"
    )


class PostmarkProvider(_Provider):
    """A Postmark server.

    Secret: `{"server_token": ..., "webhook_user": ..., "webhook_password": ...}`.
    """

    kind: Literal["postmark"]
    base_url: str = "https://api.postmarkapp.com"
    secret: str = Field(description="Name in Secrets Manager, after the deployment's prefix")
    campaign_stream: str = "broadcast"
    transactional_stream: str = "outbound"


class SesProvider(_Provider):
    """Amazon SES in one region, called with the function's own role."""

    kind: Literal["ses"]
    region: str = Field(default="us-east-1", pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    base_url: str = Field(default="", description="Empty: the region's own endpoint")
    configuration_set: str = Field(default="", description="Publishes this account's events")
    topic_arns: tuple[str, ...] = Field(
        default=(), description="SNS topics whose notifications are taken in; any other is refused"
    )
    sns_base_url: str = Field(default="", description="Empty: the region's own SNS endpoint")
    certificate_pem: str = Field(
        default="", description="Pins the signing certificate; empty: Amazon's, by SigningCertURL"
    )

    @property
    def endpoint(self) -> str:
        """Where the SES v2 API is."""
        return self.base_url or f"https://email.{self.region}.amazonaws.com"


Provider = Annotated[SendGridProvider | PostmarkProvider | SesProvider, Field(discriminator="kind")]


class Providers(_Model):
    """The deployment's providers.json."""

    providers: tuple[Provider, ...] = Field(min_length=1)

    @field_validator("providers")
    @classmethod
    def _unique(cls, providers: tuple[Provider, ...]) -> tuple[Provider, ...]:
        names = [provider.name for provider in providers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two providers are named {', '.join(twice)}; give each its own name")
        return providers

    @model_validator(mode="after")
    def _some_weight(self) -> Providers:
        if sum(provider.weight for provider in self.providers) == 0:
            raise ValueError("the weights sum to zero: no provider would ever be chosen")
        return self

    def get(self, name: str) -> Provider | None:
        """The provider of that name."""
        return next((p for p in self.providers if p.name == name), None)

    @classmethod
    def parse(cls, text: str) -> Providers:
        """Reads providers.json.

        Raises:
            ConfigurationError: names each field that is wrong.
        """
        return _parse(cls, text, "providers.json")


class Deployment(_Model):
    """What a deployment knows of its surroundings."""

    public_url: str = Field(
        min_length=1, description="Where functions/public answers; stands in every mail"
    )
    dns_servers: tuple[str, ...] = Field(
        default=(), description="`address:port` of resolvers; empty: the machine's own"
    )
    settle_deadline_s: int = Field(
        default=3600,
        ge=60,
        le=86_400,
        description="Seconds after which silence settles a doubt. Events come up to minutes late,"
        " so that less than 1800 is for trials",
    )
    mx_lookup: bool = Field(
        default=False,
        description="Whether MX records name the mailbox groups of domains that are not well known",
    )

    @classmethod
    def parse(cls, text: str) -> Deployment:
        """Reads the deployment parameter.

        Raises:
            ConfigurationError: names each field that is wrong.
        """
        return _parse(cls, text, "the deployment parameter")


class WarmingSchedules(_Model):
    """warming_schedule.json."""

    idle_days_until_restart: int = Field(default=30, gt=0)
    per_day: tuple[int, ...] = Field(min_length=1)

    @field_validator("per_day")
    @classmethod
    def _rises(cls, per_day: tuple[int, ...]) -> tuple[int, ...]:
        for day, (before, after) in enumerate(itertools.pairwise(per_day), start=2):
            if after < before:
                raise ValueError(
                    f"day {day} has {after}, fewer than the {before} of the day before"
                )
        if per_day[0] <= 0:
            raise ValueError("day 1 must allow at least one message")
        return per_day

    @classmethod
    def parse(cls, text: str) -> WarmingSchedules:
        """Reads warming_schedule.json.

        Raises:
            ConfigurationError: names each field that is wrong.
        """
        return _parse(cls, text, "warming_schedule.json")


class Settings(_Model):
    """What a function finds in its environment. Empty where a function has no business."""

    stage: str
    table_prefix: str
    parameter_path: str
    secret_prefix: str
    bulk_queue_url: str = ""
    transactional_queue_url: str = ""
    jobs_queue_url: str = ""
    files_bucket: str = ""
    region: str = "us-east-1"
    endpoint_url: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Reads `TIDEPOST_*`, `AWS_REGION` and `AWS_ENDPOINT_URL`.

        Raises:
            ConfigurationError: names each variable that is missing or empty.
        """
        variables = {field: f"TIDEPOST_{field.upper()}" for field in cls.model_fields}
        missing = [
            variables[field]
            for field, about in cls.model_fields.items()
            if about.is_required() and not env.get(variables[field])
        ]
        if missing:
            raise ConfigurationError(
                f"the function's environment lacks {', '.join(missing)}; deploy the stack, which"
                " sets them"
            )
        values = {field: env[name] for field, name in variables.items() if name in env}
        values |= {
            "region": env.get("AWS_REGION", env.get("AWS_DEFAULT_REGION", "us-east-1")),
            "endpoint_url": env.get("AWS_ENDPOINT_URL", ""),
        }
        return cls(**values)

    def table(self, name: str) -> str:
        """A table's name in this deployment."""
        return f"{self.table_prefix}-{name}"

    def secret(self, name: str) -> str:
        """A secret's full name in this deployment."""
        return f"{self.secret_prefix}/{name}"


def delivery_rules(text: str, providers: Providers) -> DeliveryRules:
    """Reads delivery_rules.json, which may name these providers and no others.

    Raises:
        ConfigurationError: names each field that is wrong.
    """
    try:
        return DeliveryRules.parse(text, [provider.name for provider in providers.providers])
    except InvalidInput as error:
        raise ConfigurationError(f"delivery_rules.json is not valid: {error}") from error


def _parse(model: type[M], text: str, where: str) -> M:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise ConfigurationError(_explain(error, where)) from error


def _explain(error: ValidationError, where: str) -> str:
    problems = "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'the whole'}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False)
    )
    return f"{where} is not valid: {problems}"
