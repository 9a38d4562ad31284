"""The SSM parameters that hold the deployment's configuration."""

from __future__ import annotations

import json

from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.stages import Stage
from shared.config import Deployment, Providers, SesProvider, WarmingSchedules
from shared.delivery.rules import DeliveryRules

_STANDARD_LIMIT = 4096  # bytes of a standard parameter; an advanced one takes 8192
# A token is shorter in the app than in the account; leave room for what it becomes.
_TOKEN_ROOM = 512


class Parameters(Construct):
    """`providers`, `deployment`, `delivery_rules`, `warming_schedule`: validated at synthesis."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        providers: Providers,
        deployment: Deployment,
        rules: DeliveryRules,
        schedule: WarmingSchedules,
    ) -> None:
        super().__init__(scope, construct_id)
        for name, model in (
            ("providers", providers),
            ("deployment", deployment),
            ("delivery_rules", rules),
            ("warming_schedule", schedule),
        ):
            text = json.dumps(
                model.model_dump(mode="json", exclude_defaults=True, by_alias=True),
                separators=(",", ":"),
            )
            long = len(text.encode()) + _TOKEN_ROOM > _STANDARD_LIMIT
            ssm.StringParameter(
                self,
                name,
                parameter_name=f"{stage.parameter_path}/{name}",
                string_value=text,
                tier=ssm.ParameterTier.ADVANCED if long else ssm.ParameterTier.STANDARD,
            )


def own_ses(providers: Providers, *, configuration_set: str, topic_arn: str) -> Providers:
    """Completes SES accounts that name no topic: they are this account, fed by this stack.

    Args:
        providers: as an operator wrote them.
        configuration_set: taken where an account names none.
        topic_arn: the stack's own topic, the only one such an account trusts.
    """
    return Providers(
        providers=tuple(
            provider.model_copy(
                update={
                    "topic_arns": (topic_arn,),
                    "configuration_set": provider.configuration_set or configuration_set,
                }
            )
            if isinstance(provider, SesProvider) and not provider.topic_arns
            else provider
            for provider in providers.providers
        )
    )
