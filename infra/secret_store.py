"""The secrets. Three are made by Secrets Manager itself, the ESPs' are put in by an operator."""

from __future__ import annotations

import json
from collections.abc import Iterable

from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.nag import acknowledge
from infra.stages import Stage

_LENGTH = 64  # characters, 62 kinds each: more than 256 bits


class SecretStore(Construct):
    """`subscriber-id-key`, `message-id-key`, `link-keys` and one per provider secret.

    `link-keys` is flat JSON, `{"current": "k1", "k1": "<random>"}`: Secrets
    Manager can generate only one value, and only at the top level.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        provider_secrets: Iterable[str],
    ) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        identity = self._secret(
            "subscriber-id-key", "Makes subscriber ids of addresses. Never rotate, never lose."
        )
        identity.apply_removal_policy(stage.irreplaceable)
        self._secret("message-id-key", "Signs message ids.")
        self._secret(
            "link-keys",
            "Signs links in mails. Add a key, then name it in `current`; never remove one.",
            template={"current": "k1"},
            generate="k1",
        )
        for name in sorted(set(provider_secrets)):
            self._secret(
                name,
                "Credentials of an ESP account, put in by an operator.",
                template={"replace": "me"},
                generate="placeholder",
            )
        acknowledge(
            self,
            {
                "AwsSolutions-SMG4": "subscriber-id-key can never be rotated, ids hang on it; the "
                "others are rotated by hand: an ESP or mails already sent hold the other half."
            },
        )

    def _secret(
        self,
        name: str,
        description: str,
        *,
        template: dict[str, str] | None = None,
        generate: str | None = None,
    ) -> secretsmanager.Secret:
        return secretsmanager.Secret(
            self,
            name,
            secret_name=f"{self._stage.secret_prefix}/{name}",
            description=description,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=_LENGTH,
                exclude_punctuation=True,
                secret_string_template=json.dumps(template) if template else None,
                generate_string_key=generate,
            ),
            removal_policy=self._stage.removal,
        )
