"""The secrets of a deployment: which there are, and whether they hold what they should.

Values are looked at and never shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from ops.aws import Aws
from ops.findings import Finding, fail, ok
from ops.stage_facts import StageFacts
from shared.config import PostmarkProvider, Providers, SendGridProvider

_FIELDS = {
    SendGridProvider: ("api_key",),
    PostmarkProvider: ("server_token", "webhook_user", "webhook_password"),
}
_MIN_KEY = 32
"""Characters; shared.storage.parameters refuses shorter keys."""

_CURRENT = "current"


@dataclass(frozen=True, slots=True)
class ProviderSecret:
    """A secret that an operator has to fill."""

    name: str
    fields: tuple[str, ...]

    @property
    def command(self) -> str:
        """How to fill it, with the values left out."""
        value = json.dumps(dict.fromkeys(self.fields, "..."))
        return (
            f"aws secretsmanager put-secret-value --secret-id {self.name} --secret-string '{value}'"
        )


def wanted_secrets(facts: StageFacts, providers: Providers) -> list[ProviderSecret]:
    """The ESP accounts' secrets, each once."""
    found: dict[str, ProviderSecret] = {}
    for provider in providers.providers:
        if isinstance(provider, SendGridProvider | PostmarkProvider):
            name = f"{facts.secret_prefix}/{provider.secret}"
            found[name] = ProviderSecret(name, _FIELDS[type(provider)])
    return list(found.values())


def own_keys(aws: Aws, facts: StageFacts) -> Iterator[Finding]:
    """The three that Secrets Manager made."""
    wrong = [
        f"{short} is shorter than {_MIN_KEY} characters"
        for short in ("subscriber-id-key", "message-id-key")
        if len(_value(aws, f"{facts.secret_prefix}/{short}")) < _MIN_KEY
    ]
    links = _fields(_value(aws, f"{facts.secret_prefix}/link-keys"))
    if links.get(_CURRENT) not in links.keys() - {_CURRENT}:
        wrong.append("link-keys: `current` names none of its keys")
    wrong += [
        f"link-keys: key {name} is shorter than {_MIN_KEY} characters"
        for name, text in links.items()
        if name != _CURRENT and len(text) < _MIN_KEY
    ]
    if wrong:
        yield fail("; ".join(wrong), "docs/deploy.md, 'Rotating keys', says what belongs there")
    else:
        yield ok(f"subscriber-id-key, message-id-key and {len(links) - 1} link key(s) are there")


def provider_secrets(aws: Aws, facts: StageFacts, providers: Providers) -> Iterator[Finding]:
    """Those that an operator fills: no placeholder any more."""
    for secret in wanted_secrets(facts, providers):
        held = _fields(_value(aws, secret.name))
        lacking = [field for field in secret.fields if not held.get(field)]
        if lacking:
            state = "is still the placeholder" if "placeholder" in held else "is incomplete"
            yield fail(f"{secret.name} {state}: it lacks {', '.join(lacking)}", secret.command)
        else:
            yield ok(f"{secret.name} is filled")


def _value(aws: Aws, name: str) -> str:
    answer = aws.maybe(
        "secretsmanager", "GetSecretValue", "ResourceNotFoundException", SecretId=name
    )
    return str((answer or {}).get("SecretString", ""))


def _fields(value: str) -> dict[str, str]:
    """The texts of a secret; nothing if it is no JSON object, whose decoder would quote it."""
    try:
        document = json.loads(value)
    except ValueError:
        return {}
    if not isinstance(document, dict):
        return {}
    return {name: text for name, text in document.items() if isinstance(text, str)}
