"""Reads the deployment's parameters and secrets, through Powertools' cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import orjson
from aws_lambda_powertools.utilities.parameters import SecretsProvider, SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import ClientError

from shared.config import (
    Deployment,
    PostmarkProvider,
    Providers,
    SendGridProvider,
    Settings,
    WarmingSchedules,
    delivery_rules,
)
from shared.delivery.rules import DeliveryRules
from shared.errors import ConfigurationError, DependencyUnavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient

PARAMETER_MAX_AGE_S = 300
SECRET_MAX_AGE_S = 900
"""How long a container goes on with what it has read."""

MIN_KEY_LENGTH = 32
"""Characters. The stack generates 64; anything short was put there by hand, or is a placeholder."""

_MISSING = frozenset({"ParameterNotFound", "ResourceNotFoundException"})
_DENIED = frozenset({"AccessDeniedException", "DecryptionFailure", "InvalidRequestException"})

T = TypeVar("T")


class ParameterReader:
    """What a deployment is configured with. No message here ever holds a value.

    Every method raises ConfigurationError for what is missing or malformed and
    DependencyUnavailable if AWS does not answer. The clients must have
    time-outs, as those of `shared.storage.clients` have.
    """

    def __init__(
        self, settings: Settings, ssm: SSMClient, secretsmanager: SecretsManagerClient
    ) -> None:
        self._settings = settings
        self._ssm = SSMProvider(boto3_client=ssm)
        self._secrets = SecretsProvider(boto3_client=secretsmanager)

    def providers(self) -> Providers:
        """The deployment's providers.json."""
        return self._parameter("providers", Providers.parse)

    def deployment(self) -> Deployment:
        """Its URLs and resolvers."""
        return self._parameter("deployment", Deployment.parse)

    def delivery_rules(self, providers: Providers) -> DeliveryRules:
        """Its delivery_rules.json, which may name these providers and no others."""
        return self._parameter("delivery_rules", lambda text: delivery_rules(text, providers))

    def warming_schedule(self) -> WarmingSchedules:
        """Its warming_schedule.json."""
        return self._parameter("warming_schedule", WarmingSchedules.parse)

    def subscriber_id_key(self) -> bytes:
        """The key of `SubscriberIds`, which is never rotated."""
        return self._key("subscriber-id-key")

    def message_id_key(self) -> bytes:
        """The key of `MessageIds`."""
        return self._key("message-id-key")

    def link_keys(self) -> tuple[dict[str, bytes], str]:
        """For `UnsubscribeTokens`: every key by its id, and the id of the current one."""
        name = self._settings.secret("link-keys")
        fields = _texts(name, self._secret(name))
        current = fields.pop("current", "")
        if current not in fields:
            raise ConfigurationError(
                f"secret {name}: `current` must name one of its keys, such as"
                ' {"current": "k1", "k1": "<random text>"}'
            )
        return {kid: _long_enough(name, text) for kid, text in fields.items()}, current

    def provider_secret(self, provider: SendGridProvider | PostmarkProvider) -> dict[str, str]:
        """The credentials of an account; see the provider's class for the names in it."""
        name = self._settings.secret(provider.secret)
        return _texts(name, self._secret(name))

    def _parameter(self, short: str, parse: Callable[[str], T]) -> T:
        name = f"{self._settings.parameter_path}/{short}"
        try:
            text = self._ssm.get(name, max_age=PARAMETER_MAX_AGE_S)
        except GetParameterError as error:
            raise _unreadable("parameter", name, error) from error
        try:
            return parse(str(text))
        except ConfigurationError as error:
            raise ConfigurationError(f"parameter {name}: {error}; correct it there") from error

    def _secret(self, name: str) -> str:
        try:
            value = self._secrets.get(name, max_age=SECRET_MAX_AGE_S)
        except GetParameterError as error:
            raise _unreadable("secret", name, error) from error
        if not isinstance(value, str):
            raise ConfigurationError(f"secret {name} is binary; store it again as text")
        return value

    def _key(self, short: str) -> bytes:
        name = self._settings.secret(short)
        return _long_enough(name, self._secret(name))


def _unreadable(kind: str, name: str, error: GetParameterError) -> Exception:
    """Powertools wraps all errors into one; the cause is its context."""
    cause = error.__context__
    code = cause.response["Error"].get("Code", "") if isinstance(cause, ClientError) else ""
    if code in _MISSING:
        return ConfigurationError(f"{kind} {name} does not exist: deploy the stack, or create it")
    if code in _DENIED:
        return ConfigurationError(
            f"{kind} {name} may not be read ({code}): check the function's role and the {kind}"
        )
    reason = code or type(cause).__name__
    return DependencyUnavailable(f"{kind} {name} could not be read ({reason}); try again later")


def _texts(name: str, value: str) -> dict[str, str]:
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError:
        fields = None  # the decoder's error would quote the secret
    if not isinstance(fields, dict) or not all(isinstance(v, str) for v in fields.values()):
        raise ConfigurationError(
            f"secret {name} must be a JSON object whose values are all text; store it again"
        )
    return fields


def _long_enough(name: str, text: str) -> bytes:
    if len(text) < MIN_KEY_LENGTH:
        raise ConfigurationError(
            f"secret {name} holds a key of fewer than {MIN_KEY_LENGTH} characters;"
            " store random text of 64"
        )
    return text.encode()
